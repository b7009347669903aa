"""World folders as sessions: their run scripts are executed, and the nodes they would run are gathered instead."""

from __future__ import annotations

import runpy
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.runtime.node import Node
from unaiverse_lab.runtime.session import Session
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.world.folder import find_world, isolated_imports

_gathered: ContextVar[list[Node] | None] = ContextVar("gathered", default=None)
RUN_OPTIONS = (
    "keep_rejoining",
    "cycles",
    "max_time",
    "interact_mode",
    "resume_from_checkpoint",
    "join_world",
    "get_in_touch",
)


def note_down(node: Node, options: dict[str, Any]) -> None:
    """Take a node that a run script has just told to run, with the options of its join request.

    Raises:
        WorldError: no world folder is being assembled.
    """
    gathered = _gathered.get()
    if gathered is None:
        raise WorldError(
            "a node cannot run by itself in this process: run its world folder with 'unaiverse-lab run FOLDER', "
            "or add it to a Session"
        )
    node.join_options.update({name: value for name, value in options.items() if name not in RUN_OPTIONS})
    gathered.append(node)


def run_scripts(folder: Path) -> list[Path]:
    """The scripts of a world folder, in the order in which their nodes join: ``run_w.py``, ``run_1.py``, ..."""
    numbered = sorted(folder.glob("run_[0-9]*.py"), key=lambda path: (len(path.stem), path.stem))
    return [folder / "run_w.py", *numbered]


def gather(folder: str | Path) -> list[Node]:
    """The nodes that the scripts of a world folder would run.

    Raises:
        WorldError: no such folder, or a script without a node.
    """
    root = find_world(folder)
    nodes: list[Node] = []
    token = _gathered.set(nodes)
    try:
        for script in run_scripts(root):
            before = len(nodes)
            with isolated_imports(root):
                runpy.run_path(str(script), run_name="__main__")
            if len(nodes) == before:
                raise WorldError(f"{script.name} runs no node: it must call node.run(...)")
    finally:
        _gathered.reset(token)
    return nodes


def load(
    folder: str | Path,
    seed: int | str = 0,
    strict: bool = False,
    agenda: bool = True,
    trace: Trace | None = None,
) -> Session:
    """A session with the world and all the nodes of a world folder (a path, or the name of a gallery world).

    Raises:
        WorldError, BehaviorError: the folder or its behaviors are wrong.
    """
    session = Session(None, seed, strict=strict, agenda=agenda, trace=trace)
    for node in gather(folder):
        session.add(node)
    return session


def run_synch(folder: str | Path, seed: int | str = 0, max_cycles: int | None = None) -> Session:
    """Load a world folder and run it synchronized, as the course's script of that name does."""
    session = load(folder, seed)
    session.run(max_cycles=max_cycles)
    return session
