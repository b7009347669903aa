"""Machines on a plane: nothing on top of anything, the initial state on top, the order of the engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from unaiverse_lab.view.graph import graph_of, machine_text
from unaiverse_lab.view.layout import layers, layout_of

from .geometry import faults
from .machines import REAL, USER, edge, machine, state
from .random_machines import machines


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("teleports", [True, False])
def test_real_machines_are_drawn_without_a_fault(name: str, teleports: bool) -> None:
    graph = graph_of(REAL[name], teleports)
    drawing = layout_of(graph)
    assert list(faults(drawing)) == []
    assert set(drawing.spots) == set(REAL[name]["states"])
    top = min(drawing.spots.values(), key=lambda spot: spot.box.y)
    assert top.node.name == graph.initial


@settings(max_examples=150, deadline=None)
@given(machines())
def test_any_machine_is_drawn_without_a_fault(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    drawing = layout_of(graph)
    assert list(faults(drawing)) == []
    assert {(route.edge.source, route.edge.target) for route in drawing.routes} == {
        (edge.source, edge.target) for edge in graph.edges
    }


@settings(max_examples=60, deadline=None)
@given(machines())
def test_states_have_rows_and_only_cycles_run_upwards(spec: dict[str, Any]) -> None:
    graph = graph_of(spec)
    rows = layers(graph)
    assert [name for name, row in rows.items() if row == 0] == [graph.initial]
    assert all(rows[edge.source] != rows[edge.target] for edge in graph.edges if edge.source != edge.target)


def test_the_same_machine_is_drawn_the_same_way() -> None:
    assert layout_of(graph_of(USER)) == layout_of(graph_of(USER))


def test_a_chain_reads_straight_down() -> None:
    spec = machine("walker", "a", {name: state() for name in "abc"}, {"a": [edge("go", "b")], "b": [edge("go", "c")]})
    spots = layout_of(graph_of(spec)).spots
    middles = {spot.box.x + spot.box.w / 2 for spot in spots.values()}
    assert len(middles) == 1
    assert spots["a"].box.y < spots["b"].box.y < spots["c"].box.y


def labels_of(spec: dict[str, Any], source: str) -> list[tuple[int, str, str]]:
    edges = [edge for edge in graph_of(spec).edges if edge.source == source]
    return [(label.order, label.text, edge.target) for edge in edges for label in edge.labels]


def test_numbers_follow_the_evaluation_order() -> None:
    spec = machine(
        "walker",
        "a",
        {"a": state()},
        {"a": [edge("one", "x"), edge("two", "y"), edge("three", "x")]},
        {"a": [edge("mine", "y"), edge("last", "z")], "all": [edge("leave", "x")]},
    )
    assert [(order, text) for order, text, _ in labels_of(spec, "a")] == [
        (1, "1. one()"),
        (2, "2. three()"),
        (3, "3. leave()"),
        (4, "4. two()"),
        (5, "5. mine()"),
        (6, "6. last()"),
    ]
    assert labels_of(spec, "y") == [(1, "1. leave()", "x")]
    assert labels_of(spec, "x") == []
    assert labels_of(spec, "z") == []


def test_without_teleports_the_others_keep_their_numbers() -> None:
    spec = machine("r", "a", {"a": state()}, {"a": [edge("one", "b"), edge("two", "c")]}, {"a": [edge("tp", "b")]})
    graph = graph_of(spec, teleports=False)
    assert [label.order for edge in graph.edges for label in edge.labels] == [1, 3]
    assert not any(edge.teleport for edge in graph.edges)


def test_labels_tell_arguments_and_times() -> None:
    assert [text for _, text, _ in labels_of(USER, "waiting_handshake")] == [
        "1. connected(handshake_completed=true)",
        "2. disconnected() [delay=5s]",
        "3. nop() [delay=15s]",
    ]
    spec = machine("r", "a", {}, {"a": [edge("go", "b", retry_timeout="<t>", max_duration=3, high_priority=True)]})
    assert labels_of(spec, "a")[0][1] == "1. go() [max=3s, retry=<t>, high priority]"


def test_states_named_only_by_transitions_exist_and_block() -> None:
    graph = graph_of(machine("r", "a", {"a": state(blocking=False)}, {"a": [edge("go", "b")]}))
    assert [(node.name, node.blocking) for node in graph.nodes] == [("a", False), ("b", True)]


def test_edges_know_what_they_are_made_of() -> None:
    spec = machine("r", "a", {}, {"a": [edge("asked", "b", ready=False)]}, {"a": [edge("tp", "b"), edge("t", "c")]})
    to_b, to_c = graph_of(spec).edges
    assert (to_b.ready, to_b.teleport) == (True, False)
    assert (to_c.ready, to_c.teleport) == (True, True)


def test_a_machine_in_words() -> None:
    assert machine_text(USER).splitlines() == [
        "init, initial",
        '  1. connect_to_broadcaster(role="broadcaster") -> waiting_handshake',
        "waiting_handshake, not blocking",
        "  1. connected(handshake_completed=true) -> ready",
        "  2. disconnected() [delay=5s] -> init",
        "  3. nop() [delay=15s] (teleport) -> init",
        "ready, does check_messages(max_silence_seconds=25.0, talk_probability=0.01, history_len=3)",
        "  1. disconnected() [delay=5s] -> init",
        "  2. generate_and_send(samples=1) -> message_sent",
        "message_sent, not blocking",
        "  1. nop() -> ready",
    ]
    assert "broadcast_message() (on request) -> ready" in machine_text(REAL["broadcaster"])


def test_a_machine_without_initial_state_is_refused() -> None:
    with pytest.raises(KeyError):
        graph_of({"machine": {"role": "r"}, "states": {"a": {}}})
    with pytest.raises(KeyError):
        layout_of(graph_of(machine("r", "nowhere", {"a": state()}, {})))


def test_states_without_an_initial_one_start_in_the_first_row() -> None:
    spec = machine("walker", "a", {name: state() for name in "abc"}, {"a": [edge("go", "b")]})
    spec["machine"]["initial_state"] = None
    graph = graph_of(spec)
    assert layers(graph) == {"a": 0, "b": 1, "c": 0}
    assert list(faults(layout_of(graph))) == []
