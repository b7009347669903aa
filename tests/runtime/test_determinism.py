"""Equal seeds, equal runs: in one process, in two, and next to another session."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import unaiverse_lab as lab
from unaiverse_lab.runtime.trace import digest_of, load_trace

ROOT = Path(__file__).resolve().parents[2]
LINES = ["Hello everybody", "ChatAI, what about coffee?", "the weather, then", "Polly want a cracker"]


def chat(seed: int = 7, talk_probability: float = 0.5, **options: bool) -> lab.Session:
    """The chat room of the gallery, with chatty models."""
    session = lab.load("chat", seed=seed, **options)
    role = session.world.role_to_behav["user"]
    assert '"talk_probability": 0.01' in role
    session.world.role_to_behav["user"] = role.replace(
        '"talk_probability": 0.01', f'"talk_probability": {talk_probability}'
    )
    return session


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = chat(), chat()
    first.run(max_cycles=1500)
    second.run(max_cycles=1500)
    assert len(first.trace) > 200
    assert first.digest() == second.digest()
    assert list(first.trace) == list(second.trace)


def test_another_seed_gives_another_run() -> None:
    assert len({chat_digest(seed) for seed in (1, 2, 3)}) == 3


def chat_digest(seed: int, **options: bool) -> str:
    session = chat(seed, **options)
    session.run(max_cycles=1500)
    return session.digest()


def test_a_run_is_the_same_without_agenda_and_over_a_strict_transport() -> None:
    assert chat_digest(3) == chat_digest(3, agenda=False) == chat_digest(3, strict=True)


def test_two_sessions_of_one_process_do_not_touch_each_other() -> None:
    alone = chat_digest(3)
    one, other = chat(3), chat(4)
    for turn in range(1500):
        one.step()
        if turn % 3:
            other.step(2)
    assert one.digest() == alone


def test_the_trace_on_disk_is_the_trace_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    trace = lab.Trace(path=path)
    session = lab.load("chat", seed=1, trace=trace)
    session.run(max_cycles=300)
    trace.close()
    assert load_trace(path) == list(trace)
    assert digest_of(load_trace(path)) == session.digest()


def test_a_short_memory_changes_neither_the_digest_nor_the_numbers_of_the_records() -> None:
    full, short = lab.Trace(), lab.Trace(capacity=100)
    for trace in (full, short):
        lab.load("chat", seed=1, trace=trace).run(max_cycles=900)
    assert short.gone > 0
    assert len(short) == len(full)
    assert short.digest() == full.digest()
    assert short[len(full) - 1] == full[len(full) - 1]
    assert short[-1] == full[-1]
    assert short.since(len(full) - 5) == full.since(len(full) - 5)


PROGRAM = """
import sys
sys.path.insert(0, "tests")
from runtime.test_determinism import chat
session = chat(5)
session.run(max_cycles=800)
session.trace.export(sys.argv[1])
print(session.digest())
"""


def test_a_run_does_not_depend_on_hash_randomization(tmp_path: Path) -> None:
    runs = []
    for hash_seed in ("1", "2"):
        path = tmp_path / f"{hash_seed}.jsonl"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)], cwd=ROOT, text=True, capture_output=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        runs.append((done.stdout, path.read_bytes()))
    assert runs[0] == runs[1]
    assert runs[0][1]


def test_the_order_of_joining_is_the_order_of_acting() -> None:
    for order in permutations(["Ann", "Bob", "Cyd"]):
        session = lab.Session(lab.World())
        for name in order:
            session.add(lab.Agent(), name)
        session.step(3)
        roles = [record.node for record in session.trace if record.kind == "role"]
        assert roles == list(order)
