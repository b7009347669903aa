"""Members measure, the world keeps score: statistics in sessions."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from runtime.rooms import Dropped, Fault, Room, machine, records, room

from unaiverse_lab import Agent, HybridStateMachine, ScriptedHuman, Session, World, action
from unaiverse_lab.core.envelope import Body, StatsReceived, StatsRequest, StatsUpdate, StatsView
from unaiverse_lab.core.records import Stat
from unaiverse_lab.stats import Stats, StatsError

from .desk import School


class Strict(School):
    """Knows better than to take everything."""

    def _process_custom_stat(self, stat_name: str, value: Any, group_key: str | None, timestamp: int) -> bool:
        if stat_name == "exam" and value < 0:
            raise RuntimeError("no such mark")
        if stat_name == "exam" and self.get_last_value("best_err") == -1.0:
            self.store_stat("best_err", float(value), None, timestamp)
            self.store_stat("best", self.world.all_agents[group_key].name, None, timestamp)
        return False


class Classroom(Room):
    """Everybody has the role it likes; the statistics are its own."""

    stats_class: type[Stats] = School
    path: Path | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(stats=self.stats_class(True, self.path), **options)


class Pupil(Agent):
    """Stores what it is told to, once a tick."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.marks: list[tuple[str, Any, str | None]] = []

    @action
    async def measure(self) -> bool:
        for name, value, key in self.marks:
            self.stats.store_stat(name, value, key, self.clock.get_time_ms())
        self.marks = []
        return False


def classroom(world: type[World] = Classroom, strict: bool = False, start: bool = True, **options: Any) -> Session:
    pupil = machine(Pupil)
    pupil.add_transit("ready", "ready", "measure")
    session = Session(room(world, pupil=pupil, tutor=_tutor()), delta=0.1, strict=strict, **options)
    session.add(Pupil(), "Ann", role_preference="pupil")
    session.add(Pupil(), "Bob", role_preference="pupil")
    session.add(Pupil(), "Tom", role_preference="tutor", master=True)
    if start:
        session.step(4)
    return session


class Tutor(Pupil):
    """Another role that does the same."""


def _tutor() -> HybridStateMachine:
    hsm = machine(Tutor)
    hsm.add_transit("ready", "ready", "measure")
    return hsm


def pupil(session: Session, name: str) -> Pupil:
    agent = session.agent(name)
    assert isinstance(agent, Pupil)
    if not hasattr(agent, "marks"):
        agent.marks = []
    return agent


def measure(session: Session, name: str, *marks: tuple[str, Any, str | None]) -> None:
    pupil(session, name).marks = list(marks)
    session.node(name).wake()


def stored(session: Session, accepted: bool = True) -> list[tuple[str, str, str | None, Any]]:
    return [(r.node, r.stat, r.key, r.value) for r in records(session, Stat) if r.accepted is accepted]


@pytest.mark.parametrize("strict", [False, True])
def test_what_members_store_is_at_the_world_one_tick_later(strict: bool) -> None:
    session = classroom(strict=strict)
    measure(session, "Ann", ("err", 0.5, "Ann"), ("notes", [1, {"a": None}], None), ("word", None, "Ann"))
    measure(session, "Tom", ("exam", 0.25, "Ann"), ("best", "Ann", None), ("rounds", 3, None), ("err", 0.1, "Tom"))
    session.step(2)
    assert stored(session) == [
        ("Ann", "err", "Ann", 0.5), ("Ann", "notes", "Ann", [1, {"a": None}]), ("Ann", "word", "Ann", None),
        ("Tom", "exam", "Ann", 0.25), ("Tom", "best", None, "Ann"), ("Tom", "rounds", None, 3),
        ("Tom", "err", "Tom", 0.1),
    ]  # fmt: skip
    view = session.world.stats.get_view()
    assert view["peers"]["Ann"]["err"] == [[400, 0.5]]
    assert view["peers"]["Ann"]["exam"] == [[400, 0.25]]
    assert view["world"]["best"] == "Ann" and view["world"]["rounds"] == [[400, 3]]
    session.step(2)
    for name in ("Ann", "Tom"):
        assert session.agent(name).stats.get_payload_for_world() == []
    assert not records(session, Fault) and not records(session, Dropped)


