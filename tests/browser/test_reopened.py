"""A notebook that was executed without a front end, opened in one: untrusted, and trusted but without its kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import expect

from tests.browser.pages import Lab

CELLS = ["import unaiverse_lab as lab\ns = lab.load('chat')", "s.dashboard()", "s.stepper(agent='Ada')", "s.step(120);"]
DASHBOARD, STEPPER = 1, 2


@pytest.fixture
def executed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("UNAIVERSE_LAB_DISPLAY", raising=False)
    path = lab.write("executed", CELLS)
    papermill.execute_notebook(path, path, kernel_name="python3", progress_bar=False)
    yield path
    path.unlink()


def test_untrusted_the_tables_and_pictures_are_seen(lab: Lab, executed: Path) -> None:
    shown = lab.open(executed)
    board, stepper = shown.output(DASHBOARD), shown.output(STEPPER)
    expect(board).to_contain_text("tick 119, 5.95 s")
    expect(board.locator("table").first).to_be_visible()
    expect(stepper.locator("img[src^='data:image/svg']").first).to_be_visible()
    expect(stepper.locator("table").first).to_contain_text("Ada")
    assert shown.page.locator(".ul-root, .ul-dash").count() == 0
    shown.screenshot("untrusted", STEPPER)


def test_trusted_it_can_be_looked_through_without_its_kernel(lab: Lab, executed: Path) -> None:
    notary = NotebookNotary(data_dir=str(lab.server.home / "data"))
    notary.sign(nbformat.read(executed, as_version=4))
    shown = lab.open(executed)
    board, stepper = shown.output(DASHBOARD).locator(".ul-dash"), shown.output(STEPPER).locator(".ul-root")
    expect(board).to_contain_text("tick 119, 5.95 s")
    slider = stepper.get_by_role("slider", name="Tick at the cursor")
    expect(slider).to_have_value("119")
    stepper.focus()
    shown.press("ArrowLeft")
    expect(slider).to_have_value("118")
    expect(stepper.locator(".ul-people")).to_contain_text("Polly")
    shown.screenshot("trusted", STEPPER)
    assert shown.errors == []
