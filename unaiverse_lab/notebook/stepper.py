"""The stepper: a session to go through, forward and back, with the machine of each agent before one's eyes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import traitlets

from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.core.records import InState, Tried
from unaiverse_lab.notebook.display import MOST_NODES, MOST_ROWS, RECENT, graph, machines_now
from unaiverse_lab.notebook.frames import Feed
from unaiverse_lab.notebook.live import LiveView
from unaiverse_lab.runtime.mailbox import ALWAYS, AT_REST
from unaiverse_lab.runtime.session import Session
from unaiverse_lab.view import Status, session_html, session_text, timeline_svg

_HERE = Path(__file__).parent / "static"

PARTS = ("replay", "drawing", "timeline", "store", "inspector", "panels", "stepper")
"""The front end's files: one module, in this order, without imports; nothing has to be built."""

PANELS = ("roster", "graph", "inspect", "timeline")
PROTO = 1
TAIL = 160_000
"""Bytes of records that a saved notebook keeps, so that they can be gone through without a kernel."""

LATEST = 20_000
"""How many records the picture is made of."""

EXPLAINED = 0.1
"""Seconds that may be spent to explain, for the saved notebook, where everybody stands."""

WORDS = {
    "until": "got there",
    "break": "at a breakpoint",
    "max_cycles": "paused",
    "quiet": "nothing can happen any more",
    "paused": "paused",
    "interrupted": "interrupted",
    "error": "ended by an error",
}


