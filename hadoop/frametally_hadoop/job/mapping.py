"""The map side of the counting job: reads segments, and groups raw frame lines by interval.

Standard library only. A task's input is manifest lines. Each is a split: one segment, or several with an
`ENTRY_SEPARATOR` between them. A segment is its URL, then, each after a TAB and each optional, the days to
count (whole days since 1970-01-01 UTC, separated by commas; none: all of them; `NO_DAYS`: no day), the name
that it has in reports (none: its URL without the query, where a presigned one is signed), what does not
count, forgotten or lost to an overlapping medium (see `tombstones.Forgotten`, as a JSON object), what is
counted within parts of pictures (see `PartWork`), and where not all hours of the days are counted, those that
are: a JSON array of two objects, by source whole hours since 1970, of whole pictures and within parts; then
`BY_COUNTS` where the counts in its header say all.

Pairs come out, keys as JSON arrays:

- `["frames", model, source, interval_start_ms]`: frame lines as the segments have them, joined by
  `LINE_SEPARATOR`; or cells of headers' counts (`rules.segment_counts`), joined alike;
- `["tracks", model, source, hour_start_ms]`: the same for a UTC hour and its margins, if objects are tracked;
- the same two with the series of parts and, behind the start, the parts of the source that hold then;
- `["corrupt", segment, line_number]`: why that line was set aside, as a JSON string;
- `["lines", model, day_start_ms]`: how many frame lines of that UTC day were passed on; what is published is
  compared with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, NamedTuple, Protocol

from frametally.plugins import hooks
from frametally.rules.places import series_model
from frametally.rules.segment_counts import SegmentCounting
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.rules.tombstones import Forgotten, is_forgotten
from frametally_hadoop.job.fetching import Fetch, fetch
from frametally_hadoop.job.lines import Frame, to_json
from frametally_hadoop.job.params import MARGIN_MS, CountParams
from frametally_hadoop.job.reading import Block, Header, read_blocks, read_header


def hours_near(time_ms: int) -> tuple[int, ...]:
    """Return the starts of the hours that a frame is tracked in: its own, and the one that it is near to."""
    since = time_ms % HOUR_MS
    own = time_ms - since
    if since < MARGIN_MS:
        return own, own - HOUR_MS
    if since >= HOUR_MS - MARGIN_MS:
        return own, own + HOUR_MS
    return (own,)


class FramesOfPart(NamedTuple):
    """The frames of one part, by its place, and how many lines repeated one."""

    place: str
    frames: list[Frame]
    dropped: int


class PartWork(Protocol):
    """The counts within parts for a task, of the segment in a manifest's entry."""

    @property
    def days(self) -> AbstractSet[int]:
        """As whole days since 1970."""

    def holding(self, source: str, from_ms: int, to_ms: int) -> Sequence[tuple[Any, ...]]:
        """Return the parts of a source that hold in some of `[from_ms, to_ms)`, as keys have them."""


class PartRules(Protocol):
    """A plug-in's rules of counts within parts of pictures; see `PicturePlaces.task_rules`."""

    @property
    def series(self) -> str:
        """The counts within parts are this series of a model."""

    def parse_work(self, text: str) -> PartWork:
        """Read a manifest's entry of one segment."""

    def count_at(self, parts: Any, time_ms: int) -> int:
        """Return how many of the parts of one source hold at an event time."""

    def narrowed(
        self, source: str, parts: Any, frames: Sequence[Frame], repeats: Sequence[Frame]
    ) -> Iterator[FramesOfPart]:
        """Yield for each part the distinct frames of a source, and the lines that repeated one.

        `parts` are those of a key as JSON has them.
        """


@cache
def part_rules() -> PartRules:
    """Return the rules of the plug-in that has some: manifests and keys name parts where there are any."""
    rules: PartRules = hooks("places")[0].task_rules()
    return rules


LINE_SEPARATOR = b"\x1e"
"""Stands between grouped lines: no JSON text holds it raw."""

