"""A run, or a request to run, an action: what is asked, by whom, with which data, and how it ended."""

from __future__ import annotations

import copy
import enum
from typing import Any

SYSTEM = "system"
SYSTEM_ID = "sys"
SYSTEM_UUID = "sys_system"
MAX_LIFE = 300.0
DEFAULT_RETRY = 10.0

FIELD_NAMES = frozenset(
    {
        "streams",
        "num_steps",
        "target",
        "timeout",
        "copy_sys",
        "forced_uuid",
        "id",
        "volatile",
        "data_samples",
        "callback",
        "num_samples_to_stream",
    }
)
"""Names accepted among the arguments of any action: they configure the interaction, not the action."""


class Status(enum.StrEnum):
    """Where an interaction stands."""

    CREATED = "created"
    REQUESTED = "requested"
    LAZY = "lazy"
    RECEIVED = "received"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"


class CompletionReason(enum.StrEnum):
    """How an interaction ended."""

    OK = "ok"
    TIMEOUT = "retry_timeout"
    REJECTED = "rejected"
    DISCONNECTED = "disconnected"
    ERROR = "error"
    DISCARDED = "discarded"


class Interaction:
    """One request (``requester`` is a peer) or one run started by the machine itself (``requester`` is ``"system"``).

    Args:
        action_name: action asked for; None = the interaction only carries data.
        action_kwargs: arguments for the action.
        requester: peer id of who asks.
        target: peer id, or list of peer ids, asked.
        num_steps: steps of the action to run, each on one fresh sample; -1 = a single step without data.
        timeout: seconds until the request expires; the limit is 300 s, also when <= 0.
        from_state, to_state: where the target may serve it (default: its current state, any destination).
        callback: name of the requester's method called with ``interaction=`` when all targets are done.
        volatile: the target sends no completion status.
        streams: references of the streams attached, a list or a mapping ``stdin/stdtar/stdext/stdunk`` -> list.
        data_samples: mapping stream name -> value, loaded on the requester's own streams.
        num_samples_to_stream: stop streaming after so many samples; -1 = no limit.
        id: identifier, unique among the requester's; ``uuid`` is ``<id>_<requester>``.
        uuid: overrides the composed one.
    """

    __slots__ = (
        "action_kwargs",
        "action_name",
        "callback",
        "completion_reason",
        "created_at",
        "data_samples",
        "data_tags",
        "destination_state",
        "detail",
        "from_state",
        "held",
        "id",
        "mark",
        "num_samples_to_stream",
        "num_steps",
        "outcome",
        "requester",
        "side",
        "slots",
        "status",
        "streamed",
        "streams",
        "target",
        "timeout",
        "to_state",
        "uuid",
        "volatile",
    )

    def __init__(
        self,
        action_name: str | None = None,
        action_kwargs: dict[str, Any] | None = None,
        *,
        requester: str = SYSTEM,
        target: str | list[str] | None = None,
        num_steps: int = -1,
        timeout: float = -1.0,
        from_state: str | None = None,
        to_state: str | None = None,
        callback: str | None = None,
        volatile: bool = False,
        streams: list[str] | dict[str, list[str]] | None = None,
        data_samples: dict[str, Any] | None = None,
        num_samples_to_stream: int = -1,
        id: str = SYSTEM_ID,
        uuid: str | None = None,
    ) -> None:
        self.action_name = action_name
        self.action_kwargs: dict[str, Any] = action_kwargs if action_kwargs is not None else {}
        self.requester = requester
        self.target: list[str] = [target] if isinstance(target, str) else list(target or [])
        self.streams: dict[str, list[str]] = (
            {"stdunk": list(streams)} if isinstance(streams, list) else dict(streams or {})
        )
        self.data_samples: dict[str, Any] = dict(data_samples or {})
        if num_steps < 0 and (self.streams or self.data_samples):
            num_steps = 1
        self.num_steps = num_steps
        self.timeout = timeout
        self.from_state = from_state
        self.to_state = to_state
        self.callback = callback
        self.volatile = volatile
        self.num_samples_to_stream = num_samples_to_stream
        self.id = id
        self.uuid = uuid if uuid is not None else f"{id}_{requester}"
        self.status: str = Status.CREATED
        self.side = ""
        self.completion_reason: str | None = None
        self.destination_state: str | None = None
        self.detail: str | None = None
        self.created_at = 0.0
        self.mark: Any = None
        self.held = False
        self.outcome: Outcome = Outcome()
        self.slots: dict[str, dict[str, Any]] = {}
        self.data_tags: dict[str, int] = {}
        self.streamed: dict[str, int] = {}

    @property
    def is_system(self) -> bool:
        """Whether the machine itself started it."""
        return self.requester == SYSTEM

    @property
    def is_completed(self) -> bool:
        """Whether it is over, for whatever reason."""
        return self.status == Status.COMPLETED

    @property
    def life(self) -> float:
        """Seconds from its creation to its expiry, at most 300."""
        return min(self.timeout, MAX_LIFE) if self.timeout > 0 else MAX_LIFE

    def recipients_of(self, stream: str) -> list[str]:
        """Who gets the next sample of an own live stream; nobody when ``num_samples_to_stream`` were sent."""
        if self.side != "sent":
            return [self.requester]
        count = self.streamed[stream] = self.streamed.get(stream, 0) + 1
        return self.target if self.num_samples_to_stream < 0 or count <= self.num_samples_to_stream else []

    def set_mark(self, mark: Any) -> None:
        """Keep private state for the action that serves it; it lasts until the run ends."""
        self.mark = mark

    def get_mark(self) -> Any:
        """What :meth:`set_mark` kept, or None."""
        return self.mark

    def clear_mark(self) -> None:
        """Forget the mark."""
        self.mark = None

    def hold(self) -> None:
        """Keep the action pending: a false result now means "wait", and no retry timeout runs meanwhile.

        An action that waits for a request of its own marks it (:meth:`set_mark`): it is called again when that is over.
        """
        self.held = True

    def to_dict(self) -> dict[str, Any]:
        """The wire form of a request (field names of the peer; ``retry_timeout`` is ``timeout``)."""
        return {
            "id": self.id,
            "uuid": self.uuid,
            "action_name": self.action_name,
            "requester": self.requester,
            "target": list(self.target),
            "action_kwargs": copy.deepcopy(self.action_kwargs),
            "streams": {slot: list(refs) for slot, refs in self.streams.items()},
            "num_steps": self.num_steps,
            "from_state": self.from_state,
            "to_state": self.to_state,
            "retry_timeout": self.timeout,
            "volatile": self.volatile,
            "num_samples_to_stream": self.num_samples_to_stream,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Interaction:
        """Rebuild a request from :meth:`to_dict`.

        Raises:
            ValueError: a field has the wrong type; the message names it.
        """
        for name, kinds in _WIRE_TYPES.items():
            if name in data and not isinstance(data[name], kinds):
                raise ValueError(f"field {name!r} of a request cannot be {data[name]!r}")
        if not data.get("uuid") or not data.get("requester"):
            raise ValueError("a request needs 'uuid' and 'requester'")
        return cls(
            data.get("action_name"),
            data.get("action_kwargs") or {},
            requester=data["requester"],
            target=data.get("target") or [],
            num_steps=data.get("num_steps", -1),
            timeout=float(data.get("retry_timeout", -1.0)),
            from_state=data.get("from_state"),
            to_state=data.get("to_state"),
            volatile=data.get("volatile", False),
            streams=data.get("streams") or {},
            num_samples_to_stream=data.get("num_samples_to_stream", -1),
            id=data.get("id", SYSTEM_ID),
            uuid=data["uuid"],
        )


_WIRE_TYPES: dict[str, Any] = {
    "id": str,
    "uuid": str,
    "requester": str,
    "action_name": (str, type(None)),
    "action_kwargs": dict,
    "target": list,
    "streams": dict,
    "num_steps": int,
    "retry_timeout": (int, float),
    "from_state": (str, type(None)),
    "to_state": (str, type(None)),
    "volatile": bool,
    "num_samples_to_stream": int,
}


class Outcome:
    """How each target ended: ``reason_of[peer]``, ``state_of[peer]``, ``detail_of[peer]``."""

    __slots__ = ("detail_of", "reason_of", "state_of")

    def __init__(self) -> None:
        self.reason_of: dict[str, str] = {}
        self.state_of: dict[str, str | None] = {}
        self.detail_of: dict[str, str | None] = {}

    @property
    def ok_targets(self) -> list[str]:
        """Targets that did it."""
        return [peer for peer, reason in self.reason_of.items() if reason == CompletionReason.OK]

    @property
    def failed_targets(self) -> list[str]:
        """Targets that are done and did not do it."""
        return [peer for peer, reason in self.reason_of.items() if reason != CompletionReason.OK]
