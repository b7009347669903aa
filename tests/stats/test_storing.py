"""What a world stores: rows that are only ever added, what is at hand, what was ever stored, and restarts."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from unaiverse_lab import Stats
from unaiverse_lab.core.records import Fault
from unaiverse_lab.stats import DatabaseError, StatsError
from unaiverse_lab.stats.database import BATCH, INDEXES, TABLES, Database

from .desk import Desk, School, at_member, at_world

HOUR = 36_000  # ticks of 0.1 s


def rows(path: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT name, key, reporter, t, stored, value FROM stats ORDER BY seq").fetchall()


# ------------------------------------------------------------------ what is at hand


def test_points_of_one_millisecond_are_all_kept_in_order() -> None:
    stats, _ = at_world()
    for value in (1.0, 3.0, 2.0, 2.0):
        stats.store_stat("err", value, "Ann", 0)
    assert stats.get_series("err", "Ann") == [(0, 1.0), (0, 3.0), (0, 2.0), (0, 2.0)]
    assert stats.query_history(["err"])["peers"]["Ann"]["err"] == [[0, 1.0], [0, 3.0], [0, 2.0], [0, 2.0]]
    assert stats.get_last_value("err", "Ann") == 2.0


def test_a_late_point_takes_its_place_in_time_and_the_last_value_is_the_one_stored_last() -> None:
    stats, desk = at_world()
    desk.clock.move_to(10)
    for t in (300, 100, 200, 100):
        stats.store_stat("err", t / 100, "Ann", t)
    assert [t for t, _ in stats.get_series("err", "Ann")] == [100, 100, 200, 300]
    assert stats.get_last_value("err", "Ann") == 1.0


def test_statics_have_one_value_and_series_many() -> None:
    stats, _ = at_world()
    for round_ in range(3):
        stats.store_stat("rounds", round_, None, 0)
        stats.store_stat("best", f"S{round_}", "ignored", 0)
    view = stats.get_view()
    assert view["world"]["rounds"] == [[0, 0], [0, 1], [0, 2]]
    assert view["world"]["best"] == "S2"
    assert stats.get_last_value("best", "Ann") == "S2"
    with pytest.raises(StatsError, match="'best' is STATIC"):
        stats.get_series("best")


def test_a_view_begins_strictly_after_a_time() -> None:
    stats, desk = at_world()
    desk.clock.move_to(10)
    for t in (0, 100, 200):
        stats.store_stat("err", 0.5, "Ann", t)
    stats.store_stat("grade", "good", "Ann", 0)
    assert stats.get_view()["peers"]["Ann"]["err"] == [[0, 0.5], [100, 0.5], [200, 0.5]]
    assert stats.get_view(100)["peers"]["Ann"] == {"err": [[200, 0.5]], "grade": "good", **at_most_defaults("grade")}
    assert "err" not in stats.get_view(200)["peers"]["Ann"]


def at_most_defaults(*but: str) -> dict[str, Any]:
    return {
        name: value
        for name, value in {"notes": [], "plan": {}, "ok": False, "grade": "none"}.items()
        if name not in but
    }


def test_following_a_world_view_by_view_repeats_no_point() -> None:
    world, desk = at_world()
    member, _ = at_member()
    since = 0
    for tick in range(1, 6):
        desk.clock.move_to(tick)
        now = desk.clock.get_time_ms()
        world.store_stat("err", tick / 10, "Ann", now)
        world.store_stat("err", tick / 10, "Ann", now)
        view = world.get_view(since)
        member.update_view(view)
        member.update_view(view)
        since = now
    assert member.get_series("err", "Ann") == world.get_series("err", "Ann")
    assert len(member.get_series("err", "Ann")) == 10
    member.update_view(world.get_view(), overwrite=True)
    assert member.get_view() == world.get_view()
    member.update_view(None)
    world.update_view({"nonsense": 1})
    with pytest.raises(StatsError, match="a view is a mapping"):
        member.update_view({"nonsense": 1})
    with pytest.raises(StatsError, match="a series is a list"):
        member.update_view({"world": {"rounds": 3}, "peers": {}})
    assert member.get_view() == world.get_view()


def test_what_a_member_was_told_is_no_window_into_the_world() -> None:
    world, _ = at_world()
    member, _ = at_member()
    world.store_stat("notes", [1], "Ann", 0)
    view = world.get_view()
    member.update_view(view)
    view["peers"]["Ann"]["notes"].append(2)
    member.get_view()["peers"]["Ann"]["notes"].append(3)
    assert member.get_last_value("notes", "Ann") == [1]


def test_the_last_value_in_words() -> None:
    stats, desk = at_world()
    view = stats.get_view()
    words = {name: stats._get_last_val_from_view(view, name) for name in ("world_agents", "best", "best_err", "ghost")}
    assert words == {"world_agents": "0", "best": "-", "best_err": "-1.000", "ghost": "-"}
    stats.store_stat("rounds", 3, None, 0)
    stats.store_stat("best_history", 0.12345, None, 0)
    view = stats.get_view()
    assert stats._get_last_val_from_view(view, "rounds") == "3"
    assert stats._get_last_val_from_view(view, "best_history") == "0.123"
    assert stats._get_last_val_from_view({}, "best_history") == "-1.000"


def test_all_of_it_in_one_mapping() -> None:
    stats, _ = at_world()
    stats.store_stat("err", 0.5, "Ann", 0)
    found = stats.get_stats()
    assert found["best_err"] == -1.0
    assert found[Stats.GROUP_KEY]["Ann"]["err"] == [[0, 0.5]]


def test_only_what_has_changed_is_stored_under_each_key_if_so_wished() -> None:
    class Thrifty(School):
        STORE_DYNAMIC_IF_CHANGED = True

    stats, _ = at_world(Thrifty)
    for value, key in ((0.5, "Ann"), (0.5, "Bob"), (0.5, "Ann"), (0.6, "Ann"), (0.5, "Ann")):
        stats.store_stat("err", value, key, 0)
    stats.store_stat("rounds", 0, None, 0)
    stats.store_stat("rounds", 0, None, 0)
    assert [value for _, value in stats.get_series("err", "Ann")] == [0.5, 0.6, 0.5]
    assert len(stats.get_series("err", "Bob")) == 1
    assert len(stats.get_series("rounds")) == 1


# ------------------------------------------------------------------ the window


def test_groups_that_only_have_statics_never_vanish() -> None:
    stats, desk = at_world(cache_window_hours=1.0)
    stats.store_stat("grade", "good", "Ann", 0)
    stats.store_stat("err", 0.5, "Bob", 0)
    desk.clock.move_to(5 * HOUR)
    stats.save_to_disk()
    for _ in range(3000):
        stats.store_stat("err", 0.1, "Cyd", desk.clock.get_time_ms())
    view = stats.get_view()
    assert view["peers"]["Ann"]["grade"] == "good"
    assert view["peers"]["Bob"]["err"] == [[0, 0.5]]


def test_points_stay_at_hand_for_the_window_and_in_the_database_for_good() -> None:
    stats, desk = at_world(cache_window_hours=1.0)
    for tick in range(0, 4 * HOUR, HOUR // 4):
        desk.clock.move_to(tick)
        stats.store_stat("err", 0.5, "Ann", desk.clock.get_time_ms())
    assert [t // 60_000 for t, _ in stats.get_series("err", "Ann")] == [165, 180, 195, 210, 225]
    assert len(stats.query_history()["peers"]["Ann"]["err"]) == 16


def test_memory_is_bounded_by_the_window() -> None:
    stats, desk = at_world(cache_window_hours=0.1)
    for tick in range(20_000):
        desk.clock.move_to(tick)
        stats.store_stat("err", 0.5, "Ann", desk.clock.get_time_ms())
    assert stats._book is not None
    assert len(stats._book.recent["err", "Ann"].points) < 8000
    assert len(stats.get_series("err", "Ann")) == 3601


def test_nobody_can_empty_the_window_with_a_time_of_its_own() -> None:
    stats, desk = at_world(cache_window_hours=1.0)
    stats.store_stat("err", 0.5, "Ann", 0)
    with pytest.raises(StatsError, match="in the future"):
        stats.store_stat("err", 0.5, "Bob", 10**15)
    desk.clock.move_to(1)
    stats.store_stat("err", 0.4, "Bob", 0)
    assert stats.get_series("err", "Ann") == [(0, 0.5)]


# ------------------------------------------------------------------ what was ever stored


@pytest.fixture
def history() -> School:
    stats, desk = at_world()
    for tick in range(100):
        desk.clock.move_to(tick)
        now = desk.clock.get_time_ms()
        stats.store_stat("err", tick / 100, "Ann", now)
        stats.store_stat("err", 1 - tick / 100, "Bob", now)
        stats.store_stat("rounds", tick, None, now)
        stats.store_stat("word", "w", "Ann", now)
    stats.store_stat("best", "Ann", None, 100)
    stats.store_stat("best_err", 0.1, None, 9000)
    stats.store_stat("grade", "good", "Ann", 100)
    stats.store_stat("grade", "bad", "Ann", 9000)
    return stats


def test_a_limit_keeps_the_newest_points_oldest_first(history: School) -> None:
    found = history.query_history(["err"], ["Ann"], limit=3)
    assert found == {"world": {}, "peers": {"Ann": {"err": [[9700, 0.97], [9800, 0.98], [9900, 0.99]]}}}
    assert len(history.query_history(["err"], ["Ann"])["peers"]["Ann"]["err"]) == 100


def test_times_may_be_floats_and_are_included(history: School) -> None:
    assert len(history.query_history(["err"], "Ann", time_range=9700.0)["peers"]["Ann"]["err"]) == 3
    assert len(history.query_history(["err"], "Ann", time_range=9700.5)["peers"]["Ann"]["err"]) == 2
    assert history.query_history("rounds", time_range=(100, 250.5)) == {
        "world": {"rounds": [[100, 1], [200, 2]]},
        "peers": {},
    }


def test_values_of_the_world_are_under_world(history: School) -> None:
    found = history.query_history(["rounds", "best", "best_err"])
    assert set(found["world"]) == {"rounds", "best", "best_err"}
    assert found["peers"] == {}


def test_statics_are_filtered_too(history: School) -> None:
    assert history.query_history(["best", "best_err", "grade"], time_range=5000) == {
        "world": {"best_err": 0.1}, "peers": {"Ann": {"grade": "bad"}}
    }  # fmt: skip
    assert history.query_history(["best", "best_err", "grade"], value_range=(0, 1)) == {
        "world": {"best_err": 0.1},
        "peers": {},
    }
    assert history.query_history(["grade"], ["Bob"]) == {"world": {}, "peers": {}}


def test_values_between_two_numbers(history: School) -> None:
    found = history.query_history(value_range=(0.975, 1), group_keys=["Ann", "Bob"])
    assert found["peers"] == {
        "Ann": {"err": [[9800, 0.98], [9900, 0.99]]}, "Bob": {"err": [[0, 1.0], [100, 0.99], [200, 0.98]]}
    }  # fmt: skip
    assert found["world"] == {"rounds": [[100, 1]]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0}, {"limit": "5"}, {"limit": True}, {"time_range": "yesterday"}, {"time_range": (1,)},
        {"value_range": 3}, {"value_range": (1, "2")}, {"stat_names": [3]}, {"group_keys": [None]},
        {"stat_names": ["ghost"]},
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_an_error(history: School, wrong: dict[str, Any]) -> None:
    with pytest.raises(StatsError):
        history.query_history(**wrong)
    with pytest.raises(StatsError):
        at_member()[0].query_history(**wrong)


def test_only_the_world_has_the_history() -> None:
    member, _ = at_member()
    member.store_stat("err", 0.5, None, 0)
    assert member.query_history() == {"world": {}, "peers": {}}
    member.save_to_disk()
    member.shutdown()


def test_a_hundred_thousand_points_are_stored_and_read_back() -> None:
    stats, desk = at_world()
    count = 100_000
    for number in range(count):
        if number % 1000 == 0:
            desk.clock.move_to(number // 1000)
            desk.records.clear()
        stats.store_stat("err", float(number), f"S{number % 100}", desk.clock.get_time_ms())
    found = stats.query_history(["err"])["peers"]
    assert [value for _, value in found["S7"]["err"]] == [float(number) for number in range(7, count, 100)]
    assert sum(len(group["err"]) for group in found.values()) == count


# ------------------------------------------------------------------ files


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "stats" / "world.db"
    stats, desk = at_world(School, path)
    for tick in range(5):
        desk.clock.move_to(tick)
        stats.store_stat("err", tick / 10, "Ann", desk.clock.get_time_ms())
        stats.store_stat("best_err", tick / 10, None, desk.clock.get_time_ms())
    stats.store_stat("notes", [1, {"a": None}], "Bob", 0)
    stats.store_stat("ok", True, "Bob", 0)
    stats.store_stat("word", None, "Bob", 0)
    view = stats.get_view()
    stats.shutdown()
    assert [file.name for file in path.parent.iterdir()] == ["world.db"]

    again, desk = at_world(School, str(path))
    assert again.get_view() == view
    assert again.get_last_value("best_err") == 0.4
    again.store_stat("err", 0.9, "Ann", 0)
    assert [value for _, value in again.get_series("err", "Ann")] == [0.0, 0.9, 0.1, 0.2, 0.3, 0.4]
    assert again.get_last_value("err", "Ann") == 0.9
    again.shutdown()
    assert at_world(School, path)[0].get_last_value("err", "Ann") == 0.9


def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path) -> None:
    stats, _ = at_world(School, tmp_path / "world.db")
    stats.store_stat("err", 0.5, "Ann", 0)
    stats.end_turn()
    (tmp_path / "copy.db").write_bytes((tmp_path / "world.db").read_bytes())
    (tmp_path / "copy.db-wal").write_bytes((tmp_path / "world.db-wal").read_bytes())
    assert at_world(School, tmp_path / "copy.db")[0].get_last_value("err", "Ann") == 0.5


def test_only_the_window_is_read_again_and_the_last_point_of_each_series(tmp_path: Path) -> None:
    stats, desk = at_world(School, tmp_path / "world.db", 1.0)
    stats.store_stat("err", 0.1, "Bob", 0)
    for tick in range(0, 4 * HOUR, HOUR // 2):
        desk.clock.move_to(tick)
        stats.store_stat("err", 0.5, "Ann", desk.clock.get_time_ms())
    series = stats.get_series("err", "Ann")
    stats.shutdown()
    again, _ = at_world(School, tmp_path / "world.db", 1.0)
    assert again.get_series("err", "Ann") == series
    assert again.get_series("err", "Bob") == [(0, 0.1)]
    assert len(again.query_history()["peers"]["Ann"]["err"]) == 8


def test_names_that_left_the_schema_are_ignored_with_one_note(tmp_path: Path) -> None:
    class Later(Stats):
        CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"steps": (int, 0), "err": (str, None)}

    stats, _ = at_world(School, tmp_path / "world.db")
    for _ in range(10):
        stats.store_stat("exam", 0.5, "Ann", 0)
        stats.store_stat("err", 0.5, "Ann", 0)
        stats.store_stat("steps", 3, "Ann", 0)
    stats.shutdown()
    with pytest.warns(UserWarning, match="err, exam") as noted:
        later, _ = at_world(Later, tmp_path / "world.db")
    assert len(noted) == 1
    assert later.get_view()["peers"] == {"Ann": {"steps": [[0, 3]] * 10}}
    later.store_stat("err", "many", "Ann", 0)
    assert later.query_history()["peers"] == {"Ann": {"err": [[0, "many"]], "steps": [[0, 3]] * 10}}
    later.shutdown()
    with pytest.warns(UserWarning, match="err"):
        again, _ = at_world(School, tmp_path / "world.db")
    assert len(again.get_series("exam", "Ann")) == 10
    assert again.get_view()["peers"]["Ann"]["err"] == [[0, 0.5]] * 10


def test_rows_say_who_reported_and_when(tmp_path: Path) -> None:
    stats, desk = at_world(School, tmp_path / "world.db")
    desk.clock.move_to(3)
    stats.store_stat("err", 0.5, "Ann", 100)
    stats.store_stat("rounds", 7, None, 200)
    stats.store_stat("plan", {"ä": [1]}, "Ann", 300)
    stats.shutdown()
    assert rows(tmp_path / "world.db") == [
        ("err", "Ann", "World", 100, 300, 0.5),
        ("rounds", "", "World", 200, 300, 7),
        ("plan", "Ann", "World", 300, 300, '{"ä":[1]}'),
    ]


@pytest.mark.parametrize("content", [b"no database at all, but a text of some length" * 9, None])
def test_a_path_that_cannot_be_used_is_an_error_at_once(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "world.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"world.db cannot keep the records of a world.*Give another path, or None"):
        School(True, path)


def test_a_file_of_something_else_is_an_error_at_once(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "world.db") as connection:
        connection.execute("CREATE TABLE stats (name TEXT, value REAL)")
    with pytest.raises(DatabaseError, match="its table 'stats' has the columns name, value"):
        School(True, tmp_path / "world.db")


def test_a_locked_file_is_told_once_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unaiverse_lab.stats.database.PATIENCE", 0.01)
    stats, desk = at_world(School, tmp_path / "world.db")
    other = sqlite3.connect(tmp_path / "world.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for tick in range(200):
        desk.clock.move_to(tick)
        stats.store_stat("err", 0.5, "Ann", desk.clock.get_time_ms())
        stats.end_turn()
    [trouble] = [record for record in desk.records if isinstance(record, Fault)]
    assert "locked" in trouble.error and "are kept" in trouble.error
    with pytest.raises(DatabaseError, match="locked"):
        stats.save_to_disk()
    other.execute("ROLLBACK")
    desk.clock.move_to(300)
    stats.end_turn()
    assert len(rows(tmp_path / "world.db")) == 200
    stats.store_stat("err", 0.5, "Ann", 0)
    other.execute("BEGIN EXCLUSIVE")
    stats.end_turn()
    assert len([record for record in desk.records if isinstance(record, Fault)]) == 2
    other.close()


def test_two_worlds_that_write_to_one_file_are_told_so(tmp_path: Path) -> None:
    one, _ = at_world(School, tmp_path / "world.db")
    other, desk = at_world(School, tmp_path / "world.db")
    one.store_stat("err", 0.5, "Ann", 0)
    one.end_turn()
    other.store_stat("err", 0.4, "Ann", 0)
    other.end_turn()
    [trouble] = [record for record in desk.records if isinstance(record, Fault)]
    assert "another world writes to the same file" in trouble.error


def test_a_full_disk_keeps_the_rows_and_says_so(tmp_path: Path) -> None:
    stats, desk = at_world(School, tmp_path / "world.db")
    assert stats.database is not None
    connection = stats.database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 1}")
    for _ in range(BATCH + 10):
        stats.store_stat("word", "many words" * 5, "Ann", 0)
    stats.end_turn()
    [trouble] = [record for record in desk.records if isinstance(record, Fault)]
    assert "full" in trouble.error
    assert len(stats.get_series("word", "Ann")) == BATCH + 10
    connection.execute("PRAGMA max_page_count=1000000")
    stats.shutdown()
    assert len(rows(tmp_path / "world.db")) == BATCH + 10


def test_what_waits_for_a_broken_database_is_not_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unaiverse_lab.stats.database.MOST_WAITING", 5)
    database = Database(None, TABLES, INDEXES)
    database._connection.execute("PRAGMA query_only=1")
    for _ in range(5):
        database.add("stats", "err", "Ann", "Ann", 0, 0, 0.5)
    with pytest.raises(DatabaseError, match="5 rows cannot be written"):
        database.add("stats", "err", "Ann", "Ann", 0, 0, 0.5)
    assert database.waiting == 5


def test_after_its_end_nothing_can_be_stored(tmp_path: Path) -> None:
    stats, desk = at_world(School, tmp_path / "world.db")
    stats.shutdown()
    stats.shutdown()
    with pytest.raises(DatabaseError, match="was closed"):
        stats.store_stat("err", 0.5, "Ann", 0)
    with pytest.raises(DatabaseError, match="cannot be read"):
        stats.query_history()
    stats.count_members(world_agents=3)
    stats.count_members(world_agents=3)
    assert len([record for record in desk.records if isinstance(record, Fault)]) == 1


@pytest.mark.parametrize("every", [1, 7, 1000])
def test_the_file_is_the_same_whenever_rows_were_written(tmp_path: Path, every: int) -> None:
    files = []
    for name, often in (("one", 0), ("other", every)):
        stats, _ = at_world(School, tmp_path / name)
        for number in range(3000):
            stats.store_stat("err", number / 7, f"S{number % 11}", 0)
            if often and number % often == 0:
                stats.save_to_disk()
        stats.shutdown()
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_desk_needs_no_session() -> None:
    stats = School(is_world=True)
    stats.store_stat("err", 0.5, "Ann", 10**15)
    assert stats.get_last_value("err", "Ann") == 0.5
    assert Desk().stats() == []
