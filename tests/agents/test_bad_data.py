"""Data that is not what was declared: an error that names the stream, an answer to who asked, and the world goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from runtime.rooms import Completed, Dropped, Fault, Tried, ends, machine, records, room

from unaiverse_lab import Agent, Session, Stream, StreamType
from unaiverse_lab.core.envelope import StreamSample, SupplyEnded
from unaiverse_lab.core.records import Pushed
from unaiverse_lab.data.library import ImageFileStream, Source
from unaiverse_lab.data.sequences import BufferedStream

PAIR = {"data_type": "tensor", "tensor_shape": (1, 2), "tensor_dtype": torch.float32}
GOOD = torch.zeros(1, 2)


class Broken(BufferedStream):
    """A sequence whose sample number ``at`` cannot be read."""

    def __init__(self, at: int = 0) -> None:
        super().__init__(name="tape", data_type="text")
        self.at, self.is_read_only = at, True

    @property
    def length(self) -> int | None:
        return 5

    def sample(self, index: int) -> Any:
        if index == self.at:
            raise OSError("the tape is torn")
        return f"word {index}"


def pair(tape: Stream, *, slot: StreamType | str = "text", own_run: bool = False, world_owns: bool = False) -> Session:
    """Ann (or the world) has a sequence; Bob, whom she knows, processes what he is asked to, or records by himself."""
    hsm = machine(Agent)
    hsm.add_transit("ready", "ready", action="process")
    if own_run:
        owner = "World" if world_owns else "Ann"
        recording = {"streams": [f"{owner}:tape"], "num_steps": 2}
        hsm.add_transit("ready", "recorded", action="record", args=recording, ready=True, delay=1.0)
    world = room(worker=hsm, plain=machine(Agent))
    ann = Agent()
    (world if world_owns else ann).add_stream(tape)
    session = Session(world, delta=0.1)
    session.add(ann, "Ann", role_preference="plain")
    session.add(Agent(proc_inputs=[slot], proc_outputs=["all"]), "Bob", role_preference="worker")
    session.step(3)
    ann.contact("Bob")
    session.step(3)
    return session


def ask(session: Session, steps: int = 3, ticks: int = 8) -> tuple[str, str]:
    session.agent("Ann")._send("process", "Bob", streams=["tape"], num_steps=steps)
    session.step(ticks)
    [end] = ends(session, "Ann")
    assert session.states_of("Bob") == ["ready"]
    assert not session.agent("Ann").supplies
    return end


@pytest.mark.parametrize("at", [0, 1])
def test_a_sample_that_cannot_be_read_ends_the_request_at_both_ends(at: int) -> None:
    session = pair(Broken(at))
    assert ask(session) == ("error", "stream 'tape': OSError: the tape is torn")
    [mine] = records(session, Completed, "Bob")
    assert mine.reason == "error"
    [fault] = records(session, Fault)
    assert (fault.node, fault.error, fault.code) == (
        "Ann",
        "OSError: the tape is torn",
        'raise OSError("the tape is torn")',
    )
    assert len(records(session, Pushed, "Bob")) == at


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (torch.zeros(1, 3), " torch.float32 of shape (1, 2), not a tensor torch.float32 of shape (1, 3)"),
        (
            torch.zeros(1, 2, dtype=torch.int64),
            " torch.float32 of shape (1, 2), not a tensor torch.int64 of shape (1, 2)",
        ),
        ("zero", ", not str ('zero')"),
    ],
)
def test_a_sample_of_another_kind_than_declared_ends_the_request(value: Any, problem: str) -> None:
    session = pair(Source([GOOD, value], circular=False, name="tape", **PAIR), slot=StreamType(**PAIR))
    assert ask(session) == ("error", f"stream 'tape' carries tensors{problem}")


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"tensor_shape": (1, 3)}, "shape (1, 3) vs (1, 2)"),
        ({"tensor_dtype": torch.float64}, "torch.float64 vs torch.float32"),
        ({"tensor_labels": ["cat", "cow"]}, "labels ['cat', 'cow'] vs ['cat', 'dog']"),
    ],
)
def test_a_stream_that_does_not_fit_is_rejected_with_what_was_expected(change: dict[str, Any], detail: str) -> None:
    labelled = {**PAIR, "tensor_labels": ["cat", "dog"]}
    slot = StreamType(**{**PAIR, "tensor_labels": None, **change})
    session = pair(Source([GOOD], circular=False, name="tape", **labelled), slot=slot)
    reason, why = ask(session, 1)
    assert reason == "rejected"
    assert why == f"no stream fits the slot 'proc_input_0' (tape: {detail})"


def test_any_size_in_the_stream_meets_a_fixed_size_in_the_slot() -> None:
    loose = {**PAIR, "tensor_shape": (None, 2)}
    session = pair(Source([torch.zeros(4, 2)], circular=False, name="tape", **loose), slot=StreamType(**PAIR))
    reason, why = ask(session, 1)
    assert reason == "error"
    assert "stream 'proc_input_0' carries tensors torch.float32 of shape (1, 2), not a tensor" in why


def test_an_empty_sequence_is_an_error_not_a_long_wait() -> None:
    session = pair(BufferedStream(name="tape", data_type="text"))
    assert ask(session) == ("error", "stream 'tape' has 0 samples, there is no number 0")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    album = ImageFileStream(tmp_path, ["a.png"], name="tape")
    (tmp_path / "a.png").write_text("no picture")
    session = pair(album, slot="img")
    reason, why = ask(session)
    assert reason == "error"
    assert "stream 'tape'" in why
    assert "a.png' cannot be read as a picture" in why


@pytest.mark.parametrize("world_owns", [False, True])
@pytest.mark.parametrize("tape", [Broken, lambda: BufferedStream(name="tape", data_type="text")])
def test_a_run_of_ones_own_gives_up_with_the_reason_and_tries_again(tape: Any, world_owns: bool) -> None:
    session = pair(tape(), own_run=True, world_owns=world_owns)
    session.step(20)
    tries = [one for one in records(session, Tried, "Bob") if one.action == "record"]
    reasons = {one.reason for one in tries if one.outcome != "waiting"}
    assert len(reasons) == 1
    assert "stream 'tape'" in (reasons.pop() or "")
    assert session.agent("Bob").behav.is_enabled()


def test_own_sequences_that_fail_do_not_stop_the_machine() -> None:
    hsm = machine(Agent)
    recording = {"streams": ["tape"], "num_steps": 2}
    hsm.add_transit("ready", "recorded", action="record", args=recording, ready=True)
    hsm.add_transit("ready", "gone", action="nop", delay=1.0)
    ann = Agent()
    ann.add_stream(Broken(1))
    session = Session(room(worker=hsm), delta=0.1)
    session.add(ann, "Ann", role_preference="worker")
    session.step(4)
    assert {one.reason for one in records(session, Tried, "Ann") if one.outcome == "failed"} == {
        "OSError: the tape is torn"
    }  # fmt: skip
    assert {fault.error for fault in records(session, Fault)} == {"OSError: the tape is torn"}
    session.step(15)
    assert session.states_of("Ann") == ["gone"]
    assert "tape@recorded1" not in ann.owned_streams


def test_somebody_elses_failure_cannot_end_a_request() -> None:
    session = pair(Source(["a", "b"], circular=False, name="tape", data_type="text"))
    session.add(Agent(), "Eve", role_preference="plain")
    session.step(3)
    sent = session.agent("Ann")._send("process", "Bob", streams=["tape"], num_steps=2)
    assert sent is not None
    session.step(1)
    session.synchronizer.transport.post("Eve", "Bob", SupplyEnded(sent.uuid, "ha"))
    session.step(8)
    assert ends(session, "Ann") == [("ok", "")]


def test_a_sample_that_breaks_the_promise_is_dropped_with_the_name_of_its_stream() -> None:
    session = pair(Stream(name="tape", data_type="text", pubsub=True))
    sample = {"data": 5, "data_tag": 0, "data_uuid": None}
    session.synchronizer.transport.post("Ann", "Bob", StreamSample("Ann::ps:tape", {"tape": [sample]}))
    session.step(2)
    [dropped] = records(session, Dropped, "Bob")
    assert "stream 'tape' carries text, not int (5)" in dropped.reason
