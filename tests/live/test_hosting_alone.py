"""A world whose scripts are started by themselves: one by one as in the course, or all by one command."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

import pytest

import unaiverse_lab as lab
from live.processes import commands
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Joined
from unaiverse_lab.live.broker import Broker
from unaiverse_lab.live.hosting import run_asynch
from unaiverse_lab.world.folder import find_world

pytestmark = pytest.mark.live
NAMES = ["Broadcaster", "ChatAI", "Polly", "Ada"]


def test_the_script_of_a_world_hosts_it_and_the_others_join_by_its_name(broker: Broker, tmp_path: Path) -> None:
    folder = find_world("chat")
    with commands(tmp_path) as start:
        world = start(str(folder / "run_w.py"), program=())
        world.says("members on this machine: unaiverse-lab join ChatRoom SCRIPT")
        members = [start(str(folder / f"run_{number}.py"), program=()) for number in (1, 2)]
        world.says("Broadcaster joined")
        world.says("ChatAI joined")
        world.says("ChatAI went from waiting_handshake to ready")
        world.process.send_signal(signal.SIGINT)
        assert world.ends() == 0
        for member in members:
            assert member.ends() == 0
            assert "over: the world is live no more" in member.err
        assert "Traceback" not in world.err


def test_all_scripts_by_one_command_are_one_run_in_lockstep(broker: Broker, tmp_path: Path) -> None:
    with commands(tmp_path) as start:
        host = start(
            "host", "chat", "--members", "--expect", ",".join(NAMES), "--clock", "lockstep", "--ticks", "200",
            "--seed", "7",
        )  # fmt: skip
        assert host.ends(60) == 0
        alone = start("run", "chat", "--ticks", "200", "--seed", "7")
        assert alone.ends(60) == 0
        assert host.out.partition("\n")[2] == alone.out
        for number in range(1, 5):
            assert f"run_{number} | over: the world is live no more" in host.err


def test_a_course_script_runs_each_node_in_a_process_of_its_own(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNAIVERSE_LAB_INVITES", str(tmp_path / "invites"))
    session = run_asynch("chat", expect=NAMES, max_time=2.0)
    came = [record.node for record in session.trace.of_kind(Joined) if record.stage == "admitted"]
    assert came == NAMES
    assert 20 <= session.tick <= 60
    assert list((tmp_path / "invites").iterdir()) == []


def test_if_one_script_fails_all_are_stopped(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNAIVERSE_LAB_INVITES", str(tmp_path / "invites"))
    folder = tmp_path / "chat"
    shutil.copytree(find_world("chat"), folder)
    (folder / "run_5.py").write_text("import time\ntime.sleep(1)\nraise RuntimeError('no more paper')\n")
    with pytest.raises(WorldError, match=r"run_5.py ended with code 1: the world and its other members are stopped"):
        run_asynch(folder, expect=NAMES, max_time=60.0)
    said = capfd.readouterr().err
    assert "run_5 | RuntimeError: no more paper" in said
    assert said.count("over: the world is live no more") == 4, said


def test_somebody_comes_by_invite_and_talks(broker: Broker, tmp_path: Path) -> None:
    with commands(tmp_path) as start:
        host = start("host", "chat", "--members", "--seed", "7")
        host.says("invite: ")
        invite = host.out.split()[1]
        for name in NAMES:
            host.says(f"{name} joined")
        bob = start("join", invite, str(find_world("chat") / "run_demo_person.py"), "Bob")
        bob.says("(✅ Ready!)")
        bob.types("Polly want a cracker\n")
        bob.says("Broadcaster: **Polly:** want a cracker, cracker!")
        bob.process.send_signal(signal.SIGINT)
        assert bob.ends() == 130
        assert bob.err.splitlines()[-1] == "Bob: left ChatRoom"
        host.says("Bob left: stopped with Ctrl+C")
        host.process.send_signal(signal.SIGINT)
        assert host.ends() == 130
        assert host.err.count("over: the world is live no more") == 4


def test_in_a_notebook_the_node_of_a_world_says_how_it_goes_live() -> None:
    async def cell() -> None:
        lab.Node(lab.World(), "Room").run()

    with pytest.raises(
        WorldError, match=r"goes live from a session: s = lab.Session\(\); s.add\(node\); await s.promote"
    ):
        asyncio.run(cell())


def test_where_no_invite_can_be_saved_there_still_is_one(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "invites").write_text("a file, no folder")
    monkeypatch.setenv("UNAIVERSE_LAB_INVITES", str(tmp_path / "invites"))
    session = run_asynch("chat", expect=NAMES, max_cycles=5)
    assert session.tick == 4
    assert "nobody can join by name, only by the invite: it could not be saved" in capfd.readouterr().err
