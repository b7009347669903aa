"""Hypothesis strategies for machines and for records."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda name: name != "all")
"""Names of states as a learner, or an enemy, might write them."""

values = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.text(max_size=30), st.lists(st.text(max_size=9)))


@st.composite
def machines(draw: st.DrawFn) -> dict[str, Any]:
    """Machines of up to 12 states and 30 transitions, teleports and self loops included."""
    states = draw(st.lists(names, min_size=1, max_size=12, unique=True))
    one = st.sampled_from(states)

    def edge() -> dict[str, Any]:
        on = {
            "action": draw(st.sampled_from(["nop", "send", "process", "connect_by_role"])),
            "action_kwargs": draw(st.dictionaries(st.sampled_from(["role", "target", "samples"]), values, max_size=2)),
            "ready": draw(st.booleans()),
            "delay": draw(st.sampled_from([0, 0, 5.0, "<wait>"])),
        }
        return {"on": on, "goto": draw(one)}

    def edges(sources: st.SearchStrategy[str], most: int) -> dict[str, list[dict[str, Any]]]:
        result: dict[str, list[dict[str, Any]]] = {}
        for source in draw(st.lists(sources, max_size=most)):
            result.setdefault(source, []).append(edge())
        return result

    return {
        "machine": {"role": draw(names), "initial_state": draw(one), "msg": None, "options": {}},
        "states": {
            name: {"action": draw(st.sampled_from([None, "check_messages"])), "blocking": draw(st.booleans())}
            for name in states
        },
        "transitions": edges(one, 25),
        "teleports": edges(st.sampled_from([*states, "all"]), 4),
    }
