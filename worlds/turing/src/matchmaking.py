"""Who sits where: rooms with somebody waiting alone come first, a new room is opened last."""

import random
from collections.abc import Hashable, Iterable, Mapping


def compute_check_in_proposals(
    guests: Iterable[str],
    rooms: Mapping[Hashable, int],
    rng: random.Random,
    max_guests_per_room: int = 4,
    max_overbooked_guests: int = 1,
) -> dict[str, Hashable]:
    """A room for each guest, as far as there are seats.

    Args:
        guests: who is waiting; they are taken in random order.
        rooms: room -> how many sit there, or are on their way.
        rng: source of randomness.
        max_guests_per_room: a room with so many is full.
        max_overbooked_guests: so many more may squeeze in before an empty room is opened.

    Returns:
        guest -> room; who is left out has to wait.
    """
    counts = dict(rooms)
    waiting, order = list(guests), list(rooms)
    rng.shuffle(waiting)
    rng.shuffle(order)
    preferences = (
        range(1, min(2, max_guests_per_room)),
        range(2, max_guests_per_room),
        range(max_guests_per_room, max_guests_per_room + max_overbooked_guests),
        range(1),
    )
    proposals = {}
    for guest in waiting:
        room = next((room for wanted in preferences for room in order if counts[room] in wanted), None)
        if room is None:
            break
        proposals[guest] = room
        counts[room] += 1
    return proposals
