"""Built-in actions: the statistics of the world."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.messaging import Messaging
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.envelope import StatsRequest


class StatsActions(Messaging):
    """``ask_world_stats``."""

    @action
    async def ask_world_stats(self, filters: dict[str, Any] | None = None) -> bool:
        """Ask the world for statistics; what it answers is then in the view of ``self.stats``.

        Args:
            filters: what to ask for: ``stat_names``, ``group_keys``, ``time_range``, ``value_range``, ``limit``;
                default: everything.

        True when the world was asked. False when the agent is in no world. Sends one message to the world.
        """
        link = self._need_link()
        if link.world_id is None:
            return self.because("I am in no world that I could ask")
        return link.post(link.world_id, StatsRequest(dict(filters or {})))
