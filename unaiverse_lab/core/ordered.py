"""A set that remembers the order in which its members came, so that runs are repeatable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSet
from typing import TypeVar

T = TypeVar("T")


class OrderedSet(MutableSet[T]):
    """A mutable set iterated in order of insertion."""

    __slots__ = ("_members",)

    def __init__(self, members: Iterable[T] = ()) -> None:
        self._members: dict[T, None] = dict.fromkeys(members)

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[T]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self._members))}}}"

    def add(self, value: T) -> None:
        """Add a member; one that is there already keeps its place."""
        self._members[value] = None

    def discard(self, value: T) -> None:
        """Remove a member if it is there."""
        self._members.pop(value, None)

    def update(self, values: Iterable[T]) -> None:
        """Add several members."""
        for value in values:
            self.add(value)
