"""What a trace is made of: one small typed record for everything that happens in a world.

Every record says when (``tick``, and ``t`` in seconds of the session's clock), where (``node``, the node's
name) and what (its class; in JSON the field ``kind``). Records are data only: they are written by the
behavior interpreter, the agents and the runtime, and read by everything that shows or checks a run.

The state of a machine between two records follows from them: it enters a blocking state at the first tick
after the transition that reached it, a non-blocking one at that very tick.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class Record(msgspec.Struct, gc=False, omit_defaults=True, tag_field="kind", tag="record"):
    """Base of all records.

    Attributes:
        tick: number of the tick, 0 for the first.
        t: seconds on the session's clock.
        node: name of the node it happened at.
    """

    kind: ClassVar[str] = "record"

    tick: int
    t: float
    node: str


class Moved(Record, tag="transition", rename={"source": "from", "target": "to"}):
    """An action succeeded and its transition was taken.

    ``edge`` is the position of the transition among those leaving ``source``, in evaluation order, from 0
    (-1: forced from outside, no such transition). ``requester`` and ``uuid`` name the served request; both are
    None when the machine acted by itself. ``step`` is the index of the step that completed the action.
    """

    kind: ClassVar[str] = "transition"

    source: str
    action: str
    target: str
    edge: int = 0
    step: int = 0
    requester: str | None = None
    uuid: str | None = None


class Tried(Record, tag="attempt", rename={"source": "from", "target": "to"}):
    """An action was tried and its transition was not taken.

    ``outcome`` is one of ``"failed"`` (returned a false value), ``"again"`` (kept pending: it is tried again at the
    next tick), ``"waiting"`` (kept pending, not called yet: data of its streams has to come first), ``"step"`` (one
    step of several done), ``"timeout"`` (given up, not called), ``"vetoed"`` (the policy filter refused it; ``reason``
    names the filter) or ``"raised"`` (see the :class:`Fault` just before). ``reason`` is what the action said with
    ``self.because(...)``.
    """

    kind: ClassVar[str] = "attempt"

    source: str
    action: str
    target: str
    outcome: str
    edge: int = 0
    step: int = 0
    requester: str | None = None
    uuid: str | None = None
    reason: str | None = None


class InState(Record, tag="in-state"):
    """The action of the state itself ran (its result never moves the machine)."""

    kind: ClassVar[str] = "in-state"

    state: str
    action: str
    ok: bool = True
    reason: str | None = None


class Said(Record, tag="message"):
    """A message of the machine to its reader: welcome, state and action messages, ticks, notices."""

    kind: ClassVar[str] = "message"

    text: str


class Joined(Record, tag="join"):
    """One stage of a node's way into the world.

    ``stage``: ``"asked"``, ``"admitted"``, ``"refused"`` (with ``reason``), ``"left"``, or ``"purged"`` (it could not
    be reached, and the world took it off its lists).
    ``node`` is always the joining node.
    """

    kind: ClassVar[str] = "join"

    stage: str
    role: str | None = None
    reason: str | None = None


class BehaviorSet(Record, tag="behavior"):
    """A world offers the machine of a role; ``machine`` is its JSON text (the peer's format).

    ``own``: the world has none for it, the node brings its own.
    """

    kind: ClassVar[str] = "behavior"

    role: str
    machine: str
    own: bool = False


class RoleSet(Record, tag="role"):
    """A node took a role and starts the machine of that role in ``state``."""

    kind: ClassVar[str] = "role"

    role: str
    state: str | None = None
    previous: str | None = None


class RoleSuggested(Record, tag="role-suggestion"):
    """The member ``by`` suggested a ``role`` for ``node``; the world followed it, or did not, with the ``reason``."""

    kind: ClassVar[str] = "role-suggestion"

    role: str
    by: str
    accepted: bool = True
    reason: str | None = None


class Badge(Record, tag="badge"):
    """The world awarded a badge to ``node``, or refused to, with the ``reason``.

    ``by`` is the member that suggested it; None: the world decided on its own. A refused ``score`` that is no number
    is None.
    """

    kind: ClassVar[str] = "badge"

    badge_type: str
    score: float | None
    description: str = ""
    by: str | None = None
    awarded: bool = True
    reason: str | None = None


class Stat(Record, tag="stat"):
    """``node`` reported a value, which the world stored, or refused, with the ``reason``.

    ``stat`` is the declared name, ``key`` the peer id whose value it is (None: the world's). ``node`` is the world's
    own name for what it stored by itself. What a refused report had for a value that is no number or text is in words.
    """

    kind: ClassVar[str] = "stat"

    stat: str
    key: str | None = None
    value: Any = None
    accepted: bool = True
    reason: str | None = None


class Forced(Record, tag="control", rename={"source": "from", "target": "to"}):
    """The machine was moved or switched from outside: ``set_state``, ``reset_state``, ``enable``, ``disable``.

    ``what`` is ``"stop"`` when it was switched off because of the :class:`Fault` just before.
    """

    kind: ClassVar[str] = "control"

    what: str
    source: str | None = None
    target: str | None = None


class Met(Record, tag="contact"):
    """Two members met or parted. ``stage``: ``"asked"``, ``"met"``, ``"refused"``, ``"parted"``."""

    kind: ClassVar[str] = "contact"

    peer: str
    stage: str
    reason: str | None = None


class Sent(Record, tag="send"):
    """``node`` asked ``targets`` to do ``action`` (None: only data is pushed)."""

    kind: ClassVar[str] = "send"

    uuid: str
    targets: list[str]
    action: str | None = None
    args: dict[str, Any] | None = None


class Requested(Record, tag="request", rename={"source": "from"}):
    """A request reached ``node``; ``accepted`` False means it was refused, with the ``reason``.

    ``source`` is the state in which it waits to be served.
    """

    kind: ClassVar[str] = "request"

    uuid: str
    requester: str
    action: str | None = None
    source: str | None = None
    accepted: bool = True
    reason: str | None = None


class Redefined(Record, tag="redefine", rename={"before": "from", "after": "to"}):
    """From here on the world runs with another definition: ``before`` and ``after`` are its versions (0: none).

    ``what`` is ``"world"``, ``"role"``, ``"action"``, ``"behavior"`` or ``"stats"``; the name of an action is
    ``role.action``. ``node`` is the world's.
    """

    kind: ClassVar[str] = "redefine"

    what: str
    name: str
    before: int
    after: int


class Completed(Record, tag="complete"):
    """An interaction is over on ``node``'s side; ``side`` is ``"sent"`` or ``"received"``.

    ``reason``: ``ok``, ``retry_timeout``, ``rejected``, ``disconnected``, ``error`` or ``discarded``.
    """

    kind: ClassVar[str] = "complete"

    uuid: str
    side: str
    reason: str
    action: str | None = None
    peer: str | None = None
    state: str | None = None
    detail: str | None = None


class Pushed(Record, tag="push"):
    """A sample of the stream ``owner:stream`` reached ``node``; ``value`` is its readable form."""

    kind: ClassVar[str] = "push"

    owner: str
    stream: str
    tag: int
    uuid: str | None = None
    value: str | None = None


class Injected(Record, tag="inject"):
    """Something entered from outside the world, e.g. a line typed by a person."""

    kind: ClassVar[str] = "inject"

    what: str
    value: str | None = None


class Fault(Record, tag="error"):
    """Something went wrong and was contained.

    ``where`` is ``file:line`` of the learner's own code, ``code`` that line.
    """

    kind: ClassVar[str] = "error"

    error: str
    state: str | None = None
    action: str | None = None
    where: str | None = None
    code: str | None = None


class Dropped(Record, tag="dropped"):
    """A message was refused as a whole (it did not parse, or its sender may not send it)."""

    kind: ClassVar[str] = "dropped"

    sender: str
    reason: str


AnyRecord = (
    Moved
    | Tried
    | InState
    | Said
    | Joined
    | BehaviorSet
    | RoleSet
    | RoleSuggested
    | Badge
    | Stat
    | Forced
    | Met
    | Sent
    | Requested
    | Redefined
    | Completed
    | Pushed
    | Injected
    | Fault
    | Dropped
)
