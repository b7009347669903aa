"""What an agent remembers of the events it got and sent: a bounded list, and words made of it for a planner."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from unaiverse_lab.events.event import Event, event_of
from unaiverse_lab.events.reacting import Mailbox

WORD = re.compile(r"\w+")


class Events(Sequence[Any]):
    """A row of events, made from data when they are looked at.

    Args:
        wires: the events as data.
        classes: for their types.
    """

    def __init__(self, wires: list[dict[str, Any]], classes: dict[str, type[Event]]) -> None:
        self._wires = wires
        self._classes = classes

    def __len__(self) -> int:
        return len(self._wires)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._made(wire) for wire in self._wires[index]]
        return self._made(self._wires[index])

    def _made(self, wire: dict[str, Any]) -> Any:
        return event_of(wire, self._classes)


class News(Events):
    """Delivered events with their numbers: pairs, oldest first."""

    def _made(self, wire: dict[str, Any]) -> Any:
        return wire["number"], event_of(wire, self._classes)

    def since(self, number: int) -> list[tuple[int, Event]]:
        """Those that came after the first ``number`` ones."""
        return [self._made(wire) for wire in self._wires if wire["number"] > number]


class Memory:
    """The events an agent got or sent.

    Args:
        limit: how many to keep.
        last: how many of the newest to tell.
        summarise: ``f(events) -> text`` of the older ones; None: no summary.
        similar: ``f(query, texts) -> texts``; default: those that share the most words with the query, older ones first
            among equals.
    """

    def __init__(
        self,
        limit: int = 1000,
        last: int = 15,
        summarise: Callable[[list[Any]], str] | None = None,
        similar: Callable[[str, list[str]], list[str]] | None = None,
    ) -> None:
        self.last = last
        self.events = Mailbox(limit)
        self.summarise = summarise
        self.similar = similar
        self.got = 0
        """How many events were delivered so far, forgotten ones included."""

    def add_event(self, event: Event | dict[str, Any], delivered: bool = True) -> None:
        """Remember an event; ``delivered``: it came from somebody else."""
        wire = event.wire() if isinstance(event, Event) else event
        if delivered:
            self.got += 1
        self.events.add({**wire, "number": self.got if delivered else 0})

    def news(self) -> News:
        """What was delivered, as far as it is remembered: as it is now."""
        return News([wire for wire in self.events.wires if wire["number"]], self.events.classes)

    def everything(self) -> Events:
        """What was delivered and sent, as far as it is remembered: as it is now."""
        return Events(self.events.wires[-self.events.limit :], self.events.classes)

    def get_event_stream_memories(self, query: str = "") -> str:
        """The memory in words, under fixed headings: a summary, what resembles the query, the last events."""
        wires = self.events.wires[-self.events.limit :]
        count = max(0, len(wires) - self.last)
        parts = []
        if self.summarise is not None and count:
            parts.append("# Summary\n" + self.summarise(self.events[:count]))
        if query and count:
            older = [_line(wire) for wire in wires[:count]]
            found = (self.similar or most_alike)(query, older)
            if found:
                parts.append("# Events like this\n" + "\n".join(found))
        parts.append("# Last events, oldest first\n" + "\n".join(map(_line, wires[count:])))
        return "\n\n".join(parts)


def _line(wire: dict[str, Any]) -> str:
    text = next((str(wire[key]) for key in ("message", "summary", "description") if wire.get(key)), "")
    target = f" -> {wire['target_id']}" if wire.get("target_id") else ""
    return f"{wire['sender_id']}{target} [{wire['event_type']}] {text}".rstrip()


def most_alike(query: str, texts: list[str], count: int = 5) -> list[str]:
    """The texts that share the most words with a query."""
    wanted = set(WORD.findall(query.lower()))
    scored = [(len(wanted & set(WORD.findall(text.lower()))), -index, text) for index, text in enumerate(texts)]
    return [text for score, _, text in sorted(scored, key=lambda one: one[:2], reverse=True)[:count] if score]
