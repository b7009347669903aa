"""What all commands share: exit codes, errors as one line, text that cannot steer a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import NoReturn

import typer

from unaiverse_lab.core.terminal import plain as plain

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130


def fail(message: str, code: int = WRONG_INPUT) -> NoReturn:
    """Say in red what is wrong, on one line of stderr, and leave."""
    typer.secho(plain(" ".join(message.split())), fg="red", err=True)
    raise typer.Exit(code)


@contextmanager
def explained() -> Iterator[None]:
    """Errors of worlds and behaviors become one line; ``UNAIVERSE_LAB_DEBUG=1`` shows the traceback."""
    from unaiverse_lab.core.errors import LabError

    try:
        yield
    except (LabError, OSError) as error:
        if os.environ.get("UNAIVERSE_LAB_DEBUG") or isinstance(error, BrokenPipeError):
            raise
        fail(str(error))


@contextmanager
def blamed(folder: Path) -> Iterator[None]:
    """Any error of the code in a world folder becomes a WorldError that names its line."""
    from unaiverse_lab.core.errors import LabError, WorldError, user_line

    try:
        yield
    except (LabError, typer.Exit):
        raise
    except SyntaxError as error:
        raise WorldError(f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}") from error
    except Exception as error:
        where, code = user_line(error.__traceback__)
        place = f"{where}: " if where else ""
        line = f" ({code})" if code else ""
        raise WorldError(f"{folder.name}: {place}{type(error).__name__}: {error}{line}") from error


def version_of(distribution: str) -> str | None:
    """The version of an installed package, by the name that pip knows it by; None if it is missing."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
