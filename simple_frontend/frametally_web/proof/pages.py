"""A page of a proof: entries in order, each with the running total up to it, and the next page's cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from frametally_web.requests.query import write_cursor

EntryT = TypeVar("EntryT")
ShownT = TypeVar("ShownT")
Place = tuple[Any, ...]
"""By what entries are ordered; a cursor is the place at which a page ended, and the running total there."""


class ProofPage(NamedTuple, Generic[ShownT]):
    """What a page shows, the running total at its end, and the cursor of the next; None after the last."""

    shown: list[ShownT]
    total: int
    next: str | None


def read_page(
    entries: Iterable[tuple[Place, EntryT | None]],
    *,
    limit: int,
    cursor: Place | None,
    adds: Callable[[EntryT], int],
    show: Callable[[EntryT, int], ShownT],
) -> ProofPage[ShownT]:
    """Return the page of at most `limit` entries that begins behind a cursor (None: the first).

    `entries` are those behind the cursor with their places, in order; None for one ends the page there, as
    enough has been looked through for one request. `adds` gives what one adds to the total, `show` makes the
    answer of one and the running total.
    """
    total = cursor[-1] if cursor else 0
    shown: list[ShownT] = []
    ended: Place = ()
    for place, entry in entries:
        if entry is None or len(shown) == limit:
            return ProofPage(shown, total, write_cursor((*(place if entry is None else ended), total)))
        total += adds(entry)
        shown.append(show(entry, total))
        ended = place
    return ProofPage(shown, total, None)
