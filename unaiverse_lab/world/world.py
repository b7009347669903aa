"""The world: it greets, assigns roles, ships behaviors and keeps the roster. It has no processor and never acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.agents.link import Link
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.drafting import build
from unaiverse_lab.behavior.reading import read
from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.declare import inherited
from unaiverse_lab.core.errors import BehaviorError, WorldError
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.core.records import BehaviorSet
from unaiverse_lab.core.roles import RoleTable
from unaiverse_lab.data.streams import Stream
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.world.badges import Awards
from unaiverse_lab.world.folder import role_classes
from unaiverse_lab.world.scores import Scores

Behavior = HybridStateMachine | Mapping[str, Any] | str | Path | Callable[..., Any]


class World(Awards, Scores):
    """A shared environment. Subclass it, and say in :meth:`assign_role` who gets which role.

    Args:
        world_folder: folder holding one ``<role>.json`` and one ``<role>.py`` (or one ``agent.py``) per role;
            :meth:`create_behav_files` may write the former.
        merge_flat_stream_labels: streams added to the world have one set of labels together.
        stats: statistics; default: the core ones.
        roles: role name -> agent class, for worlds without a folder; added to those declared with ``@lab.role``.
        behaviors: role name -> its machine, the function that builds it, JSON object, JSON text or path, for worlds
            without a folder; added to those declared with ``@lab.behavior``.
    """

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
        own = inherited(type(self))
        self.stats = stats if stats is not None else (own.stats or Stats)(is_world=True)
        if self.stats.database is None:
            raise WorldError(f"the statistics of a world are made as {type(self.stats).__name__}(is_world=True, ...)")
        self.stats.world = self
        super().__init__(self.stats.database)
        self.world_folder = None if world_folder is None else str(world_folder)
        self.merge_flat_stream_labels = merge_flat_stream_labels
        self.proc = None
        self.proc_inputs: list[Any] = []
        self.proc_outputs: list[Any] = []
        self.proc_opts: dict[str, Any] = {}
        self.role_classes: dict[str, type[Agent]] = {**own.roles, **(roles or {})}
        self.behaviors: dict[str, Behavior] = {**own.behaviors, **(behaviors or {})}

    _handlers = {**Awards._handlers, **Scores._handlers}

    # ------------------------------------------------------------------ what a world is

    @property
    def clock(self) -> Clock:
        """The session's clock.

        Raises:
            NotInWorld: the world has no node.
        """
        return self._need_link().clock

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
        source: Any = self.behaviors[role]
        try:
            agent = self._player(role)
            if callable(source):
                source = build(source, agent, role, type(self))
            if isinstance(source, HybridStateMachine):
                source = str(source)
            machine = HybridStateMachine(agent, strict=self.strict_behaviors).load(source)
        except BehaviorError as error:
            if error.source is None:
                raise error.at(source=f"behavior of role {role!r}") from None
            raise
        machine.machine.role = role
        return str(machine)

    def _player(self, role: str) -> Agent:
        role_class = self.role_classes[role]
        try:
            return role_class(proc=None)
        except Exception as error:
            raise WorldError(
                f"role {role!r}: {role_class.__name__}(proc=None) raised {type(error).__name__}: {error}"
            ) from error

    def get_profile(self) -> NodeProfile:
        """The world's own profile; its ``world_summary`` says who is here and which badges were awarded.

        ``world_summary`` has ``world_title``, ``world_agents`` and ``world_masters`` (peer ids),
        ``world_agents_count``, ``world_masters_count``, ``total_agents``, ``agent_badges`` (peer id -> badges),
        ``agent_badges_count`` and ``streams_count``.

        Raises:
            NotInWorld: the world has no node.
        """
        link, badges, streams = self._need_link(), self.get_all_badges(), self.published()
        summary = {
            "world_title": link.name,
            "world_agents": list(self.world_agents),
            "world_masters": list(self.world_masters),
            "world_agents_count": len(self.world_agents),
            "world_masters_count": len(self.world_masters),
            "total_agents": len(self.all_agents),
            "agent_badges_count": sum(map(len, badges.values())),
            "agent_badges": {peer: list(held) for peer, held in badges.items()},
            "streams_count": len(streams),
        }
        link.profile.update_dynamic({"world_summary": summary, "streams": streams})
        return link.profile

    def attach_to(self, link: Link) -> None:
        """Tie the world to its node, and say in the trace which behaviors it offers."""
        super().attach_to(link)
        self.stats.attach_to(link)
        for role, text in self.role_to_behav.items():
            link.record(BehaviorSet(link.clock.tick, link.clock.now, link.name, role, text))

    def sights(self) -> dict[str, Any]:
        """What the world shows its members at the beginning of a tick, as plain data by peer id; here: nothing.

        It holds those that may be new. How it reaches a member is not the world's concern.
        """
        return {}

    def sight_of(self, peer_id: str) -> Any:
        """What it shows one member; None: nothing."""
        return None

    def add_stream(self, stream: Stream) -> None:
        """Own a stream, which members may ask for; to be called in the constructor."""
        self.own(stream)

    async def on_tick(self) -> None:
        """Called at every tick, after the members have acted; override freely."""
