"""What the reference engine did in each recorded case, our machine does too, tick by tick."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from adapter import Adapter
from runner import Play, compare

CASES = sorted((Path(__file__).parent / "data" / "hsm").glob("*.json"))


def test_there_are_cases() -> None:
    assert CASES


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_recorded_case(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    expected = case.pop("expected")
    difference = compare(expected, asyncio.run(Play(case, Adapter).run()), detail=2)
    assert difference is None, f"{case['title']}: {difference}"