ENTRY_SEPARATOR = "\x1e"
"""Stands between the segments of one manifest line: no address holds it raw either."""

NO_DAYS = "-"
"""Marks in a manifest that a segment is read for its parts alone."""

BY_COUNTS = "counts"
"""Says in a manifest that the counts in a segment's header are read, if they are there, and not its lines."""

_BUFFER_BYTES = 64 * 1024 * 1024

Count = Callable[[str, str, int], None]
"""Adds to a counter of the engine: group, name, amount."""


class FrameGroups:
    """The frame lines of all segments of one task by interval and by hour, in bounded memory."""

    def __init__(
        self,
        params: CountParams,
        count: Count,
        *,
        buffer_bytes: int = _BUFFER_BYTES,
        fetch: Fetch = fetch,
    ) -> None:
        """Hold at most about `buffer_bytes` of lines before they are passed on; `fetch` reads segments."""
        self._fetch = fetch
        self._interval_ms = params.interval_s * 1000
        self._count = count
        self._buffer_bytes = buffer_bytes
        self._tracks = params.tracking is not None
        # All frames of one cell belong to the same groups: hours and their margins begin and end with one.
        self._cell_ms = math.gcd(self._interval_ms, MARGIN_MS) if self._tracks else self._interval_ms
        self._groups: dict[tuple[Any, ...], list[bytes]] = {}
        self._hours: _Hours | None = None
        self._cells: dict[tuple[Any, ...], list[bytes]] = {}
        self._counting = SegmentCounting(params.interval_s, params.min_confidence, params.min_side)
        self.held_bytes = 0
        self._passed_on: dict[tuple[str, int], int] = {}

    def add(self, manifest_line: str) -> Iterator[tuple[bytes, bytes]]:
        """Read the segments of one line; yields the lines set aside, and the groups when the buffer is full.

        Raises `Retryable`: a segment cannot be read now, or came cut short; `Poison` if it is not a segment.
        """
        for entry in manifest_line.strip().split(ENTRY_SEPARATOR):
            yield from self._add_segment(entry)

    def _add_segment(self, entry: str) -> Iterator[tuple[bytes, bytes]]:
        url, days, name, stones, parts, hours, how = [*entry.split("\t"), "", "", "", "", "", ""][:7]
        if not url:
            return
        name = name or url.partition("?")[0]
        wanted = None
        if days:
            wanted = frozenset(int(day) for day in days.split(",") if day != NO_DAYS)
        work = part_rules().parse_work(parts) if parts else None
        forgotten: Forgotten = json.loads(stones) if stones else {}
        self._hours = [_as_sets(by_source) for by_source in json.loads(hours)] if hours else None
        if how == BY_COUNTS:
            header = read_header(url, name, fetch=self._fetch)
            if header.counting == self._counting:
                self._add_counts(header, wanted)
                return
        sources = None if self._hours is None else {source for part in self._hours for source in part}
        for block in read_blocks(url, name, sources=sources, fetch=self._fetch):
            for number, reason in block.bad:
                self._count("frames", "corrupt lines set aside", 1)
                yield to_json(["corrupt", name, number]), to_json(reason)
            self._group(_without(block, forgotten) if forgotten else block, wanted, work)
            if self.held_bytes >= self._buffer_bytes:
                yield from self.drain()

    def _add_counts(self, header: Header, days: Collection[int] | None) -> None:
        for source, cell in header.cells():
            start_ms, frames, repeats, *_ = cell
            day = start_ms // DAY_MS
            if (days is None or day in days) and self._has_hour(0, source, start_ms):
                text = to_json(cell)
                key = ("frames", header.model, source, start_ms)
                self._cells.setdefault(key, []).append(text)
                self.held_bytes += len(text)
                self._pass_on(header.model, day, frames + repeats)

    def _group(self, block: Block, wanted: Collection[int] | None, work: PartWork | None) -> None:
        """Add runs of lines that belong to the same groups: a segment is sorted, so these are long."""
        frames, cell_ms = block.frames, self._cell_ms
        first, source, begin_ms, end_ms = 0, "", 0, 0
        for index, frame in enumerate(frames):
            time_ms = frame.captured_at_ms
            if not begin_ms <= time_ms < end_ms or frame.source != source:
                if index:
                    self._add_run(block, slice(first, index), begin_ms, wanted, work)
                first, source = index, frame.source
                begin_ms = time_ms - time_ms % cell_ms
                end_ms = begin_ms + cell_ms
        if frames:
            self._add_run(block, slice(first, len(frames)), begin_ms, wanted, work)

    def _add_run(
        self, block: Block, run: slice, time_ms: int, wanted: Collection[int] | None, work: PartWork | None
    ) -> None:
        frames = block.frames[run]
        model, source = block.model, frames[0].source
        joined = LINE_SEPARATOR.join(block.lines[run])
        for kind, start_ms in self._groups_at(time_ms):
            day = start_ms // DAY_MS
            if (wanted is None or day in wanted) and self._has_hour(0, source, start_ms):
                self._hold((kind, model, source, start_ms), joined)
                if kind == "frames":
                    self._pass_on(model, day, len(frames))
            if work is not None and day in work.days and self._has_hour(1, source, start_ms):
                self._add_parts(block.model, frames, joined, (kind, start_ms), work)

    def _has_hour(self, part: int, source: str, start_ms: int) -> bool:
        """Return whether that hour is counted, of whole pictures (0) or within parts (1)."""
        return self._hours is None or start_ms // HOUR_MS in self._hours[part].get(source, ())

    def _add_parts(
        self, model: str, frames: Sequence[Frame], joined: bytes, group: tuple[str, int], work: PartWork
    ) -> None:
        kind, start_ms = group
        rules = part_rules()
        source, series = frames[0].source, series_model(model, rules.series)
        if kind == "frames":
            parts = work.holding(source, start_ms, start_ms + self._interval_ms)
            lines = sum(rules.count_at(parts, frame.captured_at_ms) for frame in frames)
            self._pass_on(series, start_ms // DAY_MS, lines)
        else:
            parts = work.holding(source, start_ms - MARGIN_MS, start_ms + HOUR_MS + MARGIN_MS)
        if parts:
            self._hold((kind, series, source, start_ms, parts), joined)

    def _groups_at(self, time_ms: int) -> list[tuple[str, int]]:
        groups = [("frames", time_ms - time_ms % self._interval_ms)]
        if self._tracks:
            groups += [("tracks", hour) for hour in hours_near(time_ms)]
        return groups

    def _hold(self, key: tuple[Any, ...], joined: bytes) -> None:
        self._groups.setdefault(key, []).append(joined)
        self.held_bytes += len(joined)

    def _pass_on(self, model: str, day: int, lines: int) -> None:
        self._passed_on[model, day] = self._passed_on.get((model, day), 0) + lines

    def drain(self) -> Iterator[tuple[bytes, bytes]]:
        """Pass on all that is held."""
        for groups in (self._groups, self._cells):
            for key in [*groups]:
                yield to_json(key), LINE_SEPARATOR.join(groups.pop(key))
        for (model, day), lines in self._passed_on.items():
            yield to_json(["lines", model, day * DAY_MS]), b"%d" % lines
        self._passed_on.clear()
        self.held_bytes = 0


_Hours = list[dict[str, frozenset[int]]]


def _as_sets(by_source: dict[str, list[int]]) -> dict[str, frozenset[int]]:
    return {source: frozenset(hours) for source, hours in by_source.items()}


def _without(block: Block, forgotten: Forgotten) -> Block:
    wanted = [
        (line, frame)
        for line, frame in zip(block.lines, block.frames, strict=True)
        if not is_forgotten(frame.media, frame.captured_at_ms, forgotten)
    ]
    return block._replace(lines=[line for line, _ in wanted], frames=[frame for _, frame in wanted])
