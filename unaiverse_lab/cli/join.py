"""``unaiverse-lab join``: the nodes of a script take part in a world hosted elsewhere."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

from unaiverse_lab.cli._shared import FAILED, INTERRUPTED, blamed, explained, fail, plain, version_of


def join(
    invite: Annotated[
        str,
        typer.Argument(
            help="What 'unaiverse-lab host' printed, a file with it, or the name of a world hosted on this machine."
        ),
    ],
    script: Annotated[Path, typer.Argument(help="A script that runs nodes, such as run_1.py of a world folder.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the script finds in sys.argv.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the host's answer.")] = 60.0,
    idle: Annotated[
        float, typer.Option(min=1, help="Leave when nothing came from the host for so many seconds.")
    ] = 60.0,
) -> None:
    """Join a live world with the nodes of a script.

    The classes of the roles are those installed here: the script's folder has them in src/. No code ever comes from
    the host. Ctrl+C leaves the world, and everybody is told; a second Ctrl+C ends at once.
    """
    if version_of("nats-py") is None:
        fail("joining needs nats-py: pip install 'unaiverse-lab[live]'")
    from unaiverse_lab.core.errors import WorldError
    from unaiverse_lab.live.invite import find_invite
    from unaiverse_lab.live.joining import Parted, kit_beside, take_part
    from unaiverse_lab.live.port import Refused
    from unaiverse_lab.runtime.node import Node, gathering
    from unaiverse_lab.world.folder import isolated_imports

    with explained():
        to = find_invite(invite)
        if not script.is_file():
            raise WorldError(f"there is no script {script}")
        root = script.resolve().parent
        nodes: list[Node] = []
        token = gathering.set(nodes)
        given, sys.argv = sys.argv, [str(script), *(arguments or ())]
        try:
            with blamed(root), isolated_imports(root):
                runpy.run_path(str(script), run_name="__main__")
        finally:
            sys.argv = given
            gathering.reset(token)
        if not nodes:
            raise WorldError(f"{script.name} runs no node: it must call node.run(...)")
        with blamed(root):
            kit = kit_beside([root])
        try:
            left = take_part(nodes, to, kit, lambda text: typer.echo(plain(text), err=True), timeout, idle)
        except (Refused, Parted) as error:
            fail(str(error), FAILED)
    if left is not None:
        raise typer.Exit(INTERRUPTED)
