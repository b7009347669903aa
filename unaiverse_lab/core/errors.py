"""Errors that teach: they name the thing, the place, what was expected, and the nearest right name."""

from __future__ import annotations

import difflib
import linecache
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType


class LabError(Exception):
    """Base of every error raised by this package."""


class BehaviorError(LabError, ValueError):
    """A behavior (state machine) is wrong: a JSON file, a call of its building API, or its use of actions.

    Attributes:
        problem: the sentence without its place.
        where: the place inside the behavior, e.g. ``states.ready.blocking``; empty if not known.
        source: the file it was read from, if any.
    """

    def __init__(self, problem: str, *, where: str = "", source: str | Path | None = None) -> None:
        self.problem = problem
        self.where = where
        self.source = None if source is None else str(source)
        super().__init__(": ".join(part for part in (self.source, where, problem) if part))

    def at(self, *, where: str | None = None, source: str | Path | None = None) -> BehaviorError:
        """The same error with its place completed."""
        return BehaviorError(
            self.problem,
            where=self.where if where is None else where,
            source=self.source if source is None else source,
        )


class WorldError(LabError):
    """A world, its folder, its roles or its nodes are not what they must be."""


class BadgeError(LabError, ValueError):
    """A badge has a score or a type that badges cannot have."""


class StreamError(LabError, ValueError):
    """A stream or its data is not what was declared; the message names the stream."""


class NotInWorld(LabError):
    """Something was asked that makes sense only inside a world."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The ``count`` names of ``known`` closest to ``name``, best first; empty when none is close."""
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint to append to a sentence: the nearest names, or all known ones when nothing is near."""
    names = list(dict.fromkeys(known))
    close = nearest(name, names)
    if close:
        return " Did you mean " + " or ".join(repr(candidate) for candidate in close) + "?"
    if names:
        return " Known: " + ", ".join(sorted(names)) + "."
    return ""


def user_line(trace: TracebackType | None) -> tuple[str | None, str | None]:
    """The learner's own line in a traceback: ``("file:line", "source text")``; (None, None) if there is none.

    It is the innermost frame outside this package and the standard library.
    """
    ours = str(Path(__file__).resolve().parent.parent)
    library = str(Path(traceback.__file__).resolve().parent)
    own = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith((ours, library, "<frozen"))]
    if not own:
        return None, None
    frame = own[-1]
    source = linecache.getline(frame.filename, frame.lineno or 0).strip() or None
    return f"{Path(frame.filename).name}:{frame.lineno}", source
