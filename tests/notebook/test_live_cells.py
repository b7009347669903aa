"""A notebook whose world goes live on a real broker, and comes back: executed in bulk, in a kernel of its own."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

import unaiverse_lab as lab
from unaiverse_lab.live.broker import BrokerNotFound, find_server
from unaiverse_lab.notebook.execution import execute_notebook

pytestmark = [pytest.mark.notebook, pytest.mark.live]

CELLS = [
    "import time\nimport unaiverse_lab as lab\nfrom unaiverse_lab.core.errors import WorldError",
    "s = lab.load('chat', seed=3)\ns.step(20)",
    "live = await s.promote()\nlive",
    "s.stepper()",
    "s.dashboard()",
    "s.step(20)",
    "end = time.monotonic() + 4\nwhile time.monotonic() < end:\n    sum(range(1000))",
    "s.run(max_cycles=20)\nprint(live.status()['downs'], live.status()['late'], list(live.port.events))",
    "try:\n    s.back(5)\nexcept WorldError as error:\n    print(error)",
    "await s.demote()\ns.back(5)\ns.step(25)\nprint(s.tick, s.digest())",
    "print(s.why('Polly'))",
]


def printed(book: nbformat.NotebookNode, number: int) -> str:
    return "".join(one.get("text", "") for one in book.cells[number].outputs if one.output_type == "stream")


def test_a_world_goes_live_from_a_cell_and_comes_back(tmp_path: Path) -> None:
    try:
        find_server()
    except BrokerNotFound as error:
        pytest.skip(str(error))
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "source.ipynb")
    execute_notebook(tmp_path / "source.ipynb", tmp_path / "executed.ipynb")
    book = nbformat.read(tmp_path / "executed.ipynb", as_version=4)

    shown = book.cells[2].outputs[0]["data"]["text/plain"]
    assert shown.startswith("live at nats://127.0.0.1:") and "lockstep" in shown
    assert printed(book, 7).strip().endswith("0 [] []")
    assert "a live world does not go back to tick" in printed(book, 8)
    alone = lab.load("chat", seed=3)
    alone.step(80)
    assert printed(book, 9).split() == ["79", alone.digest()]
    for cell in (3, 4):
        assert any("text/html" in one.get("data", {}) for one in book.cells[cell].outputs), cell
