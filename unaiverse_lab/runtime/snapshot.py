"""A snapshot of a session: everything its future depends on. In memory it is the way back, on disk a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unaiverse_lab.runtime.freezing import Frozen, freeze
from unaiverse_lab.runtime.trace import Trace

if TYPE_CHECKING:
    from unaiverse_lab.runtime.members import Members

OUTSIDE = (Trace,)
"""What has a way of its own to go back."""


class Snapshot:
    """A session as it was between two ticks.

    Args:
        session: the session.
        before: an earlier snapshot, with which weights that did not change are shared.

    Raises:
        CannotFreeze: something in it has contents that cannot be noted down, or is under way.
    """

    __slots__ = ("frozen", "mark", "session", "tick")

    def __init__(self, session: Members, before: Snapshot | None = None) -> None:
        self.session = session
        self.frozen: Frozen = freeze([session], OUTSIDE, like=None if before is None else before.frozen)
        self.mark = session.trace.mark()
        self.tick = session.tick

    def restore(self) -> None:
        """Make the session what it was, in place: whoever holds a node, an agent or a stream sees it as it was.

        Raises:
            IndexError: the trace no longer reaches back so far.
        """
        self.session.trace.back_to(self.mark)
        self.frozen.thaw()
        self.session.synchronizer.unstack()
