"""Driving coroutines by hand, so that a tick needs no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

HINT = "it waits for something outside the world: mark it with @action(outside=True)"


class OutsideWait(RuntimeError):
    """An action that is not marked ``@action(outside=True)`` awaited something that only an event loop can finish."""

    def __init__(self) -> None:
        super().__init__(f"the action cannot go on inside a tick; {HINT}")


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end without an event loop.

    A real wait (a future, a timer) is answered with :class:`OutsideWait` at the point of the ``await``.
    """
    try:
        waited_for = coroutine.send(None)
        while True:
            if waited_for is None:
                waited_for = coroutine.send(None)
            else:
                waited_for = coroutine.throw(OutsideWait())
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def run_outside(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own, in a thread of its own, and wait for it."""
    result: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(asyncio.run(coroutine))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, name="unaiverse-lab-outside")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
