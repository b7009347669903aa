"""Asking and being asked: every request is answered, once, with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from runtime.rooms import Completed, Moved, Requested, Tried, ends, machine, moves, records, room

from unaiverse_lab import Agent, HybridStateMachine, Interaction, Session, action
from unaiverse_lab.core.envelope import InteractionMessage
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.records import Pushed, Sent


class Boss(Agent):
    """Knows the workers and asks what its plan says, one request per tick."""

    plan: list[tuple[Any, dict[str, Any]]] = []
    told: list[Interaction] = []

    def accept_new_role(self, role: int) -> None:
        super().accept_new_role(role)
        self.plan, self.told = [], []

    @action
    async def meet(self) -> bool:
        return await self.connect_by_role("worker")

    @action
    async def follow_plan(self) -> bool:
        if not self.plan:
            return False
        target, request = self.plan.pop(0)
        return await self.send(target=target, **request)

    def hear(self, interaction: Interaction) -> None:
        self.told.append(interaction)

    async def hear_slowly(self, interaction: Interaction) -> None:
        self.told.append(interaction)

    def mishear(self, interaction: Interaction) -> None:
        raise RuntimeError("what?")


class Worker(Agent):
    """Works when asked, if it can."""

    lazy = False
    seen: list[Any]

    def accept_new_role(self, role: int) -> None:
        super().accept_new_role(role)
        self.seen = []

    @action
    async def work(self, hours: int = 8, interaction: Interaction | None = None) -> bool:
        if self.lazy:
            return self.because("I am tired")
        self.seen.append(hours)
        return True

    @action
    async def rest(self) -> bool:
        return True

    @action
    async def echo(self, interaction: Interaction | None = None) -> bool:
        self.seen.append((self.get_action_step(), self.stdin.get(0)))
        return await self.process()

    @action
    async def fail(self, interaction: Interaction | None = None) -> bool:
        raise RuntimeError("I dropped it")


def worker() -> HybridStateMachine:
    hsm = machine(Worker)
    hsm.add_transit("ready", "ready", action="work")
    hsm.add_transit("ready", "ready", action="echo")
    hsm.add_transit("ready", "ready", action="fail")
    hsm.add_transit("ready", "resting", action="rest", ready=False)
    hsm.add_transit("resting", "ready", action="work")
    return hsm


def boss(**send: Any) -> HybridStateMachine:
    """Meets the workers, then follows its plan, or does the one ``send`` given as a transition."""
    hsm = machine(Boss, "alone")
    hsm.add_transit("alone", "ready", action="meet")
    hsm.add_transit("ready", "ready", action="follow_plan")
    if send:
        times = {name: send.pop(name) for name in ("retry_timeout", "max_duration") if name in send}
        hsm.add_transit("ready", "sent", action="send", args=send, ready=True, high_priority=True, **times)
    return hsm


def company(workers: int = 1, *, wait: int = 3, strict: bool = False, **send: Any) -> Session:
    """A boss and its workers, who have met (after ``wait`` ticks in which the boss's own ``send`` may start)."""
    session = Session(room(boss=boss(**send), worker=worker()), delta=0.1, strict=strict)
    for number in range(workers):
        session.add(Agent(), f"W{number}", role_preference="worker")
    session.add(Agent(), "Boss", role_preference="boss")
    session.run("Boss:ready")
    session.step(wait)
    return session


def ask(session: Session, target: Any = "W0", name: str | None = "work", ticks: int = 6, **request: Any) -> None:
    session.agent("Boss").plan.append((target, {"action_name": name, **request}))  # type: ignore[attr-defined]
    session.step(ticks)


# ------------------------------------------------------------------ answers


def test_a_request_goes_out_is_served_and_answered_one_tick_each() -> None:
    session = company()
    ask(session, action_kwargs={"hours": 3})
    [sent] = records(session, Sent, "Boss")
    [served] = [move for move in records(session, Moved, "W0") if move.action == "work"]
    [answered] = [end for end in records(session, Completed, "Boss") if end.side == "sent"]
    assert (served.tick, answered.tick) == (sent.tick + 1, sent.tick + 2)
    assert (served.requester, served.uuid) == ("Boss", sent.uuid)
    assert (answered.reason, answered.state) == ("ok", "ready")
    assert session.agent("W0").seen == [3]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("request_", "detail"),
    [
        ({"name": "wokr"}, "no action 'wokr' in state 'ready'"),
        ({"name": "work", "action_kwargs": {"days": 1}}, "does not take these arguments"),
        ({"name": "work", "from_state": "moon"}, "no state 'moon'"),
        ({"name": "work", "to_state": "resting"}, "no action 'work'"),
        ({"name": "work", "to_state": "moon"}, "no transition leads from 'ready' to 'moon'"),
        ({"name": "work", "num_steps": 0}, "num_steps is 0"),
        ({"name": "send"}, "'send' cannot be asked for"),
    ],
)
def test_what_cannot_be_served_is_rejected_with_a_reason(request_: dict[str, Any], detail: str) -> None:
    session = company()
    ask(session, **request_)
    [(reason, why)] = ends(session, "Boss")
    assert reason == "rejected"
    assert detail in why
    assert not session.agent("W0").im.received


