"""What a machine needs around it: a clock, somewhere to write records, and someone who knows the requests."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from unaiverse_lab.core.clock import Clock, VirtualClock
from unaiverse_lab.core.drive import run_outside
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import Record


class Surroundings:
    """The surroundings of a machine that runs alone; an agent in a world has its own.

    Args:
        clock: source of time; default: a virtual clock at tick 0.
        record: called with each record; default: they are kept in ``records``.
        name: name written into the records.
    """

    __slots__ = (
        "clock",
        "name",
        "record",
        "records",
    )

    def __init__(
        self,
        clock: Clock | None = None,
        record: Callable[[Record], None] | None = None,
        name: str = "agent",
    ) -> None:
        self.clock: Clock = clock if clock is not None else VirtualClock()
        self.records: list[Record] = []
        self.record: Callable[[Record], None] = record if record is not None else self.records.append
        self.name = name

    def is_doable(self, request: Interaction) -> bool:
        """Whether a request can be served now: not over, its requester known, its data there."""
        return not request.is_completed

    def is_wanted(self, interaction: Interaction) -> bool:
        """Whether to go on with a run whose request ended meanwhile."""
        return True

    def is_answered(self, interaction: Interaction) -> bool:
        """Whether what an action holds on for (:meth:`Interaction.hold`) has come."""
        return True

    def start(self, interaction: Interaction) -> None:
        """The machine begins a run of its own that uses streams.

        Raises:
            Refused: it cannot have them; the text says why.
        """

    def release(self, interaction: Interaction) -> None:
        """That run is over, or was given up."""

    def begin(self, interaction: Interaction) -> None:
        """An action is about to be called for this interaction: make its data current."""

    def end(self, interaction: Interaction) -> None:
        """That call is over."""

    def has_fresh_data(self, interaction: Interaction) -> bool:
        """Whether the next step of a multi-step action has new data on every stream."""
        return True

    def consumed(self, interaction: Interaction) -> None:
        """A step succeeded: the data it read is used up."""

    def served(self, interaction: Interaction, state: str) -> None:
        """A run ended well, in ``state``."""
        interaction.destination_state = state

    def raised(self, interaction: Interaction, detail: str) -> None:
        """The action raised an exception while serving this interaction."""

    def discarded(self, interaction: Interaction) -> None:
        """A queued request was thrown away with the rest of the machine's state."""

    def wake(self) -> None:
        """Something changed from outside: the machine may have something to do at the next tick."""

    def run_outside(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run an action that waits for something outside the world, to its end."""
        return run_outside(coroutine)
