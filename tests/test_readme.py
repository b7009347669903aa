"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from unaiverse_lab import Session

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("block", BLOCKS)
def test_its_python_runs(block: str) -> None:
    names: dict[str, Any] = {}
    exec(block, names)
    session = names["s"]
    assert isinstance(session, Session)
    assert not [record for record in session.trace if record.kind in ("error", "dropped")]


def test_it_names_folders_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).exists(), link
