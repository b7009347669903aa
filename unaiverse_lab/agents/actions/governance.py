"""Built-in actions: talking to the world itself."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.messaging import Messaging
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.badges import why_no_badge
from unaiverse_lab.core.envelope import BadgeSuggestion, BadgeSuggestions, RoleSuggestions, SuggestionAnswer


class GovernanceActions(Messaging):
    """``suggest_role_to_world``, ``suggest_badges_to_world``."""

    def suggestion_answered(self, answer: SuggestionAnswer) -> None:
        """Called with the world's answer to each suggestion of a role or a badge; override freely.

        Args:
            answer: ``about`` (``"role"`` or ``"badge"``), ``peer_id``, ``wanted`` (the role, or the type of the badge),
                ``accepted``, and the ``reason``.
        """

    @action
    async def suggest_role_to_world(self, agent: Any = None, role: str = "") -> bool:
        """Suggest a role for some members; the world decides.

        Args:
            agent: the members; default: the engaged agents, else the found ones.
            role: name of a custom role.

        True when the suggestion was sent, or all have that role already. False when there is nobody to suggest it for.
        Sends one message to the world, which answers each suggestion; it follows masters, unless it decides otherwise.

        Raises:
            WorldError: no such role in this world, or one that cannot be given (``world_master``).
        """
        link = self._need_link()
        role = link.role_table.custom_name(link.role_table.custom_bits(role))
        peers = self.chosen_agents(agent)
        if not peers or link.world_id is None:
            return self.because("there is nobody to suggest a role for")
        others = [peer for peer in peers if self.get_role(peer) != role]
        if others:
            return link.post(link.world_id, RoleSuggestions([{"peer_id": peer, "role": role} for peer in others]))
        return True

    @action
    async def suggest_badges_to_world(
        self,
        agent: Any = None,
        score: float = -1.0,
        badge_type: str = "completed",
        badge_description: str | None = None,
    ) -> bool:
        """Suggest a badge for some members; the world decides.

        Args:
            agent: the members; default: the engaged agents, else the found ones.
            score: how well they did, from 0 to 1; higher is better.
            badge_type: ``completed``, ``attended``, ``intermediate`` or ``pro``.
            badge_description: words for people.

        True when the suggestion was sent. False when there is nobody to suggest it for, or there can be no such badge.
        Sends one message to the world, which answers each suggestion; it follows masters, unless it decides otherwise,
        and awards nobody a badge it suggested for itself.
        """
        link = self._need_link()
        why = why_no_badge(score, badge_type)
        if why is not None:
            return self.because(why)
        peers = self.chosen_agents(agent)
        if not peers or link.world_id is None:
            return self.because("there is nobody to suggest a badge for")
        badges = [BadgeSuggestion(peer, float(score), badge_type, badge_description or "") for peer in peers]
        return link.post(link.world_id, BadgeSuggestions(badges))
