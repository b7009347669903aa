"""Scores: who fools people, and who is not fooled."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from .verdicts import AI, HUMAN

Vote = dict[str, Any]


class Votee(NamedTuple):
    """A machine and how human it seems: percent of votes that took it for a person, weighted by how much it said."""

    who: str
    votes: int
    fooling_rate: float
    avg_msgs: float
    turing_score: float


class Voter(NamedTuple):
    """A judge and how well it finds humans; what cannot be said is None."""

    who: str
    votes: int
    precision: float | None
    recall: float | None
    f1: float | None
    detection_score: float | None


def confusion(votes: Iterable[Vote]) -> dict[str, dict[str, int]]:
    """``counts[truth][vote]``."""
    counts = {truth: {HUMAN: 0, AI: 0} for truth in (HUMAN, AI)}
    for vote in votes:
        counts[vote["truth"]][vote["vote"]] += 1
    return counts


def votees(votes: Iterable[Vote]) -> list[Votee]:
    """The machines, best impostor first."""
    board = []
    for who, own in _grouped(votes, "votee").items():
        if own[0]["truth"] != AI:
            continue
        rate = 100 * sum(vote["vote"] == HUMAN for vote in own) / len(own)
        lines = sum(vote["from_votee"] for vote in own) / len(own)
        score = rate * lines / (lines + 5)
        board.append(Votee(who, len(own), round(rate, 1), round(lines, 1), round(score, 1)))
    return sorted(board, key=lambda one: (-one.turing_score, -one.votes, one.who))


def voters(votes: Iterable[Vote]) -> list[Voter]:
    """The judges, best first; those of whom nothing can be said are last."""
    board = []
    for who, own in _grouped(votes, "voter").items():
        counts = confusion(own)
        hits, misses, alarms = counts[HUMAN][HUMAN], counts[HUMAN][AI], counts[AI][HUMAN]
        f1 = _ratio(2 * hits, 2 * hits + alarms + misses)
        score = None if f1 is None else round(100 * f1 * len(own) / (len(own) + 10), 1)
        board.append(Voter(who, len(own), _ratio(hits, hits + alarms), _ratio(hits, hits + misses), f1, score))
    return sorted(board, key=lambda one: (one.f1 is None, -(one.detection_score or 0.0), -one.votes, one.who))


def _grouped(votes: Iterable[Vote], key: str) -> dict[str, list[Vote]]:
    groups: dict[str, list[Vote]] = {}
    for vote in votes:
        groups.setdefault(vote[key], []).append(vote)
    return groups


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
