"""Statistics of a world: named values, declared before they are stored."""

from __future__ import annotations

from typing import Any, ClassVar

from unaiverse_lab.core.errors import LabError, did_you_mean

Schema = dict[str, tuple[type, Any]]


class Stats:
    """Values that a world keeps about itself and its members, in memory.

    A world declares its own by subclassing (as ``WStats`` in ``src/stats.py``) and filling the ``CUSTOM_*`` schemas:
    ``{name: (type, default)}``. WORLD names have one value, AGENT and OUTER names one per ``group_key`` (a peer id).
    STATIC names keep the latest value, DYNAMIC ones a series by time in milliseconds.

    Args:
        is_world: whether the world itself (rather than a member) keeps them.
    """

    CORE_WORLD_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {
        "world_masters": (int, 0),
        "world_agents": (int, 0),
        "human_agents": (int, 0),
        "artificial_agents": (int, 0),
    }
    CUSTOM_WORLD_STATS_STATIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_AGENT_STATS_STATIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_OUTER_STATS_STATIC_SCHEMA: ClassVar[Schema] = {}
    CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA: ClassVar[Schema] = {}

    def __init__(self, is_world: bool = True) -> None:
        self.is_world = is_world
        self.world_schema: Schema = {
            **self.CORE_WORLD_STATS_DYNAMIC_SCHEMA,
            **self.CUSTOM_WORLD_STATS_STATIC_SCHEMA,
            **self.CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA,
        }
        self.schema: Schema = {
            **self.world_schema,
            **self.CUSTOM_AGENT_STATS_STATIC_SCHEMA,
            **self.CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA,
            **self.CUSTOM_OUTER_STATS_STATIC_SCHEMA,
            **self.CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA,
        }
        self._static = {
            *self.CUSTOM_WORLD_STATS_STATIC_SCHEMA,
            *self.CUSTOM_AGENT_STATS_STATIC_SCHEMA,
            *self.CUSTOM_OUTER_STATS_STATIC_SCHEMA,
        }
        self._series: dict[tuple[str, str | None], dict[int, Any]] = {}

    def store_stat(self, stat_name: str, value: Any, group_key: str | None, timestamp: int) -> None:
        """Keep a value.

        Args:
            stat_name: a declared name.
            value: of the declared type (an int is a float too).
            group_key: whose value it is; ignored for WORLD names.
            timestamp: milliseconds of the world's clock.

        Raises:
            LabError: an undeclared name, or a value of another type.
        """
        key = self._key(stat_name, group_key)
        kind = self.schema[stat_name][0]
        if isinstance(value, bool) is not (kind is bool) or not isinstance(
            value, (int, float) if kind is float else kind
        ):
            raise LabError(f"the stat {stat_name!r} is a {kind.__name__}, not {value!r}")
        series = self._series.setdefault(key, {})
        if stat_name in self._static:
            series.clear()
        series[int(timestamp)] = value

    def get_last_value(self, stat_name: str, group_key: str | None = None) -> Any:
        """The latest value, or the declared default.

        Raises:
            LabError: an undeclared name.
        """
        series = self._series.get(self._key(stat_name, group_key))
        return series[max(series)] if series else self.schema[stat_name][1]

    def get_series(self, stat_name: str, group_key: str | None = None) -> list[tuple[int, Any]]:
        """All values of a DYNAMIC stat, as ``(milliseconds, value)`` in order of time.

        Raises:
            LabError: an undeclared name.
        """
        return sorted(self._series.get(self._key(stat_name, group_key), {}).items())

    def _key(self, stat_name: str, group_key: str | None) -> tuple[str, str | None]:
        if stat_name not in self.schema:
            raise LabError(f"the stat {stat_name!r} is not declared.{did_you_mean(stat_name, self.schema)}")
        return stat_name, None if stat_name in self.world_schema else group_key