def test_members_have_the_statistics_of_the_world_and_its_readers() -> None:
    session = classroom()
    stats = session.agent("Ann").stats
    assert type(stats) is School and not stats.is_world
    assert stats.get_last_value("err", "Ann") == -1.0
    loner = Agent()
    assert type(loner.stats) is Stats and not loner.stats.is_world
    assert session.world.stats.world is session.world


def test_what_was_stored_before_joining_is_sent_after_it() -> None:
    session = classroom()
    late = Pupil()
    late.stats = School(is_world=False)
    node = session.add(late, "Late", role_preference="pupil")
    late.stats.store_stat("err", 0.5, "Late", 0)
    assert node.agent is late
    session.step(6)
    assert ("Late", "err", "Late", 0.5) in stored(session)
    assert late.stats.get_payload_for_world() == []


def test_only_masters_report_what_is_not_their_own() -> None:
    session = classroom()
    measure(session, "Ann", ("exam", 1.0, "Ann"), ("best", "Ann", None), ("rounds", 9, None), ("err", 0.5, "Ann"))
    session.step(6)
    assert stored(session) == [("Ann", "err", "Ann", 0.5)]
    refused = records(session, Stat)
    assert [(r.node, r.stat) for r in refused if not r.accepted] == [
        ("Ann", "exam"),
        ("Ann", "best"),
        ("Ann", "rounds"),
    ]
    assert all("is for masters to report" in (r.reason or "") for r in refused if not r.accepted)
    assert [name for name, _, _ in session.agent("Ann").stats.refused] == ["exam", "best", "rounds"]
    assert session.world.stats.get_last_value("best") is None


def test_roles_that_the_world_trusts_report_as_masters_do() -> None:
    class Trusting(School):
        TRUSTED_ROLES = ("pupil",)

    class Open(Classroom):
        stats_class = Trusting

    session = classroom(Open)
    measure(session, "Ann", ("exam", 1.0, "Bob"), ("rounds", 9, None), ("world_agents", 99, None))
    session.step(6)
    assert stored(session) == [("Ann", "exam", "Bob", 1.0), ("Ann", "rounds", None, 9)]
    assert session.world.stats.get_last_value("world_agents") == 2


def test_nobody_reports_in_the_name_of_another() -> None:
    session = classroom()
    for entries in ([["err", 0.5, "Bob", 0]], [["err", 0.5, "Bob", 0], ["err", 0.5, "Ann", 0]]):
        session.node("Ann").post("World", StatsUpdate(1 << 50, 1 << 50, entries))
        session.step()
    assert [key for _, _, key, _ in stored(session, accepted=False)] == ["Bob"]


def test_strangers_are_told_that_they_are_none() -> None:
    session = classroom()
    heard: list[Body] = []
    node = session.node("Ann")
    session.world.roster.pop("Ann")
    node.post("World", StatsUpdate(1, 1, [["err", 0.5, "Ann", 0]]))
    node.post("World", StatsRequest({}))
    session.step()
    original = node.hosted.receive
    heard += [envelope.body for envelope in session.synchronizer.transport._queue if envelope.target == "Ann"]
    assert original is not None
    told = [body for body in heard if isinstance(body, StatsReceived | StatsView)]
    assert all("is not a member" in (body.reason or "") for body in told) and len(told) == 2
    assert stored(session) == []
    session.step(3)
    assert session.agent("Ann").stats.refused[0][2].startswith("Ann is not a member")


@pytest.mark.parametrize(
    "filters", [{"stat_name": ["err"]}, {"limit": "many"}, {"stat_names": [None]}, {"time_range": {}}]
)
def test_a_question_that_makes_no_sense_is_answered_with_a_reason(filters: dict[str, Any]) -> None:
    session = classroom()
    session.node("Ann").post("World", StatsRequest(filters))
    session.step(3)
    [dropped] = records(session, Dropped, "Ann")
    assert "the world did not tell its statistics" in dropped.reason
    assert not records(session, Fault)


def test_bytes_that_are_no_message_do_not_end_the_world() -> None:
    session = classroom()
    for bad in (b"", b"\x81\xa4type\xacstats_update", b"\xff" * 99):
        session.synchronizer.transport.post("Ann", "World", bad)
    session.step(2)
    assert len(records(session, Dropped, "World")) == 3