def test_a_stream_the_worker_does_not_know_is_rejected() -> None:
    session = company()
    request = Interaction("echo", requester="Boss", target="W0", id="1", streams=["camera:processor"])
    session.synchronizer.transport.post("Boss", "W0", InteractionMessage(request.to_dict()))
    session.step(2)
    [asked] = records(session, Requested, "W0")
    assert not asked.accepted
    assert "'camera:processor' is unknown here" in (asked.reason or "")


def test_a_worker_over_its_capacity_rejects() -> None:
    session = company()
    session.agent("W0").im.max_interactions = 2
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    for _ in range(4):
        ask(session, timeout=2.0, ticks=1)
    session.step(30)
    assert [reason for reason, _ in ends(session, "Boss")].count("rejected") == 2
    assert any("over capacity" in why for _, why in ends(session, "Boss"))


def test_a_boss_over_its_capacity_does_not_send() -> None:
    session = company()
    boss = session.agent("Boss")
    boss.im.max_interactions = 1
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    ask(session, ticks=2)
    ask(session, ticks=2)
    assert len(records(session, Sent, "Boss")) == 1
    assert any("over capacity" in (try_.reason or "") for try_ in records(session, Tried, "Boss"))


def test_what_is_not_served_in_time_ends_on_both_sides() -> None:
    session = company()
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    ask(session, timeout=1.0, ticks=20)
    assert {(end.node, end.reason) for end in records(session, Completed)} == {
        ("Boss", "retry_timeout"),
        ("W0", "retry_timeout"),
    }
    assert not session.agent("W0").behav.pending_requests()
    assert {try_.reason for try_ in records(session, Tried, "W0")} == {"I am tired"}


def test_no_request_lives_longer_than_five_minutes() -> None:
    session = company()
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    ask(session, timeout=9999.0, ticks=2)
    session.run(max_cycles=3100)
    assert [reason for reason, _ in ends(session, "Boss")] == ["retry_timeout"]


@pytest.mark.parametrize(("leaver", "stays"), [("W0", "Boss"), ("Boss", "W0")])
def test_who_is_left_alone_hears_of_it(leaver: str, stays: str) -> None:
    session = company()
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    ask(session, ticks=3)
    session.remove(leaver)
    session.step(3)
    assert records(session, Completed, stays)[-1].reason == "disconnected"
    assert not len(session.agent(stays).im)
    assert not session.agent(stays).behav.pending_requests()


def test_a_request_to_somebody_who_leaves_at_that_very_tick() -> None:
    session = company()
    ask(session, ticks=1)
    session.remove("W0")
    session.step(3)
    assert [reason for reason, _ in ends(session, "Boss")] == ["disconnected"]


def test_who_leaves_after_doing_it_has_done_it() -> None:
    session = company(2)
    session.agent("W1").lazy = True  # type: ignore[attr-defined]
    ask(session, target=["W0", "W1"], ticks=4)
    session.remove("W0")
    session.step(2)
    session.agent("W1").lazy = False  # type: ignore[attr-defined]
    session.step(4)
    assert ends(session, "Boss") == [("ok", "")]


