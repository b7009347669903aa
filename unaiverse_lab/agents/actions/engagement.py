"""Built-in actions: agreeing to work together."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.actions.work import WorkActions
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.ordered import OrderedSet

ENGAGE_TIMEOUT = 10.0


class EngagementActions(WorkActions):
    """``send_engage``, ``engage``, ``send_disengage``, ``disengage``, ``disengage_all``, ..."""

    @action(waits=False)
    async def send_engage(self, interaction: Interaction | None = None) -> bool:
        """Ask the found agents to engage, and engage those that accept.

        Args:
            interaction: filled in by the machine.

        True when all have answered (or 10 s have passed) and at least one accepted. False while answers are missing,
        when nobody was found, or when nobody accepted. Sends one request ``engage`` to each.
        """
        sent: Interaction | None = interaction.get_mark() if interaction is not None else None
        if sent is None:
            if not self._found_agents:
                return self.because("there is nobody to engage: no agent was found")
            sent = self._send(
                "engage",
                list(self._found_agents),
                {"sender_role": self.get_current_role(ignore_base_role=False)},
                timeout=ENGAGE_TIMEOUT,
            )
            if sent is None:
                return False
            if interaction is not None:
                interaction.set_mark(sent)
                interaction.hold()
        if not sent.is_completed:
            return self.because(f"waiting for {', '.join(sent.target)} to accept")
        if interaction is not None:
            interaction.held = False
        accepted = [peer for peer in sent.outcome.ok_targets if self.knows(peer)]
        self._engaged_agents.update(accepted)
        self._available = not self._engaged_agents
        return bool(accepted) or self.because("nobody accepted to engage")

    @action
    async def engage(
        self,
        acceptable_role: str | None = None,
        sender_role: str | None = None,
        interaction: Interaction | None = None,
    ) -> bool:
        """Accept to work with the agent that asks for it, if free.

        Args:
            acceptable_role: the role the asking agent must have; with ``~``, base part included.
            sender_role: the role it claims; the roster decides.
            interaction: the request.

        True when accepted: the two are then engaged. False when nobody asked, when busy, or when its role is another
        one. Sends nothing but the answer.
        """
        if interaction is None or interaction.is_system:
            return self.because("nobody asked to engage")
        peer = interaction.requester
        if not self._available:
            return self.reject(interaction, f"busy with {', '.join(self._engaged_agents)}")
        if acceptable_role is not None and peer not in self.get_agents_by_role(acceptable_role):
            return self.reject(
                interaction, f"only the role {acceptable_role!r} may engage me, not {self.get_role(peer)!r}"
            )
        self._engaged_agents.add(peer)
        self._available = False
        return True

    @action
    async def set_engaged_partner(self, agent: Any = None, clear_found: bool = True) -> bool:
        """Set the engaged agents.

        Args:
            agent: the agent(s); None: nobody.
            clear_found: forget the found agents.

        True always. Sends nothing.
        """
        self._engaged_agents = OrderedSet(self.chosen_agents(agent) if agent is not None else ())
        self._available = not self._engaged_agents
        if clear_found:
            self._found_agents.clear()
        return True

    @action
    async def send_disengage(self, send_disconnection_too: bool = False) -> bool:
        """Ask the engaged agents to disengage, and let them go.

        Args:
            send_disconnection_too: they shall part, too.

        True when at least one was reached. False when nobody is engaged, or none could be reached. Sends one request
        ``disengage`` to each.
        """
        if not self._engaged_agents:
            return self.because("nobody is engaged")
        sent = self._send(
            "disengage", list(self._engaged_agents), {"disconnect_too": send_disconnection_too}, timeout=ENGAGE_TIMEOUT
        )
        await self.disengage_all()
        return sent is not None

    @action
    async def disengage(self, disconnect_too: bool = False, interaction: Interaction | None = None) -> bool:
        """Stop working with the agent that asks for it.

        Args:
            disconnect_too: part from it.
            interaction: the request.

        True when it was engaged. False when nobody asked, or the two are not engaged. Sends nothing but the answer.
        """
        if interaction is None or interaction.is_system:
            return self.because("nobody asked to disengage")
        if interaction.requester not in self._engaged_agents:
            return self.reject(interaction, "we are not engaged")
        self._engaged_agents.discard(interaction.requester)
        self._available = not self._engaged_agents
        if disconnect_too:
            self.part_later(interaction.requester)
        return True

    @action
    async def disengage_all(self) -> bool:
        """Let all engaged agents go, without telling them.

        True always. Sends nothing.
        """
        self._engaged_agents.clear()
        self._available = True
        return True

    @action
    async def all_engagements_completed(self) -> bool:
        """Check that nobody is left to be engaged.

        True when the found agents are none. False when some were found. Sends nothing.
        """
        return not self._found_agents or self.because(f"{', '.join(self._found_agents)} were found and not engaged")
