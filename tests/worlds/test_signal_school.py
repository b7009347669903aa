"""The signal school: SIG-1 to SIG-3, the blind exam, and what a student that learns nothing gets."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import torch
from runtime.rooms import Completed, Moved, moves, records

import unaiverse_lab as lab
from unaiverse_lab.cli.run import acceptance_of
from unaiverse_lab.core.records import Pushed
from unaiverse_lab.world.folder import find_world, isolated_imports
from worlds.folders import Told, copy_of, failed_checks, played, weights

TAUGHT = ["smoHfHa", "smoHfLa", "smoLfHa", "smoLfLa", "squHfHa", "squHfLa", "squLfHa"]
SIGNALS = [*TAUGHT, "squLfLa"]
ENDING = [
    "good -check_pref_stream-> finished_work",
    "finished_work -send-> hard_exam_in_progress",
    "hard_exam_in_progress -nop-> eval_time_again",
]
POWER = {"Ha": 1.0, "La": 0.25}
"""Mean square of the square signals."""


def school(
    folder: Path, options: str = "", steps: int = 200, beta: float = 0.01, h_dim: int = 100, seed: int = 42
) -> Path:
    """The school with short lessons and a student with fewer oscillators."""
    return copy_of(
        "signal_school",
        folder,
        ("run_w.py", '"src"))', f'"src"), steps={steps}{options})'),
        ("run_2.py", "h_dim=1000, seed=42", f"h_dim={h_dim}, seed={seed}"),
        ("run_2.py", "beta=0.01", f"beta={beta}"),
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return school(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def played_small(small: Path) -> lab.Session:
    return played(small)


def acceptance() -> ModuleType:
    module = acceptance_of(find_world("signal_school"))
    assert module is not None
    return module


def models() -> ModuleType:
    with isolated_imports(find_world("signal_school")):
        return importlib.import_module("src.models")


def done(session: lab.Session) -> list[tuple[str, str]]:
    """Lessons and exams that were completed, with their signals, from the streams that the student was sent."""
    heard = {
        r.uuid: r.stream.partition("@")[2]
        for r in records(session, Pushed, "Test2")
        if (r.owner, r.stream.partition("@")[0]) == ("Test1", "signal")
    }
    served = [r for r in records(session, Completed, "Test2") if r.side == "received" and r.action != "engage"]
    assert {r.reason for r in served} == {"ok"}
    return [(r.action or "", heard[r.uuid]) for r in served]


def exam_errors(session: lab.Session) -> dict[str, float]:
    """Mean squared errors of the exams by signal, computed from the records alone."""
    numbers: dict[tuple[str, str | None], dict[int, float]] = {}
    for record in records(session, Pushed):
        if record.stream == "proc_output_0" or record.stream.startswith("signal@"):
            numbers.setdefault((record.node, record.uuid), {})[record.tag] = float((record.value or "").split()[-1])
    errors = {}
    for action, name, uuid in acceptance().interactions(session):
        if action == "process":
            signal, answers = numbers["Test2", uuid], numbers["Test1", uuid]
            assert signal.keys() == answers.keys()
            errors[name] = sum((signal[tag] - answers[tag]) ** 2 for tag in signal) / len(signal)
    return errors


def blind_errors(session: lab.Session) -> dict[str, float]:
    """What the acceptance table says of blind exams."""
    return {
        what.split()[1].rstrip(":"): float(found.split("blind ")[1].split(";")[0])
        for what, _, found in acceptance().checks(session)
        if "blind" in found
    }


# ------------------------------------------------------------------ the whole school


@pytest.fixture(scope="module")
def passed() -> lab.Session:
    return played("signal_school")


def test_its_own_checks_hold(passed: lab.Session) -> None:
    assert failed_checks(passed, "signal_school") == []
    assert not [record for record in passed.trace if record.kind in ("error", "dropped")]


def test_sig_1_three_rounds_of_seven_lessons_then_the_exams(passed: lab.Session) -> None:
    assert done(passed) == [*(("learn", name) for name in TAUGHT * 3), *(("process", name) for name in SIGNALS)]
    steps = [r.step + 1 for r in records(passed, Moved, "Test2") if r.uuid is not None and r.action != "engage"]
    assert steps == [600] * 29
    answers = Counter(r.uuid for r in records(passed, Pushed, "Test1") if r.owner == "Test2")
    assert list(answers.values()) == [600] * 29


def test_sig_2_every_exam_is_passed_and_the_squares_are_learned(passed: lab.Session) -> None:
    errors = exam_errors(passed)
    assert all(errors[name] <= 0.2 for name in TAUGHT), errors
    assert all(errors[name] <= 0.7 * POWER[name[-2:]] for name in TAUGHT if name.startswith("squ")), errors


def test_sig_3_the_signal_that_was_never_taught_is_passed_too(passed: lab.Session) -> None:
    assert exam_errors(passed)["squLfLa"] <= 0.2
    assert moves(passed, "Test1")[-4:] == [*ENDING, "eval_time_again -compare_eval-> very_good"]


def test_the_teacher_judges_what_the_records_say(passed: lab.Session) -> None:
    assert passed.agent("Test1").comparisons["Test2"].error == pytest.approx(exam_errors(passed)["squLfLa"], rel=1e-3)


def test_without_hearing_the_signal_the_fast_square_is_not_known(passed: lab.Session) -> None:
    heard, blind = exam_errors(passed), blind_errors(passed)
    assert list(blind) == SIGNALS
    assert blind["squHfHa"] > 0.2 > 10 * heard["squHfHa"]


# ------------------------------------------------------------------ a small school


def test_the_command_line_checks_it_and_the_same_seed_gives_the_same_run_and_weights(
    small: Path, played_small: lab.Session
) -> None:
    told = Told(small, "--seed", "0")
    assert (told.code, told.errors, told.fails) == (0, "", [])
    assert len(told.holds) == 11
    assert told.digest == played_small.digest()
    assert told.weights == weights(played_small)


def test_it_is_the_same_over_a_strict_transport(small: Path, played_small: lab.Session) -> None:
    strict = played(small, strict=True)
    assert strict.digest() == played_small.digest()
    assert weights(strict) == weights(played_small)


def test_the_teacher_owns_eight_groups_with_descriptors_of_six_features(played_small: lab.Session) -> None:
    owned = played_small.agent("Test1").owned_streams
    groups = {name: [s.name for s in owned.values() if s.props.group == name] for name in SIGNALS}
    assert groups == {name: [f"signal@{name}", f"descriptor@{name}"] for name in SIGNALS}
    features = ["3sin", "hf", "ha", "la", "lf", "square"]
    for name in SIGNALS:
        descriptor = owned[f"descriptor@{name}"]
        assert descriptor.props.tensor_labels == features
        hot = ["square" if name.startswith("squ") else "3sin", name[3:5].lower(), name[5:].lower()]
        assert descriptor[7].value.tolist() == [[float(feature in hot) for feature in features]]
    offered = played_small.agent("Test2").known_streams["Test1"]
    assert {stream.props.group for stream in offered.values()} >= set(SIGNALS)


@pytest.mark.parametrize(("profile", "steps"), [("lab", 600), ("real", 1000)])
def test_lessons_and_exams_are_as_long_as_the_profile_says(tmp_path: Path, profile: str, steps: int) -> None:
    session = lab.load(copy_of("signal_school", tmp_path, ("run_w.py", '"src"))', f'"src"), profile="{profile}")')))
    asking = [call.args for call in session.synchronizer.template("teacher").get_all_actions() if call.name == "send"]
    assert [args["num_steps"] for args in asking] == [steps] * 3


def test_a_student_that_does_not_know_the_untaught_signal_is_not_good(tmp_path: Path) -> None:
    strict_end = copy_of(
        "signal_school",
        tmp_path,
        ("run_w.py", '"src"))', '"src"), steps=20, threshold=9.0)'),
        ("src/world.py", '"thres": "<cmp_thres>"', '"thres": 0.0'),
    )
    session = played(strict_end)
    assert done(session) == [*(("learn", name) for name in TAUGHT * 3), *(("process", name) for name in SIGNALS)]
    assert moves(session, "Test1")[-4:] == [*ENDING, "eval_time_again -nop-> not_good"]
    assert "SIG-3 the teacher says very_good" in failed_checks(session, strict_end)


def test_who_has_learned_nothing_fails_and_is_taught_again(tmp_path: Path) -> None:
    folder = school(tmp_path, steps=60, beta=0.0)
    session = lab.load(folder)
    before = weights(session)
    session.run(acceptance().UNTIL)
    assert weights(session) == before
    course = [*(("learn", name) for name in TAUGHT * 3), ("process", "smoHfHa")]
    assert done(session)[:44] == course * 2
    assert exam_errors(session)["smoHfHa"] > 0.2
    again = ["eval_time -nop-> bad", "bad -first_pref_stream-> begin_teaching"]
    judged = [move for move in moves(session, "Test1") if move.startswith(("eval_time ", "bad "))]
    assert judged[:4] == again * 2
    failed = {what.split(":")[0] for what in failed_checks(session, folder)}
    assert {f"SIG-2 {name}" for name in TAUGHT} | {"SIG-3 squLfLa"} <= failed


def test_a_blind_exam_is_what_the_table_says_and_changes_the_exam_only(
    tmp_path: Path, played_small: lab.Session
) -> None:
    session = played(school(tmp_path, ', exam_input="blind", threshold=9.0'))
    heard, blind = exam_errors(played_small), exam_errors(session)
    assert list(blind) == SIGNALS
    assert blind == pytest.approx(blind_errors(session), abs=1e-3)
    assert blind == pytest.approx(blind_errors(played_small), abs=1e-3)
    assert blind["squHfHa"] > 0.2 > heard["squHfHa"]
    assert weights(session) == weights(played_small)


# ------------------------------------------------------------------ the model


def test_the_state_turns_and_keeps_its_energy() -> None:

    model = models().OscillatorBank(h_dim=20)
    signal, descriptor = torch.tensor([[0.5]]), torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    model(signal, descriptor, first=True)
    start = model.state.detach()
    for _ in range(50):
        model(signal * 0, descriptor, first=False)
    turned = torch.complex(*start) * torch.polar(torch.ones(10), 5.0 * model.speeds.detach())
    assert torch.allclose(torch.complex(*model.state.detach()), turned, atol=1e-5)
    model(signal, descriptor, first=True)
    assert torch.equal(model.state.detach(), start)


def test_hl_follows_the_costate_as_it_was() -> None:

    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = models().HL([weight], theta=0.2, beta=0.1, dt=0.5)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        (2.0 * weight).sum().backward()
        optimizer.step()
        seen.append((weight.item(), optimizer.costates[0].item()))
    assert seen == [pytest.approx(pair) for pair in ((1.0, 1.0), (0.95, 1.8), (0.86, 2.44))]
