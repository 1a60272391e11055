"""The reduce side of tracking: turns an hour of frames into unique objects per interval and tracks.

Standard library only. A unique object is a *visit*: an object that returns is a new one. It is counted once,
in the interval of its first counted box; if that is before the hour, it belongs to an earlier hour.

Output pairs, keys as JSON arrays, values as JSON:

- `["track", source, label, number, hour_start_ms]`: a `Track`;
- `["paths", source, hour_start_ms]`: the paths of these tracks (`rules.hour_file`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import NamedTuple

from frametally.rules.blank_stretches import BlankReason
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.filmed_time import blank_ms, filmed_time
from frametally.rules.known import NAMES_OF_TRACKS, is_fast_enough, is_too_weak
from frametally.rules.path_columns import FROM_START
from frametally.rules.places import Size
from frametally.rules.times import HOUR_MS, MOST_TIME_MS
from frametally_hadoop.job.fast_tracks import chained
from frametally_hadoop.job.following import (
    Track,
    TrackedBox,
    Tracker,
    by_time,
    overlap_of,
    scaled_box,
    size_of,
    sizes_to_scale,
)
from frametally_hadoop.job.lines import Frame
from frametally_hadoop.job.mending import mended, never_moves, stood_before
from frametally_hadoop.job.params import CountParams, TrackParams
from frametally_hadoop.job.paths import Visit, edges_by_shape, track_pairs

_TIME, _CONFIDENCE, _IS_COUNTED, _LABEL = (itemgetter(n) for n in (0, 1, 6, 8))
_PLACE = itemgetter(2, 3, 4, 5, 8)
"""With `_CONFIDENCE`, the fields that `by_time` uses in a frame; sorting by these first halves the cost."""

_TWIN_OVERLAP = 0.5
"""The least intersection over union at which two boxes of one group belong to one object.

