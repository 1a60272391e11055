"""A page of a proof: so many entries in order, and where the next one goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

EntryT = TypeVar("EntryT")
Place = tuple[Any, ...]
"""By what entries are ordered."""


class Part(NamedTuple, Generic[EntryT]):
    """Entries with their places, and the place at which it stopped; None: there are no more."""

    entries: list[tuple[Place, EntryT]]
    stopped_at: Place | None


def take(entries: Iterable[tuple[Place, EntryT | None]], limit: int) -> Part[EntryT]:
    """Return the first `limit` entries; None for one ends them: one request has looked through enough."""
    taken: list[tuple[Place, EntryT]] = []
    for place, entry in entries:
        if entry is None:
            return Part(taken, place)
        if len(taken) == limit:
            return Part(taken, taken[-1][0])
        taken.append((place, entry))
    return Part(taken, None)