def test_asking_the_world_fills_the_view() -> None:
    session = classroom()
    for number in range(5):
        measure(session, "Ann", ("err", number / 10, "Ann"))
        session.step()
    session.step()
    bob = session.agent("Bob")
    assert bob.stats.get_view() == {"world": {}, "peers": {}}
    session.node("Bob").post("World", StatsRequest({"stat_names": ["err"], "limit": 2}))
    session.step(3)
    assert [value for _, value in bob.stats.get_series("err", "Ann")] == [0.3, 0.4]
    assert bob.stats.get_last_value("err", "Ann") == 0.4
    session.node("Bob").post("World", StatsRequest({}))
    session.step(3)
    assert [value for _, value in bob.stats.get_series("err", "Ann")] == [0.0, 0.1, 0.2, 0.3, 0.4]
    view = bob.stats.get_view()
    assert view["peers"]["Bob"]["state"] == "ready"
    assert view["world"]["world_agents"] == [[0, 2]]


def test_an_answer_is_of_bounded_size_and_the_world_may_answer_otherwise() -> None:
    class Secretive(Classroom):
        def answer_stats_request(self, filters: Mapping[str, Any], asker: str) -> dict[str, Any]:
            if asker == "Bob":
                raise StatsError("not you")
            if asker == "Tom":
                return {}["nothing"]  # type: ignore[no-any-return]
            return super().answer_stats_request(filters, asker)

    session = classroom(Secretive)
    for number in range(6000):
        session.world.stats.store_stat("rounds", number, None, 0)
    for name in ("Ann", "Bob", "Tom"):
        session.node(name).post("World", StatsRequest({"stat_names": ["rounds"]}))
    session.step(3)
    series = session.agent("Ann").stats.get_series("rounds")
    assert len(series) == 5000 and series[-1] == (0, 5999)
    assert "not you" in records(session, Dropped, "Bob")[0].reason
    assert "this world could not answer: KeyError" in records(session, Dropped, "Tom")[0].reason
    assert records(session, Fault, "World")[0].action == "answer_stats_request"


# ------------------------------------------------------------------ the world's own rule


def test_the_world_may_take_care_of_a_value_itself() -> None:
    class Ruled(Classroom):
        stats_class = Strict

    session = classroom(Ruled)
    measure(session, "Tom", ("exam", 0.5, "Ann"), ("exam", -3.0, "Ann"), ("exam", 0.75, "Bob"))
    session.step(4)
    assert stored(session) == [
        ("Tom", "best_err", None, 0.5), ("Tom", "best", None, "Ann"), ("Tom", "exam", "Ann", 0.5),
        ("Tom", "exam", "Bob", 0.75),
    ]  # fmt: skip
    [fault] = records(session, Fault)
    assert fault.action == "_process_custom_stat" and "no such mark" in fault.error
    assert fault.where is not None and fault.where.startswith("test_exchange.py:")
    [refused] = [r for r in records(session, Stat) if not r.accepted]
    assert refused.value == -3.0 and "no such mark" in (refused.reason or "")


def test_a_world_may_award_badges_for_what_is_reported() -> None:
    class Awarding(School):
        def _process_custom_stat(self, stat_name: str, value: Any, group_key: str | None, timestamp: int) -> bool:
            if stat_name == "exam":
                self.world.add_badge(group_key, 1 - value, "completed", badge_description="passed")
            return False

    class Generous(Classroom):
        stats_class = Awarding

    session = classroom(Generous)
    measure(session, "Tom", ("exam", 0.25, "Ann"), ("exam", 0.25, "Ghost"))
    session.step(4)
    assert [badge["score"] for badge in session.world.get_all_badges()["Ann"]] == [0.75]
    assert [key for _, _, key, _ in stored(session)] == ["Ann"]
    assert session.world.stats.get_view()["world"]["graph"]["nodes"]["Ann"]["Number of Badges"] == 1


# ------------------------------------------------------------------ losses, leaving


def lossy(session: Session, lose: type[Body], times: int) -> list[Body]:
    """Let the transport lose some messages."""
    transport = session.synchronizer.transport
    lost: list[Body] = []
    post = transport.post

    def losing(sender: str, target: str, body: Any) -> bool:
        if isinstance(body, lose) and len(lost) < times:
            lost.append(body)
            return True
        return post(sender, target, body)

    transport.post = losing  # type: ignore[method-assign]
    return lost


