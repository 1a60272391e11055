"""The days that an aggregation may count, and what a plug-in adds to whole pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from frametally import keys
from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import picture_places
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.rules.places import Zones, zones_between
from frametally.rules.times import DAY_MS, is_day_in_range
from frametally.settings.loading import Settings


class DaySelection(NamedTuple):
    """Days that end after `from_ms` and begin before `to_ms`; None: from the first, to the last.

    With `recount` those that are up to date are counted all the same.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    recount: bool = False

    def has(self, day: str) -> bool:
        """Return whether the UTC day, `YYYY-MM-DD`, is one of them."""
        return is_day_in_range(keys.day_start_ms(day), self.from_ms, self.to_ms)


ALL_DAYS = DaySelection()
"""Every day that needs it."""


@dataclass
class DayWindows:
    """Selections of days that are counted one after the other: fewer where a job's links end too soon.

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


class DayToCount(NamedTuple):
    """One day that would be counted; `inputs` is 16 hex of what from, `state` of `DayPlan.state_sha256`.

    Of a step's days `model` is their series (`frametally.rules.places`): no segment is read for them.
    """

    model: str
    interval_s: int
    day: str
    segments: int
    bytes: int
    inputs: str
    state: str


class DrawnZones(NamedTuple):
    """The zones of all sources, on their stored frames.

    Attributes:
        by_source: The zones of each source that has some, of all times.
        unreadable: Sources whose drawing cannot be read: the zones that a day was counted within hold on.
    """

    by_source: Mapping[str, Zones]
    unreadable: Mapping[str, Skipped]

    def of_day(
        self, day: str, sources: Iterable[str], margin_ms: int, counted: Mapping[str, Zones]
    ) -> dict[str, Zones]:
        """Return the zones of sources that hold on some of a UTC day, and of a margin around it.

        `counted` are those that the day was counted within.
        """
        of_source = {
            source: (counted if source in self.unreadable else self.by_source).get(source, ())
            for source in sorted(sources)
        }
        start_ms = keys.day_start_ms(day)
        end_ms = start_ms + DAY_MS
        if not any(zones_between(zones, start_ms, end_ms) for zones in of_source.values()):
            return {}
        near = {
            source: zones_between(zones, start_ms - margin_ms, end_ms + margin_ms)
            for source, zones in of_source.items()
        }
        return {source: zones for source, zones in near.items() if zones}


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The result of a step."""

    name: str
    runs: list[Run] = field(default_factory=list)
    days_up_to_date: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class CountingStep(Protocol):
    """What a plug-in counts of the places of pictures; see `PicturePlaces`."""

    def read_zones(self, store: ObjectStore) -> DrawnZones:
        """Return the zones that are drawn now. Raises `Retryable`: the store is away."""

    def days_to_count(
        self, *, store: ObjectStore, interval_s: int, manifests: ManifestReader, selection: DaySelection
    ) -> tuple[list[DayToCount], list[Skipped]]:
        """Return the days that `count` would count now, and the data that cannot be used."""

    def count(
        self,
        *,
        settings: Settings,
        store: ObjectStore,
        progress: Progress,
        runner: str,
        selection: DaySelection,
        manifests: ManifestReader,
    ) -> StepReport:
        """Count from the tracks of current runs. Raises as `driver.aggregate`."""


def counting_steps() -> tuple[CountingStep, ...]:
    """Return those of the plug-ins that are here."""
    places = picture_places()
    return () if places is None else (places.counting_step(),)
