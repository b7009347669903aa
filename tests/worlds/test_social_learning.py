"""Social learning: SOC-1 to SOC-5, two requests under one uuid, records and badges, and what if somebody is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from runtime.rooms import Completed, Dropped, Fault, Moved, Requested, moves, records

import unaiverse_lab as lab
from unaiverse_lab.behavior.reading import read
from unaiverse_lab.core.envelope import InteractionMessage
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import Badge, InState, Pushed, Sent
from unaiverse_lab.world.folder import find_world
from worlds.folders import Told, copy_of, failed_checks, played, weights

TEACHER, FAST, SLOW, ISOLATED = (f"DigitClassifier{number}" for number in (1, 2, 3, 4))
STUDENTS = [FAST, SLOW, ISOLATED]
CHAMPION = "World champion, MNIST classification #ImageClassification #MNIST"
STREAM = "best_student_stream"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums of many numbers depend on how many threads share them, and small networks are faster on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def school() -> lab.Session:
    return played("social_learning")


def of_student(session: lab.Session, name: str, student: str) -> list[Any]:
    """The values of a statistic of a student."""
    return [value for _, value in session.world.stats.get_series(name, student)]


def asked(session: lab.Session, *actions: str) -> list[Sent]:
    return [r for r in records(session, Sent, TEACHER) if r.action in actions]


# ------------------------------------------------------------------ courses


def test_its_own_checks_hold(school: lab.Session) -> None:
    assert failed_checks(school, "social_learning") == []
    assert not records(school, Fault)
    assert not records(school, Dropped)


def test_soc_1_a_lesson_and_an_exam_in_each_round_for_everybody(school: lab.Session) -> None:
    round_ = ["learn", "process", "subscribe", "learn_from_student", "teach"]
    assert [r.action for r in records(school, Sent, TEACHER)] == ["engage", *round_ * 2, "disengage"] * 2
    for student in STUDENTS:
        seen = [r for r in records(school, Pushed, student) if r.owner == TEACHER and r.stream.startswith("images@")]
        shown = [(r.stream, sum(one.uuid == r.uuid for one in seen)) for r in seen if r.tag == 0]
        taught = [one for one in shown if one[0] != "images@unlabeled"]
        assert taught == [("images@teach_0", 13), ("images@eval", 7), ("images@teach_1", 13), ("images@eval", 7)] * 2


def test_soc_1_the_best_has_the_smallest_error_and_the_world_notes_it(school: lab.Session) -> None:
    stats = school.world.stats
    exams = list(zip(*(of_student(school, "exam_err", student) for student in STUDENTS), strict=True))
    assert len(exams) == 4
    errors = [value for _, value in stats.get_series("best_exam_err_history")]
    assert errors == [min(exam) for exam in exams]
    bests = [value for _, value in stats.get_series("best_student_history")]
    assert bests == [STUDENTS[exam.index(min(exam))] for exam in exams]
    roles = [value for _, value in stats.get_series("best_student_role_history")]
    assert roles == [school.world.get_role(best) for best in bests]
    best = errors.index(min(errors))
    assert stats.get_last_value("overall_best_exam_err") == errors[best]
    assert stats.get_last_value("overall_best_student") == bests[best]
    assert stats.get_last_value("overall_best_student_role") == roles[best]


def test_the_score_of_a_badge_is_what_was_right(school: lab.Session) -> None:
    errors = [value for _, value in school.world.stats.get_series("best_exam_err_history")]
    given = [(r.badge_type, r.score, r.by) for r in records(school, Badge)]
    assert [score for kind, score, by in given if (kind, by) == ("intermediate", TEACHER)] == [1 - e for e in errors]
    records_ = [error for number, error in enumerate(errors) if error < min(errors[:number], default=2.0)]
    assert [(score, by) for kind, score, by in given if kind == "completed"] == [(1 - e, None) for e in records_]
    assert len(given) == len(errors) + len(records_)
    kept = [badge for badges in school.world.get_all_badges().values() for badge in badges]
    assert [badge["score"] for badge in kept if badge["badge_description"] == CHAMPION] == [1 - e for e in records_]


# ------------------------------------------------------------------ students among each other


def test_soc_2_all_the_steps_for_the_social_ones_and_none_for_the_isolated_one(school: lab.Session) -> None:
    served = [
        (r.node, r.action, r.step + 1)
        for r in records(school, Moved)
        if r.action in ("teach", "learn_from_student", "subscribe")
    ]
    assert served == [(SLOW, "subscribe", 1), (FAST, "teach", 13), (SLOW, "learn_from_student", 13)] * 4


def test_soc_2_the_others_learn_what_the_best_one_says_under_their_own_uuid(school: lab.Session) -> None:
    lessons, teaching = asked(school, "learn_from_student"), asked(school, "teach")
    assert [r.args for r in teaching] == [{"relay_uuid": r.uuid} for r in lessons]
    published = [r for r in records(school, Pushed) if r.stream.endswith(STREAM)]
    assert {(r.node, r.owner) for r in published} == {(SLOW, FAST)}
    for lesson, teach in zip(lessons, teaching, strict=True):
        said = [r.value for r in records(school, Pushed, TEACHER) if (r.owner, r.uuid) == (FAST, teach.uuid)]
        heard = {
            name: [(r.tag, r.value) for r in published if (r.stream, r.uuid) == (f"{name}@{STREAM}", lesson.uuid)]
            for name in ("images", "labels")
        }
        shown = [r.value for r in records(school, Pushed, FAST) if r.uuid == teach.uuid]
        assert heard["labels"] == list(enumerate(said))
        assert heard["images"] == list(enumerate(shown))
        assert len(said) == 13


def test_everybody_says_it_is_done_and_only_then_the_teacher_goes_on(school: lab.Session) -> None:
    assert school.agent(TEACHER).asked == set()  # type: ignore[attr-defined]
    ended = [r.tick for r in records(school, Completed, TEACHER) if r.action in ("teach", "learn_from_student")]
    gone_on = [r for r in records(school, Moved, TEACHER) if r.source == "best_teaching"]
    assert [r.action for r in gone_on] == ["all_asks_done"] * 4
    assert [r.tick for r in gone_on] == [last + 1 for last in ended[1::2]]


def test_nobody_can_be_taught_by_the_isolated_one(tmp_path: Path) -> None:
    folder = copy_of(
        "social_learning",
        tmp_path,
        ("run_2.py", "rate=0.005", "rate=0.0"),
        ("run_3.py", "rate=0.001", "rate=0.0"),
        ("run_4.py", "rate=0.001", "rate=0.005"),
    )
    session = played(folder)
    assert set(dict(session.world.stats.get_series("best_student_history")).values()) == {ISOLATED}
    assert session.world.stats.get_last_value("overall_best_student_role") == "student_isolated"
    assert asked(session, "subscribe", "teach", "learn_from_student") == []
    managed = [r for r in records(session, InState, TEACHER) if r.action == "manage_best_of_class"]
    assert [(r.ok, r.reason) for r in managed] == [(False, f"nobody can learn from {ISOLATED}")] * 4
    assert failed_checks(session, folder) == []


@pytest.mark.parametrize("leaver", [FAST, SLOW])
def test_the_course_goes_on_when_a_student_leaves_during_the_lesson_among_students(leaver: str) -> None:
    session = lab.load("social_learning")
    session.run(lambda one: bool(asked(one, "teach")))
    session.step(5)
    session.remove(leaver)
    session.run(lambda one: len(asked(one, "process")) == 2, max_cycles=1000)
    left = [r for r in records(session, Moved, TEACHER) if r.source == "best_teaching"]
    assert [r.action for r in left] == ["all_asks_done"]
    assert asked(session, "learn")[1].targets == [name for name in STUDENTS if name != leaver]
    assert not records(session, Fault)


# ------------------------------------------------------------------ the test at the end


def test_soc_3_one_test_in_each_course_a_batch_at_a_time_before_it_goes(school: lab.Session) -> None:
    tested = -(-len(_digits("test")) // 32)
    for student in STUDENTS:
        ends = [r for r in records(school, Moved, student) if r.action == "disengage"]
        begins = [r.tick for r in records(school, Requested, student) if r.action == "disengage"]
        assert [end.tick - begin for begin, end in zip(begins, ends, strict=True)] == [tested] * 2
        points = school.world.stats.get_series("full_test_err", student)
        assert [time for time, _ in points] == [round(end.t * 1000) for end in ends]
        assert [end.target for end in ends] == ["init"] * 2
        net, items = school.agent(student).proc, _digits("test")
        with torch.no_grad():
            answers = net(torch.stack([image for image, _ in items])).argmax(dim=1)
        assert points[-1][1] == mean(
            float(answer != number) for answer, (_, number) in zip(answers, items, strict=True)
        )


def _digits(part: str) -> list[tuple[torch.Tensor, int]]:
    from unaiverse_lab.world.folder import isolated_imports

    with isolated_imports(find_world("social_learning")):
        from src.digits import digits  # type: ignore[import-not-found]
    return digits(part)


def test_no_digit_is_in_two_parts() -> None:
    parts = [_digits(part) for part in ("teach_0", "teach_1", "unlabeled", "eval", "test")]
    assert [len(items) for items in parts] == [400, 400, 400, 200, 397]
    pictures = [image.numpy().tobytes() for items in parts for image, _ in items]
    assert len(set(pictures)) == 1797
    assert {tuple(image.shape) for items in parts for image, _ in items} == {(1, 8, 8)}


def test_who_is_not_engaged_cannot_end_the_course() -> None:
    session = lab.load("social_learning")
    session.run(f"{SLOW}:teacher_engaged")
    student = session.agent(SLOW)
    student.all_agents[FAST] = session.agent(FAST).get_profile()
    request = Interaction("disengage", requester=FAST, target=SLOW, id="1")
    session.synchronizer.transport.post(FAST, SLOW, InteractionMessage(request.to_dict()))
    session.step(2)
    [end] = [r for r in records(session, Completed, SLOW) if r.action == "disengage"]
    assert (end.reason, end.detail) == ("rejected", "we are not engaged")
    assert of_student(session, "full_test_err", SLOW) == []
    assert student._engaged_agents


@pytest.mark.parametrize("goes", [True, False])
def test_students_without_a_teacher_are_free_for_another_one(goes: bool) -> None:
    session = lab.load("social_learning")
    session.run(f"{SLOW}:teacher_engaged")
    if goes:
        session.remove(TEACHER)
        session.step(3)
    else:
        session.agent(TEACHER).behav.enable(False)
        session.agent(TEACHER).im.unregister_all()
        session.step(15 * 31)
    assert [session.states_of(student) for student in STUDENTS] == [["init"]] * 3
    way = "disconnected" if goes else "nop"
    assert moves(session, ISOLATED)[-1] == f"teacher_engaged -{way}-> init"
    assert all(session.agent(student)._available for student in STUDENTS)


# ------------------------------------------------------------------ the experiment


def test_soc_4_the_social_student_knows_more_than_the_isolated_one_on_average(tmp_path: Path) -> None:
    """Eight pairs, alike but for one thing; other digits and other first weights for each pair."""
    errors: dict[str, list[float]] = {student: [] for student in STUDENTS}
    for seed in range(8):
        fast, slow = f"seed={2 * seed}", f"seed={2 * seed + 1}"
        folder = copy_of(
            "social_learning",
            tmp_path / str(seed),
            ("run_2.py", "seed=62", fast),
            ("run_3.py", "seed=42", slow),
            ("run_4.py", "seed=42", slow),
        )
        session = played(folder, seed)
        for student in STUDENTS:
            errors[student].append(of_student(session, "full_test_err", student)[-1])
    assert mean(errors[FAST]) < mean(errors[SLOW]) < mean(errors[ISOLATED]) - 0.02
    assert sum(social < alone for social, alone in zip(errors[SLOW], errors[ISOLATED], strict=True)) >= 5


def test_soc_4_the_pair_begins_alike_and_differs_by_the_lessons_among_students_only() -> None:
    session = lab.load("social_learning")
    assert weights(session)[SLOW] == weights(session)[ISOLATED] != weights(session)[FAST]
    session.run(lambda one: bool(asked(one, "teach")))
    assert weights(session)[SLOW] == weights(session)[ISOLATED]
    assert of_student(session, "exam_err", SLOW) == of_student(session, "exam_err", ISOLATED)
    session.run(f"{SLOW}:teacher_engaged")
    assert weights(session)[SLOW] != weights(session)[ISOLATED]


def test_soc_5_roles_by_preference(school: lab.Session) -> None:
    world = school.world
    assert [world.get_role(name) for name in (TEACHER, *STUDENTS)] == [
        "teacher", "student", "student", "student_isolated"
    ]  # fmt: skip
    session = lab.load("social_learning")
    for name, options in (("P", {"role_preference": "teacher"}), ("Q", {"role_preference": "student"}), ("M", {})):
        session.add(lab.Agent(), name, master=name == "M", **options)  # type: ignore[arg-type]
    session.step(3)
    assert [session.world.get_role(name) for name in "PQM"] == ["student"] * 3


# ------------------------------------------------------------------ reproducible, drawn, as the gallery has it


def test_the_command_line_checks_it_and_gives_the_same_run_whatever_the_hash_seed(
    school: lab.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        told = Told("social_learning", "--seed", "0", *(["--strict"] if seed == "2" else []))
        assert (told.code, told.errors, told.fails) == (0, "", [])
        assert len(told.holds) == 8
        assert told.digest == school.digest()
        assert told.weights == weights(school)
    assert list(told.weights) == STUDENTS


def test_another_seed_brings_other_digits_and_the_checks_still_hold(school: lab.Session) -> None:
    session = played("social_learning", seed=1)
    assert failed_checks(session, "social_learning") == []
    assert set(weights(session).values()).isdisjoint(weights(school).values())


def test_the_dashboard_shows_errors_states_and_the_best_student(school: lab.Session) -> None:
    page = school.world.stats.plot()
    for text in ("MNIST Monitor", "Error in the exams", "Error on the full test set", "States", "Last actions", FAST):
        assert text in page
    before = lab.load("social_learning")
    assert "MNIST Monitor" in before.world.stats.plot()


def test_the_behaviors_are_sound() -> None:
    import subprocess
    import sys

    ran = subprocess.run(
        [sys.executable, "-m", "unaiverse_lab", "lint", "social_learning"], capture_output=True, text=True, timeout=60
    )
    assert ran.stdout == "no findings in 3 behaviors\n"


TEACHING = [
    "connected: agents_are_waiting -> connected, find_agents -> can_engage, nop -> connection_timeout (teleport, 45)",
    "engagement_complete: set_pref_streams -> begin_teaching",
    "begin_teaching: send -> student_finished_following",
    "student_finished_following: nop -> exam_time",
    "exam_time: send -> student_finished_exam",
    "student_finished_exam: nop -> compare_time",
    "compare_time: compare_eval -> best_found, nop -> best_not_found",
    "best_found: social_round -> best_teaching, nop -> change_lecture",
    "best_not_found: nop -> change_lecture",
    "best_teaching: all_asks_done -> change_lecture, nop -> change_lecture (teleport, 60)",
    "change_lecture: check_pref_stream -> begin_teaching, check_pref_stream -> finished_teaching",
    "finished_teaching: send_disengage -> wait_for_disengagement",
    "wait_for_disengagement: all_sent_completed -> init, nop -> init (60)",
]
ESCAPES = "disengage -> init (asked, teleport), disconnected -> init (teleport), nop -> init (teleport, 30)"
LEARNING = [
    "init: engage -> teacher_engaged (asked)",
    "teacher_engaged: learn -> finished_learning (asked), subscribe -> listening_to_best_student (asked), "
    f"teach -> teacher_engaged (asked), {ESCAPES}",
    f"finished_learning: process -> teacher_engaged (asked), {ESCAPES}",
    f"listening_to_best_student: learn_from_student -> teacher_engaged (asked), {ESCAPES}",
]


def described(role: str) -> list[str]:
    """The transitions of a behavior file, one line for each state, in order."""
    data = read(find_world("social_learning") / "src" / f"{role}.json")
    lines = []
    for state in data.states:
        found = []
        everywhere = [edge for edge in data.teleports.get("all", []) if edge.goto != state]
        teleports = [*data.teleports.get(state, []), *everywhere]
        for teleport, edges in enumerate((data.transitions.get(state, []), teleports)):
            for edge in edges:
                marks = ["asked"] * (not edge.on.ready) + ["teleport"] * teleport
                marks += [f"{edge.on.delay:g}"] * bool(edge.on.delay)
                found.append(f"{edge.on.action} -> {edge.goto}" + (f" ({', '.join(marks)})" if marks else ""))
        lines.append(f"{state}: {', '.join(found)}")
    return lines


def test_the_machines_are_those_of_the_gallery() -> None:
    assert set(TEACHING) <= set(described("teacher"))
    assert described("student") == described("student_isolated") == LEARNING
