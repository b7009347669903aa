"""The badges of a world, for good: awards and refusals, in the database of its statistics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from unaiverse_lab.stats.database import Database

AWARDED, REFUSED, CLEARED = "awarded", "refused", "cleared"
COLUMNS = (
    "time", "peer", "node_id", "name", "type", "score", "description", "token", "proposer", "decided_by", "status",
    "reason", "epoch",
)  # fmt: skip


class Entry(NamedTuple):
    """One line of the ledger.

    ``time`` is in seconds of the session's clock; ``peer``, ``node_id`` and ``name`` say whom the badge is for,
    ``proposer`` whose idea it was (None: the world's own), ``decided_by`` who decided. ``status`` is ``"awarded"``,
    ``"refused"`` (with the ``reason``) or ``"cleared"`` (a new epoch begins, and nothing else of the line means
    anything). A refused ``score`` that is no number is None.
    """

    time: float
    peer: str
    node_id: str | None
    name: str
    type: str
    score: float | None
    description: str
    token: str | None
    proposer: str | None
    decided_by: str
    status: str
    reason: str | None = None
    epoch: int = 0


class Ledger:
    """What a world has awarded and refused: lines that are added and never changed.

    Args:
        database: where they are kept; a file keeps them when the world is started again.

    What was read is remembered, until the database is taken back to an earlier moment.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._revision = -1
        self._epoch = 0
        self._held: dict[str, list[dict[str, Any]]] = {}
        self._earned: dict[str, list[dict[str, Any]]] = {}

    @property
    def epoch(self) -> int:
        """How often the badges were cleared."""
        self._refresh()
        return self._epoch

    @property
    def held(self) -> dict[str, list[dict[str, Any]]]:
        """The badges of this epoch by peer id, oldest first; always the same dictionary."""
        self._refresh()
        return self._held

    def earned(self, node_id: str) -> list[dict[str, Any]]:
        """All badges a node was ever awarded, oldest first."""
        self._refresh()
        return list(self._earned.get(node_id, ()))

    def entries(self) -> list[Entry]:
        """All lines, oldest first."""
        return [Entry(*row) for row in self.database.rows(f"SELECT {', '.join(COLUMNS)} FROM badges ORDER BY seq")]

    def add(self, entry: Entry) -> dict[str, Any]:
        """Add a line, as one of this epoch; the badge, as profiles list it."""
        self._refresh()
        epoch = self._epoch + 1 if entry.status == CLEARED else self._epoch
        entry = Entry._make(_storable(value) if isinstance(value, str) else value for value in entry)
        entry = entry._replace(epoch=epoch)
        self.database.add("badges", *entry)
        return self._note(entry)

    def save(self) -> None:
        """Write to the file what is not there yet.

        Raises:
            DatabaseError: it could not be written; nothing is lost, and the next call tries again.
        """
        if self.database.path is not None:
            self.database.flush()

    def _refresh(self) -> None:
        if self._revision == self.database.revision:
            return
        self._held.clear()
        self._earned.clear()
        self._epoch = 0
        for entry in self.entries():
            self._note(entry)
        self._revision = self.database.revision

    def _note(self, entry: Entry) -> dict[str, Any]:
        badge = {
            "agent_node_id": entry.node_id,
            "agent_token": entry.token,
            "badge_type": entry.type,
            "score": entry.score,
            "badge_description": entry.description,
            "last_edit_utc": datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="milliseconds"),
        }
        if entry.status == CLEARED:
            self._epoch = entry.epoch
            self._held.clear()
        elif entry.status == AWARDED:
            self._held.setdefault(entry.peer, []).append(badge)
            self._earned.setdefault(entry.node_id or "", []).append(badge)
        return badge

    def __getstate__(self) -> dict[str, Any]:
        """What a snapshot holds of it: nothing, for everything is in the database."""
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._revision = -1


def _storable(text: str) -> str:
    """Text without what no file can hold (halves of characters)."""
    return text.encode("utf-8", "replace").decode("utf-8")
