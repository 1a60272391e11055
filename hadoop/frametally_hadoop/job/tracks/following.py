"""Boxes of one group of labels through time become tracks. Standard library only; the same bits everywhere.

Two passes as ByteTrack has them (Zhang et al., arXiv:2110.06864), with a motion model that knows the true
time between two frames, and boxes that are widened before they are compared. In each frame:

1. Tracks move to where they should be now. One that has had no box for `gap_ms` ends.
2. Strong boxes go to tracks of two boxes or more, also to lost ones.
3. Weak boxes go to those tracks that still have none, and are not lost: hidden objects are seen weakly.
4. Strong boxes that are left go to tracks of one box; one that gets none for `_SECOND_BOX_MS` is
   dropped: it was a false alarm.
5. Strong boxes that are left and above the threshold for new ones begin tracks.

An object that comes nearer is seen weakly before it is strong enough to begin a track. So a track that gets
its second box takes back, frame by frame, what was left over where it begins: as pass 3, the other way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from frametally_hadoop.job.input.lines import Frame
from frametally_hadoop.job.tracks.association import Area, pair_up, widened
from frametally_hadoop.job.tracks.motion import Motion
from frametally_hadoop.job.tracks.params import NEW_ABOVE_STRONG, TrackParams

_STRONG_OVERLAP = 0.2
_WEAK_OVERLAP = 0.5
_SECOND_OVERLAP = 0.3
"""Least overlaps of passes 2, 3 and 4: ByteTrack's published ones."""
_SECOND_BOX_MS = 200
"""A track of one box is dropped after so long: with the next frame at 5 frames a second, as published.

If the next frame alone counted at every rate, more frames a second would begin fewer tracks: a car that comes
out behind another is seen well in every other frame at first.
"""
_TAKEN_BACK_MS = 3000
"""Much less than the minute around an hour: what is taken back there, both hours know."""


class TrackedBox(NamedTuple):
    """One box of one frame, in whole numbers.

    Attributes:
        time_ms: `captured_at_ms` of the frame.
        confidence: In ten-thousandths.
        left: Tenths of a pixel, as `top`, `width` and `height`.
        is_counted: Whether it counts, were its label counted; a track may begin with boxes that do not.
        frame: Where it was seen.
        label: Class name.
        twins: Weaker boxes of the same object, of other labels of its group; see `labels.one_per_object`.
    """

    time_ms: int
    confidence: int
    left: int
    top: int
    width: int
    height: int
    is_counted: bool
    frame: Frame
    label: str
    twins: tuple[TrackedBox, ...] = ()


def by_strength(sighting: TrackedBox) -> tuple[int, int, int, int, int, str]:
    """Return the key that sorts a frame's boxes: the strongest first, then by place, then by label."""
    _, confidence, left, top, width, height, _, _, label, _ = sighting
    return -confidence, left, top, width, height, label


Track: TypeAlias = list[TrackedBox]
"""The boxes of one object, by time; two at least."""


class _LiveTrack:
    __slots__ = ("is_lost", "motion", "sightings")

    def __init__(self, sighting: TrackedBox) -> None:
        _, _, left, top, width, height, *_ = sighting
        self.motion = Motion(left, top, width, height)
        self.sightings = [sighting]
        self.is_lost = False

    def area(self) -> Area:
        motion = self.motion
        width, height = motion.width, motion.height
        return widened(motion.x - width / 2, motion.y - height / 2, width, height)

    def go_on(self, sighting: TrackedBox) -> None:
        _, _, left, top, width, height, *_ = sighting
        self.motion.correct(left, top, width, height)
        self.sightings.append(sighting)
        self.is_lost = False


