"""Gallery worlds as folders: copied and changed, run to their end, and run by the command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import unaiverse_lab as lab
from unaiverse_lab.cli.run import acceptance_of
from unaiverse_lab.world.folder import find_world

ROOT = Path(lab.__file__).parents[1]


def copy_of(world: str, folder: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of a gallery world; in each named file a text that is there is replaced by another one."""
    copy = folder / world
    shutil.copytree(find_world(world), copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in changes:
        text = (copy / name).read_text(encoding="utf-8")
        assert old in text, (name, old)
        (copy / name).write_text(text.replace(old, new), encoding="utf-8")
    return copy


def played(world: str | Path, seed: int = 0, strict: bool = False) -> lab.Session:
    """A world that has run until it is over, as its folder says."""
    session = lab.load(world, seed, strict)
    until = getattr(acceptance_of(find_world(world)), "UNTIL", None)
    assert session.run(until).reason == ("quiet" if until is None else "until")
    return session


def failed_checks(session: lab.Session, world: str | Path) -> list[str]:
    """What the folder expects of its run and did not come out."""
    acceptance = acceptance_of(find_world(world))
    assert acceptance is not None
    return [what for what, holds, _ in acceptance.checks(session) if not holds]


def weights(session: lab.Session) -> dict[str, str]:
    """The fingerprints of the weights, by node."""
    learners = {name: node.agent.processor.learner for name, node in session.nodes.items() if node.agent is not None}
    return {name: learner.digest() for name, learner in learners.items() if learner is not None}


class Told:
    """What ``unaiverse-lab run`` printed about a world."""

    def __init__(self, world: str | Path, *options: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "unaiverse_lab", "run", str(world), *options],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            timeout=120,
        )
        self.code = done.returncode
        self.errors = done.stderr
        self.lines = done.stdout.splitlines()
        self.digest = self.lines[-1].removeprefix("digest: ") if self.lines else ""
        self.holds = [line for line in self.lines if line.startswith("yes ")]
        self.fails = [line for line in self.lines if line.startswith("NO ")]
        found = re.findall(r"^ +weights of (\S+) +([0-9a-f]{32})$", done.stdout, re.MULTILINE)
        self.weights = dict(found)
