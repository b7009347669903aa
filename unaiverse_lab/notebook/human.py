"""A person in a world, from a notebook: what reached them, a line to type, a button for each thing they may ask for."""

from __future__ import annotations

from collections import deque
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import traitlets

from unaiverse_lab.behavior.model import Transition
from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.core.records import Injected, Pushed, Record
from unaiverse_lab.notebook.live import LiveView
from unaiverse_lab.runtime.session import Session
from unaiverse_lab.view.text import columns, html_table

_HERE = Path(__file__).parent / "static"
REMEMBERED = 100
"""How many lines are seen."""

Row = dict[str, Any]


class Line(NamedTuple):
    """One line of the talk: at which tick and second, from whom, what."""

    tick: int
    t: float
    who: str
    text: str


class HumanPanel(LiveView):
    """What a person in a world sees and can do.

    The talk: what reached the agent, and what was typed. A line that is sent is typed at the next tick, as
    ``session.say`` does it. Below are buttons for the transitions of the state the agent is in that wait to be asked
    for; pressing one is ``session.inject``. All of it is in the trace, so a run with a person can be told and gone back
    in like any other.

    Args:
        session: the session.
        name: the node of the person: an agent with ``proc="human"``.

    Raises:
        LabError: no such agent, or no person stands behind it.
    """

    _esm = _HERE / "human.js"
    _css = _HERE / "human.css"

    name = traitlets.Unicode().tag(sync=True)
    state = traitlets.Unicode().tag(sync=True)
    talk: traitlets.List[list[str]] = traitlets.List().tag(sync=True)
    choices: traitlets.List[Row] = traitlets.List().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(self, session: Session, name: str) -> None:
        if not session.agent(name).is_human():
            people = [one.name for one in session.nodes.values() if one.agent is not None and one.agent.is_human()]
            known = f" People here: {', '.join(people)}.{did_you_mean(name, people)}" if people else ""
            raise LabError(f"no person stands behind {name!r}: give its agent proc='human'.{known}")
        self._lines: deque[Line] = deque(maxlen=REMEMBERED)
        self._count = 0
        self._last: Record | None = None
        self._mine: set[int] = set()
        super().__init__(session)
        self.name = name
        if self._loop is not None:
            session.mailbox.attach(self._loop)

    # ------------------------------------------------------------------ what there is to see

    def _moment(self) -> Any:
        """What decides whether there is anything new to show."""
        return *super()._moment(), self.session.mailbox.handled

    def look(self) -> int:
        """Send the talk, where the agent is, and what it may be asked for."""
        with self.hold_sync():
            self.talk = [[f"{line.t:g} s", line.who, line.text] for line in self._read()]
            self.state = self._where()
            self.choices = [_choice(edge) for edge in self._edges()]
            self.problem = self._error()
        return sum(len(line.text) + 60 for line in self._lines)

    def static(self) -> dict[str, Any]:
        """The talk as a table, and in words."""
        rows = [[str(line.tick), f"{line.t:g}", line.who, line.text] for line in self._read()]
        head, rows = ("tick", "at (s)", "who", "what"), rows or [["", "", "", "nothing was said yet"]]
        where = f"{self.name}: {self._where()}"
        return {
            "text/html": f"<div><p>{escape(where)}</p>{html_table(head, rows)}</div>",
            "text/plain": f"{where}\n\n{columns(head, rows)}",
        }

    def _read(self) -> deque[Line]:
        """The talk, with what is new in the trace; from the beginning where the trace went back."""
        trace = self.session.trace
        try:
            same = self._count <= len(trace) and (not self._count or trace[self._count - 1] is self._last)
        except IndexError:
            same = False
        if not same:
            self._lines.clear()
            self._count = 0
        for record in trace.since(self._count):
            if record.node == self.name and isinstance(record, Pushed | Injected):
                self._lines.append(_line(record))
            self._last = record
        self._count = len(trace)
        return self._lines

    def _where(self) -> str:
        found = [row for row in self.session.status() if row[0] == self.name]
        if not found:
            return "has left"
        _, role, state, doing = found[0]
        return ", ".join(part for part in (role, state and f"in {state}", doing) if part)

    def _edges(self) -> list[Transition]:
        if self.name not in self.session.nodes:
            return []
        behav = self.session.agent(self.name).behav
        state = behav.state
        if state is None or state not in behav.machine.states:
            return []
        groups = behav.machine.transitions[state].values()
        return [edge for group in groups for edge in group if edge.accepts_requests and not edge.ready]

    def _error(self) -> str:
        mine = [reply for reply in self.session.mailbox.replies if reply.id in self._mine]
        return (mine[-1].error or "") if mine else ""

    # ------------------------------------------------------------------ what the person does

    def answer(self, message: dict[str, Any]) -> None:
        """Leave the line, or the request, in the session's mailbox."""
        match message:
            case {"kind": "say", "text": str(text)} if text.strip():
                self._mine.add(self.session.mailbox.post("say", self.name, text.strip()))
            case {"kind": "ask", "action": str(action), "source": str(source), "target": str(target)}:
                post = self.session.mailbox.post
                self._mine.add(post("inject", self.name, action, from_state=source, to_state=target))

    def take(self, message: dict[str, Any]) -> None:
        """Have it obeyed also where no loop does so."""
        self.session.mailbox.obey()


def _line(record: Pushed | Injected) -> Line:
    who = record.owner if isinstance(record, Pushed) else "you" if record.what == "typed" else f"you ({record.what})"
    return Line(record.tick, record.t, who, record.value or "")


def _choice(edge: Transition) -> Row:
    args = ", ".join(f"{key}={value!r}" for key, value in edge.args.items())
    return {"action": edge.name, "source": edge.source, "target": edge.target, "args": args}