The consumer has dropped the weaker of two such boxes from 0.7 on, and from 0.45 on if both have one label. In
the demo clip, pairs of two labels have either less than 0.45 or more than 0.55.
"""


def one_per_object(sightings: Sequence[TrackedBox]) -> list[TrackedBox]:
    """Return a frame's boxes of one group in the order of `by_time`, weaker twins within the stronger.

    A thing detected as both a car and a truck in the same place is one object with two votes.
    """
    ordered = sorted(sorted(sightings, key=_PLACE), key=_CONFIDENCE, reverse=True)
    labels = [sighting.label for sighting in ordered]
    if labels.count(labels[0]) == len(labels):
        return ordered
    strongest: list[TrackedBox] = []
    for sighting in ordered:
        for index, stronger in enumerate(strongest):
            if stronger.label != sighting.label and overlap_of(stronger, sighting) >= _TWIN_OVERLAP:
                strongest[index] = stronger._replace(twins=(*stronger.twins, sighting))
                break
        else:
            strongest.append(sighting)
    return strongest


def counted_votes(sightings: Sequence[TrackedBox]) -> list[TrackedBox]:
    """Return the boxes that count, including twins, by time."""
    votes = []
    for sighting in sightings:
        if sighting.is_counted:
            votes.append(sighting)
        if sighting.twins:
            votes += [twin for twin in sighting.twins if twin.is_counted]
    return votes


def tally(votes: Sequence[TrackedBox]) -> list[tuple[str, int, int]]:
    """Return `(label, boxes, confidence)` of the votes, the confidence summed in ten-thousandths.

    The winner comes first: by greatest total confidence, then by most boxes, then by name.
    """
    of_label: defaultdict[str, list[int]] = defaultdict(list)
    for vote in votes:
        of_label[vote.label].append(vote.confidence)
    return sorted(
        ((label, len(confidences), sum(confidences)) for label, confidences in of_label.items()),
        key=lambda entry: (-entry[2], -entry[1], entry[0]),
    )


class TrackedHour(NamedTuple):
    """The tracking results of one source and UTC hour.

    Attributes:
        fps: The rate of analysis, in hundredths of a frame a second; None if it was not tracked.
        covered_ms: By start of the interval, the time with footage in this hour.
        blank_ms: By start of the interval and reason, the part of that time that showed nothing.
        objects: By label and start of the interval, the objects first seen there; None if the rate is too low
            to follow them.
        from_start: By the same key, the `objects` that were there when the footage began.
        tracked_boxes: By the same key, the counted boxes that belong to tracks.
        fast: By the same key, the objects too fast to follow that were first seen there.
        pairs: The hour's tracks and paths.
    """

    fps: int | None = None
    covered_ms: Mapping[int, int] = {}
    blank_ms: Mapping[tuple[int, str], int] = {}
    objects: Mapping[tuple[str, int], int] | None = None
    from_start: Mapping[tuple[str, int], int] = {}
    tracked_boxes: Mapping[tuple[str, int], int] = {}
    fast: Mapping[tuple[str, int], int] = {}
    pairs: Sequence[tuple[bytes, bytes]] = ()

    def numbers_of(self, label: str, interval_start_ms: int) -> Sequence[int | None]:
        """Return the `known.OF_TRACKS` of a count; they are None if it could not be followed."""
        if self.objects is None:
            return (None,) * len(NAMES_OF_TRACKS)
        every = self.objects, self.tracked_boxes, self.from_start, self.fast
        return [numbers.get((label, interval_start_ms), 0) for numbers in every]


NOT_TRACKED = TrackedHour()


def slowest_fps(hours: Iterable[TrackedHour]) -> float | None:
    """Return the frames a second of the slowest hour; None if none was tracked."""
    rates = [hour.fps for hour in hours if hour.fps is not None]
    return min(rates) / 100 if rates else None


def are_followed(hours: Collection[TrackedHour], boxes: Mapping[str, int]) -> dict[str, bool | None]:
    """Return by label whether enough of its boxes belong to tracks for its objects to be known.

    The value is None if they could not be followed.
    """
    tracked: Counter[str] = Counter()
    for hour in hours:
        for (label, _), of_bar in hour.tracked_boxes.items():
            tracked[label] += of_bar
    is_known = bool(hours) and all(hour.objects is not None for hour in hours)
    return {
        label: not is_too_weak(of_label, tracked[label]) if is_known else None
        for label, of_label in sorted(boxes.items())
    }


def total(amounts: Sequence[int | None]) -> int | None:
    """Return the sum over hours; None if an hour could not be measured."""
    measured = [amount for amount in amounts if amount is not None]
    return sum(measured) if len(measured) == len(amounts) else None


def covered_time(
    hours: Sequence[TrackedHour], start_ms: int, reasons: Iterable[BlankReason]
) -> tuple[int | None, dict[BlankReason, int]]:
    """Return how many ms of an interval are covered by footage that shows something; None if not tracked.

    Also return how many ms show nothing, for each of `reasons`.
    """
    nothing_ms = {why: sum(hour.blank_ms.get((start_ms, why), 0) for hour in hours) for why in reasons}
    covered_ms = total([None if hour.fps is None else hour.covered_ms[start_ms] for hour in hours])
    return None if covered_ms is None else covered_ms - sum(nothing_ms.values()), nothing_ms


def track_hour(
    model: str,
    source: str,
    hour_start_ms: int,
    frames: Iterable[Frame],
    params: CountParams,
    blank: Mapping[str, BlankReason] = MappingProxyType({}),
) -> TrackedHour:
    """Follow the objects of one model, source and UTC hour.

    `frames` are the distinct frames of the hour (at least one) and of its margins, in any order. `blank`
    gives, by path, why a frame shows nothing: objects are followed as if it were not there.
    """
    tracking = params.tracking
    if tracking is None:
        return NOT_TRACKED
    frames = sorted(frames, key=attrgetter("captured_at_ms", "image_path"))
    hour_end_ms = hour_start_ms + HOUR_MS
    interval_ms = params.interval_s * 1000
    undated = _undated_pictures(frames)
    footage = [frame for frame in frames if frame.image_path not in undated] if undated else frames
    filmed = filmed_time([frame.captured_at_ms for frame in footage], tracking.gap_ms)
    if undated and any(
        frame.image_path in undated for frame in frames if hour_start_ms <= frame.captured_at_ms < hour_end_ms
    ):
        filmed = filmed._replace(fps=0)
    hour = TrackedHour(filmed.fps, filmed.covered_ms(hour_start_ms, interval_ms))
    stretches = filmed.stretches
    if blank:
        times_ms = [frame.captured_at_ms for frame in footage]
        reasons = [blank.get(frame.image_path) for frame in footage]
        nothing_ms = blank_ms(times_ms, reasons, filmed, tracking.gap_ms, hour_start_ms, interval_ms)
        hour = hour._replace(blank_ms=nothing_ms)
        footage = [frame for frame in footage if frame.image_path not in blank]
        stretches = filmed_time([frame.captured_at_ms for frame in footage], tracking.gap_ms).stretches
    if not is_fast_enough(filmed.fps, tracking.min_fps):
        return hour
    objects: Counter[tuple[str, int]] = Counter()
    from_start: Counter[tuple[str, int]] = Counter()
    tracked: Counter[tuple[str, int]] = Counter()
    sizes = sizes_to_scale(frames)  # all sizes of the hour, even of blank frames
    visits, every_fast, every_lone = _follow(footage, sizes, params, tracking, hour_start_ms, hour_end_ms)
    edges = edges_by_shape(footage, sizes, stretches, tracking.gap_ms)
    for number in stood_before(visits, edges, tracking.group_of()):
        visits[number] = visits[number]._replace(is_new=False)
    for visit in visits:
        tracked.update(
            (box.label, box.time_ms - box.time_ms % interval_ms)
            for box in counted_votes(visit.sightings)
            if hour_start_ms <= box.time_ms < hour_end_ms
        )
    of_hour = [
        visit
        for visit in visits
        if visit.is_object
        and visit.sightings[0].time_ms < hour_end_ms
        and visit.sightings[-1].time_ms >= hour_start_ms
    ]
    for visit in of_hour:
        first = visit.sightings[0]
        if visit.is_new and first.time_ms >= hour_start_ms:
            bar = visit.label, visit.of_label[0].time_ms // interval_ms * interval_ms
            objects[bar] += 1
            from_start[bar] += edges[size_of(first.frame)].began(first) in FROM_START
    fast = Counter(
        (box.label, box.time_ms // interval_ms * interval_ms)
        for box in every_fast
        if hour_start_ms <= box.time_ms < hour_end_ms
    )
    own, after = (bisect_left(every_lone, time_ms, key=_TIME) for time_ms in (hour_start_ms, hour_end_ms))
    lone = [box for box in every_lone[own:after] if not params.labels or box.label in params.labels]
    pairs = [*track_pairs(model, source, of_hour, lone, hour_start_ms, edges, sizes)]
    return hour._replace(
        objects=objects, from_start=from_start, tracked_boxes=tracked, fast=fast, pairs=pairs
    )


def _undated_pictures(frames: Sequence[Frame]) -> set[str]:
    """Return the paths of single pictures that are dated by their files.

    The true times are unknown: pictures taken over years but copied within a second look like footage.
    """
    by_file = [frame for frame in frames if frame.time_source == "file_time"]
    of_medium = Counter([frame.media for frame in frames]) if by_file else {}
    return {frame.image_path for frame in by_file if of_medium[frame.media] == 1}


def find_visits(frames: Iterable[Frame], params: CountParams, tracking: TrackParams) -> list[Visit]:
    """Find the visits in frames sorted by time; return them by label, then by when they began."""
    frames = [*frames]
    visits, *_ = _follow(frames, sizes_to_scale(frames), params, tracking, -MOST_TIME_MS, MOST_TIME_MS + 1)
    return [visit for visit in visits if visit.is_object]


def _follow(
    frames: Iterable[Frame],
    sizes: Mapping[Size, Size],
    params: CountParams,
    tracking: TrackParams,
    start_ms: int,
    end_ms: int,
) -> tuple[list[Visit], list[TrackedBox], list[TrackedBox]]:
    """Find the visits and followed non-objects, in the `sizes` of `sizes_to_scale`, and the lone boxes.

    The lone boxes are the counted ones of `Tracker.lone` that are in no track of a fast object. Before them,
    return the first counted box of each object that left too few of them for a track.

    An object is followed from size to size, but not from one shape of the picture to another. A label can win
    only with a counted box within `[start_ms, end_ms)`, where it will be counted, if any label has one.
    """
    followed = tracking.followed_with(params.labels)
    counts = params.counted_boxes._replace(labels=followed).rule()
    continues = CountedBoxes(tracking.weak, 0, followed).rule()
    group_of = tracking.group_of()
    trackers_of: defaultdict[Size | None, dict[str, Tracker]] = defaultdict(dict)
    trackers, size = trackers_of[None], None
    nothing: list[TrackedBox] = []
    new = tuple.__new__  # for many boxes, a third of the class's time
    for frame in frames:
        time_ms = frame.captured_at_ms
        if sizes:
            size = sizes[size_of(frame)]
            trackers = trackers_of[size]
        sightings: dict[str, list[TrackedBox]] = {}
        for detection in filter(continues, frame.detections):
            left, top, width, height = detection.box
            label, confidence = detection.label, round(detection.confidence * 10_000)
            corner = time_ms, confidence, round(left * 10), round(top * 10)
            rest = round(width * 10), round(height * 10), counts(detection), frame, label, ()
            box, group = new(TrackedBox, corner + rest), group_of.get(label, label)
            if size is not None:
                box = scaled_box(box, size)
            if group in sightings:
                sightings[group].append(box)
            else:
                sightings[group] = [box]
                if group not in trackers:
                    trackers[group] = Tracker(tracking, group)
        for group, tracker in trackers.items():
            boxes = sightings.get(group, nothing)
            tracker.frames.append((time_ms, one_per_object(boxes) if len(boxes) > 1 else boxes))
    visits: list[Visit] = []
    fast_boxes: list[TrackedBox] = []
    lone: list[TrackedBox] = []
    every = [(group, tracker) for of_size in trackers_of.values() for group, tracker in of_size.items()]
    for _, tracker in sorted(every, key=itemgetter(0)):
        tracks = tracker.follow()
        if tracker.lone:  # false of most hours
            fast, rows, alone = chained(tracker.lone)
            tracks += fast
            lone += [box for *_, box in alone if box.is_counted]
            for boxes in rows:
                fast_boxes += [*filter(_IS_COUNTED, boxes)][:1]
        for track in mended(tracks, tracker.frames, tracking):
            first = next((n for n, sighting in enumerate(track) if sighting.is_counted), None)
            if first is not None:
                visits.append(_visit(track, first, params, tracking, start_ms, end_ms))
    visits.sort(key=lambda visit: (visit.label, by_time(visit.sightings[0])))
    return visits, fast_boxes, sorted(lone, key=by_time)


def _visit(
    track: Track, first: int, params: CountParams, tracking: TrackParams, start_ms: int, end_ms: int
) -> Visit:
    votes = counted_votes(track[first:])
    here = {vote.label for vote in votes if start_ms <= vote.time_ms < end_ms}
    tallied = sorted(tally(votes), key=lambda entry: bool(here) and entry[0] not in here)
    label = tallied[0][0]
    is_fixed = label in tracking.fixed_labels and never_moves(track)
    is_wanted = not params.labels or label in params.labels
    of_label = votes if len(tallied) == 1 else [vote for vote in votes if vote.label == label]
    return Visit(label, track[first:], tallied, of_label, is_wanted and not is_fixed)
