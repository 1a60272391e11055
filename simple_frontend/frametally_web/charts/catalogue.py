"""The catalogue for charts: the models, the valid names in queries, zones, checks, and facts about media."""

from __future__ import annotations

import datetime
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from frametally.actions.parameters import MAX_VALUES, Args, read_many, read_one, shortened
from frametally.actions.problems import Problem, as_sentence, bad_parameter
from frametally.media.manifests import media_of, sources_timed_by_file
from frametally.media.overlapping import named_medium
from frametally.media.source_timezones import shared_timezone
from frametally.media.sources import footage_until, source_names
from frametally.naming import NoSuchName, labels_to_count, no_such
from frametally.plugins import hooks
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import BoxFilters, picture_places
from frametally.records import MediaManifest
from frametally.rules.overlaps import Overlap
from frametally.rules.times import DAY_MS, HOUR_MS, HOUR_S, MONDAY_TO_1970_MS, WEEK_MS, offset_at
from frametally.rules.tombstones import merged
from frametally.settings.loading import Settings
from frametally_web.access.visitors import visitor
from frametally_web.charts import answers
from frametally_web.charts.answers import FileTime, OverlappingMedia, ShowsNothing
from frametally_web.charts.local_bars import Bars, Ranges, cut
from frametally_web.requests.answers import TimeRange
from frametally_web.requests.query import Selection


