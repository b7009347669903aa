"""Completion in the cells that define a world, and of the names of states, actions and roles in strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

if TYPE_CHECKING:
    from unaiverse_lab.notebook.registry import Registry

OPTIONS = {
    "world": ("--folder", "--delta", "--seed", "--masters", "--replace", "--check-only"),
    "role": ("--world", "--base", "--keep-state", "--fresh", "--check-only"),
    "action": ("--world", "--many", "--fresh", "--check-only"),
    "behavior": ("--world", "--from", "--format", "--on-missing", "--draw", "--check-only"),
    "stats": ("--world", "--migrate", "--check-only"),
    "event": ("--world", "--check-only"),
    "entity": ("--kind", "--world", "--check-only"),
}
CHOICES = {
    "--format": ("python", "json"),
    "--on-missing": ("initial", "pause", "keep-old"),
    "--kind": ("object", "agent", "user"),
}
BUILDERS = ("add_state", "add_transit", "add_teleport", "add_global_teleport", "set_role")
_MAGIC = re.compile(r"^%%(\w+)[ \t]*(.*)$")
_LAB = re.compile(r"^\s*%lab\s+(.*)$")
_CALL = re.compile(r"\b(\w+)\s*\(([^()]*(?:\{[^{}]*|\([^()]*\)[^()]*)*)$", re.S)
_NAMED = re.compile(r"""(\w+)\s*=\s*["'][^"']*$""")

Words = Iterable[tuple[str, str]]


def matcher_for(shell: Any) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """The matcher of a shell, to be put among the ``custom_matchers`` of its completer."""

    @context_matcher(identifier="unaiverse_lab", priority=100)  # type: ignore[untyped-decorator, unused-ignore]
    def match(context: CompletionContext) -> SimpleMatcherResult:
        try:
            words, alone = suggestions(
                shell.unaiverse_lab(), context.full_text, context.cursor_line, context.cursor_position
            )
        except Exception:  # a completer that fails must not be in the way of somebody who types
            words, alone = [], False
        prefix = re.split(r"[\s\"'({,=]", context.text_until_cursor)[-1]
        found = [SimpleCompletion(text, type=kind) for text, kind in dict.fromkeys(words) if text.startswith(prefix)]
        return SimpleMatcherResult(completions=found, suppress=bool(found) and alone, matched_fragment=prefix)

    return match  # type: ignore[no-any-return]


def suggestions(registry: Registry, text: str, line: int, column: int) -> tuple[list[tuple[str, str]], bool]:
    """What could stand at a place of a cell.

    Args:
        registry: the definitions of the shell.
        text: the cell.
        line, column: the place, both from 0.

    Returns:
        Words with what they are, and whether nothing else makes sense there.
    """
    lines = text.split("\n")
    here = lines[line][:column]
    command = _LAB.match(here)
    if command is not None:
        return _of_lab(registry, command[1].split(" ")), True
    magic = _MAGIC.match(lines[0])
    kind = magic[1] if magic is not None and magic[1] in OPTIONS else None
    if kind is not None and line == 0:
        return _of_first_line(registry, kind, here[len(kind) + 2 :]), True
    if kind not in (None, "behavior"):
        return [], False
    before = "\n".join([*lines[1 if kind else 0 : line], here])
    call = _CALL.search(before)
    quoted = before.count('"') % 2 == 1 or before.count("'") % 2 == 1
    role = magic[2].split(" ")[0] if kind == "behavior" and magic is not None else None
    world = _option(magic[2], "--world") if kind == "behavior" and magic is not None else None
    if call is not None and call[1] in BUILDERS and quoted:
        return _of_call(registry, call[1], call[2], role, world, text), True
    return [], False


def _option(line: str, name: str) -> str | None:
    found = re.search(rf"{name}\s+(\S+)", line)
    return found[1] if found else None


def _of_lab(registry: Registry, words: list[str]) -> list[tuple[str, str]]:
    from unaiverse_lab.notebook.magics import COMMANDS

    if len(words) == 1:
        return [(name, "command") for name in COMMANDS]
    names = dict.fromkeys(key[2] for key, _ in registry.all())
    if words[0] == "show":
        return [*((name, "definition") for name in names), ("--python", "option"), ("--json", "option")]
    if words[0] == "undo":
        return [(name, "definition") for name in names]
    if words[0] == "rename" and len(words) == 2:
        return [(f"{role}:{state}", "state") for role, states in registry.states().items() for state in states]
    return []


def _of_first_line(registry: Registry, kind: str, line: str) -> list[tuple[str, str]]:
    words = line.split()
    last = words[-1] if words and line.endswith(" ") else words[-2] if len(words) > 1 else ""
    if last == "--world":
        return [(name, "world") for name in registry.worlds()]
    if last in CHOICES:
        return [(name, "choice") for name in CHOICES[last]]
    if last == "--base":
        names = registry.shell.user_ns
        return [
            (name, "class") for name, value in names.items() if isinstance(value, type) and not name.startswith("_")
        ]
    found = [(name, "option") for name in OPTIONS[kind]]
    positional = [word for word in words if not word.startswith("-")]
    typed = len(positional) - (0 if line.endswith(" ") or not words else 1)
    if typed == 0 and kind in ("role", "action", "behavior"):
        world = registry.world_of(_known(registry, _option(line, "--world")))
        return [*((name, "role") for name in registry.names(world, "role")), *found]
    if typed == 0 and kind == "world":
        return [*((name, "world") for name in registry.worlds()), *found]
    if typed == 1 and kind == "action":
        return [*((name, "action") for name in registry.actions(positional[0], _option(line, "--world"))), *found]
    return found


def _known(registry: Registry, world: str | None) -> str | None:
    return world if world in registry.worlds() else None


def _of_call(
    registry: Registry, method: str, arguments: str, role: str | None, world: str | None, text: str
) -> list[tuple[str, str]]:
    if method == "set_role":
        return [(name, "role") for name in registry.names(registry.world_of(_known(registry, world)), "role")]
    states = [(name, "state") for name in dict.fromkeys(_written_states(text))]
    states += [(name, "state") for name in registry.states(world).get(role or "", ())]
    actions = [(name, "action") for name in registry.actions(role, world)]
    if "{" in arguments and arguments.count("{") > arguments.count("}"):
        return _of_arguments(registry, arguments, role, world)
    named = _NAMED.search(arguments)
    if named is not None:
        return actions if named[1] == "action" else states if named[1] in ("from_state", "to_state", "state") else []
    place = arguments.count(",")
    if method == "add_state":
        return states if place == 0 else actions
    target = 0 if method == "add_global_teleport" else 1
    return states if place <= target else actions


def _of_arguments(registry: Registry, arguments: str, role: str | None, world: str | None) -> list[tuple[str, str]]:
    inside = arguments.rpartition("{")[2]
    if re.search(r""":\s*["'][^"']*$""", inside):
        wildcards = [(name, "wildcard") for name in ("<agent>", "<partner>", "<role>", "<world>")]
        return [
            *wildcards,
            *((name, "role") for name in registry.names(registry.world_of(_known(registry, world)), "role")),
        ]
    called = [word for word in re.findall(r"""["'](\w+)["']""", arguments) if word in registry.actions(role, world)]
    return [(name, "argument") for name in registry.arguments(role, world, called[-1] if called else "")]


def _written_states(text: str) -> list[str]:
    found = re.findall(r"""add_state\(\s*["']([^"']+)["']""", text)
    for source, target in re.findall(r"""add_transit\(\s*["']([^"']+)["']\s*,\s*["']([^"']+)["']""", text):
        found += [source, target]
    return found
