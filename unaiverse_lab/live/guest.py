"""What the host of a live world knows of a member that lives elsewhere."""

from __future__ import annotations

from time import monotonic

from unaiverse_lab.live.distant import DistantNode
from unaiverse_lab.live.wire import Doing, Leave, Parcel, Sequence


class Guest:
    """What the host knows of one member: a connection with its nodes."""

    def __init__(self, nid: str, nodes: list[DistantNode], token: str) -> None:
        self.nid = nid
        self.nodes = nodes
        self.token = token
        self.order = Sequence(hold=256)
        self.sent = self.heard = 0
        self.view: bytes | None = None
        self.sights: dict[str, bytes] = {}
        self.doings: list[Doing] = []
        self.done = self.told = -1
        self.unanswered: float | None = None
        self.late = False
        self.leave: Leave | None = None
        self.words: list[Parcel] = []

    @property
    def silence(self) -> float:
        """Seconds for which it has owed an answer."""
        return 0.0 if self.unanswered is None else monotonic() - self.unanswered

    @property
    def name(self) -> str:
        """The names of its nodes."""
        return ", ".join(node.name for node in self.nodes)
