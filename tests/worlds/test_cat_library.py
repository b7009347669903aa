"""The cat library: CAT-1 to CAT-3, and what the student owes to its lessons."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from runtime.rooms import Completed, Moved, moves, records

import unaiverse_lab as lab
from unaiverse_lab.core.records import Pushed, RoleSet
from worlds.folders import Told, copy_of, failed_checks, played, weights

WORDS, REPEAT = 40, 50


@pytest.fixture(scope="module")
def passed() -> lab.Session:
    return played("cat_library")


def short(folder: Path, repeat: int = 5, lr: float = 0.01) -> Path:
    """The library with less to learn from."""
    return copy_of(
        "cat_library",
        folder,
        ("run_w.py", '"cats.csv"))', f'"cats.csv"), repeat={repeat})'),
        ("run_2.py", "lr=0.05", f"lr={lr}"),
    )


def teaching(repeat: int, end: str) -> list[str]:
    """What the teacher does once somebody is engaged."""
    lesson = [
        "begin_teaching -send-> student_finished_following",
        "student_finished_following -nop-> change_lecture",
        "change_lecture -check_pref_stream-> begin_teaching",
    ]
    last = [*lesson[:2], "change_lecture -check_pref_stream-> exam_time"]
    exam = ["exam_time -send-> student_finished_exam", "student_finished_exam -nop-> eval_time"]
    judged = {"good": "eval_time -compare_eval-> good", "bad": "eval_time -nop-> bad"}[end]
    return [*lesson * (repeat - 1), *last, *exam, judged]


def error_of(session: lab.Session) -> float:
    return session.agent("Test1").comparisons["Test2"].error


def test_its_own_checks_hold(passed: lab.Session) -> None:
    assert failed_checks(passed, "cat_library") == []
    assert not [record for record in passed.trace if record.kind in ("error", "dropped")]


def test_cat_1_so_many_lessons_and_one_exam_of_all_words(passed: lab.Session) -> None:
    served = [r for r in records(passed, Completed, "Test2") if r.side == "received" and r.action != "engage"]
    assert Counter((r.action, r.reason) for r in served) == {("learn", "ok"): REPEAT, ("process", "ok"): 1}
    steps = {r.action: r.step + 1 for r in records(passed, Moved, "Test2") if r.uuid is not None}
    assert steps == {"engage": 1, "learn": WORDS, "process": WORDS}
    answers = Counter(r.uuid for r in records(passed, Pushed, "Test1") if r.owner == "Test2")
    assert list(answers.values()) == [WORDS] * (REPEAT + 1)


def test_cat_1_states_in_order(passed: lab.Session) -> None:
    teacher = moves(passed, "Test1")
    assert teacher[0] == "init -record-> book_prepared"
    assert teacher[teacher.index("engagement_complete -set_pref_streams-> begin_teaching") + 1 :] == teaching(
        REPEAT, "good"
    )
    lesson = ["teacher_engaged -learn-> finished_learning", "finished_learning -nop-> teacher_engaged"]
    exam = ["teacher_engaged -process-> finished_exam", "finished_exam -nop-> teacher_engaged"]
    assert moves(passed, "Test2") == ["init -engage-> teacher_engaged", *lesson * REPEAT, *exam]
    assert [(r.node, r.role) for r in records(passed, RoleSet)] == [("Test1", "teacher"), ("Test2", "student")]


def test_cat_2_fifty_readings_are_enough(passed: lab.Session) -> None:
    assert error_of(passed) <= 0.05
    assert passed.states_of("Test1") == ["good"]


def test_cat_2_five_readings_with_a_small_rate_are_not(tmp_path: Path) -> None:
    session = played(short(tmp_path))
    assert error_of(session) >= 0.5
    assert session.states_of("Test1") == ["bad"]
    assert moves(session, "Test1")[-len(teaching(5, "bad")) :] == teaching(5, "bad")


def test_cat_3_the_poem_is_said_by_heart(passed: lab.Session) -> None:
    [*_, exam] = passed.agent("Test1").answers["Test2"].values()
    poem = [sample.value for sample in passed.world.owned_streams["cats"]]
    assert [value for _, value in exam["proc_output_0"]] == poem
    assert len(poem) == WORDS


def test_who_has_learned_nothing_fails(tmp_path: Path) -> None:
    folder = short(tmp_path, repeat=2, lr=0.0)
    session = lab.load(folder)
    before = weights(session)
    session.run()
    assert weights(session) == before
    assert error_of(session) >= 0.5
    assert session.states_of("Test1") == ["bad"]


def test_the_exam_teaches_nothing(tmp_path: Path) -> None:
    session = lab.load(short(tmp_path))
    fresh = weights(session)
    teacher = session.agent("Test1")
    session.run(lambda _: teacher.behav.get_state_name(consider_limbo=True) == "exam_time", max_cycles=1000)
    taught = weights(session)
    session.run()
    assert session.states_of("Test1") == ["bad"]
    assert weights(session) == taught != fresh


def test_the_command_line_checks_it_and_the_same_seed_gives_the_same_run_and_weights(passed: lab.Session) -> None:
    told = Told("cat_library", "--seed", "0")
    assert (told.code, told.errors, told.fails) == (0, "", [])
    assert len(told.holds) == 4
    assert told.digest == passed.digest()
    assert told.weights == weights(passed)


def test_the_command_line_says_what_does_not_hold(tmp_path: Path) -> None:
    told = Told(short(tmp_path))
    assert told.code == 1
    assert [line.split()[1] for line in told.fails] == ["CAT-1", "CAT-2", "CAT-3"]
    assert told.fails[1].split("  ")[-1].endswith(", bad")
    assert len(told.digest) == 32


def test_a_run_that_is_cut_short_is_not_judged() -> None:
    told = Told("cat_library", "--ticks", "5")
    assert (told.code, told.holds, told.fails, told.weights) == (0, [], [], {})
