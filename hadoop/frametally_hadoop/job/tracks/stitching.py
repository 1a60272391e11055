"""Tracks that broke are joined again; tracks of things that never move can be told. Standard library only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from frametally_hadoop.job.tracks.following import Track, TrackedBox, by_strength

_NEAR_HEIGHTS = 1.5
_HEIGHT_RATIO = 1.6
_BORDER_PART = 0.02
_VELOCITY_SIGHTINGS = 10
_MOVED_HEIGHTS = 0.5
_LEAST_FOR_FIXED_MS = 2000


def stitch(tracks: Sequence[Track], gap_ms: int) -> list[Track]:
    """Join tracks where one goes on with another that ended up to `gap_ms` before.

    Both ends must be away from the frame's border (there objects come and go) and of about one height. The
    start must lie within 1.5 heights of where the first one ended, of where it would be now, or of half way.
    The nearest are joined first, each end once; of equally near ones, those that began first.

    Returns:
        Tracks by their first sighting, each ordered by time.
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
            if distance is not None:
                near.append((distance, i, j))
    next_of: dict[int, int] = {}
    continues: set[int] = set()
    for _, i, j in sorted(near):
        if i not in next_of and j not in continues:
            next_of[i] = j
            continues.add(j)
    return in_sequence(tracks, next_of)


def by_start(track: Track) -> tuple[int, tuple[int, int, int, int, int, str]]:
    """Return the key that sorts tracks by their first box."""
    return track[0].time_ms, by_strength(track[0])


def in_sequence(tracks: Sequence[Track], next_of: Mapping[int, int]) -> list[Track]:
    """Return tracks with those behind them that go on with them; `next_of` has their numbers."""
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


def never_moves(track: Track) -> bool:
    """Return whether, for 2 s or more, 90 % of the centres lie within half the box's height, both ways."""
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
    """Return how near `start` is to where `track` goes, in heights squared; None: they cannot be one."""
    end = track[-1]
    if not are_alike(end, start):
        return None
    before = track[max(0, len(track) - _VELOCITY_SIGHTINGS)]
    passed_ms = end.time_ms - before.time_ms
    # Centres twice as large, to stay with whole numbers.
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
    """Return whether an object may have the one box after the other: of about one height, off the border."""
    return (
        0 < start.height <= _HEIGHT_RATIO * end.height
        and end.height <= _HEIGHT_RATIO * start.height
        and not is_at_border(start)
    )


def is_at_border(sighting: TrackedBox) -> bool:
    """Return whether a box touches the frame's border, or nearly; objects come and go there."""
    width, height = sighting.frame.width_px * 10, sighting.frame.height_px * 10
    if width <= 0 or height <= 0:
        return False  # unknown
    return (
        sighting.left < _BORDER_PART * width
        or sighting.top < _BORDER_PART * height
        or sighting.left + sighting.width > width - _BORDER_PART * width
        or sighting.top + sighting.height > height - _BORDER_PART * height
    )
