"""The reduce side of tracking: the frames of one hour in, unique objects per interval and tracks out.

Standard library only. A unique object is a *visit*: who leaves and comes back is a new one. It is counted
once, in the interval of its first counted box; if that lies before the hour, it belongs to an earlier hour.

Pairs that come out, keys as JSON arrays, values as JSON. The first two have the keys of the records that they
complete (`joining`), and sort before them:

- `["count", source, label, interval_start_ms]`: `{"model", "objects", "tracked_detections"}`, what this hour
  adds to the interval; null if the footage was analysed at too few frames a second;
- `["coverage", source, interval_start_ms]`: `{"model", "objects", "analysed_fps", "covered_ms"}`, alike;
- `["track", source, label, number, hour_start_ms]`: a `Track`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from frametally.rules.objects import is_fast_enough
from frametally.rules.record_limits import RECORD_VERSION
from frametally.rules.times import HOUR_MS
from frametally_hadoop.job.hours import filmed_time
from frametally_hadoop.job.input.lines import Frame
from frametally_hadoop.job.mapping import to_json
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.tracks.following import TrackedBox, Tracker, by_strength
from frametally_hadoop.job.tracks.params import TrackParams
from frametally_hadoop.job.tracks.stitching import never_moves, stitch

_STEP_OF_PATH_HEIGHTS = 0.25


class Visit(NamedTuple):
    """One object while it was there: `sightings` by time, the first of them counted.

    `is_object` is False of what never moves, where that is no object of its label.
    """

    label: str
    sightings: Sequence[TrackedBox]
    is_object: bool = True


def reduce_hour(
    *, model: str, source: str, hour_start_ms: int, frames: Iterable[Frame], params: CountParams
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the output pairs of one model, source and UTC hour, whose tracking is on.

    `frames` are the distinct frames of the hour and its margins, in any order.
    """
    tracking = params.tracking
    if tracking is None:
        raise ValueError("tracking is off")
    frames = sorted(frames, key=lambda frame: (frame.captured_at_ms, frame.image_path))
    hour_end_ms = hour_start_ms + HOUR_MS
    own = [frame for frame in frames if hour_start_ms <= frame.captured_at_ms < hour_end_ms]
    if not own:
        return
    interval_ms = params.interval_s * 1000
    undated = _undated_pictures(frames)
    footage = [frame for frame in frames if frame.image_path not in undated]
    filmed = filmed_time([frame.captured_at_ms for frame in footage], tracking.gap_ms)
    if any(frame.image_path in undated for frame in own):
        filmed = filmed._replace(fps=0)
    is_measured = is_fast_enough(filmed.fps, tracking.min_fps)
    objects: Counter[tuple[str, int]] = Counter()
    tracked: Counter[tuple[str, int]] = Counter()
    if is_measured:
        visits = _follow(footage, params, tracking)
        for visit in visits:
            times = [sighting.time_ms for sighting in visit.sightings if sighting.is_counted]
            first, end = bisect_left(times, hour_start_ms), bisect_left(times, hour_end_ms)
            for start_ms, boxes in Counter([ms - ms % interval_ms for ms in times[first:end]]).items():
                tracked[visit.label, start_ms] += boxes
        of_hour = [
            visit
            for visit in visits
            if visit.is_object
            and visit.sightings[0].time_ms < hour_end_ms
            and visit.sightings[-1].time_ms >= hour_start_ms
        ]
        for visit in of_hour:
            first_ms = visit.sightings[0].time_ms
            if first_ms >= hour_start_ms:
                objects[visit.label, first_ms // interval_ms * interval_ms] += 1
        where = {"model": model, "source": source}
        for number, visit in enumerate(of_hour):
            yield (
                to_json(["track", source, visit.label, number, hour_start_ms]),
                to_json(_track(where, visit, number, hour_start_ms)),
            )
    found: Counter[int] = Counter()
    for label, start_ms in sorted(_bars(own, params)):
        found[start_ms] += objects[label, start_ms]
        of_bar = {
            "model": model,
            "objects": objects[label, start_ms] if is_measured else None,
            "tracked_detections": tracked[label, start_ms] if is_measured else None,
        }
        yield to_json(["count", source, label, start_ms]), to_json(of_bar)
    covered_ms = filmed.covered_ms(hour_start_ms, interval_ms)
    for start_ms in sorted({frame.captured_at_ms // interval_ms * interval_ms for frame in own}):
        of_interval = {
            "model": model,
            "objects": found[start_ms] if is_measured else None,
            "analysed_fps": filmed.fps / 100,
            "covered_ms": covered_ms[start_ms],
        }
        yield to_json(["coverage", source, start_ms]), to_json(of_interval)


def _undated_pictures(frames: Sequence[Frame]) -> set[str]:
    """Return the paths of single pictures that are timed by their files' dates.

    Nobody knows when these were taken: copied within a second, pictures of years look like footage.
    """
    of_medium = Counter([frame.media for frame in frames])
    return {
        frame.image_path
        for frame in frames
        if frame.time_source == "file_time" and of_medium[frame.media] == 1
    }


def find_visits(frames: Iterable[Frame], params: CountParams, tracking: TrackParams) -> list[Visit]:
    """Find the visits in frames that are sorted by time. They come by label, then by their beginning."""
    return [visit for visit in _follow(frames, params, tracking) if visit.is_object]


def _follow(frames: Iterable[Frame], params: CountParams, tracking: TrackParams) -> list[Visit]:
    """Find the visits, and what is followed but no object."""
    counts = params.counted_boxes.rule()
    continues = params.counted_boxes._replace(min_confidence=tracking.weak, min_side=0).rule()
    trackers: dict[str, Tracker] = {}
    for frame in frames:
        time_ms = frame.captured_at_ms
        seen: defaultdict[str, list[TrackedBox]] = defaultdict(list)
        for detection in filter(continues, frame.detections):
            left, top, width, height = detection.box
            seen[detection.label].append(
                TrackedBox(
                    time_ms,
                    round(detection.confidence * 10_000),
                    round(left * 10),
                    round(top * 10),
                    round(width * 10),
                    round(height * 10),
                    counts(detection),
                    frame,
                )
            )
        for label in seen:
            if label not in trackers:
                trackers[label] = Tracker(tracking, label)
        for label, tracker in trackers.items():
            tracker.step(time_ms, sorted(seen[label], key=by_strength))
    visits = []
    for label in sorted(trackers):
        for track in stitch(trackers[label].finish(), tracking.stitch_ms):
            is_object = not (label in tracking.fixed_labels and never_moves(track))
            first = next((n for n, sighting in enumerate(track) if sighting.is_counted), None)
            if first is not None:
                visits.append(Visit(label, track[first:], is_object))
    return sorted(
        visits, key=lambda visit: (visit.label, visit.sightings[0].time_ms, by_strength(visit.sightings[0]))
    )


def _bars(frames: Iterable[Frame], params: CountParams) -> set[tuple[str, int]]:
    """Return `(label, interval_start_ms)` of every count that these frames are part of."""
    counts = params.counted_boxes.rule()
    interval_ms = params.interval_s * 1000
    return {
        (detection.label, frame.captured_at_ms // interval_ms * interval_ms)
        for frame in frames
        for detection in filter(counts, frame.detections)
    }


def _track(where: dict[str, str], visit: Visit, number: int, hour_start_ms: int) -> dict[str, Any]:
    sightings = visit.sightings
    best = min(sightings, key=lambda sighting: -sighting.confidence)
    return {
        "v": RECORD_VERSION,
        "id": f"{hour_start_ms}-{number}",
        **where,
        "label": visit.label,
        "hour_start_ms": hour_start_ms,
        "is_counted": sightings[0].time_ms >= hour_start_ms,
        "first_seen_ms": sightings[0].time_ms,
        "last_seen_ms": sightings[-1].time_ms,
        "boxes": len(sightings),
        "first": _seen(sightings[0]),
        "best": _seen(best),
        "path": _path(_within(sightings, hour_start_ms)),
    }


def _seen(sighting: TrackedBox) -> dict[str, Any]:
    return {
        "image_path": sighting.frame.image_path,
        "captured_at_ms": sighting.time_ms,
        "confidence": sighting.confidence / 10_000,
        "box": [sighting.left / 10, sighting.top / 10, sighting.width / 10, sighting.height / 10],
    }


def _within(sightings: Sequence[TrackedBox], hour_start_ms: int) -> Sequence[TrackedBox]:
    """Return the hour's sightings, with one before and one after them: so the paths of two hours meet."""
    hour_end_ms = hour_start_ms + HOUR_MS
    before = sum(sighting.time_ms < hour_start_ms for sighting in sightings)
    after = sum(sighting.time_ms >= hour_end_ms for sighting in sightings)
    return sightings[max(0, before - 1) : len(sightings) - max(0, after - 1)]


def _path(sightings: Sequence[TrackedBox]) -> list[list[float]]:
    """Return where the centre was first, last, and whenever it had moved by a quarter of the box's height."""
    path: list[list[float]] = []
    last = sightings[-1]
    for sighting in sightings:
        x = (2 * sighting.left + sighting.width) / 20
        y = (2 * sighting.top + sighting.height) / 20
        if path and sighting is not last:
            off_x, off_y = x - path[-1][1], y - path[-1][2]
            step = _STEP_OF_PATH_HEIGHTS * sighting.height / 10
            if off_x * off_x + off_y * off_y < step * step:
                continue
        path.append([sighting.time_ms, x, y])
    return path
