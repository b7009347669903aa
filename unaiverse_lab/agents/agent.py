"""The agent: what a learner subclasses to define a role."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.actions import (
    DiscoveryActions,
    GovernanceActions,
    LearningActions,
    PlaylistActions,
    PubSubActions,
    StatsActions,
)
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.core.interaction import CompletionReason, Interaction
from unaiverse_lab.core.records import Injected, RoleSet
from unaiverse_lab.core.roles import custom_part


class Agent(DiscoveryActions, LearningActions, PlaylistActions, PubSubActions, GovernanceActions, StatsActions):
    """A member of a world: a processor with streams, peers, and the state machine of its role.

    See :class:`~unaiverse_lab.agents.base.AgentBase` for the arguments. A role is a subclass with ``@action`` methods:
    when the world gives the agent a role, the agent becomes an instance of that role's class, keeping its identity.
    """

    # ------------------------------------------------------------------ hooks

    async def on_tick(self) -> None:
        """Called at every tick in a world, before the machine acts; override freely."""

    def accept_new_role(self, role: int) -> None:
        """Take a role: install its machine, engaged with nobody.

        Override it to add streams, calling ``super().accept_new_role(role)`` first.

        Args:
            role: its bits.
        """
        link = self._need_link()
        for request in list(self.im.received.values()):
            self.im.complete(request, CompletionReason.REJECTED, detail="I have another role now")
        self._engaged_agents.clear()
        self._available = True
        previous = self.behav.role
        name = link.role_table.custom_name(role)
        self.behav = HybridStateMachine(self)
        template = link.behavior_template(name)
        if template is None:
            self.behav.add_state("empty")
            self.behav.set_role(link.role_table.to_name.get(role, name))
        else:
            self.behav.include(template, make_a_copy=True)
            self.behav.wildcards.update(self.behav_wildcards)
            self.behav.wildcards["<agent>"] = link.peer_id
            self.behav.wildcards["<world>"] = link.world_id or "<world>"
            self.behav.set_role(name)
        if self.policy_filter is not None:
            self.set_policy_filter(self.policy_filter)
        link.record(
            RoleSet(
                self.clock.tick, self.clock.now, link.name, name, self.behav.state,
                None if previous == "unknown" else previous,
            )
        )  # fmt: skip

    def become(self, role_class: type[Agent]) -> None:
        """Turn into an instance of the class of a role; identity, processor, streams and peers stay."""
        if not isinstance(self, role_class):
            self.__class__ = role_class
            role_class.__init__(self, proc=None)

    async def give_up_role(self, former: type[Agent]) -> None:
        """Be an instance of the ``former`` class again, outside the world: no machine, no peers, nothing owed."""
        self.__class__ = former
        self.im.unregister_all()
        self.behav = HybridStateMachine(self)
        self.behav.add_state("empty")
        for peer in [*self.all_agents, *self.contacting]:
            await self.remove_agent(peer)

    # ------------------------------------------------------------------ behavior

    def add_behav_wildcard(self, wildcard_from: str, wildcard_to: Any) -> None:
        """Give a wildcard a value in every behavior this agent runs."""
        self.behav_wildcards[wildcard_from] = wildcard_to
        if wildcard_from in self.behav.wildcards:
            self.behav.update_wildcard(wildcard_from, wildcard_to, apply=True)

    async def set_policy(self, policy: Any, public: bool = False) -> bool:
        """Use another policy: a function, or the name of an own method. False if there is no such method."""
        chosen = getattr(self, policy, None) if isinstance(policy, str) else policy
        if chosen is None:
            return False
        self.behav.set_policy(chosen)
        return True

    def set_policy_filter(self, policy_filter: Any, public: bool = False) -> bool:
        """Use a policy filter: a function, or the name of an own method. False if there is no such method."""
        chosen = getattr(self, policy_filter, None) if isinstance(policy_filter, str) else policy_filter
        if chosen is None:
            return False
        self.behav.set_policy_filter(chosen, {})
        self.behav.policy_filter_opts.update(agent=self, public=public)
        return True

    def get_current_interaction(self) -> Interaction | None:
        """The interaction being served."""
        return self.behav.get_current_interaction()

    # ------------------------------------------------------------------ people

    def say(self, text: str) -> None:
        """Type a line: it goes to stdin as soon as the line before it has been taken."""
        self.typed.append(text)
        link = self._need_link()
        link.record(Injected(self.clock.tick, self.clock.now, link.name, "typed", text))
        link.wake()

    def take_typed(self) -> None:
        """Type the lines of the script that are due, and put the next typed line on stdin if it is free."""
        while self.script and self.script[0][0] <= self.clock.now:
            self.say(self.script.popleft()[1])
        if self.typed and self.stdin and not any(s.has_unread("process", self.stdin.uuid) for s in self.stdin.values()):
            self.stdin.set(0, self.typed.popleft(), force=True)

    @property
    def role_bits(self) -> int:
        """Bits of the custom role held."""
        link = self._need_link()
        return custom_part(link.roster.get(link.peer_id, 0))
