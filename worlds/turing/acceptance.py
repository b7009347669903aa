"""What a run of the Turing Hotel must show; it ends when everybody has played once, and the votes are counted."""

import json
from itertools import pairwise

from unaiverse_lab import Session
from unaiverse_lab.core.records import Moved, Pushed, Said

PEOPLE = ["Alberta", "Bertrand", "Clementine", "Demetrio"]
PROGRAMS = ["Eliza1", "Parry2", "Eniac3", "Univac4"]
GUESTS = PEOPLE + PROGRAMS
LEAVES_EARLY = "Clementine"
MANAGERS = {"HotelManager": "hotel_manager", "FloorManager": "floor_manager"}
STATIONS = [
    "ready", "reached_hotel_manager", "hall", "reached_floor_manager", "floor", "ready_for_room", "room_round_table",
    "room_voting_booth", "can_vote", "vote_provided", "hall",
]  # fmt: skip
FULL, MOST, MOVING_TIME, TEST_DURATION = 4, 5, 10.0, 30.0
COUNTING = 3.0
"""Seconds until the last votes are counted."""


def UNTIL(session: Session) -> bool:
    """Everybody has been to the booth and back, a moment ago."""
    guests = [session.agent(name) for name in GUESTS]
    return all(getattr(guest, "sessions", 0) and session.now - guest.back_at > COUNTING for guest in guests)


def checks(session: Session) -> list[tuple[str, bool, str]]:
    """Name, verdict and detail of each check."""
    world = session.world
    roles = {name: world.get_role(name) for name in (*MANAGERS, *GUESTS)}
    ways = {name: way_of(session, name) for name in GUESTS}
    lost = [name for name, way in ways.items() if not passes(STATIONS, [state for _, state in way])]
    rooms = occupancies(session)
    most = max((count for counts in rooms for count in counts), default=0)
    opened = openings(rooms)
    stays = {name: time_at_table(way) for name, way in ways.items()}
    stayed = [stays[name] for name in GUESTS if name != LEAVES_EARLY]
    votes, skipped = world.stats.votes(), world.stats.skipped()
    voters = {vote["voter"] for vote in votes}
    leaks = leaked(session)
    return [
        (
            "TUR-1 the file says who manages",
            roles == {**MANAGERS, **dict.fromkeys(GUESTS, "guest")},
            ", ".join(f"{name}: {role}" for name, role in roles.items() if role != "guest"),
        ),
        ("TUR-2 everybody plays: door, table, booth, hall", not lost, ", ".join(lost) or f"{len(ways)} guests"),
        (f"TUR-2 no room above {MOST}", 0 < most <= MOST, f"at most {most}"),
        (f"TUR-2 rooms fill to {FULL} before a new one opens", opened, f"{len(rooms)} updates"),
        (
            "TUR-3 who says exit leaves, the others stay",
            stays[LEAVES_EARLY] < TEST_DURATION / 2 and min(stayed) >= TEST_DURATION,
            f"{stays[LEAVES_EARLY]:.1f} s, the others {min(stayed):.1f} s or more",
        ),
        (
            "TUR-4 judgements are counted, what nobody understands is not",
            len(voters) >= 4 and skipped >= 1 and all(vote["from_votee"] >= 3 for vote in votes),
            f"{len(votes)} judgements of {len(voters)} guests, {skipped} skipped",
        ),
        ("nobody hears who the others are", not leaks, ", ".join(leaks) or "false names only"),
    ]


def way_of(session: Session, name: str) -> list[tuple[float, str]]:
    """When a guest came to which state."""
    return [(move.t, move.target) for move in session.trace.of_kind(Moved) if move.node == name]


def passes(stations: list[str], way: list[str]) -> bool:
    """Whether a way leads through all stations, in this order."""
    left = iter(way)
    return all(station in left for station in stations)


def time_at_table(way: list[tuple[float, str]]) -> float:
    """Seconds from the first seat to the first booth."""
    seated = next((t for t, state in way if state == "room_round_table"), 0.0)
    left = next((t for t, state in way if state == "room_voting_booth"), 0.0)
    return left - seated


def occupancies(session: Session) -> list[list[int]]:
    """How full the rooms were, update by update."""
    updates = [
        json.loads(push.value or "{}")
        for push in session.trace.of_kind(Pushed)
        if push.node == "HotelManager" and push.stream == "floor_updates"
    ]
    return [[count for _, count in update["floor_status"]] for update in updates if update["floor_status"]]


def openings(rooms: list[list[int]]) -> bool:
    """Whether every room that was opened while others had guests found them full."""
    for before, after in pairwise(rooms):
        fresh = [count for was, count in zip(before, after, strict=True) if count and not was]
        others = [count for was, count in zip(before, after, strict=True) if was and count >= was]
        if sum(count < FULL for count in fresh) > 1 or (fresh and any(count < FULL for count in others)):
            return False
    return True


def leaked(session: Session) -> list[str]:
    """Guests whose node name has reached another guest, in words or as the owner of a stream."""
    names = set(GUESTS)
    heard = [(push.node, f"{push.owner} {push.value}") for push in session.trace.of_kind(Pushed)]
    heard += [(said.node, said.text) for said in session.trace.of_kind(Said)]
    return sorted({name for node, text in heard if node in names for name in names - {node} if name in text})
