"""The names of statistics: those that every world has, and those that a world declares."""

from __future__ import annotations

from typing import ClassVar

from unaiverse_lab.stats.schema import Declared, Schema, declarations

SCHEMAS = tuple(
    f"{whose}_{scope}_STATS_{kind}_SCHEMA"
    for whose in ("CORE", "CUSTOM")
    for scope in ("WORLD", "AGENT", "OUTER")
    for kind in ("STATIC", "DYNAMIC")
)


class Names:
    """The schemas of :class:`~unaiverse_lab.stats.Stats`, and what follows from them."""

    CORE_WORLD_STATS_STATIC_SCHEMA: ClassVar[Schema] = {"graph": (dict, {"nodes": {}, "edges": {}})}
    CORE_WORLD_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {
        "world_masters": (int, 0),
        "world_agents": (int, 0),
        "human_agents": (int, 0),
        "artificial_agents": (int, 0),
    }
    CORE_AGENT_STATS_STATIC_SCHEMA: ClassVar[Schema] = {
        "connected_peers": (list, []),
        "state": (str, None),
        "action": (str, None),
        "last_action": (str, None),
    }
    CORE_AGENT_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}
    CORE_OUTER_STATS_STATIC_SCHEMA: ClassVar[Schema] = {}
    CORE_OUTER_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_WORLD_STATS_STATIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_AGENT_STATS_STATIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_OUTER_STATS_STATIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}

    known: dict[str, Declared]
    """What is declared, by name."""

    @classmethod
    def schemas(cls) -> dict[str, Schema]:
        """The twelve schemas by name, core ones first."""
        return {name: getattr(cls, name) for name in SCHEMAS}

    @classmethod
    def declared(cls) -> dict[str, Declared]:
        """What they declare, by name.

        Raises:
            StatsError: a name is declared twice, or a declaration is wrong.
        """
        return {one.name: one for one in declarations(cls.schemas())}

    def _names(self, scopes: str = "", dynamic: bool | None = None) -> set[str]:
        return {
            one.name
            for one in self.known.values()
            if (not scopes or one.scope in scopes.split()) and dynamic in (None, one.dynamic)
        }

    @property
    def all_keys(self) -> set[str]:
        """All declared names."""
        return self._names()

    @property
    def all_static_keys(self) -> set[str]:
        """Names of which the latest value counts."""
        return self._names(dynamic=False)

    @property
    def all_dynamic_keys(self) -> set[str]:
        """Names that are series."""
        return self._names(dynamic=True)

    @property
    def world_ungrouped_keys(self) -> set[str]:
        """Names that the world has once."""
        return self._names("world")

    @property
    def world_grouped_keys(self) -> set[str]:
        """Names that the world has once for each key."""
        return self._names("agent outer")

    @property
    def agent_static_keys(self) -> set[str]:
        """AGENT names of which the latest value counts."""
        return self._names("agent", dynamic=False)

    @property
    def agent_dynamic_keys(self) -> set[str]:
        """AGENT names that are series."""
        return self._names("agent", dynamic=True)

    @property
    def agent_keys(self) -> set[str]:
        """AGENT names."""
        return self._names("agent")

    @property
    def stat_types(self) -> dict[str, type]:
        """The declared type of each name."""
        return {one.name: one.kind for one in self.known.values()}
