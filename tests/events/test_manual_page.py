"""What the manual shows of events does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import unaiverse_lab.events as events
from unaiverse_lab import genworlds

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")


def test_its_first_example_runs_and_the_second_goes_on_from_it() -> None:
    names: dict[str, object] = {}
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[:2]
    exec(first, names)
    exec(second, names)


def test_the_names_it_mentions_are_there() -> None:
    planners = re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)
    assert len(planners) == 5 and all(hasattr(events, name) for name in planners)
    imported = re.search(r"from unaiverse_lab.genworlds import ([\w, ]+), \.\.\.", PAGE)
    assert imported is not None and all(hasattr(genworlds, name) for name in imported[1].split(", "))
