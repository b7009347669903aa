"""Files that belong to the state of a world."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class KeptFile:
    """A small file that goes back in time along with whoever holds this object in an attribute.

    Snapshots and checkpoints note what is in it (or that it is not there), and going back puts that into it again.

    Args:
        path: the file; its folder is made when something is put back.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": str(self.path), "content": self.path.read_bytes() if self.path.is_file() else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = Path(state["path"])
        if state["content"] is None:
            self.path.unlink(missing_ok=True)
        elif not self.path.is_file() or self.path.read_bytes() != state["content"]:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(state["content"])
