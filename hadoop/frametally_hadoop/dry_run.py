"""`frametally aggregate --dry-run`: shows what an aggregation would do."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.books.index_lag import of_earlier_version
from frametally.books.runs import read_run
from frametally.errors import Poison
from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import NOT_JSON, Detection
from frametally.rules.blank_stretches import Blank, BlankReason, blank_order, blank_reasons, shows_boxes
from frametally.rules.counted_boxes import DetectedBox
from frametally.rules.places import Size, common_sizes
from frametally.rules.times import DAY_MS
from frametally.segments.contents import read_header, read_source
from frametally.settings.loading import Settings
from frametally_hadoop.driver import MOST_PACES, PACES, Aggregated, settings_params
from frametally_hadoop.planning.hours import LedgerReplaced, SegmentBook
from frametally_hadoop.planning.plan import (
    ALL_DAYS,
    DayPlan,
    DaySelection,
    DayToCount,
    counting_steps,
    make_plan,
)


class LeftOutFootage(NamedTuple):
    """Footage counted in a day's current run without a check whether it shows anything.

    Attributes:
        day: UTC day, `YYYY-MM-DD`.
        frames: Frames that a new count would leave out, by reason; None if their pictures were not measured,
            in which case they count as before.
    """

    day: str
    model: str
    source: str
    frames: Mapping[BlankReason, int] | None


class PictureSizes(NamedTuple):
    """The sizes of pictures with which a day's segments begin, if they differ.

    Attributes:
        day: UTC day, `YYYY-MM-DD`.
        sizes: Widths and heights in pixels, sorted.
        shapes: How many shapes they have: sizes with the same proportions are of one.
    """

    day: str
    model: str
    source: str
    sizes: Sequence[Size]
    shapes: int


class DryRun(NamedTuple):
    """The planned work.

    Attributes:
        days: Days that would be counted now, sorted, those of plug-ins' steps last; a segment may belong to
            several days.
        estimated_s: Estimated seconds; None if there is no earlier aggregation to estimate from.
        estimated_from: Number of earlier aggregations that the estimate uses.
        blank: Footage that shows nothing or was not checked, of days that an earlier version counted.
        sizes: Pictures of several sizes, of days that an earlier version counted, perhaps by only one size.
    """

    days: list[DayToCount]
    segments: int
    bytes: int
    days_up_to_date: int
    estimated_s: float | None
    estimated_from: int
    skipped: list[Skipped]
    warnings: list[str]
    blank: list[LeftOutFootage]
    sizes: list[PictureSizes]


def dry_run(
    *, settings: Settings, store: ObjectStore, progress: Progress, selection: DaySelection = ALL_DAYS
) -> DryRun:
    """Plan without counting anything. Raises `Retryable`."""
    manifests = ManifestReader(store, settings.data_dir)
    with closing(SegmentBook(settings.ledger_url, settings.ledger_access)) as book:
        plan = None
        while plan is None:
            with suppress(LedgerReplaced):
                plan = make_plan(
                    store=store,
                    params=settings_params(settings),
                    book=book,
                    manifests=manifests,
                    progress=progress,
                    selection=selection,
                )
        segments = {day.key: day.segments.sizes() for day in plan.stale}
        blank = [footage for day in plan.stale for footage in _blank_footage(store, day)]
        sizes = [of_source for day in plan.stale for of_source in _picture_sizes(store, day)]
    steps = [
        step.days_to_count(
            store=store, interval_s=plan.params.interval_s, manifests=manifests, selection=selection
        )
        for step in counting_steps()
    ]
    size_bytes = sum(plan.size_of[key] for key in plan.reads)
    earlier = read_pace(settings.data_dir, settings.runner)
    return DryRun(
        days=[
            DayToCount(
                *day.key,
                segments=len(segments[day.key]),
                bytes=sum(segments[day.key].values()),
                inputs=day.inputs_sha256()[:16],
                state=day.state_sha256()[:16],
            )
            for day in plan.stale
        ]
        + [day for days, _ in steps for day in days],
        segments=len(plan.reads),
        bytes=size_bytes,
        days_up_to_date=len(plan.up_to_date),
        estimated_s=estimate_s(earlier, size_bytes) if plan.stale else 0.0,
        estimated_from=len(earlier),
        skipped=plan.skipped + [item for _, skipped in steps for item in skipped],
        warnings=book.warnings,
        blank=blank,
        sizes=sizes,
    )


class _Line(msgspec.Struct):
    image_path: str
    captured_at_ms: int
    detections: list[Detection]
    shows: Blank | None = None
    picture_digest: str = ""


def _blank_footage(store: ObjectStore, day: DayPlan) -> Iterator[LeftOutFootage]:
    """Yield the sources of a day whose current run did not check whether their footage shows anything."""
    try:
        runs = of_earlier_version([day.current] if day.current else [])
        coverage = [record for run in runs for record in read_run(store, run)[1]]
    except Poison:
        return  # counting the day reports the damage
    for source in sorted({filmed.source for filmed in coverage if filmed.blank is msgspec.UNSET}):
        rows = [row.key for row in day.segments.rows if row.source == source and row.is_own]
        with suppress(Poison, ObjectMissing):
            lines = _measured_lines(store, [*dict.fromkeys(rows)], source, day.params.counted_boxes.rule())
            reasons = None if lines is None else blank_reasons(lines)
            start_ms = keys.day_start_ms(day.key.day)
            frames = (
                None
                if lines is None or reasons is None
                else Counter(
                    reason
                    for line, reason in zip(lines, reasons, strict=True)
                    if reason
                    and start_ms <= line.captured_at_ms < start_ms + DAY_MS
                    and (reason != "frozen" or day.params.tracking is not None)
                )
            )
            yield LeftOutFootage(day.key.day, day.key.model, source, frames)


def _measured_lines(
    store: ObjectStore, segment_keys: Sequence[str], source: str, counts: Callable[[DetectedBox], bool]
) -> list[_Line] | None:
    """Return the distinct frames of a source by time; None if a segment has no picture digests for them."""
    lines: dict[str, _Line] = {}
    for key in segment_keys:
        header, body_start = read_header(store, key)
        part = next(part for part in header.sources if part.source == source)
        for number, text in enumerate(read_source(store, key, body_start, part)):
            line = msgspec.json.decode(text, type=_Line)
            digest = part.picture_digest(number)
            if digest is msgspec.UNSET:
                return None
            line.picture_digest = digest
            if shows_boxes(line, counts):
                line.shows = None
            lines[line.image_path] = line
    return sorted(lines.values(), key=blank_order)


def _picture_sizes(store: ObjectStore, day: DayPlan) -> Iterator[PictureSizes]:
    """Yield the sources with pictures of several sizes on a day that an earlier version counted."""
    if not of_earlier_version([day.current] if day.current else []):
        return
    keys_of: defaultdict[str, set[str]] = defaultdict(set)
    for row in day.segments.rows:
        if row.is_own:
            keys_of[row.source].add(row.key)
    for source, segment_keys in sorted(keys_of.items()):
        sizes = {size for key in sorted(segment_keys) if (size := _first_size(store, key, source))}
        if len(sizes) > 1:
            shapes = len({*common_sizes(sizes).values()})
            yield PictureSizes(day.key.day, day.key.model, source, sorted(sizes), shapes)


def _first_size(store: ObjectStore, key: str, source: str) -> Size | None:
    """Return the size of a source's first picture in a segment; None if it cannot be read."""
    with suppress(Poison, ObjectMissing):
        header, body_start = read_header(store, key)
        part = next(part for part in header.sources if part.source == source)
        start = body_start + part.first_byte
        numbers = _SIZE.search(
            store.get_range(key, start, min(body_start + part.next_byte, start + _LINE_BYTES))
        )
        return numbers and (int(numbers[1]), int(numbers[2]))
    return None


