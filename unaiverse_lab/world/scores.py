"""Keeping score: what members report reaches the statistics of the world, and who asks for them is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unaiverse_lab.core.envelope import StatsReceived, StatsRequest, StatsUpdate, StatsView
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.stats.stats import Reporter, Stats
from unaiverse_lab.world.membership import Membership


class Scores(Membership):
    """The statistics of a world. See :class:`~unaiverse_lab.World`."""

    stats: Stats

    def answer_stats_request(self, filters: Mapping[str, Any], asker: str) -> dict[str, Any]:
        """What a member gets that asks for statistics; override it, or the method of that name of :class:`Stats`.

        Args:
            filters: what it asks for, see :meth:`Stats.query_history`.
            asker: its peer id.

        Raises:
            StatsError: there is no such filter, or it is wrong; the asker is told.
        """
        return self.stats.answer_stats_request(filters, asker)

    async def _on_stats_update(self, sender: str, body: StatsUpdate) -> None:
        link = self._need_link()
        try:
            self._need_member(sender, "report values")
        except LabError as error:
            link.post(sender, StatsReceived(0, reason=str(error)))
            raise
        trusted = self.is_master(sender) or self.get_role(sender) in self.stats.TRUSTED_ROLES
        reporter = Reporter(sender, self._name_of(sender), trusted)
        upto, refused = self.stats.take_in(reporter, body.first, body.oldest, body.entries)
        link.post(sender, StatsReceived(upto, refused))

    async def _on_stats_request(self, sender: str, body: StatsRequest) -> None:
        link = self._need_link()
        try:
            self._need_member(sender, "ask for statistics")
            answer = StatsView(self.answer_stats_request(body.filters, sender))
        except LabError as error:
            answer = StatsView(reason=str(error))
        except Exception as error:
            self._fault(error, "answer_stats_request")
            answer = StatsView(reason=f"this world could not answer: {type(error).__name__}: {error}")
        link.post(sender, answer)

    def end_turn(self) -> None:
        """After the world has acted: count the members, and write to the file what was stored."""
        self.stats.count_members(
            world_masters=len(self.world_masters),
            world_agents=len(self.world_agents),
            human_agents=len(self.human_agents),
            artificial_agents=len(self.artificial_agents),
        )
        self.stats.end_turn()

    _handlers = {
        **Membership._handlers,
        StatsUpdate: _on_stats_update,
        StatsRequest: _on_stats_request,
    }
