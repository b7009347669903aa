"""The world: it greets, assigns roles, ships behaviors and keeps the roster. It has no processor and never acts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.agents.link import Link
from unaiverse_lab.agents.owner import StreamOwner
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.reading import read
from unaiverse_lab.core.badges import why_no_badge
from unaiverse_lab.core.envelope import (
    BadgeAwarded,
    BadgeSuggestion,
    BadgeSuggestions,
    Farewell,
    ProfileMessage,
    ProfileUpdate,
    RoleChange,
    RoleSuggestions,
    WorldApproval,
    WorldRefusal,
)
from unaiverse_lab.core.errors import BadgeError, BehaviorError, LabError, WorldError
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.profile import TEMPORARY, NodeProfile
from unaiverse_lab.core.records import Badge, BehaviorSet, Joined
from unaiverse_lab.core.roles import WORLD_AGENT, WORLD_MASTER, RoleTable, base_part, custom_part
from unaiverse_lab.data.streams import Stream
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.world.folder import role_classes
from unaiverse_lab.world.gate import Gate

Behavior = HybridStateMachine | Mapping[str, Any] | str | Path


class World(StreamOwner[Link]):
    """A shared environment. Subclass it, and say in :meth:`assign_role` who gets which role.

    Args:
        world_folder: folder holding one ``<role>.json`` and one ``<role>.py`` (or one ``agent.py``) per role;
            :meth:`create_behav_files` may write the former.
        merge_flat_stream_labels: streams added to the world have one set of labels together.
        stats: statistics; default: the core ones.
        roles: role name -> agent class, for worlds without a folder.
        behaviors: role name -> its machine, JSON object, JSON text or path, for worlds without a folder.
    """

    _kind = "a world"
    count_joining_master = True
    """Whether the node being judged by :meth:`assign_role` is already in ``world_masters`` (the course's convention, so
    that ``len(self.world_masters) <= 1`` means "the first"). False: it is added afterwards."""

    strict_behaviors = True
    """Whether wrong behavior files are refused; False takes what the peer takes."""

    def __init__(
        self,
        world_folder: str | Path | None = None,
        merge_flat_stream_labels: bool = False,
        stats: Stats | None = None,
        *,
        roles: Mapping[str, type[Agent]] | None = None,
        behaviors: Mapping[str, Behavior] | None = None,
    ) -> None:
        super().__init__()
        self.world_folder = None if world_folder is None else str(world_folder)
        self.merge_flat_stream_labels = merge_flat_stream_labels
        self.stats = stats if stats is not None else Stats(is_world=True)
        self.proc = None
        self.proc_inputs: list[Any] = []
        self.proc_outputs: list[Any] = []
        self.proc_opts: dict[str, Any] = {}
        self.role_classes: dict[str, type[Agent]] = dict(roles or {})
        self.behaviors: dict[str, Behavior] = dict(behaviors or {})
        self.role_to_behav: dict[str, str] = {}
        self.roles = RoleTable()
        self.gate = Gate()
        self.roster: dict[str, int] = {}
        self.all_agents: dict[str, NodeProfile] = {}
        self.world_agents: dict[str, NodeProfile] = {}
        self.world_masters: dict[str, NodeProfile] = {}
        self.human_agents: dict[str, NodeProfile] = {}
        self.artificial_agents: dict[str, NodeProfile] = {}
        self.agent_badges: dict[str, list[dict[str, Any]]] = {}

    # ------------------------------------------------------------------ what a world is

    @property
    def ROLE_STR_TO_BITS(self) -> dict[str, int]:
        """Role names and their bits, in this world."""
        return self.roles.to_bits

    @property
    def ROLE_BITS_TO_STR(self) -> dict[int, str]:
        """Role bits and their names, in this world."""
        return self.roles.to_name

    @property
    def CUSTOM_ROLES(self) -> list[str]:
        """Names of the custom roles, sorted."""
        return self.roles.custom

    def create_behav_files(self) -> None:
        """Write the behavior files of the roles into ``world_folder``; override it."""

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        """The role of a joiner; override it.

        Args:
            profile: its business card; join options are in the dynamic half as ``tmp_<option>``.
            is_world_master: whether the host lets this node lead.

        Returns:
            A role name, or None to turn it away. Default: ``world_master`` or ``world_agent``.
        """
        return "world_master" if is_world_master else "world_agent"

    def prepare(self) -> None:
        """Build the role tables and the behaviors; called when a node takes the world.

        Raises:
            WorldError: a role without class or behavior, or custom roles and no ``assign_role``.
            BehaviorError: a behavior is wrong; names file, state and field.
        """
        self._check_files()
        self.create_behav_files()
        if self.world_folder is not None:
            files = sorted(Path(self.world_folder).glob("*.json"))
            if not files:
                raise WorldError(
                    f"{self.world_folder} holds no behavior (<role>.json): write them in create_behav_files"
                )
            self.behaviors = {file.stem: file for file in files}
            self.role_classes = role_classes(Path(self.world_folder), list(self.behaviors))
        for name in self.behaviors:
            if name not in self.role_classes:
                raise WorldError(
                    f"the role {name!r} has a behavior but no class: give World(roles={{{name!r}: ...}}) "
                    f"or put a file {name}.py with a class WAgent beside it"
                )
        self.roles = RoleTable(set(self.role_classes) | set(self.behaviors))
        if self.roles.custom and type(self).assign_role is World.assign_role:
            raise WorldError(
                f"{type(self).__name__} has the roles {', '.join(self.roles.custom)} but no rule to assign them: "
                "define assign_role(self, profile, is_world_master) returning one of these names"
            )
        self.role_to_behav = {name: self._behavior_text(name) for name in self.roles.custom if name in self.behaviors}

    def _check_files(self) -> None:
        """A file broken by hand is an error, not something to be overwritten."""
        if self.world_folder is None:
            return
        for file in sorted(Path(self.world_folder).glob("*.json")):
            try:
                read(file, self.strict_behaviors)
            except BehaviorError as error:
                hint = "(mend it, or delete it if create_behav_files() writes it)"
                raise BehaviorError(f"{error.problem} {hint}", where=error.where, source=error.source) from None

    def _behavior_text(self, role: str) -> str:
        behavior = self.behaviors[role]
        source: Any = str(behavior) if isinstance(behavior, HybridStateMachine) else behavior
        try:
            agent = self.role_classes[role](proc=None)
            machine = HybridStateMachine(agent, strict=self.strict_behaviors).load(source)
        except BehaviorError as error:
            if error.source is None:
                raise error.at(source=f"behavior of role {role!r}") from None
            raise
        machine.machine.role = role
        return str(machine)

    def attach_to(self, link: Link) -> None:
        """Tie the world to its node, and say in the trace which behaviors it offers."""
        super().attach_to(link)
        for role, text in self.role_to_behav.items():
            link.record(BehaviorSet(link.clock.tick, link.clock.now, link.name, role, text))

    def _is_member(self, peer_id: str) -> bool:
        return peer_id in self.roster

    def add_stream(self, stream: Stream) -> None:
        """Own a stream, which members may ask for; to be called in the constructor."""
        self.own(stream)

    # ------------------------------------------------------------------ members

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
        master = base_part(self.roster[peer_id]) == WORLD_MASTER
        (self.world_masters if master else self.world_agents)[peer_id] = profile
        (self.human_agents if profile.is_human else self.artificial_agents)[peer_id] = profile
        return True

    async def remove_agent(self, peer_id: str) -> None:
        """Strike a member off every list."""
        self.roster.pop(peer_id, None)
        self.forget_subscriber(peer_id)
        for book in (
            self.all_agents, self.world_agents, self.world_masters, self.human_agents, self.artificial_agents,
        ):  # fmt: skip
            book.pop(peer_id, None)

    async def set_role(self, peer_id: str, role: int) -> None:
        """Give a member another role, at once: its base bits stay, the custom part is replaced.

        Args:
            peer_id: the member.
            role: bits, e.g. ``self.ROLE_STR_TO_BITS["teacher"]``.

        A member that cannot be reached is purged, rather than left half changed.

        Raises:
            WorldError: not a member, or bits that are no custom role of this world.
        """
        if peer_id not in self.roster:
            raise WorldError(f"{peer_id!r} is not a member of this world")
        custom = custom_part(role)
        if custom not in self.roles.to_name or custom == 0:
            raise WorldError(f"{role} are not the bits of a custom role; known: {', '.join(self.roles.custom)}")
        current = self.roster[peer_id]
        changed = base_part(current) | custom
        if changed == current:
            return
        name = self.roles.to_name[custom]
        body = RoleChange(changed, name, self.role_to_behav.get(name))
        if not self._need_link().post(peer_id, body):
            await self.remove_agent(peer_id)
            return
        self.roster[peer_id] = changed
        name_of_role = self.roles.to_name.get(changed)
        self._file(peer_id, self.all_agents[peer_id].with_dynamic(connections={"role": name_of_role}))

    def _file(self, peer_id: str, profile: NodeProfile) -> None:
        """Put a member's new profile into every list it is on."""
        for book in (
            self.all_agents, self.world_agents, self.world_masters, self.human_agents, self.artificial_agents,
        ):  # fmt: skip
            if peer_id in book:
                book[peer_id] = profile

    # ------------------------------------------------------------------ badges

    def add_badge(
        self,
        peer_id: str,
        score: float,
        badge_type: str,
        agent_token: str | None = None,
        badge_description: str | None = None,
        *,
        suggested_by: str | None = None,
    ) -> None:
        """Award a badge to a member: it goes to the end of its list here, and into its profile, which peers are told.

        Args:
            peer_id: the member.
            score: how well it did, from 0 to 1; higher is better.
            badge_type: ``completed``, ``attended``, ``intermediate`` or ``pro``.
            agent_token: kept in the badge for compatibility.
            badge_description: words for people.
            suggested_by: the member whose idea it was.

        Raises:
            BadgeError: a score or a type that badges cannot have.
            WorldError: not a member.
        """
        why = why_no_badge(score, badge_type)
        if why is not None:
            raise BadgeError(why)
        profile = self.all_agents.get(peer_id)
        if profile is None:
            raise WorldError(f"{peer_id!r} is not a member of this world")
        link = self._need_link()
        badge = {
            "agent_node_id": profile.node_id,
            "agent_token": agent_token,
            "badge_type": badge_type,
            "score": float(score),
            "badge_description": badge_description or "",
            "last_edit_utc": datetime.fromtimestamp(link.clock.now, UTC).isoformat(timespec="milliseconds"),
        }
        self.agent_badges.setdefault(peer_id, []).append(badge)
        self._file(peer_id, profile.with_cv([*profile.get_cv(), badge]))
        link.post(peer_id, BadgeAwarded(badge))
        self._badge(profile.name, badge_type, badge["score"], badge["badge_description"], suggested_by)

    def get_all_badges(self) -> dict[str, list[dict[str, Any]]]:
        """The badges awarded here, by peer id, oldest first; also those of members that have left."""
        return self.agent_badges

    def decide_badge(self, suggested_by: str, peer_id: str, score: float, badge_type: str) -> bool:
        """Whether to follow a master's suggestion; override it: the world has the last word."""
        return True

    def _why_not_awarded(self, suggested_by: str, badge: BadgeSuggestion) -> str | None:
        if badge.peer_id == suggested_by:
            return "nobody awards a badge to itself"
        if badge.peer_id not in self.roster:
            return "it is not a member of this world"
        why = why_no_badge(badge.score, badge.badge_type)
        if why is None and not self.decide_badge(suggested_by, badge.peer_id, badge.score, badge.badge_type):
            return "the world decided otherwise"
        return why

    def _badge(self, node: str, *fields: Any, **more: Any) -> None:
        link = self._need_link()
        link.record(Badge(link.clock.tick, link.clock.now, node, *fields, **more))

    # ------------------------------------------------------------------ messages

    async def on_tick(self) -> None:
        """Called at every tick, after the members have acted; override freely."""

    async def _on_profile(self, sender: str, body: ProfileMessage) -> None:
        link = self._need_link()
        profile = NodeProfile.from_dict(body.profile)
        if profile.peer_id != sender:
            raise LabError(f"{sender} asked to join with the profile of {profile.peer_id}")
        if sender in self.roster:
            raise LabError(f"{sender} is a member already")
        self._joined(profile.name, "asked")
        bits, reason = self._judge(profile, body.options)
        if bits is None:
            link.post(sender, WorldRefusal(reason))
            self._joined(profile.name, "refused", reason=reason)
            return
        name = self.roles.custom_name(bits)
        self.roster[sender] = bits
        await self.add_agent(
            sender,
            profile.without_temporary().with_dynamic(connections={"role": self.roles.to_name.get(bits)}),
        )
        self._joined(profile.name, "admitted", role=name)
        link.post(sender, WorldApproval(link.peer_id, bits, name, self.role_to_behav.get(name), self.published()))

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
            bits = None if role is None else self.roles.bits(role)
        except Exception as error:
            self._fault(error, "assign_role")
            return None, f"this world could not assign a role: {error}"
        finally:
            self.world_masters.pop(profile.peer_id, None)
        if bits is None:
            return None, "this world has no role for you"
        return custom_part(bits) | (WORLD_MASTER if master else WORLD_AGENT), ""

    async def _on_farewell(self, sender: str, body: Farewell) -> None:
        if sender in self.roster:
            self._joined(self.all_agents[sender].name, "left", reason=body.reason or None)
            await self.remove_agent(sender)

    async def _on_profile_update(self, sender: str, body: ProfileUpdate) -> None:
        if sender in self.roster:
            badges = self.all_agents[sender].get_cv()  # nobody writes its own
            self._file(sender, NodeProfile.from_dict(body.profile).with_cv(badges))

    async def _on_suggestions(self, sender: str, body: RoleSuggestions) -> None:
        if base_part(self.roster.get(sender, 0)) != WORLD_MASTER:
            raise LabError(f"{sender} suggested a role, but it is not a master of this world")
        for suggestion in body.suggestions:
            peer, role = suggestion.get("peer_id", ""), suggestion.get("role", "")
            if self.decide_role(sender, peer, role):
                await self.set_role(peer, self.roles.bits(role))

    async def _on_badge_suggestions(self, sender: str, body: BadgeSuggestions) -> None:
        if base_part(self.roster.get(sender, 0)) != WORLD_MASTER:
            raise LabError(f"{sender} suggested a badge, but it is not a master of this world")
        for one in body.suggestions:
            why = self._why_not_awarded(sender, one)
            if why is None:
                self.add_badge(
                    one.peer_id, one.score, one.badge_type, badge_description=one.badge_description, suggested_by=sender
                )
            else:
                member = self.all_agents.get(one.peer_id)
                name = one.peer_id if member is None else member.name
                score = one.score if isfinite(one.score) else None
                self._badge(name, str(one.badge_type), score, one.badge_description, sender, awarded=False, reason=why)

    def decide_role(self, suggested_by: str, peer_id: str, role: str) -> bool:
        """Whether to follow a master's suggestion; override it: the world has the last word."""
        return True

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
        BadgeSuggestions: _on_badge_suggestions,
        **StreamOwner._handlers,
        ProfileUpdate: _on_profile_update,
    }
