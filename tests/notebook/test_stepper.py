"""The stepper, without a front end: what it sends, what it does when told to, what it leaves in a notebook."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill
import playwright
import pytest
from shells import Notebook
from test_display import assert_safe

import unaiverse_lab as lab
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.records import Record
from unaiverse_lab.notebook import Stepper, frames, live
from unaiverse_lab.notebook.frames import Feed, Fold, Machines, batches_of, drawing_of
from unaiverse_lab.notebook.stepper import PARTS
from unaiverse_lab.view import graph_of, sentence

STATIC = Path(lab.__file__).parent / "notebook" / "static"
NODE = Path(playwright.__file__).parent / "driver" / ("node.exe" if sys.platform == "win32" else "node")
EVIL = "<b>Eve</b><img src=x onerror=alert(1)>\"'&"


class Page:
    """What a front end has: it keeps what it is sent, as ``replay.js`` does."""

    def __init__(self, shown: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown = shown
        self.messages: list[dict[str, Any]] = []
        self.acks: list[dict[str, Any]] = []
        self.count = 0
        monkeypatch.setattr(shown, "send", lambda message, buffers=None: self.messages.append(to_json(message)))
        monkeypatch.setattr(shown.wire, "send", lambda message, buffers=None: self.acks.append(message))

    def say(self, **message: Any) -> None:
        self.shown._heard(self.shown.wire, message)

    def do(self, op: str, **args: Any) -> str:
        self.count += 1
        self.say(kind="do", id=f"page-{self.count}", op=op, args=args)
        return f"page-{self.count}"

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["k"] == "frames"]

    @property
    def seen(self) -> list[tuple[int, float, dict[str, Any]]]:
        """The records since the last key frame, with their times."""
        found: list[tuple[int, float, dict[str, Any]]] = []
        end = seq = None
        for message in self.frames:
            if "base" in message:
                found, end = [], message["from"]
            else:
                assert (message["seq"], message["from"]) == (seq + 1, end)
            seq, end = message["seq"], message["to"]
            found += unpacked(message["d"])
        return found


def to_json(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


def unpacked(batch: dict[str, Any]) -> list[tuple[int, float, dict[str, Any]]]:
    of = iter(batch["of"])
    return [(tick, t, batch["rows"][next(of)]) for tick, t, count in batch["ticks"] for _ in range(count)]


def told(record: Record) -> tuple[int, float, str, str, str]:
    return record.tick, round(record.t, 6), record.kind, record.node, sentence(record)


def shown_of(seen: list[tuple[int, float, dict[str, Any]]]) -> list[tuple[int, float, str, str, str]]:
    return [(tick, t, row["k"], row["n"], row["x"]) for tick, t, row in seen]


@pytest.fixture
def chat() -> lab.Session:
    return lab.load("chat")


@pytest.fixture
def page(chat: lab.Session, monkeypatch: pytest.MonkeyPatch) -> Page:
    made = Page(Stepper(chat), monkeypatch)
    made.say(kind="hello", view="a", proto=1)
    return made


# ---------------------------------------------------------------------- what is sent


@pytest.mark.parametrize("world", ["chat", "cat_library"])
def test_batches_hold_the_records(world: str) -> None:
    session = lab.load(world)
    session.run(max_cycles=300)
    batches = list(batches_of(list(session.trace), Machines()))
    assert sum(count for count, _ in batches) == len(session.trace)
    assert shown_of([one for _, batch in batches for one in unpacked(to_json(batch))]) == list(map(told, session.trace))
    assert max(len(json.dumps(batch)) for _, batch in batches) <= 128_000


def test_what_repeats_is_sent_once(chat: lab.Session) -> None:
    chat.run(max_cycles=3000)
    records = list(chat.trace)[-4000:]
    ((_, batch),) = batches_of(records, Machines())
    assert len(batch["rows"]) < 40
    assert len(json.dumps(batch)) < 8 * len(records)


def test_a_machine_is_drawn_with_the_edges_that_records_name(chat: lab.Session) -> None:
    chat.run(max_cycles=120)
    machine = chat.agent("Ada").behav.to_dict()
    drawing = drawing_of(machine)
    named = {(edge["from"], label["edge"]): edge["to"] for edge in drawing["edges"] for label in edge["labels"]}
    assert len(named) == sum(len(edge.labels) for edge in graph_of(machine).edges)
    for record in chat.trace:
        if record.kind in ("transition", "attempt") and record.node == "Ada":
            assert named[record.source, record.edge] == record.target
    assert {state["name"] for state in drawing["states"]} == set(machine["states"])


@pytest.mark.parametrize("world", ["chat", "cat_library", "animal_school"])
def test_the_page_comes_to_the_same_as_the_kernel(world: str, tmp_path: Path) -> None:
    session = lab.load(world)
    session.run(max_cycles=260)
    feed = Feed(session.trace)
    feed.around(100 if world != "animal_school" else 40)
    script = """
    import { Replay } from %s;
    let text = "";
    for await (const part of process.stdin) text += part;
    const { messages, places } = JSON.parse(text);
    const replay = new Replay();
    for (const message of messages) if (!replay.take(message)) throw new Error("gap");
    const found = {};
    for (const place of places) found[place] = replay.fold(place).keyFrame();
    console.log(JSON.stringify(found));
    """
    (tmp_path / "replay.mjs").write_text((STATIC / "replay.js").read_text(encoding="utf-8"))
    messages = feed.again()
    start, end = messages[0]["from"], messages[-1]["to"]
    places = [start, end, *range(start, end, max(1, (end - start) // 17)), start + 1]
    (tmp_path / "go.mjs").write_text(script % json.dumps(str(tmp_path / "replay.mjs")))
    asked = json.dumps({"messages": messages, "places": places})
    ran = subprocess.run([str(NODE), str(tmp_path / "go.mjs")], input=asked, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    for place in places:
        assert found[str(place)] == to_json(Fold(Machines()).take(session.trace[:place]).key_frame())


def test_a_page_has_everything_and_in_order(page: Page, chat: lab.Session) -> None:
    for _ in range(30):
        chat.step(7)
        page.shown.refresh()
    assert shown_of(page.seen) == list(map(told, chat.trace))
    assert page.shown.head["tick"] == 209
    assert (
        set(page.shown.machines) == set(page.frames[-1].get("base", {}).get("offered", {}).values())
        or len(page.shown.machines) == 2
    )


def test_a_gap_is_filled(page: Page, chat: lab.Session) -> None:
    chat.step(20)
    page.shown.refresh()
    for _ in range(4):
        chat.step(5)
        page.shown.refresh()
    seq = page.frames[1]["seq"]
    lost = page.messages[2:]
    page.messages[2:] = []
    page.say(kind="resync", seq=seq)
    assert page.messages[2:] == lost
    assert shown_of(page.seen) == list(map(told, chat.trace))


def test_a_page_that_missed_too_much_begins_anew(page: Page, chat: lab.Session) -> None:
    for _ in range(frames.KEPT + 5):
        chat.step(1)
        page.shown.refresh()
    page.messages.clear()
    page.say(kind="resync", seq=1)
    assert "base" in page.frames[0]
    assert shown_of(page.seen) == list(map(told, chat.trace))


def test_after_a_long_run_the_latest_part_is_sent(
    page: Page, chat: lab.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live.time, "monotonic", lambda: 0.0)  # no look in the middle
    chat.run(max_cycles=2000)
    page.shown.refresh()
    start = page.frames[-1]["to"] - len(page.seen)
    assert start > 0
    assert len(page.seen) <= frames.WINDOW
    assert shown_of(page.seen) == list(map(told, chat.trace.since(start)))
    base = [message["base"] for message in page.frames if "base" in message][-1]
    assert base == to_json(Fold(Machines()).take(chat.trace[:start]).key_frame())
    assert chat.trace[start].tick > chat.trace[start - 1].tick
    page.say(kind="around", tick=30)
    assert page.seen[0][0] == 0
    assert 30 in {tick for tick, _, _ in page.seen}
    chat.step(3)
    page.shown.refresh()
    assert page.seen[-1][0] < chat.tick - 3, "nothing new while it looks at the past"
    page.do("step")
    assert page.seen[-1][0] == chat.tick


def test_going_back_is_another_branch(page: Page, chat: lab.Session) -> None:
    chat.step(60)
    page.shown.refresh()
    chat.back(20)
    page.shown.refresh()
    assert page.frames[-1]["branch"] == 1 or any(message.get("branch") == 1 for message in page.frames)
    assert shown_of(page.seen) == list(map(told, chat.trace))
    assert page.shown.head["tick"] == 39


def test_what_the_trace_let_go_is_not_missed(chat: lab.Session) -> None:
    chat.trace.capacity = 500
    feed = Feed(chat.trace)
    for _ in range(30):
        chat.run(max_cycles=50)
        feed.fresh()
    assert chat.trace.gone > 10_000
    tail = feed.tail(10_000)
    assert tail["from"] >= chat.trace.gone
    assert tail["base"]["nodes"]["Ada"]["role"] == "user"
    assert tail["base"]["offered"]["user"] in feed.machines.drawings
    assert Feed(chat.trace).fresh()[0]["from"] >= chat.trace.gone
    assert Feed(lab.Trace()).fresh()[0]["d"]["of"] == []


def test_nobody_looks_and_nothing_is_sent(chat: lab.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(Stepper(chat), monkeypatch)
    chat.run(max_cycles=100)
    assert page.messages == []
    page.say(kind="hello", view="a", proto=1)
    page.say(kind="bye", view="a")
    count = len(page.messages)
    chat.run(max_cycles=10)
    page.shown.refresh()
    assert len(page.messages) == count


# ---------------------------------------------------------------------- what it does


def test_commands_are_obeyed_and_acknowledged(page: Page, chat: lab.Session) -> None:
    done = page.do("step")
    assert chat.tick == 0
    assert page.shown.head["done"][-1] == done
    assert {"kind": "ack", "id": done, "proto": 1} in page.acks
    page.do("step_agent", name="Ada")
    assert any(record.node == "Ada" for record in chat.micro_steps())
    page.do("say", name="Ada", text="Hello")
    page.do("break_on", what="user:message_sent")
    assert [one["name"] for one in page.shown.breaks] == ["user:message_sent"]
    chat.run(max_cycles=100)
    page.shown.refresh()
    assert page.shown.head["hit"]["name"] == "user:message_sent"
    assert page.shown.head["word"] == "at a breakpoint"
    page.do("unbreak", name="user:message_sent")
    assert page.shown.breaks == []


def test_what_cannot_be_done_is_said(page: Page, chat: lab.Session) -> None:
    done = page.do("step_agent", name="Adda")
    assert page.shown.head["done"][-1] == done
    assert "Ada" in page.shown.head["refused"]
    done = page.do("close")
    assert page.shown.head["done"][-1] == done
    assert "close" in page.shown.head["refused"]
    done = page.do("step", wrong=1)
    assert "wrong" in page.shown.head["refused"]
    page.do("step")
    assert "refused" not in page.shown.head


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"kind": 5},
        {"kind": "do"},
        {"kind": "do", "id": 1, "op": "step", "args": {}},
        {"kind": "do", "id": "a", "op": "step", "args": [1]},
        {"kind": "around", "tick": None},
        {"kind": "resync", "seq": "no"},
        {"kind": "why", "tick": "x"},
        {"kind": "why", "node": "nobody", "tick": 3},
    ],
)
def test_nonsense_changes_nothing(page: Page, chat: lab.Session, message: dict[str, Any]) -> None:
    chat.step(5)
    page.say(**message)
    assert chat.tick == 4
    page.shown.refresh()
    assert shown_of(page.seen) == list(map(told, chat.trace))


def test_it_explains_any_tick(page: Page, chat: lab.Session) -> None:
    chat.step(50)
    page.say(kind="why", node="Ada", tick=20)
    (answer,) = [message for message in page.messages if message["k"] == "why"]
    assert answer["d"] == to_json(chat.why("Ada", 20).explanation.to_dict())


def test_it_changes_nothing(chat: lab.Session, page: Page) -> None:
    other = lab.load("chat")
    other.run(max_cycles=300)
    while chat.tick < 99:
        page.do("step")
    chat.run(max_cycles=200)
    page.shown.static()
    assert chat.digest() == other.digest()


def test_the_loop_obeys_while_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        chat = lab.load("chat")
        page = Page(Stepper(chat), monkeypatch)
        page.say(kind="hello", view="a", proto=1)
        await asyncio.to_thread(page.do, "step")
        await asyncio.sleep(0.05)
        assert chat.tick == 0
        page.do("start", speed=200)
        async with asyncio.timeout(20):
            while chat.tick <= 5:
                await asyncio.sleep(0.01)
        assert page.shown.head["run"] == "running"
        await asyncio.to_thread(page.do, "pause")
        await asyncio.sleep(0.05)
        tick = chat.tick
        await asyncio.sleep(0.1)
        assert chat.tick == tick
        assert page.shown.head["run"] == "paused"
        assert shown_of(page.seen) == list(map(told, chat.trace))
        page.shown.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("options", "words"),
    [({"agent": "Adda"}, "Did you mean 'Ada'"), ({"panels": ["timelin"]}, "Did you mean 'timeline'")],
)
def test_wrong_options_are_refused(chat: lab.Session, options: dict[str, Any], words: str) -> None:
    with pytest.raises(LabError, match=words):
        chat.stepper(**options)


# ---------------------------------------------------------------------- what a notebook keeps


def test_without_widgets_there_is_a_picture_and_a_table(chat: lab.Session) -> None:
    shown = chat.stepper(agent="Ada")
    assert "not started yet" in shown.static()["text/plain"]
    chat.run(max_cycles=60)
    bundle = shown.static()
    page = assert_safe(bundle["text/html"])
    assert len(page.drawings) == 2
    words = chat.why("Ada").explanation.headline
    assert words in bundle["text/plain"]
    assert "tick 59" in bundle["text/plain"]
    assert "message_sent" in page.drawings[0]


def test_names_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    session = lab.load("chat")
    session.add(lab.Agent(), EVIL, role_preference="user")
    page = Page(Stepper(session, agent=EVIL), monkeypatch)
    page.say(kind="hello", view="a", proto=1)
    session.run(max_cycles=30)
    page.shown.refresh()
    assert_safe(page.shown.static()["text/html"])
    for name in PARTS:
        source = (STATIC / f"{name}.js").read_text(encoding="utf-8")
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "http://cdn",
            "https://",
        ):
            assert word not in source, f"{name} uses {word}"


@pytest.mark.parametrize("world", ["chat", "cat_library"])
def test_what_is_kept_is_small_and_replays(world: str) -> None:
    session = lab.load(world)
    shown = session.stepper()
    session.run(max_cycles=1500)
    shown.static()
    tail = json.loads(shown.tail)
    assert len(json.dumps(tail)) <= 200_000
    records = [one for batch in tail["batches"] for one in unpacked(batch)]
    assert shown_of(records) == list(map(told, session.trace.since(tail["from"])))
    assert tail["base"] == to_json(Fold(Machines()).take(session.trace[: tail["from"]]).key_frame())
    assert {why["node"] for why in tail["whys"]} <= set(session.nodes)
    assert set(tail["base"]["offered"].values()) <= set(shown.machines)


def test_text_and_static_are_honoured(monkeypatch: pytest.MonkeyPatch, chat: lab.Session) -> None:
    shown = chat.stepper()
    for mode, forms in (
        ("text", {"text/plain"}),
        ("static", {"text/html", "text/plain"}),
        ("widget", {"text/html", "text/plain", live.VIEW}),
    ):
        monkeypatch.setenv(live.MODE, mode)
        assert set(shown._bundle()) == forms


def test_what_a_cell_keeps_is_drawn_again_only_when_something_happened(chat: lab.Session) -> None:
    shown = chat.stepper()
    chat.run(max_cycles=50)
    shown.static()
    drawn = shown._pictures["text/html"]
    assert shown.static()["text/html"] is drawn
    chat.step()
    assert shown.static()["text/html"] is not drawn


@pytest.mark.notebook
def test_an_executed_notebook_stays_small(tmp_path: Path) -> None:
    cells = [
        "import unaiverse_lab as lab\ns = lab.load('cat_library')",
        "s.stepper()",
        "s.run(max_cycles=2000)",
        "1 + 1",
    ]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "in.ipynb")
    papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    assert (tmp_path / "out.ipynb").stat().st_size <= 400_000
    (output,) = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[1].outputs
    assert live.VIEW in output.data
    assert "tick 1999" in output.data["text/plain"]
    assert_safe(output.data["text/html"])


def test_it_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(with_stepper: bool) -> float:
        session = lab.load("chat")
        if with_stepper:
            page = Page(Stepper(session), monkeypatch)
            page.say(kind="hello", view="a", proto=1)
        begin = time.process_time()
        session.run(max_cycles=3000)
        return time.process_time() - begin

    pairs = [(seconds(False), seconds(True)) for _ in range(3)]
    assert min(watched / alone for alone, watched in pairs) <= 1.3


def test_it_is_there_in_a_notebook(book: Notebook) -> None:
    book.run("import unaiverse_lab as lab\ns = lab.load('chat')\nw = s.stepper()")
    assert "Stepper" in book.run("print(type(w).__name__)")
