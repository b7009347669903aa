"""Every machine that ships is drawn without an edge through a state or a label on another one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unaiverse_lab import gallery, load
from unaiverse_lab.view.graph import graph_of
from unaiverse_lab.view.layout import layout_of
from unaiverse_lab.world.folder import content_folder

from .geometry import faults

TEMPLATES = sorted((content_folder("worlds") / "templates").glob("*.json"))


@pytest.mark.parametrize("world", gallery())
def test_the_machines_of_a_world(world: str) -> None:
    for role, text in load(world).world.role_to_behav.items():
        for teleports in (True, False):
            assert list(faults(layout_of(graph_of(json.loads(text), teleports)))) == [], role


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_the_reusable_pieces(template: Path) -> None:
    assert list(faults(layout_of(graph_of(json.loads(template.read_text(encoding="utf-8")))))) == []
