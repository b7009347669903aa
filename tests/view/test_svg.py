"""The drawing of a machine: well formed, self-contained, safe, and saying all it has to say."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from unaiverse_lab.view import machine_html, machine_svg

from .machines import BROADCASTER, ENGAGE, REAL, USER, edge, machine, state
from .random_machines import machines

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = {"svg", "title", "desc", "g", "rect", "path", "circle", "text"}


def parsed(svg: str) -> ElementTree.Element:
    """The picture as a tree, after checking that it has nothing in it that could run or fetch."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in DRAWN
        assert not any(name.startswith("on") or "href" in name or name in {"style", "id"} for name in element.attrib)
        assert not any("url(" in value for value in element.attrib.values())
    assert root.get("role") == "img"
    assert root[0].tag == SVG + "title"
    return root


def words(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(SVG + "text")]


@pytest.mark.parametrize("name", REAL)
def test_every_state_and_every_transition_is_written(name: str) -> None:
    shown = " ".join(words(parsed(machine_svg(REAL[name])))).replace(" ", "")
    for each in REAL[name]["states"]:
        assert each in shown


@settings(max_examples=60, deadline=None)
@given(machines())
def test_any_machine_gives_a_well_formed_picture(spec: dict[str, Any]) -> None:
    current = next(iter(spec["states"]))
    parsed(machine_svg(spec, current=current, limbo=True))
    assert machine_html(spec, current=current).startswith('<img alt="')


def test_names_are_text_not_markup() -> None:
    evil = '<script>alert("x")</script>'
    spec = machine(evil, evil, {evil: state(evil)}, {evil: [edge(evil, "b\x00&\x1b", text="</svg>")]})
    svg = machine_svg(spec, current=evil, title="<b>&")
    parsed(svg)
    assert "<script" not in svg
    assert "<script" not in machine_html(spec)


def test_the_same_picture_every_time() -> None:
    assert machine_svg(USER) == machine_svg(USER)


def test_now_and_in_the_middle_are_told_apart_without_colour() -> None:
    idle, now, middle = (
        parsed(machine_svg(USER, **state)) for state in ({}, {"current": "ready"}, {"current": "ready", "limbo": True})
    )
    assert not any("now" in word for word in words(idle))
    assert "now in ready" in words(now) and "now" in words(now)
    assert "in the middle of an action of ready" in words(middle)
    assert len({re.sub(r"#\w+", "", ElementTree.tostring(each).decode()) for each in (idle, now, middle)}) == 3


def test_highlighting_moves_nothing() -> None:
    def places(root: ElementTree.Element) -> list[str]:
        return [element.get("d", "") for element in root.iter(SVG + "path") if "C" in element.get("d", "")]

    assert places(parsed(machine_svg(USER))) == places(parsed(machine_svg(USER, current="init")))


def test_an_unknown_current_state_highlights_nothing() -> None:
    assert machine_svg(USER, current="nowhere") == machine_svg(USER)


def test_on_request_is_dashed_and_explained() -> None:
    svg = machine_svg(BROADCASTER)
    assert "stroke-dasharray" in svg and "on request (italic)" in svg
    assert "stroke-dasharray" not in machine_svg(ENGAGE)


def test_teleports_can_be_left_out() -> None:
    assert "teleport" in machine_svg(USER)
    without = machine_svg(USER, teleports=False)
    assert "teleport" not in without and "nop() [delay=15s]" not in without


def test_title_and_description_say_it_in_words() -> None:
    root = parsed(machine_svg(USER, current="init", title="Ada"))
    assert root.findtext(SVG + "title") == "Ada, now in init"
    assert "2. disconnected() [delay=5s] -> init" in (root.findtext(SVG + "desc") or "")


def test_a_machine_without_states_is_an_empty_card() -> None:
    empty = machine("pupil", "", {}, {})
    empty["machine"]["initial_state"] = None
    root = parsed(machine_svg(empty, current="nowhere"))
    assert words(root) == ["pupil", "no states yet"]
    assert root.findtext(SVG + "title") == "pupil, no states yet"
    assert "add_state" in machine_html(empty)
    del empty["machine"]["initial_state"]
    with pytest.raises(KeyError):
        machine_svg(empty)
