"""What a notebook shows of sessions, machines and traces: HTML without scripts for the browser, text for the rest.

The HTML is made of tables and of images that carry their data, so it looks the same in a notebook that was never
trusted, in an exported page and on a code-hosting site. The text says the same in a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any, get_args

from unaiverse_lab.behavior.machine import HybridStateMachine
from unaiverse_lab.core.errors import BehaviorError, LabError, WorldError, did_you_mean
from unaiverse_lab.core.records import (
    AnyRecord,
    BehaviorSet,
    Completed,
    Fault,
    Forced,
    InState,
    Joined,
    Moved,
    Pushed,
    Record,
    Requested,
    RoleSet,
    Sent,
    Tried,
)
from unaiverse_lab.runtime.session import Session
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.stats import Dash, UIPlot
from unaiverse_lab.view import (
    Explanation,
    Past,
    Status,
    core_dash,
    figure_html,
    figure_text,
    image_html,
    machine_html,
    machine_text,
    records_text,
    session_html,
    session_text,
    table_html,
    timeline_svg,
    transitions_text,
)
from unaiverse_lab.view import why as why_stuck

Records = Session | Trace | Sequence[Record]
Kinds = str | type[Record] | Iterable[str | type[Record]]

RECENT = 10
"""How many records a session shows; failed attempts and what states do at every tick are not counted."""

MOST_RECORDS = 200
"""How many records a table shows when it is not told."""

MOST_NODES = 12
"""With more nodes than this, a session is shown without its timeline."""

MOST_ROWS = 50
"""How many nodes the table of a session lists."""

PLOTLY = "application/vnd.plotly.v1+json"
"""The media type that JupyterLab, Notebook and VS Code draw with plotly."""

_DRAWN = (BehaviorSet, Completed, Fault, Forced, Joined, Moved, Pushed, Requested, RoleSet, Sent)
_KINDS: dict[str, type[Record]] = {kind.kind: kind for kind in get_args(AnyRecord)}


class Shown:
    """Something to look at: a drawing or a table in a notebook, the same in words when printed.

    Attributes:
        html: HTML without scripts and without references to anything outside.
        text: plain text.
    """

    def __init__(self, html: str, text: str) -> None:
        self.html = html
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


class Explained(Shown):
    """Why a node does not go on, in words.

    Attributes:
        explanation: the same as data: ``explanation.code``, ``explanation.verdicts``, ``explanation.to_dict()``, ...
    """

    def __init__(self, explanation: Explanation) -> None:
        super().__init__(explanation.html(), explanation.text())
        self.explanation = explanation


class Drawn(Shown):
    """A figure, drawn by plotly where the front end can; elsewhere its values in tables, or in words.

    A saved notebook gets the figure as data, not the library that draws it.

    Attributes:
        figure: its JSON.
    """

    def __init__(self, shown: UIPlot | Dash) -> None:
        super().__init__(figure_html(shown), figure_text(shown))
        self.figure = shown.to_json()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        drawing = {**self.figure, "config": {"displaylogo": False, "responsive": True}}
        return {PLOTLY: drawing, **super()._repr_mimebundle_()}


# ---------------------------------------------------------------------- what a cell shows by itself


def session_bundle(session: Session) -> dict[str, str]:
    """The forms of a session, by media type: who is where since when, the timeline, the last records."""
    rows = _status(session)
    if len(rows) > MOST_ROWS:
        rows[MOST_ROWS:] = [Status(f"... and {len(rows) - MOST_ROWS} more", "", "", "", "")]
    recent = _recent(session.trace)
    pictures = {}
    if session.tick >= 0 and len(session.nodes) <= MOST_NODES:
        drawn = session.trace.of_kind(*_DRAWN)
        pictures["timeline of the latest ticks"] = timeline_svg(drawn, last=20, machines=machines_now(session))
    return {
        "text/html": session_html(rows, pictures, recent, RECENT),
        "text/plain": f"{_clock(session)}\n\n{session_text(rows, recent, RECENT)}",
    }


def machine_bundle(machine: HybridStateMachine) -> dict[str, str]:
    """The forms of a machine, by media type: its drawing with the current state lit, or its states in words."""
    return _machine(machine)._repr_mimebundle_()


def trace_bundle(trace: Trace) -> dict[str, str]:
    """The forms of a trace, by media type: how much it holds, and its last records."""
    return _table(trace[-2 * RECENT :], len(trace), "record")._repr_mimebundle_()


def figure_bundle(figure: UIPlot | Dash) -> dict[str, Any]:
    """The forms of a panel or a dash, by media type: the figure as data, its values in tables, and in words."""
    return Drawn(figure)._repr_mimebundle_()


# ---------------------------------------------------------------------- what a learner asks for


def graph(session: Session, role_or_node: str) -> Shown:
    """The machine of a node, with its current state lit; or that of a role, saying who is where.

    Raises:
        WorldError: no agent and no role of that name.
    """
    node = session.nodes.get(role_or_node)
    if node is not None:
        behav = session.agent(role_or_node).behav
        return _machine(behav, f"{role_or_node}: {behav.role}")
    template = session.synchronizer.template(role_or_node)
    if template is None:
        known = [name for name, node in session.nodes.items() if node.agent is not None] + session.world.roles.custom
        raise WorldError(f"there is no node or role {role_or_node!r}.{did_you_mean(role_or_node, known)}")
    members = [(row.agent, row.state) for row in _status(session) if row.role == role_or_node]
    where = "; ".join(f"{agent} in {state}" for agent, state in members) or "nobody has this role now"
    machine = template.to_dict()
    return Shown(
        f"<div>{machine_html(machine, title=role_or_node)}<p>{escape(where)}</p></div>",
        f"{role_or_node}: {where}\n\n{machine_text(machine)}",
    )


def timeline(session: Records, last: int = 60) -> Shown:
    """What happened at the ``last`` ticks at which something did: a lane for each node, time downwards.

    Args:
        session: a session, its trace, or the records of a file.
        last: how many ticks.
    """
    trace = _trace_of(session)
    drawn = trace.of_kind(*_DRAWN) if isinstance(trace, Trace) else [one for one in trace if isinstance(one, _DRAWN)]
    machines = machines_now(session) if isinstance(session, Session) else None
    ticks = sorted({record.tick for record in drawn})[-last:] if last > 0 else []
    words = transitions_text(record for record in drawn if ticks and record.tick >= ticks[0])
    return Shown(image_html(timeline_svg(drawn, last=last, machines=machines), words), words)


def why(session: Records, node: str, tick: int | None = None, past: Past | None = None) -> Explained:
    """Why an agent does not go on: what each transition of its state waits for, who waits for whom, what would help.

    Args:
        session: a session, its trace, or the records of a file.
        node: name of the agent's node.
        tick: the end of this tick is looked at; default: now, for a trace its last tick.
        past: what was learned of the trace before; give the same one again to have the answer at once.

    Raises:
        LabError: no node of that name; the message gives the nearest ones.
    """
    trace = _trace_of(session)
    past = (past if past is not None else Past()).follow(trace) if isinstance(trace, Trace) else Past(trace)
    machines: dict[str, dict[str, Any]] = {}
    if isinstance(session, Session):
        if node in session.nodes:
            past.know(node)
        if tick is None or tick == session.tick:
            tick = session.tick
            machines = _machine_now(session, node)
    return Explained(why_stuck(past, node, tick, machines=machines))


def _machine_now(session: Session, node: str) -> dict[str, dict[str, Any]]:
    """The machine that a node runs, with its wildcards filled in, where it can be written down."""
    hosted = session.nodes.get(node)
    if hosted is None or hosted.agent is None:
        return {}
    try:
        return {node: hosted.agent.behav.to_dict()}
    except BehaviorError:
        return {}


def table(session: Records, kinds: Kinds | None = None, last: int | None = None) -> Shown:
    """The latest records as a table.

    Args:
        session: a session, its trace, or the records of a file.
        kinds: only these: names such as ``"transition"``, ``"message"``, ``"attempt"``, or classes of records.
        last: how many; None: the latest 200.

    Raises:
        LabError: no such kind; the message gives the nearest names.
    """
    trace = _trace_of(session)
    count = MOST_RECORDS if last is None else max(0, last)
    if kinds is None:
        return _table(trace[len(trace) - min(count, len(trace)) :], len(trace), "record")
    classes = tuple(_kind(kind) for kind in ([kinds] if isinstance(kinds, str | type) else kinds))
    records = [record for record in trace if isinstance(record, classes)]
    return _table(records[len(records) - min(count, len(records)) :], len(records), "such record")


def display_dashboard(session: Records, tick: int | None = None, theme: str | None = None) -> Drawn:
    """The dashboard of a world: members, states, who has met whom, last actions, refusals, values, badges.

    Args:
        session: a session, its trace, or the records of a file.
        tick: as it was at the end of that tick; None: now.
        theme: ``"light"`` (the default) or ``"dark"``.

    Raises:
        LabError: there is no such theme.
    """
    return Drawn(core_dash(_trace_of(session), tick, theme=theme))


# ---------------------------------------------------------------------- pieces


def _trace_of(source: Records) -> Trace | Sequence[Record]:
    return source.trace if isinstance(source, Session) else source


def _kind(kind: str | type[Record]) -> type[Record]:
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind
    if kind not in _KINDS:
        raise LabError(f"there are no records of kind {kind!r}.{did_you_mean(str(kind), _KINDS)}")
    return _KINDS[kind]


def _clock(session: Session) -> str:
    if session.tick < 0:
        return f"{len(session.nodes)} nodes, not started yet: step() or run()"
    return f"tick {session.tick} ({session.now:g} s), {len(session.trace)} records"


def _status(session: Session) -> list[Status]:
    entered = _entered(session)
    return [Status(name, role, state, entered.get(name, ""), doing) for name, role, state, doing in session.status()]


def _entered(session: Session) -> dict[str, str]:
    """When each agent got to the state it is in, as the trace tells it: tick and seconds."""
    missing = {name for name, node in session.nodes.items() if node.agent is not None}
    found: dict[str, str] = {}
    for record in reversed(session.trace):
        if not missing:
            break
        moved = (isinstance(record, Moved) and record.source != record.target) or isinstance(record, RoleSet)
        if record.node in missing and (moved or (isinstance(record, Forced) and record.target is not None)):
            missing.discard(record.node)
            found[record.node] = f"{record.tick} ({record.t:g} s)"
    return found


def _recent(trace: Trace) -> list[Record]:
    told = (record for record in reversed(trace) if not isinstance(record, Tried | InState))
    return list(islice(told, RECENT))[::-1]


def machines_now(session: Session) -> dict[str, dict[str, Any]]:
    """The machines that the agents of a session run, by node, in the JSON format of behaviors."""
    return {name: node.agent.behav.to_dict() for name, node in session.nodes.items() if node.agent is not None}


def _machine(machine: HybridStateMachine, title: str | None = None) -> Shown:
    data = machine.to_dict()
    current, limbo = machine.get_state_name(consider_limbo=True), machine.get_state_name() is None
    where = f"in the middle of an action of {current}" if limbo else f"now in {current}"
    heading = ", ".join([title or machine.role, *([where] if current else [])])
    return Shown(
        machine_html(data, current=current, limbo=limbo, title=title),
        f"{heading}\n\n{machine_text(data)}",
    )


def _table(records: Sequence[Record], total: int, what: str) -> Shown:
    of = f"the last {len(records)} of " if 0 < len(records) < total else ""
    heading = f"{of}{total} {what}{'' if total == 1 else 's'}"
    count = len(records)
    return Shown(
        f"<div><p>{escape(heading)}</p>{table_html(records, count)}</div>",
        f"{heading}\n\n{records_text(records, count)}",
    )