class Stepper(LiveView):
    """A session to go through, forward and back.

    It shows the machine of an agent with what was tried in a tick, who is where, the timeline, requests and messages,
    and why the agent does not go on; it has buttons and keys to step, run, stop, look back, and start again from
    there. All that is shown follows from the trace. A saved notebook keeps the latest records, which can be looked
    through without a kernel; where widgets are not shown, there is a picture and a table.

    Args:
        session: the session.
        agent: the node to begin with; default: the first one that has a state.
        panels: which of ``"roster"``, ``"graph"``, ``"inspect"``, ``"timeline"`` to show; default: all.
        height: of the upper panels, in pixels; default 420.

    Raises:
        LabError: no such node, or no such panel.
    """

    _esm = "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)
    _css = _HERE / "stepper.css"

    world = traitlets.Unicode().tag(sync=True)
    agent = traitlets.Unicode(allow_none=True, default_value=None).tag(sync=True)
    options = traitlets.Dict().tag(sync=True)
    machines = traitlets.Dict().tag(sync=True)
    breaks: Any = traitlets.List().tag(sync=True)
    head = traitlets.Dict().tag(sync=True)
    tail = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, session: Session, agent: str | None = None, panels: Sequence[str] = PANELS, height: int | None = None
    ) -> None:
        if agent is not None and agent not in session.nodes:
            raise LabError(f"there is no node {agent!r}.{did_you_mean(agent, session.nodes)}")
        for panel in panels:
            if panel not in PANELS:
                raise LabError(f"there is no panel {panel!r}.{did_you_mean(panel, PANELS)}")
        self.feed = Feed(session.trace)
        self._ended = ""
        self._asked: dict[int, str] = {}
        self._done: list[str] = []
        self._refused = ""
        self._place: tuple[Any, Any] = None, None
        self._pictured: Any = None
        self._pictures: dict[str, Any] = {}
        super().__init__(session)
        self.world = session.synchronizer.world_name
        self.agent = agent
        self.options = {"panels": list(panels), **({} if height is None else {"height": int(height)})}
        if self._loop is not None:
            session.mailbox.attach(self._loop)

    # ------------------------------------------------------------------ what there is to see

    def _told(self, what: str) -> None:
        if what in WORDS:
            self._ended = WORDS[what]
        elif what == "moved":
            self._ended = "went back"
        asked = len(self._asked)
        self._collect()
        if len(self._asked) < asked:
            self.refresh()
        elif what == "running" or time.monotonic() < self._next:
            super()._told(what)
        else:
            self.refresh()

    def _collect(self) -> None:
        for reply in self.session.mailbox.replies:
            asked = self._asked.pop(reply.id, None)
            if asked is not None:
                self._done = [*self._done[-7:], asked]
                self._refused = reply.error or ""

    def _moment(self) -> Any:
        return *super()._moment(), self.session.running, tuple(self._done), self._breaks()

    def look(self) -> int:
        """Send what is new."""
        sent = self._send_frames(self.feed.fresh())
        if self.breaks != (breaks := self._breaks()):
            self.breaks = breaks
        self.head = self._head()
        return sent

    def show(self, tick: int | None = None) -> Stepper:
        """Move the cursor to the end of a tick; None: to how things are."""
        self.send({"k": "cursor", "tick": tick})
        return self

    def _breaks(self) -> list[dict[str, Any]]:
        return [one.to_dict() for one in self.session.breakpoints.values()]

    def _send_frames(self, messages: list[dict[str, Any]]) -> int:
        drawings = self.feed.machines.drawings
        if len(drawings) != len(self.machines):
            self.machines = {digest: _text(drawing) for digest, drawing in drawings.items()}
        letters = 0
        for message in messages:
            self.send(message)
            letters += 40 * len(message["d"]["rows"]) + 5 * len(message["d"]["of"])
        return letters

    def _head(self) -> dict[str, Any]:
        session = self.session
        head: dict[str, Any] = {
            "tick": session.tick,
            "records": len(session.trace),
            "run": "running" if session.running else "paused",
            "word": self._ended or "paused",
            "done": self._done,
            "can_restart": session._history is not None,
        }
        if not session.running and (branches := session.branches):
            head["branch"] = session.branch
            head["branches"] = [[one.name, one.tick, one.last] for one in branches]
        run = session._background
        if run is not None and run.active:
            head["speed"] = run.speed
        if self._refused:
            head["refused"] = self._refused
        if session.error is not None:
            head["error"] = f"The run ended at tick {session.tick}: {type(session.error).__name__}: {session.error}"
        if session.hits and not session.running:
            hit = session.hits[0]
            head["hit"] = {"name": hit.breakpoint, "tick": hit.tick, "node": hit.record.node, "number": hit.number}
        return head

    # ------------------------------------------------------------------ a person

    def answer(self, message: dict[str, Any]) -> None:
        """Say that a message has arrived."""
        if message.get("kind") in ("hello", "do"):
            self.wire.send({"kind": "ack", "id": message.get("id"), "proto": PROTO})

    def take(self, message: dict[str, Any]) -> None:
        """Do what was asked for, between two ticks."""
        match message:
            case {"kind": "do", "id": str(number), "op": str(op), "args": dict(args)}:
                self._do(number, op, args)
            case {"kind": "resync", "seq": int(seq)}:
                self._send_frames(self.feed.resend(seq))
            case {"kind": "around", "tick": int(tick)}:
                self._send_frames(self.feed.around(tick))
            case {"kind": "why", "node": str(node), "tick": int(tick)}:
                self._explain(node, tick)

    def _do(self, number: str, op: str, args: dict[str, Any]) -> None:
        if op not in ALWAYS and op not in AT_REST:
            self._done = [*self._done[-7:], number]
            self._refused = f"there is no command {op!r}"
            return
        if not self.feed.is_live:
            self._send_frames(self.feed.again())
        mailbox = self.session.mailbox
        self._asked[mailbox.post(op, **args)] = number
        mailbox.obey()
        self._collect()

    def _explain(self, node: str, tick: int) -> None:
        if self.session.running or tick < 0:
            return
        with contextlib.suppress(LabError):
            found = self.session.why(node, tick).explanation
            self.send({"k": "why", "tick": tick, "d": found.to_dict()})

    # ------------------------------------------------------------------ what a notebook keeps

    def _ipython_display_(self) -> None:
        parent = self._shell.get_parent() if hasattr(self._shell, "get_parent") else {}
        self._place = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
        for watcher in list(self.session.watchers):
            other = getattr(watcher, "__self__", None)
            if isinstance(other, Stepper) and self._replaces(other):
                other.close()
        super()._ipython_display_()

    def _replaces(self, other: Stepper) -> bool:
        """Whether the cell that shows another one was run again, to show this one instead."""
        (cell, run), (its_cell, its_run) = self._place, other._place
        return cell is not None and cell == its_cell and run != its_run

    def static(self) -> dict[str, Any]:
        """A picture of the machine, who is where, the timeline and the last records."""
        moment = self._moment()
        if moment != self._pictured:
            self._pictured, self._pictures = moment, self._drawn()
            if not self.session.running:
                self._keep()
        return dict(self._pictures)

    def _drawn(self) -> dict[str, Any]:
        session = self.session
        latest = session.trace.since(max(0, len(session.trace) - LATEST))
        told = [record for record in latest if not isinstance(record, Tried | InState)]
        rows = self._status()
        pictures = {}
        if told and len(session.nodes) <= MOST_NODES:
            pictures["timeline of the latest ticks"] = timeline_svg(told, last=20, machines=machines_now(session))
        html, text = session_html(rows, pictures, told, RECENT), session_text(rows, told, RECENT)
        name = self._begin_with()
        if name is not None:
            drawn, why = graph(session, name), session.why(name).explanation.headline
            html, text = f"<div>{drawn.html}<p>{escape(why)}</p>{html}</div>", f"{why}\n\n{text}"
        when = f"tick {session.tick} ({session.now:g} s)" if session.tick >= 0 else "not started yet"
        return {"text/html": f"<div><p>{when}</p>{html}</div>", "text/plain": f"{when}\n\n{text}"}

    def _status(self) -> list[Status]:
        session = self.session
        nodes, delta = self.feed.present().nodes, session.synchronizer.clock.delta
        rows = []
        for name, role, state, doing in session.status()[:MOST_ROWS]:
            since = nodes.get(name, {}).get("since") if state else None
            seconds = session.now - (session.tick - (since or 0)) * delta
            rows.append(Status(name, role, state, "" if since is None else f"{since} ({round(seconds, 6):g} s)", doing))
        more = len(session.nodes) - MOST_ROWS
        return rows if more <= 0 else [*rows, Status(f"... and {more} more", "", "", "", "")]

    def _begin_with(self) -> str | None:
        """The agent that a picture is made of."""
        agents = [name for name, node in self.session.nodes.items() if node.agent is not None]
        if self.agent in agents:
            return self.agent
        return next((row[0] for row in self.session.status() if row[0] in agents and row[2]), None)

    def _keep(self) -> None:
        """Bring up to date what can be gone through without a kernel."""
        tail = self.feed.tail(TAIL)
        end = time.perf_counter() + EXPLAINED
        whys = []
        for name, node in self.session.nodes.items():
            if node.agent is not None and time.perf_counter() < end and self.session.tick >= 0:
                with contextlib.suppress(LabError):
                    whys.append(self.session.why(name).explanation.to_dict())
        with self.hold_sync():
            self._send_frames([])
            self.head = self._head()
            self.tail = _text({**tail, "whys": whys})


def _text(data: Any) -> str:
    """Data as JSON in a string: a notebook file would give each number in it a line of its own."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
