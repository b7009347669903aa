"""Who is in a world, and as what: the gate, the roster, the books of members, and their roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unaiverse_lab.agents.link import Link
from unaiverse_lab.agents.owner import StreamOwner
from unaiverse_lab.core.envelope import (
    Farewell,
    MemberPurged,
    ProfileMessage,
    ProfileUpdate,
    RoleChange,
    RoleSuggestions,
    SuggestionAnswer,
    SuggestionAnswers,
    WorldApproval,
    WorldRefusal,
)
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.profile import TEMPORARY, NodeProfile
from unaiverse_lab.core.records import Joined, RoleSuggested
from unaiverse_lab.core.roles import WORLD_AGENT, WORLD_MASTER, RoleProposal, RoleTable, base_part, custom_part
from unaiverse_lab.world.gate import Gate


class Membership(StreamOwner[Link]):
    """The members of a world. See :class:`~unaiverse_lab.World`."""

    _kind = "a world"
    count_joining_master = True
    """Whether the node being judged by :meth:`assign_role` is already in ``world_masters`` (the course's convention, so
    that ``len(self.world_masters) <= 1`` means "the first"). False: it is added afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.roles = RoleTable()
        self.role_to_behav: dict[str, str] = {}
        self.gate = Gate()
        self.roster: dict[str, int] = {}
        self.all_agents: dict[str, NodeProfile] = {}
        self.world_agents: dict[str, NodeProfile] = {}
        self.world_masters: dict[str, NodeProfile] = {}
        self.human_agents: dict[str, NodeProfile] = {}
        self.artificial_agents: dict[str, NodeProfile] = {}

    # ------------------------------------------------------------------ hooks

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        """The role of a joiner; override it.

        Args:
            profile: its business card; join options are in the dynamic half as ``tmp_<option>``.
            is_world_master: whether the host lets this node lead.

        Returns:
            A role name, or None to turn it away. Who leads follows from ``is_world_master``, unless the name says
            otherwise: ``"world_agent"`` and ``"world_agent~teacher"`` are no masters. Default: the first master is
            ``"world_master"``, everybody else ``"world_agent"``.
        """
        first = len(self.world_masters) <= (1 if self.count_joining_master else 0)
        return "world_master" if is_world_master and first else "world_agent"

    def decide_role(self, proposal: RoleProposal) -> bool | str:
        """Whether to give a member the role another one suggested; override it: the world has the last word.

        Both are members, the role exists, and the member has another one.

        Returns:
            True, or False or the reason for refusing. Default: masters are followed, nobody else.
        """
        return proposal.by_master or f"only masters may suggest roles here, and {proposal.suggested_by} is none"

    # ------------------------------------------------------------------ members

    def _is_member(self, peer_id: str) -> bool:
        return peer_id in self.roster

    def is_master(self, peer_id: str) -> bool:
        """Whether a peer is a master of this world."""
        return base_part(self.roster.get(peer_id, 0)) == WORLD_MASTER

    def get_agents_by_role(self, role: str | list[str], handshake_completed: bool = True) -> list[str]:
        """Peer ids of the members with a custom role (or one of several), in order of admission."""
        wanted = {custom_part(self.roles.bits(name)) for name in ([role] if isinstance(role, str) else role)}
        return [peer for peer, bits in self.roster.items() if custom_part(bits) in wanted]

    def get_role(self, peer_id: str) -> str | None:
        """Custom role of a member; None for strangers."""
        return self.roles.custom_name(self.roster[peer_id]) if peer_id in self.roster else None

    async def add_agent(self, peer_id: str, profile: NodeProfile) -> bool:
        """Enrol a member that was admitted."""
        self.all_agents[peer_id] = profile
        (self.world_masters if self.is_master(peer_id) else self.world_agents)[peer_id] = profile
        (self.human_agents if profile.is_human else self.artificial_agents)[peer_id] = profile
        return True

    async def remove_agent(self, peer_id: str) -> None:
        """Strike a member off every list."""
        self._strike_off(peer_id)

    def _strike_off(self, peer_id: str) -> None:
        self.roster.pop(peer_id, None)
        self.forget_subscriber(peer_id)
        for book in self._books():
            book.pop(peer_id, None)

    def _books(self) -> tuple[dict[str, NodeProfile], ...]:
        return self.all_agents, self.world_agents, self.world_masters, self.human_agents, self.artificial_agents

    def _file(self, peer_id: str, profile: NodeProfile) -> None:
        """Put a member's new profile into every list it is on."""
        for book in self._books():
            if peer_id in book:
                book[peer_id] = profile

    async def _purge(self, peer_id: str, reason: str) -> None:
        """Take a member that cannot be reached off every list, here and at all members."""
        link = self._need_link()
        self._joined(self._name_of(peer_id), "purged", reason=reason)
        await self.remove_agent(peer_id)
        for member in self.roster:
            link.post(member, MemberPurged(peer_id, reason))

    def _name_of(self, peer_id: str) -> str:
        profile = self.all_agents.get(peer_id)
        return peer_id if profile is None else profile.name

    # ------------------------------------------------------------------ roles

    async def set_role(self, peer_id: str, role: int) -> None:
        """Give a member another role, at once: its base bits stay, the custom part is replaced.

        Args:
            peer_id: the member.
            role: bits, e.g. ``self.ROLE_STR_TO_BITS["teacher"]``.

        The behavior of the role is sent along. A member that cannot be reached is purged, rather than left half
        changed: everybody forgets it, and the trace says so.

        Raises:
            WorldError: not a member, or bits that are no custom role of this world.
        """
        if peer_id not in self.roster:
            raise WorldError(f"{peer_id!r} is not a member of this world")
        if isinstance(role, bool) or not isinstance(role, int):
            raise WorldError(f"set_role takes the bits of a role, not {role!r}: use self.ROLE_STR_TO_BITS[name]")
        await self._give_role(peer_id, role)

    async def _give_role(self, peer_id: str, role: int) -> bool:
        """Give a member a role; False if it could not be reached."""
        custom = custom_part(role)
        if custom not in self.roles.to_name or custom == 0:
            raise WorldError(f"{role} are not the bits of a custom role; known: {', '.join(self.roles.custom)}")
        current = self.roster[peer_id]
        changed = base_part(current) | custom
        if changed == current:
            return True
        name = self.roles.to_name[custom]
        if not self._need_link().post(peer_id, RoleChange(changed, name, self.role_to_behav.get(name))):
            await self._purge(peer_id, f"it could not be told of its new role {name!r}")
            return False
        self.roster[peer_id] = changed
        name_of_role = self.roles.to_name.get(changed)
        self._file(peer_id, self.all_agents[peer_id].with_dynamic(connections={"role": name_of_role}))
        return True

    async def _on_suggestions(self, sender: str, body: RoleSuggestions) -> None:
        self._need_member(sender, "suggest roles")
        link = self._need_link()
        answers = []
        for suggestion in body.suggestions:
            peer, role = str(suggestion.get("peer_id", "")), str(suggestion.get("role", ""))
            name = self._name_of(peer)
            accepted, reason = await self._follow(sender, peer, role)
            link.record(RoleSuggested(link.clock.tick, link.clock.now, name, role, sender, accepted, reason))
            answers.append(SuggestionAnswer("role", peer, role, accepted, reason))
        link.post(sender, SuggestionAnswers(answers))

    async def _follow(self, sender: str, peer: str, role: str) -> tuple[bool, str | None]:
        """Do what was suggested, or not: whether it is so now, and why."""
        if peer not in self.roster:
            return False, f"{peer!r} is not a member of this world"
        try:
            bits = self.roles.custom_bits(role)
        except WorldError as error:
            return False, str(error)
        if custom_part(self.roster[peer]) == bits:
            return True, "it has this role already"
        proposal = RoleProposal(sender, peer, self.roles.to_name[bits], self.is_master(sender))
        why = self._why_not(self.decide_role, proposal)
        if why is not None:
            return False, why
        return (True, None) if await self._give_role(peer, bits) else (False, "it could not be reached")

    def _why_not(self, decide: Callable[[Any], Any], proposal: Any) -> str | None:
        """Why the world's own rule refuses a proposal; None if it does not. A broken rule refuses."""
        name = decide.__name__
        try:
            answer = decide(proposal)
            if isinstance(answer, str):
                return answer
            if answer in (True, False):
                return None if answer else "the world decided otherwise"
            raise WorldError(f"{name} returned {answer!r}: return True, or False, or the reason for refusing")
        except Exception as error:
            self._fault(error, name)
            return f"this world could not decide: {error}"

    # ------------------------------------------------------------------ joining and leaving

    async def _on_profile(self, sender: str, body: ProfileMessage) -> None:
        link = self._need_link()
        try:
            profile = self._card_of(sender, body)
        except LabError as error:
            if sender not in self.roster:
                link.post(sender, WorldRefusal(str(error)))
            raise
        if sender in self.roster:
            raise LabError(f"{sender} is a member already")
        self._joined(profile.name, "asked")
        bits, reason = self._judge(profile, body.options)
        if bits is not None:
            reason = await self._enrol(sender, profile, bits)
        if bits is None or reason:
            self._joined(profile.name, "refused", reason=reason)
            link.post(sender, WorldRefusal(reason))
            return
        name = self.roles.custom_name(bits)
        self._joined(profile.name, "admitted", role=name)
        cv = self.all_agents[sender].get_cv()
        behavior = self.role_to_behav.get(name)
        if not link.post(sender, WorldApproval(link.peer_id, bits, name, behavior, self.published(), cv)):
            await self._purge(sender, "it could not be told that it was admitted")

    def _card_of(self, sender: str, body: ProfileMessage) -> NodeProfile:
        """The profile of a joiner, who is who it says it is."""
        profile = NodeProfile.from_dict(body.profile)
        if profile.peer_id != sender:
            raise LabError(f"{sender} asked to join with the profile of {profile.peer_id}")
        if self._need_link().identity_of(profile.name) != (sender, profile.node_id):
            raise LabError(f"{sender} asked to join as {profile.name!r} ({profile.node_id}), and is somebody else")
        return profile

    async def _enrol(self, sender: str, profile: NodeProfile, bits: int) -> str:
        """Put a joiner on the lists; the reason if that failed, and then it is on none of them."""
        self.roster[sender] = bits
        member = profile.without_temporary().with_dynamic(connections={"role": self.roles.to_name.get(bits)})
        try:
            if await self.add_agent(sender, member.with_cv(self._earned(profile.node_id))) is not False:
                return ""
            reason = "this world did not enrol you"
        except Exception as error:
            self._fault(error, "add_agent")
            reason = f"this world could not enrol you: {error}"
        self._strike_off(sender)
        return reason

    def _earned(self, node_id: str) -> list[dict[str, Any]]:
        """The badges a joiner has from earlier times."""
        return []

    def _judge(self, profile: NodeProfile, options: dict[str, Any]) -> tuple[int | None, str]:
        refused = self.gate.why_refused(profile)
        if refused is not None:
            return None, refused
        master = self.gate.may_lead(profile)
        asked = profile.with_dynamic(**{f"{TEMPORARY}{name}": value for name, value in options.items()})
        if master and self.count_joining_master:
            self.world_masters[profile.peer_id] = profile
        try:
            role = self.assign_role(asked, master)
            if role is not None and not isinstance(role, str):
                raise WorldError(f"assign_role returned {role!r}: return the name of a role, or None")
            bits = None if role is None else self._admission_bits(role, master)
        except Exception as error:
            self._fault(error, "assign_role")
            return None, f"this world could not assign a role: {error}"
        finally:
            self.world_masters.pop(profile.peer_id, None)
        return bits, "" if bits is not None else "this world has no role for you"

    def _admission_bits(self, role: str, may_lead: bool) -> int:
        bits = self.roles.bits(role)
        if bits == 0:
            raise WorldError(f"{role!r} is nobody's role in a world: to turn a node away, assign_role returns None")
        leads = may_lead and base_part(bits) in (0, WORLD_MASTER)
        return custom_part(bits) | (WORLD_MASTER if leads else WORLD_AGENT)

    async def _on_farewell(self, sender: str, body: Farewell) -> None:
        if sender in self.roster:
            self._joined(self._name_of(sender), "left", reason=body.reason or None)
            await self.remove_agent(sender)

    async def _on_profile_update(self, sender: str, body: ProfileUpdate) -> None:
        self._need_member(sender, "change a profile here")
        self._file(sender, self.all_agents[sender].with_offers_of(NodeProfile.from_dict(body.profile)))

    # ------------------------------------------------------------------ records

    def _joined(self, node: str, stage: str, role: str | None = None, reason: str | None = None) -> None:
        link = self._need_link()
        link.record(Joined(link.clock.tick, link.clock.now, node, stage, role, reason))

    def _fault(self, error: BaseException, action: str) -> None:
        link = self._need_link()
        link.record(fault(error, link.clock, link.name, None, action))

    _handlers = {
        ProfileMessage: _on_profile,
        Farewell: _on_farewell,
        RoleSuggestions: _on_suggestions,
        **StreamOwner._handlers,
        ProfileUpdate: _on_profile_update,
    }
