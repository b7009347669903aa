"""The live dashboard, on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from playwright.sync_api import expect

from tests.browser.pages import Notebook

Opens = Callable[[Sequence[str]], Notebook]

START = """
import unaiverse_lab as lab
from unaiverse_lab.notebook import LiveDashboard
s = lab.load("chat")
"""
TITLE = ".ul-dash .g-gtitle"


def test_it_is_drawn_and_keeps_up(notebook: Opens) -> None:
    shown = notebook([START, "d = LiveDashboard(s)\nd", "s.step(10);", "s.run(max_cycles=90);"])
    for index in range(3):
        shown.run(index)
    expect(shown.output(1).locator(TITLE)).to_contain_text("tick 9,")
    shown.run(3)
    expect(shown.output(1).locator(TITLE)).to_contain_text("tick 99,")
    assert shown.python("s.tick") == 99
    shown.screenshot("tick-99", 1)
    assert shown.errors == []


def test_it_is_live_while_a_cell_keeps_the_kernel_busy(notebook: Opens) -> None:
    busy = "import os, time\ns.run(until=lambda s: time.sleep(0.01) or os.path.exists('enough'));"
    shown = notebook([START, "d = LiveDashboard(s)\nd", busy])
    shown.run(0).run(1).run(2, wait=False)
    chart = shown.output(1).locator(".ul-dash")
    expect(shown.output(1).locator(TITLE)).to_be_visible()
    start, before = time.monotonic(), int(chart.get_attribute("data-drawn") or 0)
    shown.until(lambda: int(chart.get_attribute("data-drawn") or 0) >= before + 5, "five drawings")
    assert time.monotonic() - start > 0.7, "too often"
    assert "*" in shown.cell(2).locator(".jp-InputPrompt").inner_text(), "the cell should still be running"
    shown.path.with_name("enough").touch()
    shown.until(lambda: "*" not in shown.cell(2).locator(".jp-InputPrompt").inner_text(), "the end of the cell")


def test_it_shows_what_the_stepper_looks_at(notebook: Opens) -> None:
    shown = notebook([START, "s.stepper(panels=['roster'], height=120)", "s.dashboard()", "s.step(30);", "s.back(12);"])
    for index in range(4):
        shown.run(index)
    title, stepper = shown.output(2).locator(TITLE), shown.output(1).locator(".ul-root")
    expect(title).to_contain_text("tick 29,")
    stepper.focus()
    for _ in range(3):
        shown.press("ArrowLeft")
    expect(title).to_contain_text("tick 26,")
    shown.press("End")
    expect(title).to_contain_text("tick 29,")
    shown.run(4)
    expect(title).to_contain_text("tick 17,")


def test_the_world_s_own_figures_and_tables_are_a_click_away(notebook: Opens) -> None:
    own = """
from unaiverse_lab.stats import UIPlot, render_plotly_html
class Own(type(s.world.stats)):
    def plot(self, since_timestamp=0):
        panel = UIPlot("Ticks so far")
        panel.add_bar(["ticks"], [s.tick])
        return render_plotly_html(panel.to_json())
s.world.stats.__class__ = Own
"""
    cells = [
        START + own,
        "a = LiveDashboard(s)\na",
        "b = LiveDashboard(s, page='overview')\nb",
        "s.run(max_cycles=300);",
    ]
    shown = notebook(cells)
    for index in range(4):
        shown.run(index)
    first, second = shown.output(1), shown.output(2)
    expect(second.locator(TITLE)).to_contain_text("tick")
    expect(first.get_by_role("button", name="Statistics")).to_have_attribute("aria-pressed", "true")
    expect(first.locator(TITLE)).to_have_text("Ticks so far")
    shown.screenshot("own", 1)
    shown.click("Overview", 1)
    expect(first.locator(TITLE)).to_contain_text("tick 299,")
    shown.click("Tables", 1)
    expect(first.locator("table").first).to_be_visible()
    expect(first.locator(TITLE)).to_be_hidden()
    assert shown.errors == []


NAMELESS = """
() => [...document.querySelectorAll(".ul-root, .ul-dash, .ul-human")].flatMap((root) =>
  [...root.querySelectorAll("button, input, select, textarea, [role=img], [role=tab], [role=slider], [role=group]")]
    .filter((one) => one.checkVisibility() && !one.closest(".ul-dash-chart"))
    .filter((one) => !(one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim()))
    .map((one) => one.outerHTML.slice(0, 200)))
"""


def test_every_control_has_a_name_and_keys_stay_inside(notebook: Opens) -> None:
    cells = [START + "from unaiverse_lab.notebook import HumanPanel\ns.step(20);", "s.stepper()", "s.dashboard()"]
    shown = notebook([*cells, "HumanPanel(s, 'Ada')"])
    for index in range(4):
        shown.run(index)
    for index, kind in ((1, ".ul-root"), (2, ".ul-dash"), (3, ".ul-human")):
        root = shown.output(index).locator(kind)
        expect(root.get_by_role("button").first).to_be_visible()
        root.get_by_role("button").first.focus()
        for key in ("b", "a", "x", "d", "d", "m", "Delete"):
            shown.press(key)
    assert shown.page.evaluate(NAMELESS) == []
    assert shown.cells == 4
    assert shown.errors == []
