"""What a plug-in has counted beside whole pictures: within parts of them in the job, and behind the job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from frametally.books.runs import CurrentDay, DayKey
from frametally.media.manifests import ManifestReader
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import MediaManifest, Run
from frametally.rules.places import ZoneShape
from frametally.settings.loading import Settings
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.segment_notes import SegmentNote
from frametally_hadoop.planning.selection import DaySelection

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
    """What a day is counted from within parts of pictures; without any it is to show none.

    Attributes:
        notes: Of segments with footage of sources that have parts then.
        zones: By source, with those times that lie on the day, and in a margin about it.
    """

    notes: list[SegmentNote]
    zones: dict[str, Zones]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What a step counted.

    Attributes:
        name: What it counts at, in words.
        runs: Published runs, one per day, sorted.
        days_up_to_date: Days that needed nothing.
        skipped: What was set aside.
        warnings: What a person should look at, one line each.
    """

    name: str
    runs: list[Run] = field(default_factory=list)
    days_up_to_date: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class PictureParts(Protocol):
    """The parts of all sources' pictures."""

    @property
    def unreadable(self) -> list[Skipped]:
        """What cannot be counted."""

    def days(
        self,
        days: Mapping[DayKey, Sequence[SegmentNote]],
        current: Mapping[DayKey, CurrentDay],
        params: CountParams,
    ) -> dict[DayKey, PartDay]:
        """Return the days that have parts, and those that had some, by the key of their series.

        Args:
            days: By key, from which segments each day is counted.
            current: Every day that was counted, in any series.
            params: How they are counted.
        """

    def work(self, days: Mapping[str, AbstractSet[int]], notes: Iterable[SegmentNote]) -> dict[str, str]:
        """Return by segment key what its tasks read as `PartWork`; `days` are its stale days within parts."""


class CountingStep(Protocol):
    """The hook `counting` of a plug-in."""

    def parts(self, store: ObjectStore, media: Sequence[MediaManifest]) -> PictureParts:
        """Return the parts that there are now. Raises `Retryable`: the store is away."""

    def days_to_count(
        self, *, store: ObjectStore, interval_s: int, manifests: ManifestReader, selection: DaySelection
    ) -> tuple[list[DayToCount], list[Skipped]]:
        """Return the days that `count` would count as things are now, and what cannot be used."""

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
        """Count from the tracks of runs that stand now. Raises as `driver.aggregate`."""


def counting_steps() -> tuple[CountingStep, ...]:
    """Return those of the plug-ins that are here."""
    return hooks("counting")
