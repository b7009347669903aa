"""One server and one browser for all tests here; each test opens notebooks of its own.

Everything in this folder is marked ``browser``. Without a Chromium the tests are skipped, without JupyterLab
or playwright they are left out; where CI is set, both are failures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.server import FLAGS, Server, find_browser

if TYPE_CHECKING:
    from tests.browser.pages import Lab, Notebook

HERE = Path(__file__).parent
MISSING = [name for name in ("jupyterlab", "anywidget", "playwright") if find_spec(name) is None]
collect_ignore_glob = ["test_*.py"] if MISSING and not os.environ.get("CI") else []


def pytest_report_header() -> str | None:
    """Say what keeps these tests from being run."""
    return f"no browser tests: {', '.join(MISSING)} missing (pip install -e '.[lab,dev]')" if MISSING else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


# For this folder and not for the whole run: while it is open, the thread has a running event loop.
@pytest.fixture(scope="package")
def started_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server and a browser that have started."""
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
