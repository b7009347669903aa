"""One server and one browser for all tests here; each test opens notebooks of its own.

Everything in this folder is marked ``browser``. Without a Chromium, or without JupyterLab, the tests are skipped;
where CI is set that is a failure, as every skip is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.server import FLAGS, Server, find_browser

if TYPE_CHECKING:
    from tests.browser.pages import Lab, Notebook

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


# For this folder and not for the whole run: while it is open, the thread has a running event loop.
@pytest.fixture(scope="package")
def started_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server and a browser that have started."""
    for needed in ("jupyterlab", "anywidget", "playwright"):
        pytest.importorskip(needed)
    executable = find_browser()
    if executable is None:
        pytest.skip("there is no Chromium: `make chromium`, or name one in UNAIVERSE_LAB_BROWSER")
    from playwright.sync_api import sync_playwright

    from tests.browser.pages import Lab

    server = Server(tmp_path_factory.mktemp("lab"))
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
            yield Lab(server, browser)
            browser.close()
    finally:
        server.stop()


@pytest.fixture
def lab(started_lab: Lab) -> Iterator[Lab]:
    """The server and the browser; nothing that a test opens may ask for anything outside this machine."""
    yield started_lab
    assert started_lab.close_all() == []


@pytest.fixture
def notebook(lab: Lab, request: pytest.FixtureRequest) -> Callable[[Sequence[str]], Notebook]:
    """Open a notebook of these cells."""
    name = re.sub(r"\W+", "-", request.node.name).strip("-").removeprefix("test_").replace("_", "-")

    def opened(cells: Sequence[str]) -> Notebook:
        return lab.open(lab.write(name, cells))

    return opened
