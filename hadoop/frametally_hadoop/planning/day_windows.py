"""The days that one job counts: fewer where its links end before its tasks have read the segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from frametally import keys
from frametally_hadoop.planning.counting_steps import DaySelection


@dataclass
class DayWindows:
    """Selections of days that are counted one after the other.

    Attributes:
        now: The days that are planned and counted now.
    """

    now: DaySelection
    _later: list[DaySelection] = field(default_factory=list)
    _is_second_try: bool = False

    def attempts(self, most: int) -> Iterator[None]:
        """Yield before each attempt at the days of `now`, `most` times for the same days."""
        left = most
        while left:
            days = self.now[:2]
            yield
            left = left - 1 if days == self.now[:2] else most

    def halve(self, days: Iterable[str]) -> bool:
        """Plan the earlier half of the stale `days` next, or a single day once more; links are new then.

        Return False if that single day has been tried twice.
        """
        ordered = sorted(set(days))
        if len(ordered) < 2:
            was_second, self._is_second_try = self._is_second_try, True
            return not was_second
        middle_ms = keys.day_start_ms(ordered[len(ordered) // 2])
        self._later.append(self.now._replace(from_ms=middle_ms))
        self.now = self.now._replace(to_ms=middle_ms)
        return True

    def advance(self) -> bool:
        """Go on with the days after those of `now`; return False if there are none."""
        if not self._later:
            return False
        self.now, self._is_second_try = self._later.pop(), False
        return True
