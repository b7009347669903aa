"""Class-incremental learning: CIL-1 to CIL-4, who is here, lost answers, the forgetting table and the dashboard."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from runtime.rooms import Completed, moves, records

import unaiverse_lab as lab
from unaiverse_lab.cli.run import acceptance_of
from unaiverse_lab.core.records import Badge, Pushed, Said, Sent
from unaiverse_lab.runtime.launch import gather
from unaiverse_lab.world.folder import find_world, isolated_imports
from worlds.folders import Told, copy_of, failed_checks, played, weights

WORLD = "class_incremental_learning"
STUDENTS = ["Plain", "Prototype"]
EXAMS = [20 * taught for taught in range(1, 11)]
LESSON = ["brainstorm -building_lesson-> lesson", "lesson -init_lesson-> lesson_in_progress"]
NOT_LEARNED = [
    "CIL-2 Plain knows the newest class (>= 0.9)",
    "CIL-3 Prototype at the end (>= 0.75)",
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums of many numbers depend on how many threads share them, and small networks are faster on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def course() -> lab.Session:
    return played(WORLD)


def module_of(name: str) -> ModuleType:
    with isolated_imports(find_world(WORLD)):
        return importlib.import_module(f"src.{name}")


def changed(folder: Path, *changes: tuple[str, str, str]) -> Path:
    return copy_of(WORLD, folder, *changes)


def said(session: lab.Session) -> list[str]:
    return [record.text for record in records(session, Said, "Test1")]


def requests(session: lab.Session) -> list[tuple[str | None, list[str]]]:
    return [(record.action, record.targets) for record in records(session, Sent, "Test1")]


def seen(session: lab.Session, student: str) -> list[tuple[str, str, int]]:
    """What a student was shown: for which action, of which group, how many pictures."""
    actions = {record.uuid: record.action or "" for record in records(session, Sent, "Test1")}
    found: dict[str, list[str]] = {}
    for record in records(session, Pushed, student):
        if record.stream.startswith("images@") and record.uuid is not None:
            found.setdefault(record.uuid, []).append(record.stream)
    assert all(len(set(streams)) == 1 for streams in found.values())
    return [(actions[uuid], streams[0], len(streams)) for uuid, streams in found.items()]


def view(session: lab.Session) -> dict[str, Any]:
    return session.world.stats.get_view(0)  # type: ignore[return-value]


def series(session: lab.Session, student: str, name: str = "accuracy") -> list[float]:
    return [value for _, value in view(session)["peers"].get(student, {}).get(name, [])]


def marks_from_records(session: lab.Session, student: str) -> list[tuple[float, list[float]]]:
    """Accuracies on the whole and per class, exam by exam, from the answers that reached the teacher."""
    exams = [r.uuid for r in records(session, Sent, "Test1") if r.action == "process"]
    answers: dict[str, dict[int, int]] = {uuid: {} for uuid in exams}
    for record in records(session, Pushed, "Test1"):
        if record.owner == student and record.uuid in answers:
            answers[record.uuid][record.tag] = int((record.value or "").split()[-1])
    found = []
    for given in filter(None, answers.values()):
        right = [answer == tag // 20 for tag, answer in sorted(given.items())]
        found.append((sum(right) / len(right), [sum(right[n : n + 20]) / 20 for n in range(0, len(right), 20)]))
    return found


# ------------------------------------------------------------------ the course


def test_its_own_checks_hold(course: lab.Session) -> None:
    assert failed_checks(course, WORLD) == []
    assert not [record for record in course.trace if record.kind in ("error", "dropped")]


def test_cil_1_ten_lessons_and_ten_growing_exams_for_all_at_once(course: lab.Session) -> None:
    assert requests(course) == [("learn", STUDENTS), ("process", STUDENTS)] * 10
    for student in STUDENTS:
        shown = seen(course, student)
        assert shown[::2] == [("learn", f"images@teach_{digit}", 50) for digit in range(10)]
        assert shown[1::2] == [("process", "images@eval", size) for size in EXAMS]
        labels = [r for r in records(course, Pushed, student) if r.stream.startswith("labels@")]
        assert [r.stream for r in labels] == [f"labels@teach_{digit}" for digit in range(10) for _ in range(50)]
    ended = [r for r in records(course, Completed, "Test1") if r.side == "sent"]
    assert [r.reason for r in ended] == ["ok"] * 20


def test_cil_1_one_exam_at_the_end(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("src/teacher.json", '"exam_every": 1', '"exam_every": 10'))
    session = played(folder)
    assert requests(session) == [("learn", STUDENTS)] * 10 + [("process", STUDENTS)]
    assert seen(session, "Plain")[-1] == ("process", "images@eval", 200)
    assert failed_checks(session, folder) == []
    assert session.world.stats.get_last_value("overall_best_student") == "Prototype"
    assert [badge["score"] for badge in session.world.get_all_badges()["Prototype"]] == series(session, "Prototype")


def test_the_last_exam_comes_also_when_the_number_of_lessons_is_odd(tmp_path: Path) -> None:
    folder = changed(tmp_path, ("src/teacher.json", '"exam_every": 1', '"exam_every": 4'))
    session = played(folder)
    assert [size for action, _, size in seen(session, "Plain") if action == "process"] == [80, 160, 200]
    assert failed_checks(session, folder) == []


def test_cil_2_the_plain_network_knows_the_newest_class_only(course: lab.Session) -> None:
    for overall, per_class in marks_from_records(course, "Plain"):
        assert per_class[-1] >= 0.9
        assert sum(per_class[:-1]) <= 0.2 * (len(per_class) - 1)
        assert overall == pytest.approx(1 / len(per_class), abs=0.05)


def test_cil_3_both_are_marked_and_the_prototypes_remember(course: lab.Session) -> None:
    for student in STUDENTS:
        marks = marks_from_records(course, student)
        assert [len(per_class) for _, per_class in marks] == list(range(1, 11))
        assert series(course, student) == [overall for overall, _ in marks]
        for digit in range(10):
            known = [per_class[digit] for _, per_class in marks if len(per_class) > digit]
            assert series(course, student, f"peer_acc_per_class_{digit}") == known
    assert marks_from_records(course, "Prototype")[-1][0] >= 0.75


def test_all_the_marks_of_an_exam_have_one_time_and_times_grow(course: lab.Session) -> None:
    times = [[time for time, _ in view(course)["peers"][student]["accuracy"]] for student in STUDENTS]
    assert times[0] == times[1] == sorted(set(times[0]))
    for student in STUDENTS:
        known = view(course)["peers"][student]
        for digit in range(10):
            assert [time for time, _ in known[f"peer_acc_per_class_{digit}"]] == times[0][digit:]


def test_cil_4_the_champion_has_the_best_accuracy_of_all(course: lab.Session) -> None:
    stats = course.world.stats
    best = max(value for student in STUDENTS for value in series(course, student))
    assert stats.get_last_value("overall_best_accuracy") == best
    awarded = records(course, Badge)
    assert [(r.node, r.badge_type, r.description, r.by) for r in awarded] == [
        (stats.get_last_value("overall_best_student"), "completed", "LOT2.0 champion!", None)
    ] * len(awarded)
    assert awarded[-1].score == best
    scores = [record.score for record in awarded]
    assert scores == sorted(set(scores))


@pytest.mark.parametrize(
    "still",
    [
        [("run_2.py", "lr=0.05", "lr=0.0"), ("run_3.py", "lr=0.02", "lr=0.0")],
        [("run_2.py", "lr=0.05", "lr=0.0")],
        [("run_3.py", "lr=0.02", "lr=0.0")],
    ],
)
def test_who_has_learned_nothing_fails(tmp_path: Path, still: list[tuple[str, str, str]]) -> None:
    folder = changed(tmp_path, *still, ("src/teacher.json", '"exam_every": 1', '"exam_every": 10'))
    session = lab.load(folder)
    before = weights(session)
    session.run(acceptance_of(folder).UNTIL)  # type: ignore[union-attr]
    files = {"run_2.py": 0, "run_3.py": 1}
    wrong = sorted(files[file] for file, _, _ in still)
    after = weights(session)
    assert [number for number, name in enumerate(STUDENTS) if before[name] == after[name]] == wrong
    failed = failed_checks(session, folder)
    assert [check in failed for check in NOT_LEARNED] == [0 in wrong, 1 in wrong]


def test_an_exam_teaches_nothing(course: lab.Session, tmp_path: Path) -> None:
    rarely = played(changed(tmp_path, ("src/teacher.json", '"exam_every": 1', '"exam_every": 10')))
    assert weights(rarely) == weights(course)


def test_the_course_can_be_held_again(tmp_path: Path) -> None:
    folder = changed(
        tmp_path,
        ("src/teacher.json", '"exam_every": 1', '"exam_every": 10'),
        ("src/teacher.json", '"courses": 1', '"courses": 2'),
    )
    session = lab.load(folder)
    session.run(lambda s: getattr(s.agent("Test1"), "courses", 0) == 2)
    session.step(20)
    assert requests(session) == ([("learn", STUDENTS)] * 10 + [("process", STUDENTS)]) * 2
    assert session.states_of("Test1") == ["wait_for_students"]
    assert len(series(session, "Plain")) == 2


# ------------------------------------------------------------------ reproducible


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_command_line_checks_it_and_the_same_seed_gives_the_same_run(
    course: lab.Session, monkeypatch: pytest.MonkeyPatch, hash_seed: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
    told = Told(WORLD, "--seed", "0")
    assert (told.code, told.errors, told.fails) == (0, "", [])
    assert len(told.holds) == 9
    assert told.digest == course.digest()
    assert told.weights == weights(course)
    for student in STUDENTS:
        assert sum(f'Test1 says "{student}.' in line or f'Test1 says "{student} ' in line for line in told.lines) == 11


def test_it_is_the_same_over_a_strict_transport(course: lab.Session) -> None:
    strict = played(WORLD, strict=True)
    assert strict.digest() == course.digest()
    assert weights(strict) == weights(course)


def test_another_seed_draws_other_pictures_and_the_checks_still_hold(course: lab.Session) -> None:
    other = played(WORLD, seed=1)
    assert failed_checks(other, WORLD) == []
    assert set(weights(other).values()).isdisjoint(weights(course).values())


# ------------------------------------------------------------------ pictures


def test_pictures_for_lessons_and_exams_are_different_ones(course: lab.Session) -> None:
    owned = course.agent("Test1").owned_streams
    assert [name for name in owned if "@" in name] == [
        *(f"{kind}@teach_{digit}" for digit in range(10) for kind in ("images", "labels")),
        "images@eval",
    ]
    taught = [sample.value for digit in range(10) for sample in owned[f"images@teach_{digit}"]]
    asked = [sample.value for sample in owned["images@eval"]]
    assert (len(taught), len(asked)) == (500, 200)
    assert all(tuple(picture.shape) == (1, 1, 8, 8) and 0 <= picture.min() <= picture.max() <= 1 for picture in asked)
    lessons = {picture.numpy().tobytes() for picture in taught}
    exam = {picture.numpy().tobytes() for picture in asked}
    assert (len(lessons), len(exam), lessons & exam) == (500, 200, set())
    for digit in range(10):
        assert {sample.value.item() for sample in owned[f"labels@teach_{digit}"]} == {digit}


def test_students_never_see_the_answers_of_the_exam(course: lab.Session) -> None:
    assert course.agent("Test1").truth == [digit for digit in range(10) for _ in range(20)]
    for student in STUDENTS:
        assert "images@eval" in course.agent(student).known_streams["Test1"]
        assert "labels@eval" not in course.agent(student).known_streams["Test1"]


# ------------------------------------------------------------------ who is here


def test_the_behaviors_are_written_by_hand_and_left_alone() -> None:
    folder = find_world(WORLD)
    texts = {file: file.read_text(encoding="utf-8") for file in sorted((folder / "src").glob("*.json"))}
    lab.load(WORLD)
    assert [file.stem for file in texts] == ["student", "teacher"]
    assert all(file.read_text(encoding="utf-8") == text for file, text in texts.items())
    machine = json.loads(texts[folder / "src" / "teacher.json"])
    assert sorted(machine["states"]) == [
        "brainstorm", "exam", "exam_in_progress", "init", "lesson", "lesson_in_progress", "scoring",
        "wait_for_students",
    ]  # fmt: skip


def test_nobody_comes(tmp_path: Path) -> None:
    folder = changed(tmp_path)
    for number in (2, 3):
        (folder / f"run_{number}.py").unlink()
    session = lab.load(folder)
    session.step(900)
    assert session.states_of("Test1") == ["wait_for_students"]
    session.step(20)
    assert moves(session, "Test1")[-2:] == ["wait_for_students -welcoming-> brainstorm", LESSON[0]]
    assert session.states_of("Test1") == ["lesson"]
    assert requests(session) == []


def until_asked(session: lab.Session, exam: int) -> lab.Session:
    """Up to the middle of an exam."""
    session.run(lambda s: [action for action, _ in requests(s)].count("process") == exam)
    return session.step(7)


def test_who_leaves_in_an_exam_is_not_marked_and_the_others_go_on() -> None:
    session = until_asked(lab.load(WORLD), 2)
    session.remove("Plain")
    session.run(lambda s: [action for action, _ in requests(s)].count("process") == 3)
    assert said(session)[:2] == ["Plain is here", "Prototype is here"]
    assert "Plain has left" in said(session)
    assert requests(session)[-2:] == [("learn", ["Prototype"]), ("process", ["Prototype"])]
    assert (len(series(session, "Prototype")), len(series(session, "Plain"))) == (2, 1)


def test_who_comes_late_is_taught_and_asked_from_then_on() -> None:
    *nodes, late = gather(WORLD)
    session = lab.Session()
    for node in nodes:
        session.add(node)
    until_asked(session, 1)
    session.add(late)
    session.run(lambda s: [action for action, _ in requests(s)].count("process") == 4)
    assert requests(session)[:2] == [("learn", ["Plain"]), ("process", ["Plain"])]
    assert requests(session)[-2:] == [("learn", STUDENTS), ("process", STUDENTS)]
    taught = [what for action, what, _ in seen(session, "Prototype") if action == "learn"]
    assert taught == [f"images@teach_{digit}" for digit in range(4 - len(taught), 4)]
    assert 0 < len(taught) < 4


def test_who_falls_silent_is_waited_for_but_not_for_ever() -> None:
    session = until_asked(lab.load(WORLD), 1)
    session.agent("Plain").behav.enable(False)
    session.run(lambda s: [action for action, _ in requests(s)].count("learn") == 3)
    session.step(2)
    asked = {r.uuid: r.t for r in records(session, Sent, "Test1")}
    ended = [r for r in records(session, Completed, "Test1") if r.side == "sent"]
    assert [r.reason for r in ended] == ["ok", "retry_timeout", "retry_timeout", "retry_timeout"]
    assert [round(r.t - asked[r.uuid]) for r in ended[1:]] == [120, 60, 120]
    [(right, _)] = marks_from_records(session, "Plain")
    answered = sum(r.uuid == ended[1].uuid and r.owner == "Plain" for r in records(session, Pushed, "Test1"))
    assert 0 < answered < 20
    assert series(session, "Plain") == [right * answered / 20]
    assert [len(row.split()) for row in said(session)[2:]] == [12] * 5
    assert series(session, "Prototype") == [overall for overall, _ in marks_from_records(session, "Prototype")]


def test_answers_that_got_lost_are_wrong_and_shift_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    session = until_asked(lab.load(WORLD), 1)
    teacher = session.agent("Test1")
    lost, collect = {11, 17}, type(teacher).collect_predictions

    def leaky(self: Any, agent: str, props: Any, data: Any, data_tag: int) -> None:
        if agent == "Prototype" and data_tag in lost:
            return
        collect(self, agent, props, data, data_tag)

    monkeypatch.setattr(type(teacher), "collect_predictions", leaky)
    session.run(lambda s: [action for action, _ in requests(s)].count("learn") == 2)
    session.step(2)
    [(whole, [first])] = marks_from_records(session, "Prototype")
    assert whole == first == 1.0
    assert set(teacher.predictions["Prototype"]) == set(range(20)) - lost
    assert series(session, "Prototype") == series(session, "Prototype", "peer_acc_per_class_0")
    assert series(session, "Prototype") == [18 / 20]


# ------------------------------------------------------------------ the forgetting table


def cells_of(line: str) -> list[str]:
    return [cell.strip(".") for cell in line.split(" ")]


def test_the_table_is_said_line_by_line(course: lab.Session) -> None:
    lines = [line for line in said(course) if not line.endswith("is here")]
    assert len(lines) == 30
    for number in range(10):
        head, *rows = lines[3 * number : 3 * number + 3]
        assert cells_of(head) == [f"exam-{number + 1}", *map(str, range(10)), "all"]
        assert len({len(line) for line in (head, *rows)}) == 1
        assert all("  " not in line for line in (head, *rows))
        for row, student in zip(rows, STUDENTS, strict=True):
            overall, per_class = marks_from_records(course, student)[number]
            name, *cells = cells_of(row)
            assert name == student
            assert [cell[1:] for cell in cells[: number + 1]] == [f"{value:.2f}" for value in per_class]
            assert cells[number + 1 : 10] == ["-"] * (9 - number)
            assert cells[10][1:] == f"{overall:.2f}"


@pytest.mark.parametrize(
    ("accuracy", "cell"),
    [(1.0, "█1.00"), (0.9, "█0.90"), (0.85, "▓0.85"), (0.7, "▓0.70"), (0.5, "▒0.50"), (0.45, "░0.45"), (0.0, "░0.00")],
)
def test_cells_are_shaded(accuracy: float, cell: str) -> None:
    assert module_of("teacher").marked(accuracy) == cell


def test_a_table_of_nobody_is_a_line() -> None:
    [line] = module_of("teacher").forgetting_table("nobody", [])
    assert cells_of(line) == ["nobody", *map(str, range(10)), "all"]


# ------------------------------------------------------------------ statistics and dashboard


def test_the_best_is_beaten_strictly_and_by_members_only() -> None:
    session = lab.load(WORLD).step(5)
    stats = session.world.stats

    def mark(student: str, accuracy: float) -> tuple[str | None, float]:
        assert stats._process_custom_stat("accuracy", accuracy, student, round(session.now * 1000))
        return stats.get_last_value("overall_best_student"), stats.get_last_value("overall_best_accuracy")

    assert mark("Stranger", 0.9) == (None, -1.0)
    assert mark("Prototype", 0.0) == ("Prototype", 0.0)
    assert mark("Plain", 0.5) == ("Plain", 0.5)
    assert mark("Prototype", 0.5) == ("Plain", 0.5)
    assert mark("Prototype", 0.6) == ("Prototype", 0.6)
    scores = {peer: [badge["score"] for badge in held] for peer, held in session.world.get_all_badges().items()}
    assert scores == {"Prototype": [0.0, 0.6], "Plain": [0.5]}
    assert stats.get_last_value("accuracy", "Stranger") == 0.9
    assert not stats._process_custom_stat("peer_acc_per_class_0", 0.5, "Plain", 0)


def test_the_dashboard_shows_all_of_it(course: lab.Session) -> None:
    page = course.world.stats.plot()
    assert page is not None
    for text in ("Who knows whom", "Best so far", "Forgetting: accuracy per class, exam by exam", "States", "exam 10"):
        assert text in page
    assert page == course.world.stats.plot()


def test_the_dashboard_of_a_world_that_has_just_begun(course: lab.Session) -> None:
    session = lab.load(WORLD)
    assert session.world.stats.plot()
    session.step(3)
    assert session.world.stats.plot()


def test_the_heat_map_has_a_row_per_student_and_class_and_a_column_per_exam(course: lab.Session) -> None:
    stats = course.world.stats
    trace = stats._forgetting(stats.get_view(0))
    assert trace["x"] == [f"exam {number}" for number in range(1, 11)]
    labels = list(zip(*trace["y"], strict=True))
    assert labels == [(student, str(digit)) for student in STUDENTS for digit in range(10)][::-1]
    rows = dict(zip(labels, trace["z"], strict=True))
    for student in STUDENTS:
        marks = marks_from_records(course, student)
        for digit in range(10):
            shown = [per_class[digit] if len(per_class) > digit else None for _, per_class in marks]
            assert rows[student, str(digit)] == shown
