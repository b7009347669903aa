"""What live views of a session share: how they keep up with it, how they hear a person, what stays without them.

Two wires. What is shown goes out on the view's own wire. What a person does comes in on another one, on which the
kernel only answers: kernels read such a wire in a thread of its own, also while a cell is running. What comes in is
put into a mailbox, and the mailbox is emptied between two ticks.

The clock of the computer decides when something is drawn, never what.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from html import escape
from typing import Any

import anywidget
import ipywidgets
import traitlets
from IPython import get_ipython
from IPython.display import DisplayHandle, display

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.runtime.session import Session

LEAST_PAUSE = 0.2
"""Seconds between two updates of a view."""

SHARE = 0.1
"""Of the time of a run, at most so much goes into a view."""

RATE = 400_000
"""Bytes per second that a view sends, on average."""

NEVER = float("inf")

MODE = "UNAIVERSE_LAB_DISPLAY"
"""The environment variable that says what is shown: ``widget`` (live, the default), ``static`` or ``text``."""

VIEW = "application/vnd.jupyter.widget-view+json"


def display_mode() -> str:
    """How things are to be shown: ``"widget"``, ``"static"`` (nothing that needs scripts) or ``"text"``.

    Raises:
        LabError: the environment asks for something else.
    """
    mode = os.environ.get(MODE, "auto").lower() or "auto"
    if mode not in ("auto", "widget", "static", "text"):
        raise LabError(f"{MODE} is {mode!r}: it may be auto, widget, static or text")
    if mode != "auto":
        return mode
    shell = get_ipython()
    return "widget" if shell is not None and hasattr(shell, "kernel") else "text"


PLOTLY = "application/vnd.plotly.v1+json"
"""The media type of figures that a front end may draw by itself."""


class Wire(ipywidgets.Widget):
    """The way in: what a person does at a view. The kernel sends on it only in answer.

    A kernel that sent something from its main thread reads the answers there, too, and so not before a running cell
    has ended. It is made to forget that: what comes in is read wherever the front end wants it read.
    """

    def open(self) -> None:
        """Open the way."""
        super().open()
        self._forget_thread()

    def send(self, content: Any, buffers: Any = None) -> None:
        """Answer."""
        super().send(content, buffers)
        self._forget_thread()

    def _forget_thread(self) -> None:
        kept: dict[str, Any] = getattr(self.comm, "__dict__", {})
        kept.pop("_reply_subshell_id", None)


class LiveView(anywidget.AnyWidget):
    """A view that keeps up with a session for as long as somebody looks at it, and leaves its last state in words.

    Subclasses say what there is to see (:meth:`look`, :meth:`static`) and what to do when a person does something
    (:meth:`take`).

    Args:
        session: what is shown.
    """

    wire = traitlets.Any().tag(sync=True, **ipywidgets.widget_serialization)
    words = traitlets.Unicode().tag(sync=True)
    """What is seen where there is nothing to draw with: HTML without scripts."""

    _closed = True

    def __init__(self, session: Session) -> None:
        self.session = session
        self._mailbox: deque[dict[str, Any]] = deque()
        self._viewers: set[str] = set()
        self._handles: list[DisplayHandle] = []
        self._left: dict[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = NEVER
        self._next = 0.0
        self._shown: Any = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        wire = Wire()
        wire.on_msg(self._heard)
        super().__init__(wire=wire)
        session.watchers.append(self._told)
        self._shell = get_ipython()
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._cell_ended)

    # ------------------------------------------------------------------ for subclasses

    def look(self) -> int:
        """Bring the traits up to date; returns about how many bytes that sends."""
        raise NotImplementedError

    def static(self) -> dict[str, Any]:
        """The same by media type, for where no widgets are: at least ``text/html`` and ``text/plain``."""
        raise NotImplementedError

    def take(self, message: dict[str, Any]) -> None:
        """Do what a person asked for; called between two ticks."""

    def show(self, tick: int | None = None) -> LiveView:
        """Somebody looks at the end of a tick; None: at how things are. Views of the whole run need not care."""
        return self

    def answer(self, message: dict[str, Any]) -> None:
        """Answer on the wire, if this needs an answer; called in any thread: nothing of the session may be touched."""

    def point_at(self, tick: int | None) -> None:
        """Let all views of the session show the end of a tick; None: how things are."""
        watching = [getattr(watcher, "__self__", None) for watcher in self.session.watchers]
        for view in dict.fromkeys(one for one in watching if isinstance(one, LiveView) and one is not self):
            view.show(tick)

    # ------------------------------------------------------------------ what comes in

    def _heard(self, _: Any, message: dict[str, Any], buffers: Any = None) -> None:
        self.answer(message)
        self._mailbox.append(message)
        if self._loop is None:
            self._attend()
        else:
            self._loop.call_soon_threadsafe(self._attend)

    def _attend(self) -> None:
        while self._mailbox:
            message = self._mailbox.popleft()
            match message:
                case {"kind": "hello", "view": str(view)}:
                    self._viewers.add(view)
                case {"kind": "bye", "view": str(view)}:
                    self._viewers.discard(view)
                case {"kind": "cursor", "tick": int() | None as tick}:
                    self.point_at(tick)
                case _:
                    self.take(message)
            self._shown = None
        self.refresh()

    # ------------------------------------------------------------------ keeping up

    def _moment(self) -> Any:
        """What decides whether there is anything new to show."""
        trace = self.session.trace
        return self.session.tick, len(trace), trace[-1] if len(trace) > trace.gone else None

    def _told(self, what: str) -> None:
        """The session has something new: show it soon where the loop is free, at once in a cell that keeps it busy."""
        if self._mailbox:
            self._attend()
        if not self._viewers:
            return
        now = time.monotonic()
        if now >= self._next and (what == "running" or self._loop is None or now > self._due + LEAST_PAUSE):
            self.refresh()
        elif self._timer is None and self._loop is not None:
            self._due = max(now, self._next)
            with contextlib.suppress(RuntimeError):
                self._timer = self._loop.call_later(self._due - now, self._ring)

    def _ring(self) -> None:
        self._timer, self._due = None, NEVER
        if self._mailbox:
            self._attend()
        self.refresh()

    def refresh(self) -> None:
        """Show how things are, if anybody looks and anything has changed."""
        if self._closed or not self._viewers or self._shown == (moment := self._moment()):
            return
        start = time.monotonic()
        self._shown = moment
        sent = self._guarded(self.look) or 0
        end = time.monotonic()
        self._next = end + max(LEAST_PAUSE, (end - start) / SHARE, sent / RATE)

    def _guarded(self, function: Callable[[], Any]) -> Any:
        """A view that fails says so; the run goes on."""
        try:
            return function()
        except Exception as error:
            self.words = f"<p>This view cannot be drawn: {escape(f'{type(error).__name__}: {error}')}</p>"
            return None

    def _cell_ended(self, _: Any = None) -> None:
        if self._mailbox:
            self._attend()
        self.refresh()
        if self._handles and (bundle := self._bundle()) != self._left:
            self._left = bundle
            for handle in self._handles:
                handle.update(bundle, raw=True)  # type: ignore[no-untyped-call]

    # ------------------------------------------------------------------ what a notebook keeps

    def _bundle(self) -> dict[str, Any]:
        bundle = self._guarded(self.static) or {"text/html": self.words, "text/plain": "this view cannot be drawn"}
        mode = display_mode()
        if mode == "text":
            return {"text/plain": bundle["text/plain"]}
        if mode == "widget":
            self.words = bundle["text/html"]
            bundle.pop(PLOTLY, None)
            bundle[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return bundle

    def _ipython_display_(self) -> None:
        if self._shell is None:
            print(self.static()["text/plain"])
            return
        self._left = self._bundle()
        self._handles.append(display(self._left, raw=True, display_id=True))  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return str(self.static()["text/plain"]) if hasattr(self, "session") else super().__repr__()

    def close(self) -> None:
        """Stop following the session; what is on the screen stays."""
        if self._closed:
            return
        self._closed = True
        self._handles.clear()
        with contextlib.suppress(ValueError):
            self.session.watchers.remove(self._told)
        if self._shell is not None:
            with contextlib.suppress(ValueError):
                self._shell.events.unregister("post_run_cell", self._cell_ended)
        if self._timer is not None:
            self._timer.cancel()
        self.wire.close()
        super().close()
