"""Behavior files (JSON) into machines.

Strict mode checks every field and names the place of the first mistake. Tolerant mode takes what the peer takes:
fields of a wrong type, unknown fields, undeclared states.
"""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from unaiverse_lab.behavior.actions import TIMES
from unaiverse_lab.core.errors import BehaviorError, did_you_mean

T = TypeVar("T")
Source = str | Path | IO[str] | dict[str, Any]


class OptionsData(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Switches for marks and ticks in messages."""

    highlight_blocking_states_in_messages: bool = False
    show_action_ticks_after_messages: bool = False
    show_action_request_after_messages: bool = False


class HeadData(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The ``machine`` object of a behavior file."""

    role: str
    initial_state: str
    options: OptionsData
    msg: str | None = None


class StateData(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One entry of ``states``."""

    action: str | None = None
    action_kwargs: dict[str, Any] = {}
    msg: str | None = None
    blocking: bool = True
    time_to_wait_before_acting: float = 0.0


class OnData(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The ``on`` object of an edge. ``ready`` None means that the file does not say."""

    action: str
    action_kwargs: dict[str, Any] = {}
    msg: str | None = None
    ready: bool | None = None
    high_priority: bool = False
    max_duration: float | str = 0.0
    retry_timeout: float | str = 0.0
    delay: float | str = 0.0


class EdgeData(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An edge: an action and where its success leads."""

    on: OnData
    goto: str


class MachineData(msgspec.Struct, kw_only=True):
    """A whole behavior file, checked; edges keep the order of the file."""

    machine: HeadData
    states: dict[str, StateData]
    transitions: dict[str, list[EdgeData]]
    teleports: dict[str, list[EdgeData]]


SECTIONS = ("machine", "states", "transitions", "teleports")
_EXPECTED = {
    "bool": "true or false",
    "str": "a text",
    "float": "a number of seconds",
    "int": "a whole number",
    "object": "an object {...}",
    "array": "a list [...]",
    "str | null": "a text or null",
    "float | str": "a number of seconds, or a text with a wildcard",
}


def read(source: Source, strict: bool = True) -> MachineData:
    """Read a behavior.

    Args:
        source: path of an existing file, an open text file, the JSON text itself, or the decoded object.
        strict: refuse anything that is not exactly right; otherwise take what the peer takes.

    Raises:
        BehaviorError: not JSON, a key missing, or (strict) a wrong type, unknown field, duplicated key, unknown state,
            negative or not finite time. It names the file, the state and the field, and the allowed values.
    """
    try:
        content = source if isinstance(source, dict) else _decode(_text_of(source), strict)
        if not isinstance(content, dict):
            raise BehaviorError(f"a behavior is an object {{...}}, not {_shown(content)}")
        try:
            if "machine" not in content:
                content = from_old_format(content)
            return _checked(content) if strict else _tolerated(content)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise BehaviorError(f"a part of it has the wrong form: {error}") from None
    except BehaviorError as error:
        raise error.at(source=error.source or name_of(source)) from None


def name_of(source: Source) -> str | None:
    """The name of the file a behavior comes from; None if it is not in a file."""
    if isinstance(source, str):
        return source if _is_path(source) else None
    return str(source) if isinstance(source, Path) else getattr(source, "name", None)


def _is_path(text: str) -> bool:
    if text.lstrip().startswith(("{", "[")) or "\n" in text:
        return False
    try:
        return text.lower().endswith(".json") or Path(text).is_file()
    except (OSError, ValueError):
        return False


def _text_of(source: str | Path | IO[str]) -> str:
    if isinstance(source, str) and not _is_path(source):
        return source
    if isinstance(source, str | Path):
        if not Path(source).is_file():
            raise FileNotFoundError(f"there is no behavior file {str(source)!r}")
        try:
            return Path(source).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise BehaviorError(f"not UTF-8 text (byte {error.start})") from None
    return source.read()


def _decode(text: str, strict: bool) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if strict and len(found) < len(pairs):
            names = [name for name, _ in pairs]
            double = next(name for name in names if names.count(name) > 1)
            raise BehaviorError(f"the key {double!r} appears twice: the first one would be lost", where=double)
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise BehaviorError(f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None


def _checked(content: dict[str, Any]) -> MachineData:
    for key in content:
        if key not in SECTIONS:
            raise BehaviorError(f"unknown section {key!r}.{did_you_mean(key, SECTIONS)}", where=key)
    for key in ("machine", "states"):
        if not isinstance(content.get(key), dict):
            raise BehaviorError(f"the section {key!r} is missing or is not an object {{...}}", where=key)
    head = _convert(content["machine"], HeadData, "machine")
    states = {name: _convert(data, StateData, f"states.{name}") for name, data in content["states"].items()}
    for name, state in states.items():
        if name == "all":
            raise BehaviorError("'all' stands for every state and cannot be the name of one", where="states.all")
        _check_time(state.time_to_wait_before_acting, f"states.{name}.time_to_wait_before_acting")
    if head.initial_state not in states:
        raise BehaviorError(
            f"{head.initial_state!r} is not a declared state.{did_you_mean(head.initial_state, states)}",
            where="machine.initial_state",
        )
    sections: dict[str, dict[str, list[EdgeData]]] = {}
    for section in ("transitions", "teleports"):
        sources = content.get(section, {})
        if not isinstance(sources, dict):
            raise BehaviorError(f"expected an object {{...}}, not {_shown(sources)}", where=section)
        sections[section] = {}
        for source, edges in sources.items():
            if source not in states and not (section == "teleports" and source == "all"):
                raise BehaviorError(
                    f"{source!r} is not a declared state.{did_you_mean(source, states)}",
                    where=f"{section}.{source}",
                )
            if not isinstance(edges, list):
                raise BehaviorError(f"expected a list [...], not {_shown(edges)}", where=f"{section}.{source}")
            sections[section][source] = [
                _checked_edge(edge, f"{section}.{source}[{index}]", states) for index, edge in enumerate(edges)
            ]
    return MachineData(machine=head, states=states, **sections)


def _checked_edge(content: Any, where: str, states: dict[str, StateData]) -> EdgeData:
    edge = _convert(content, EdgeData, where)
    if edge.goto not in states:
        raise BehaviorError(
            f"{edge.goto!r} is not a declared state.{did_you_mean(edge.goto, states)}", where=f"{where}.goto"
        )
    for name in TIMES:
        _check_time(getattr(edge.on, name), f"{where}.on.{name}")
    return edge


def _check_time(value: float | str, where: str) -> None:
    if isinstance(value, str):
        if is_number(value):
            raise BehaviorError(f"expected a number of seconds, not the text {value!r}", where=where)
        return
    if not math.isfinite(value) or value < 0:
        raise BehaviorError(f"expected a number of seconds >= 0, not {value!r}", where=where)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _convert(content: Any, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise _explained(error, content, kind, where) from None


def _explained(error: msgspec.ValidationError, content: Any, kind: type[Any], where: str) -> BehaviorError:
    message, _, path = str(error).partition(" - at `$")
    keys = re.findall(r"[A-Za-z_]\w*", path)
    value = content
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    where = ".".join([where, *keys])
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
    if unknown:
        fields = OnData.__struct_fields__ if keys[-1:] == ["on"] else kind.__struct_fields__
        if keys[-1:] == ["options"]:
            fields = OptionsData.__struct_fields__
        return BehaviorError(f"unknown field {unknown[1]!r}.{did_you_mean(unknown[1], fields)}", where=where)
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    if missing:
        return BehaviorError(f"the field {missing[1]!r} is missing", where=where)
    wrong = re.match(r"Expected `(.*?)`", message)
    if wrong:
        expected = _EXPECTED.get(wrong[1], wrong[1])
        return BehaviorError(f"expected {expected}, not {_shown(value)}", where=where)
    return BehaviorError(message, where=where)


def _tolerated(content: dict[str, Any]) -> MachineData:
    head = content["machine"]
    for key in ("role", "initial_state", "options"):
        if not isinstance(head, dict) or key not in head:
            raise BehaviorError(f"the field {key!r} is missing", where="machine")
    if "states" not in content:
        raise BehaviorError("the section 'states' is missing", where="states")
    options = {name: bool(head["options"].get(name, False)) for name in OptionsData.__struct_fields__}
    sections = {
        section: {
            source: [_tolerated_edge(edge, f"{section}.{source}[{index}]") for index, edge in enumerate(edges)]
            for source, edges in (content.get(section) or {}).items()
        }
        for section in ("transitions", "teleports")
    }
    return MachineData(
        machine=HeadData(
            role=str(head["role"]),
            initial_state=str(head["initial_state"]),
            msg=head.get("msg"),
            options=OptionsData(**options),
        ),
        states={
            name: StateData(
                action=data.get("action"),
                action_kwargs=dict(data.get("action_kwargs") or {}),
                msg=data.get("msg"),
                blocking=bool(data.get("blocking", True)),
                time_to_wait_before_acting=_seconds(data.get("time_to_wait_before_acting")),
            )
            for name, data in content["states"].items()
        },
        **sections,
    )


def _tolerated_edge(content: Any, where: str) -> EdgeData:
    if not isinstance(content, dict) or "on" not in content or "goto" not in content:
        raise BehaviorError("an edge needs the fields 'on' and 'goto'", where=where)
    on = content["on"]
    if not isinstance(on, dict) or "action" not in on:
        raise BehaviorError("the field 'action' is missing", where=f"{where}.on")
    return EdgeData(
        on=OnData(
            action=on["action"],
            action_kwargs=dict(on.get("action_kwargs") or {}),
            msg=on.get("msg"),
            ready=bool(on["ready"]) if "ready" in on else None,
            high_priority=bool(on.get("high_priority", False)),
            max_duration=_time(on.get("max_duration")),
            retry_timeout=_time(on.get("retry_timeout")),
            delay=_time(on.get("delay")),
        ),
        goto=str(content["goto"]),
    )


def _time(value: Any) -> float | str:
    if isinstance(value, str) and not is_number(value):
        return value
    return _seconds(value)


def _seconds(value: Any) -> float:
    try:
        number = float(value or 0.0)
    except ValueError:
        raise BehaviorError(f"expected a number of seconds, not {_shown(value)}") from None
    return number if math.isfinite(number) and number > 0 else 0.0


def from_old_format(content: dict[str, Any]) -> dict[str, Any]:
    """A behavior written before the ``machine`` section existed, in today's form.

    Raises:
        BehaviorError: one of its required keys is missing.
    """
    for key in ("initial_state", "state", "prev_state", "limbo_state"):
        if key not in content:
            raise BehaviorError(
                f"the section 'machine' is missing (and, for the old format, the key {key!r})",
                where="machine",
            )
    states: dict[str, Any] = {}
    for name, parts in (content.get("state_actions") or {}).items():
        action, args, _, *rest = [*parts] if len(parts) >= 3 else [*parts, *[None] * (3 - len(parts))]
        state: dict[str, Any] = {"action": action, "action_kwargs": args or {}}
        if len(rest) == 1 and isinstance(rest[0], bool):
            state["blocking"] = rest[0]
        elif len(rest) == 1:
            state["time_to_wait_before_acting"] = rest[0]
        elif len(rest) >= 2:
            state["blocking"], state["time_to_wait_before_acting"] = rest[:2]
        if len(rest) >= 3:
            state["msg"] = rest[2]
        states[name] = state
    transitions: dict[str, list[Any]] = {}
    for source, targets in (content.get("transitions") or {}).items():
        states.setdefault(source, {})
        for target, edges in targets.items():
            states.setdefault(target, {})
            for parts in edges:
                on = {"action": parts[0], "action_kwargs": parts[1] or {}, "ready": bool(parts[2])}
                if len(parts) > 4:
                    on["msg"] = parts[4]
                transitions.setdefault(source, []).append({"on": on, "goto": target})
    return {
        "machine": {
            "role": content.get("role", "unknown"),
            "initial_state": content["initial_state"],
            "msg": content.get("welcome_msg"),
            "options": {name: content[name] for name in OptionsData.__struct_fields__ if name in content},
        },
        "states": states,
        "transitions": transitions,
    }


def unescaped(text: str | None) -> str | None:
    """A message as people read it: HTML entities replaced by their characters."""
    return None if text is None else html.unescape(text)
