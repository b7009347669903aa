"""A statistics file in the form the course teaches, from a world folder: declared, recorded, drawn."""

from __future__ import annotations

from pathlib import Path

from runtime.rooms import Room, machine, room

from unaiverse_lab import Agent, Session, action
from unaiverse_lab.stats import Stats, UIPlot, WorldSidebarDash, render_plotly_html


class WStats(Stats):
    CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"test_err": (float, -1.0)}
    CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA = {"exam_err": (float, -1.0)}
    CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA = {"history": (float, -1.0), "winner_history": (str, None)}
    CUSTOM_WORLD_STATS_STATIC_SCHEMA = {"winner": (str, None), "record": (float, -1.0)}

    def __init__(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        super().__init__(*args, **kwargs)

    def plot(self, since_timestamp: int = 0) -> str | None:
        view = self.get_view(since_timestamp) if self.is_world else self._world_view
        if not view:
            return None
        dash = WorldSidebarDash("Small school")
        panel = UIPlot(title="Error on the test set")
        self._populate_time_series(panel, view, "test_err")
        dash.add_panel(panel, "center_bot")
        panel = UIPlot(title="States")
        self._populate_distribution(panel, view, "state")
        dash.add_panel(panel, "right_top")
        return render_plotly_html(dash.to_json())


class School(Room):
    def __init__(self, folder: Path, **options: object) -> None:
        stats = WStats(is_world=True, db_path=f"{folder}/stats/world_stats.db")
        super().__init__(stats=stats, **options)  # type: ignore[arg-type]


class Student(Agent):
    @action
    async def grade_myself(self) -> bool:
        _t = self.clock.get_time_ms()
        _, _peer_id = self.get_peer_ids()
        self.stats.store_stat("test_err", 0.25, group_key=_peer_id, timestamp=_t)
        return True


def test_the_three_steps_of_the_course(tmp_path: Path) -> None:
    behavior = machine(Student)
    behavior.add_transit("ready", "graded", "grade_myself")
    session = Session(School(tmp_path, roles={"student": Student}, behaviors={"student": behavior}))
    for name in ("Ann", "Bob"):
        session.add(Agent(), name, role_preference="student")
    session.run()
    stats = session.world.stats
    assert stats.get_series("test_err", "Ann") == [(40, 0.25)]
    page = stats.plot()
    assert page is not None and "Error on the test set" in page and "Ann" in page and "graded" in page
    session.close()
    assert (tmp_path / "stats" / "world_stats.db").is_file()
    again = WStats(is_world=True, db_path=f"{tmp_path}/stats/world_stats.db")
    assert again.get_last_value("test_err", "Bob") == 0.25


def test_a_world_without_statistics_of_its_own_has_a_dashboard() -> None:
    session = Session(room(student=machine(Student)))
    session.add(Agent(), "Ann", role_preference="student")
    session.step(3)
    page = session.world.stats.plot()
    assert page is not None and "ready" in page
