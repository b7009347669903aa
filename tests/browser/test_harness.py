"""The ground the other tests here stand on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from playwright.sync_api import expect

from tests.browser.pages import Lab, Notebook

Opens = Callable[[Sequence[str]], Notebook]


def test_a_cell_runs_and_both_sides_agree(notebook: Opens) -> None:
    shown = notebook(["x = 6 * 7\nprint('it is', x)", "import unaiverse_lab as lab\nlab.Session(lab.World()).step()"])
    shown.run(0)
    expect(shown.output(0)).to_have_text("it is 42")
    assert shown.python("x") == 42
    shown.run(1)
    expect(shown.output(1).locator("table").first).to_be_visible()
    assert shown.cells == 2


def test_asking_for_something_outside_is_noticed(lab: Lab) -> None:
    shown = lab.open(lab.write("outside", ["1"]))
    shown.page.evaluate("fetch('http://192.0.2.1/x').catch(() => 0); 0")
    shown.until(lambda: shown.outside, "the request to be seen", 5)
    assert shown.outside == ["http://192.0.2.1/x"]
    shown.outside.clear()
