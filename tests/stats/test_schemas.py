"""What is declared: twelve schemas, defaults, and which values fit."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy
import pytest
import torch

from unaiverse_lab import Stats
from unaiverse_lab.stats import StatsError

from .desk import School, at_member, at_world

NAMES = [
    f"{whose}_{scope}_STATS_{kind}_SCHEMA"
    for whose in ("CORE", "CUSTOM")
    for scope in ("WORLD", "AGENT", "OUTER")
    for kind in ("STATIC", "DYNAMIC")
]
COUNTERS = {"world_masters", "world_agents", "human_agents", "artificial_agents"}
FACTS = {"connected_peers", "state", "action", "last_action"}


def test_there_are_twelve_schemas_and_the_core_names() -> None:
    assert all(isinstance(getattr(Stats, name), dict) for name in NAMES)
    stats = Stats()
    assert stats.is_world
    assert stats.all_keys == COUNTERS | FACTS | {"graph"}
    assert stats.get_last_value("graph") == {"nodes": {}, "edges": {}}
    assert Stats.GROUP_KEY == "peer_stats"


def test_the_derived_sets() -> None:
    stats = School()
    assert stats.world_ungrouped_keys == COUNTERS | {"graph", "best", "best_err", "best_history", "rounds"}
    assert stats.world_grouped_keys == stats.all_keys - stats.world_ungrouped_keys
    assert stats.all_dynamic_keys == COUNTERS | {"best_history", "rounds", "err", "steps", "word", "exam"}
    assert stats.all_static_keys == stats.all_keys - stats.all_dynamic_keys
    assert stats.agent_static_keys == FACTS | {"grade", "notes", "plan", "ok"}
    assert stats.agent_dynamic_keys == {"err", "steps", "word"}
    assert stats.agent_keys == stats.agent_static_keys | stats.agent_dynamic_keys
    assert stats.stat_types["err"] is float


def test_a_name_that_is_declared_twice_is_an_error() -> None:
    class Twice(Stats):
        CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"err": (float, 0.0)}
        CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA = {"err": (float, 0.0)}

    class Core(Stats):
        CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA = {"world_agents": (int, 0)}

    with pytest.raises(StatsError, match=r"'err' is declared twice: in CUSTOM_AGENT.* and in CUSTOM_OUTER"):
        Twice()
    with pytest.raises(StatsError, match="'world_agents' is declared twice"):
        Core()


@pytest.mark.parametrize(
    "entry", [float, (float,), (complex, 0), ("float", 0.0), (float, "0"), (int, True), (list, {})]
)
def test_a_declaration_that_is_none_is_an_error(entry: Any) -> None:
    class Wrong(Stats):
        CUSTOM_WORLD_STATS_STATIC_SCHEMA = {"odd": entry}

    with pytest.raises(StatsError, match="'odd'"):
        Wrong()


def test_defaults_are_what_every_reader_sees_before_anything_is_stored() -> None:
    stats, _ = at_world()
    assert stats.get_last_value("best_err") == -1.0
    assert stats.get_last_value("best") is None
    assert stats.get_last_value("best_history") == -1.0
    assert stats.get_last_value("err", "Ann") == -1.0
    assert stats.get_last_value("grade", "Ann") == "none"
    assert stats.get_last_value("exam", "Ann") == -1.0
    assert stats.get_view()["world"]["best_err"] == -1.0
    stats.store_stat("err", 0.5, "Ann", 0)
    assert stats.get_view()["peers"]["Ann"]["grade"] == "none"
    member, _ = at_member()
    assert member.get_last_value("err", "Ann") == -1.0
    assert member.get_last_value("best_err") == -1.0


def test_a_mutable_default_is_shared_by_nobody() -> None:
    one, other = School(), School()
    one.get_last_value("graph")["nodes"]["Ann"] = {}
    one.get_view()["world"]["graph"]["edges"]["Ann"] = []
    one.get_last_value("notes", "Ann").append(1)
    assert other.get_last_value("graph") == {"nodes": {}, "edges": {}} == one.get_last_value("graph")
    assert one.get_last_value("notes", "Ann") == []
    assert Stats.CORE_WORLD_STATS_STATIC_SCHEMA["graph"][1] == {"nodes": {}, "edges": {}}


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("err", 1, 1.0),
        ("err", 0.25, 0.25),
        ("err", numpy.float32(0.5), 0.5),
        ("err", numpy.int64(3), 3.0),
        ("err", torch.tensor(0.5), 0.5),
        ("err", torch.tensor(2), 2.0),
        ("steps", 7, 7),
        ("steps", numpy.uint8(7), 7),
        ("steps", torch.tensor(7), 7),
        ("word", "höchst 🦊", "höchst 🦊"),
        ("word", None, None),
        ("ok", True, True),
        ("ok", numpy.bool_(True), True),
        ("ok", torch.tensor(False), False),
        ("notes", (1, 2), [1, 2]),
        ("notes", {"b", "a"}, ["a", "b"]),
        ("notes", [1, [0.5, None, {"x": (1,)}]], [1, [0.5, None, {"x": [1]}]]),
        ("notes", [numpy.float32(0.5), torch.tensor(1)], [0.5, 1]),
        ("plan", {"a": {"b": {3, 1, 2}}}, {"a": {"b": [1, 2, 3]}}),
    ],
)
@pytest.mark.parametrize("world", [True, False])
def test_a_value_that_fits_is_stored(name: str, value: Any, stored: Any, world: bool) -> None:
    stats, _ = at_world() if world else at_member()
    stats.store_stat(name, value, "Ann", 0)
    found = stats.get_last_value(name, "Ann")
    assert found == stored and type(found) is type(stored)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("err", "0.5"), ("err", "abc"), ("err", None), ("err", True), ("err", math.nan), ("err", math.inf),
        ("err", torch.tensor([0.5]), ), ("err", 10**400), ("err", torch.tensor(math.nan)),
        ("steps", 3.9), ("steps", 3.0), ("steps", "3"), ("steps", True), ("steps", None), ("steps", 2**63),
        ("word", 3), ("word", ["a"]), ("word", "\ud800"),
        ("ok", 0), ("ok", "False"), ("ok", None),
        ("notes", "abc"), ("notes", {"a": 1}), ("notes", [math.nan]), ("notes", [object()]), ("notes", numpy.zeros(3)),
        ("notes", [2**70]), ("notes", [b"x"]),
        ("plan", [("a", 1)]), ("plan", {1: 2}), ("plan", {"a": {None: 1}}),
        ("grade", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("world", [True, False])
def test_a_value_that_does_not_fit_is_refused_before_anything_changes(name: str, value: Any, world: bool) -> None:
    stats, desk = at_world() if world else at_member()
    before = copy.deepcopy(stats.get_view())
    with pytest.raises(StatsError, match=f"the stat '{name}' is a "):
        stats.store_stat(name, value, "Ann", 0)
    assert stats.get_view() == before
    assert stats.get_payload_for_world() == []
    assert stats.query_history() == {"world": {}, "peers": {}}
    assert not desk.records


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(StatsError, match="nested more than 64 deep"):
        School().store_stat("notes", endless, "Ann", 0)


def test_a_value_is_copied_on_the_way_in_and_on_the_way_out() -> None:
    stats, desk = at_world()
    notes = [1, [2]]
    stats.store_stat("notes", notes, "Ann", 0)
    notes[1].append(3)  # type: ignore[union-attr]
    stats.get_last_value("notes", "Ann").append(4)
    stats.get_view()["peers"]["Ann"]["notes"].append(5)
    desk.stats()[0].value.append(6)
    assert stats.get_last_value("notes", "Ann") == [1, [2]]
    member, _ = at_member()
    member.store_stat("notes", notes, None, 0)
    notes.append(7)
    assert member.get_payload_for_world()[0]["value"] == [1, [2, 3]]


@pytest.mark.parametrize("world", [True, False])
def test_an_unknown_name_is_an_error_with_the_nearest_one(world: bool) -> None:
    stats = School(is_world=world)
    for call in (
        lambda: stats.store_stat("exma", 0.5, "Ann", 0),
        lambda: stats.get_last_value("exma", "Ann"),
        lambda: stats.get_series("exma", "Ann"),
        lambda: stats.query_history(["exma"]),
    ):
        with pytest.raises(StatsError, match=r"'exma' is not declared\. Did you mean 'exam'"):
            call()


@pytest.mark.parametrize(
    ("time", "words"),
    [(-1, "before the beginning"), (1101, "in the future"), (0.5, "whole milliseconds"), (None, "whole"),
     (True, "whole"), ("1", "whole"), (math.inf, "whole")],
)  # fmt: skip
def test_a_time_that_cannot_be_is_refused(time: Any, words: str) -> None:
    for stats, desk in (at_world(), at_member()):
        desk.clock.move_to(1)
        with pytest.raises(StatsError, match=words):
            stats.store_stat("err", 0.5, "Ann", time)
        stats.store_stat("err", 0.5, "Ann", 100)
        stats.store_stat("err", 0.5, "Ann", numpy.int64(100))  # type: ignore[arg-type]
        stats.store_stat("err", 0.5, "Ann", 100.0)  # type: ignore[arg-type]


def test_times_that_the_clock_gave_are_never_in_the_future() -> None:
    stats, desk = at_world()
    times = [desk.clock.get_time_ms(monotonic=True) for _ in range(5000)]
    assert times == list(range(5000))
    stats.store_stat("err", 0.5, "Ann", times[-1])


@pytest.mark.parametrize("key", [None, "", 3, ["Ann"]])
def test_a_name_that_is_one_for_each_member_needs_a_key(key: Any) -> None:
    stats, _ = at_world()
    for name in ("err", "exam"):
        with pytest.raises(StatsError, match="give its peer id"):
            stats.store_stat(name, 0.5, key, 0)


def test_a_member_says_of_itself_what_it_says() -> None:
    stats, _ = at_member("Ann")
    with pytest.raises(StatsError, match="'Bob' is not 'Ann'"):
        stats.store_stat("err", 0.5, "Bob", 0)
    stats.store_stat("err", 0.5, None, 0)
    stats.store_stat("exam", 0.5, "Bob", 0)
    assert [(one["stat_name"], one["peer_id"]) for one in stats.get_payload_for_world()] == [
        ("err", "Ann"),
        ("exam", "Bob"),
    ]


def test_the_window_is_a_positive_number_of_hours() -> None:
    with pytest.raises(StatsError, match="cache_window_hours"):
        School(cache_window_hours=0)