def test_a_contact_with_somebody_who_leaves_at_that_very_tick_is_given_up() -> None:
    session = Session(room(boss=boss(), worker=worker()), delta=0.1)
    session.add(Agent(), "W0", role_preference="worker")
    session.step(3)
    session.add(Agent(), "Boss", role_preference="boss")
    session.step(2)
    assert session.agent("Boss").contacting
    session.remove("W0")
    session.step(3)
    assert not session.agent("Boss").contacting


def test_an_action_that_raises_answers_with_its_error() -> None:
    session = company()
    ask(session, name="fail")
    assert ends(session, "Boss") == [("error", "RuntimeError: I dropped it")]


def test_a_new_role_answers_what_the_old_one_was_asked() -> None:
    session = company()
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    ask(session, ticks=2)
    with pytest.raises(StopIteration):
        session.world.set_role("W0", session.world.ROLE_STR_TO_BITS["boss"]).send(None)
    session.step(4)
    assert [reason for reason, _ in ends(session, "Boss")] == ["rejected"]


def test_resetting_a_machine_answers_what_waited() -> None:
    session = company()
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    ask(session, ticks=3)
    session.agent("W0").behav.reset_state()
    session.step(3)
    assert [reason for reason, _ in ends(session, "Boss")] == ["discarded"]


def test_nobody_can_be_asked_who_is_not_known() -> None:
    session = company()
    ask(session, target="Nobody")
    assert not records(session, Sent, "Boss")
    assert any("'Nobody'" in (try_.reason or "") for try_ in records(session, Tried, "Boss"))


def test_a_requester_who_leaves_sets_the_worker_free() -> None:
    """A multi-step run waits for data that will never come."""
    session = company()
    ask(session, name="echo", streams=["processor"], num_steps=5, ticks=1)
    session.agent("Boss").stdout.set(["one"], uuid=records(session, Sent, "Boss")[0].uuid)
    session.step(3)
    assert session.states_of("W0") == [None]
    session.remove("Boss")
    session.step(5)
    assert session.states_of("W0") == ["ready"]
    assert len(records(session, Completed, "W0")) == 1


# ------------------------------------------------------------------ where and how it is served


def test_from_state_waits_for_the_state() -> None:
    session = company()
    ask(session, name="work", from_state="resting", ticks=4)
    assert not moves(session, "W0")
    ask(session, name="rest", ticks=4)
    assert moves(session, "W0") == ["ready -rest-> resting", "resting -work-> ready"]
    assert [reason for reason, _ in ends(session, "Boss")] == ["ok", "ok"]


def test_to_state_chooses_among_the_ways() -> None:
    hsm = worker()
    hsm.add_state("busy")
    hsm.add_transit("ready", "busy", action="work")
    session = Session(room(boss=boss(), worker=hsm), delta=0.1)
    session.add(Agent(), "W0", role_preference="worker")
    session.add(Agent(), "Boss", role_preference="boss")
    session.run("Boss:ready")
    session.step(3)
    ask(session, to_state="busy")
    assert moves(session, "W0") == ["ready -work-> busy"]
    assert records(session, Completed, "Boss")[-1].state == "busy"


def test_requests_are_served_in_order_one_per_tick() -> None:
    session = company()
    for hours in range(5):
        session.agent("Boss").plan.append(("W0", {"action_name": "work", "action_kwargs": {"hours": hours}}))  # type: ignore[attr-defined]
    session.step(12)
    assert session.agent("W0").seen == list(range(5))  # type: ignore[attr-defined]
    assert [reason for reason, _ in ends(session, "Boss")] == ["ok"] * 5


def test_arguments_of_a_request_are_copies() -> None:
    session = company()
    hours = {"hours": [1, 2]}
    session.agent("Boss").plan.append(("W0", {"action_name": "work", "action_kwargs": hours}))  # type: ignore[attr-defined]
    session.step(5)
    [taken] = session.agent("W0").seen  # type: ignore[attr-defined]
    taken.append(3)
    hours["hours"].append(4)
    assert records(session, Sent, "Boss")[0].args == {"hours": [1, 2]}


