"""A world in five processes, by the command line: the run is that of the synchronizer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import unaiverse_lab as lab
from unaiverse_lab.live.broker import Broker
from unaiverse_lab.live.invite import read_invite
from unaiverse_lab.world.folder import find_world

ROOT = Path(lab.__file__).parents[1]
NAMES = ["Broadcaster", "ChatAI", "Polly", "Ada"]


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "unaiverse_lab", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip


def appeared(path: Path, seconds: float = 30.0) -> str:
    deadline = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.live
def test_five_processes_run_as_one(broker: Broker, tmp_path: Path) -> None:
    trace, card = tmp_path / "trace.jsonl", tmp_path / "invite"
    host = command(
        "host", "chat", "--broker", broker.url, "--expect", ",".join(NAMES), "--clock", "lockstep", "--ticks", "400",
        "--seed", "3", "--trace", str(trace), "--invite-file", str(card),
    )  # fmt: skip
    started = [host]
    try:
        invite = appeared(card)
        assert oct(card.stat().st_mode & 0o777) == "0o600"
        scripts = [str(find_world("chat") / f"run_{number}.py") for number in (4, 2, 3, 1)]
        started += [command("join", invite, script) for script in scripts]
        out, errors = host.communicate(timeout=90)
        assert host.returncode == 0, errors
        for member in started[1:]:
            _, told = member.communicate(timeout=20)
            assert member.returncode == 0, told
            assert "over: the world is live no more" in told
    finally:
        for process in started:
            process.kill()
            process.communicate()
    alone = lab.load("chat", 3, trace=lab.Trace(path=tmp_path / "alone.jsonl"))
    alone.step(400)
    alone.close()
    live, own = trace.read_bytes(), (tmp_path / "alone.jsonl").read_bytes()
    assert live[: len(own)] == own
    extra = [line for line in live[len(own) :].splitlines() if b'"stage":"left"' not in line]
    assert extra == []
    assert out.splitlines()[-1].startswith("digest: ")


@pytest.mark.live
def test_who_cannot_join_is_told_why(broker: Broker, tmp_path: Path) -> None:
    card = tmp_path / "invite"
    host = command("host", "chat", "--broker", broker.url, "--invite-file", str(card))
    try:
        appeared(card)
        script = tmp_path / "run_1.py"
        script.write_text("from unaiverse_lab import Agent, Node\nNode(Agent(), 'Eve').run(join_world='Elsewhere')\n")
        lost = command("join", str(card), str(script))
        assert "'Elsewhere', and the invite leads to 'ChatRoom'" in lost.communicate(timeout=30)[1]
        assert lost.returncode == 2
        script.write_text("from unaiverse_lab import Agent, Node\nNode(Agent(), 'ChatRoom').run()\n")
        double = command("join", str(card), str(script))
        assert "already" in double.communicate(timeout=30)[1]
        assert double.returncode == 1
        stranger = command("join", "ulw1:xyz", str(script))
        assert "damaged" in stranger.communicate(timeout=30)[1]
    finally:
        host.kill()
        host.communicate()


@pytest.mark.live
def test_a_host_that_is_told_to_end_takes_its_broker_along(broker: Broker, tmp_path: Path) -> None:
    card = tmp_path / "invite"
    host = command("host", "chat", "--invite-file", str(card))
    port = int(read_invite(appeared(card)).urls[0].rpartition(":")[2])
    host.terminate()
    out, _ = host.communicate(timeout=30)
    assert host.returncode == 130
    assert out.splitlines()[-1].startswith("digest: ")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
