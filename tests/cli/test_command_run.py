"""``unaiverse-lab run``: what it prints, where it stops, what it says when something is wrong."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commands import changed, chat_copy, command, environment, lab

from unaiverse_lab import load
from unaiverse_lab.cli._shared import plain
from unaiverse_lab.core.records import Dropped, Fault, Moved, Said
from unaiverse_lab.runtime.trace import digest_of, load_trace

DIGEST = re.compile(r"digest: ([0-9a-f]{32})")


def digest_in(output: str) -> str:
    found = DIGEST.fullmatch(output.splitlines()[-1])
    assert found, output[-300:]
    return found[1]


def test_a_line_for_each_move_and_message_and_the_digest_last(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    ran = lab("run", "chat", "--ticks", 120, "--trace", out)
    assert (ran.returncode, ran.stderr) == (0, "")
    records = load_trace(out)
    *lines, _ = ran.stdout.splitlines()
    assert len(lines) == sum(isinstance(record, Moved | Said | Fault | Dropped) for record in records) > 20
    assert lines[1].split(maxsplit=2)[:2] == ["1", "0.050"]
    assert "ChatAI went from init to waiting_handshake: connect_to_broadcaster succeeded, on its own." in lines[1]
    assert digest_in(ran.stdout) == digest_of(records)


def test_the_digest_is_that_of_the_same_run_in_python() -> None:
    session = load("chat", seed=5)
    session.run(max_cycles=60)
    assert digest_in(lab("run", "chat", "--ticks", 60, "--seed", 5).stdout) == session.digest()


def test_every_prints_every_record(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    ran = lab("run", "chat", "--ticks", 30, "--every", "--trace", out)
    assert len(ran.stdout.splitlines()) == len(load_trace(out)) + 1


def test_runs_do_not_depend_on_hash_seeds_strictness_or_printing() -> None:
    runs = [
        lab("run", "chat", "--ticks", 300, PYTHONHASHSEED="1"),
        lab("run", "chat", "--ticks", 300, PYTHONHASHSEED="2"),
        lab("run", "chat", "--ticks", 300, "--strict"),
        lab("run", "chat", "--ticks", 300, "--every"),
    ]
    assert len({digest_in(ran.stdout) for ran in runs}) == 1
    assert runs[0].stdout == runs[1].stdout


def test_until_stops_where_it_is_told() -> None:
    ran = lab("run", "chat", "--until", "Ada:ready")
    assert ran.returncode == 0
    assert "Ada went from waiting_handshake to ready" in ran.stdout.splitlines()[-2]


def test_until_that_is_not_reached_is_no_success() -> None:
    ran = lab("run", "chat", "--until", "user:message_sent", "--ticks", 8)
    assert ran.returncode == 1
    assert ran.stderr == "user:message_sent was not reached: 8 ticks are over (tick 7)\n"
    assert digest_in(ran.stdout)


def test_who_did_not_get_there_is_explained() -> None:
    ran = lab("run", "chat", "--until", "Ada:message_sent", "--ticks", 100)
    assert ran.returncode == 1
    assert "\nAda is in ready since tick 41 (2.05 s): generate_and_send(samples=1), tried 59 times" in ran.stdout
    assert "Polly is in" not in ran.stdout
    assert digest_in(ran.stdout)


def test_why_explains_anybody_at_the_end() -> None:
    ran = lab("run", "chat", "--ticks", 100, "--why", "Broadcaster", "--why", "ChatRoom")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\nBroadcaster is stuck in ready since tick 42 (2.1 s): broadcast_message(), only on request" in ran.stdout
    assert "\nChatRoom hosts the world: it has no behavior of its own.\n" in ran.stdout
    assert digest_in(ran.stdout)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chat", "--why", "Aga"], "there is no node 'Aga'. Did you mean 'Ada'"),
        (["nowhere"], "there is no world folder 'nowhere'. Known: "),
        (["chat", "--until", "user:reddy"], "no behavior of this world has a state 'reddy'. Did you mean 'ready'"),
        (["chat", "--until", "usr:ready"], "there is no node or role 'usr'. Did you mean 'user'?"),
        (["chat", "--trace", "no/such/folder/out.jsonl"], "no/such/folder/out.jsonl"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    ran = lab("run", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_wrong_behavior_file_names_file_state_field_and_what_is_allowed(tmp_path: Path) -> None:
    world = chat_copy(tmp_path, builds=False)
    changed(world / "src" / "user.json", '"blocking": false', '"blocking": "no"')
    out = tmp_path / "out.jsonl"
    ran = lab("run", world, "--ticks", 5, "--trace", out)
    assert ran.returncode == 2
    assert not out.exists()
    for part in ("user.json", "states.waiting_handshake.blocking", "true or false"):
        assert part in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "Traceback" in lab("run", world, "--ticks", 5, UNAIVERSE_LAB_DEBUG="1").stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("agent = Agent(", "agent = Agnt(", "chat: run_2.py:5: NameError: name 'Agnt' is not defined"),
        ("agent = Agent(", "agent = = Agent(", "run_2.py:5: SyntaxError: invalid syntax"),
    ],
)
def test_a_wrong_script_is_one_line_that_names_its_own(tmp_path: Path, old: str, new: str, said: str) -> None:
    world = chat_copy(tmp_path)
    script = world / "run_2.py"
    script.write_text("from unaiverse_lab import Agent, Node\n\n\n\nagent = Agent(proc=None)\n", encoding="utf-8")
    changed(script, old, new)
    ran = lab("run", world, "--ticks", 5)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_fault_of_an_action_is_told_and_the_world_goes_on(tmp_path: Path) -> None:
    world = chat_copy(tmp_path)
    changed(world / "src" / "user.py", "        me = self.get_name()\n", "        me = self.get_nome()\n")
    ran = lab("run", world, "--ticks", 10)
    assert ran.returncode == 0
    assert "met an error" in ran.stdout
    assert "user.py:" in ran.stdout


def test_a_refused_join_is_told(tmp_path: Path) -> None:
    world = chat_copy(tmp_path)
    changed(world / "src" / "world.py", 'return "user"', 'return None if profile.name == "Polly" else "user"')
    assert "Polly was refused: this world has no role for you." in lab("run", world, "--ticks", 3).stdout


def test_ctrl_c_stops_after_the_tick_and_says_where(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with subprocess.Popen(
        command("run", "chat", "--ticks", "10000000", "--trace", out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        rest, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    stopped = re.fullmatch(r"stopped by Ctrl\+C at tick (\d+) \(.* s\)\n", errors)
    assert stopped, errors
    ticks = int(stopped[1]) + 1
    assert digest_in(first + rest) == digest_of(load_trace(out))
    session = load("chat")
    session.run(max_cycles=ticks)
    assert session.digest() == digest_in(rest)


def test_names_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\x9b\u202ec 👩\u200d🔬 né") == "a\ufffd[2Jb\ufffd\ufffdc 👩\u200d🔬 né"
