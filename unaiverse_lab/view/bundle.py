"""The static forms of what a notebook shows: HTML that survives any sanitiser, and plain text."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from unaiverse_lab.core.records import Record
from unaiverse_lab.view._drawing import escaped
from unaiverse_lab.view.graph import machine_text
from unaiverse_lab.view.svg import machine_svg
from unaiverse_lab.view.text import columns, html_table, records_text, table_html

_HEAD = ("agent", "role", "state", "since", "status")


class Status(NamedTuple):
    """One line of the table of agents.

    Attributes:
        agent: name of the node.
        role: its role; empty outside a world.
        state: where its machine is.
        since: when it got there, readable: ``"12 (0.6 s)"``.
        status: what it is doing, in a few words.
    """

    agent: str
    role: str
    state: str
    since: str
    status: str


def image_html(svg: str, alt: str) -> str:
    """Return ``svg`` as an HTML image with its data inside; ``alt`` is for those who cannot see it."""
    data = b64encode(svg.encode()).decode()
    return f'<img alt="{escaped(alt)}" src="data:image/svg+xml;base64,{data}">'


def machine_html(
    machine: Mapping[str, Any],
    *,
    current: str | None = None,
    limbo: bool = False,
    title: str | None = None,
    teleports: bool = True,
) -> str:
    """Return the drawing of ``machine`` as an HTML image, in words for those who cannot see it.

    Arguments as in :func:`unaiverse_lab.view.svg.machine_svg`.
    """
    drawing = machine_svg(machine, current=current, limbo=limbo, title=title, teleports=teleports)
    return image_html(drawing, machine_text(machine, teleports))


def session_html(
    status_rows: Iterable[Status], svgs: Mapping[str, str], records: Iterable[Record], last: int = 10
) -> str:
    """Return a session as HTML: the table of agents, the drawings, the last records.

    Args:
        status_rows: one for each agent.
        svgs: drawings by what they show, said for those who cannot see it.
        records: the trace, in order.
        last: how many records to show.
    """
    images = "".join(f"<p>{image_html(svg, alt)}</p>" for alt, svg in svgs.items())
    return f"<div>{html_table(_HEAD, status_rows)}{images}{table_html(records, last)}</div>"


def session_text(status_rows: Iterable[Status], records: Iterable[Record], last: int = 10) -> str:
    """Return a session as plain text: the table of agents and the last records."""
    return f"{columns(_HEAD, status_rows)}\n\n{records_text(records, last)}"
