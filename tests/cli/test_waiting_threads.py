"""Threads that wait leave the processor to others, unless somebody wants it otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import changed, chat_copy, lab


@pytest.mark.parametrize(("wanted", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_the_policy_is_set_before_a_world_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str], policy: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    world = chat_copy(tmp_path)
    changed(world / "run_w.py", "node.run()", 'import os\n\nprint(os.environ["OMP_WAIT_POLICY"])\nnode.run()')
    assert lab("run", world, "--ticks", 1, **wanted).stdout.splitlines()[0] == policy
