"""Machines into behavior files that the peer reads back to the same text."""

from __future__ import annotations

import html
import json
from typing import Any

from unaiverse_lab.behavior.model import Machine, State, Transition
from unaiverse_lab.core.errors import BehaviorError


def to_dict(machine: Machine, options: dict[str, bool]) -> dict[str, Any]:
    """The JSON object of a machine: every field present, arguments and messages as currently resolved.

    A teleport that exists from every other state is written once, under ``"all"``.

    Raises:
        BehaviorError: an argument cannot be written as JSON.
    """
    return {
        "machine": {
            "role": machine.role,
            "initial_state": machine.initial_state,
            "msg": escaped(machine.welcome),
            "options": dict(options),
        },
        "states": {name: _state(state) for name, state in machine.states.items()},
        "transitions": {
            source: [_edge(edge) for edge in machine.edges_from(source) if not edge.teleport]
            for source in machine.transitions
            if any(not edge.teleport for edge in machine.edges_from(source))
        },
        "teleports": _teleports(machine),
    }


def to_text(content: dict[str, Any]) -> str:
    """The text of a behavior file: pure ASCII, indented by 4, no final newline."""
    return json.dumps(content, indent=4, ensure_ascii=True)


def _state(state: State) -> dict[str, Any]:
    call = state.action
    return {
        "action": call.name if call else None,
        "action_kwargs": _writable(call.args, f"states.{state.name}") if call else {},
        "msg": escaped(state.msg),
        "blocking": state.blocking,
        "time_to_wait_before_acting": state.waiting_time,
    }


def _edge(edge: Transition) -> dict[str, Any]:
    return {
        "on": {
            "action": edge.name,
            "action_kwargs": _writable(edge.args, f"{edge.source} -> {edge.target}"),
            "msg": escaped(edge.msg),
            "ready": edge.ready,
            "high_priority": edge.high_priority,
            "max_duration": edge.max_duration,
            "retry_timeout": edge.retry_timeout,
            "delay": edge.delay,
        },
        "goto": edge.target,
    }


def _teleports(machine: Machine) -> dict[str, list[dict[str, Any]]]:
    found = [edge for edge in machine.edges() if edge.teleport]
    everywhere: list[Transition] = []
    for edge in found:
        if edge.source == edge.target or any(edge.signature() == seen.signature() for seen in everywhere):
            continue
        sources = {e.source for e in found if e.signature() == edge.signature() and e.source != e.target}
        if len(sources) == len(machine.states) - 1:
            everywhere.append(edge)
    written: dict[str, list[dict[str, Any]]] = {}
    if everywhere:
        written["all"] = [_edge(edge) for edge in everywhere]
    for edge in found:
        folded = edge.source != edge.target and any(edge.signature() == one.signature() for one in everywhere)
        if not folded:
            written.setdefault(edge.source, []).append(_edge(edge))
    return written


def _writable(args: dict[str, Any], where: str) -> dict[str, Any]:
    for name, value in args.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            kind = type(value).__name__
            raise BehaviorError(
                f"argument {name!r} is a {kind}, which a behavior file cannot hold: use texts, numbers, lists, objects",
                where=where,
            ) from None
    return dict(args)


def escaped(text: str | None) -> str | None:
    """A message with its characters outside ASCII as decimal HTML entities.

    ``&`` is escaped only where the text would otherwise be read back as something else. Characters that HTML has no
    entity for (control characters, halves of pairs) stay as they are: JSON escapes them.
    """
    if text is None:
        return None
    if html.unescape(text) != text:
        text = text.replace("&", "&amp;")
    return text if text.isascii() else "".join(map(_entity, text))


def _entity(character: str) -> str:
    entity = f"&#{ord(character)};"
    return character if character.isascii() or html.unescape(entity) != character else entity
