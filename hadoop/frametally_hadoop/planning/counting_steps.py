"""The days that an aggregation may count, and what plug-ins count beside whole pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from frametally import keys
from frametally.books.runs import CurrentDay, DayKey
from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import picture_places
from frametally.process.reports import Progress, Skipped
from frametally.records import MediaManifest, Run
from frametally.rules.places import ZoneShape
from frametally.rules.times import is_day_in_range
from frametally.settings.loading import Settings
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.segment_book import DaySegments


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


Zones = tuple[ZoneShape, ...]


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


class PartDay(NamedTuple):
    """The inputs of a day within parts of pictures; without any, the day shows no counts.

    Attributes:
        segments: Those with footage of sources that have parts then.
        zones: By source, with those times that lie on the day, and in a margin about it.
    """

    segments: DaySegments
    zones: dict[str, Zones]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The result of a step."""

    name: str
    runs: list[Run] = field(default_factory=list)
    days_up_to_date: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class PictureParts(Protocol):
    """The parts of all sources' pictures."""

    @property
    def unreadable(self) -> list[Skipped]:
        """The days and sources that cannot be counted."""

    def days(
        self,
        days: Mapping[DayKey, DaySegments],
        current: Mapping[DayKey, CurrentDay],
        params: CountParams,
    ) -> dict[DayKey, PartDay]:
        """Return the days that have parts, and those that had some, by the key of their series."""

    def work(
        self, days: Mapping[str, AbstractSet[int]], sources: Mapping[str, AbstractSet[str]]
    ) -> dict[str, Any]:
        """Return the work of tasks by segment key, as `PartRules` parses it.

        `days` are those to count of each segment, `sources` those that it has.
        """


class CountingStep(Protocol):
    """What a plug-in counts of the places of pictures; see `PicturePlaces`."""

    def parts(self, store: ObjectStore, media: Sequence[MediaManifest]) -> PictureParts:
        """Return the parts that there are now. Raises `Retryable`: the store is away."""

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
