"""Built-in actions: finding other members and meeting them."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.actions.engagement import EngagementActions
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.errors import did_you_mean
from unaiverse_lab.core.ordered import OrderedSet


class DiscoveryActions(EngagementActions):
    """``connect_by_role``, ``connect_to``, ``find_agents``, ``connected``, ``disconnected``, ``disconnect``, ..."""

    @action
    async def connect_by_role(
        self, role: str | list[str], filter_fcn: str | None = None, accept_already_connected: bool = False
    ) -> bool:
        """Get in touch with the members that have a role; they become the found agents.

        Args:
            role: one role, or several.
            filter_fcn: own method choosing among them: ``filter_fcn(addresses, peer_ids) -> (addresses, peer_ids)``.
            accept_already_connected: count those met before as found.

        True when at least one new contact was started (or one met before is accepted). False when there is nobody
        with that role, none passes the filter, or all are met already. Sends a contact to each.

        Raises:
            WorldError: no such role in this world.
        """
        self._found_agents.clear()
        self._lost_agents.clear()
        peers = [
            peer for peer in self.get_agents_by_role(role, handshake_completed=False) if peer != self.get_peer_id()
        ]
        if filter_fcn is not None:
            chooser = getattr(self, filter_fcn, None)
            if chooser is None:
                return self.because(f"there is no filter {filter_fcn!r}.{did_you_mean(filter_fcn, dir(self))}")
            there = bool(peers)
            _, peers = chooser(list(peers), list(peers))
            if there and not peers:
                return self.because(f"{filter_fcn} wants nobody with the role {role!r}")
        if not peers:
            return self.because(f"nobody has the role {role!r} yet")
        for peer in peers:
            met = self.knows(peer) or peer in self.contacting
            if accept_already_connected if met else self.contact(peer):
                self._found_agents.add(peer)
        return bool(self._found_agents) or self.because(f"everybody with the role {role!r} is met already")

    @action
    async def connect_to(self, peer_id: str) -> bool:
        """Get in touch with one member.

        Args:
            peer_id: its peer id or node name.

        True when the contact was started, or is there already. False when there is no such member. Sends a contact.
        """
        peer = self.resolve_agents(peer_id)
        if self.knows(peer) or peer in self.contacting:
            return True
        return self.contact(peer) or self.because(f"there is no member {peer_id!r}")

    @action
    async def find_agents(self, role: str | list[str], engage: bool = False, handshake_completed: bool = False) -> bool:
        """Look for members with a role; they become the found agents.

        Args:
            role: one role, or several.
            engage: they become the engaged agents too.
            handshake_completed: only those met already.

        True when at least one was found. False when there is none. Sends nothing.

        Raises:
            WorldError: no such role in this world.
        """
        found = self.get_agents_by_role(role, handshake_completed)
        self._found_agents = OrderedSet(found)
        self._lost_agents.clear()
        if engage:
            self._engaged_agents = OrderedSet(found)
        return bool(found) or self.because(
            f"nobody {'met so far ' if handshake_completed else ''}has the role {role!r}"
        )

    @action
    async def connected(self, agent: Any = None, handshake_completed: bool = False) -> bool:
        """Check the contact with some peers.

        Args:
            agent: the peers; default: the engaged ones, else the found ones.
            handshake_completed: the handshake must be finished, not only under way.

        True when all of them are in contact. False when one is not, or when there is nobody to check. Sends nothing.
        """
        peers = self.chosen_agents(agent)
        if not peers:
            return self.because("no agent was found or engaged")
        missing = [
            peer for peer in peers if not (self.knows(peer) or (peer in self.contacting and not handshake_completed))
        ]
        return not missing or self.because(f"the handshake with {', '.join(missing)} is not finished")

    @action
    async def disconnected(self, agent: Any = None, handshake_completed: bool = False) -> bool:
        """Check that the contact with some peers is gone.

        Args:
            agent: the peers; default: the engaged ones, else the found ones.
            handshake_completed: only finished handshakes count as contact.

        True when none of them is in contact, also when all of them have left. False when one is, or when there was
        nobody to check. Sends nothing.
        """
        peers = self.chosen_agents(agent)
        if not peers:
            return bool(self._lost_agents) or self.because("no agent was found or engaged")
        there = [peer for peer in peers if self.knows(peer) or (peer in self.contacting and not handshake_completed)]
        return not there or self.because(f"still in contact with {', '.join(there)}")

    @action
    async def disconnect(self, agent: Any) -> bool:
        """Part from a peer.

        Args:
            agent: the peer(s).

        True always. Sends a farewell.
        """
        for peer in self.chosen_agents(agent):
            await self.part_from(peer)
        return True

    @action
    async def disconnect_by_role(self, role: str | list[str], disengage_too: bool = False) -> bool:
        """Part from all known members with a role.

        Args:
            role: one role, or several.
            disengage_too: ask the engaged ones to disengage first.

        True always. Sends farewells.

        Raises:
            WorldError: no such role in this world.
        """
        if disengage_too and self._engaged_agents:
            await self.send_disengage(send_disconnection_too=True)
        for peer in self.get_agents_by_role(role):
            await self.part_from(peer)
        return True

    @action
    async def agents_are_waiting(self) -> bool:
        """Check whether a found peer is in the middle of its handshake.

        True when one is. False when none is. Sends nothing.
        """
        waiting = [peer for peer in self._found_agents if peer in self.contacting]
        return bool(waiting) or self.because("no handshake is under way")
