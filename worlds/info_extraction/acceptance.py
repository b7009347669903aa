"""When a run of this world is over, and what must hold then."""

import json
from pathlib import Path

from unaiverse_lab import Session
from unaiverse_lab.core.records import Joined, Moved, Sent

USER, EXTRACTORS, STRANGER = "Collector", ["ColorNamer", "ShapeCaptioner", "BlobCounter"], "TextBot"
PICTURES = 3
CALM = 2.0
"""Seconds in which nobody new is asked."""


def UNTIL(session: Session) -> bool:
    """The collector has heard everybody, and has looked for others in vain for a while."""
    if session.states_of(USER) != ["ready"] or session.agent(USER).used != set(EXTRACTORS):
        return False
    arrival = [move.t for move in session.trace.of_kind(Moved) if move.node == USER][-1]
    return session.now - arrival >= CALM


def checks(session: Session) -> list[tuple[str, bool, str]]:
    """Name, verdict and detail of each check."""
    user, world = session.agent(USER), session.world
    roles = {name: world.get_role(name) for name in (USER, *EXTRACTORS, STRANGER)}
    joining = [join for join in session.trace.of_kind(Joined) if join.node == STRANGER]
    refused = [join.reason for join in joining if join.stage == "refused"]
    wanted = {USER: "user", **dict.fromkeys(EXTRACTORS, "extractor"), STRANGER: None}

    counts = [len(entry["info"]) for entries in user.results.values() for entry in entries.values()]
    tags = [str(tag) for tag in range(PICTURES)]
    complete = list(user.results) == tags and counts == [1] * PICTURES * len(EXTRACTORS)
    file = Path(user.behav.wildcards["<result_file>"])
    on_disk = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    asked = [peer for sent in session.trace.of_kind(Sent) if sent.action == "process" for peer in sent.targets]
    return [
        (
            "IE-1 roles by capability, the text bot is refused",
            roles == wanted and len(refused) == 1,
            "; ".join(refused),
        ),
        ("IE-2 one text per picture and extractor", complete, f"{len(user.results)} pictures, {len(counts)} texts"),
        ("IE-2 the file holds the same", on_disk == user.results, str(file)),
        ("IE-3 nobody is asked twice", sorted(asked) == sorted(EXTRACTORS), ", ".join(asked)),
    ]
