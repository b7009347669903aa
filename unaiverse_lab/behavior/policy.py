"""Which candidate goes first: the default rule, and what a policy or a filter of one's own sees."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from unaiverse_lab.behavior.model import Transition
from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.interaction import Interaction


class Candidate:
    """A transition that could be taken now, with the requests waiting for it (oldest first)."""

    __slots__ = ("requests", "transition")

    def __init__(self, transition: Transition, requests: Sequence[Interaction]) -> None:
        self.transition = transition
        self.requests = list(requests)

    @property
    def name(self) -> str:
        """Name of its action."""
        return self.transition.name

    @property
    def args(self) -> dict[str, Any]:
        """Arguments fixed in the machine."""
        return self.transition.args

    @property
    def target(self) -> str:
        """State it leads to."""
        return self.transition.target

    @property
    def ready(self) -> bool:
        """Whether the machine may run it by itself."""
        return self.transition.ready

    @property
    def high_priority(self) -> bool:
        """Whether it goes before everything else."""
        return self.transition.high_priority


Choice = tuple[int, Interaction | None]
PolicyFunction = Callable[[list[Candidate]], Choice]
FilterFunction = Callable[[int, Interaction | None, list[Candidate], dict[str, Any]], Choice]


def policy_default(candidates: list[Candidate]) -> Choice:
    """The default policy: index of the chosen candidate (-1: none) and the request to serve (None: by itself).

    First a high priority one (with its oldest request if it has any), else the first that has a request (the
    oldest), else the first ready one.
    """
    for index, candidate in enumerate(candidates):
        if candidate.high_priority:
            return index, candidate.requests[0] if candidate.requests else None
    for index, candidate in enumerate(candidates):
        if candidate.requests:
            return index, candidate.requests[0]
    for index, candidate in enumerate(candidates):
        if candidate.ready:
            return index, None
    return -1, None


def filter_words(policy_filter: FilterFunction) -> str:
    """Which filter held an action back, and until when if it has a time ``until``: ``"pause until 3.2 s"``."""
    name = getattr(policy_filter, "__name__", type(policy_filter).__name__)
    until = getattr(policy_filter, "until", None)
    return f"{name} until {until:g} s" if isinstance(until, int | float) else name


class PolicyFilterDelayAction:
    """A filter that holds back some actions for a while each time one of them is chosen.

    Args:
        action_names: the actions it applies to; one timer serves them all.
        wait: seconds, > 0.
        add_random_up_to: a random addition, uniform in [0, add_random_up_to] seconds.
        clock, rng: time and randomness; filled in from the agent when the filter is installed on one.
    """

    def __init__(
        self,
        action_names: set[str],
        wait: float,
        add_random_up_to: float = 0.0,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if not wait > 0:
            raise ValueError(f"wait must be > 0 seconds, not {wait!r}")
        self.action_names = frozenset(action_names)
        self.wait = wait
        self.add_random_up_to = add_random_up_to
        self.clock = clock
        self.rng = rng
        self._until: float | None = None

    @property
    def until(self) -> float | None:
        """The time at which it lets go what it holds back now; None if it holds nothing back."""
        return self._until

    def duration(self, rng: random.Random) -> float:
        """Seconds to hold back this time."""
        return self.wait + (rng.uniform(0.0, self.add_random_up_to) if self.add_random_up_to > 0 else 0.0)

    def __call__(
        self, index: int, request: Interaction | None, candidates: list[Candidate], opts: dict[str, Any]
    ) -> Choice:
        if candidates[index].name not in self.action_names:
            return index, request
        agent: Any = opts.get("agent")
        clock = self.clock or agent.clock
        if self._until is None:
            self._until = clock.now + self.duration(self.rng or agent.rng)
        if clock.now < self._until:
            return -1, None
        self._until = None
        return index, request


class PolicyHumanLikeDelay(PolicyFilterDelayAction):
    """A filter that delays actions as a person would: log-normal pauses with momentum and, rarely, long ones.

    Args:
        action_names: the actions it applies to.
        median_delay: median of the pause, in seconds.
        variability: sigma of the log-normal; it also sets momentum and the odds of long pauses.
    """

    def __init__(
        self,
        action_names: set[str],
        median_delay: float = 5.0,
        variability: float = 0.6,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__(action_names, median_delay, clock=clock, rng=rng)
        self.variability = variability
        self._previous: float | None = None

    def duration(self, rng: random.Random) -> float:
        """Seconds to hold back this time."""
        delay = rng.lognormvariate(math.log(self.wait), self.variability)
        if self._previous is not None:
            momentum = min(0.4 * self.variability, 0.6)
            delay = momentum * self._previous + (1.0 - momentum) * delay
        if rng.random() < min(0.08 * self.variability, 0.12):
            delay *= 2.0 + self.variability
        self._previous = delay
        return delay
