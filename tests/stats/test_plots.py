"""The helpers that draw statistics: what they show of a view, and that nothing in a view breaks them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from unaiverse_lab.stats import DefaultBaseDash, Stats, UIPlot, WorldSidebarDash
from unaiverse_lab.stats.plots import MOST_LABELS, NOTHING, Member, Plots, draw_network
from unaiverse_lab.stats.style import PALETTE

MANUAL = Path(__file__).parents[2] / "docs" / "dashboards.md"
EVIL = "</script><img src=x onerror=alert(1)>"


class Drawing(Plots):
    """Draws a given view."""

    is_world = True

    def __init__(self, view: Any) -> None:
        self.view = view

    def get_view(self, since_timestamp: int = 0) -> Any:
        return self.view


def nodes(**roles: str) -> dict[str, dict[str, Any]]:
    return {key: {"Name": key.capitalize(), "Role": role, "Current State": "ready"} for key, role in roles.items()}


VIEW: dict[str, Any] = {
    "world": {
        "graph": {
            "nodes": nodes(teacher="teacher", ada="student", ben="student"),
            "edges": {"ada": ["teacher", "ben"]},
        },
        "world_masters": [[0, 1]],
        "world_agents": [[0, 0], [2000, 1], [4000, 2]],
        "human_agents": [],
        "best": [[1000, 0.5], [2000, 0.25]],
        "who": [[1000, "ada"]],
        "champion": "ada",
        "record": 0.25,
    },
    "peers": {
        "ben": {"state": "exam", "error": [[1000, 0.9], [3000, 0.5]]},
        "ada": {"state": "exam", "error": [[1000, 0.8], [3000, 0.3]], "score": 0.75},
        "key-of-a-stranger": {"error": [[2000, 0.7]], "empty": []},
    },
}
EMPTY: dict[str, Any] = {"world": {}, "peers": {}}


def everything() -> DefaultBaseDash:
    """A dash with what every helper makes."""
    drawing, dash = Drawing(VIEW), DefaultBaseDash()
    panels = [UIPlot(title) for title in ("network", "error", "states", "best")]
    drawing._populate_graph(panels[0], VIEW, "graph")
    drawing._populate_time_series(panels[1], VIEW, "error")
    drawing._populate_distribution(panels[2], VIEW, "state")
    drawing._populate_table(panels[3], VIEW, "champion")
    for panel, position in zip(panels, dash.slots, strict=True):
        dash.add_panel(panel, position)
    return dash


def populated(helper: str, view: dict[str, Any], name: str, **options: Any) -> UIPlot:
    panel = UIPlot("A panel")
    getattr(Drawing(view), helper)(panel, view, name, **options)
    go.Figure(panel.to_json())
    return panel


def notes(panel: UIPlot) -> list[str]:
    return [note["text"] for note in panel.layout.get("annotations", ())]


HELPERS = [
    "_populate_time_series",
    "_populate_distribution",
    "_populate_graph",
    "_populate_indicator",
    "_populate_table",
]


@pytest.mark.parametrize("helper", HELPERS)
@pytest.mark.parametrize("name", [*VIEW["world"], "error", "state", "score", "empty", "nowhere"])
def test_every_helper_takes_every_value(helper: str, name: str) -> None:
    populated(helper, VIEW, name)


@pytest.mark.parametrize(
    "helper", ["_populate_time_series", "_populate_distribution", "_populate_graph", "_populate_table"]
)
@pytest.mark.parametrize("view", [EMPTY, {}, {"world": None, "peers": None}])
def test_where_there_is_nothing_the_panel_says_so(helper: str, view: dict[str, Any]) -> None:
    panel = populated(helper, view, "error")
    assert panel.data == []
    assert notes(panel) == [NOTHING]


def test_a_line_for_each_member_named_as_in_the_graph_in_seconds() -> None:
    panel = populated("_populate_time_series", VIEW, "error")
    assert [trace["name"] for trace in panel.data] == ["Ada", "Ben", "ranger"]
    assert (panel.data[0]["x"], panel.data[0]["y"]) == ([1.0, 3.0], [0.8, 0.3])
    assert [trace["line"]["color"] for trace in panel.data] == list(PALETTE[1:4])


def test_a_member_has_the_same_colour_in_every_panel() -> None:
    (line,) = populated("_populate_time_series", VIEW, "error", peer_ids=["ben"]).data
    assert line["line"]["color"] == PALETTE[2]


def test_members_with_one_colour_have_different_lines_also_when_few_are_shown() -> None:
    view = {"world": {}, "peers": {f"peer-{i:02}": {"error": [[0, 1.0]]} for i in range(20)}}
    one, other = populated("_populate_time_series", view, "error", peer_ids=["peer-01", "peer-13"]).data
    assert one["line"]["color"] == other["line"]["color"]
    assert one["line"]["dash"] != other["line"]["dash"]


def test_the_worlds_line_and_what_can_be_said_about_lines() -> None:
    (line,) = populated("_populate_time_series", VIEW, "best").data
    assert (line["name"], line["y"]) == ("World", [0.5, 0.25])
    options = {"color_override": "#010203", "show_legend": False, "title_override": "the best"}
    (line,) = populated("_populate_time_series", VIEW, "best", **options).data
    assert (line["name"], line["line"]["color"], line["showlegend"]) == ("the best", "#010203", False)


def test_members_of_one_name_are_told_apart() -> None:
    graph = {"nodes": {"aaaaaa-1": {"Name": "Ada"}, "aaaaaa-2": {"Name": "Ada"}}, "edges": {}}
    peers = {key: {"error": [[0, 1.0]]} for key in graph["nodes"]}
    panel = populated("_populate_time_series", {"world": {"graph": graph}, "peers": peers}, "error")
    assert [trace["name"] for trace in panel.data] == ["Ada (aaaa-1)", "Ada (aaaa-2)"]


def test_the_distribution_counts_members_and_those_of_whom_nothing_is_known() -> None:
    panel = populated("_populate_distribution", VIEW, "state")
    (bars,) = panel.data
    assert (bars["y"], bars["x"]) == (["Unknown", "exam"], [2, 2])
    assert notes(panel) == ["Unknown: 2", "exam: 2"]


def test_the_graph_is_a_circle_in_order_of_joining_marked_by_role() -> None:
    panel = populated("_populate_graph", VIEW, "graph")
    edges, teachers, students = panel.data
    assert (teachers["text"], students["text"]) == (["Teacher"], ["Ada", "Ben"])
    assert (teachers["x"], teachers["y"]) == ([0.0], [10.0])
    assert teachers["marker"]["color"] != students["marker"]["color"]
    assert teachers["marker"]["symbol"] != students["marker"]["symbol"]
    assert edges["x"].count(None) == 2
    assert "Current State: ready" in students["hovertext"][0]


@pytest.mark.parametrize(
    "graph", [{"ada": ["ben"]}, {"edges": {"ada": {"ben"}}}, {"nodes": {"ada": None}, "edges": {}}]
)
def test_graphs_of_other_forms(graph: dict[str, Any]) -> None:
    panel = populated("_populate_graph", {"world": {"graph": graph}, "peers": {}}, "graph")
    assert panel.data[1]["text"][0] == "ada"


def test_a_crowd_has_its_names_under_the_pointer() -> None:
    panel = UIPlot()
    draw_network(panel, {f"n{i}": Member(f"n{i}", "user", {}) for i in range(MOST_LABELS + 1)}, [("n1", "gone")])
    assert panel.data[1]["mode"] == "markers"
    assert panel.data[0]["x"] == []


def test_one_number_is_the_worlds_or_the_first_members() -> None:
    assert populated("_populate_indicator", VIEW, "record").data[0]["value"] == 0.25
    assert populated("_populate_indicator", VIEW, "score").data[0]["value"] == 0.75
    assert populated("_populate_indicator", EMPTY, "score").data[0]["value"] is None


def test_a_table_of_who_has_what_now() -> None:
    cells = populated("_populate_table", VIEW, "error").data[0]["cells"]["values"]
    assert cells == [["Ada", "Ben", "ranger"], ["0.300", "0.500", "0.700"]]
    assert populated("_populate_table", VIEW, "champion").data[0]["cells"]["values"] == [["World"], ["ada"]]


@pytest.mark.parametrize(
    ("name", "text"), [("record", "0.250"), ("best", "0.250"), ("champion", "ada"), ("human_agents", "-"), ("no", "-")]
)
def test_the_last_value_in_words(name: str, text: str) -> None:
    assert Drawing(VIEW)._get_last_val_from_view(VIEW, name) == text


def test_names_stay_text() -> None:
    graph = {"nodes": {"k": {"Name": EVIL, "Role": EVIL, EVIL: EVIL}}, "edges": {"k": [EVIL]}}
    view = {"world": {"graph": graph, "s": [[0, EVIL]]}, "peers": {"k": {"s": [[0, EVIL]], "v": EVIL}}}
    for helper in HELPERS:
        for name in ("graph", "s", "v"):
            assert "<img" not in str(populated(helper, view, name).to_json())


# ---------------------------------------------------------------------- the dashboard


def test_a_world_has_a_dashboard_without_writing_one() -> None:
    page = Drawing(VIEW).plot()
    assert page is not None
    assert page.count("Plotly.newPlot(") >= 1
    figure = page[page.rindex("figure=") :]
    for words in ("Who is connected to whom", "Members over time", "Unknown: 2", "exam: 2", "Last actions"):
        assert words in figure
    assert "[]" not in figure.split('"layout"')[0].replace('"x":[],"y":[]', "")


def test_nothing_known_is_no_page() -> None:
    assert Drawing({}).plot() is None


def test_statistics_of_worlds_and_members_draw() -> None:
    world = Stats(is_world=True)
    page = world.plot()
    assert page is not None
    assert NOTHING in page
    assert isinstance(Stats(is_world=False).plot(), str | None)


# ---------------------------------------------------------------------- the manual


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.S))
def test_what_the_manual_shows_runs(block: str) -> None:
    names: dict[str, Any] = {}
    exec(block, names)
    if "WStats" in names:
        world = names["WStats"](is_world=True)
        world.store_stat("full_test_err", 0.25, "ada", 1000)
        assert "Error on the test set" in world.plot()


def test_the_manual_names_every_position() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    assert all(f"`{position}`" in text for kind in (DefaultBaseDash, WorldSidebarDash) for position in kind.SLOTS)
