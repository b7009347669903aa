"""Figures are plain data that plotly takes; what is put into them by anybody stays text."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.stats import THEMES, Dash, DefaultBaseDash, UIPlot, WorldSidebarDash
from unaiverse_lab.stats.figures import steps, thinned, whole
from unaiverse_lab.stats.style import DASHES, PALETTE, plain, squeezed

EVIL = "</script><img src=x onerror=alert(1)>&amp;"


def accepted(figure: dict[str, Any]) -> dict[str, Any]:
    """The figure, after plotly has looked at every attribute of it."""
    go.Figure(figure)
    json.dumps(figure, allow_nan=False)
    return figure


def line(title: str = "Error", name: str = "Ada") -> UIPlot:
    panel = UIPlot(title)
    panel.add_line([0, 1, 2], [0.5, 0.25, 0.125], name)
    return panel


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


# ---------------------------------------------------------------------- one panel


def test_every_kind_of_content_is_accepted() -> None:
    panel = line()
    panel.add_area([0, 1], [1, 2], "below", stacked=True, step=True, legend_group="g", show_legend=False)
    panel.add_bar(["a", "b"], [1, 2], ["one a", "two b"], ["#123456", "#654321"])
    panel.add_bar(["a", "b"], [1, 2], "bars", horizontal=True)
    panel.add_trace({"type": "heatmap", "z": [[1, 0], [0.5, float("nan")]], "x": ["exam 1", "exam 2"], "y": [0, 1]})
    panel.add_note("a note")
    panel.set_y_range(0, 1)
    panel.set_axes("seconds", None)
    panel.set_legend("v", 1, 1, "right", "top")
    panel.set_layout_opt("xaxis", {"tickformat": ".1f"})
    figure = accepted(panel.to_json())
    assert set(figure) == {"data", "layout"}
    assert [trace["type"] for trace in figure["data"]] == ["scatter", "scatter", "bar", "bar", "heatmap"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "seconds"
    assert figure["layout"]["xaxis"]["tickformat"] == ".1f"
    assert figure["layout"]["yaxis"]["range"] == [0, 1]


def test_a_table_and_a_number_have_no_axes() -> None:
    panel = UIPlot("Best")
    panel.add_table(["who", "score"], [["Ada", "Ben"], [1, 0.5]], [2, 1])
    layout = accepted(panel.to_json())["layout"]
    assert "xaxis" not in layout
    number = UIPlot()
    number.add_indicator(3, "members")
    figure = accepted(number.to_json())
    assert (figure["layout"]["height"], figure["data"][0]["value"]) == (300, 3)


@pytest.mark.parametrize("value", [None, "soon", float("nan")])
def test_an_indicator_of_no_number_still_shows(value: Any) -> None:
    panel = UIPlot()
    panel.add_indicator(value, "when")
    assert accepted(panel.to_json())["data"][0]["value"] is None


def test_a_table_without_headers_and_with_lines_in_its_cells() -> None:
    panel = UIPlot()
    panel.add_table(None, [["a", "b\nc"], [1, 2]])
    assert accepted(panel.to_json())["data"][0]["cells"]["values"] == [["a", "b<br>c"], ["1", "2"]]


def test_what_does_not_fit_together_is_an_error_that_says_so() -> None:
    panel = UIPlot()
    with pytest.raises(LabError, match="3 positions but 2 values"):
        panel.add_line([1, 2, 3], [1, 2], "Ada")
    with pytest.raises(LabError, match="1 bars but 2 values"):
        panel.add_bar(["a"], [1, 2])
    with pytest.raises(LabError, match="1 headers but 2 columns"):
        panel.add_table(["a"], [[1], [2]])
    with pytest.raises(LabError, match=r"no theme 'drak', only light, dark\. Did you mean 'dark'"):
        UIPlot(theme="drak")


def test_everything_in_a_figure_is_json_whatever_was_put_in() -> None:
    class Scalar:
        def item(self) -> float:
            return 0.5

    panel = UIPlot()
    panel.add_line([0, 1, 2], [Scalar(), float("inf"), None], "Ada")
    panel.add_trace({"type": "scatter", "x": range(2), "y": (1, 2), "meta": {"b", "a"}})
    first, second = accepted(panel.to_json())["data"]
    assert first["y"] == [0.5, None, None]
    assert (second["x"], second["meta"]) == ([0, 1], ["a", "b"])


# ---------------------------------------------------------------------- text of members


def test_text_stays_text_wherever_it_enters() -> None:
    panel = UIPlot(EVIL)
    panel.add_line([0, 1], [EVIL, EVIL], EVIL, legend_group=EVIL)
    panel.add_area([0, 1], [1, 2], EVIL)
    panel.add_bar([EVIL], [1], [EVIL])
    panel.add_bar([EVIL], [1], EVIL)
    panel.add_trace({"type": "scatter", "text": [EVIL], "name": EVIL, "hovertemplate": EVIL, "customdata": [[EVIL]]})
    panel.add_note(EVIL)
    panel.set_axes(EVIL, EVIL)
    panel.set_layout_opt("legend", {"title": {"text": EVIL}})
    table = UIPlot(EVIL)
    table.add_table([EVIL], [[EVIL]])
    number = UIPlot()
    number.add_indicator(EVIL, EVIL)
    dash = WorldSidebarDash(EVIL)
    dash.add_panel(panel, "center_top")
    dash.add_panel(table, "left_mid")
    dash.add_panel(number, "right_top")
    for figure in (panel, table, number, dash):
        text = json.dumps(accepted(figure.to_json()))
        assert "<img" not in text
        assert "</script" not in text


def test_only_the_simplest_markup_is_kept_and_only_in_raw_traces() -> None:
    panel = UIPlot()
    panel.add_trace({"type": "scatter", "text": ["<b>a</b><br><a href='https://example.org'>x</a><B>"]})
    panel.add_line([0], [1], "<b>a</b>")
    raw, named = panel.to_json()["data"]
    assert raw["text"] == ["<b>a</b><br>&lt;a href='https://example.org'>x&lt;/a>&lt;B>"]
    assert named["name"] == "&lt;b&gt;a&lt;/b&gt;"


def test_plain_text() -> None:
    assert plain("a < b & c") == "a &lt; b &amp; c"
    assert plain("a\x00b\u2028c") == "a\ufffdb\ufffdc"
    assert plain("one  two\nthree", 9) == "one two…"
    assert squeezed("waiting_for_the_teacher_3", 11) == "waiti…her_3"


# ---------------------------------------------------------------------- colours


@pytest.mark.parametrize("theme", THEMES)
def test_colours_are_legible(theme: str) -> None:
    colours = THEMES[theme]
    assert contrast(colours["ink"], colours["paper"]) >= 7
    assert contrast(colours["faint"], colours["paper"]) >= 4.5
    assert contrast(colours["ink"], colours["head"]) >= 4.5
    assert all(contrast(one, colours["paper"]) >= 3 for one in colours["peers"])


def test_the_first_lines_all_differ() -> None:
    assert len(set(PALETTE)) == len(PALETTE) >= 10
    panel = UIPlot()
    for number in range(len(PALETTE) * len(DASHES)):
        panel.add_line([0, 1], [1, 2], f"peer {number}")
    styles = {(one["line"]["color"], one["line"]["dash"]) for one in panel.data}
    assert len(styles) == len(panel.data) == 48


# ---------------------------------------------------------------------- several panels


@pytest.mark.parametrize("kind", [DefaultBaseDash, WorldSidebarDash])
@pytest.mark.parametrize("theme", [None, *THEMES])
def test_full_dashes_are_accepted(kind: type[DefaultBaseDash], theme: str | None) -> None:
    dash = kind("All of it", theme=theme)
    for position, slot in dash.slots.items():
        panel = line(position)
        if slot.axis is None:
            panel = UIPlot(position)
            panel.add_table(["a"], [[1]])
        dash.add_panel(panel, position)
    figure = accepted(dash.to_json())
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    assert titles == [f"<b>{position}</b>" for position in dash.slots]
    assert figure["layout"]["paper_bgcolor"] == THEMES[theme or "light"]["paper"]


def test_places_are_where_they_were_said_to_be() -> None:
    dash = WorldSidebarDash()
    dash.add_panel(line(), "center_bot")
    table = UIPlot()
    table.add_table(["a"], [[1]])
    dash.add_panel(table, "left_bot")
    data, layout = dash.to_json().values()
    assert layout["height"] == 900
    assert data[0]["domain"] == {"x": [0.0, 0.2], "y": [0.0, 0.3]}
    assert (data[1]["xaxis"], data[1]["yaxis"]) == ("x4", "y4")
    assert layout["xaxis4"]["domain"] == [0.23, 0.78]
    assert layout["yaxis4"]["domain"] == [0.0, 0.45]
    assert DefaultBaseDash().height == 800


def test_a_table_fits_wherever_a_line_fits() -> None:
    dash = DefaultBaseDash()
    table = UIPlot()
    table.add_table(["a"], [[1]])
    dash.add_panel(table, "top_right")
    figure = accepted(dash.to_json())
    assert figure["data"][0]["domain"] == {"x": [0.52, 1.0], "y": [0.56, 1.0]}
    assert "xaxis2" not in figure["layout"]


def test_an_unknown_position_names_those_there_are() -> None:
    with pytest.raises(LabError, match=r"no position 'center_botom'; it has left_top, .*right_bot\. .*'center_bot'"):
        WorldSidebarDash().add_panel(line(), "center_botom")


def test_a_line_where_there_are_no_axes_is_explained() -> None:
    with pytest.raises(
        LabError, match="'left_mid' has no axes: it is for tables and numbers, and 'Error' has a scatter"
    ):
        WorldSidebarDash().add_panel(line(), "left_mid")


def test_a_place_is_taken_once() -> None:
    dash = DefaultBaseDash()
    dash.add_panel(line("one"), "top_left")
    with pytest.raises(LabError, match=r"'top_left' already shows 'one'.*Still free: top_right, bot_left, bot_right"):
        dash.add_panel(line("two"), "top_left")


def test_what_plotly_puts_on_no_axes_is_shown_by_itself() -> None:
    panel = UIPlot("Globe")
    panel.add_trace({"type": "scatter3d", "x": [1], "y": [1], "z": [1]})
    accepted(panel.to_json())
    with pytest.raises(LabError, match="'scatter3d' cannot be one of several panels; show 'Globe' by itself"):
        DefaultBaseDash().add_panel(panel, "top_left")


def test_a_panel_may_change_after_it_was_placed() -> None:
    dash, panel = WorldSidebarDash(), UIPlot("later")
    dash.add_panel(panel, "left_mid")
    panel.add_line([0], [1], "Ada")
    with pytest.raises(LabError, match="has no axes"):
        dash.to_json()


def test_a_member_is_named_once_and_a_panel_may_have_its_own_legend() -> None:
    dash = DefaultBaseDash()
    for position in ("top_left", "top_right", "bot_left"):
        panel = UIPlot(position)
        panel.add_line([0, 1], [1, 2], "Ada", legend_group="Ada")
        if position == "bot_left":
            panel.set_legend("v", 1.0, 0.0)
        dash.add_panel(panel, position)
    data, layout = accepted(dash.to_json()).values()
    assert [trace["showlegend"] for trace in data] == [True, False, True]
    own = layout[data[2]["legend"]]
    assert (own["x"], own["y"]) == (0.48, 0.0)


def test_notes_and_shapes_move_with_their_panel() -> None:
    dash, panel = DefaultBaseDash(), UIPlot("empty")
    panel.add_note("no data yet")
    panel.set_layout_opt("shapes", [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": 3, "y1": 3}])
    dash.add_panel(panel, "bot_right")
    layout = accepted(dash.to_json())["layout"]
    note, shape = layout["annotations"][-1], layout["shapes"][0]
    assert (note["x"], note["y"]) == (pytest.approx(0.76), pytest.approx(0.22))
    assert (shape["x0"], shape["x1"], shape["yref"], shape["y0"]) == (0.52, 1.0, "y4", 3)


def test_a_dash_of_ones_own() -> None:
    class Wide(Dash):
        SLOTS = {"all": DefaultBaseDash.SLOTS["top_left"]}
        HEIGHT = 300

    dash = Wide("mine")
    dash.add_panel(line(), "all")
    dash.set_layout_opt("margin", {"l": 5})
    layout = accepted(dash.to_json())["layout"]
    assert (layout["height"], layout["margin"]["l"], layout["margin"]["r"]) == (300, 5, 28)


# ---------------------------------------------------------------------- numbers


def test_steps_hold_until_the_end() -> None:
    assert steps([(0, 1), (0, 2), (3, 5)], 7) == ([0, 3, 7], [2, 5, 5])
    assert steps([], 7) == ([], [])


@pytest.mark.parametrize(("highest", "tick"), [(0, 1), (4, 1), (5, 1), (12, 3), (60, 20), (1234, 300)])
def test_axes_that_count_have_whole_ticks(highest: float, tick: int) -> None:
    assert whole(highest)["dtick"] == tick


def test_long_lines_are_thinned_without_losing_their_peaks() -> None:
    y = [0.0] * 100_000
    y[77_777] = 5.0
    x, kept = thinned(list(range(100_000)), y)
    assert len(x) <= 2002
    assert kept[x.index(77_777)] == 5.0
    assert (x[0], x[-1]) == (0, 99_999)
    assert thinned([0, 1], ["a", "b"], 1) == ([0, 1], ["a", "b"])
