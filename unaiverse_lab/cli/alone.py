"""What a script of a world folder does when it is started by itself: its node hosts its world, or joins a live one."""

from __future__ import annotations

import asyncio
from typing import Any

from unaiverse_lab.cli.run import Printer
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.terminal import tell
from unaiverse_lab.live.hosting import host_world
from unaiverse_lab.live.joining import run_node
from unaiverse_lab.runtime.node import Node
from unaiverse_lab.runtime.session import Session


def run_alone(node: Node, options: dict[str, Any]) -> None:
    """Let a node live in this process.

    Args:
        node: the node.
        options: of :meth:`unaiverse_lab.Node.run`.

    Raises:
        WorldError: it hosts an agent and does not say which world it wants to join; or it hosts a world, in a notebook.
        LabError: what :func:`~unaiverse_lab.live.hosting.host_world` and
            :func:`~unaiverse_lab.live.joining.run_node` raise.
    """
    cycles, max_time = options.get("cycles"), options.get("max_time")
    if node.agent is None:
        if _in_a_loop():
            raise WorldError(
                f"in a notebook the world of {node.name} goes live from a session: s = lab.Session(); s.add(node); "
                "await s.promote(); s.start()"
            )
        session = Session(None, history=False)
        session.add(node)
        printer = Printer(session, every=False)
        host_world(session, tell, ticks=cycles, max_time=max_time, after_tick=printer)
    elif node.join_world is not None:
        run_node(node, cycles, max_time)
    else:
        raise WorldError(
            f"{node.name} cannot run by itself: name the live world it is to join, node.run(join_world=...); run its "
            "world folder in one process with 'unaiverse-lab run FOLDER'; or add the node to a Session"
        )


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
