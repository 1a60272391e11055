"""Reads the frames behind a bar from the segments, by the rules of counting."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from frametally import keys
from frametally.books.counted_days import SettingsByDay
from frametally.books.runs import hour_files, read_hour_files
from frametally.errors import Poison
from frametally.media.manifests import forgotten_by, media_of
from frametally.media.overlapping import NotCounted
from frametally.ports.count_index import NO_LABEL, CountIndex, CountQuery
from frametally.ports.ledger import Ledger, SegmentPart
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import BoxFilter, BoxFilters
from frametally.records import Detection, FrameDetections, MediaManifest, decode
from frametally.rules.blank_stretches import (
    BLANK_MS,
    BlankStretch,
    blank_looks,
    shows_boxes,
    stretches_within,
)
from frametally.rules.counted_boxes import CountedBoxes, DetectedBox
from frametally.rules.hour_file import length_ms, lines_of
from frametally.rules.once import one_line_per_frame
from frametally.rules.times import DAY_MS
from frametally.rules.tombstones import Forgotten, is_forgotten
from frametally.segments.contents import RangeReader, read_lines
from frametally.settings.loading import Settings

_WINDOW_MS = 600_000
"""Event time to read at once. Lines of one frame have the same time, so they are always read together."""
_MARGIN_MS = 2 * BLANK_MS
"""Event time to read on both sides of a bar: room for a black stretch and the pictures next to it."""


class ProvedFrame(NamedTuple):
    """A frame and the boxes that a bar counts in it."""

    frame: FrameDetections
    boxes: list[Detection]


class LeftOut:
    """Frozen and blank stretches that a model's counts leave out, read from the current runs' hour files."""

    def __init__(self, store: ObjectStore, index: CountIndex, model: str, base_interval_s: int) -> None:
        """Read nothing until the first call of `stretches`."""
        self._store, self._index = store, index
        self._length_ms = length_ms(base_interval_s)
        self._window_ms = self._length_ms * max(1, DAY_MS // self._length_ms)
        self._query = CountQuery(model, base_interval_s, self._length_ms // 1000, labels=NO_LABEL)
        self._windows: dict[tuple[str, int], list[BlankStretch]] = {}

    def stretches(self, source: str, from_ms: int, to_ms: int) -> list[BlankStretch]:
        """Return the stretches with footage in `[from_ms, to_ms)`.

        Raises as `frames_of_bar`, and `Poison` if an hour file is missing or damaged; the message names it.
        """
        since_ms = from_ms // self._window_ms * self._window_ms
        windows = (self._of_window(source, start_ms) for start_ms in range(since_ms, to_ms, self._window_ms))
        return stretches_within(chain.from_iterable(windows), from_ms, to_ms)

    def _of_window(self, source: str, start_ms: int) -> list[BlankStretch]:
        """Return the stretches of a window of about a day; cached, so that its bars share one index query."""
        if (source, start_ms) not in self._windows:
            to_ms = start_ms + self._window_ms
            blank = self._index.histogram(
                self._query._replace(sources=[source], from_ms=start_ms, to_ms=to_ms)
            ).blank
            hours = sorted({bucket.start_ms for bucket in blank if bucket.reason == "frozen"})
            self._windows[source, start_ms] = [
                stretch for hour_ms in hours for stretch in self._of_hour(source, hour_ms)
            ]
        return self._windows[source, start_ms]

    def _of_hour(self, source: str, hour_ms: int) -> Iterator[BlankStretch]:
        day = self._query.model, self._query.base_interval_s, keys.utc_day(hour_ms)
        for run in self._index.current_runs():
            if (run.model, run.interval_s, run.day) == day:
                files = hour_files(self._store, run, [source], (hour_ms, hour_ms + 1)).get(source, ())
                for _, data in read_hour_files(self._store, run, files):
                    for line in lines_of(data, "hour"):
                        yield from json.loads(line.partition(b"\t")[2]).get("blank") or ()


class FramesBehind:
    """The frames behind the numbers of a model and a stored interval, by the settings of each day's run."""

    def __init__(
        self,
        store: ObjectStore,
        ledger: Ledger,
        index: CountIndex,
        settings: Settings,
        series: tuple[str, int],
        *,
        parts: BoxFilters | None = None,
        ranges: RangeReader | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            store: The segments and the hour files.
            ledger: The segments of each source; refresh it from the store first.
            index: The runs, with their settings.
            settings: The settings of days whose run did not record them.
            series: The model, and the stored interval in seconds.
            parts: The part of the picture that counts; None for all of it.
            ranges: Reads segments from `store`; None to read them without a cache.
        """
        self._ledger, self._settings, self._parts = ledger, settings, parts
        self._ranges, self._model = ranges or store, series[0]
        self.by_day = SettingsByDay(index, *series)
        self._not_counted = NotCounted(ledger)
        self._left_out = LeftOut(store, index, *series)

    def read(
        self,
        source: str,
        from_ms: int,
        to_ms: int,
        *,
        labels: Collection[str] = (),
        after: tuple[int, str] | None = None,
        empty: bool = True,
    ) -> Iterator[ProvedFrame]:
        """Yield the frames of a range within one UTC day; see `frames_of_bar`, also for its errors."""
        return frames_of_bar(
            self._ranges,
            self._ledger,
            model=self._model,
            source=source,
            labels=labels,
            from_ms=from_ms,
            to_ms=to_ms,
            limits=self.limits_at(from_ms),
            not_counted=self._not_counted_at(from_ms),
            after=after,
            empty=empty,
            part=self.part_at(source, from_ms),
            left_out=self._left_out,
        )

    def line_of(self, source: str, captured_at_ms: int, image_path: str) -> FrameDetections | None:
        """Return the detections of one frame; see `find_line`, also for its errors."""
        return find_line(
            self._ranges,
            self._ledger,
            model=self._model,
            source=source,
            captured_at_ms=captured_at_ms,
            image_path=image_path,
            not_counted=self._not_counted_at(captured_at_ms),
        )

    def limits_at(self, time_ms: int) -> CountedBoxes:
        """Return which boxes were counted on the UTC day of a time."""
        return self.by_day.counted_boxes_at(time_ms, self._settings.counted_boxes())

    def part_at(self, source: str, time_ms: int) -> BoxFilter | None:
        """Return which boxes of a source are in the part on the UTC day of a time; None for all."""
        return None if self._parts is None else self._parts(source, time_ms)

    def _not_counted_at(self, time_ms: int) -> Forgotten:
        return self._not_counted.by(self.by_day.overlaps_at(time_ms, self._settings.count_overlaps))


def frames_of_bar(
    store: RangeReader,
    ledger: Ledger,
    *,
    model: str,
    source: str,
    labels: Collection[str],
    from_ms: int,
    to_ms: int,
    limits: CountedBoxes,
    not_counted: Forgotten,
    after: tuple[int, str] | None = None,
    empty: bool = False,
    part: BoxFilter | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[ProvedFrame]:
    """Yield every frame of `[from_ms, to_ms)` with counted boxes of `labels`, by event time and image_path.

    Skip black and one-coloured frames and those of `left_out`. With `empty`, also yield frames without such
    boxes.

    Read only the bytes of segments that can have such frames, some minutes of event time at once. Refresh the
    ledger from the store first, and pass what is `not_counted`. An empty `labels` means all labels. `after`
    is the `(captured_at_ms, image_path)` of the last frame shown: continue behind it. With a `part` of the
    picture, yield only frames at times at which the part exists, and only the boxes in it.

    Raises:
        ObjectMissing: A segment was removed since the ledger was refreshed.
        Retryable: The store or the ledger is unavailable, or a segment arrived truncated.
        Poison: Lines of a segment are damaged; the message names it.
    """
    counts = limits.rule()
    since = from_ms if after is None else max(from_ms, after[0])
    frames = _each_frame(
        store,
        ledger,
        (model, source),
        from_ms=since - _MARGIN_MS,
        to_ms=to_ms + _MARGIN_MS,
        not_counted=not_counted,
    )
    stretches = [] if left_out is None else left_out.stretches(source, since, to_ms)
    for frame in _without_blank(frames, counts):
        at_ms = frame.captured_at_ms
        if not since <= at_ms < to_ms or any(first <= at_ms <= last for first, last, _ in stretches):
            continue
        is_in = None if part is None else part(frame)
        if part is not None and is_in is None:
            continue
        boxes = [
            box
            for box in filter(counts, frame.detections)
            if (not labels or box.label in labels) and (is_in is None or is_in(box))
        ]
        if (boxes or empty) and (after is None or _place(frame) > after):
            yield ProvedFrame(frame, boxes)


def frames_of_medium(
    store: RangeReader, ledger: Ledger, manifest: MediaManifest, *, model: str, from_ms: int, to_ms: int
) -> Iterator[FrameDetections]:
    """Yield every counted frame of one medium in `[from_ms, to_ms)`, by event time.

    Leave out frames that other media of its source have at the same times. Refresh the ledger from the store
    first.

    Raises as `frames_of_bar`.
    """
    media, not_counted = media_of(manifest), forgotten_by(ledger.tombstones())
    model_and_source = model, manifest.source
    for frame in _each_frame(
        store, ledger, model_and_source, from_ms=from_ms, to_ms=to_ms, not_counted=not_counted
    ):
        if frame.media == media:
            yield frame


def find_line(
    store: RangeReader,
    ledger: Ledger,
    *,
    model: str,
    source: str,
    captured_at_ms: int,
    image_path: str,
    not_counted: Forgotten,
) -> FrameDetections | None:
    """Return the detections of one frame as they were counted, or None if no segment of the model has it.

    Raises as `frames_of_bar`.
    """
    window = (captured_at_ms, captured_at_ms + 1)
    parts = ledger.parts(model, source, from_ms=window[0], to_ms=window[1])
    frames = _frames(store, parts, (model, source), window, not_counted)
    return next((frame for frame in frames if frame.image_path == image_path), None)


def frames_in(
    store: RangeReader,
    parts: Sequence[SegmentPart],
    *,
    model: str,
    source: str,
    from_ms: int,
    to_ms: int,
) -> list[FrameDetections]:
    """Return each frame of a source in some parts of segments once, including frames that do not count now.

    Raises as `frames_of_bar`.
    """
    return _frames(store, parts, (model, source), (from_ms, to_ms), {})


def _each_frame(
    store: RangeReader,
    ledger: Ledger,
    model_and_source: tuple[str, str],
    *,
    from_ms: int,
    to_ms: int,
    not_counted: Forgotten,
) -> Iterator[FrameDetections]:
    """Yield each frame of `[from_ms, to_ms)` once, by event time and image_path."""
    parts = ledger.parts(*model_and_source, from_ms=from_ms, to_ms=to_ms)
    window_from = from_ms
    while parts := [part for part in parts if part.last_ms >= window_from]:
        window_from = max(window_from, min(part.first_ms for part in parts))
        window_to = min(to_ms, window_from - window_from % _WINDOW_MS + _WINDOW_MS)
        yield from _frames(store, parts, model_and_source, (window_from, window_to), not_counted)
        window_from = window_to
        if window_from >= to_ms:
            return


def _without_blank(
    frames: Iterable[FrameDetections], counts: Callable[[DetectedBox], bool]
) -> Iterator[FrameDetections]:
    """Yield the frames that show something, in their order."""
    stretch: list[FrameDetections] = []  # since the last picture that shows something
    for frame in frames:
        if shows_boxes(frame, counts):
            frame = replace(frame, shows=UNSET)
        stretch.append(frame)
        if not frame.shows:
            yield from _with_picture(stretch)[:-1]
            stretch = [frame]
        elif len(stretch) > 3 and frame.captured_at_ms - stretch[1].captured_at_ms >= BLANK_MS:
            del stretch[2:-1]  # the ends of a long stretch are enough
    yield from _with_picture(stretch)


def _with_picture(frames: list[FrameDetections]) -> list[FrameDetections]:
    return [frame for frame, why in zip(frames, blank_looks(frames), strict=True) if not why]


def _frames(
    store: RangeReader,
    parts: Sequence[SegmentPart],
    model_and_source: tuple[str, str],
    window: tuple[int, int],
    not_counted: Forgotten,
) -> list[FrameDetections]:
    """Return each frame of a window of event time once, by time, then image_path."""
    lines = []
    source = model_and_source[1]
    for part in parts:
        if part.first_ms >= window[1] or part.last_ms < window[0]:
            continue
        for line in read_lines(store, part.key, part.first_byte, part.next_byte, part.crc32, source):
            try:
                frame = decode(line, FrameDetections)
            except Poison:
                continue  # the counting job has reported it
            if (
                (frame.model, frame.source) == model_and_source
                and window[0] <= frame.captured_at_ms < window[1]
                and not is_forgotten(frame.media, frame.captured_at_ms, not_counted)
            ):
                lines.append((frame.image_path, line))
    unique_lines = one_line_per_frame(lines).values()
    return sorted((decode(line, FrameDetections) for line in unique_lines), key=_place)


def _place(frame: FrameDetections) -> tuple[int, str]:
    return frame.captured_at_ms, frame.image_path


def are_detections_gone(
    ledger: Ledger, model: str, sources: Iterable[str], *, from_ms: int, to_ms: int
) -> bool:
    """Return whether the store has no segment left with frames of the sources in `[from_ms, to_ms)`."""
    return not any(ledger.parts(model, source, from_ms=from_ms, to_ms=to_ms) for source in sources)