_LINE_BYTES = 4096
_SIZE = re.compile(rb'"width_px":(\d+),"height_px":(\d+)')  # before what may be long in a line
_LOOK_BACK = 5


def read_pace(data_dir: Path, runner: str) -> list[Aggregated]:
    """Return the last few aggregations with this runner, the newest last."""
    try:
        lines = (data_dir / PACES).read_bytes().splitlines()[-MOST_PACES:]
    except OSError:
        return []
    aggregated = []
    for line in lines:
        try:
            done = msgspec.json.decode(line, type=Aggregated)
        except NOT_JSON:
            continue  # an incomplete line left by a process that was killed
        if done.runner == runner and done.bytes > 0:
            aggregated.append(done)
    return aggregated[-_LOOK_BACK:]


def estimate_s(earlier: Sequence[Aggregated], size_bytes: int) -> float | None:
    """Estimate the seconds of counting `size_bytes`; None if there are no earlier aggregations.

    Uses the median rate of earlier aggregations of at least a tenth of the size, or else of the largest one:
    start-up costs make the rate of small aggregations too low.
    """
    if not earlier:
        return None
    largest = max(earlier, key=lambda run: run.bytes)
    like = [run for run in earlier if run.bytes * 10 >= size_bytes] or [largest]
    least_s = min(run.seconds for run in earlier)
    return max(least_s, size_bytes * statistics.median(run.seconds / run.bytes for run in like))
