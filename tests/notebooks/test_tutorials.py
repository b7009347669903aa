"""Every tutorial runs from top to bottom without a front end, and ends with the recorded result."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest

from unaiverse_lab.notebook import read_result
from unaiverse_lab.notebook.execution import execute_notebook
from unaiverse_lab.runtime.trace import digest_of, load_trace

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "tutorials").glob("[0-9]*.ipynb"))
EXPECTED = Path(__file__).parent / "expected"

pytestmark = pytest.mark.notebook


@pytest.mark.parametrize("notebook", TUTORIALS, ids=lambda path: path.stem)
def test_it_ends_with_the_recorded_result(notebook: Path, tmp_path: Path) -> None:
    executed = tmp_path / notebook.name
    execute_notebook(notebook, executed, {"TRACE": "trace.jsonl"})
    result = read_result(json.loads(executed.read_text(encoding="utf-8")))
    assert digest_of(load_trace(tmp_path / "trace.jsonl")) == result["digest"]
    expected = EXPECTED / f"{notebook.stem[:2]}.json"
    if os.environ.get("UNAIVERSE_LAB_RECORD"):
        expected.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert result == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize("notebook", TUTORIALS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs_and_says_where_parameters_and_result_are(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code)
    assert code[0].metadata.get("tags") == ["parameters"]
    assert code[-1].metadata.get("tags") == ["result"]
