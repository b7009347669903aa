"""``unaiverse-lab lint``: worlds and files, right and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import changed, chat_copy, lab


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc"}


def test_a_sound_world_has_no_findings() -> None:
    ran = lab("lint", "chat")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "no findings in 2 behaviors\n", "")


@pytest.mark.parametrize("builds", [False, True])
def test_a_wrong_file_names_file_state_field_and_what_is_allowed(tmp_path: Path, builds: bool) -> None:
    world = chat_copy(tmp_path, builds)
    changed(world / "src" / "user.json", '"blocking": false', '"blocking": "no"')
    before = snapshot(world)
    ran = lab("lint", world)
    assert ran.returncode == 1
    heading, finding, *rest = ran.stdout.splitlines()
    assert heading == "src/user.json"
    assert finding.startswith("  error    states.waiting_handshake.blocking: expected true or false")
    assert ("create_behav_files" in "".join(rest)) is builds
    assert rest[-1].startswith("1 error")
    assert snapshot(world) == before


def test_files_that_are_built_are_checked_before_they_exist_and_not_left_behind(tmp_path: Path) -> None:
    world = chat_copy(tmp_path)
    (world / "src" / "user.json").unlink()
    changed(world / "src" / "world.py", '        behav.add_state("message_sent"', '        behav.add_state("lost"')
    before = snapshot(world)
    ran = lab("lint", world)
    assert ran.returncode == 0
    assert "src/user.json as create_behav_files() writes it" in ran.stdout
    assert "states.lost: no way leads here from the initial state 'init'. [unreachable]" in ran.stdout
    assert snapshot(world) == before


def test_code_that_builds_nonsense_is_a_finding(tmp_path: Path) -> None:
    world = chat_copy(tmp_path)
    changed(world / "src" / "world.py", 'action="generate_and_send"', 'action="generate_and_sent"')
    ran = lab("lint", world)
    assert ran.returncode == 1
    assert "error    ready -> message_sent: " in ran.stdout
    assert "Did you mean 'generate_and_send'" in ran.stdout


def test_an_action_that_nobody_requests(tmp_path: Path) -> None:
    world = chat_copy(tmp_path)
    changed(world / "src" / "user.py", 'action_name="broadcast_message"', 'action_name="broadcast_massage"')
    ran = lab("lint", world)
    assert ran.returncode == 0
    assert "[never-requested]" in ran.stdout


def test_single_files_are_checked_against_the_class_beside_them(tmp_path: Path) -> None:
    source = chat_copy(tmp_path) / "src"
    changed(source / "user.json", '"action": "nop"', '"action": "nap"')
    ran = lab("lint", source / "user.json", source / "broadcaster.json")
    assert ran.returncode == 1
    assert str(source / "user.json") in ran.stdout
    assert "[unknown-action]" in ran.stdout
    alone = tmp_path / "alone.json"
    alone.write_bytes((source / "user.json").read_bytes())
    ran = lab("lint", alone)
    assert (ran.returncode, ran.stdout) == (0, "no findings in 1 behavior\n")


def test_members_and_their_models_are_not_built(tmp_path: Path) -> None:
    world = chat_copy(tmp_path)
    (world / "run_1.py").write_text("raise SystemExit('a large model')\n", encoding="utf-8")
    assert lab("lint", world).stdout == "no findings in 2 behaviors\n"


def test_what_is_not_there_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.json", tmp_path / "nothing", tmp_path):
        ran = lab("lint", path)
        assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
        assert path.name in ran.stderr
