"""The map and the reduce of the counting job. Standard library only.

The map side reads the segments of a manifest (`manifest`), and passes on each frame line to its unit: model,
source and UTC hour, or, where intervals do not divide an hour, the whole hours that they do divide. Where
objects are tracked, a unit gets the lines of the minute before and after it, too. The reduce side counts a
unit whole: its lines are final, one a key.

Pairs from map to reduce, keys as JSON arrays:

- `["frames", model, source, unit_start_ms]`: frame lines as the segments have them, joined by
  `LINE_SEPARATOR`;
- the same with the series of parts and, behind the start, the parts of the source that hold then;
- `["corrupt", segment, line_number]`: why that line was set aside, as a JSON string;
- `["lines", model, day_start_ms]`: how many frame lines of that UTC day were passed on, each unit's own; what
  is published is compared with it.

Pairs that come out, keys as JSON arrays, values as JSON; the first two are those of part files:

- `["count", source, label, interval_start_ms]`: an `IntervalCount`;
- `["coverage", source, interval_start_ms]`: a `Coverage`;
- `["track", ...]` and `["paths", ...]`: see `visits`;
- `["hour", source, unit_start_ms]`: what a unit was counted from, see `_hour_record`;
- `["corrupt", ...]` and `["lines", ...]`: as they came, the lines summed, with their model.

Of units with parts of pictures, the same comes of each part, with its place as the source (`picture_parts`).
The records are written field by field here, in the order and to the bytes of `frametally.records`.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from frametally.rules.evidence import MOST_EVIDENCE, Hit, hits_by_label
from frametally.rules.objects import is_too_weak
from frametally.rules.places import series_model
from frametally.rules.times import DAY_MS, HOUR_MS, RECORD_VERSION
from frametally_hadoop.job.fetching import Fetch, fetch
from frametally_hadoop.job.lines import Frame, distinct_frames, from_json, to_json
from frametally_hadoop.job.manifest import SegmentEntry, parse_line
from frametally_hadoop.job.params import MARGIN_MS, CountParams
from frametally_hadoop.job.picture_parts import FramesOfPart, part_rules
from frametally_hadoop.job.reading import Block, read_blocks
from frametally_hadoop.job.visits import NOT_TRACKED, TrackedHour, track_hour

Pair = tuple[bytes, bytes]
Count = Callable[[str, str, int], None]
"""Adds to a counter of the engine: group, name, amount."""

LINE_SEPARATOR = b"\x1e"
"""Stands between grouped lines: no JSON text holds it raw."""
_BUFFER_BYTES = 64 * 1024 * 1024


def units_near(time_ms: int, length_ms: int, margin_ms: int) -> tuple[int, ...]:
    """Return the starts of the units that a frame is counted with: its own, and one that it is near to."""
    since_ms = time_ms % length_ms
    own = time_ms - since_ms
    if since_ms < margin_ms:
        return own, own - length_ms
    if since_ms >= length_ms - margin_ms:
        return own, own + length_ms
    return (own,)


# --- map ------------------------------------------------------------------------------------------------


class FrameGroups:
    """The map side of one task: the frame lines of its segments by unit, in bounded memory."""

    def __init__(
        self, params: CountParams, count: Count, *, buffer_bytes: int = _BUFFER_BYTES, fetch: Fetch = fetch
    ) -> None:
        """Hold at most about `buffer_bytes` of lines before they are passed on; `fetch` reads segments."""
        self._count = count
        self._buffer_bytes = buffer_bytes
        self._fetch = fetch
        self._unit_ms = params.unit_ms
        self._margin_ms = 0 if params.tracking is None else MARGIN_MS
        self._groups: defaultdict[tuple[Any, ...], list[bytes]] = defaultdict(list)
        self._passed_on: Counter[tuple[str, int]] = Counter()
        self.held_bytes = 0

    def add(self, manifest_line: str) -> Iterator[Pair]:
        """Read the segments of one line; yields the lines set aside, and the groups when the buffer is full.

        Raises `Retryable`: a segment cannot be read now, or came cut short; `Poison` if it is not a segment.
        """
        for entry in parse_line(manifest_line):
            for block in read_blocks(entry.url, entry.name, sources=entry.sources, fetch=self._fetch):
                for number, reason in block.bad:
                    self._count("frames", "corrupt lines set aside", 1)
                    yield to_json(["corrupt", entry.name, number]), to_json(reason)
                self._add_block(block.without(entry.without), entry)
                if self.held_bytes >= self._buffer_bytes:
                    yield from self.drain()

    def _add_block(self, block: Block, entry: SegmentEntry) -> None:
        """Add runs of lines that belong to the same units: a segment is sorted, so these are long."""
        cell_ms, first = self._margin_ms or self._unit_ms, 0
        for (source, cell), run in groupby(
            block.frames, key=lambda frame: (frame.source, frame.captured_at_ms // cell_ms)
        ):
            frames = list(run)
            joined = LINE_SEPARATOR.join(block.lines[first : first + len(frames)])
            first += len(frames)
            for number, start_ms in enumerate(units_near(cell * cell_ms, self._unit_ms, self._margin_ms)):
                own = () if number else frames
                if entry.has(source, start_ms):
                    self._hold(("frames", block.model, source, start_ms), joined, len(own))
                if entry.has_parts(source, start_ms):
                    self._hold_parts(entry, (block.model, source, start_ms), joined, own)

    def _hold_parts(
        self, entry: SegmentEntry, unit: tuple[str, str, int], joined: bytes, own: Sequence[Frame]
    ) -> None:
        assert entry.parts is not None  # noqa: S101 - for the type checker
        model, source, start_ms = unit
        rules, end_ms = part_rules(), start_ms + self._unit_ms
        parts = entry.parts.holding(source, start_ms - self._margin_ms, end_ms + self._margin_ms)
        if parts:
            lines = sum(rules.count_at(parts, frame.captured_at_ms) for frame in own)
            self._hold(("frames", series_model(model, rules.series), source, start_ms, parts), joined, lines)

    def _hold(self, key: tuple[Any, ...], joined: bytes, own_lines: int) -> None:
        self._groups[key].append(joined)
        self.held_bytes += len(joined)
        if own_lines:
            _, model, _, start_ms, *_ = key
            self._passed_on[model, start_ms - start_ms % DAY_MS] += own_lines

    def drain(self) -> Iterator[Pair]:
        """Pass on all that is held."""
        for key in [*self._groups]:
            yield to_json(key), LINE_SEPARATOR.join(self._groups.pop(key))
        for where, lines in self._passed_on.items():
            yield to_json(["lines", *where]), b"%d" % lines
        self._passed_on.clear()
        self.held_bytes = 0


# --- reduce ---------------------------------------------------------------------------------------------


def reduce_group(key: bytes, values: Iterable[bytes], params: CountParams, count: Count) -> Iterator[Pair]:
    """Yield the output pairs of one key of the map side."""
    kind, model, *where = from_json(key)
    if kind == "corrupt":
        yield from ((key, value) for value in values)
        return
    if kind == "lines":
        yield key, to_json({"model": model, "lines": sum(map(int, values))})
        return
    source, start_ms, *parts = where
    texts = [value.replace(LINE_SEPARATOR, b"\n") for value in values]
    needs_boxes = params.tracking is not None or params.min_side > 0 or bool(parts)
    frames, repeats = distinct_frames(texts, needs_boxes=needs_boxes)
    end_ms = start_ms + params.unit_ms
    own_repeats = [frame for frame in repeats if start_ms <= frame.captured_at_ms < end_ms]
    places: Iterable[FramesOfPart] = [FramesOfPart(source, frames, len(own_repeats))]
    if parts:
        places = part_rules().narrowed(source, parts[0], frames, own_repeats)
    for place, of_place, dropped in places:
        if dropped:
            count("frames", "duplicates dropped", dropped)
        yield from _count_unit(model, place, start_ms, of_place, dropped, params)


def counts_alone(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield the pairs of part files; report the lines that were set aside on standard error."""
    for key, value in pairs:
        kind, *where = from_json(key)
        if kind in ("count", "coverage"):
            yield key, value
        elif kind == "corrupt":
            segment, number = where
            line = f"{segment}, line {number}: {from_json(value)}; the rest is counted"
            print(line, file=sys.__stderr__)  # in one process with its tasks, mrjob takes `sys.stderr`


