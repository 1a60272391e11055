"""Finds the frames that thinning keeps: the proof of each visit, and some of each interval."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from frametally import keys
from frametally.books.runs import current_days, read_run, read_tracks
from frametally.media.manifests import list_manifests, without_names
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import EventFootage, EventPlace, picture_places
from frametally.process.reports import Progress
from frametally.records import Evidence, Run
from frametally.rules.places import base_model, is_of_places, source_of
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_hadoop.dry_run import dry_run

_DAYS = 4


class ProofFrames:
    """The frames that prove the counts of current runs.

    The first and the best frame prove a visit (a `Track`), with a frame of each crossing of a line. The
    frame with most boxes of a label in each interval proves the label.
    """

    def __init__(self, store: ObjectStore, settings: Settings, progress: Progress) -> None:
        """Find out which days are counted as they are now.

        Raises:
            Retryable: The store or the ledger is unavailable.
            Poison: A manifest or a drawing is damaged.
        """
        self._store = store
        waiting = dry_run(settings=settings, store=store, progress=progress)
        stale = {(base_model(day.model), day.day) for day in waiting.days}
        of_sources: list[Run] = []
        of_places: list[Run] = []
        for current in current_days(store).values():
            if current.run is not None:
                (of_places if is_of_places(current.run.model) else of_sources).append(current.run)
        self._runs: dict[str, list[Run]] = {}
        for run in of_sources:
            self._runs.setdefault(run.day, []).append(run)
        self._stale = {day for _, day in stale}
        media = [without_names(manifest) for manifest in list_manifests(store)]
        self._footage = EventFootage(store, settings, [*of_sources, *of_places], media)
        places = picture_places()
        self._places: list[EventPlace] = [] if places is None else list(places.event_places(store))
        self._of_day = lru_cache(_DAYS)(self._read_day)

    def is_counted(self, start_ms: int) -> bool:
        """Return whether the UTC day of a time is counted from all that is there now."""
        day = keys.utc_day(start_ms)
        return day in self._runs and day not in self._stale

    def image_paths(self, source: str, start_ms: int, interval_s: int) -> set[str]:
        """Return the image paths that prove visits and labels of a source on a UTC day and its neighbours.

        Raises:
            Poison: A run is damaged; the message names it.
            Retryable: A run was replaced while it was read.
        """
        days = (keys.utc_day(start_ms + shift * DAY_MS) for shift in (-1, 0, 1))
        return set().union(*(self._of_day(day, interval_s).get(source, ()) for day in days))

    def crossing_times(self, source: str, from_ms: int, to_ms: int) -> list[int]:
        """Return the sorted times of crossings of a source's lines. Raises as `PicturePlaces.events`."""
        places = picture_places()
        if places is None:
            return []
        days = {keys.utc_day(from_ms), keys.utc_day(to_ms - 1)}
        series = {(run.model, run.interval_s) for day in days for run in self._runs.get(day, ())}
        return sorted(
            {
                event.at_ms
                for place in self._places
                if place.source == source and place.holds_in(from_ms, to_ms)
                for model, interval_s in sorted(series)
                for event in places.events(
                    self._footage,
                    place,
                    model=model,
                    base_interval_s=interval_s,
                    from_ms=from_ms,
                    to_ms=to_ms,
                )
            }
        )

    def _read_day(self, day: str, interval_s: int) -> Mapping[str, set[str]]:
        paths: dict[str, set[str]] = {}
        busiest: dict[tuple[str, str, int], Evidence] = {}
        for run in self._runs.get(day, ()):
            for track in read_tracks(self._store, run):
                of_source = paths.setdefault(source_of(track.source), set())
                of_source |= {track.first.image_path, track.best.image_path}
            for count in read_run(self._store, run)[0]:
                interval = count.interval_start_ms // (interval_s * 1000)
                key = source_of(count.source), count.label, interval
                for evidence in count.evidence:
                    if key not in busiest or evidence.count > busiest[key].count:
                        busiest[key] = evidence
        for (source, _, _), evidence in busiest.items():
            paths.setdefault(source, set()).add(evidence.image_path)
        return paths
