"""The rules of the house: every number of the game, in seconds or guests, in one place.

The machines carry these numbers as arguments of their actions and as delays; the agents know none of them.
"""

from typing import NamedTuple


class Rules(NamedTuple):
    """The defaults are those of a hotel open to the public; :data:`LAB` is for a run on a desk."""

    test_duration: float = 300.0
    survey_reply_time: float = 240.0
    moving_time: float = 10.0
    time_in_voting_booth_before_activating_vote: float = 3.0
    send_reminder_every: float = 65.0
    send_floor_updates_every: float = 3.0
    decompression_time: float = 60.0
    disconnect_non_responsive_managers_after: float = 30.0
    try_again_after: float = 60.0
    time_between_rounds: float = 0.0
    max_guests_per_room: int = 4
    max_overbooked_guests: int = 1
    rooms_per_floor: int = 10
    min_msgs_from_votee: int = 3
    exit_trigger_message: str = "exit"
    broadcast_when_no_humans: bool = False

    @property
    def max_time_in_every_state(self) -> float:
        """A guest that stays longer anywhere has been forgotten."""
        longest = max(self.test_duration, self.survey_reply_time, self.moving_time)
        return longest + self.moving_time + self.time_in_voting_booth_before_activating_vote + 5.0


REAL = Rules()
LAB = Rules(
    test_duration=30.0,
    survey_reply_time=20.0,
    send_reminder_every=10.0,
    decompression_time=5.0,
    disconnect_non_responsive_managers_after=10.0,
    try_again_after=10.0,
    time_between_rounds=0.4,
)
PROFILES = {"lab": LAB, "real": REAL}
MANAGER = "MANAGER"
"""Under this name the floor managers speak."""
