"""What a figure says, in tables of HTML and in plain text: for where no charts are drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any

from unaiverse_lab.stats.dashes import Dash
from unaiverse_lab.stats.figures import UIPlot
from unaiverse_lab.view._drawing import clipped, escaped
from unaiverse_lab.view.text import columns, html_table

MOST_ROWS = 20
"""How many rows a table has at most."""

_TAG = re.compile(r"</?[a-z]+ ?/?>")

Table = tuple[str, Sequence[str], list[list[str]]]


def figure_html(figure: UIPlot | Dash) -> str:
    """Return what the panels of a figure say, as HTML without scripts: a table for each."""
    parts = [f"<p>{escaped(title)}</p>{html_table(head, rows)}" for title, head, rows in _tables(figure)]
    return f"<div>{_heading(figure)}{''.join(parts)}</div>"


def figure_text(figure: UIPlot | Dash) -> str:
    """Return what the panels of a figure say, as plain text."""
    parts = [f"{title}\n{columns(head, rows)}" for title, head, rows in _tables(figure)]
    return "\n\n".join([figure.title, *parts] if isinstance(figure, Dash) and figure.title else parts)


def _heading(figure: UIPlot | Dash) -> str:
    return f"<p>{escaped(figure.title)}</p>" if isinstance(figure, Dash) and figure.title else ""


def _tables(figure: UIPlot | Dash) -> Iterator[Table]:
    panels = list(figure.panels.values()) if isinstance(figure, Dash) else [figure]
    for panel in panels:
        head, rows = _said(panel)
        if len(rows) > MOST_ROWS:
            more = f"... and {len(rows) - MOST_ROWS} more"
            rows = [*rows[:MOST_ROWS], [more, *[""] * (len(head) - 1)]]
        yield panel.title, head, rows


def _said(panel: UIPlot) -> tuple[Sequence[str], list[list[str]]]:
    data = panel.data
    if not data:
        notes = [_words(note.get("text", "")) for note in panel.layout.get("annotations", ())]
        return [""], [[note] for note in notes]
    if data[0].get("type") == "table":
        cells = data[0]["cells"]["values"]
        head = [_words(one) for one in data[0]["header"]["values"]]
        return head, [[_words(cell) for cell in row] for row in zip(*cells, strict=True)]
    if all(trace.get("type") == "bar" for trace in data):
        return ["", "what", "value"], [row for trace in data for row in _bars(trace)]
    if any("text" in str(trace.get("mode")) for trace in data):
        return ["role", "who"], [[_words(trace.get("name", "")), _names(trace)] for trace in data if "text" in trace]
    return ["line", "values", "latest"], [row for trace in data if (row := _line(trace))]


def _bars(trace: dict[str, Any]) -> Iterator[list[str]]:
    labels, values = trace.get("x", []), trace.get("y", [])
    if trace.get("orientation") == "h":
        labels, values = values, labels
    for label, value in zip(labels, values, strict=False):
        yield [_words(trace.get("name", "")), _words(label), _words(value)]


def _names(trace: dict[str, Any]) -> str:
    return ", ".join(_words(one) for one in trace["text"])


def _line(trace: dict[str, Any]) -> list[str]:
    if trace.get("type") == "indicator":
        value = trace.get("value")
        return [_words(trace.get("title", {}).get("text", "")), "1", "–" if value is None else f"{value:g}"]
    values = [value for value in trace.get("y") or () if value is not None]
    name = _words(trace.get("name") or trace.get("type") or "line")
    latest = values[-1] if values else "–"
    return [name, str(len(values)), f"{latest:g}" if isinstance(latest, float) else _words(latest)]


def _words(text: object) -> str:
    """The words of a text of a figure, as they were before they entered it."""
    return clipped(unescape(_TAG.sub(" ", str(text))), 200)
