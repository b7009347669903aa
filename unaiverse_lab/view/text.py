"""What happened in a world, in words: sentences, tables in plain text, a table in HTML."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import singledispatch

from unaiverse_lab.core.records import (
    Badge,
    BehaviorSet,
    Completed,
    Dropped,
    Fault,
    Forced,
    Injected,
    InState,
    Joined,
    Met,
    Moved,
    Pushed,
    Record,
    Redefined,
    Requested,
    RoleSet,
    RoleSuggested,
    Said,
    Sent,
    Stat,
    Tried,
)
from unaiverse_lab.view._drawing import clipped, escaped, one_line
from unaiverse_lab.view.graph import call_text

_OUTCOMES = {
    "failed": "it did not succeed",
    "again": "not yet, it will be tried again at the next tick",
    "step": "one step of several done",
    "timeout": "given up, its time is over",
    "waiting": "it waits for data and was not called yet",
    "vetoed": "vetoed by the policy filter",
    "raised": "it raised an error",
}
_STAGES = {
    "asked": "asked to join",
    "admitted": "was admitted",
    "refused": "was refused",
    "left": "left",
    "purged": "was taken off the lists",
}
_MEETINGS = {
    "asked": "asked to meet",
    "met": "met",
    "refused": "did not get to meet",
    "parted": "parted from",
}
_DELIVERIES = {
    (True, True): "delivered data to",
    (True, False): "could not deliver data to",
    (False, True): "received data of",
    (False, False): "waits no longer for data of",
}
"""How data that came without a request ended: seen by its sender or not, well or not."""


@singledispatch
def sentence(record: Record) -> str:
    """Return ``record`` as one English sentence on one line, without its time: ``"Ada is now user."``."""
    return _said(record, f"recorded something of kind {record.__struct_config__.tag}")


def transitions_text(records: Iterable[Record]) -> str:
    """Return an aligned table of who moved from which state to which, by what action and why."""
    rows = [
        (str(move.tick), _time(move), move.node, f"{move.source} -> {move.target}", move.action, _why(move))
        for move in records
        if isinstance(move, Moved)
    ]
    return columns(("tick", "t", "node", "from -> to", "action", "why"), rows, right=2)


def records_text(records: Iterable[Record], last: int = 10) -> str:
    """Return the ``last`` records, one line each: tick, seconds, sentence."""
    lines = [(str(record.tick), _time(record), sentence(record)) for record in deque(records, maxlen=last)]
    return columns(("tick", "t", "what happened"), lines, right=2)


def table_html(records: Iterable[Record], last: int = 10) -> str:
    """Return the ``last`` records as an HTML table that says the same in a notebook never trusted."""
    rows = [(str(record.tick), _time(record), record.node, sentence(record)) for record in deque(records, maxlen=last)]
    return html_table(("tick", "t", "node", "what happened"), rows)


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], right: int = 0) -> str:
    """Align ``rows`` under ``head`` as plain text, the first ``right`` columns to the right."""
    table = [head, *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if index < right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


_LEFT = 'style="text-align:left"'


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a plain HTML table, everything in it escaped, aligned to the left where styles are kept."""
    top = "".join(f"<th {_LEFT}>{escaped(cell)}</th>" for cell in head)
    lines = ("<tr>" + "".join(f"<td {_LEFT}>{escaped(one_line(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _time(record: Record) -> str:
    return f"{record.t:.3f}"


def _why(record: Moved | Tried) -> str:
    if record.edge < 0:
        return "forced from outside"
    return f"asked by {record.requester} ({record.uuid})" if record.requester else "on its own"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _said(record: Record, rest: str) -> str:
    words = one_line(f"{record.node} {rest}")
    return words if words.endswith((".", "!", "?", "…")) else words + "."


@sentence.register
def _(record: Moved) -> str:
    where = (
        f"stayed in {record.source}"
        if record.source == record.target
        else f"went from {record.source} to {record.target}"
    )
    return _said(record, f"{where}: {record.action} succeeded, {_why(record)}")


@sentence.register
def _(record: Tried) -> str:
    outcome = _OUTCOMES.get(record.outcome, record.outcome)
    return _said(
        record,
        f"tried {record.action} in {record.source}, {_why(record)}: {outcome}"
        + (f" ({record.reason})" if record.reason else ""),
    )


@sentence.register
def _(record: InState) -> str:
    return _said(
        record,
        f"did {record.action} while in {record.state}"
        + ("" if record.ok else f", without success{_because(record.reason)}"),
    )


@sentence.register
def _(record: Said) -> str:
    return _said(record, f'says "{clipped(record.text, 200)}"')


@sentence.register
def _(record: Joined) -> str:
    role = f" as {record.role}" if record.role else ""
    return _said(record, f"{_STAGES.get(record.stage, record.stage)}{role}{_because(record.reason)}")


@sentence.register
def _(record: BehaviorSet) -> str:
    return _said(record, f"{'brings its own' if record.own else 'offers the'} behavior of role {record.role}")


@sentence.register
def _(record: RoleSet) -> str:
    before = f", no longer {record.previous}" if record.previous else ""
    state = f", and starts in {record.state}" if record.state else ""
    return _said(record, f"is now {record.role}{before}{state}")


@sentence.register
def _(record: RoleSuggested) -> str:
    said = "is to be" if record.accepted else "is not to be"
    return _said(record, f"{said} {record.role}, as {record.by} suggested{_because(record.reason)}")


@sentence.register
def _(record: Badge) -> str:
    score = "" if record.score is None else f" (score {record.score:g})"
    badge = f"the badge {record.badge_type!r}{score}"
    by = f", as {record.by} suggested" if record.by else ""
    if not record.awarded:
        return _said(record, f"was refused {badge}{by}{_because(record.reason)}")
    return _said(record, f"was awarded {badge}{by}{_because(clipped(record.description, 120))}")


@sentence.register
def _(record: Stat) -> str:
    what = f"{record.stat} = {clipped(str(record.value), 80)}" + (f" for {record.key}" if record.key else "")
    if not record.accepted:
        return _said(record, f"could not report {what}{_because(record.reason)}")
    return _said(record, f"reported {what}")


@sentence.register
def _(record: Forced) -> str:
    if record.what == "stop":
        return _said(record, f"is switched off{f' in {record.source}' if record.source else ''}, because of the error")
    start = f" from {record.source}" if record.source else ""
    end = f" to {record.target}" if record.target else ""
    return _said(record, f"was changed from outside, {record.what}{start}{end}")


@sentence.register
def _(record: Redefined) -> str:
    before = f", before it was version {record.before}" if record.before else ""
    return _said(record, f"goes on with version {record.after} of the {record.what} {record.name}{before}")


@sentence.register
def _(record: Met) -> str:
    return _said(record, f"{_MEETINGS.get(record.stage, record.stage)} {record.peer}{_because(record.reason)}")


@sentence.register
def _(record: Sent) -> str:
    targets = ", ".join(record.targets) or "nobody"
    if record.action is None:
        return _said(record, f"sent data to {targets} ({record.uuid})")
    return _said(record, f"asked {targets} to {clipped(call_text(record.action, record.args), 120)} ({record.uuid})")


@sentence.register
def _(record: Requested) -> str:
    what = f"a request of {record.requester}" + (f" to {record.action}" if record.action else "")
    if not record.accepted:
        return _said(record, f"refused {what} ({record.uuid}){_because(record.reason)}")
    where = f", to be served in {record.source}" if record.source else ""
    return _said(record, f"received {what} ({record.uuid}){where}")


@sentence.register
def _(record: Completed) -> str:
    detail = f" ({record.detail})" if record.detail else ""
    if record.action is None:
        what = f"{_DELIVERIES[record.side == 'sent', record.reason == 'ok']} {record.peer or 'anybody'}"
        end = "" if record.reason == "ok" else f": {record.reason}{detail}"
        return _said(record, f"{what}{end} ({record.uuid})")
    peer = "" if record.peer is None else f" {'asked of' if record.side == 'sent' else 'asked by'} {record.peer}"
    end = "completed" if record.reason == "ok" else f"ended without success, {record.reason}"
    return _said(record, f"sees {record.action}{peer} {end}{detail} ({record.uuid})")


@sentence.register
def _(record: Pushed) -> str:
    value = "" if record.value is None else f": {clipped(record.value, 120)}"
    return _said(record, f"received sample {record.tag} of {record.owner}:{record.stream}{value}")


@sentence.register
def _(record: Injected) -> str:
    value = "" if record.value is None else f": {clipped(record.value, 120)}"
    return _said(record, f"typed{value}" if record.what == "typed" else f"was given {record.what} from outside{value}")


@sentence.register
def _(record: Fault) -> str:
    place = " in " + ", ".join(filter(None, (record.action, record.state and f"state {record.state}")))
    line = f" at {record.where}" if record.where else ""
    code = f" ({record.code.strip()})" if record.code else ""
    return _said(record, f"met an error{place if place.strip() != 'in' else ''}{line}: {record.error}{code}")


@sentence.register
def _(record: Dropped) -> str:
    return _said(record, f"dropped a message of {record.sender}: {record.reason}")
