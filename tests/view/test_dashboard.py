"""The dashboard that every world has: a pure function of the records, at any tick, whatever is in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

import unaiverse_lab as lab
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.records import (
    Badge,
    BehaviorSet,
    Completed,
    Dropped,
    Fault,
    Forced,
    Joined,
    Met,
    Moved,
    Record,
    Requested,
    RoleSet,
    Stat,
)
from unaiverse_lab.stats import UIPlot
from unaiverse_lab.stats.style import PALETTE
from unaiverse_lab.view import core_dash, core_dashboard, figure_html, figure_text

from .test_text import Tags
from .traces import CHAT

ROOT = Path(__file__).parents[2]
EVIL = "</script><img src=x onerror=alert(1)>"

SCHOOL: list[Record] = [
    BehaviorSet(0, 0.0, "School", "student", "{}"),
    Joined(0, 0.0, "Tom", "admitted", "teacher"),
    Joined(0, 0.0, "Ada", "admitted", "student"),
    RoleSet(1, 0.05, "Tom", "teacher", "init"),
    RoleSet(1, 0.05, "Ada", "student", "init"),
    Joined(5, 0.25, "Eve", "refused", reason="the world is full"),
    Joined(10, 0.5, "Ben", "admitted", "student"),
    RoleSet(11, 0.55, "Ben", "student", "init"),
    Met(12, 0.6, "Ada", "Tom", "met"),
    Met(12, 0.6, "Tom", "Ada", "met"),
    Met(13, 0.65, "Ben", "Tom", "met"),
    Moved(20, 1.0, "Ada", "init", "learn", "ready"),
    Stat(21, 1.05, "Ada", "error", "Ada", 0.5),
    Stat(21, 1.05, "Ben", "error", "Ben", 0.75),
    Stat(22, 1.1, "Eve", "error", "Ada", 0.0, False, "only for your own key"),
    Stat(22, 1.1, "School", "best", None, "Ada"),
    Stat(22, 1.1, "School", "world_agents", None, 3),
    Stat(30, 1.5, "Ada", "error", "Ada", 0.25),
    Requested(31, 1.55, "Tom", "u1", "Ada", "dance", accepted=False, reason="no such action"),
    Completed(32, 1.6, "Ada", "u2", "sent", "error", "learn", "Tom"),
    Completed(32, 1.6, "Tom", "u2", "received", "error", "learn", "Ada"),
    Fault(33, 1.65, "Tom", "IndexError: list index out of range"),
    Dropped(33, 1.65, "School", "Eve", "not a member"),
    Badge(40, 2.0, "Ada", "completed", 1.0, "Passed", "Tom"),
    Badge(41, 2.05, "Ben", "completed", None, "Passed", "Ben", False, "not by oneself"),
    RoleSet(50, 2.5, "Ada", "teacher", "init", "student"),
    Joined(60, 3.0, "Ben", "left"),
]


def panels(records: list[Record], upto_tick: int | None = None) -> dict[str, UIPlot]:
    dash = core_dash(records, upto_tick)
    go.Figure(dash.to_json())
    json.dumps(dash.to_json(), allow_nan=False)
    return {panel.title: panel for panel in dash.panels.values()}


def rows(panel: UIPlot) -> list[tuple[str, ...]]:
    return list(zip(*panel.data[0]["cells"]["values"], strict=True))


# ---------------------------------------------------------------------- what it shows


def test_members_over_time_by_role() -> None:
    students, teachers = panels(SCHOOL)["Members over time, by role"].data[::-1]
    assert (students["name"], teachers["name"]) == ("student", "teacher")
    assert teachers["y"] == [1, 1, 2, 2]
    assert teachers["x"] == students["x"] == [0.0, 0.5, 2.5, 3.0]
    assert students["y"] == [1, 2, 1, 0]


def test_states_by_role_the_most_frequent_first() -> None:
    before = panels(SCHOOL, 20)["Who is in which state"]
    assert [(trace["name"], trace["y"], trace["x"]) for trace in before.data] == [
        ("teacher", ["init"], [1]),
        ("student", ["init", "ready"], [1, 1]),
    ]
    assert [trace["marker"]["color"] for trace in before.data] == list(PALETTE[:2])
    (after,) = panels(SCHOOL)["Who is in which state"].data
    assert (after["name"], after["y"], after["x"]) == ("teacher", ["init"], [2])


def test_who_has_met_whom_until_they_part_or_leave() -> None:
    def lines(tick: int | None) -> int:
        return panels(SCHOOL, tick)["Who has met whom"].data[0]["x"].count(None)

    assert [lines(11), lines(12), lines(13), lines(None)] == [0, 1, 2, 1]
    parted = [*SCHOOL, Met(61, 3.05, "Tom", "Ada", "parted")]
    assert panels(parted)["Who has met whom"].data[0]["x"] == []


def test_what_each_did_last() -> None:
    assert rows(panels(SCHOOL, 30)["What each did last"]) == [
        ("Tom", "teacher", "init", "–", ""),
        ("Ada", "student", "ready", "learn", "1"),
        ("Ben", "student", "init", "–", ""),
    ]
    forced = [*SCHOOL, Forced(70, 3.5, "Tom", "set_state", "init", "ready")]
    assert rows(panels(forced)["What each did last"])[0][2] == "ready"


def test_what_was_refused_or_went_wrong_is_counted_with_the_latest_reason() -> None:
    cells = [tuple(cell.replace("<br>", " ") for cell in row) for row in rows(panels(SCHOOL)[TROUBLES])]
    told = {what: (times, last) for what, times, last in cells}
    assert told == {
        "badges refused": ("1", "tick 41, Ben: not by oneself"),
        "errors": ("1", "tick 33, Tom: IndexError: list index out of range"),
        "messages not taken": ("1", "tick 33, School: from Eve: not a member"),
        "not admitted": ("1", "tick 5, Eve: the world is full"),
        "requests refused": ("1", "tick 31, Tom: no such action"),
        "requests without success": ("1", "tick 32, Ada: learn: error"),
        "values refused": ("1", "tick 22, Eve: only for your own key"),
    }
    assert rows(panels(SCHOOL, 0)[TROUBLES]) == [("none", "", "")]


TROUBLES = "What was refused or went wrong"


def test_badges_with_the_decision_and_its_reason() -> None:
    assert rows(panels(SCHOOL)["Badges"]) == [
        ("2", "Ada", "completed", "1", "Tom", "awarded", "Passed"),
        ("2.05", "Ben", "completed", "", "Ben", "refused: not by oneself", "Passed"),
    ]
    assert rows(panels(SCHOOL, 40)["Badges"])[1:] == []


def test_a_panel_for_each_value_that_was_stored_and_none_for_those_of_every_world() -> None:
    shown = panels(SCHOOL)
    assert list(shown)[5:-1] == ["error", "best"]
    ada, ben = shown["error"].data
    assert (ada["name"], ada["x"], ada["y"]) == ("Ada", [1.05, 1.5], [0.5, 0.25])
    assert (ben["name"], ben["y"]) == ("Ben", [0.75])
    (best,) = shown["best"].data
    assert (best["name"], best["y"], best["line"]["shape"]) == ("World", ["Ada"], "hv")
    assert "error" not in panels(SCHOOL, 20)


def test_two_who_report_on_one_member_have_two_lines() -> None:
    more = [
        *SCHOOL,
        Stat(61, 3.05, "Tom", "error", "Ada", 0.125),
        Stat(61, 3.05, "Tom", "error", "a-very-long-key", 1.0),
    ]
    names = [trace["name"] for trace in panels(more)["error"].data]
    assert names == ["Ada, by Ada", "Ben", "Ada, by Tom", "ng-key"]


def test_its_title_says_where_and_when() -> None:
    assert core_dash(SCHOOL).title == "School: tick 60, 3 s"
    assert core_dash(SCHOOL, 30).title == "School: tick 30, 1.5 s"
    assert core_dash([]).title == "World: not started yet"
    assert core_dash(SCHOOL, title="mine").title == "mine"


# ---------------------------------------------------------------------- whatever is in the records


@pytest.mark.parametrize("tick", [None, -1, *range(0, 42, 4)])
@pytest.mark.parametrize("records", [[], CHAT, SCHOOL])
def test_it_can_be_made_at_every_tick(records: list[Record], tick: int | None) -> None:
    assert len(panels(records, tick)) >= 6


def test_it_is_a_function_of_the_records() -> None:
    assert core_dashboard(iter(SCHOOL), 30) == core_dashboard([one for one in SCHOOL if one.tick <= 30])
    with pytest.raises(LabError, match="no theme"):
        core_dashboard(SCHOOL, theme="pink")


def test_names_and_reasons_stay_text() -> None:
    records: list[Record] = [
        BehaviorSet(0, 0.0, EVIL, EVIL, "{}"),
        Joined(0, 0.0, EVIL, "admitted", EVIL),
        RoleSet(1, 0.0, EVIL, EVIL, EVIL),
        Joined(1, 0.0, "Ben", "admitted", "user"),
        Met(1, 0.0, EVIL, "Ben", "met"),
        Moved(2, 0.0, EVIL, EVIL, EVIL, EVIL),
        Stat(2, 0.0, EVIL, EVIL, EVIL, EVIL),
        Stat(2, 0.0, EVIL, EVIL, EVIL, EVIL, False, EVIL),
        Badge(2, 0.0, EVIL, EVIL, 1.0, EVIL, EVIL, False, EVIL),
        Fault(2, 0.0, EVIL, EVIL),
    ]
    text = json.dumps(core_dashboard(records))
    assert "<img" not in text
    assert "</script" not in text
    dash = core_dash(records)
    assert Tags(figure_html(dash)).tags <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "<img src=x" in figure_text(dash)


def test_large_worlds_make_figures_that_can_be_sent() -> None:
    records: list[Record] = [Joined(0, 0.0, f"n{i}", "admitted", "user") for i in range(500)]
    records += [Badge(1, 0.1, f"n{i}", "completed", 1.0, "x" * 1000) for i in range(500)]
    records += [Stat(i, i / 20, "n1", "error", "n1", float(i % 7)) for i in range(1, 50_000)]
    shown = panels(records)
    assert len(rows(shown["Badges (the latest 200 of 500)"])) == 200
    assert len(shown["error"].data[0]["x"]) <= 2002
    assert len(json.dumps(core_dashboard(records))) < 500_000


def test_the_gallery_and_hash_seeds() -> None:
    code = (
        "import hashlib, json, unaiverse_lab as lab; from unaiverse_lab.view import core_dashboard; "
        "s = lab.load('chat'); s.run(max_cycles=150); "
        "print(hashlib.sha256(json.dumps(core_dashboard(s.trace)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_animal_school_shows_a_promotion_and_a_badge() -> None:
    session = lab.load("animal_school")
    session.run(max_cycles=600)
    shown = panels(list(session.trace))
    assert [trace["y"][-1] for trace in shown["Members over time, by role"].data] == [2, 1]
    assert rows(shown["Badges"])[0][1:4] == ("Test2", "completed", "1")


# ---------------------------------------------------------------------- where no charts are drawn


def test_a_figure_in_words() -> None:
    text = figure_text(core_dash(SCHOOL))
    assert text.startswith("School: tick 60, 3 s\n\nMembers over time, by role\n")
    for words in ("student  4       0", "teacher  init  2", "teacher  Tom, Ada", "Ada   2       0.25"):
        assert words in text, words
    assert "refused: not by oneself" in text


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (lambda panel: panel.add_indicator(3.5, "members"), "members  1       3.5"),
        (lambda panel: panel.add_note("no data yet"), "no data yet"),
        (lambda panel: panel.add_bar(["a"], [2], "bars"), "bars  a     2"),
        (lambda panel: panel.add_trace({"type": "heatmap", "z": [[1]]}), "heatmap"),
        (lambda panel: panel.add_table(["who"], [["A<b>"] * 30]), "... and 10 more"),
    ],
)
def test_panels_in_words(fill: Any, said: str) -> None:
    panel = UIPlot("A panel")
    fill(panel)
    assert said in figure_text(panel)
    assert "A panel" in figure_html(panel)