@pytest.mark.parametrize("kind", [StatsUpdate, StatsReceived])
@pytest.mark.parametrize("agenda", [True, False])
def test_what_is_lost_on_the_way_arrives_ten_seconds_later_once(kind: type[Body], agenda: bool) -> None:
    session = classroom(agenda=agenda)
    lost = lossy(session, kind, 2)
    measure(session, "Ann", ("err", 0.5, "Ann"))
    session.step(3)
    measure(session, "Ann", ("err", 0.25, "Ann"))
    session.step(300)
    assert len(lost) == 2
    assert [value for _, value in session.world.stats.get_series("err", "Ann")] == [0.5, 0.25]
    assert session.agent("Ann").stats.get_payload_for_world() == []
    if kind is StatsUpdate:
        assert [record.tick for record in records(session, Stat)] == [105, 105]


def test_time_can_be_skipped_while_something_waits_to_be_sent_again() -> None:
    session = classroom()
    for name in ("Ann", "Bob", "Tom"):
        session.agent(name).behav.enabled = False
    lossy(session, StatsUpdate, 1)
    session.agent("Ann").stats.store_stat("err", 0.5, "Ann", 0)
    assert session.run().reason == "quiet"
    assert session.tick < 120
    assert session.world.stats.get_last_value("err", "Ann") == 0.5


def test_whoever_leaves_brings_the_world_first_what_it_has_stored() -> None:
    session = classroom()
    ann = pupil(session, "Ann")
    ann.stats.store_stat("err", 0.5, "Ann", 0)
    session.remove("Ann")
    session.step(2)
    assert stored(session) == [("Ann", "err", "Ann", 0.5)]
    view = session.world.stats.get_view()
    assert view["peers"]["Ann"]["err"] == [[0, 0.5]]
    assert "state" not in view["peers"]["Ann"]
    assert list(view["world"]["graph"]["nodes"]) == ["Bob", "Tom"]


def test_a_new_member_of_an_old_name_adds_to_the_series() -> None:
    session = classroom()
    measure(session, "Ann", ("err", 0.5, "Ann"), ("err", 0.4, "Ann"))
    session.step(4)
    session.remove("Ann")
    session.step(2)
    session.add(Pupil(), "Ann", role_preference="pupil")
    session.step(4)
    measure(session, "Ann", ("err", 0.3, "Ann"))
    session.step(4)
    assert [value for _, value in session.world.stats.get_series("err", "Ann")] == [0.5, 0.4, 0.3]


# ------------------------------------------------------------------ what every world counts


def test_members_are_counted_when_they_come_and_go() -> None:
    session = classroom()
    stats = session.world.stats
    session.add(Agent(ScriptedHuman([])), "Eve", role_preference="pupil")
    session.step(3)
    session.remove("Ann")
    session.step(1)
    assert stats.get_series("world_masters") == [(0, 1)]
    assert stats.get_series("world_agents") == [(0, 2), (400, 3), (700, 2)]
    assert stats.get_series("human_agents") == [(400, 1)]
    assert stats.get_series("artificial_agents") == [(0, 3), (700, 2)]
    assert not records(session, Stat)


def test_the_core_facts_are_those_of_the_moment() -> None:
    session = classroom()
    session.world.add_badge("Bob", 1.0, "pro")
    ann = session.agent("Ann")
    assert ann.contact("Bob")
    session.step(3)
    view = session.world.stats.get_view()
    assert view["peers"]["Ann"] == {
        "connected_peers": ["Bob"], "state": "ready", "action": "measure", "last_action": None,
        "grade": "none", "notes": [], "plan": {}, "ok": False,
    } or view["peers"]["Ann"]["connected_peers"] == ["Bob"]  # fmt: skip
    graph = view["world"]["graph"]
    assert list(graph["nodes"]) == ["Ann", "Bob", "Tom"]
    assert graph["edges"] == {"Ann": ["Bob"], "Bob": ["Ann"], "Tom": []}
    assert graph["nodes"]["Bob"] == {
        "Name": "Bob", "Role": "pupil", "Type": "artificial", "Number of Badges": 1, "Current Action": "~",
        "Current State": "ready",
    }  # fmt: skip
    ann.behav.set_state("ready")
    assert session.world.stats.get_last_value("state", "Ann") == "ready"
    assert session.world.stats.get_last_value("graph")["edges"]["Tom"] == []


