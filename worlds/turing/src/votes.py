"""From a questionnaire to records: what is asked, and what is kept of an answer."""

from typing import Any

from .names import NAMES
from .rooms import Room, Seat
from .verdicts import AI, HUMAN, parse_vote_msg

SURVEY = (
    "The chat is over. Who of {others} is human, and who is a bot? "
    "Answer in your own words, e.g. '{example} is human', or 'nobody'. You have {seconds:g} seconds."
)
SKIPPED = "SKIPPED"
PARSER_SKIPPED = "PARSER_SKIPPED"
"""The group of votes that nobody understood."""


def survey(seat: Seat, seconds: float) -> str:
    """The question for a guest."""
    others = ", ".join(seat.met) or "those you met (it was nobody)"
    return SURVEY.format(others=others, example=seat.met[0] if seat.met else "X", seconds=seconds)


def sealed(room: Room, seat: Seat, text: str, where: dict[str, str]) -> dict[str, Any]:
    """The vote of a guest, with all it takes to count it; ``where`` names session and managers."""
    heard = room.heard[seat.name]
    return {
        "voter": seat.identity,
        "voter_human": seat.human,
        "text": text,
        "met": [
            {
                "name": name,
                "identity": room.truth[name][0],
                "human": room.truth[name][1],
                "from_votee": heard.get(name, 0),
                "to_votee": room.heard[name].get(seat.name, 0),
            }
            for name in seat.met
        ],
        **where,
    }


def opened(vote: dict[str, Any], min_msgs_from_votee: int) -> list[tuple[str, dict[str, Any]]]:
    """Group key and record of each judgement in a vote.

    One per votee who was met and said enough to be judged; the fake names are not kept. A vote that cannot be read is
    one record in the group :data:`PARSER_SKIPPED`.
    """
    met = {one["name"]: one for one in vote["met"]}
    bots = [name for name, one in met.items() if not one["human"]]
    humans = [name for name, one in met.items() if one["human"]]
    verdicts = parse_vote_msg(vote["text"], NAMES, bots, humans)
    common = {key: value for key, value in vote.items() if key not in ("met", "text")}
    if not verdicts:
        return [(PARSER_SKIPPED, {**common, "vote": SKIPPED, "text": vote["text"]})]
    return [
        (
            met[name]["identity"],
            {
                **common,
                "votee": met[name]["identity"],
                "truth": HUMAN if met[name]["human"] else AI,
                "vote": verdict,
                "from_votee": met[name]["from_votee"],
                "to_votee": met[name]["to_votee"],
            },
        )
        for name, verdict in verdicts.items()
        if name in met and met[name]["from_votee"] >= min_msgs_from_votee
    ]
