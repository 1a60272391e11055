"""Joins broken tracks and recognises objects that never move, also across gaps. Standard library only."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import NamedTuple

from frametally.rules.places import Size
from frametally_hadoop.job.following import Track, TrackedBox, by_time, overlap_of, size_of
from frametally_hadoop.job.params import MARGIN_MS, TrackParams
from frametally_hadoop.job.paths import TrackEdges, Visit, is_at_border

_NEAR_HEIGHTS = 1.5
_HEIGHT_RATIO = 1.6
_VELOCITY_SIGHTINGS = 10
_MOVED_HEIGHTS = 0.5
_LEAST_FOR_FIXED_MS = 2000
_SAME_PLACE = 0.8
"""The least intersection over union of two boxes in one place. Boxes of a parked car jitter less; a new car
seldom parks so exactly where another stood."""
_time_of, _frame_time = attrgetter("time_ms"), itemgetter(0)


def stitch(tracks: Sequence[Track], gap_ms: int) -> list[Track]:
    """Join tracks where one continues another that ended up to `gap_ms` before.

    Both ends must be away from the frame's border (where objects come and go) and of similar height. The
    start must be within 1.5 heights of where the first track ended, of where it would be now, or of the point
    half way. The nearest ends are joined first, each end once; of equally near ones, those that began first.

    Returns tracks by their first sighting, each ordered by time.
    """
    tracks = sorted(tracks, key=by_start)
    starts = [track[0].time_ms for track in tracks]
    near: list[tuple[float, int, int]] = []
    for i, track in enumerate(tracks):
        end = track[-1]
        if is_at_border(end):
            continue
        for j in range(bisect_right(starts, end.time_ms), len(tracks)):
            if starts[j] > end.time_ms + gap_ms:
                break
            distance = _distance(track, tracks[j][0])
            if distance is not None and not _meet(track, tracks[j], end, tracks[j][0]):
                near.append((distance, i, j))
    next_of: dict[int, int] = {}
    continues: set[int] = set()
    for _, i, j in sorted(near):
        if i not in next_of and j not in continues:
            next_of[i] = j
            continues.add(j)
    return in_sequence(tracks, next_of)


def by_start(track: Track) -> tuple[int, int, int, int, int, int, str]:
    """Return the key that sorts tracks by their first box."""
    return by_time(track[0])


def in_sequence(tracks: Sequence[Track], next_of: Mapping[int, int]) -> list[Track]:
    """Join each track with the tracks that continue it; `next_of` has their indices."""
    joined = []
    continues = set(next_of.values())
    for i in range(len(tracks)):
        if i in continues:
            continue
        whole = list(tracks[i])
        while i in next_of:
            i = next_of[i]
            whole += tracks[i]
        joined.append(whole)
    return joined


def never_moves(track: Sequence[TrackedBox]) -> bool:
    """Return whether, for 2 s or more, 90 % of the centres are within half the box's height, both ways."""
    if track[-1].time_ms - track[0].time_ms < _LEAST_FOR_FIXED_MS:
        return False
    height = sorted(sighting.height for sighting in track)[len(track) // 2]
    return all(
        _inner_span(sorted(centres)) < _MOVED_HEIGHTS * height
        for centres in (
            [sighting.left + sighting.width / 2 for sighting in track],
            [sighting.top + sighting.height / 2 for sighting in track],
        )
    )


def _inner_span(ordered: Sequence[float]) -> float:
    cut = len(ordered) // 20
    return ordered[len(ordered) - 1 - cut] - ordered[cut]


def _distance(track: Track, start: TrackedBox) -> float | None:
    """Return the distance from `start` to where `track` goes, in heights squared; None if no match."""
    end = track[-1]
    if not are_alike(end, start):
        return None
    before = track[max(0, len(track) - _VELOCITY_SIGHTINGS)]
    passed_ms = end.time_ms - before.time_ms
    # Doubled centres stay whole numbers.
    x, y = 2 * end.left + end.width, 2 * end.top + end.height
    steps = (start.time_ms - end.time_ms) / passed_ms if passed_ms else 0.0
    dx = (x - 2 * before.left - before.width) * steps
    dy = (y - 2 * before.top - before.height) * steps
    nearest = None
    for part in (0.0, 0.5, 1.0):
        off_x = (2 * start.left + start.width - x - part * dx) / (2 * start.height)
        off_y = (2 * start.top + start.height - y - part * dy) / (2 * start.height)
        distance = off_x * off_x + off_y * off_y
        if nearest is None or distance < nearest:
            nearest = distance
    return nearest if nearest is not None and nearest <= _NEAR_HEIGHTS * _NEAR_HEIGHTS else None


def are_alike(end: TrackedBox, start: TrackedBox) -> bool:
    """Return whether the boxes may be of one object: of similar height, `start` away from the border."""
    return (
        0 < start.height <= _HEIGHT_RATIO * end.height
        and end.height <= _HEIGHT_RATIO * start.height
        and not is_at_border(start)
    )


_MEETING_MS = 500
_MOTION_MS = 1500
"""Where two objects meet, boxes mix both: the `_MOTION_MS` before and after show how each moves."""
_AHEAD_MS = 1000
_HIDDEN_MS = 300
_WALKED_HEIGHTS = 0.8
"""Measured: of those who move less in `_MOTION_MS` before and after a gap, some turn round."""
_CROSSING_MS = 1000
_OPPOSITE = 0.97
"""The least square of the cosine between the ways of two who cross: within 10 degrees of opposite."""
_MEETING_HEIGHTS = 1.5
_LONE_STITCHES = 3
_LONE_HEIGHTS = 1.0
_FILL_CONFIDENCE = 4000
"""Measured: weaker boxes near a gap belong to another object just as often."""
_FILL_HEIGHTS = 0.75


class _Move(NamedTuple):
    """The move from a box to a later one, with doubled centres, which stay whole numbers."""

    x: int
    y: int
    time_ms: int
    dx: int
    dy: int
    passed_ms: int


def mended(
    tracks: Sequence[Track], left_over: Sequence[tuple[int, list[TrackedBox]]], params: TrackParams
) -> list[Track]:
    """Return whole tracks; boxes that join them are removed from `left_over`, which has frames by time."""
    if not params.stitch_ms:
        return stitch(tracks, 0)
    tracks = stitch(untangle(parted(tracks)), params.stitch_ms)
    # One hour would join beyond the margin, and the next would not.
    lone_ms = min(_LONE_STITCHES * params.stitch_ms, MARGIN_MS - params.gap_ms)
    tracks = join_lone(tracks, lone_ms)
    return [fill(track, left_over, params.gap_ms) for track in with_fragments(tracks)]


def parted(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks, parted in gaps after which another object continues them; see `_meet`."""
    parts = []
    for track in tracks:
        first = 0
        for place in range(2, len(track)):
            end, start = track[place - 1], track[place]
            gap_ms, step_ms = start.time_ms - end.time_ms, end.time_ms - track[place - 2].time_ms
            # At few frames a second, there is no gap from one frame to the next.
            if gap_ms > _HIDDEN_MS and 2 * gap_ms > 3 * step_ms and _meet(track, track, end, start):
                parts.append(track[first:place])
                first = place
        parts.append(track[first:])
    return parts


def untangle(tracks: Sequence[Track]) -> list[Track]:
    """Swap the rest of a track that turns round with a track that begins there and continues its motion."""
    tracks = sorted(tracks, key=by_start)
    live: list[int] = []
    for new, track in enumerate(tracks):
        start = track[0]
        live = [index for index in live if tracks[index][-1].time_ms >= start.time_ms + _MEETING_MS]
        if not is_at_border(start):
            fits = [
                (off, index)
                for index in live
                if (off := _off_its_way(tracks[index], tracks[new])) is not None
            ]
            if fits:
                _, other = min(fits)
                whole = tracks[other]
                cut = bisect_left(whole, start.time_ms, key=_time_of)
                tracks[other], tracks[new] = whole[:cut] + tracks[new], whole[cut:]
        live.append(new)
    return tracks


def _off_its_way(track: Track, new: Track) -> float | None:
    """Return how far `new` is off the way of `track`, in heights squared; None unless `track` turns round."""
    start = new[0]
    at_ms = start.time_ms
    near = _nearest(track, at_ms)
    if abs(near.time_ms - at_ms) > _MEETING_MS or _apart2(near, start) > _MEETING_HEIGHTS * _MEETING_HEIGHTS:
        return None
    before = _motion(track, at_ms - _MEETING_MS - _MOTION_MS, at_ms - _MEETING_MS)
    after = _motion(track, at_ms, at_ms + _MOTION_MS)
    if before is None or after is None or before.dx * after.dx + before.dy * after.dy > 0:
        return None
    ahead_ms = min(at_ms + _AHEAD_MS, new[-1].time_ms, track[-1].time_ms)
    if ahead_ms < at_ms + _MEETING_MS:
        return None
    steps = (ahead_ms - before.time_ms) / before.passed_ms
    x, y = before.x + before.dx * steps, before.y + before.dy * steps
    of_new, of_track = (
        _off2(_nearest(track_end, ahead_ms), x, y, start.height) for track_end in (new, track)
    )
    return of_new if of_new <= 1 <= of_track and 4 * of_new < of_track else None


def join_lone(tracks: Sequence[Track], gap_ms: int) -> list[Track]:
    """Join tracks over a gap in which their object stood hidden, where each is the other's only match.

    Both ends are away from the border, of similar height, and within a height of each other: an object that
    walks on for so long may be anywhere.
    """
    tracks = sorted(tracks, key=by_start)
    starts = [track[0].time_ms for track in tracks]
    pairs = [
        (i, j)
        for i, track in enumerate(tracks)
        if not is_at_border(end := track[-1])
        for j in range(bisect_right(starts, end.time_ms), bisect_right(starts, end.time_ms + gap_ms))
        if are_alike(end, start := tracks[j][0])
        and _apart2(end, start) <= _LONE_HEIGHTS * _LONE_HEIGHTS
        and not _meet(track, tracks[j], end, start)
    ]
    ends, begins = Counter(i for i, _ in pairs), Counter(j for _, j in pairs)
    return in_sequence(tracks, {i: j for i, j in pairs if ends[i] == begins[j] == 1})


def with_fragments(tracks: Sequence[Track]) -> list[Track]:
    """Return the tracks with gaps, each with the track, if any, that is on the way within its gap.

    A gap is bridged because the object was not found there, so what was found there all along is the object.
    """
    tracks = sorted(tracks, key=by_start)
    starts = [track[0].time_ms for track in tracks]
    fragments: set[int] = set()
    for number, track in enumerate(tracks):
        place = 0
        while number not in fragments and place + 1 < len(track):
            since, until = track[place], track[place + 1]
            if until.time_ms - since.time_ms > _MEETING_MS:
                first = bisect_right(starts, since.time_ms)
                for other in range(first, bisect_left(starts, until.time_ms)):
                    fragment = tracks[other]
                    if (
                        other not in fragments
                        and fragment[-1].time_ms < until.time_ms
                        and all(_off_the_way2(since, until, box) is not None for box in fragment)
                    ):
                        fragments.add(other)
                        track[place + 1 : place + 1] = fragment
                        break
            place += 1
    return [track for number, track in enumerate(tracks) if number not in fragments]


def fill(track: Track, left_over: Sequence[tuple[int, list[TrackedBox]]], gap_ms: int) -> Track:
    """Return a track whose gaps of more than `gap_ms` are filled with left-over boxes on its way."""
    whole = [track[0]]
    for until in track[1:]:
        if until.time_ms - whole[-1].time_ms > gap_ms:
            first = bisect_right(left_over, whole[-1].time_ms, key=_frame_time)
            for _, boxes in left_over[first : bisect_left(left_over, until.time_ms, key=_frame_time)]:
                on_the_way = _on_the_way(whole[-1], until, boxes)
                if on_the_way is not None:
                    whole.append(boxes.pop(on_the_way))
        whole.append(until)
    return whole


def _on_the_way(since: TrackedBox, until: TrackedBox, boxes: Sequence[TrackedBox]) -> int | None:
    """Return the index of the box that is nearest to the straight way from one box to another."""
    near = [
        (off, index)
        for index, box in enumerate(boxes)
        if box.confidence >= _FILL_CONFIDENCE and (off := _off_the_way2(since, until, box)) is not None
    ]
    return min(near)[1] if near else None


def _off_the_way2(since: TrackedBox, until: TrackedBox, box: TrackedBox) -> float | None:
    """Return how far `box` is off the straight way between two boxes, in heights squared; None if too far."""
    part = (box.time_ms - since.time_ms) / (until.time_ms - since.time_ms)
    from_x, from_y = 2 * since.left + since.width, 2 * since.top + since.height
    x = from_x + part * (2 * until.left + until.width - from_x)
    y = from_y + part * (2 * until.top + until.height - from_y)
    off = _off2(box, x, y, box.height) if are_alike(since, box) else None
    return off if off is not None and off <= _FILL_HEIGHTS * _FILL_HEIGHTS else None


def _meet(track: Track, new: Track, end: TrackedBox, start: TrackedBox) -> bool:
    """Return whether `new` goes back from `start` where `track` came from until `end`, just before: two meet.

    After a longer gap an object may have turned round.
    """
    if start.time_ms - end.time_ms > _CROSSING_MS:
        return False
    before = _motion(track, end.time_ms - _MOTION_MS, end.time_ms)
    after = _motion(new, start.time_ms, start.time_ms + _MOTION_MS)
    if before is None or after is None:
        return False
    before2, after2 = (move.dx * move.dx + move.dy * move.dy for move in (before, after))
    along = before.dx * after.dx + before.dy * after.dy
    if along >= 0 or along * along < _OPPOSITE * before2 * after2:
        return False  # vehicles turn
    least = 2 * _WALKED_HEIGHTS * start.height  # doubled, as the moves are
    return before2 >= least * least and after2 >= least * least


def _motion(track: Track, from_ms: int, to_ms: int) -> _Move | None:
    """Return a track's motion in a period; None without three boxes over `_MEETING_MS`."""
    first, end = bisect_left(track, from_ms, key=_time_of), bisect_right(track, to_ms, key=_time_of)
    if end - first < 3 or (passed_ms := track[end - 1].time_ms - track[first].time_ms) < _MEETING_MS:
        return None
    _, _, left, top, width, height, *_ = track[first]
    last = track[end - 1]
    x, y = 2 * last.left + last.width, 2 * last.top + last.height
    return _Move(x, y, last.time_ms, x - 2 * left - width, y - 2 * top - height, passed_ms)


def _nearest(track: Track, time_ms: int) -> TrackedBox:
    index = bisect_left(track, time_ms, key=_time_of)
    return min(track[max(index - 1, 0) : index + 1], key=lambda box: abs(box.time_ms - time_ms))


def _apart2(box: TrackedBox, other: TrackedBox) -> float:
    """Return the distance between two centres, in heights of `other`, squared."""
    return _off2(box, 2 * other.left + other.width, 2 * other.top + other.height, other.height)


def _off2(box: TrackedBox, x: float, y: float, height: int) -> float:
    """Return the distance of a box's centre from a place (both doubled), in heights squared."""
    off_x, off_y = 2 * box.left + box.width - x, 2 * box.top + box.height - y
    return (off_x * off_x + off_y * off_y) / (4 * height * height)


def stood_before(
    visits: Sequence[Visit], edges: Mapping[Size, TrackEdges], group_of: Mapping[str, str]
) -> set[int]:
    """Return the indices of visits whose object stood in the same place when the earlier footage ended.

    Neither visit moves, their labels are the same or of one group, and the gap separates them. The greatest
    overlap is taken first, each visit once; of equal ones the earlier visits.
    """
    ended: dict[tuple[Size, str, int], list[int]] = {}
    began: dict[tuple[Size, str, int], list[int]] = {}
    places: dict[int, TrackedBox] = {}
    for number, visit in enumerate(visits):
        first, last = visit.sightings[0], visit.sightings[-1]
        shape, group = size_of(first.frame), group_of.get(visit.label, visit.label)
        since, until = edges[shape].gap_before(first), edges[shape].gap_after(last)
        if (since or until) and never_moves(visit.sightings):
            places[number] = _place(visit.sightings)
            for gap, at_gap in ((since, began), (until, ended)):
                if gap:
                    at_gap.setdefault((shape, group, gap), []).append(number)
    pairs = [
        (-overlap, before, after)
        for gap, numbers in began.items()
        for after in numbers
        for before in ended.get(gap, ())
        if (overlap := overlap_of(places[before], places[after])) >= _SAME_PLACE
    ]
    used: set[int] = set()
    same: set[int] = set()
    for _, before, after in sorted(pairs):
        if before not in used and after not in same:
            used.add(before)
            same.add(after)
    return same


def _place(sightings: Sequence[TrackedBox]) -> TrackedBox:
    """Return a box of the visit's medians."""
    sides = zip(*((box.left, box.top, box.width, box.height) for box in sightings), strict=True)
    left, top, width, height = (sorted(side)[len(sightings) // 2] for side in sides)
    return sightings[0]._replace(left=left, top=top, width=width, height=height)
