"""Why is it stuck: each verdict in a world where it holds, circles, and what is claimed of the next tick."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.rooms import machine, room
from runtime.test_agenda import NAMES, Plan, behaviors, plans, play

import unaiverse_lab as lab
from unaiverse_lab import Agent, HybridStateMachine, Interaction, Session, action
from unaiverse_lab.behavior.policy import PolicyFilterDelayAction
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.records import (
    Completed,
    Forced,
    Injected,
    Joined,
    Met,
    Moved,
    Pushed,
    Record,
    Requested,
    RoleSet,
    Tried,
)
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.view import Explanation, Past, Verdict, why

DELTA = 0.1


class Guest(Agent):
    """Succeeds, fails, raises, sends, on demand."""

    @action
    async def go(self) -> bool:
        return True

    @action
    async def no(self, reason: str | None = None) -> bool:
        return self.because(reason) if reason is not None else False

    @action
    async def bad(self) -> bool:
        raise ValueError("the tea is cold")

    @action
    async def serve(self, cups: int = 1, interaction: Interaction | None = None) -> bool:
        return True

    @action
    async def taste(self, interaction: Interaction | None = None) -> bool:
        return bool(self.stdin.get(requested_by="taste"))

    @action
    async def greet(self, role: str = "guest") -> bool:
        return await self.connect_by_role(role)


def party(names: Sequence[str] = ("Ann",), ticks: int = 3, **behaviors: HybridStateMachine) -> Session:
    """A world whose members, of the roles in the order of their machines, have run for some ticks."""
    session = Session(room(**behaviors), delta=DELTA)  # type: ignore[arg-type]
    roles = list(behaviors)
    for index, name in enumerate(names):
        role = roles[min(index, len(roles) - 1)]
        session.add(Agent(proc_inputs=["text"], proc_outputs=["text"]), name, role_preference=role)
    return session.step(ticks)


def ask(session: Session, name: str = "Ann", tick: int | None = None) -> Explanation:
    found = why(session.trace, name, session.tick if tick is None else tick)
    json.dumps(found.to_dict())
    assert_safe(found.html())
    assert found.headline in found.text() == str(found)
    return found


def only(session: Session, code: str, name: str = "Ann") -> Verdict:
    found = ask(session, name)
    one = next(verdict for verdict in found.verdicts if verdict.code == code)
    assert one.sentence in found.text()
    return one


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"style"}


def assert_safe(html: str) -> None:
    assert Page(html).tags <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}


def meeting(role: type[Agent] = Guest, first: str = "ready") -> HybridStateMachine:
    """A machine whose first state meets the other guests."""
    hsm = machine(role, "lobby")
    hsm.add_transit("lobby", first, "greet")
    return hsm


# ---------------------------------------------------------------------- each verdict


def test_disabled() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "no")
    session = party(guest=hsm)
    session.agent("Ann").behav.enable(False)
    session.step(2)
    found = ask(session)
    assert (found.code, found.is_enabled) == ("DISABLED", False)
    assert found.headline == (
        "the machine of Ann, in ready, was switched off from outside at tick 2 (0.2 s); "
        "what would let it go on: behav.enable(True)."
    )
    assert only(session, "DISABLED").sentence == "the machine is off since tick 2 (0.2 s)"
    session.agent("Ann").behav.enable(True)
    assert ask(session).verdicts[0].next == "first"


def test_stopped_by_an_error() -> None:
    hsm = machine(Guest, "ready", blocking=False)
    hsm.add_transit("ready", "ready", "go")
    found = ask(party(guest=hsm))
    assert found.code == "DISABLED"
    assert "was stopped at tick 1 (0.1 s): BehaviorError: 1000 transitions in one tick" in found.headline


def test_limbo() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "no", {"reason": "the water is cold"}, retry_timeout=2.0)
    session = party(ticks=7, guest=hsm)
    assert only(session, "LIMBO").sentence == (
        "it is in the middle of it since tick 1 (0.1 s) (attempt 6, the water is cold), and it gives up in 1.5 s"
    )
    found = ask(session)
    assert found.code == "LIMBO"
    assert found.pending is not None
    assert (found.pending.action, found.pending.since, found.pending.attempts, found.pending.left) == ("no", 1, 6, 1.5)


def test_stale() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "process", {"streams": ["proc_input_0"]}, ready=True)
    session = party(ticks=5, guest=hsm)
    one = only(session, "STALE")
    assert one.sentence == (
        "it waits for fresh data on proc_input_0 since tick 1 (0.1 s); no sample has come so far, "
        "and it gives up in 9.7 s"
    )
    assert one.help == "a new sample on each of its streams"
    assert ask(session).code == "STALE"


def test_stale_between_two_steps_of_a_request() -> None:
    asking = meeting(first="asking")
    asking.add_transit("asking", "over", "send", {"action_name": "taste", "target": "Ben", "streams": ["processor"],
                       "num_steps": 3, "data_samples": {"proc_output_0": "tea"}}, ready=True)  # fmt: skip
    serving = machine(Guest)
    serving.add_transit("ready", "done", "taste")
    session = party(("Ann", "Ben"), 12, host=_meets(asking, "guest"), guest=serving)
    one = only(session, "STALE", "Ben")
    assert "waits for fresh data that goes with the request of Ann since tick" in one.sentence
    assert "the last sample came at tick" in one.sentence
    assert one.sentence.count("Ann:proc_output_0") == 1
    assert one.peers == ["Ann"]


def _meets(hsm: HybridStateMachine, role: str) -> HybridStateMachine:
    """Let ``greet`` be about another role."""
    for edge in hsm.machine.edges():
        if edge.name == "greet":
            edge.args["role"] = role
    return hsm


def waiting_for(action_name: str = "serve", **options: Any) -> HybridStateMachine:
    hsm = _meets(meeting(first="asking"), "guest")
    args = {"action_name": action_name, "target": "Ben", "wait_completion": True, **options}
    hsm.add_transit("asking", "served", "send", args, ready=True)
    return hsm


def test_await_reply_and_the_chain_behind_it() -> None:
    serving = machine(Guest)
    serving.add_transit("ready", "done", "serve", {"cups": 2}, delay=60.0)
    session = party(("Ann", "Ben"), 8, host=waiting_for(timeout=20.0), guest=serving)
    one = only(session, "AWAIT_REPLY")
    assert one.sentence == (
        "it asked Ben to serve() at tick 3 (0.3 s), and Ben has not done it yet. "
        "The request expires in 19.6 s at the latest"
    )
    assert (one.peers, one.help, one.left) == (["Ben"], "an answer of Ben", 19.6)
    found = ask(session)
    assert found.code == "AWAIT_REPLY"
    assert found.headline.startswith("Ann is in asking and waits for an answer: send(")
    first, second = found.chain
    assert (
        first.sentence
        == "Ann waits for Ben to do serve(), asked at tick 3 (0.3 s): it waits there, and Ben is in ready"
    )
    assert (first.on, second.node, second.on) == ("Ben", "Ben", None)
    assert second.sentence.startswith("Ben waits in ready since tick 1 (0.1 s): serve(cups=2), its delay of 60 s runs")
    assert found.circles == []


def test_a_request_that_can_never_be_served_is_named() -> None:
    serving = machine(Guest)
    serving.add_transit("ready", "done", "go", delay=0.4)
    serving.add_transit("ready", "done", "serve", delay=9.0)
    session = party(("Ann", "Ben"), 12, host=waiting_for(), guest=serving)
    chain = ask(session).chain
    assert chain[0].sentence.endswith(
        "it waits in state ready, and Ben is in done, from which no way leads there: it will not be served"
    )
    assert chain[1].sentence.startswith("Ben is in done since tick")
    assert "and no transition leaves it: the end; " not in chain[1].sentence
    assert ask(session, "Ben").notes == ["a request of Ann to serve, of tick 4 (0.4 s), waits in state ready"]


def test_waiting() -> None:
    hsm = machine(Guest, waiting_time=3.0)
    hsm.add_transit("ready", "done", "go")
    session = party(ticks=6, guest=hsm)
    one = only(session, "WAITING")
    assert one.sentence == "the state waits 3 s before it acts: possible in 2.6 s; only a request passes before"
    assert (one.left, one.next) == (2.6, "no")
    assert ask(session).headline.startswith("Ann waits in ready since tick 1 (0.1 s): go(), the state waits 3 s")


def test_delayed() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "go", delay=1.0)
    session = party(ticks=6, guest=hsm)
    one = only(session, "DELAYED")
    assert one.sentence == "its delay of 1 s runs: possible in more than 0.6 s"
    assert (one.left, one.next) == (0.6, "no")


def test_a_delay_that_self_loops_start_again() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "ready", "go")
    hsm.add_transit("ready", "done", "nop", delay=1.0)
    one = only(party(ticks=6, guest=hsm), "DELAYED")
    assert one.sentence.endswith("each of the last 5 self loops of ready started it again")


def test_timers_of_a_machine_that_is_moved_from_outside() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "go", delay=5.0)
    hsm.add_transit("aside", "ready", "no")
    session = party(ticks=11, guest=hsm)
    assert only(session, "DELAYED").left == 4.1
    behav = session.agent("Ann").behav
    behav.set_state("aside")
    assert ask(session).verdicts[0].code == "NEXT_TICK"
    session.step(10)
    assert only(session, "FAILED").tries == 10
    behav.set_state("ready")
    assert only(session, "DELAYED").left == 3.1
    behav.reset_state()
    assert only(session, "DELAYED").left == 5.1
    session.run("done")
    assert session.now == pytest.approx(7.2)


def test_not_requested() -> None:
    asking = machine(Guest, "waiting")
    asking.add_transit("waiting", "asking", "no", {"reason": "it is too early"})
    asking.add_transit("asking", "served", "send", {"action_name": "serve", "target": "Ben"}, ready=True)
    serving = machine(Guest)
    serving.add_transit("ready", "done", "serve", {"cups": 2})
    session = party(("Ann", "Ben"), 14, host=asking, guest=serving)
    one = only(session, "NOT_REQUESTED", "Ben")
    assert one.sentence == "only on request, and nobody asks for it; Ann could"
    assert (one.peers, one.next) == (["Ann"], "no")
    assert one.help == "a request to serve(cups=2) from an agent that Ben knows"
    found = ask(session, "Ben")
    assert found.code == "STUCK"
    assert found.headline == (
        "Ben is stuck in ready since tick 1 (0.1 s): serve(cups=2), only on request, and nobody asks for it; Ann could"
        "; what would let it go on: a request to serve(cups=2) from an agent that Ben knows."
    )
    assert [link.sentence for link in found.chain][
        0
    ] == "Ben waits in ready to be asked for serve(cups=2); Ann could ask"
    assert "it is too early" in found.chain[1].sentence


def test_not_requested_by_anybody_here() -> None:
    serving = machine(Guest)
    serving.add_transit("ready", "done", "serve")
    lonely = party(("Ben",), guest=serving)
    assert only(lonely, "NOT_REQUESTED", "Ben").sentence.endswith(
        "no behavior of this world does, and nobody did so far"
    )
    absent = party(("Ben",), guest=serving, host=waiting_for())
    assert only(absent, "NOT_REQUESTED", "Ben").sentence.endswith("the role host could, but nobody here has it")


def test_the_nearest_request_that_was_refused_is_told() -> None:
    serving = machine(Guest)
    serving.add_transit("ready", "done", "serve", {"cups": 2})
    asking = waiting_for(action_kwargs={"cups": 5})
    session = party(("Ann", "Ben"), 8, host=asking, guest=serving)
    assert "; nearest: Ann asked at tick 4 (0.4 s) and was refused, the action 'serve' in state 'ready'" in (
        only(session, "NOT_REQUESTED", "Ben").sentence
    )


def test_not_doable() -> None:
    asking = waiting_for("taste", streams=["processor"], num_steps=1)
    serving = machine(Guest)
    serving.add_transit("ready", "done", "taste")
    session = party(("Ann", "Ben"), 8, host=asking, guest=serving)
    one = only(session, "NOT_DOABLE", "Ben")
    assert one.sentence == (
        "Ann asked for it at tick 4 (0.4 s), and it cannot be served without a new sample: none has come so far"
    )
    assert (one.peers, one.help) == (["Ann"], "a sample of Ann for its request")
    assert one.left == pytest.approx(299.7)


def test_outranked_by_a_self_loop() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "ready", "go")
    hsm.add_transit("ready", "done", "nop")
    session = party(ticks=6, guest=hsm)
    one = only(session, "OUTRANKED")
    assert one.sentence == (
        "go went first at tick 5 (0.5 s), for the 5th time in a row: it comes first in order, "
        "and it leads back to ready; it is tried at the next tick, after others"
    )
    assert ask(session).verdicts[0].next == "first"


def test_outranked_by_high_priority_and_by_an_action_in_progress() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "nop")
    hsm.add_transit("ready", "ready", "go", high_priority=True)
    session = party(guest=hsm)
    assert "it has high priority, and it leads back to ready" in only(session, "OUTRANKED").sentence
    assert [one.next for one in ask(session).verdicts] == ["later", "first"]
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "no", retry_timeout=5.0)
    hsm.add_transit("ready", "done", "go")
    assert only(party(guest=hsm), "OUTRANKED").sentence == (
        "no went first at tick 1 (0.1 s) and is still in progress: nothing else is tried meanwhile"
    )


def test_vetoed() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "go")
    session = party(ticks=1, guest=hsm)
    session.agent("Ann").policy_filter = PolicyFilterDelayAction({"go"}, 4.0)
    session.step(4)
    assert only(session, "VETOED").sentence == (
        "the policy filter held it back at tick 4 (0.4 s): PolicyFilterDelayAction until 4.1 s; "
        "it is tried first at the next tick"
    )


def test_failed() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "no", {"reason": "nobody brought sugar"})
    hsm.add_transit("ready", "done", "no")
    session = party(ticks=20, guest=hsm)
    first, second = ask(session).verdicts
    assert first.code == second.code == "FAILED"
    assert first.sentence == (
        "tried 19 times since tick 1 (0.1 s), last at tick 19 (1.9 s): nobody brought sugar; "
        "it is tried first at the next tick"
    )
    assert "it returned False and gave no reason" in second.sentence
    assert second.help == "let no say why: return self.because('...')"
    found = ask(session)
    assert found.code == "STUCK"
    assert found.headline.startswith("Ann is stuck in ready since tick 1 (0.1 s): no(reason=")
    assert ask(session, tick=4).code == "FAILED"
    assert "tried 4 times" in ask(session, tick=4).verdicts[0].sentence


def test_raised() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "bad")
    found = ask(party(guest=hsm))
    assert found.code == "RAISED"
    one = found.verdicts[0]
    assert one.sentence.startswith("it raised ValueError: the tea is cold at ")
    assert "test_explain.py:" in one.sentence
    assert '(raise ValueError("the tea is cold")), at tick 2 (0.2 s)' in one.sentence
    assert one.help is not None and one.help.startswith("mend the action (")
    assert "; what would let it go on: mend the action (" in found.headline


def test_no_edge() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "go")
    found = ask(party(guest=hsm))
    assert (found.code, found.verdicts) == ("NO_EDGE", [])
    assert found.headline == "Ann is in done since tick 1 (0.1 s), and no transition leaves it: the end."


def test_wildcard() -> None:
    hsm = machine(Guest)
    hsm.add_transit("ready", "done", "go", delay="<patience>")
    hsm.add_transit("ready", "gone", "nop")
    session = party(guest=hsm)
    found = ask(session)
    assert found.code == "WILDCARD"
    assert [one.code for one in found.verdicts] == ["WILDCARD", "WILDCARD"]
    assert found.verdicts[0].sentence == "<patience> has no value"
    assert found.verdicts[0].help == (
        "values for them, behav.add_wildcards({'<patience>': ...}, apply=True), and behav.enable(True); "
        "those that have one here: <agent>, <role>, <world>"
    )
    behav = session.agent("Ann").behav
    behav.add_wildcards({"<patience>": 0.2}, apply=True)
    behav.enable(True)
    session.step(5)
    assert ask(session).state == "gone"


def test_next_tick() -> None:
    hsm = machine(Guest, "hall")
    hsm.add_transit("hall", "ready", "go")
    hsm.add_transit("ready", "done", "nop", delay=0.3)
    hsm.add_transit("ready", "done", "go")
    hsm.add_transit("ready", "done", "no")
    found = ask(party(ticks=2, guest=hsm))
    assert [(one.code, one.next) for one in found.verdicts] == [
        ("DELAYED", "no"), ("NEXT_TICK", "first"), ("NEXT_TICK", "later"),
    ]  # fmt: skip
    assert found.verdicts[1].sentence == "ready is entered at the next tick: it is tried first then"
    assert found.headline.startswith("Ann is in ready since tick 1 (0.1 s): go(), ready is entered at the next tick")


# ---------------------------------------------------------------------- who is no member, what is not there


def test_those_who_are_not_in_the_world() -> None:
    hsm = machine(Guest)
    session = party(("Ann",), 3, guest=hsm)
    session.add(Agent(), "Eve")
    session.step(3)
    assert ask(session, "Eve").code == "OUTSIDE"
    assert ask(session, "Eve").headline.startswith("Eve was not let in: ")
    session.remove("Ann")
    session.step(2)
    assert ask(session, "Ann").headline.startswith("Ann has left the world")
    assert ask(session, "Ann", 2).code == "NO_EDGE"
    assert ask(session, "World").code == "WORLD"
    with pytest.raises(LabError, match=r"no node 'Evi'. Did you mean 'Eve'"):
        why(session.trace, "Evi")


def test_what_the_state_does_and_how_it_fails_is_told() -> None:
    hsm = machine(Guest, action="no", args={"reason": "there is no milk"})
    hsm.add_transit("ready", "done", "serve")
    assert ask(party(guest=hsm)).notes == [
        "no, which ready does at every tick, had no success at tick 2 (0.2 s): there is no milk"
    ]


def test_names_that_are_markup_are_only_text() -> None:
    evil = "<b>Eve</b><script>alert(1)</script>\"'&"
    hsm = machine(Guest, evil)
    hsm.add_transit(evil, "done", "no", {"reason": evil})
    session = party((evil,), 4, guest=hsm)
    html = ask(session, evil).html()
    assert "<script" not in html and "&lt;script" in html


# ---------------------------------------------------------------------- circles


def test_a_circular_wait_of_two_that_wait_for_answers() -> None:
    both = _meets(meeting(first="asking"), "guest")
    both.add_transit("asking", "done", "send", {"action_name": "serve", "target": "<friend>", "wait_completion": True},
                     ready=True)  # fmt: skip
    both.add_transit("asking", "done", "serve")
    session = Session(room(guest=both), delta=DELTA)
    for name, friend in (("Ann", "Ben"), ("Ben", "Ann")):
        agent = Agent()
        agent.add_behav_wildcard("<friend>", friend)
        session.add(agent, name, role_preference="guest")
    session.step(3)
    for name, friend in (("Ann", "Ben"), ("Ben", "Ann")):
        behav = session.agent(name).behav
        behav.add_wildcards({"<friend>": friend}, apply=True)
    session.step(10)
    for name in ("Ann", "Ben"):
        found = ask(session, name)
        assert found.code == "AWAIT_REPLY"
        assert found.circles == [["Ann", "Ben"]]
        assert found.headline.endswith("circular wait: Ann waits for Ben, Ben waits for Ann.")


def test_a_circular_wait_of_three() -> None:
    names = ("Ann", "Ben", "Cyd")
    machines: dict[str, HybridStateMachine] = {}
    for index in range(3):
        hsm = machine(Guest, "lobby")
        after, before = names[(index + 1) % 3], names[index - 1]
        hsm.add_transit("lobby", "asking", "connect_to", {"peer_id": after})
        hsm.add_transit("asking", "done", "send", {"action_name": "serve", "target": after, "wait_completion": True},
                        ready=True, delay=0.5)  # fmt: skip
        hsm.add_transit("asking", "done", "serve")
        machines[f"friend_of_{before}".lower()] = hsm
    session = party(names, 14, **machines)
    for name in names:
        found = ask(session, name)
        assert found.circles == [["Ann", "Ben", "Cyd"]]
    assert found.headline.endswith("circular wait: Ann waits for Ben, Ben waits for Cyd, Cyd waits for Ann.")
    assert [(link.node, link.on) for link in ask(session).chain] == [("Ann", "Ben"), ("Ben", "Cyd"), ("Cyd", "Ann")]


def test_a_circular_wait_to_be_asked() -> None:
    machines = {}
    for name, other in (("ann", "Ben"), ("ben", "Ann")):
        hsm = machine(Guest)
        hsm.add_transit("ready", "served", "serve")
        hsm.add_transit("served", "done", "send", {"action_name": "serve", "target": other}, ready=True)
        machines[name] = hsm
    found = ask(party(("Ann", "Ben"), 4, **machines))
    assert found.circles == [["Ann", "Ben"]]
    assert found.chain[0].sentence == "Ann waits in ready to be asked for serve(); Ben could ask"


def test_no_circle_while_somebody_can_go_on() -> None:
    first = machine(Guest)
    first.add_transit("ready", "served", "serve")
    first.add_transit("ready", "served", "no")
    first.add_transit("served", "done", "send", {"action_name": "serve", "target": "Ben"}, ready=True)
    second = machine(Guest)
    second.add_transit("ready", "served", "serve")
    second.add_transit("served", "done", "send", {"action_name": "serve", "target": "Ann"}, ready=True)
    session = party(("Ann", "Ben"), 4, ann=first, ben=second)
    assert ask(session, "Ann").circles == ask(session, "Ben").circles == []


def test_all_sent_completed_waits_for_the_answers() -> None:
    asking = _meets(meeting(first="asking"), "guest")
    asking.add_transit("asking", "asked", "send", {"action_name": "serve", "target": "Ben"}, ready=True)
    asking.add_transit("asked", "done", "all_sent_completed")
    serving = machine(Guest)
    serving.add_transit("ready", "done", "serve", delay=60.0)
    session = party(("Ann", "Ben"), 9, host=asking, guest=serving)
    found = ask(session)
    assert "asked Ben to serve() at tick 3 (0.3 s), and Ben has not done it yet" in found.verdicts[0].sentence
    assert found.verdicts[0].peers == ["Ben"]
    assert [link.on for link in found.chain] == ["Ben", None]


# ---------------------------------------------------------------------- what is claimed of the next tick

COMING_IN = (Requested, Pushed, RoleSet, Forced, Completed, Met, Injected, Joined)


def check(trace: Sequence[Record], name: str, tick: int, past: Past) -> None:
    """What :class:`Verdict` says of ``next``, held against the records of the next tick.

    If nothing came in at that tick: the first transition that is tried or taken is the one said to be ``"first"``;
    until the machine moves, none is tried that was said not to be.
    """
    found = why(past, name, tick)
    assert found.text() and found.html()
    plan = next((taken for taken in reversed(past.lives[name].roles) if taken.tick <= tick), None)
    if plan is not None and found.state is not None:
        machine_ = past.plan_of(plan.role, tick)
        assert len(found.verdicts) == len(machine_.exits.get(found.state, ()) if machine_ is not None else ())
    mine = [record for record in trace if record.tick == tick + 1 and record.node == name]
    if any(isinstance(record, COMING_IN) for record in mine):
        return
    acts = [record for record in mine if isinstance(record, Moved | Tried)]
    if acts:
        assert acts[0].source == found.state
    first = next((one for one in found.verdicts if one.next == "first"), None)
    if first is not None:
        assert acts and acts[0].edge == first.edge, (found, mine)
    for act in acts:
        assert found.verdicts[act.edge].next != "no", (found, mine)
        if isinstance(act, Moved):
            break


@settings(max_examples=60, deadline=None)
@given(behaviors(), plans(), st.data())
def test_the_next_tick_of_random_machines_is_as_said(hsm: HybridStateMachine, plan: Plan, data: st.DataObject) -> None:
    _, trace, session = play(hsm, plan)
    past = Past().follow(session.trace)
    ticks = data.draw(st.lists(st.integers(0, 58), min_size=6, max_size=6))
    for name in [name for name in (*NAMES, "World") if name in past.lives]:
        for tick in ticks:
            check(trace, name, tick, past)
        assert why(trace, name, ticks[0]) == why(past, name, ticks[0])


@pytest.fixture(scope="module")
def chat() -> Session:
    session = lab.load("chat")
    session.run(max_cycles=420)
    return session


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 418))
def test_the_next_tick_of_the_chat_room_is_as_said(chat: Session, tick: int) -> None:
    past = Past().follow(chat.trace)
    for name in chat.nodes:
        check(chat.trace, name, tick, past)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- the index


def test_following_a_trace_is_the_same_as_reading_it(chat: Session) -> None:
    records = list(chat.trace)
    trace, past = Trace(), Past()
    for start in range(0, len(records), 700):
        for record in records[start : start + 700]:
            trace.append(record)
        past.follow(trace)
    assert past.follow(trace).tick == chat.tick
    for name in chat.nodes:
        assert why(past, name) == why(records, name)


def test_a_trace_that_went_back_is_read_again(chat: Session) -> None:
    past = Past().follow(chat.trace)
    other = Trace()
    for record in list(chat.trace)[:900]:
        other.append(record)
    assert why(past.follow(other), "Ada") == why(list(other), "Ada")


def test_a_long_trace_is_explained_at_any_tick() -> None:
    hsm = meeting()
    hsm.add_transit("ready", "done", "no", {"reason": "not yet"})
    hsm.add_transit("ready", "done", "serve")
    session = party(NAMES, 1, guest=hsm)
    session.step(20_000)
    assert len(session.trace) > 100_000
    past = Past().follow(session.trace)
    assert {why(past, "Ann", tick).code for tick in (session.tick, 10_000)} == {"STUCK"}
