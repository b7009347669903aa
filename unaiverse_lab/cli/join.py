"""``unaiverse-lab join``: the nodes of a script take part in a world hosted elsewhere."""

from __future__ import annotations

import runpy
import signal
from pathlib import Path
from typing import Annotated

import typer

from unaiverse_lab.cli._shared import FAILED, INTERRUPTED, blamed, explained, fail, plain, version_of


def join(
    invite: Annotated[str, typer.Argument(help="What 'unaiverse-lab host' printed, or a file with it.")],
    script: Annotated[Path, typer.Argument(help="A script that runs nodes, such as run_1.py of a world folder.")],
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the host's answer.")] = 60.0,
    idle: Annotated[
        float, typer.Option(min=1, help="Leave when nothing came from the host for so many seconds.")
    ] = 60.0,
) -> None:
    """Join a live world with the nodes of a script.

    The classes of the roles are those installed here: the script's folder has them in src/. No code ever comes from
    the host.
    """
    if version_of("nats-py") is None:
        fail("joining needs nats-py: pip install 'unaiverse-lab[live]'")
    from unaiverse_lab.core.errors import WorldError
    from unaiverse_lab.live.invite import read_invite
    from unaiverse_lab.live.member import Kit, Member
    from unaiverse_lab.live.nats_port import NatsPort
    from unaiverse_lab.live.port import Refused
    from unaiverse_lab.runtime.node import Node, gathering
    from unaiverse_lab.world.folder import isolated_imports

    with explained():
        if not invite.startswith("ulw1:") and Path(invite).is_file():
            invite = Path(invite).read_text(encoding="utf-8")
        to = read_invite(invite)
        if not script.is_file():
            raise WorldError(f"there is no script {script}")
        root = script.resolve().parent
        nodes: list[Node] = []
        token = gathering.set(nodes)
        try:
            with blamed(root), isolated_imports(root):
                runpy.run_path(str(script), run_name="__main__")
        finally:
            gathering.reset(token)
        for node in nodes:
            if node.join_world not in (None, to.name):
                raise WorldError(
                    f"{script.name} wants to join {node.join_world!r}, and the invite leads to {to.name!r}"
                )
        with blamed(root):
            source = root / "src"
            kit = Kit(folder=source if source.is_dir() else None)
        port = NatsPort(to.urls, to.wid)
        member = Member(port, nodes, kit)
        code = 0
        for asked in (signal.SIGINT, signal.SIGTERM):
            signal.signal(asked, signal.default_int_handler)
        try:
            try:
                member.join(timeout)
            except Refused as refusal:
                fail(str(refusal), FAILED)
            names = ", ".join(node.name for node in nodes)
            typer.echo(f"{plain(names)}: in {plain(to.name)}, at {port.link.urls[0].rpartition('@')[2]}", err=True)
            try:
                member.run(idle=idle)
            except KeyboardInterrupt:
                member.leave("stopped with Ctrl+C")
                code = INTERRUPTED
        finally:
            port.close()
        for node in nodes:
            if node.why_refused is not None:
                fail(f"{node.name}: {node.why_refused}", FAILED)
        typer.echo(f"over: {plain(member.over or 'nothing came any more')}", err=True)
    if code:
        raise typer.Exit(code)
