"""Clicks: the time from a click in the stepper until its effect is on the screen, in JupyterLab and Chromium."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from report import Result, at_most, main

sys.path.insert(0, str(Path(__file__).parents[1]))

CELLS = [
    "import unaiverse_lab as lab\ns = lab.load('chat')\ns.step(50);",
    "st = s.stepper()\nst",
    "d = s.dashboard()\nd",
]
CLICK = """
tick => new Promise((done, failed) => {
  const root = document.querySelector(".ul-root");
  const slider = root.querySelector("input[type=range]");
  const button = root.querySelector("[role=toolbar] button");
  const start = performance.now();
  const look = () => {
    if (Number(slider.value) === tick) done(performance.now() - start);
    else if (performance.now() - start > 5000) failed(new Error(`no tick ${tick}`));
    else requestAnimationFrame(look);
  };
  button.click();
  look();
})
"""


def measure(quick: bool) -> list[Result]:
    """Measure clicks, with the stepper alone and with a dashboard that is drawn, too."""
    try:
        from playwright.sync_api import sync_playwright

        from tests.browser.pages import Lab
        from tests.browser.server import FLAGS, Server, find_browser
    except ImportError as error:
        print(f"nothing is measured: {error}. It needs the extras [lab] and [dev].")
        return []
    if (executable := find_browser()) is None:
        print("nothing is measured: there is no Chromium (make chromium)")
        return []
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder))
        try:
            browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
            return clicks(Lab(server, browser), 15 if quick else 60)
        finally:
            server.stop()


def clicks(lab: object, count: int) -> list[Result]:
    """Milliseconds of so many clicks, twice."""
    from tests.browser.pages import Lab

    assert isinstance(lab, Lab)
    notebook = lab.open(lab.write("clicks", CELLS))
    notebook.run(0).run(1)
    notebook.page.wait_for_selector(".ul-people button")
    results, tick = [], 49
    for what in ("the stepper alone", "with a live dashboard"):
        took = []
        for _ in range(count):
            tick += 1
            took.append(float(notebook.page.evaluate(CLICK, tick)))
            notebook.page.wait_for_timeout(100)
        took.sort()
        results.append(at_most(f"{what}: a click is on the screen", statistics.median(took), "ms", 150))
        results.append(Result(f"{what}: 9 of 10 clicks", took[int(0.9 * count)], "ms"))
        notebook.run(2)
        notebook.page.wait_for_selector(".ul-dash .g-gtitle")
    lab.close_all()
    return results


if __name__ == "__main__":
    main(measure)
