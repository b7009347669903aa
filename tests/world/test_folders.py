"""World folders: found by path or name, imported without touching each other, refused with a clear reason."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import unaiverse_lab as lab
from unaiverse_lab.core.errors import BehaviorError, WorldError
from unaiverse_lab.world.folder import find_world, template

CHAT = find_world("chat")


@pytest.fixture
def room(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHAT, tmp_path / "room", ignore=shutil.ignore_patterns("__pycache__")))


def test_a_behavior_broken_by_hand_is_an_error_and_is_not_overwritten(room: Path) -> None:
    file = room / "src" / "user.json"
    broken = file.read_text().replace('"blocking": false', '"blocking": "no"', 1)
    file.write_text(broken)
    with pytest.raises(BehaviorError) as caught:
        lab.load(room)
    text = str(caught.value)
    assert "user.json: states.waiting_handshake.blocking: expected true or false, not" in text
    assert "delete it" in text
    assert file.read_text() == broken


def test_a_deleted_behavior_is_written_anew(room: Path) -> None:
    file = room / "src" / "user.json"
    before = file.read_text()
    file.unlink()
    lab.load(room)
    assert file.read_text() == before


def test_two_folders_with_the_same_module_names_do_not_meet(room: Path) -> None:
    user = room / "src" / "user.py"
    user.write_text(user.read_text().replace("TOPICS = (", 'TOPICS = ("cheese", '))
    one, other = lab.load(CHAT), lab.load(room)
    topics = [session.world.role_classes["user"].check_messages.__globals__["TOPICS"] for session in (one, other)]
    assert topics[0] == topics[1][1:]
    assert not any(name == "src" or name.startswith("src.") for name in sys.modules)


@pytest.mark.parametrize(
    ("name", "words"),
    [("chatt", "Did you mean 'chat'"), ("no-such-thing-at-all", "Known: ")],
)
def test_an_unknown_world_has_near_names(name: str, words: str) -> None:
    with pytest.raises(WorldError, match="there is no world folder") as caught:
        lab.load(name)
    assert words in str(caught.value)


def test_an_unknown_template_has_near_names() -> None:
    with pytest.raises(WorldError, match="engage_by_role"):
        template("engage_by_rol")


def test_a_role_without_class_is_named(room: Path) -> None:
    (room / "src" / "user.py").write_text("class Nothing: ...\n")
    with pytest.raises((WorldError, ImportError), match="WAgent"):
        lab.load(room)


@pytest.mark.parametrize(
    "name",
    [
        "engage_by_role", "listening_to_teacher", "service_provider", "service_requester", "teach-eval-playlist",
        "teach-playlist_eval-playlist", "teach-playlist_eval-recorded1",
    ],
)  # fmt: skip
def test_the_reusable_pieces_of_behavior_are_machines(name: str) -> None:
    machine = lab.HybridStateMachine(lab.Agent(), strict=True).load(template(name))
    assert len(machine.states) >= 2 and machine.initial_state in machine.states