def test_a_volatile_request_is_served_without_an_answer() -> None:
    session = company()
    ask(session, volatile=True)
    assert session.agent("W0").seen == [8]  # type: ignore[attr-defined]
    [sent, end] = [r for r in session.trace if r.node == "Boss" and isinstance(r, Sent | Completed)]
    assert (sent.tick, end.reason) == (end.tick, "ok")


@pytest.mark.parametrize("callback", ["hear", "hear_slowly"])
def test_a_callback_is_called_once_when_all_are_done(callback: str) -> None:
    session = company(3)
    session.agent("W1").lazy = True  # type: ignore[attr-defined]
    boss = session.agent("Boss")
    ask(session, ["W0", "W1", "W2"], timeout=1.0, callback=callback, ticks=5)
    assert not boss.told  # type: ignore[attr-defined]
    session.step(15)
    [done] = boss.told  # type: ignore[attr-defined]
    assert done.outcome.ok_targets == ["W0", "W2"]
    assert done.outcome.reason_of["W1"] == "retry_timeout"
    assert done.outcome.state_of["W0"] == "ready"
    assert done.completion_reason == "retry_timeout"


def test_a_callback_that_raises_is_contained() -> None:
    session = company()
    ask(session, callback="mishear")
    assert [(r.error, r.action) for r in session.trace if r.kind == "error"] == [  # type: ignore[attr-defined]
        ("RuntimeError: what?", "callback mishear")
    ]


@pytest.mark.parametrize("options", [{"callback": "nothing"}, {"callback": "hear", "volatile": True}])
def test_a_wrong_callback_sends_nothing(options: dict[str, Any]) -> None:
    session = company()
    ask(session, **options)
    assert not records(session, Sent, "Boss")


def test_a_uuid_in_use_is_refused() -> None:
    session = company()
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    ask(session, forced_uuid="mine", ticks=2)
    ask(session, forced_uuid="mine", ticks=2)
    assert len(records(session, Sent, "Boss")) == 1


# ------------------------------------------------------------------ waiting for the end


@pytest.mark.parametrize(
    ("lazy", "require", "goes_on"),
    [
        ((), "done", True), ((), "any", True), ((), "all", True),
        ((0,), "done", True), ((0,), "any", True), ((0,), "all", False),
        ((0, 1), "done", True), ((0, 1), "any", False), ((0, 1), "all", False),
    ],
)  # fmt: skip
def test_a_waiting_send_ends_as_required_and_is_never_sent_twice(
    lazy: tuple[int, ...], require: str, goes_on: bool
) -> None:
    session = company(
        2, wait=0, action_name="work", target=["W0", "W1"], wait_completion=True, timeout=1.0, require=require
    )  # fmt: skip
    for number in lazy:
        session.agent(f"W{number}").lazy = True  # type: ignore[attr-defined]
    session.step(13)
    assert (session.states_of("Boss") == ["sent"]) is goes_on
    sent = records(session, Sent, "Boss")
    overlapping = [one for one in sent if one.tick < sent[0].tick + 10]
    assert len(overlapping) == 1


def test_a_wait_is_bounded_by_the_transition_too() -> None:
    session = company(wait=0, action_name="work", target="W0", wait_completion=True, retry_timeout=0.5)
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    session.run("Boss:sent", max_cycles=30)
    assert session.states_of("Boss") == ["sent"]
    assert [reason for reason, _ in ends(session, "Boss")] == ["retry_timeout"]
    assert len(records(session, Sent, "Boss")) == 1


def test_waiting_needs_a_transition_and_an_answer() -> None:
    session = company()
    with pytest.raises(LabError, match="wait_completion"):
        session.agent("Boss").send("work", "W0", wait_completion=True).send(None)
    with pytest.raises(LabError, match="done, any, all"):
        session.agent("Boss").send("work", "W0", require="some").send(None)


