"""What is drawn of a machine: its states, and its transitions with those of a same pair put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TIMES = (("max_duration", "max"), ("retry_timeout", "retry"), ("delay", "delay"))


@dataclass(frozen=True, slots=True)
class Node:
    """A state.

    Attributes:
        name: the state's name.
        detail: its own action and waiting time, readable; empty when it has neither.
        blocking: whether a tick ends when it is reached.
    """

    name: str
    detail: str = ""
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class Label:
    """One transition.

    Attributes:
        order: its place, from 1, among the transitions leaving the same state, in evaluation order.
        call: ``"1. action(args)"``.
        marks: its times and priority, ``"[delay=5s]"``; empty when it has none.
        ready: False if it is taken on request only.
        teleport: whether it was declared among the teleports.
    """

    order: int
    call: str
    marks: str = ""
    ready: bool = True
    teleport: bool = False

    @property
    def text(self) -> str:
        """``"1. action(args) [delay=5s]"``."""
        return f"{self.call} {self.marks}".rstrip()


@dataclass(frozen=True, slots=True)
class Edge:
    """All the transitions from ``source`` to ``target``: drawn as one path with one label each."""

    source: str
    target: str
    labels: tuple[Label, ...]

    @property
    def ready(self) -> bool:
        """Whether the machine can take it without being asked."""
        return any(label.ready for label in self.labels)

    @property
    def teleport(self) -> bool:
        """Whether there are only teleports in it."""
        return all(label.teleport for label in self.labels)


@dataclass(frozen=True, slots=True)
class Graph:
    """The states in the machine's order, the edges in evaluation order, the name of the initial state (if any)."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    initial: str | None


def graph_of(machine: Mapping[str, Any], teleports: bool = True) -> Graph:
    """Return what is drawn of ``machine``, a dict in the JSON format of behaviors.

    States that only a transition names exist too, as blocking ones. A teleport from ``"all"`` becomes one
    from each other state. With ``teleports=False`` they are left out, and the others keep their numbers.

    Raises:
        KeyError: a required key is missing (``initial_state``, an edge's ``on``, ``action`` or ``goto``).
    """
    leaving: dict[str, dict[str, list[tuple[Mapping[str, Any], bool]]]] = {name: {} for name in machine["states"]}
    for source, target, on, teleport in declared(machine, leaving):
        leaving.setdefault(source, {}).setdefault(target, []).append((on, teleport))
        leaving.setdefault(target, {})
    edges = []
    for source, targets in leaving.items():
        order = 0
        for target, group in targets.items():
            labels = []
            for on, teleport in group:
                order += 1
                if teleports or not teleport:
                    call = f"{order}. {call_text(on['action'], on.get('action_kwargs'))}"
                    labels.append(Label(order, call, _marks(on), on.get("ready") is not False, teleport))
            if labels:
                edges.append(Edge(source, target, tuple(labels)))
    nodes = tuple(_node(name, machine["states"].get(name, {})) for name in leaving)
    return Graph(nodes, tuple(edges), machine["machine"]["initial_state"])


def machine_text(machine: Mapping[str, Any], teleports: bool = True) -> str:
    """Return the states of ``machine`` and what leaves each of them, in evaluation order, as plain text."""
    graph = graph_of(machine, teleports)
    if not graph.nodes:
        return "no states yet: add_state('ready') adds one"
    lines = []
    for node in graph.nodes:
        traits = [
            "initial" if node.name == graph.initial else "",
            "" if node.blocking else "not blocking",
            f"does {node.detail}" if node.detail else "",
        ]
        lines.append(node.name + "".join(f", {trait}" for trait in traits if trait))
        leaving = [(label, edge.target) for edge in graph.edges if edge.source == node.name for label in edge.labels]
        for label, target in leaving:
            marks = f"{'' if label.ready else ' (on request)'}{' (teleport)' if label.teleport else ''}"
            lines.append(f"  {label.text}{marks} -> {target}")
    return "\n".join(lines)


def call_text(action: str, arguments: Mapping[str, Any] | None) -> str:
    """Return a call as a learner would write it: ``connect(role="teacher")``."""
    return f"{action}({', '.join(f'{key}={value_text(value)}' for key, value in (arguments or {}).items())})"


def value_text(value: object) -> str:
    """Return ``value`` as JSON, or as Python prints it where JSON cannot carry it."""
    return json.dumps(value, ensure_ascii=False, default=str)


def declared(
    machine: Mapping[str, Any], known: Mapping[str, object]
) -> Iterator[tuple[str, str, Mapping[str, Any], bool]]:
    """Yield source, target, the ``on`` object and whether it is a teleport, for each edge of ``machine`` as it stands.

    ``known`` are the states that a teleport from ``"all"`` leaves.
    """
    for source, edges in machine.get("transitions", {}).items():
        for edge in edges:
            yield source, edge["goto"], edge["on"], False
    teleports = machine.get("teleports", {})
    for edge in teleports.get("all", ()):
        for source in [name for name in known if name != edge["goto"]]:
            yield source, edge["goto"], edge["on"], True
    for source, edges in teleports.items():
        if source != "all":
            for edge in edges:
                yield source, edge["goto"], edge["on"], True


def _node(name: str, state: Mapping[str, Any]) -> Node:
    parts = []
    if state.get("action"):
        parts.append(call_text(state["action"], state.get("action_kwargs")))
    if wait := _seconds(state.get("time_to_wait_before_acting") or 0):
        parts.append(f"wait {wait}")
    return Node(name, ", ".join(parts), state.get("blocking", True))


def _marks(on: Mapping[str, Any]) -> str:
    marks = [f"{short}={time}" for key, short in _TIMES if (time := _seconds(on.get(key) or 0))]
    if on.get("high_priority"):
        marks.append("high priority")
    return f"[{', '.join(marks)}]" if marks else ""


def _seconds(value: float | str) -> str:
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return f"{number:g}s" if number > 0 else ""
