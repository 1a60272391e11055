"""The map and the reduce of the counting job. Standard library only.

The map side reads the segments of a manifest (`reading`), and passes each frame line on to its unit: model,
source and UTC hour, or, where intervals do not divide an hour, the fewest whole hours that they do divide. If
objects are tracked, a unit also gets the lines of the minute before and after it. The reduce side counts a
whole unit at once: its lines are final, one per key.

Pairs from map to reduce, keys as JSON arrays:

- `["frames", model, source, unit_start_ms]`: frame lines of one cell as in the segments, joined by
  `LINE_SEPARATOR`, after `[cell_start_ms, [[media, width_px, height_px], ...]]` with the sizes of pictures;
- the same, with the start followed by the zones of the source to count within and whether the unit is also
  counted whole;
- `["corrupt", segment, line_number]`: why that line was set aside, as a JSON string;
- `["lines", model, day_start_ms]`: the number of frame lines passed on to that UTC day, for publication to
  compare with; in the series of zones, once for each zone.

Output pairs, keys as JSON arrays, values as JSON; the first two are those of part files:

- `["count", source, label, interval_start_ms]`: an `IntervalCount`;
- `["coverage", source, interval_start_ms]`: a `Coverage`;
- `["track", ...]` and `["paths", ...]`: see `visits`;
- `["hour", source, unit_start_ms]`: the inputs of a unit, see `_Unit.record`;
- `["corrupt", ...]` and `["lines", ...]`: as from the map side, the lines summed, with their model.

Each zone gives the same pairs, with the zone instead of the source and the series of zones as the model. The
plug-in that draws zones decides which boxes are in them (`PicturePlaces.narrowed`). The records are written
here field by field, in the order and to the bytes of `frametally.records`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from frametally.plugins import hooks
from frametally.rules.blank_stretches import (
    BlankReason,
    BlankStretch,
    blank_order,
    blank_reasons,
    stretches_of,
    stretches_within,
)
from frametally.rules.evidence import Hit, best_hits, hits_by_label
from frametally.rules.known import NAMES_OF_TRACKS
from frametally.rules.places import ZONES, Zones, parse_zones, series_model
from frametally.rules.times import DAY_MS, HOUR_MS, RECORD_VERSION
from frametally_hadoop.job.following import sizes_by_minute
from frametally_hadoop.job.lines import (
    Frame,
    FrameSize,
    distinct_frames,
    from_json,
    to_json,
    with_boxes_as_evidence,
)
from frametally_hadoop.job.params import MARGIN_MS, CountParams
from frametally_hadoop.job.reading import CellRun, Fetch, SegmentEntry, fetch, parse_line, read_blocks
from frametally_hadoop.job.visits import (
    TrackedHour,
    are_followed,
    covered_time,
    slowest_fps,
    total,
    track_hour,
)

Pair = tuple[bytes, bytes]
Count = Callable[[str, str, int], None]
"""Adds to a counter of the engine: group, name, amount."""

LINE_SEPARATOR = b"\x1e"
"""Separates grouped lines; never occurs raw in JSON text."""
_BUFFER_BYTES = 64 * 1024 * 1024


class FrameGroups:
    """The map side of one task: groups the frame lines of its segments by unit, in bounded memory."""

    def __init__(
        self, params: CountParams, count: Count, *, buffer_bytes: int = _BUFFER_BYTES, fetch: Fetch = fetch
    ) -> None:
        """Hold about `buffer_bytes` of lines at most before passing them on; `fetch` reads segments."""
        self._count = count
        self._buffer_bytes = buffer_bytes
        self._fetch = fetch
        self._params = params
        # A cell is as long as the margins; without margins it is an interval, which is counted alone.
        self._cell_ms = params.margin_ms or params.interval_s * 1000
        self._groups: dict[tuple[tuple[Any, ...], int], tuple[list[bytes], set[FrameSize]]] = {}
        self._passed_on: Counter[tuple[str, int]] = Counter()
        self.held_bytes = 0

    def add(self, manifest_line: str) -> Iterator[Pair]:
        """Read the segments of one line; yield the lines set aside, and the groups when the buffer is full.

        Raises `Retryable` if a segment is unavailable or arrives incomplete; `Poison` if it is not a segment.
        """
        for entry in parse_line(manifest_line):
            yield from self._add_segment(entry)  # frees each last block before the next read

    def _add_segment(self, entry: SegmentEntry) -> Iterator[Pair]:
        for block in read_blocks(entry.url, entry.name, sources=entry.sources, fetch=self._fetch):
            for number, reason in block.bad:
                self._count("frames", "corrupt lines set aside", 1)
                yield to_json(["corrupt", entry.name, number]), to_json(reason)
            for run in block.without(entry.without).runs(self._cell_ms):
                self._add_run(block.model, run, entry)
            if self.held_bytes >= self._buffer_bytes:
                yield from self.drain()

    def _add_run(self, model: str, run: CellRun, entry: SegmentEntry) -> None:
        cell_ms, frames, lines, sizes = run
        source = frames[0].source
        text = LINE_SEPARATOR.join(lines)
        for number, start_ms in enumerate(self._params.units_near(cell_ms)):
            is_whole, zones = entry.has(source, start_ms), entry.zones_of(source, start_ms)
            if is_whole or zones:
                places = (zones, is_whole) if zones else ()
                self._hold(("frames", model, source, start_ms, *places), cell_ms, text, sizes)
            if number == 0:
                self._note_passed_on(model, start_ms, len(frames) if is_whole else 0)
                of_zones = sum(zone.is_on(frame) for zone in zones for frame in frames)
                self._note_passed_on(series_model(model, ZONES), start_ms, of_zones)

    def _hold(self, key: tuple[Any, ...], cell_ms: int, lines: bytes, of_lines: set[FrameSize]) -> None:
        texts, sizes = self._groups.setdefault((key, cell_ms), ([], set()))
        texts.append(lines)
        sizes |= of_lines
        self.held_bytes += len(lines)

    def _note_passed_on(self, model: str, unit_start_ms: int, lines: int) -> None:
        if lines:
            self._passed_on[model, unit_start_ms - unit_start_ms % DAY_MS] += lines

    def drain(self) -> Iterator[Pair]:
        """Pass on everything that is held."""
        for key, cell_ms in [*self._groups]:
            texts, sizes = self._groups.pop((key, cell_ms))
            yield to_json(key), LINE_SEPARATOR.join([to_json([cell_ms, sorted(sizes)]), *texts])
        for where, lines in self._passed_on.items():
            yield to_json(["lines", *where]), b"%d" % lines
        self._passed_on.clear()
        self.held_bytes = 0


def reduce_group(key: bytes, values: Iterable[bytes], params: CountParams, count: Count) -> Iterator[Pair]:
    """Yield the output pairs of one key of the map side."""
    kind, model, *where = from_json(key)
    if kind == "corrupt":
        yield from ((key, value) for value in values)
        return
    if kind == "lines":
        yield key, to_json({"model": model, "lines": sum(map(int, values))})
        return
    source, start_ms, *of_zones = where
    zones, is_whole = (parse_zones(of_zones[0]), of_zones[1]) if of_zones else ((), True)
    end_ms = start_ms + params.unit_ms
    cells: defaultdict[int, list[bytes]] = defaultdict(list)
    sizes: set[FrameSize] = set()
    for value in values:
        cell_ms, of_cell = from_json(value[: value.index(LINE_SEPARATOR)])
        # Tracking needs all frames at once; otherwise decode each interval separately, to touch less memory.
        cells[cell_ms if params.tracking is None else 0].append(value)
        sizes.update(map(tuple, of_cell if start_ms <= cell_ms < end_ms else ()))
    units: dict[str, _Unit] = {}
    counts = params.counted_boxes.rule()
    needs_boxes = params.tracking is not None or params.min_side > 0 or bool(zones)
    for cell_ms in sorted(cells):
        texts = (value[value.index(LINE_SEPARATOR) + 1 :] for value in cells.pop(cell_ms))
        frames, repeats = distinct_frames(
            [text.replace(LINE_SEPARATOR, b"\n") for text in texts], needs_boxes=needs_boxes
        )
        # A box outside a zone, too, is evidence for what the picture shows.
        frames = with_boxes_as_evidence(frames, counts)
        repeats = [frame for frame in repeats if start_ms <= frame.captured_at_ms < end_ms]
        for place, of_place, dropped in _places(source, zones, frames, repeats, is_whole=is_whole):
            of_model = model if place == source else series_model(model, ZONES)
            unit = units.setdefault(place, _Unit(of_model, place, start_ms))
            unit.dropped += dropped
            if params.tracking is not None and len({size[1:] for size in sizes}) > 1:
                unit.pictures = sizes_by_minute(frames, start_ms, end_ms)
            yield from unit.count(of_place, params)
    for unit in units.values():
        if unit.frames:
            if unit.dropped:
                count("frames", "duplicates dropped", unit.dropped)
            yield to_json(["hour", unit.place, start_ms]), to_json(unit.record(sizes))


def _places(
    source: str, zones: Zones, frames: Sequence[Frame], repeats: Sequence[Frame], *, is_whole: bool
) -> Iterator[tuple[str, Sequence[Frame], int]]:
    """Yield each place to count, its frames, and the number of lines that repeated one of them."""
    if is_whole:
        yield source, frames, len(repeats)
    if zones:
        yield from hooks("places")[0].narrowed(source, zones, frames, repeats)


@dataclass
class _Unit:
    """One model, place and unit while it is counted."""

    model: str
    place: str
    start_ms: int
    frames: int = 0
    dropped: int = 0
    blank: list[BlankStretch] | None = None
    pictures: list[tuple[int, list[tuple[int, int]]]] = field(default_factory=list)
    hours: dict[int, TrackedHour] = field(default_factory=dict)
    boxes: Counter[str] = field(default_factory=Counter)

    def count(self, frames: Sequence[Frame], params: CountParams) -> Iterator[Pair]:
        """Yield the output pairs of distinct frames: of an interval, or of the whole unit and its margins.

        Objects are tracked hour by hour, so an interval of several hours is counted in cells of an hour.
        """
        interval_ms, end_ms = params.interval_s * 1000, self.start_ms + params.unit_ms
        frames = sorted(frames, key=blank_order)
        reasons = blank_reasons(frames, with_frozen=params.tracking is not None)
        if reasons is not None and params.tracking is not None:
            self.blank = stretches_within(stretches_of(frames, reasons), self.start_ms, end_ms)
        blank = {frame.image_path: why for frame, why in zip(frames, reasons or (), strict=False) if why}
        cells: defaultdict[tuple[int, int], list[Frame]] = defaultdict(list)
        nothing: defaultdict[int, Counter[BlankReason]] = defaultdict(Counter)
        for frame in frames:
            time_ms = frame.captured_at_ms
            if self.start_ms <= time_ms < end_ms:
                start_ms = time_ms - time_ms % interval_ms
                of_cell = cells[start_ms, time_ms - time_ms % HOUR_MS]
                if frame.image_path in blank:
                    nothing[start_ms][blank[frame.image_path]] += 1
                else:
                    of_cell.append(frame)
        for hour_ms in {hour_ms: None for _, hour_ms in cells}:
            from_ms, to_ms = hour_ms - MARGIN_MS, hour_ms + HOUR_MS + MARGIN_MS
            near = [frame for frame in frames if from_ms <= frame.captured_at_ms < to_ms]
            self.hours[hour_ms] = track_hour(self.model, self.place, hour_ms, near, params, blank)
            yield from self.hours[hour_ms].pairs
        for start_ms, of_interval in groupby(sorted(cells), key=itemgetter(0)):
            by_hour = [(cells[cell], self.hours[cell[1]]) for cell in of_interval]
            of_blank = None if reasons is None else nothing[start_ms]
            yield from self._count_interval(start_ms, by_hour, params, of_blank)

    def _count_interval(
        self,
        start_ms: int,
        by_hour: Sequence[tuple[Sequence[Frame], TrackedHour]],
        params: CountParams,
        nothing: Mapping[BlankReason, int] | None,
    ) -> Iterator[Pair]:
        """Yield counts and coverage of one interval, from the frames that show something.

        `nothing` has the number of frames that show nothing, by reason; None if they were not checked.
        """
        bars: defaultdict[str, list[tuple[list[Hit], TrackedHour]]] = defaultdict(list)
        detections = 0
        for frames, hour in by_hour:
            hits_of, of_hour = hits_by_label(frames, params.counted_boxes)
            detections += of_hour
            for label, hits in hits_of.items():
                bars[label].append((hits, hour))
        hours = [hour for _, hour in by_hour]
        head = {"v": RECORD_VERSION, "model": self.model, "source": self.place}
        distinct = sum(len(frames) for frames, _ in by_hour)
        self.frames += distinct + sum((nothing or {}).values())
        where = {"interval_start_ms": start_ms, "interval_s": params.interval_s, "frames": distinct}
        objects = [None if hour.objects is None or not distinct else 0 for hour in hours]
        for label, bar in sorted(bars.items(), key=itemgetter(0)):
            hits = bar[0][0] if len(bar) == 1 else [hit for of_hour, _ in bar for hit in of_hour]
            best = best_hits(hits)
            of_label = -sum(hit[0] for hit in hits)
            self.boxes[label] += of_label
            of_tracks = zip(*(hour.numbers_of(label, start_ms) for _, hour in bar), strict=True)
            numbers = dict(zip(NAMES_OF_TRACKS, map(total, of_tracks), strict=True))
            objects.append(numbers["objects"])
            counted = {"detections": of_label, "peak": best[0]["count"], **numbers, "evidence": best}
            key = to_json(["count", self.place, label, start_ms])
            yield key, to_json(head | {"label": label} | where | counted)
        covered: dict[str, Any] = {"detections": detections, "objects": total(objects)}
        covered["analysed_fps"] = slowest_fps(hours)
        covered["covered_ms"], nothing_ms = covered_time(hours, start_ms, nothing or ())
        if nothing is not None:
            covered["blank"] = [(why, frames, nothing_ms[why]) for why, frames in sorted(nothing.items())]
        yield to_json(["coverage", self.place, start_ms]), to_json(head | where | covered)

    def record(self, sizes: Iterable[FrameSize]) -> dict[str, Any]:
        """Return the inputs of the unit, without its margins; `blank` is null if frames were not checked.

        If the pictures have several shapes, `pictures` has the minutes at which their sizes change.
        """
        several = {"pictures": self.pictures} if self.pictures else {}
        return several | {
            "v": RECORD_VERSION,
            "model": self.model,
            "lines": self.frames + self.dropped,
            "duplicates_dropped": self.dropped,
            "sizes": sorted(sizes),
            "analysed_fps": slowest_fps(self.hours.values()),
            "followed": are_followed(self.hours.values(), self.boxes),
            "blank": self.blank,
        }