class Tracker:
    """Tracks the boxes of one group of labels; give it every frame, by time.

    Attributes:
        left_over: By frame, the boxes that went to no track, and began none.
    """

    def __init__(self, params: TrackParams) -> None:
        """Start with no track."""
        self._strong, self._weak = params.strong, params.weak
        self._strong_of = dict(params.strong_by_label).get
        self._gap_ms = params.gap_ms
        self._live: list[_LiveTrack] = []
        self._ended: list[Track] = []
        self._now_ms = 0
        self.left_over: list[tuple[int, list[TrackedBox]]] = []

    def step(self, time_ms: int, sightings: Sequence[TrackedBox]) -> None:
        """Take the boxes of the next frame in the order of `by_strength`; there may be none."""
        if not self._live and not sightings:
            self.left_over.append((time_ms, []))
            return
        self._move_on(time_ms)
        strong, weak = [], []
        for sighting in sightings:
            if sighting.confidence >= self._strong_of(sighting.label, self._strong):
                strong.append(sighting)
            elif sighting.confidence >= self._weak:
                weak.append(sighting)
        seen_twice = [track for track in self._live if len(track.sightings) > 1]
        seen_once = [track for track in self._live if len(track.sightings) == 1]

        unseen, strong = _go_on(seen_twice, strong, _STRONG_OVERLAP)
        _, weak = _go_on([track for track in unseen if not track.is_lost], weak, _WEAK_OVERLAP)
        _, strong = _go_on(seen_once, strong, _SECOND_OVERLAP)
        for track in seen_once:
            if len(track.sightings) > 1:
                track.sightings[:0] = [*self._before(track.sightings[0])][::-1]

        live = self._live = [
            track
            for track in self._live
            if len(track.sightings) > 1 or time_ms - track.sightings[0].time_ms < _SECOND_BOX_MS
        ]
        for track in unseen:
            track.is_lost = track.sightings[-1].time_ms < time_ms
        live += [_LiveTrack(sighting) for sighting in strong if self._is_new(sighting)]
        weak += [sighting for sighting in strong if not self._is_new(sighting)]
        self.left_over.append((time_ms, weak))

    def _before(self, first: TrackedBox) -> Iterator[TrackedBox]:
        """Yield, backwards, what was left over of an object before the first box of its track."""
        now = first
        for time_ms, boxes in reversed(self.left_over):
            if self.left_over[-1][0] - time_ms > _TAKEN_BACK_MS:
                return
            if time_ms >= first.time_ms:
                continue
            areas = [widened(left, top, width, height) for _, _, left, top, width, height, *_ in boxes]
            pairs, _, _ = pair_up([widened(*now[2:6])], areas, _WEAK_OVERLAP)
            if not pairs:
                return
            now = boxes.pop(pairs[0][1])
            yield now

    def finish(self) -> list[Track]:
        """All tracks, after the last frame."""
        self._ended += [track.sightings for track in self._live if len(track.sightings) > 1]
        self._live = []
        return self._ended

    def _is_new(self, sighting: TrackedBox) -> bool:
        strong = self._strong_of(sighting.label, self._strong)
        return sighting.confidence >= min(strong + NEW_ABOVE_STRONG, 10_000)

    def _move_on(self, time_ms: int) -> None:
        seconds = (time_ms - self._now_ms) / 1000
        self._now_ms = time_ms
        live = []
        for track in self._live:
            if time_ms - track.sightings[-1].time_ms <= self._gap_ms:
                track.motion.predict(seconds, is_lost=track.is_lost)
                live.append(track)
            elif len(track.sightings) > 1:
                self._ended.append(track.sightings)
        self._live = live


def _go_on(
    tracks: list[_LiveTrack], sightings: list[TrackedBox], least_overlap: float
) -> tuple[list[_LiveTrack], list[TrackedBox]]:
    """Give tracks the boxes that fit; returns the tracks and the boxes that are left."""
    if not tracks or not sightings:
        return tracks, sightings
    pairs, tracks_left, sightings_left = pair_up(
        [track.area() for track in tracks],
        [widened(left, top, width, height) for _, _, left, top, width, height, *_ in sightings],
        least_overlap,
    )
    for i, j in pairs:
        tracks[i].go_on(sightings[j])
    return [tracks[i] for i in tracks_left], [sightings[j] for j in sightings_left]
