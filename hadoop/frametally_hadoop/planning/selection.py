"""Which days an aggregation may count."""

from __future__ import annotations

from typing import NamedTuple

from frametally import keys
from frametally.errors import Misconfigured
from frametally.rules.times import is_day_in_range


class DaySelection(NamedTuple):
    """Days to look at, and whether those that are up to date are counted all the same.

    Attributes:
        from_ms: Days that end after it; None: from the first.
        to_ms: Days that begin before it; None: to the last.
        recount: Count them though nothing has changed.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    recount: bool = False

    def has(self, day: str) -> bool:
        """Return whether the UTC day, `YYYY-MM-DD`, is one of them."""
        return is_day_in_range(keys.day_start_ms(day), self.from_ms, self.to_ms)


ALL_DAYS = DaySelection()
"""Every day that needs it."""


def select(*, from_ms: int | None, to_ms: int | None, recount: bool = False) -> DaySelection:
    """Return the UTC days that `[from_ms, to_ms)` touches.

    Raises:
        Misconfigured: It is empty.
    """
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise Misconfigured("--from is not before --to: no day lies between them")
    return DaySelection(from_ms, to_ms, recount)
