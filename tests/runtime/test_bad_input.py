"""Whatever arrives, and whatever an action does: the world goes on, and the trace says what was wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unaiverse_lab import Agent, Interaction, Session, World, action
from unaiverse_lab.core.envelope import (
    AgentApproval,
    Body,
    InteractionMessage,
    InteractionStatus,
    ProfileMessage,
    RoleSuggestions,
    StreamRequest,
    StreamSample,
    Subscription,
    WorldApproval,
    WorldRefusal,
    decode_body,
    encode_body,
)
from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.core.limits import NotSendable

from .rooms import Completed, Dropped, Fault, Moved, Requested, Tried, ends, machine, moves, records, room


class Worker(Agent):
    """Meets everybody, works when asked, and fails in several ways."""

    told: Interaction | None = None

    @action
    async def meet(self) -> bool:
        return await self.connect_by_role("worker")

    @action
    async def work(self, interaction: Interaction | None = None) -> bool:
        return True

    @action
    async def divide(self, interaction: Interaction | None = None) -> bool:
        return bool(1 / 0)

    @action
    async def forget(self) -> bool:  # type: ignore[return]
        pass

    def hear(self, interaction: Interaction) -> None:
        self.told = interaction


def office(**options: Any) -> Session:
    """Ann and Bob have met, and wait for requests."""
    hsm = machine(Worker, "alone")
    hsm.add_transit("alone", "ready", action="meet")
    hsm.add_transit("ready", "done", action="work")
    hsm.add_transit("ready", "done", action="divide")
    hsm.add_transit("done", "ready", action="nop")
    session = Session(room(worker=hsm), **options)
    for name in ("Ann", "Bob"):
        session.add(Agent(), name, role_preference="worker")
    session.run("worker:ready")
    session.step(2)
    assert session.agent("Ann").knows("Bob")
    return session


def post(session: Session, sender: str, target: str, body: bytes | Body) -> list[Dropped]:
    """Post a message past the agents, run, and return what was dropped."""
    session.synchronizer.transport.post(sender, target, body)
    before, dropped = len(records(session, Dropped)), session.node(target).dropped
    session.step(3)
    new = records(session, Dropped)[before:]
    assert session.node(target).dropped - dropped == len(new)
    return new


def asked(session: Session, asker: str, target: str, name: str, **options: Any) -> Interaction:
    """Let an agent ask another one, as one of its actions would."""
    sent = session.agent(asker)._send(name, target, **options)
    assert sent is not None
    return sent


# ------------------------------------------------------------------ messages


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"not a message",
        b"\x80",
        msgspec.msgpack.encode({"type": "no such kind"}),
        msgspec.msgpack.encode({"type": "interaction", "interaction": 5}),
        msgspec.msgpack.encode({"type": "interaction_status", "uuid": "x"}),
        msgspec.msgpack.encode(["interaction"]),
        b"\x82\xa4type\xabinteraction\xabinteraction\x81\xa1x" + b"\x91" * 100_000,
    ],
)
@pytest.mark.parametrize("target", ["Bob", "World"])
def test_bytes_that_do_not_parse_are_dropped_and_counted(data: bytes, target: str) -> None:
    session = office()
    [dropped] = post(session, "Ann", target, data)
    assert (dropped.node, dropped.sender) == (target, "Ann")
    assert dropped.reason
    assert asked(session, "Ann", "Bob", "work").target == ["Bob"]
    session.step(4)
    assert ends(session, "Ann")[-1] == ("ok", "")


def request(**fields: Any) -> InteractionMessage:
    return InteractionMessage(Interaction("work", requester="Ann", target="Bob", id="1").to_dict() | fields)


@pytest.mark.parametrize(
    ("target", "body", "reason"),
    [
        ("Bob", request(requester="Cyd"), "Ann asked in the name of Cyd"),
        ("Bob", request(action_kwargs=[1]), "'action_kwargs'"),
        ("Bob", request(num_steps="many"), "'num_steps'"),
        ("Bob", request(uuid=""), "uuid"),
        ("Bob", WorldApproval("Ann", 3, "worker"), "as if it were the world"),
        ("Bob", WorldRefusal("go away"), "as if it were the world"),
        ("Bob", ProfileMessage({}), "an agent has no use for a ProfileMessage"),
        ("Bob", AgentApproval({}), "nobody asked for"),
        ("Bob", InteractionStatus("x", "fine"), None),
        ("Bob", StreamSample("Cyd::dm:processor", {}), "Ann sent samples of a stream of Cyd"),
        ("Bob", StreamSample("Ann::dm:processor", {"proc_output_0": [{}]}), "data"),
        ("Bob", StreamSample("Ann::dm:processor", {"proc_output_0": [{"data": 1, "data_tag": "x"}]}), "x"),
        ("Bob", StreamSample("Ann::dm:processor", {"proc_output_0": [{"data": 1, "data_tag": 1e999}]}), "inf"),
        ("Bob", StreamSample("Ann::dm:processor", {"strange": [{}]}), None),
        ("World", request(), "a world has no use for a InteractionMessage"),
        ("World", ProfileMessage({"static": 3}), "profile is a mapping"),
        ("World", ProfileMessage({"static": {"node_id": "x", "node_type": "agent", "node_name": "Eve"}}), "profile of"),
        ("World", RoleSuggestions([{"peer_id": "Bob", "role": "worker"}]), None),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_messages_that_may_not_be_sent_are_dropped(target: str, body: Body, reason: str | None, strict: bool) -> None:
    session = office(strict=strict)
    dropped = post(session, "Ann", target, msgspec.msgpack.encode(body) if strict else body)
    assert [reason in one.reason for one in dropped if reason] == ([] if reason is None else [True])
    assert session.world.roster.keys() == {"Ann", "Bob"}
    assert not records(session, Fault)


@pytest.mark.parametrize("target", ["Bob", "World"])
@pytest.mark.parametrize(
    ("body", "what"),
    [(StreamRequest(["s"], "1", 5), "ask for streams"), (Subscription(["s"]), "subscribe to streams")],
)
def test_strangers_get_no_samples(target: str, body: Body, what: str) -> None:
    [dropped] = post(office(), "Eve", target, body)
    assert dropped.reason == f"Eve is not a member and may not {what}"


def test_who_asks_with_what_cannot_be_sent_is_told_and_waits_for_nothing() -> None:
    session = office(strict=True)
    with pytest.raises(NotSendable, match=r"action_kwargs\.x: nan is no finite number"):
        asked(session, "Ann", "Bob", "work", action_kwargs={"x": float("nan")})
    session.step(2)
    [(reason, detail)] = ends(session, "Ann")
    assert reason == "error"
    assert "nan is no finite number" in detail
    assert not records(session, Requested, "Bob")


def test_the_uuid_of_somebody_else_cannot_be_taken_over() -> None:
    """Cyd repeats the uuid of a request of Ann that still waits; both get their own answer."""
    hsm = machine(Worker, "alone")
    hsm.add_transit("alone", "ready", action="meet")
    hsm.add_transit("ready", "ready", action="work", delay=1.0)
    session = Session(room(worker=hsm), delta=0.1)
    for name in ("Ann", "Bob", "Cyd"):
        session.add(Agent(), name, role_preference="worker")
    session.run("worker:ready")
    session.step(3)
    asked(session, "Ann", "Bob", "work", id="mine", callback="hear")
    session.step(2)
    asked(session, "Cyd", "Bob", "work", forced_uuid="mine_Ann", callback="hear")
    session.step(30)
    assert session.agent("Ann").told.completion_reason == "ok"  # type: ignore[attr-defined]
    assert session.agent("Cyd").told.completion_reason == "rejected"  # type: ignore[attr-defined]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS = {
    "profile": {"profile": values, "options": values},
    "world_approval": {"world_id": values, "role": values, "role_name": values},
    "contact": {"profile": st.just({}) | st.fixed_dictionaries({"static": values, "dynamic": values}) | values},
    "agent_approval": {"profile": values},
    "farewell": {"reason": values},
    "role_suggestions": {"suggestions": st.lists(st.fixed_dictionaries({"peer_id": st.text(), "role": st.text()}))},
    "interaction": {
        "interaction": st.fixed_dictionaries(
            {"uuid": st.just("u") | values, "requester": st.just("Ann") | values},
            optional={
                "action_name": st.sampled_from(["work", "divide", None, "nop", "send"]) | values,
                "action_kwargs": st.dictionaries(st.text(max_size=5), values, max_size=2) | values,
                "streams": st.dictionaries(st.sampled_from(["stdin", "stdtar", "stdunk", "x"]), values, max_size=2),
                "num_steps": st.integers(-2, 3) | values,
                "retry_timeout": st.floats() | values,
                "from_state": st.sampled_from(["ready", "done", "nowhere"]) | values,
                "to_state": st.sampled_from(["ready", "done", None]) | values,
                "volatile": values,
                "target": values,
                "id": values,
            },
        )
    },
    "interaction_status": {"uuid": values, "completion_reason": values, "data_tags": values},
    "stream_sample": {
        "group": st.just("Ann::dm:processor") | values,
        "samples": st.dictionaries(
            st.sampled_from(["proc_output_0", "x"]),
            st.lists(st.fixed_dictionaries({}, optional={"data": values, "data_tag": values, "data_uuid": values})),
            max_size=2,
        ),
    },
}
structures = st.one_of(
    st.fixed_dictionaries({"type": st.just(kind), **fields}) for kind, fields in KINDS.items()
)  # fmt: skip


def wire(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        return b"\xc1"


messages = st.binary(max_size=40) | values.map(wire) | structures.map(wire)


@settings(max_examples=300, deadline=None)
@given(messages)
def test_decoding_gives_a_message_or_a_value_error(data: bytes) -> None:
    try:
        body = decode_body(data)
    except ValueError as error:
        assert str(error)
    else:
        assert decode_body(encode_body(body)) is not None


@settings(max_examples=100, deadline=None)
@given(st.lists(messages, min_size=1, max_size=4), st.sampled_from(["Ann", "Eve"]))
def test_a_node_survives_any_message(batch: list[bytes], sender: str) -> None:
    session = office()
    for data in batch:
        for target in ("Bob", "World"):
            session.synchronizer.transport.post(sender, target, data)
    session.step(5)
    assert not [fault for fault in records(session, Fault) if fault.where is None and fault.action != "divide"]
    session.trace.digest()
    session.add(Agent(), "Dan", role_preference="worker")
    session.step(3)
    assert session.world.get_role("Dan") == "worker"


# ------------------------------------------------------------------ actions


def test_an_action_that_raises_tells_the_requester_and_shows_its_line() -> None:
    session = office()
    asked(session, "Ann", "Bob", "divide")
    session.step(4)
    [fault] = records(session, Fault)
    assert (fault.node, fault.state, fault.action) == ("Bob", "ready", "divide")
    assert (fault.error, fault.code) == ("ZeroDivisionError: division by zero", "return bool(1 / 0)")
    assert (fault.where or "").startswith("test_bad_input.py:")
    assert [try_.outcome for try_ in records(session, Tried, "Bob") if try_.action == "divide"] == ["raised"]
    assert ends(session, "Ann") == [("error", "ZeroDivisionError: division by zero")]
    assert session.states_of("Bob") == ["ready"]
    asked(session, "Ann", "Bob", "work")
    session.step(4)
    assert ends(session, "Ann")[-1] == ("ok", "")


def test_a_request_that_raised_is_not_tried_again() -> None:
    hsm = machine(Worker, "alone")
    hsm.add_transit("alone", "ready", action="meet")
    hsm.add_transit("ready", "ready", action="divide", retry_timeout=5.0)
    hsm.add_transit("ready", "done", action="work")
    session = Session(room(worker=hsm), delta=0.1)
    for name in ("Ann", "Bob"):
        session.add(Agent(), name, role_preference="worker")
    session.run("worker:ready")
    session.step(2)
    asked(session, "Ann", "Bob", "divide")
    session.step(3)
    asked(session, "Ann", "Bob", "work")
    session.step(3)
    assert len(records(session, Fault)) == 1
    assert session.states_of("Bob") == ["done"]


def test_an_action_that_returns_nothing_is_an_error() -> None:
    hsm = machine(Worker)
    hsm.add_transit("ready", "done", action="forget")
    session = Session(room(worker=hsm))
    session.add(Agent(), "Ann", role_preference="worker")
    session.step(4)
    assert session.states_of("Ann") == ["ready"]
    fault = records(session, Fault)[0]
    assert "return True or False" in fault.error
    assert fault.code == "async def forget(self) -> bool:  # type: ignore[return]"


def test_an_endless_chain_is_stopped_and_the_others_go_on() -> None:
    endless, other = machine(Worker, "a", blocking=False), machine(Worker, "x")
    endless.add_state("b", blocking=False)
    endless.add_transit("a", "b", action="nop")
    endless.add_transit("b", "a", action="nop")
    other.add_transit("x", "x", action="nop")
    session = Session(room(endless=endless, other=other))
    session.add(Agent(), "Ann", role_preference="endless")
    session.add(Agent(), "Bob", role_preference="other")
    session.step(10)
    [fault] = records(session, Fault)
    assert fault.node == "Ann"
    assert "a -> b -> a" in fault.error
    assert ("Ann", "endless", "a", "stopped") in session.status()
    assert len(moves(session, "Bob")) > 5


def test_hooks_that_raise_are_contained() -> None:
    class Nervous(Worker):
        async def on_tick(self) -> None:
            raise KeyError("lost")

    class Earth(World):
        async def on_tick(self) -> None:
            raise OSError("quake")

        def assign_role(self, profile: Any, is_world_master: bool) -> str:
            return "nervous"

    hsm = machine(Nervous, "x")
    hsm.add_transit("x", "x", action="nop")
    session = Session(room(Earth, nervous=hsm))
    session.add(Agent(), "Ann")
    session.step(6)
    assert {(fault.node, fault.error) for fault in records(session, Fault)} == {
        ("Ann", "KeyError: 'lost'"),
        ("World", "OSError: quake"),
    }
    assert moves(session, "Ann")


def test_what_cannot_cross_a_wire_fails_over_a_strict_transport_and_leaves_nothing_behind() -> None:
    session = office(strict=True)
    ann = session.agent("Ann")
    with pytest.raises(TypeError):
        ann._send("work", "Bob", action_kwargs={"x": object()})
    session.step(2)
    assert not ann.im.sent
    with pytest.raises(StreamError, match="not object"):
        ann._send(target="Bob", data_samples={"proc_output_0": object()})
    session.step(2)
    assert not ann.im.sent
    asked(session, "Ann", "Bob", "work")
    session.step(4)
    assert ends(session, "Ann")[-1] == ("ok", "")


def test_a_value_that_a_stream_does_not_carry_is_refused_before_anything_is_sent() -> None:
    session = Session(room(worker=machine(Worker)))
    for name in ("Ann", "Bob"):
        session.add(Agent(proc_outputs=["text"]), name, role_preference="worker")
    session.step(3)
    ann = session.agent("Ann")
    ann.contact("Bob")
    session.step(3)
    with pytest.raises(StreamError, match="'proc_output_0' carries text"):
        ann._send(target="Bob", data_samples={"proc_output_0": 3})
    assert not ann.im.sent


def test_an_interrupted_tick_loses_nothing() -> None:
    class Slow(Worker):
        stopped = False

        @action
        async def work(self, interaction: Interaction | None = None) -> bool:
            if not Slow.stopped:
                Slow.stopped = True
                raise KeyboardInterrupt
            return True

    hsm = machine(Slow, "alone")
    hsm.add_transit("alone", "ready", action="meet")
    hsm.add_transit("ready", "done", action="work")
    session = Session(room(worker=hsm))
    for name in ("Ann", "Bob", "Cyd"):
        session.add(Agent(), name, role_preference="worker")
    session.run("worker:ready")
    session.step(3)
    for name in ("Bob", "Cyd"):
        asked(session, "Ann", name, "work")
    with pytest.raises(KeyboardInterrupt):
        session.step(3)
    session.step(6)
    assert ends(session, "Ann") == [("ok", ""), ("ok", "")]
    assert {record.node for record in records(session, Moved) if record.action == "work"} == {"Bob", "Cyd"}
    assert len(records(session, Requested)) == 2
    assert len([end for end in records(session, Completed) if end.side == "received"]) == 2
