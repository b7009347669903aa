"""World folders as sessions: their run scripts are executed, and the nodes they would run are gathered instead."""

from __future__ import annotations

import runpy
from pathlib import Path

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.runtime.node import Node, gathering
from unaiverse_lab.runtime.session import Session
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.world.folder import find_world, isolated_imports


def run_scripts(folder: Path) -> list[Path]:
    """The scripts of a world folder, in the order in which their nodes join: ``run_w.py``, ``run_1.py``, ..."""
    numbered = sorted(folder.glob("run_[0-9]*.py"), key=lambda path: (len(path.stem), path.stem))
    return [folder / "run_w.py", *numbered]


def gather(folder: str | Path, world_only: bool = False) -> list[Node]:
    """The nodes that the scripts of a world folder would run.

    Args:
        folder: a path, or the name of a gallery world.
        world_only: leave out the members.

    Raises:
        WorldError: no such folder, or a script without a node.
    """
    root = find_world(folder)
    nodes: list[Node] = []
    token = gathering.set(nodes)
    try:
        for script in run_scripts(root)[: 1 if world_only else None]:
            before = len(nodes)
            with isolated_imports(root):
                runpy.run_path(str(script), run_name="__main__")
            if len(nodes) == before:
                raise WorldError(f"{script.name} runs no node: it must call node.run(...)")
    finally:
        gathering.reset(token)
    return nodes


def load(
    folder: str | Path,
    seed: int | str = 0,
    strict: bool = False,
    agenda: bool = True,
    trace: Trace | None = None,
    history: bool | None = None,
) -> Session:
    """A session with the world and all the nodes of a world folder (a path, or the name of a gallery world).

    Raises:
        WorldError, BehaviorError: the folder or its behaviors are wrong.
    """
    session = Session(None, seed, strict=strict, agenda=agenda, trace=trace, history=history)
    for node in gather(folder):
        session.add(node)
    return session


def run_synch(
    folder: str | Path,
    seed: int | str = 0,
    max_cycles: int | None = None,
    max_time: float | None = None,
    checkpoints: str | Path | None = None,
    resume_from_checkpoint: bool = False,
) -> Session:
    """Load a world folder and run it synchronized, as the course's script of that name does.

    Args:
        folder: a path, or the name of a gallery world.
        seed: seed of every random source.
        max_cycles, max_time: at most so many ticks, and seconds of the session's clock.
        checkpoints: a folder for checkpoints, written as often as the nodes wish (``save_checkpoint_every``) and at the
            end; default: the ``base_identity_dir`` of the world's node, if it wishes for checkpoints.
        resume_from_checkpoint: go on from the newest whole one, if there is one.

    Raises:
        WorldError, BehaviorError: the folder or its behaviors are wrong.
        CheckpointError: what is in ``checkpoints`` cannot be read, or does not fit.
    """
    session = load(folder, seed)
    host = session.synchronizer.world_node
    if checkpoints is None and host is not None and host.save_checkpoint_every > 0:
        checkpoints = host.base_identity_dir
    if checkpoints is not None:
        session.keep_checkpoints(checkpoints)
        if resume_from_checkpoint:
            session.resume()
    session.run(max_cycles=max_cycles, max_time=max_time)
    if checkpoints is not None:
        session.checkpoint()
    return session
