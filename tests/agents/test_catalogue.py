"""The catalogue of built-in actions: each one done and not done, with its reason, by machines in a session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from runtime.rooms import Completed, Fault, Moved, Tried, ends, machine, moves, records, room

import unaiverse_lab
from unaiverse_lab import Agent, HybridStateMachine, Interaction, ScriptedHuman, Session, Stream, StreamType, action
from unaiverse_lab.agents.actions import catalogue
from unaiverse_lab.behavior.actions import action_names
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.records import Pushed, Said, Sent
from unaiverse_lab.data.library import Source

DOCS = Path(unaiverse_lab.__file__).parents[1] / "docs" / "actions.md"
ENTRIES = [entry for family in catalogue.FAMILIES for entry in catalogue.entries(family)]


class Actor(Agent):
    """Does the one action of a case."""

    def nobody(self, addresses: list[str], peer_ids: list[str]) -> tuple[list[str], list[str]]:
        return [], []


class Partner(Agent):
    """Does what it is asked, or loafs."""

    @action
    async def loaf(self, interaction: Interaction | None = None) -> bool:
        return self.because("not today")


def partner() -> HybridStateMachine:
    hsm = machine(Partner)
    for name in ("process", "engage", "disengage", "subscribe", "loaf", "nop"):
        hsm.add_transit("ready", "ready", action=name, ready=False)
    return hsm


def stage(name: str = "nop", args: dict[str, Any] | None = None, *, ready: bool = True, ann: Agent | None = None,
          strict: bool = False) -> Session:  # fmt: skip
    """Ann waits to do the action as soon as she is set ready; Bob and Cyd are there; nobody has met anybody."""
    hsm = machine(Actor, "waiting")
    hsm.add_state("ready")
    hsm.add_transit("ready", "done", action=name, args=args, ready=ready)
    session = Session(room(actor=hsm, partner=partner(), ghost=machine(Partner)), delta=0.1, strict=strict)
    tape = Stream.create(Source(["x", "y"], circular=False, data_type="text"), "tape")
    news = Stream(name="news", pubsub=True)
    ann = ann or Agent(proc_inputs=["text"], proc_outputs=["text"], buffer_generated_by_others="all")
    for stream in (tape, news):
        ann.add_stream(stream)
    session.add(ann, "Ann", role_preference="actor", master=True)
    for peer in ("Bob", "Cyd"):
        session.add(Agent(proc_inputs=["text"], proc_outputs=["text"]), peer, role_preference="partner")
    session.step(3)
    assert session.states_of("Ann") == ["waiting"]
    return session


def meet(session: Session) -> None:
    """Ann meets Bob."""
    session.agent("Ann").contact("Bob")
    session.step(3)
    assert session.agent("Bob").knows("Ann")


def find(session: Session) -> None:
    """Ann meets Bob, and has found him."""
    meet(session)
    session.agent("Ann")._found_agents.add("Bob")


def engage(session: Session) -> None:
    """Ann and Bob are engaged."""
    meet(session)
    for one, other in (("Ann", "Bob"), ("Bob", "Ann")):
        session.agent(one)._engaged_agents.add(other)
        session.agent(one)._available = False


def busy(session: Session) -> None:
    """Ann has found Bob, who is busy."""
    find(session)
    session.agent("Bob")._available = False


def taken(session: Session) -> None:
    """Ann is busy with Cyd."""
    meet(session)
    session.agent("Ann")._engaged_agents.add("Cyd")
    session.agent("Ann")._available = False


def contact(session: Session) -> None:
    """Ann has just said hello to Bob."""
    session.agent("Ann").contact("Bob")
    session.agent("Ann")._found_agents.add("Bob")


def ask_bob(session: Session) -> None:
    """Bob works for Ann."""
    meet(session)
    session.agent("Ann")._send("process", "Bob", streams=["tape"], num_steps=2)


def hear_bob(session: Session) -> None:
    """Bob has worked for Ann."""
    ask_bob(session)
    session.step(10)


def let_bob_loaf(session: Session) -> None:
    """Bob does not do what Ann asked."""
    meet(session)
    session.agent("Ann")._send("loaf", "Bob")


def judge(session: Session) -> None:
    """Ann has evaluated Bob."""
    session.agent("Ann")._eval_results = {"Bob": 0.5}


def play(session: Session) -> None:
    """Ann has a playlist."""
    drive(session.agent("Ann").set_pref_streams(["Ann:tape", "Ann:news"]))


class Asked(NamedTuple):
    """Bob asks Ann for the action of the case."""

    action_kwargs: dict[str, Any] | None = None
    data_samples: dict[str, Any] | None = None


BOARD = json.dumps({"name": "board", "group": "none", "data_type": "text", "pubsub": True})
LETTER = json.dumps({"name": "letter", "group": "none", "data_type": "text", "pubsub": False})


class Case(NamedTuple):
    """An action with its arguments after some preparation: True, or False with a reason."""

    action: str
    args: dict[str, Any]
    reason: str | None = None
    prepare: Callable[[Session], None] | None = None
    asked: Asked | None = None
    ann: Callable[[], Agent] | None = None


CASES = [
    Case("nop", {}),
    Case("show", {}),
    Case("process", {}, None, meet, Asked(data_samples={"proc_output_0": "hello"})),
    Case("process", {}, "nothing new on proc_input_0"),
    Case("send", {"action_name": "nop", "target": "Bob"}, None, meet),
    Case("send", {"action_name": "nop", "target": "Bob"}, "'Bob': not among the agents I know"),
    Case("send", {"action_name": "nop"}, "cannot send to nobody"),
    Case("send", {"target": "Bob", "data_samples": {"newz": "x"}}, "no stream 'newz'. Did you mean 'news'", meet),
    Case("all_sent_completed", {}),
    Case("all_sent_completed", {"action_name": "loaf"}, "1 requests are open, the oldest to Bob", let_bob_loaf),
    Case("learn", {}, ann=lambda: Agent(ScriptedHuman([]))),
    Case("learn", {}, "nothing new on proc_input_0"),
    Case("record", {"streams": ["tape"], "num_steps": 2}),
    Case("record", {}, "there are no streams to record"),
    Case("on_received", {}, None, ask_bob),
    Case("on_received", {}, "no new answer", meet),
    Case("on_received", {"data_type": "img"}, "no new answer", hear_bob),
    Case("evaluate", {"stream_hash": "tape", "how": "max", "steps": 2, "agents_to_evaluate": "Bob"}, None, hear_bob),
    Case("evaluate", {"stream_hash": "tape", "how": "max"}, "nobody has answered", engage),
    Case("compare_eval", {"cmp": "<", "thres": 0.6}, None, judge),
    Case("compare_eval", {"cmp": "<", "thres": 0.5}, "nobody qualifies (Bob: 0.500; < 0.5)", judge),
    Case("compare_eval", {"cmp": "min", "thres": -1.0}, "nobody was evaluated"),
    Case("connect_by_role", {"role": "partner"}),
    Case("connect_by_role", {"role": "ghost"}, "nobody has the role 'ghost' yet"),
    Case("connect_by_role", {"role": "partner", "filter_fcn": "nobody"}, "nobody wants nobody with the role"),
    Case("connect_by_role", {"role": "partner", "filter_fcn": "nobdy"}, "no filter 'nobdy'. Did you mean 'nobody'"),
    Case("connect_by_role", {"role": "actor"}, "nobody has the role 'actor' yet"),
    Case("connect_to", {"peer_id": "Bob"}),
    Case("connect_to", {"peer_id": "Bop"}, "there is no member 'Bop'"),
    Case("find_agents", {"role": ["ghost", "partner"]}),
    Case("find_agents", {"role": "partner", "handshake_completed": True}, "nobody met so far has the role 'partner'"),
    Case("connected", {"agent": "Bob", "handshake_completed": True}, None, meet),
    Case("connected", {"agent": ["Bob", "Cyd"]}, "the handshake with Cyd is not finished", meet),
    Case("connected", {}, "no agent was found or engaged"),
    Case("disconnected", {"agent": "Bob"}),
    Case("disconnected", {"agent": ["Bob", "Cyd"]}, "still in contact with Bob", meet),
    Case("disconnected", {}, "no agent was found or engaged"),
    Case("disconnect", {"agent": "Bob"}, None, meet),
    Case("disconnect_by_role", {"role": "partner", "disengage_too": True}, None, engage),
    Case("agents_are_waiting", {}, None, contact),
    Case("agents_are_waiting", {}, "no handshake is under way", find),
    Case("send_engage", {}, None, find),
    Case("send_engage", {}, "there is nobody to engage"),
    Case("send_engage", {}, "nobody accepted to engage", busy),
    Case("engage", {"acceptable_role": "partner"}, None, meet, Asked()),
    Case("engage", {}, "nobody asked to engage"),
    Case("engage", {}, "busy with Cyd", taken, Asked()),
    Case("engage", {"acceptable_role": "ghost"}, "only the role 'ghost' may engage me, not 'partner'", meet, Asked()),
    Case("set_engaged_partner", {"agent": "Bob"}),
    Case("send_disengage", {}, None, engage),
    Case("send_disengage", {}, "nobody is engaged"),
    Case("disengage", {}, None, engage, Asked()),
    Case("disengage", {}, "nobody asked to disengage"),
    Case("disengage", {}, "we are not engaged", meet, Asked()),
    Case("disengage_all", {}, None, engage),
    Case("all_engagements_completed", {}),
    Case("all_engagements_completed", {}, "Bob were found and not engaged", find),
    Case("set_pref_streams", {"net_hashes": ["Ann:tape"], "repeat": 2}),
    Case("next_pref_stream", {}, None, play),
    Case("next_pref_stream", {}, "the playlist is empty"),
    Case("first_pref_stream", {}, None, play),
    Case("first_pref_stream", {}, "the playlist is empty"),
    Case("check_pref_stream", {"what": "not_last"}, None, play),
    Case("check_pref_stream", {}, "entry 1 of 2 is not 'last'", play),
    Case("check_pref_stream", {}, "the playlist is empty"),
    Case("send_subscribe", {"agent": "Bob", "stream_hashes": ["news"]}, None, meet),
    Case("send_subscribe", {}, None, find),
    Case("send_subscribe", {"stream_hashes": ["Bob:newz"]}, "there is no stream 'Bob:newz'", find),
    Case("send_subscribe", {"stream_hashes": ["proc_output_0"]}, "proc_output_0: not for subscribers", find),
    Case("send_subscribe", {"stream_hashes": []}, "no stream of mine is for subscribers", find),
    Case("send_subscribe", {}, "cannot send to nobody"),
    Case("subscribe", {"stream_owners": ["Bob"], "stream_props": [BOARD]}),
    Case("subscribe", {}, None, meet, Asked({"stream_owners": ["Bob"], "stream_props": [BOARD]})),
    Case("subscribe", {}, "subscribe needs stream_owners and stream_props"),
    Case("subscribe", {}, "one of each", meet, Asked({"stream_owners": ["Bob"], "stream_props": [BOARD, BOARD]})),
    Case("subscribe", {}, "stream_props cannot be", meet, Asked({"stream_owners": ["Bob"], "stream_props": ["{"]})),
    Case("subscribe", {}, "cannot be read", meet, Asked({"stream_owners": ["Bob"], "stream_props": ["[]"]})),
    Case("subscribe", {}, "'letter' of Bob is", meet, Asked({"stream_owners": ["Bob"], "stream_props": [LETTER]})),
    Case("subscribe", {"stream_owners": ["Eve"], "stream_props": [BOARD]}, "Eve cannot be reached"),
    Case("subscribe", {"stream_owners": ["Ann"], "stream_props": [BOARD]}, "Ann cannot be reached"),
    Case(
        "subscribe",
        {"stream_owners": ["Bob"], "stream_props": [BOARD], "unsubscribe": True},
        "I am not subscribed to Bob",
    ),
    Case("suggest_role_to_world", {"agent": "Bob", "role": "ghost"}),
    Case("suggest_role_to_world", {"role": "ghost"}, "there is nobody to suggest a role for"),
    Case("suggest_badges_to_world", {"agent": "Bob", "score": 0.5}),
    Case("suggest_badges_to_world", {"score": 0.5}, "there is nobody to suggest a badge for"),
    Case("suggest_badges_to_world", {"agent": "Bob", "score": 1.5}, "1.5"),
    Case("ask_world_stats", {"filters": {"stat_names": ["world_agents"]}}),
]  # fmt: skip


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.action}-{case.reason or True}")
def test_an_action_is_done_or_says_why_not(case: Case, strict: bool) -> None:
    session = stage(
        case.action, case.args, ready=case.asked is None, ann=case.ann() if case.ann else None, strict=strict
    )
    if case.prepare is not None:
        case.prepare(session)
    session.agent("Ann").behav.set_state("ready")
    session.node("Ann").wake()
    if case.asked is not None:
        asked = {name: value for name, value in case.asked._asdict().items() if value is not None}
        assert session.agent("Bob")._send(case.action, "Ann", **asked) is not None
    session.step(30)
    done = [move for move in records(session, Moved, "Ann") if move.action == case.action]
    failed = [one.reason or "" for one in records(session, Tried, "Ann") if one.action == case.action]
    assert not records(session, Fault)
    if case.reason is None:
        assert session.states_of("Ann") == ["done"]
        assert len(done) == 1
    else:
        assert not done
        assert any(case.reason in reason for reason in failed), failed
        assert all(failed)
        if case.asked is not None:
            [(reason, detail)] = ends(session, "Bob")
            assert reason == "rejected"
            assert case.reason in detail


def test_every_action_has_a_case_for_each_of_its_verdicts() -> None:
    direct = {"show", "ask_world_stats"}  # False only without a machine or a world, see below
    assert {case.action for case in CASES if case.reason is None} == {entry.name for entry in ENTRIES}
    assert {case.action for case in CASES if case.reason is not None} | direct == {
        entry.name for entry in ENTRIES if entry.false != "never"
    }


def test_show_without_an_interaction_has_nothing_to_show() -> None:
    ann = stage().agent("Ann")
    assert not drive(ann.show())
    assert ann.behav.reason == "there is no interaction to show"


def test_statistics_cannot_be_asked_for_outside_a_world() -> None:
    session = Session()
    ann = session.add(Agent(), "Ann").agent
    assert ann is not None
    assert not drive(ann.ask_world_stats())
    assert ann.behav.reason == "I am in no world that I could ask"


# ------------------------------------------------------------------ the page


def test_every_action_of_an_agent_is_in_the_catalogue_once() -> None:
    names = [entry.name for entry in ENTRIES] + [entry.alias for entry in ENTRIES if entry.alias]
    assert sorted(names) == action_names(Agent)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_docstring_has_the_shape_of_the_catalogue(entry: catalogue.Entry) -> None:
    assert entry.summary.endswith(".")
    assert all(entry.arguments.values())
    assert entry.true and entry.false and entry.sends
    assert entry.waits is ("interaction" in entry.parameters and entry.name != "send_engage")


def test_the_page_is_what_the_docstrings_say() -> None:
    assert DOCS.read_text(encoding="utf-8") == catalogue.markdown(), (
        "run: python -m unaiverse_lab.agents.actions.catalogue > docs/actions.md"
    )


@pytest.mark.parametrize(
    ("docstring", "problem"),
    [
        (None, "True when"),
        ("Do it.", "lists the arguments"),
        ("Do it.\n\nArgs:\n    way: how.\n", "True when"),
        ("Do it.\n\nArgs:\n    way: how.\n\nTrue when done. Sends nothing.", "True when"),
        ("Do it.\n\nArgs:\n    way: how.\n\nTrue always. False never. Sends nothing.", "True when"),
        ("Do it.\n\nArgs:\n    ways: how.\n\nTrue always. Sends nothing.", "['ways'], it takes ['way']"),
    ],
)
def test_a_docstring_of_another_shape_is_refused(docstring: str | None, problem: str) -> None:
    async def act(self: Any, way: str) -> bool:
        return True

    async def plain(self: Any) -> bool:
        return True

    act.__doc__ = plain.__doc__ = docstring
    with pytest.raises(LabError) as error:
        catalogue.entry(plain if docstring is None else act)
    assert problem in str(error.value)


def test_an_entry_says_what_the_docstring_says() -> None:
    async def act(self: Any, way: str = "a|b", interaction: Any = None) -> bool:
        """Do it
        well.

        Args:
            way: how,
                and why.
            interaction: the request.

        A remark. True when it is done: well. False when it is not. Sends ``x``
        to all.

        Raises:
            LabError: never.
        """
        return True

    entry = catalogue.entry(act)
    assert entry[:8] == (
        "act", None, "Do it well.", {"way": "how, and why.", "interaction": "the request."},
        "it is done: well", "it is not", "``x`` to all", {"LabError": "never."},
    )  # fmt: skip
    assert entry.waits
    assert catalogue._row(entry) == (
        "| `act` ● | Do it well | it is done: well | it is not; `LabError`: never | `x` to all |"
    )
    assert catalogue._arguments(entry) == ["| `act` | `way` | `'a\\|b'` | how, and why |"]


# ------------------------------------------------------------------ details of single actions


def test_asking_to_engage_is_solid_unless_said_otherwise() -> None:
    hsm = machine(Actor)
    hsm.add_transit("ready", "done", action="send_engage")
    hsm.add_transit("ready", "done", action="process")
    assert [edge["on"]["ready"] for edge in json.loads(str(hsm))["transitions"]["ready"]] == [True, False]


def test_show_is_a_ready_made_callback() -> None:
    session = stage()
    let_bob_loaf(session)
    session.agent("Ann")._send("process", "Bob", data_samples={"proc_output_0": "x"}, callback="show")
    session.agent("Ann")._send("polish", "Bob", callback="show")
    session.step(10)
    told = [said.text for said in records(session, Said, "Ann")]
    assert sorted(told) == [
        "Ann -> Bob: polish, rejected, there is no action 'polish' in state 'ready'",
        "Ann -> Bob: process, ok",
    ]


@pytest.mark.parametrize("slow", [False, True])
def test_answers_go_to_a_function_of_the_agent_once_each(slow: bool) -> None:
    class Collector(Actor):
        def accept_new_role(self, role: int) -> None:
            super().accept_new_role(role)
            self.kept: list[Any] = []

        def keep(self, peer: str, props: Any, data: Any, data_tag: int) -> None:
            self.kept.append((peer, props.name, data, data_tag))

        async def keep_slowly(self, peer: str, props: Any, data: Any, data_tag: int) -> None:
            self.keep(peer, props, data, data_tag)

    hsm = machine(Collector)
    name = "keep_slowly" if slow else "keep"
    hsm.add_transit("ready", "ready", action="on_received", args={"processing_fcn": name})
    session = Session(room(actor=hsm, partner=partner()), delta=0.1)
    session.add(Agent(proc_inputs=["text"], proc_outputs=["text"]), "Ann", role_preference="actor")
    session.agent("Ann").add_stream(Stream.create(Source(["x", "y"], circular=False, data_type="text"), "tape"))
    for peer in ("Bob", "Cyd"):
        session.add(Agent(str.upper, ["text"], ["text"]), peer, role_preference="partner")
    session.step(3)
    for peer in ("Bob", "Cyd"):
        session.agent("Ann").contact(peer)
    session.step(3)
    session.agent("Ann")._send("process", ["Bob", "Cyd"], streams=["tape"], num_steps=2)
    session.step(12)
    assert session.agent("Ann").kept == [  # type: ignore[attr-defined]
        ("Bob", "proc_output_0", "X", 0), ("Cyd", "proc_output_0", "X", 0),
        ("Bob", "proc_output_0", "Y", 1), ("Cyd", "proc_output_0", "Y", 1),
    ]  # fmt: skip


def test_no_more_samples_are_streamed_than_wanted() -> None:
    session = stage()
    meet(session)
    session.agent("Ann")._send("loaf", "Bob", streams=["proc_output_0"], num_samples_to_stream=2)
    [sent] = records(session, Sent, "Ann")
    for word in ("a", "b", "c", "d"):
        session.agent("Ann").stdout.set([word], uuid=sent.uuid)
        session.step()
    session.step(3)
    assert [sample.value for sample in records(session, Pushed, "Bob")] == ["a", "b"]


# ------------------------------------------------------------------ long computations


class Grader(Agent):
    """Grades a sheet per tick."""

    sheets, patience = 4, 60.0
    results: list[Any]

    def accept_new_role(self, role: int) -> None:
        super().accept_new_role(role)
        self.results = []

    def grade(self, sheets: int, *, worth: int = 1) -> Iterator[None]:
        total = 0
        for _ in range(sheets):
            if sheets > 90 and total > 1:
                raise RuntimeError("illegible")
            total += worth
            yield
        return total

    @action
    async def examine(self, interaction: Interaction | None = None) -> bool:
        done, result = self.stepwise(interaction, self.grade, self.sheets, worth=10, retry_timeout=self.patience)
        if done:
            self.results.append((self.clock.tick, result))
        return done


def school(sheets: int, patience: float = 60.0, **options: Any) -> Session:
    hsm = machine(Grader, "ready")
    hsm.add_transit("ready", "graded", action="examine", **options)
    session = Session(room(grader=hsm, partner=partner()), delta=0.1)
    for name, role in (("Ann", "grader"), ("Bob", "partner")):
        session.add(Agent(), name, role_preference=role)
    Grader.sheets, Grader.patience = sheets, patience
    session.step(3)
    return session


@pytest.mark.parametrize("sheets", [0, 1, 4])
def test_a_long_computation_goes_on_a_piece_per_tick(sheets: int) -> None:
    session = school(sheets, ready=True)
    session.step(8)
    [move] = records(session, Moved, "Ann")
    assert session.agent("Ann").results == [(move.tick, sheets * 10)]  # type: ignore[attr-defined]
    waits = [(one.outcome, one.reason) for one in records(session, Tried, "Ann")]
    assert waits == [("again", "grade is under way")] * sheets


def test_a_long_computation_that_is_asked_for_is_answered_at_its_end_and_twice_if_asked_twice() -> None:
    session = school(3, ready=False)
    session.agent("Bob").contact("Ann")
    session.step(3)
    bob = session.agent("Bob")
    for _ in range(2):
        assert bob._send("examine", "Ann", from_state="ready") is not None
    session.step(6)
    assert ends(session, "Bob") == [("ok", "")]
    session.agent("Ann").behav.set_state("ready")
    session.node("Ann").wake()
    session.step(6)
    assert ends(session, "Bob") == [("ok", "")] * 2
    assert [result for _, result in session.agent("Ann").results] == [30, 30]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sheets", "error"), [(30, "LabError: grade takes longer than 2 s"), (99, "RuntimeError: illegible")]
)
def test_a_long_computation_that_fails_ends_with_an_error(sheets: int, error: str) -> None:
    session = school(sheets, 2.0, ready=False)
    session.agent("Bob").contact("Ann")
    session.step(3)
    session.agent("Bob")._send("examine", "Ann")
    session.step(30)
    [(reason, detail)] = ends(session, "Bob")
    assert reason == "error"
    assert detail.startswith(error)
    assert session.states_of("Ann") == ["ready"]
    Grader.sheets = 2
    session.agent("Bob")._send("examine", "Ann")
    session.step(8)
    assert session.states_of("Ann") == ["graded"]


def test_outside_a_machine_a_long_computation_is_made_at_once() -> None:
    ann = school(5, ready=False).agent("Ann")
    assert drive(ann.examine())  # type: ignore[attr-defined]
    assert ann.results[-1][1] == 50  # type: ignore[attr-defined]


# ------------------------------------------------------------------ class ids as targets


def pupil(loss: str) -> tuple[Session, bool]:
    """A lesson of pictures of four numbers and classes out of three; and whether anything was learned."""
    hsm = machine(Partner)
    hsm.add_transit("ready", "ready", action="learn")
    session = Session(room(actor=machine(Actor), partner=hsm), delta=0.1)
    ann = Agent()
    pictures = [torch.eye(4)[[number]] for number in range(3)]
    labels = [torch.tensor([number]) for number in range(3)]
    inputs = {"data_type": "tensor", "tensor_shape": (1, 4), "tensor_dtype": torch.float32}
    scores = {**inputs, "tensor_shape": (1, 3)}
    targets = {"data_type": "tensor", "tensor_shape": (1,), "tensor_dtype": torch.int64}
    ann.add_stream(Stream.create(Source(pictures, circular=False, **inputs), "images", "lesson"))
    ann.add_stream(Stream.create(Source(labels, circular=False, **targets), "labels", "lesson"))
    session.add(ann, "Ann", role_preference="actor")
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 3)
    losses = {
        "cross_entropy": torch.nn.functional.cross_entropy,
        "CrossEntropyLoss": torch.nn.CrossEntropyLoss(),
        "mse": torch.nn.functional.mse_loss,
    }
    opts = {"optimizer": torch.optim.SGD(model.parameters(), lr=0.1), "losses": [losses[loss]]}
    bob = Agent(model, [StreamType(**inputs)], [StreamType(**scores)], opts)
    session.add(bob, "Bob", role_preference="partner")
    session.step(3)
    meet(session)
    before = model.weight.detach().clone()
    group = {"stdin": ["lesson"], "stdtar": ["lesson"]}
    assert ann._send("learn", "Bob", streams=group, num_steps=3) is not None
    session.step(10)
    return session, bool((model.weight != before).any())


@pytest.mark.parametrize("loss", ["cross_entropy", "CrossEntropyLoss"])
def test_class_ids_are_targets_where_the_loss_is_a_cross_entropy(loss: str) -> None:
    session, learned = pupil(loss)
    assert ends(session, "Ann") == [("ok", "")]
    assert len(records(session, Completed, "Bob")) == 1
    assert learned


def test_class_ids_are_no_targets_for_any_other_loss() -> None:
    session, learned = pupil("mse")
    [(reason, detail)] = ends(session, "Ann")
    assert reason == "rejected"
    assert "no stream fits the slot 'proc_output_0'" in detail
    assert "labels@lesson: shape (1, 3) vs (1,)" in detail
    assert not learned
    assert not moves(session, "Bob")
