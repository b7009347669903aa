"""The code in docs/live.md runs as it stands there."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import unaiverse_lab as lab
from live.threads import alike
from unaiverse_lab.live.broker import Broker

PAGE = Path(__file__).parents[2] / "docs" / "live.md"


@pytest.mark.live
def test_the_page_shows_what_happens(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    names: dict[str, Any] = {}
    code = compile(block, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def cell() -> None:
        await eval(code, names)

    asyncio.run(cell())
    assert "'clock': 'lockstep'" in capsys.readouterr().out
    alone = lab.load("chat", seed=3)
    alone.step(150)
    alike(names["s"], alone)
