"""What a hotel manager remembers: how full the floors are, as far as it was told, and where its own guests are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Place = tuple[str, int]
"""A floor manager, and the number of one of its rooms."""


@dataclass
class FloorView:
    """A floor as the updates tell it; ``tag`` is the number of the last one."""

    tag: int
    rooms: list[list[str]]


@dataclass
class Trip:
    """A guest was sent to a floor; ``seated`` once the floor has told so."""

    place: Place
    since: float
    seated: bool = False


class Hotel:
    """All floors, put together from what floor managers publish, and the trips of one's own guests."""

    def __init__(self) -> None:
        self.floors: dict[str, FloorView] = {}
        self.trips: dict[str, Trip] = {}
        self.resting: dict[str, float] = {}

    # ------------------------------------------------------------------ floors

    def update(self, manager: str, tag: int, news: dict[str, Any]) -> bool:
        """Follow an update; False if it is an old one.

        If one is missing, or does not add up, only the numbers are believed: guests who cannot be explained are called
        ``unk0``, ``unk1``, ...
        """
        view = self.floors.get(manager)
        if view is not None and tag <= view.tag:
            return False
        counts = [count for _, count in news["floor_status"]]
        follows = view is not None and tag == view.tag + 1 and len(counts) == len(view.rooms)
        rooms = [list(guests) for guests in view.rooms] if view is not None and follows else [[] for _ in counts]
        for number, guest, _ in news["inserted_guests"]:
            rooms[number].append(guest)
        for number, guest in news["ejected_guests"]:
            if guest in rooms[number]:
                rooms[number].remove(guest)
        for guests, count in zip(rooms, counts, strict=True):
            del guests[count:]
            guests += [f"unk{number}" for number in range(count - len(guests))]
        self.floors[manager] = FloorView(tag, rooms)
        return True

    def close_floor(self, manager: str) -> None:
        """A floor manager is gone, and its floor with it."""
        self.floors.pop(manager, None)

    def crowded(self, manager: str, limit: int) -> bool:
        """Whether a room of this floor holds more than it may."""
        return any(len(guests) > limit for guests in self.floors[manager].rooms)

    # ------------------------------------------------------------------ own guests

    def send(self, guest: str, place: Place, now: float) -> None:
        """A guest is on its way."""
        self.trips[guest] = Trip(place, now)

    def arrived(self, guest: str) -> bool:
        """A floor tells that a guest of ours sits there; False if we did not send it."""
        trip = self.trips.get(guest)
        if trip is not None:
            trip.seated = True
        return trip is not None

    def come_back(self, guest: str, rested: float) -> None:
        """A guest is in the hall again, and wants to be left alone until ``rested``."""
        self.trips.pop(guest, None)
        self.resting[guest] = rested

    def forget(self, guest: str) -> None:
        """A guest has left."""
        self.trips.pop(guest, None)
        self.resting.pop(guest, None)

    def give_up_on(self, sent_before: float) -> None:
        """Stop expecting guests on floors they have never reached."""
        late = [guest for guest, trip in self.trips.items() if not trip.seated and trip.since < sent_before]
        for guest in late:
            del self.trips[guest]

    def in_the_hall(self, guests: Iterable[str], now: float) -> list[str]:
        """Those of our guests who could be sent somewhere."""
        return [guest for guest in guests if guest not in self.trips and self.resting.get(guest, 0.0) <= now]

    def occupancy(self) -> dict[Place, int]:
        """Guests in each room, those on their way included."""
        counts = {
            (manager, number): len(guests)
            for manager, view in self.floors.items()
            for number, guests in enumerate(view.rooms)
        }
        for trip in self.trips.values():
            if not trip.seated and trip.place in counts:
                counts[trip.place] += 1
        return counts

    def counters(self, limit: int) -> dict[str, int]:
        """The house in numbers; ``limit`` is how many guests make a room full."""
        rooms = [len(guests) for view in self.floors.values() for guests in view.rooms]
        return {
            "hotel_n_floors_active": len(self.floors),
            "hotel_n_rooms_active": sum(count > 0 for count in rooms),
            "hotel_n_rooms_overbooked": sum(count > limit for count in rooms),
            "hotel_n_agents_present": sum(rooms),
        }