class MediaTimes:
    """The media as last read; methods return None if the store cannot be read now."""

    def __init__(
        self,
        manifests: Sequence[MediaManifest] | None,
        unanalysed: Mapping[str, Mapping[str, Sequence[tuple[int, int]]]] | None = None,
        overlaps: Iterable[Overlap] = (),
        dead_letters: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
        timezones: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Take manifests, `find_unanalysed`, overlaps, `find_dead_letters` and `readable_timezones`."""
        self._media = {media_of(manifest): manifest for manifest in manifests or ()}
        self._overlaps: defaultdict[str, list[Overlap]] = defaultdict(list)
        for overlap in overlaps:
            self._overlaps[overlap.source].append(overlap)
        self._manifests = manifests
        self._unanalysed = unanalysed
        self._dead_letters = dead_letters or {}
        self._by_file = sources_timed_by_file(manifests or [])
        self._names = source_names(manifests or [])
        self._until = footage_until(manifests or [])
        self._timezones = timezones

    def name(self, source: str) -> str:
        """Return the source's name as its owner wrote it, or its slug if the store does not have the name."""
        return self._names.get(source, source)

    def sources(self) -> Collection[str]:
        """Return the sources with media, as far as the store knows."""
        return [source for source in self._names if visitor().sees(source)]

    def timezone(self, source: str) -> str | None:
        """Return the IANA name of a source's time zone, or None."""
        return self._timezones.get(source)

    def timezones(self) -> dict[str, str]:
        """Return the time zones of sources by slug, and under `""` the one that all sources share."""
        sources = self.sources()
        zones = {source: self._timezones[source] for source in sources if source in self._timezones}
        shared = shared_timezone(zones, sources)
        return {**zones, "": shared} if shared else zones

    def shared_timezone(self, sources: Collection[str]) -> str | None:
        """Return the time zone that some sources share (slugs; all if empty), or None if they share none."""
        return shared_timezone(self._timezones, sources or self.sources()) if self._timezones else None

    def manifests_of(self, source: str) -> list[MediaManifest]:
        """Return the media of a source, by first event time; empty if the store cannot be read."""
        return [manifest for manifest in self._manifests or () if manifest.source == source]

    def footage_until(self, source: str) -> int | None:
        """Return the event time of its newest announced frame; None if the store cannot be read."""
        return self._until.get(source)

    def is_timed_by_file(self, source: str) -> bool | None:
        """Return whether some of its times are only files' dates; None if the store cannot be read."""
        return None if self._manifests is None else source in self._by_file

    def ranges(self, source: str) -> list[TimeRange] | None:
        """Return a source's ranges that are timed by files, in order; None if the store cannot be read."""
        if self._manifests is None:
            return None
        ranges = [
            (manifest.first_captured_at_ms, manifest.last_captured_at_ms + 1)
            for manifest in self._manifests
            if manifest.source == source
            and manifest.time_source == "file_time"
            and manifest.first_captured_at_ms is not None
            and manifest.last_captured_at_ms is not None
        ]
        return [
            TimeRange(from_ms=from_ms, to_ms=to_ms)
            for from_ms, to_ms in merged(ranges)
            if from_ms is not None and to_ms is not None
        ]

    def unanalysed(
        self,
        model: str,
        sources: Collection[str],
        from_ms: int,
        to_ms: int,
        chosen: Ranges | None,
    ) -> dict[str, list[tuple[int, int]]] | None:
        """Return when some sources were filmed in `[from_ms, to_ms)` but not counted; None if unknown.

        Only `chosen` ranges are included; see `chosen_ranges`.
        """
        if self._unanalysed is None:
            return None
        spans_by_source = self._unanalysed.get(model, {})
        return {
            source: cut(cut(spans_by_source.get(source, ()), [(from_ms, to_ms)]), chosen)
            for source in sources
        }

    def models(self) -> list[str]:
        """Return the models with visible footage that is not in the counts, by name."""
        return [model for model in sorted(self._unanalysed or {}) if self.unanalysed_ranges(model)]

    def unanalysed_ranges(self, model: str) -> dict[str, tuple[int, int]]:
        """Return the range of each source's footage that is not in the counts."""
        spans_by_source = (self._unanalysed or {}).get(model, {})
        return {
            source: (spans[0][0], spans[-1][1])
            for source, spans in spans_by_source.items()
            if spans and visitor().sees(source)
        }

    def unanalysed_of(self, source: str) -> dict[str, list[tuple[int, int]]]:
        """Return when a source was filmed but not counted, by model."""
        return {
            model: [*spans_by_source.get(source, ())]
            for model, spans_by_source in (self._unanalysed or {}).items()
        }

    def dead_letters(self, model: str, source: str, from_ms: int, to_ms: int) -> int:
        """Return how many frames of a source in `[from_ms, to_ms)` could not be analysed."""
        times = self._dead_letters.get(model, {}).get(source, ())
        return bisect_left(times, to_ms) - bisect_left(times, from_ms)

    def overlaps(self, sources: Collection[str], from_ms: int, to_ms: int) -> list[OverlappingMedia] | None:
        """Return where media of some sources overlap within `[from_ms, to_ms)`."""
        if self._manifests is None:
            return None
        return [
            OverlappingMedia(
                source=source,
                from_ms=max(overlap.from_ms, from_ms),
                to_ms=min(overlap.to_ms, to_ms),
                counted=named_medium(self._media.get(overlap.winner), overlap.winner),
                not_counted=named_medium(self._media.get(overlap.loser), overlap.loser),
            )
            for source in sorted(self._overlaps.keys() & set(sources))
            for overlap in self._overlaps[source]
            if overlap.from_ms < to_ms and overlap.to_ms > from_ms
        ]

    def file_times(self, sources: Collection[str], from_ms: int, to_ms: int) -> list[FileTime] | None:
        """Return the file-timed ranges of some sources within `[from_ms, to_ms)`."""
        if self._manifests is None:
            return None
        return [
            FileTime(
                source=source, from_ms=max(time_range.from_ms, from_ms), to_ms=min(time_range.to_ms, to_ms)
            )
            for source in sorted(self._by_file.intersection(sources))
            for time_range in self.ranges(source) or ()
            if time_range.from_ms < to_ms and time_range.to_ms > from_ms
        ]


Unanalysed = Mapping[str, Sequence[tuple[int, int]]]
"""Event times `[from_ms, to_ms)` in the requested range that were filmed but not counted, by source."""


def bars_not_analysed(
    unanalysed: Unanalysed,
    *,
    interval_s: int,
    zone: datetime.tzinfo,
    by_source: bool,
    coverage: Iterable[answers.FramesAnalysed | answers.NotWithin | ShowsNothing],
) -> list[answers.NotAnalysed]:
    """Return the bars with such times but without coverage, by start and source."""
    bars = Bars(interval_s, zone)
    analysed = {(bucket.start_ms, bucket.source) for bucket in coverage}
    ends: dict[tuple[int, str | None], int] = {}
    for of_source, ranges in unanalysed.items():
        source = of_source if by_source else None
        for from_ms, to_ms in ranges:
            for start_ms, end_ms in bars.over(from_ms, to_ms):
                if (start_ms, source) not in analysed:
                    ends[start_ms, source] = end_ms
    return [
        answers.NotAnalysed(start_ms=start_ms, end_ms=ends[start_ms, source], source=source)
        for start_ms, source in sorted(ends, key=lambda place: (place[0], place[1] or ""))
    ]


def hours_not_analysed(
    unanalysed: Unanalysed, *, zone: datetime.tzinfo, cells: Iterable[answers.WeekCell]
) -> list[answers.WeekHourNotAnalysed]:
    """Return the hours of the week with such times but without a cell, by weekday and hour."""
    bars = Bars(HOUR_S, zone)
    hours: set[int] = set()
    for ranges in unanalysed.values():
        for from_ms, to_ms in ranges:
            for start_ms, _ in bars.over(from_ms, to_ms):
                hours.add((start_ms + offset_at(zone, start_ms) + MONDAY_TO_1970_MS) % WEEK_MS // HOUR_MS)
    analysed = {(cell.weekday - 1) * DAY_MS // HOUR_MS + cell.hour for cell in cells}
    return [
        answers.WeekHourNotAnalysed(weekday=hour // 24 + 1, hour=hour % 24)
        for hour in sorted(hours - analysed)
    ]


class Choice(NamedTuple):
    """The one model that a query reads, with its stored base intervals.

    The model is `NO_MODEL` if nothing was detected yet. For a question with a range, the base intervals are
    those that have all its footage (or the requested one), and `lacking_s` the ones that lack some.
    """

    model: str
    base_intervals_s: list[int]
    lacking_s: Sequence[int] = ()


def stored_intervals(index: CountIndex) -> dict[str, list[int]]:
    """Return the stored base intervals of each model, finest first; the model published last comes first."""
    bases: dict[str, list[int]] = {}
    for series in index.series():
        bases.setdefault(series.model, []).append(series.base_interval_s)
    return {model: sorted(intervals_s) for model, intervals_s in bases.items()}


def choose_model(index: CountIndex, model_name: str | None) -> Choice | None:
    """Return the requested model, or the newest; None if nothing is indexed and none was requested.

    Raises:
        Problem: 400 if there is no such model; it lists the known ones.
    """
    bases = stored_intervals(index)
    model = next(iter(bases), None) if model_name is None else model_name
    if model is None:
        return None
    if model not in bases:
        raise bad_parameter(
            "model",
            f"The model {model!r} has no counts.",
            remedy=f"Choose one of these: {', '.join(bases)}." if bases else "There are no counts yet.",
        )
    return Choice(model, bases[model])


def choose_filmed(
    index: CountIndex, settings: Settings, media: MediaTimes, selection: Selection
) -> Choice | None:
    """Return `choose_model`; if nothing is counted yet, a model with waiting footage, or `NO_MODEL`.

    Raises as `check_names`.
    """
    choice = check_names(index, selection, media.sources)
    waiting = media.models() if choice is None else []
    return Choice(waiting[0], [settings.interval_s]) if waiting else choice


_MOST_NAMED = 5


def check_names(
    index: CountIndex, selection: Selection, sources_with_media: Callable[[], Iterable[str]]
) -> Choice | None:
    """Return `choose_model`, after checking that the labels were ever counted and the sources have footage.

    Something that was counted, but does not occur in the range, is zero. A source is also known if its
    footage is announced but not counted yet. Both are known if they were counted with another model.

    Raises:
        Problem: 400 with the nearest names, or if there is no such model.
    """
    choice = choose_model(index, selection.model)
    if choice is None:
        filmed = sorted(sources_with_media()) if selection.sources else []
        if strange := [
            source
            for source in selection.sources
            if not visitor().sees(source) or (filmed and source not in filmed)
        ]:
            raise unknown("source", strange, filmed)
        return None
    missing: list[NoSuchName] = []
    labels = [label for label, _ in index.labels(choice.model)]
    if not {*labels}.issuperset(selection.labels):
        other_labels = labels_to_count(index, choice.model)
        for model in stored_intervals(index):
            other_labels.update(label for label, _ in index.labels(model))
        if not {*labels, *other_labels}.issuperset(selection.labels):
            missing += _missing(
                "label", selection.labels, [*labels, *sorted(other_labels.difference(labels))]
            )
    sources = {summary.source for summary in index.sources(choice.model)}
    if not sources.issuperset(selection.sources):
        sources.update(sources_with_media())
        for model in stored_intervals(index):
            sources.update(summary.source for summary in index.sources(model))
        missing += _missing("source", selection.sources, sorted(sources))
    if missing:
        raise _refusal(missing)
    return choice


def unknown(parameter: str, names: Iterable[str], known_names: Sequence[str]) -> Problem:
    """Return the problem that requested names are unknown, with the nearest known ones."""
    return _refusal(_missing(parameter, names, known_names))


def _missing(parameter: str, names: Iterable[str], known_names: Sequence[str]) -> list[NoSuchName]:
    return [no_such(parameter, name, known_names) for name in names if name not in known_names]


def _refusal(missing: Sequence[NoSuchName]) -> Problem:
    first, first_missing = missing[0], missing[:_MOST_NAMED]
    remedies = [
        name.remedy if len(missing) == 1 else f"{name.kind} {shortened(name.name)!r}: {name.remedy}"
        for name in first_missing
    ]
    return bad_parameter(
        first.kind,
        " ".join(f"There is no {name.kind} named {shortened(name.name)!r}." for name in first_missing),
        remedy=" ".join(map(as_sentence, remedies)),
        value=first.name,
        instead=first.near,
    )


def narrowed(index: CountIndex, store: ObjectStore, args: Args) -> CountIndex:
    """Return the index that a query reads: of the whole picture, or of a zone. Raises `Problem`."""
    zone, places = read_one(args, "zone"), picture_places()
    if zone is None or places is None:
        return index
    return places.within(index, store, zone, read_many(args, "source", limit=MAX_VALUES))


def zones_by_source(index: CountIndex, model: str) -> Mapping[str, list[str]]:
    """Return the places to which the counts of each source can be limited."""
    places = picture_places()
    return {} if places is None else places.zones(index, model)


def box_filters(index: CountIndex, model: str, base_interval_s: int) -> BoxFilters | None:
    """Return which boxes an index counts; None for those of the whole picture."""
    filters = getattr(index, "box_filters", None)
    return filters(model, base_interval_s) if filters else None


def checks_version(settings: Settings) -> str:
    """Return a text that identifies the state of all accuracy checks; empty while there are none."""
    return "-".join(filter(None, (checks.version(settings) for checks in hooks("count_checks"))))
