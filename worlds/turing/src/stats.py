"""What the hotel keeps: how full it is, every judgement of every vote, and what was said (under false names)."""

from datetime import timedelta

from unaiverse_lab import Stats

from .page import Board, page
from .scores import confusion, votees, voters
from .votes import PARSER_SKIPPED

WINDOWS = (("30 days", timedelta(days=30)), ("7 days", timedelta(days=7)), ("24 hours", timedelta(days=1)))


class WStats(Stats):
    """Managers report, though they are no masters; a month is remembered."""

    TRUSTED_ROLES = ("hotel_manager", "floor_manager")
    STORE_DYNAMIC_IF_CHANGED = True

    CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA = {
        "hotel_n_floors_active": (int, 0),
        "hotel_n_rooms_active": (int, 0),
        "hotel_n_rooms_overbooked": (int, 0),
        "hotel_n_agents_present": (int, 0),
        "hotel_n_agents_waiting": (int, 0),
    }
    CUSTOM_WORLD_STATS_STATIC_SCHEMA = {"n_total_agents": (int, 0)}
    CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA = {"turing_vote": (dict, {}), "conversation_chunk": (dict, {})}

    def __init__(self, is_world=True, db_path=None, cache_window_hours=30 * 24.0):
        super().__init__(is_world, db_path, cache_window_hours)

    def votes(self, since: int = 0) -> list[dict]:
        """The judgements from a time (ms) on, those that nobody understood left out."""
        peers = self.get_view(since)["peers"]
        return [
            vote
            for group, values in peers.items()
            if group != PARSER_SKIPPED
            for _, vote in values.get("turing_vote", [])
        ]

    def skipped(self) -> int:
        """How many votes nobody understood."""
        return len(self.get_view()["peers"].get(PARSER_SKIPPED, {}).get("turing_vote", []))

    def plot(self, since_timestamp=0):
        """The leader boards, as an HTML page that needs nothing else."""
        now = (
            max((vote["at"] for vote in self.votes()), default=0)
            if self.link is None
            else self.link.clock.get_time_ms()
        )
        boards = []
        for title, length in WINDOWS:
            since = max(since_timestamp, now - int(length.total_seconds() * 1000))
            votes = self.votes(since)
            boards.append(Board(title, len(votes), confusion(votes), votees(votes), voters(votes)))
        names = (*self.CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA, *self.CUSTOM_WORLD_STATS_STATIC_SCHEMA)
        return page({name: self.get_last_value(name) for name in names}, boards, self.skipped())
