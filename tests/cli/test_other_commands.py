"""``--help``, ``worlds``, ``doctor`` and ``demo``."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from commands import ROOT, lab
from typer.testing import CliRunner

from unaiverse_lab.cli import app, demo, doctor
from unaiverse_lab.runtime.trace import load_trace
from unaiverse_lab.world import folder as content
from unaiverse_lab.world.folder import gallery


def test_help_loads_next_to_nothing() -> None:
    ran = lab("--help", PYTHONPROFILEIMPORTTIME="1")
    assert ran.returncode == 0
    for name in ("run", "lint", "worlds", "doctor", "demo"):
        assert f" {name} " in ran.stdout
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "typer" in loaded
    assert loaded.isdisjoint({"numpy", "pydantic", "msgspec", "papermill", "nbconvert", "IPython", "torch", "plotly"})


def test_worlds_have_a_line_each() -> None:
    ran = lab("worlds")
    assert ran.returncode == 0
    assert [line.split()[0] for line in ran.stdout.splitlines()] == gallery()
    assert "The chat room: one broadcaster relays what each user says to all the others." in ran.stdout


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {"core": project["dependencies"], **project["optional-dependencies"]}
    for extra, names in doctor.EXTRAS.items():
        wanted = {wish.split(">")[0] for wish in extras[extra] if not wish.startswith("unaiverse-lab")}
        assert set(names) == wanted, extra


def test_the_doctor_finds_the_core_working() -> None:
    ran = lab("doctor")
    assert ran.returncode == 0, ran.stdout
    for part in (
        "Python",
        "extra [notebook]",
        "world chat",
        "tutorials",
        "this folder",
        "Jupyter kernel",
        "nats-server",
    ):
        assert part in ran.stdout
    assert ran.stdout.splitlines()[-1] == "the core works"


def test_the_doctor_says_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = doctor.version_of
    monkeypatch.setattr(doctor, "version_of", lambda name: None if name in ("papermill", "msgspec") else known(name))
    monkeypatch.setattr(content, "content_folder", lambda kind: tmp_path / kind)
    answer = CliRunner().invoke(app, ["doctor"])
    assert answer.exit_code == 1
    assert "missing: msgspec; rich" in answer.output
    assert "pip install 'unaiverse-lab[notebook]'" in answer.output
    assert "no worlds in" in answer.output
    assert answer.output.splitlines()[-1].startswith("the core does not work")


def notebook_in(folder: Path, *cells: str) -> None:
    (folder / "tutorials").mkdir()
    first = nbformat.v4.new_code_cell("TRACE = None", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "tutorials" / demo.DEMO)


def tutorials_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = content.content_folder
    monkeypatch.setattr(content, "content_folder", lambda kind: folder / kind if kind == "tutorials" else known(kind))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.notebook
def test_the_demo_prints_the_trace_of_the_notebook_it_ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notebook_in(
        tmp_path,
        "import os, sys\nimport unaiverse_lab as lab\ns = lab.load('chat')\nprint(sys.executable)",
        "s.run(max_cycles=60)\ns.trace.export(TRACE)\nos.environ['UNAIVERSE_LAB_DISPLAY']",
    )
    tutorials_in(tmp_path, monkeypatch)
    out = tmp_path / "results" / "here"
    answer = CliRunner().invoke(app, ["demo", "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    records = load_trace(out / "trace.jsonl")
    assert "waiting_handshake -> ready  connected" in answer.output
    for name in (demo.DEMO, demo.DEMO.replace("ipynb", "html"), "trace.jsonl"):
        assert str(out / name) in answer.output
        assert (out / name).is_file()
    executed = json.loads((out / demo.DEMO).read_text(encoding="utf-8"))
    assert "static" in json.dumps(executed["cells"][-1]["outputs"])
    assert records[-1].tick == 59
    assert sys.executable in json.dumps(executed["cells"][-2]["outputs"])


@pytest.mark.notebook
def test_a_notebook_that_fails_is_one_line_that_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notebook_in(tmp_path, "1 / 0")
    tutorials_in(tmp_path, monkeypatch)
    answer = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert answer.exit_code == 1
    assert "ZeroDivisionError: division by zero" in answer.stderr
    assert str(tmp_path / "out" / demo.DEMO) in answer.stderr


def test_a_demo_without_papermill_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "version_of", lambda name: None if name == "papermill" else "1")
    answer = CliRunner().invoke(app, ["demo"])
    assert answer.exit_code == 2
    assert answer.stderr == "the demo needs papermill: pip install 'unaiverse-lab[notebook]'\n"


def test_a_demo_without_its_tutorial_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tutorials_in(tmp_path, monkeypatch)
    answer = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert answer.exit_code == 2
    assert demo.DEMO in answer.stderr
    assert not (tmp_path / "out").exists()