def _count_unit(
    model: str, place: str, unit_start_ms: int, frames: Sequence[Frame], dropped: int, params: CountParams
) -> Iterator[Pair]:
    """Yield the output pairs of one model, place and unit, from its distinct frames and those of its margins.

    Objects are tracked hour by hour, so an interval of several hours is counted in cells of an hour.
    """
    interval_ms, unit_end_ms = params.interval_s * 1000, unit_start_ms + params.unit_ms
    cells: defaultdict[tuple[int, int], list[Frame]] = defaultdict(list)
    for frame in frames:
        time_ms = frame.captured_at_ms
        if unit_start_ms <= time_ms < unit_end_ms:
            cells[time_ms - time_ms % interval_ms, time_ms - time_ms % HOUR_MS].append(frame)
    hours = {hour_ms: NOT_TRACKED for _, hour_ms in cells}
    for hour_ms in hours if params.tracking is not None else ():
        from_ms, to_ms = hour_ms - MARGIN_MS, hour_ms + HOUR_MS + MARGIN_MS
        near = [frame for frame in frames if from_ms <= frame.captured_at_ms < to_ms]
        hours[hour_ms] = track_hour(model, place, hour_ms, near, params)
        yield from hours[hour_ms].pairs
    boxes: Counter[str] = Counter()
    for start_ms, of_interval in groupby(sorted(cells), key=itemgetter(0)):
        by_hour = [(cells[cell], hours[cell[1]]) for cell in of_interval]
        yield from _count_interval(model, place, start_ms, by_hour, params, boxes)
    if cells:
        own = [frame for cell in cells.values() for frame in cell]
        record = _hour_record(model, own, dropped, hours.values(), boxes)
        yield to_json(["hour", place, unit_start_ms]), to_json(record)


