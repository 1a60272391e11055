"""The notes of the segments of one day; planning reads them only when it needs them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from frametally_hadoop.planning.segment_notes import SegmentNote


class DayNotes(Collection[SegmentNote]):
    """The notes of the segments that one day is counted from, by key, which are read when they are needed.

    `identity` tells which they are; None: it is not known without reading them.
    """

    def __init__(
        self,
        load: Callable[[], Sequence[SegmentNote]],
        identity: str | None = None,
        sources: Collection[str] | None = None,
        own_sources: Collection[str] | None = None,
    ) -> None:
        """Read nothing; `sources` and `own_sources` as `_Day` has them, None: not known without reading."""
        self._load = load
        self.identity = identity
        self._sources, self._own_sources = sources, own_sources

    def __len__(self) -> int:
        return len(self._load())

    def __contains__(self, note: object) -> bool:
        return note in self._load()

    def __iter__(self) -> Iterator[SegmentNote]:
        return iter(self._load())

    def sources(self) -> set[str]:
        """Return the sources of all its segments."""
        if self._sources is None:
            return {source for note in self for source in note.sources}
        return set(self._sources)

    def with_sources(self, sources: Collection[str]) -> DayNotes:
        """Return those with frames of any of these sources."""
        if self._sources is not None and set(self._sources) <= set(sources):
            return self
        return DayNotes(lambda: [note for note in self if not set(sources).isdisjoint(note.sources)])

    def own(self, day: int) -> list[SegmentNote]:
        """Return those with frames of the day itself, as a whole day since 1970."""
        return [note for note in self if day in note.days]

    def own_sources(self, day: int) -> set[str]:
        """Return the sources of `own`."""
        if self._own_sources is None:
            return {source for note in self.own(day) for source in note.sources}
        return set(self._own_sources)
