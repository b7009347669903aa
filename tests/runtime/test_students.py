"""Many students of one architecture in one world: trained as one batch, as if one by one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unaiverse_lab import Agent, HybridStateMachine, NodeProfile, Session, Stream, StreamType, World
from unaiverse_lab.core.records import Completed, Fault, Moved, Pushed
from unaiverse_lab.data.library import Dataset

STEPS, STUDENTS = 20, 12


class Teacher(Agent):
    """Owns the lesson: points of the plane and the side of a line they are on."""

    def accept_new_role(self, role: int) -> None:
        super().accept_new_role(role)
        points = torch.randn(STEPS, 2, generator=torch.Generator().manual_seed(5))
        sides = (points.sum(dim=1) > 0).long()
        data = [(points[i], sides[i]) for i in range(STEPS)]
        self.add_stream(Stream.create(Dataset(data, shape=(None, 2), index=0), name="x", group="lesson"))
        self.add_stream(Stream.create(Dataset(data, shape=(None,), index=1), name="y", group="lesson"))
        self.update_streams_in_profile()


class Student(Agent):
    """Learns when asked."""


class School(World):
    """One teacher, many students."""

    def __init__(self) -> None:
        teacher = HybridStateMachine(Teacher(proc=None))
        teacher.add_transit("init", "meeting", action="connect_by_role", args={"role": "student"})
        teacher.add_transit("meeting", "met", action="connected", args={"handshake_completed": True})
        lesson = {"stdin": ["x@lesson"], "stdtar": ["y@lesson"]}
        args = {"action_name": "learn", "streams": lesson, "num_steps": STEPS, "wait_completion": True}
        teacher.add_transit("met", "done", action="send", args={**args, "require": "any"}, ready=True)
        student = HybridStateMachine(Student(proc=None))
        student.add_transit("ready", "ready", action="learn")
        super().__init__(
            roles={"teacher": Teacher, "student": Student}, behaviors={"teacher": teacher, "student": student}
        )

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        return "teacher" if is_world_master else "student"


def student(seed: int, broken: bool = False) -> Agent:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return Agent(
        proc=model,
        proc_inputs=[StreamType("tensor", tensor_shape=(None, 2), tensor_dtype="torch.float32")],
        proc_outputs=[
            StreamType(
                "tensor",
                tensor_shape=(None,),
                tensor_dtype="torch.int64",
                proc_to_stream_transforms=lambda scores: scores.argmax(dim=1) / 0 if broken else scores.argmax(dim=1),
            )
        ],
        proc_opts={"optimizer": optimizer, "losses": [nn.functional.cross_entropy]},
    )


def school(stack_students: bool, broken: int | None = None, strict: bool = False) -> Session:
    session = Session(School(), delta=0.1, stack_students=stack_students, strict=strict)
    for number in range(STUDENTS):
        session.add(student(number, number == broken), f"S{number}")
    session.step(2)
    session.add(Agent(), "Teacher", master=True)
    session.run(until="Teacher:done", max_cycles=200)
    session.step(3)
    return session


def weights(session: Session) -> list[torch.Tensor]:
    return [p.detach().clone() for n in range(STUDENTS) for p in session.agent(f"S{n}").proc.parameters()]


def test_weights_are_those_of_training_one_by_one() -> None:
    together, alone = school(True), school(False)
    for session in (together, alone):
        assert not session.trace.of_kind(Fault)
        assert session.states_of("Teacher") == ["done"]
    before = [p for n in range(STUDENTS) for p in student(n).proc.state_dict().values()]
    assert max(float((a - b).abs().max()) for a, b in zip(weights(together), before, strict=True)) > 0.05
    assert max(float((a - b).abs().max()) for a, b in zip(weights(together), weights(alone), strict=True)) < 1e-5
    moves = [[(r.tick, r.node, r.action) for r in s.trace.of_kind(Moved)] for s in (together, alone)]
    assert moves[0] == moves[1]


def test_every_step_is_answered() -> None:
    session = school(True)
    answers = [r for r in session.trace.of_kind(Pushed) if r.node == "Teacher"]
    assert len(answers) == STEPS * STUDENTS
    assert [r.tag for r in answers if r.owner == "S3"] == list(range(STEPS))


def test_the_same_seed_gives_the_same_run_weights_included() -> None:
    one, other = school(True), school(True)
    assert one.digest() == other.digest()
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_a_student_whose_output_is_wrong_is_told_and_the_others_go_on() -> None:
    session = school(True, broken=4)
    faults = session.trace.of_kind(Fault)
    assert {fault.node for fault in faults} == {"S4"}
    ended = {r.peer: r.reason for r in session.trace.of_kind(Completed) if r.side == "received" or r.node == "Teacher"}
    assert ended
    assert session.states_of("Teacher") == ["done"]
    reasons = {r.node: r.reason for r in session.trace.of_kind(Completed) if r.side == "received"}
    assert reasons.pop("S4") == "error"
    assert set(reasons.values()) == {"ok"}


@pytest.mark.parametrize("stack_students", [True, False])
def test_a_processor_that_cannot_learn_says_so(stack_students: bool) -> None:
    session = Session(School(), delta=0.1, stack_students=stack_students)
    session.add(Agent(proc=lambda x: x, proc_inputs=["all"], proc_outputs=["all"]), "S0")
    session.step(2)
    session.add(Agent(), "Teacher", master=True)
    session.step(40)
    assert "cannot learn" in session.trace.of_kind(Fault)[0].error
    assert [r.reason for r in session.trace.of_kind(Completed) if r.side == "received"][0] == "error"


def test_over_a_strict_transport_nothing_is_different() -> None:
    assert school(True).digest() == school(True, strict=True).digest()
