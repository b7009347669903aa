"""What a floor manager remembers: rooms, who sits there under which name, and who heard how much of whom."""

import random
from dataclasses import dataclass, field
from typing import Any

from .names import NAMES

TOLD_TO_JOIN = "told to join"
JUST_ARRIVED = "just arrived"
AT_TABLE = "at the table"
TOLD_TO_VOTE = "told to vote"
JUST_IN_BOOTH = "just arrived in the booth"
IN_BOOTH = "in the booth"


@dataclass
class Seat:
    """A guest in a room: who it is, who it is called here, and how far it has come."""

    name: str
    identity: str
    human: bool
    sponsor: str
    status: str
    since: float
    reminded: float = 0.0
    wants_exit: bool = False
    met: list[str] = field(default_factory=list)

    def become(self, status: str, now: float) -> None:
        self.status, self.since, self.reminded = status, now, now


class Room:
    """One table. ``truth`` tells who is behind a name, ``heard[listener][speaker]`` counts lines, both by name.

    Names are taken from the pool in its order, round and round. One that somebody present has, or has met, may not be
    given again: the room then takes nobody (``clashing``) until someone leaves. An empty room starts the pool over.
    """

    def __init__(self, rng: random.Random) -> None:
        self.pool = rng.sample(NAMES, len(NAMES))
        self.seats: dict[str, Seat] = {}
        self.truth: dict[str, tuple[str, bool]] = {}
        self.heard: dict[str, dict[str, int]] = {}
        self.lines: list[list[Any]] = []
        self._start_over()

    def _start_over(self) -> None:
        self.position = 0
        self.clashing = False
        self.truth.clear()
        self.heard.clear()

    def insert(self, guest: str, identity: str, human: bool, sponsor: str, now: float) -> Seat | None:
        """Give a guest a seat and a name; None if no name is free."""
        name = self.pool[self.position % len(self.pool)]
        self.clashing = any(name == seat.name or name in seat.met for seat in self.seats.values())
        if self.clashing:
            return None
        self.position += 1
        self.truth[name] = (identity, human)
        self.heard[name] = {}
        seat = self.seats[guest] = Seat(name, identity, human, sponsor, TOLD_TO_JOIN, now, now)
        return seat

    def remove(self, guest: str) -> Seat:
        """Take a guest out."""
        seat = self.seats.pop(guest)
        self.clashing = False
        if not self.seats:
            self._start_over()
        return seat

    def sit_down(self, guest: str, now: float) -> list[str]:
        """The guest joins those at the table, who are returned: from now on they have met."""
        seat, others = self.seats[guest], self.others_at_table(guest)
        seat.become(AT_TABLE, now)
        for other in others:
            there = self.seats[other]
            seat.met += [there.name] * (there.name not in seat.met)
            there.met += [seat.name] * (seat.name not in there.met)
        return others

    def others_at_table(self, guest: str) -> list[str]:
        """Who else is chatting."""
        return [one for one, seat in self.seats.items() if one != guest and seat.status == AT_TABLE]

    def has_humans(self) -> bool:
        return any(seat.human for seat in self.seats.values())

    def said(self, guest: str, listeners: list[str], text: str, now: float) -> None:
        """Count a line for each of its listeners, and write it down."""
        speaker = self.seats[guest].name
        for listener in listeners:
            counts = self.heard[self.seats[listener].name]
            counts[speaker] = counts.get(speaker, 0) + 1
        self.lines.append([now, speaker, text])


class Floor:
    """The rooms of a floor manager; ``news`` is what has changed since it was last told."""

    def __init__(self) -> None:
        self.rooms: list[Room] = []
        self.room_of: dict[str, int] = {}
        self.inserted: list[list[Any]] = []
        self.ejected: list[list[Any]] = []

    def open_rooms(self, rng: random.Random, rooms: int) -> None:
        """Have so many rooms, at least."""
        self.rooms += [Room(rng) for _ in range(rooms - len(self.rooms))]

    def free_seats(self) -> dict[int, int]:
        """Room -> occupants, of the rooms that take guests."""
        return {number: len(room.seats) for number, room in enumerate(self.rooms) if not room.clashing}

    def insert(self, guest: str, number: int, identity: str, human: bool, sponsor: str, now: float) -> bool:
        """Seat a guest; False if the room has no name for it."""
        seat = self.rooms[number].insert(guest, identity, human, sponsor, now)
        if seat is None:
            return False
        self.room_of[guest] = number
        self.inserted.append([number, guest, sponsor])
        return True

    def remove(self, guest: str) -> Seat:
        """Unseat a guest."""
        number = self.room_of.pop(guest)
        self.ejected.append([number, guest])
        return self.rooms[number].remove(guest)

    def find(self, guest: str) -> tuple[Room, Seat] | None:
        """The room and the seat of a guest; None if it has none."""
        number = self.room_of.get(guest)
        return None if number is None else (self.rooms[number], self.rooms[number].seats[guest])

    def guests_who_are(self, status: str) -> list[tuple[str, Room, Seat]]:
        """The guests who have come that far."""
        return [
            (guest, room, seat) for room in self.rooms for guest, seat in room.seats.items() if seat.status == status
        ]

    def take_news(self) -> dict[str, Any]:
        """How full each room is, and who came and went since the last call."""
        news = {
            "floor_status": [[number, len(room.seats)] for number, room in enumerate(self.rooms)],
            "inserted_guests": self.inserted,
            "ejected_guests": self.ejected,
        }
        self.inserted, self.ejected = [], []
        return news
