"""The code in docs/going-back.md runs as it stands there, one piece after the other."""

import re
from pathlib import Path

import unaiverse_lab

PAGE = Path(unaiverse_lab.__file__).parents[1] / "docs" / "going-back.md"


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pieces = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(pieces) == 2
    names = {}
    for piece in pieces:
        exec(compile(piece, PAGE.name, "exec"), names)
    assert names["again"].tick == names["s"].tick
