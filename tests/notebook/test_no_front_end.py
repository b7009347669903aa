"""No front end, no loss: notebooks executed in bulk, exported, reopened untrusted, or run without a notebook at all."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbconvert.exporters import get_exporter
from typer.testing import CliRunner

import unaiverse_lab as lab
from unaiverse_lab.cli import app
from unaiverse_lab.notebook.execution import execute_notebook
from unaiverse_lab.notebook.export import export_html
from unaiverse_lab.notebook.live import VIEW

pytestmark = pytest.mark.notebook

LIMIT = 400_000
CELLS = [
    "import unaiverse_lab as lab\nfrom unaiverse_lab.notebook import HumanPanel\ns = lab.load('chat')",
    "s.dashboard()",
    "p = HumanPanel(s, 'Ada')\np",
    "s.stepper()",
    "s.run(max_cycles=300)",
    "s",
    "s.why('Polly')",
]
DASHBOARD, PERSON, STEPPER = 1, 2, 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path_factory.mktemp("notebooks") / "source.ipynb"
    nbformat.write(made, path)
    return path


@pytest.fixture(scope="module")
def executed(source: Path) -> Path:
    """As our own runner does it."""
    execute_notebook(source, target := source.with_name("executed.ipynb"))
    return target


@pytest.fixture(scope="module")
def with_widgets(source: Path) -> Path:
    """As papermill does it when it knows nothing of us: widgets, and their state saved."""
    target = source.with_name("widgets.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("UNAIVERSE_LAB_DISPLAY", raising=False)
        papermill.execute_notebook(source, target, kernel_name="python3", progress_bar=False)
    return target


def bundle(notebook: Path, index: int) -> dict[str, Any]:
    """What the first output of a cell is, by media type."""
    cell = nbformat.read(notebook, as_version=4).cells[index]
    shown = [one.data for one in cell.outputs if "data" in one]
    assert len(shown) == 1, cell.outputs
    return dict(shown[0])


class Safe(HTMLParser):
    """Nothing that a sanitiser would take away, nothing that is fetched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tables = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "img", "br", "b", "i", "ul", "ol", "li",
                       "code", "span", "strong", "em", "pre"}, tag  # fmt: skip
        self.tables += tag == "table"
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href") or (value or "").startswith("data:image/svg+xml;base64,")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("index", (1, 2, 3, 5, 6))
def test_every_output_has_html_and_text_that_say_the_same(executed: Path, with_widgets: Path, index: int) -> None:
    for notebook in (executed, with_widgets):
        shown = bundle(notebook, index)
        page = Safe(shown["text/html"])
        assert page.tables
        said = " ".join(page.words)
        assert "Polly" in said and "Polly" in shown["text/plain"]


def test_what_was_shown_before_the_run_shows_its_end(executed: Path, with_widgets: Path) -> None:
    for notebook in (executed, with_widgets):
        assert "ChatRoom: tick 299, 14.95 s" in bundle(notebook, DASHBOARD)["text/html"]
        assert "Polly want a cracker" in bundle(notebook, PERSON)["text/html"]
        assert "tick 299" in bundle(notebook, STEPPER)["text/plain"]


def test_widgets_are_only_where_they_can_live(executed: Path, with_widgets: Path) -> None:
    assert VIEW not in bundle(executed, DASHBOARD)
    assert "widgets" not in nbformat.read(executed, as_version=4).metadata
    view = bundle(with_widgets, DASHBOARD)[VIEW]
    saved = nbformat.read(with_widgets, as_version=4).metadata["widgets"]
    state = saved["application/vnd.jupyter.widget-state+json"]["state"]
    assert "tick 299" in state[view["model_id"]]["state"]["words"]


def test_a_saved_notebook_is_small(executed: Path, with_widgets: Path) -> None:
    for notebook in (executed, with_widgets):
        assert notebook.stat().st_size <= LIMIT
        assert "plotly.js v" not in notebook.read_text(encoding="utf-8")


def test_a_page_of_it_shows_everything_and_loads_nothing(executed: Path, with_widgets: Path, tmp_path: Path) -> None:
    for notebook in (executed, with_widgets):
        export_html(notebook, page := tmp_path / "page.html")
        text = page.read_text(encoding="utf-8")
        for said in ("ChatRoom: tick 299", "What each did last", "Polly want a cracker"):
            assert said in text
        for name in ("src", "href"):
            assert f'{name}="http' not in text
        assert "unpkg" not in text and "widget-view+json" not in text


def test_the_exporter_has_a_name(executed: Path) -> None:
    before = executed.read_bytes()
    page, _ = get_exporter("unaiverse_lab.notebook.export.LabHTMLExporter")().from_filename(str(executed))
    assert "ChatRoom: tick 299" in page
    assert executed.read_bytes() == before


def test_the_command(executed: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    ran = runner.invoke(app, ["export", str(executed), "--out", str(page := tmp_path / "a.html")])
    assert (ran.exit_code, ran.stdout.strip()) == (0, str(page))
    assert "ChatRoom: tick 299" in page.read_text(encoding="utf-8")
    assert runner.invoke(app, ["export", str(tmp_path / "none.ipynb")]).exit_code == 2
    (broken := tmp_path / "broken.ipynb").write_text("{", encoding="utf-8")
    (other := tmp_path / "other.ipynb").write_text(json.dumps({"a": 1}), encoding="utf-8")
    for wrong in (broken, other):
        ran = runner.invoke(app, ["export", str(wrong)])
        assert ran.exit_code == 2, ran.output
        assert "is no notebook" in ran.output


def test_formulas_are_the_only_reason_to_load_anything(tmp_path: Path) -> None:
    for text, loads in (("plain", False), ("$a^2$", True)):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
        nbformat.write(made, path := tmp_path / "math.ipynb")
        export_html(path, page := tmp_path / "math.html")
        assert ('src="https://' in page.read_text(encoding="utf-8")) is loads


def test_in_a_plain_terminal_it_is_printed() -> None:
    code = (
        "import unaiverse_lab as lab\n"
        "from unaiverse_lab.notebook import HumanPanel, LiveDashboard\n"
        "s = lab.load('chat')\n"
        "d, p = LiveDashboard(s), HumanPanel(s, 'Ada')\n"
        "s.run(max_cycles=300)\n"
        "print(d, p, sep='\\n')"
    )
    root = str(Path(lab.__file__).parents[1])
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60, check=True)
    assert "ChatRoom: tick 299" in ran.stdout
    assert "Polly want a cracker" in ran.stdout
    assert ran.stderr == ""
