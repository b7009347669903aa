"""A notebook that is open in JupyterLab: what a person does with it, and what is on the screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.server import TOKEN, Server

OUT = Path(__file__).parent / "out"
"""Where screenshots go."""

PATIENCE = 60.0
"""Seconds that something may take before it counts as never; other processes may be using the machine, too."""

expect.set_options(timeout=PATIENCE * 1000)

DONE = re.compile(r"\[(\d+)\]")


class Notebook:
    """A notebook in a tab of its own, with a kernel of its own.

    Attributes:
        page: the tab.
        path: its file.
        outside: addresses outside this machine that the page asked for.
        errors: what went wrong in the page's scripts.
    """

    def __init__(self, server: Server, context: BrowserContext, path: Path) -> None:
        self.server = server
        self.path = path
        self.outside: list[str] = []
        self.errors: list[str] = []
        self._client: BlockingKernelClient | None = None
        self.page: Page = context.new_page()
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open()

    def open(self) -> None:
        """Show the file, as it is now, in the tab, and wait for its kernel."""
        name = self.path.relative_to(self.server.notebooks).as_posix()
        self.page.goto(f"{self.server.url}/lab/tree/{name}?reset&token={TOKEN}")
        expect(self.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible()
        self.until(self._is_ready, "the kernel")

    def _is_ready(self) -> bool:
        session = self.server.session_of(self.path.relative_to(self.server.notebooks).as_posix())
        idle = session is not None and session["kernel"]["execution_state"] == "idle"
        return idle and "| Idle" in self.page.locator("#jp-main-statusbar").inner_text()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:", "about:")):
            self.outside.append(request.url)

    # ------------------------------------------------------------------ cells

    def cell(self, index: int) -> Locator:
        """A cell, counted from 0."""
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    @property
    def cells(self) -> int:
        """How many there are."""
        return self.page.locator(".jp-Notebook .jp-Cell").count()

    def run(self, index: int, wait: bool = True, within: float = PATIENCE) -> Notebook:
        """Run a cell with Control+Enter, and wait for its end; what it shows may appear a little later."""
        cell = self.cell(index)
        cell.scroll_into_view_if_needed()
        before = self._number(cell)
        cell.locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")
        if wait:
            self.until(lambda: self._number(cell) not in (None, before), f"cell {index} to end", within)
        return self

    def _number(self, cell: Locator) -> int | None:
        found = DONE.search(cell.locator(".jp-InputPrompt").first.inner_text())
        return int(found[1]) if found else None

    def write(self, index: int, source: str) -> Notebook:
        """Replace the text of a cell, as by typing."""
        self.cell(index).locator(".cm-content").first.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(source)
        return self

    def output(self, index: int) -> Locator:
        """Everything below a cell."""
        return self.cell(index).locator(".jp-OutputArea").first

    def text(self, index: int) -> str:
        """The words below a cell."""
        return self.output(index).inner_text()

    def save(self) -> nbformat.NotebookNode:
        """Save with Control+S; returns what is in the file then."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        self.until(lambda: self.path.stat().st_mtime_ns != before, "the notebook to be saved")
        return nbformat.read(self.path, as_version=4)

    # ------------------------------------------------------------------ hands and eyes

    def press(self, key: str) -> Notebook:
        """Press a key wherever the focus is."""
        self.page.keyboard.press(key)
        return self

    def click(self, name: str, index: int | None = None) -> Notebook:
        """Click the button of that name, below a cell or anywhere."""
        where = self.page if index is None else self.output(index)
        where.get_by_role("button", name=name, exact=True).first.click()
        return self

    def until(self, holds: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
        """Wait for something and return it; AssertionError, with a screenshot, if it does not come."""
        end = time.monotonic() + within
        while not (found := holds()):
            if time.monotonic() > end:
                shot = self.screenshot("never")
                raise AssertionError(f"waited {within:g} s for {what}; the screen is in {shot}; {self.errors}")
            self.page.wait_for_timeout(25)
        return found

    def screenshot(self, name: str, index: int | None = None) -> Path:
        """Keep a picture of the tab, or of what is below a cell, in tests/browser/out."""
        OUT.mkdir(exist_ok=True)
        file = OUT / f"{self.path.stem}-{name}.png"
        (self.page if index is None else self.output(index)).screenshot(path=file)
        return file

    # ------------------------------------------------------------------ the other side

    def python(self, expression: str) -> Any:
        """The value of an expression in the kernel, seen past the screen; as ``repr`` if it is no plain data.

        Raises:
            AssertionError: it raised there.
        """
        from ast import literal_eval

        client = self._kernel()
        asked = client.execute("", silent=True, user_expressions={"it": expression}, reply=True, timeout=PATIENCE)
        answer = asked["content"]["user_expressions"]["it"]
        assert answer["status"] == "ok", "\n".join(answer["traceback"])
        words = answer["data"]["text/plain"]
        try:
            return literal_eval(words)
        except (ValueError, SyntaxError):
            return words

    def _kernel(self) -> BlockingKernelClient:
        if self._client is None:
            session = self.server.session_of(self.path.relative_to(self.server.notebooks).as_posix())
            assert session is not None, "the notebook has no kernel"
            client = BlockingKernelClient(
                connection_file=str(self.server.runtime / f"kernel-{session['kernel']['id']}.json")
            )
            client.load_connection_file()
            client.start_channels()
            client.wait_for_ready(timeout=PATIENCE)
            self._client = client
        return self._client

    def close(self) -> None:
        """Close the tab and end the kernel."""
        if self._client is not None:
            self._client.stop_channels()
        self.page.close()
        session = self.server.session_of(self.path.relative_to(self.server.notebooks).as_posix())
        if session is not None:
            self.server.ask(f"sessions/{session['id']}", "DELETE")


class Lab:
    """One server and one browser.

    Args:
        server: the server.
        browser: the browser.
    """

    def __init__(self, server: Server, browser: Browser) -> None:
        self.server = server
        self.browser = browser
        # One for all: scripts are loaded and compiled once.
        self._context = browser.new_context(viewport={"width": 1400, "height": 1000})
        self._context.set_default_timeout(PATIENCE * 1000)
        self._open: list[Notebook] = []

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """Make a notebook of code cells; returns its file."""
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip("\n")) for source in cells])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.server.notebooks / f"{name}.ipynb"
        nbformat.write(made, path)
        return path

    def open(self, path: Path) -> Notebook:
        """Open a notebook."""
        opened = Notebook(self.server, self._context, path)
        self._open.append(opened)
        return opened

    def close_all(self) -> list[str]:
        """Close what is open; returns the addresses outside this machine that were asked for."""
        outside = [address for one in self._open for address in one.outside]
        while self._open:
            self._open.pop().close()
        return outside
