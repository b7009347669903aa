"""What must come out of a run: SIG-1 to SIG-3 of the gallery, and how the student fares in a blind exam."""

from typing import Any

import torch

from unaiverse_lab import Agent, Session
from unaiverse_lab.core.records import Completed, Pushed
from unaiverse_lab.data.comparison import compare

TAUGHT, UNTAUGHT = ["smoHfHa", "smoHfLa", "smoLfHa", "smoLfLa", "squHfHa", "squHfLa", "squLfHa"], "squLfLa"
ROUNDS = 3
PATIENCE = 3


def UNTIL(session: Session) -> bool:
    """The teacher has judged the untaught signal; or the time of three courses is over, without a pass."""
    course = ((ROUNDS + 1) * len(TAUGHT) + 1) * session.world.steps
    return session.agent("Test1").behav.state in ("very_good", "not_good") or session.tick > PATIENCE * course


def checks(session: Session) -> list[tuple[str, bool, str]]:
    """What is expected, whether it holds, what was found."""
    teacher, student, steps = session.agent("Test1"), session.agent("Test2"), session.world.steps
    done = [(action, name) for action, name, _ in interactions(session)]
    lessons = [name for action, name in done if action == "learn"]
    exams = [name for action, name in done if action == "process"]
    learned_first = done[: len(TAUGHT) * ROUNDS] == [("learn", name) for name in TAUGHT * ROUNDS]
    answers = {
        name: teacher.answers["Test2"].get(uuid, {})
        for action, name, uuid in interactions(session)
        if action == "process"
    }

    def judged(name: str, limit: float, part: str) -> tuple[str, bool, str]:
        signal = [sample.value for sample in teacher.owned_streams[f"signal@{name}"].take(steps)]
        descriptor = teacher.owned_streams[f"descriptor@{name}"][0].value
        error = mse(signal, [value for _, value in answers.get(name, {}).get("proc_output_0", [])])
        blind = mse(signal, blind_answers(student, signal, descriptor))
        power = mse(signal, [torch.zeros(1, 1)] * steps)
        limit = min(limit, 0.7 * power) if name.startswith("squ") and name in TAUGHT else limit
        found = f"error {error:.3f}; blind {blind:.3f}; of a zero answer {power:.3f}"
        return f"{part} {name}: error <= {limit:g}", name in exams and error <= limit, found

    end = teacher.behav.get_state_name(consider_limbo=True)
    return [
        (
            f"SIG-1 {ROUNDS} rounds of {len(TAUGHT)} lessons before the first exam, in order",
            learned_first and len(lessons) == len(TAUGHT) * ROUNDS,
            f"{len(lessons)} lessons",
        ),
        ("SIG-1 an exam on each of these, then on the untaught one", exams == [*TAUGHT, UNTAUGHT], ", ".join(exams)),
        *(judged(name, 0.2, "SIG-2") for name in TAUGHT),
        judged(UNTAUGHT, 0.2, "SIG-3"),
        ("SIG-3 the teacher says very_good", end == "very_good", str(end)),
    ]


def interactions(session: Session) -> list[tuple[str, str, str]]:
    """Action, signal and uuid of each lesson and exam that was done, in order."""
    heard = {
        record.uuid: record.stream.removeprefix("signal@")
        for record in session.trace.of_kind(Pushed)
        if record.node == "Test2" and record.stream.startswith("signal@")
    }
    return [
        (record.action, heard[record.uuid], record.uuid)
        for record in session.trace.of_kind(Completed)
        if (record.node, record.side, record.reason) == ("Test1", "sent", "ok") and record.uuid in heard
    ]


def blind_answers(student: Agent, signal: list[Any], descriptor: Any) -> list[Any]:
    """What the student says of a signal when it hears the first sample only, and zeros from then on."""
    heard = [signal[0], *(sample * 0 for sample in signal[1:])]
    last = len(heard) - 1
    return [student.processor([one, descriptor], n == 0, n == last)[0] for n, one in enumerate(heard)]


def mse(signal: list[Any], answers: list[Any]) -> float:
    """Mean squared error, as the teacher computes it."""
    return compare(enumerate(signal), enumerate(answers), "mse", len(signal)).error
