"""The media of sources as last read: names, time zones, overlaps, and footage that is not counted yet."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from frametally.media.manifests import media_of, sources_timed_by_file
from frametally.media.overlapping import named_medium
from frametally.media.source_timezones import shared_timezone
from frametally.media.sources import footage_until, source_names
from frametally.records import MediaManifest
from frametally.rules.overlaps import Overlap
from frametally.rules.tombstones import merged
from frametally_web.access.visitors import visitor
from frametally_web.charts.answers import FileTime, OverlappingMedia
from frametally_web.charts.local_bars import Ranges, cut
from frametally_web.requests.answers import TimeRange


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