def test_all_sent_completed_looks_at_the_live_requests() -> None:
    session = company()
    session.agent("W0").lazy = True  # type: ignore[attr-defined]
    boss = session.agent("Boss")

    def completed(name: str | None = None) -> bool:
        with pytest.raises(StopIteration) as stop:
            boss.all_sent_completed(name).send(None)
        return bool(stop.value.value)

    assert completed()
    ask(session, timeout=1.0, ticks=2)
    assert not completed()
    assert not completed("work")
    assert completed("echo")
    session.step(15)
    assert completed()


# ------------------------------------------------------------------ data


def pushed(session: Session, node: str) -> list[tuple[str, str | None]]:
    return [(record.owner, record.value) for record in records(session, Pushed, node)]


def test_a_push_reaches_every_target_once_and_moves_no_machine() -> None:
    session = company(2)
    ask(session, ["W0", "W1"], None, data_samples={"proc_output_0": "hello"}, ticks=10)
    for name in ("W0", "W1"):
        assert pushed(session, name) == [("Boss", "hello")]
        assert not moves(session, name)
        stream = session.agent(name).get_stream("processor", "Boss")
        assert stream is not None
        assert [sample.value for sample in stream.get("me", all_uuids=True)] == ["hello"]
        assert stream.get("me", all_uuids=True) == []
    assert [reason for reason, _ in ends(session, "Boss")] == ["ok"]


def test_twenty_requests_at_once_are_answered_each_with_its_own_data() -> None:
    session = company()
    for number in range(20):
        sent = session.agent("Boss")._send("echo", "W0", data_samples={"proc_output_0": f"line {number}"})
        assert sent is not None
    session.step(30)
    stream = session.agent("Boss").get_stream("processor", "W0")
    assert stream is not None
    assert [sample.value for sample in stream.get("me", all_uuids=True)] == [f"line {n}" for n in range(20)]
    assert ends(session, "Boss") == [("ok", "")] * 20


def test_copy_sys_sends_what_was_just_produced() -> None:
    session = company()
    boss = session.agent("Boss")
    boss.stdin.set(0, "made by me")
    with pytest.raises(StopIteration):
        boss.process().send(None)
    ask(session, name="echo", streams=["processor"], copy_sys=True)
    assert session.agent("W0").seen == [(0, "made by me")]  # type: ignore[attr-defined]
    assert pushed(session, "Boss") == [("W0", "made by me")]


@pytest.mark.parametrize("strict", [False, True])
def test_a_request_of_several_steps_takes_one_sample_each(strict: bool) -> None:
    session = company(strict=strict)
    ask(session, name="echo", streams=["processor"], num_steps=3, ticks=1)
    [sent] = records(session, Sent, "Boss")
    for number in range(3):
        session.agent("Boss").stdout.set([f"note {number}"], uuid=sent.uuid)
        session.step(2)
    session.step(4)
    assert session.agent("W0").seen == [(n, f"note {n}") for n in range(3)]  # type: ignore[attr-defined]
    assert [try_.outcome for try_ in records(session, Tried, "W0")].count("step") == 2
    assert pushed(session, "Boss") == [("W0", f"note {n}") for n in range(3)]
    assert ends(session, "Boss") == [("ok", "")]


def test_a_stream_that_fits_no_slot_is_rejected() -> None:
    session = Session(room(boss=boss(), worker=worker()), delta=0.1)
    session.add(Agent(proc_inputs=["img"], proc_outputs=["img"]), "W0", role_preference="worker")
    session.add(Agent(proc_inputs=["text"], proc_outputs=["text"]), "Boss", role_preference="boss")
    session.run("Boss:ready")
    session.step(3)
    ask(session, name="echo", data_samples={"proc_output_0": "hello"})
    [(reason, why)] = ends(session, "Boss")
    assert reason == "rejected"
    assert "img vs text" in why


def test_the_trace_is_the_same_over_a_strict_transport() -> None:
    def run(strict: bool) -> str:
        session = company(2, strict=strict)
        ask(session, ["W0", "W1"], data_samples={"proc_output_0": "a"}, name="echo", ticks=3)
        ask(session, action_kwargs={"hours": 2})
        ask(session, name="wokr")
        ask(session, name=None, data_samples={"proc_output_0": [1, 2.5, None, {"k": "v"}]})
        session.remove("W1")
        session.step(5)
        return session.digest()

    assert run(False) == run(True)