def test_agents_that_measure_nothing_have_no_statistics_at_all() -> None:
    session = classroom()
    session.step(20)
    assert all(session.agent(name)._stats is None for name in ("Ann", "Bob", "Tom"))


def test_a_world_whose_statistics_are_those_of_a_member_is_an_error() -> None:
    with pytest.raises(Exception, match="School\\(is_world=True"):
        World(stats=School(is_world=False))


# ------------------------------------------------------------------ files, time


def run(path: Path, **options: Any) -> Session:
    class Filed(Classroom):
        pass

    Filed.path = path
    session = classroom(Filed, **options)
    for number in range(20):
        measure(session, "Ann", ("err", number / 7, "Ann"), ("notes", [number], "Ann"))
        measure(session, "Tom", ("exam", number / 9, "Bob"))
        session.step(2)
    session.world.add_badge("Ann", 1.0, "pro")
    return session


def test_equal_runs_leave_equal_files(tmp_path: Path) -> None:
    contents = []
    for name, options in (("a", {}), ("b", {}), ("c", {"strict": True}), ("d", {"agenda": False})):
        session = run(tmp_path / name, **options)  # type: ignore[arg-type]
        if name == "b":
            session.world.stats.query_history()
        session.world.stats.shutdown()
        contents.append(((tmp_path / name).read_bytes(), session.digest()))
    assert contents[0] == contents[1] == contents[2] == contents[3]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b", "c", "d"]


def test_a_world_goes_on_where_its_file_ends(tmp_path: Path) -> None:
    run(tmp_path / "world.db").world.stats.shutdown()
    again = run(tmp_path / "world.db")
    assert len(again.world.stats.get_series("err", "Ann")) == 40
    assert again.world.stats.get_last_value("notes", "Ann") == [19]


def test_what_is_stored_is_on_disk_after_the_turn(tmp_path: Path) -> None:
    session = run(tmp_path / "world.db")
    database = session.world.stats.database
    assert database is not None and database.waiting == 0


def test_the_names_of_the_clock() -> None:
    session = classroom()
    ann, world = session.agent("Ann"), session.world
    assert ann.get_peer_ids() == ("Ann", "Ann") and world.get_peer_ids() == ("World", "World")
    assert ann.clock is world.clock
    assert ann.clock.get_time_ms() == 300
    assert [ann.clock.get_time_ms(monotonic=True), world.clock.get_time_ms(monotonic=True)] == [300, 301]
    assert ann.clock.get_time() == ann.clock.get_time(passed=True) == 0.3
    assert ann.clock.get_time_as_string() == "1970-01-01T00:00:00.300+00:00"
    assert ann.clock.get_cycle() == 3


def test_what_can_be_looked_at_is_not_stored() -> None:
    session = classroom()
    session.step(200)
    database = session.world.stats.database
    assert database is not None
    assert database.rows("SELECT name, count(*) FROM stats GROUP BY name ORDER BY name") == [
        ("artificial_agents", 1), ("world_agents", 1), ("world_masters", 1)
    ]  # fmt: skip


def test_statistics_may_be_read_in_another_thread() -> None:
    session = classroom()
    measure(session, "Ann", ("err", 0.5, "Ann"))
    session.step(2)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(session.world.stats.query_history, ["err"]).result()["peers"] == {
            "Ann": {"err": [[400, 0.5]]}
        }
        other.submit(session.world.stats.save_to_disk).result()


def test_the_world_is_told_whom_a_value_of_its_own_is_about() -> None:
    class Telling(School):
        def _process_custom_stat(self, stat_name: str, value: Any, group_key: str | None, timestamp: int) -> bool:
            self.store_stat("best", group_key, None, timestamp)
            return False

    class Told(Classroom):
        stats_class = Telling

    session = classroom(Told)
    measure(session, "Tom", ("best_err", 0.5, "Ann"))
    session.step()
    assert session.agent("Tom").stats.get_last_value("best_err") == 0.5
    session.step(2)
    assert session.world.stats.get_last_value("best") == "Ann"
    assert session.world.stats.get_last_value("best_err") == 0.5
