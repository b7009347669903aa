"""``unaiverse-lab host``: a world that members in other processes can join."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unaiverse_lab.cli._shared import INTERRUPTED, blamed, explained, fail, plain, version_of

if TYPE_CHECKING:
    from unaiverse_lab.live.invite import Invite


def host(
    folder: Annotated[str, typer.Argument(help="A world folder, or the name of a gallery world.")],
    broker: Annotated[
        str, typer.Option(help="'embedded' starts one on this machine; nats://HOST:PORT uses one that is there.")
    ] = "embedded",
    expect: Annotated[
        str, typer.Option(help="Names of nodes, with commas: the first tick waits for them, and they come in so.")
    ] = "",
    clock: Annotated[
        str, typer.Option(help="'wall': ticks follow real time; 'lockstep': each waits for all members.")
    ] = "wall",
    ticks: Annotated[int | None, typer.Option(min=1, help="Run so many ticks (default: until Ctrl+C).")] = None,
    seed: Annotated[str, typer.Option(help="Seed of every random source.")] = "0",
    trace: Annotated[Path | None, typer.Option(help="Write every record to this JSON Lines file.")] = None,
    invite_file: Annotated[Path | None, typer.Option(help="Write the invite to this file, for you alone.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for those who are expected.")] = 600.0,
    members: Annotated[
        bool, typer.Option("--members", help="Also start every run_*.py of the folder, in processes of their own.")
    ] = False,
    every: Annotated[bool, typer.Option("--every", help="Print a line for each record, attempts included.")] = False,
) -> None:
    """Host a world: print an invite, let members join with 'unaiverse-lab join INVITE SCRIPT', and run it live.

    The invite is one line of text; who has it can join. On this machine the world's name will do instead, as long as it
    is hosted. The first Ctrl+C ends the run after the tick, a second one at once; either way the members are told. The
    last line is the digest of the run.
    """
    from unaiverse_lab.cli.run import Printer, _number
    from unaiverse_lab.runtime.launch import gather, run_scripts
    from unaiverse_lab.runtime.session import Session
    from unaiverse_lab.runtime.trace import Trace
    from unaiverse_lab.world.folder import find_world

    if version_of("nats-py") is None:
        fail("hosting needs nats-py: pip install 'unaiverse-lab[live]'")
    from unaiverse_lab.live.hosting import host_world
    from unaiverse_lab.live.invite import write_secret

    with explained():
        root = find_world(folder)
        names = [name.strip() for name in expect.split(",") if name.strip()]
        with blamed(root):
            session = Session(None, _number(seed), trace=Trace(path=trace), history=False)
            for node in gather(root, world_only=True):
                session.add(node)

        def show(invite: Invite) -> None:
            typer.echo(f"invite: {invite}")
            sys.stdout.flush()
            if invite_file is not None:
                write_secret(invite_file, str(invite))

        stopped = host_world(
            session, _say, broker, clock, names, ticks, None, wait, run_scripts(root)[1:] if members else (), show,
            Printer(session, every),
        )  # fmt: skip
        typer.echo(f"digest: {session.digest()}")
    if stopped is not None:
        _say(f"{stopped} at tick {session.tick} ({session.now:g} s)")
        raise typer.Exit(INTERRUPTED)


def _say(text: str) -> None:
    typer.echo(plain(text), err=True)