def _count_interval(
    model: str,
    place: str,
    start_ms: int,
    by_hour: Sequence[tuple[Sequence[Frame], TrackedHour]],
    params: CountParams,
    boxes: Counter[str],
) -> Iterator[Pair]:
    """Yield counts and coverage of one interval, and add its boxes to those by label."""
    bars: defaultdict[str, list[tuple[list[Hit], TrackedHour]]] = defaultdict(list)
    detections = 0
    for frames, hour in by_hour:
        hits_of, of_hour = hits_by_label(frames, params.counted_boxes)
        detections += of_hour
        for label, hits in hits_of.items():
            bars[label].append((hits, hour))
    hours = [hour for _, hour in by_hour]
    head = {"v": RECORD_VERSION, "model": model, "source": place}
    where = {
        "interval_start_ms": start_ms,
        "interval_s": params.interval_s,
        "frames": sum(len(frames) for frames, _ in by_hour),
    }
    objects = [None if hour.objects is None else 0 for hour in hours]
    for label, bar in sorted(bars.items(), key=itemgetter(0)):
        hits = [hit for of_hour, _ in bar for hit in of_hour]
        best = heapq.nsmallest(MOST_EVIDENCE, hits)
        of_label = -sum(hit[0] for hit in hits)
        boxes[label] += of_label
        objects += (of_bar := [hour.objects_of(label, start_ms) for _, hour in bar])
        counted = {
            "detections": of_label,
            "peak": -best[0][0],
            "objects": _sum(of_bar),
            "tracked_detections": _sum([hour.boxes_of(label, start_ms) for _, hour in bar]),
            "evidence": [
                {"image_path": path, "captured_at_ms": time_ms, "count": -negative_count}
                for negative_count, time_ms, path in best
            ],
        }
        yield to_json(["count", place, label, start_ms]), to_json(head | {"label": label} | where | counted)
    covered = {
        "detections": detections,
        "objects": _sum(objects),
        "analysed_fps": _slowest_fps(hours),
        "covered_ms": _sum([None if hour.fps is None else hour.covered_ms[start_ms] for hour in hours]),
    }
    yield to_json(["coverage", place, start_ms]), to_json(head | where | covered)


def _hour_record(
    model: str, own: Sequence[Frame], dropped: int, hours: Collection[TrackedHour], boxes: Counter[str]
) -> dict[str, Any]:
    """Return what a unit was counted from: its `own` frames, without those of its margins.

    `sizes` are the pictures' by medium. `followed` says of each label whether enough of its boxes lie in
    tracks for its objects to be known; null: it was not followed. `blank`: nobody looked for such stretches.
    """
    tracked: Counter[str] = Counter()
    for hour in hours:
        for (label, _), of_bar in hour.tracked_boxes.items():
            tracked[label] += of_bar
    is_followed = all(hour.objects is not None for hour in hours)
    return {
        "v": RECORD_VERSION,
        "model": model,
        "lines": len(own) + dropped,
        "duplicates_dropped": dropped,
        "sizes": sorted({(frame.media, frame.width_px, frame.height_px) for frame in own}),
        "analysed_fps": _slowest_fps(hours),
        "followed": {
            label: not is_too_weak(of_label, tracked[label]) if is_followed else None
            for label, of_label in sorted(boxes.items())
        },
        "blank": None,
    }


def _sum(amounts: Collection[int | None]) -> int | None:
    return None if None in amounts else sum(amounts)  # type: ignore[arg-type]


def _slowest_fps(hours: Iterable[TrackedHour]) -> float | None:
    rates = [hour.fps for hour in hours if hour.fps is not None]
    return min(rates) / 100 if rates else None
