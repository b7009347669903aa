"""``unaiverse-lab run --checkpoints``: what was saved is taken up, also after Ctrl+C and when files are damaged."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from commands import command, environment, lab


def digest(output: str) -> str:
    return output.splitlines()[-1].removeprefix("digest: ")


@pytest.fixture(scope="module")
def straight() -> str:
    return digest(lab("run", "chat", "--ticks", 600).stdout)


def newest(folder: Path) -> Path:
    return max(path for path in folder.glob("generation-*") if path.suffix != ".new")


def test_a_run_is_taken_up_where_it_ended(tmp_path: Path, straight: str) -> None:
    first = lab("run", "chat", "--max-time", 10, "--checkpoints", tmp_path, "--save-every", 2)
    assert first.returncode == 0 and newest(tmp_path).name == "generation-000005"
    ticks = int((newest(tmp_path) / "manifest.json").read_text().partition('"tick": ')[2].partition(",")[0]) + 1
    second = lab("run", "chat", "--ticks", 600 - ticks, "--checkpoints", tmp_path, "--resume")
    assert "resumed generation 5 at tick" in second.stderr
    assert digest(second.stdout) == straight


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_run_after_the_tick_and_saves_it(tmp_path: Path, straight: str, sent: int) -> None:
    running = subprocess.Popen(
        command("run", "chat", "--ticks", 10_000_000, "--checkpoints", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
    )
    assert running.stdout is not None
    running.stdout.readline()
    time.sleep(0.2)
    running.send_signal(sent)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 130 and "stopped by Ctrl+C at tick" in errors
    again = lab("run", "chat", "--ticks", 1, "--checkpoints", tmp_path, "--resume")
    assert "resumed generation" in again.stderr and again.returncode == 0


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    lab("run", "chat", "--max-time", 6, "--checkpoints", tmp_path, "--save-every", 2)
    state = newest(tmp_path) / "state.json"
    state.write_bytes(state.read_bytes()[:-10])
    again = lab("run", "chat", "--ticks", 1, "--checkpoints", tmp_path, "--resume")
    assert f"passed over: {state.parent.name} is damaged: state.json is not what was written" in again.stderr
    assert again.returncode == 0


def test_nothing_to_resume_is_a_fresh_start_and_options_go_together(tmp_path: Path) -> None:
    fresh = lab("run", "chat", "--ticks", 5, "--checkpoints", tmp_path / "none", "--resume")
    assert "starting fresh" in fresh.stderr and fresh.returncode == 0
    wrong = lab("run", "chat", "--ticks", 5, "--resume")
    assert wrong.returncode == 2 and "--checkpoints FOLDER" in wrong.stderr
