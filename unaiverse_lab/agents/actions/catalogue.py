"""The catalogue of built-in actions, read from their docstrings: ``python -m unaiverse_lab.agents.actions.catalogue``.

The docstring of an action says what it does, lists its arguments under ``Args:``, and has one sentence each for when it
is True, when it is False (unless it is True always) and what it sends, in this order. It may go on with ``Raises:``.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from typing import Any, NamedTuple

from unaiverse_lab.agents.actions.discovery import DiscoveryActions
from unaiverse_lab.agents.actions.engagement import EngagementActions
from unaiverse_lab.agents.actions.governance import GovernanceActions
from unaiverse_lab.agents.actions.learning import LearningActions
from unaiverse_lab.agents.actions.playlist import PlaylistActions
from unaiverse_lab.agents.actions.pubsub import PubSubActions
from unaiverse_lab.agents.actions.scores import StatsActions
from unaiverse_lab.agents.actions.work import WorkActions
from unaiverse_lab.behavior.actions import ActionSpec
from unaiverse_lab.core.errors import LabError

FAMILIES = (
    WorkActions,
    LearningActions,
    DiscoveryActions,
    EngagementActions,
    PlaylistActions,
    PubSubActions,
    GovernanceActions,
    StatsActions,
)

VERDICT = re.compile(r"\bTrue (always\b.*?|when .+?)\. (?:False (.+?)\. )?Sends (.+?)\.(?= |$)")

INTRODUCTION = """\
# Built-in actions

<!-- made from the docstrings by: python -m unaiverse_lab.agents.actions.catalogue > docs/actions.md -->

Every agent has these actions; a behavior names them in its transitions and states, and a role adds its own beside them.
An action is tried, and is True (done: the transition is taken) or False (not now: the reason is in the trace). One that
raises an error is False too, and a peer who asked for it is told why.

- Actions marked ● want to know who asks: unless `ready=True` is given, their transitions wait for a request.
- Arguments called `agent` or `target` take peer ids, node names, lists of these, or `"<valid_cmp>"` (those that passed
  the last `compare_eval`).
- Streams are named by name, by group, or as `peer:name_or_group`; `"<playlist>"` is the current entry of the playlist.
"""


class Entry(NamedTuple):
    """What the docstring of an action says; ``arguments`` maps names to words, in the order of the signature.

    ``waits``: its transitions wait for a request by default.
    """

    name: str
    alias: str | None
    summary: str
    arguments: dict[str, str]
    true: str
    false: str
    sends: str
    raises: dict[str, str]
    parameters: dict[str, inspect.Parameter]
    waits: bool


def entries(family: type) -> list[Entry]:
    """The actions that a family defines, in order.

    Raises:
        LabError: a docstring has not the shape described above.
    """
    found: dict[str, Entry] = {}
    for name, method in vars(family).items():
        if not getattr(method, "_is_action", False):
            continue
        if method.__name__ != name:
            found[method.__name__] = found[method.__name__]._replace(alias=name)
        else:
            found[name] = entry(method)
    return list(found.values())


def entry(method: Any) -> Entry:
    """The catalogue's entry of one action.

    Raises:
        LabError: its docstring has not the shape described above.
    """
    name = method.__name__
    parameters = dict(list(inspect.signature(method).parameters.items())[1:])
    summary, *blocks = inspect.cleandoc(method.__doc__ or "").split("\n\n")
    listed: dict[str, dict[str, str]] = {"Args:": {}, "Raises:": {}}
    prose = []
    for block in blocks:
        head, _, rest = block.partition("\n")
        if head in listed:
            listed[head] = _terms(rest)
        else:
            prose.append(" ".join(block.split()))
    arguments = {one.strip(): text for names, text in listed["Args:"].items() for one in names.split(",")}
    if list(arguments) != list(parameters):
        raise LabError(f"{name}: its docstring lists the arguments {list(arguments)}, it takes {list(parameters)}")
    verdict = VERDICT.search(" ".join(prose))
    if not summary or verdict is None or (verdict[2] is None) != verdict[1].startswith("always"):
        raise LabError(f"{name}: its docstring must say 'True when ... . False when ... . Sends ... .'")
    true, false, sends = (part and part.removeprefix("when ") for part in verdict.groups())
    return Entry(
        name, None, " ".join(summary.split()), arguments, true, false or "never", sends, listed["Raises:"], parameters,
        ActionSpec(name, method).waits,
    )  # fmt: skip


def _terms(text: str) -> dict[str, str]:
    """``name: words``, indented, perhaps over several lines."""
    items = re.split(r"\n(?=\S)", textwrap.dedent(text))
    return {term: " ".join(words.split()) for term, _, words in (item.partition(": ") for item in items)}


def markdown() -> str:
    """The whole catalogue, as a page."""
    parts = [INTRODUCTION]
    for family in FAMILIES:
        title = (inspect.getdoc(sys.modules[family.__module__]) or "").partition("\n")[0]
        title = title.removeprefix("Built-in actions: ").rstrip(".")
        parts.append(f"## {title[0].upper()}{title[1:]}\n")
        actions = entries(family)
        parts.append("| action | what it does | True when | False when | sends |\n|---|---|---|---|---|")
        parts += [_row(one) for one in actions]
        arguments = [row for one in actions for row in _arguments(one)]
        if arguments:
            parts.append("\n| argument of | name | default | meaning |\n|---|---|---|---|")
            parts += arguments
        parts.append("")
    return "\n".join(parts)


def _row(one: Entry) -> str:
    name = f"`{one.name}`{' ●' if one.waits else ''}{f', `{one.alias}`' if one.alias else ''}"
    errors = [f"`{error}`: {text.rstrip('.')}" for error, text in one.raises.items()]
    return _line(name, one.summary, one.true, "; ".join([one.false, *errors]), one.sends)


def _arguments(one: Entry) -> list[str]:
    rows = []
    for name, text in one.arguments.items():
        default = one.parameters[name].default
        if name != "interaction":
            rows.append(
                _line(
                    f"`{one.name}`", f"`{name}`", "" if default is inspect.Parameter.empty else f"`{default!r}`", text
                )
            )
    return rows


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("``", "`").replace("|", "\\|").rstrip(".") for cell in cells) + " |"


if __name__ == "__main__":
    print(markdown(), end="")
