"""What teacher and students have in common."""

from unaiverse_lab import Agent, CompletionReason, action


class Member(Agent):
    """Can give up what is left of the last course."""

    @action
    async def clear_pending_requests(self, preserve: str | None = None) -> bool:
        """End every open request, those of others included, and let everybody go.

        Args:
            preserve: requests for this action stay.
        """
        for request in [*self.im.sent.values(), *self.im.received.values()]:
            if request.action_name != preserve:
                self.im.complete(request, CompletionReason.DISCARDED)
        return await self.disengage_all()

    def store(self, stat_name: str, value: float, peer_id: str) -> None:
        """Note a value about a member, now; the world gets it at the end of the turn."""
        self.stats.store_stat(stat_name, value, group_key=peer_id, timestamp=self.clock.get_time_ms())
