"""``unaiverse-lab host``: a world that members in other processes can join."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unaiverse_lab.cli._shared import INTERRUPTED, blamed, explained, fail, plain, version_of

if TYPE_CHECKING:
    from unaiverse_lab.runtime.session import Session


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
    every: Annotated[bool, typer.Option("--every", help="Print a line for each record, attempts included.")] = False,
) -> None:
    """Host a world: print an invite, let members join with 'unaiverse-lab join INVITE SCRIPT', and run it live.

    The invite is one line of text; who has it can join. The last line is the digest of the run.
    """
    from unaiverse_lab.cli.run import _number, _Printer
    from unaiverse_lab.runtime.launch import gather
    from unaiverse_lab.runtime.session import Session
    from unaiverse_lab.runtime.trace import Trace
    from unaiverse_lab.world.folder import find_world

    if version_of("nats-py") is None:
        fail("hosting needs nats-py: pip install 'unaiverse-lab[live]'")
    with explained():
        root = find_world(folder)
        names = [name.strip() for name in expect.split(",") if name.strip()]
        with blamed(root):
            session = Session(None, _number(seed), trace=Trace(path=trace), history=False)
            for node in gather(root, world_only=True):
                session.add(node)
        code = 0
        for asked in (signal.SIGINT, signal.SIGTERM):  # either way the broker has to be stopped
            signal.signal(asked, signal.default_int_handler)
        try:
            live = asyncio.run(session.promote(broker, clock=clock, expect=names))
            _show(str(live.invite), invite_file)
            if names:
                typer.echo(f"waiting for {plain(', '.join(names))} ...", err=True)
                live.wait_for(*names, timeout=wait)
            _run(session, ticks, _Printer(session, every))
        except KeyboardInterrupt:
            code = INTERRUPTED
        finally:
            session.close()
        typer.echo(f"digest: {session.digest()}")
    if code:
        raise typer.Exit(code)


def _show(invite: str, path: Path | None) -> None:
    typer.echo(f"invite: {invite}")
    if path is not None:
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(invite)
        fresh.replace(path)


def _run(session: Session, ticks: int | None, printer: object) -> None:
    assert callable(printer)
    done = 0
    while ticks is None or done < ticks:
        session.step()
        printer()
        done += 1
