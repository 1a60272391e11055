"""Finds the whole paths of single objects, their lengths, and the frames that show them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from frametally.actions.answers import answer_of
from frametally.books.counted_days import SettingsByDay
from frametally.books.evidence import ProvedFrame, frames_of_bar
from frametally.books.runs import read_paths
from frametally.errors import Poison, Retryable
from frametally.keys import utc_day
from frametally.media.overlapping import NotCounted
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import Detection, Run
from frametally.rules.path_columns import PathColumns, of_each_shape
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_traffic.flows.shapes import Shapes, holds_at
from frametally_traffic.flows.visit_speeds import Way, way_of
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath, joined, pieces_of
from frametally_traffic.geometry.speed import NotMeasured
from frametally_traffic.line_counts import single_answers as answers
from frametally_traffic.line_counts.flow_question import PlacesAsked
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.proof.bars import RecentRanges
from frametally_web.proof.evidence_frames import box

_KEPT = 6


class WholePaths:
    """The paths of one source in a model's runs of one interval; the last days read are cached."""

    def __init__(self, store: ObjectStore, index: CountIndex, question: PlacesAsked) -> None:
        """Find the current runs; paths are read later."""
        self._store = store
        self._source = question.source
        series = (question.model, question.base_interval_s)
        self._runs: dict[str, Run] = {
            run.day: run for run in index.current_runs() if (run.model, run.interval_s) == series
        }
        self._days: dict[str, list[PathColumns]] = {}

    def of_tracks(self, ids: Iterable[str]) -> dict[str, FollowedPath]:
        """Return whole paths by the id of their first track, without those missing in the store.

        Paths continue over hours, and over midnight into the next day.
        """
        by_day: dict[int, set[str]] = {}
        for track_id in ids:
            start_ms = int(track_id.partition("-")[0])
            by_day.setdefault(start_ms - start_ms % DAY_MS, set()).add(track_id)
        whole_paths: dict[str, FollowedPath] = {}
        for day_ms, day_ids in sorted(by_day.items()):
            whole = joined(self._pieces(day_ms, day_ids))
            whole_paths.update((path.ids[0], path) for path in whole if path.ids[0] in day_ids)
        return whole_paths

    def _pieces(self, day_ms: int, ids: set[str]) -> Iterator[FollowedPath]:
        """Yield the pieces of a day and the next that are wanted or may continue wanted ones."""
        files = [paths for ms in (day_ms, day_ms + DAY_MS) for paths in self._read(utc_day(ms))]
        for _, of_shape in of_each_shape(files):
            for paths in of_shape:
                for piece in pieces_of(paths):
                    if piece.ids[0] in ids or "hour" in (piece.began, piece.ended):
                        yield piece

    def _read(self, day: str) -> list[PathColumns]:
        if day not in self._days:
            run = self._runs.get(day)
            try:
                self._days[day] = [*read_paths(self._store, run, {self._source})] if run else []
            except Poison:  # since replaced, or damaged; the run's own check reports it
                self._days[day] = []
            while len(self._days) > _KEPT:
                del self._days[next(iter(self._days))]
        return self._days[day]


def place_at(path: FootPath, time_ms: int) -> tuple[float, float, float]:
    """Return a path's place at a moment, clamped to its ends, and the box's height, in pixels."""
    after = bisect_right(path.time_ms, time_ms)
    start, end = max(after - 1, 0), min(after, len(path.time_ms) - 1)
    passed_ms = path.time_ms[end] - path.time_ms[start]
    part = min(max((time_ms - path.time_ms[start]) / passed_ms, 0), 1) if passed_ms else 0.0
    columns: tuple[Sequence[int], ...] = (path.x, path.y, path.height)
    x, y, height = ((column[start] + (column[end] - column[start]) * part) / 10 for column in columns)
    return x, y, height


def points_of(followed: FollowedPath | None) -> list[tuple[int, float, float]]:
    """Return a path as in answers: time, x and y in pixels."""
    if followed is None:
        return []
    path = followed.path
    return [(time_ms, x / 10, y / 10) for time_ms, x, y in zip(path.time_ms, path.x, path.y, strict=True)]


def length_of(
    followed: FollowedPath, shapes: Shapes, time_ms: int
) -> Way | NotMeasured | Literal["no_calibration"]:
    """Return the length of a path within reach of the calibration of a time, or why it is unknown."""
    grounds = Shapes(grounds=shapes.grounds).on_frames(followed.size).grounds
    ground = next((ground for ground in grounds if holds_at(ground, time_ms)), None)
    return way_of(followed.path, ground) if ground else "no_calibration"


_NEAR_MS = 2000
"""Frames this close to a moment are tried first, then those at the path's own points."""
_OFF_HEIGHTS = 0.1
_OFF_PX = 1.0
"""Paths are off by up to a tenth of a box's height, and places are rounded."""


class SeenFrames:
    """The frames of one source, with the boxes that were counted."""

    def __init__(
        self,
        ports: DashboardPorts,
        settings: Settings,
        question: PlacesAsked,
        image_url: Callable[[str], str],
    ) -> None:
        """Read nothing yet; `image_url` returns a picture's address for its key."""
        self._ports = ports
        self._settings = settings
        self._question = question
        self._image_url = image_url
        self._store = RecentRanges(ports.store)
        self._by_day = SettingsByDay(ports.index, question.model, question.base_interval_s)
        self._gone = NotCounted(ports.ledger)

    def around(
        self, path: FollowedPath, time_ms: int, before_ms: int, after_ms: int
    ) -> tuple[answers.PathFrame | None, answers.PathFrame | None]:
        """Return the last frame with the path's box up to a moment, and the first one after it.

        Either may be a frame without the box, or None. `before_ms`, `after_ms`: times of the path's points
        around the moment.
        """
        near = self._read(max(before_ms, time_ms - _NEAR_MS), min(after_ms, time_ms + _NEAR_MS))
        before = [frame for frame in near if frame.frame.captured_at_ms <= time_ms]
        after = [frame for frame in near if frame.frame.captured_at_ms > time_ms]
        return (
            self._first_with_box([*before[::-1], *self._read(before_ms, before_ms)], path),
            self._first_with_box([*after, *self._read(after_ms, after_ms)], path),
        )

    def nearest(self, path: FollowedPath, time_ms: int) -> answers.PathFrame | None:
        """Return the frame with the path's box nearest to a moment, or one without it, or None."""
        point_ms = min(path.path.time_ms, key=lambda ms: abs(ms - time_ms))
        near = self._read(time_ms - _NEAR_MS // 4, time_ms + _NEAR_MS // 4)
        near.sort(key=lambda frame: abs(frame.frame.captured_at_ms - time_ms))
        return self._first_with_box([*near, *self._read(point_ms, point_ms)], path)

    def _first_with_box(self, frames: Iterable[ProvedFrame], path: FollowedPath) -> answers.PathFrame | None:
        without = None
        for proved in frames:
            detection = _box_of(proved, path)
            if detection is not None:
                return self._frame_answer(proved, detection)
            without = without or proved
        return self._frame_answer(without, None) if without else None

    def _frame_answer(self, proved: ProvedFrame, detection: Detection | None) -> answers.PathFrame:
        frame = proved.frame
        return answer_of(
            answers.PathFrame,
            (frame,),
            image_url=self._image_url(frame.image_path),
            box=None if detection is None else box(detection),
        )

    def _read(self, from_ms: int, last_ms: int) -> list[ProvedFrame]:
        settings = self._settings
        frames = frames_of_bar(
            self._store,
            self._ports.ledger,
            model=self._question.model,
            source=self._question.source,
            labels=(),
            from_ms=from_ms,
            to_ms=last_ms + 1,
            limits=self._by_day.counted_boxes_at(from_ms, settings.counted_boxes()),
            not_counted=self._gone.by(self._by_day.overlaps_at(from_ms, settings.count_overlaps)),
            empty=True,
        )
        try:
            return [*frames]
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being updated from the store") from error


def _box_of(proved: ProvedFrame, followed: FollowedPath) -> Detection | None:
    """Return the box of a frame at the path's place at that time, or None."""
    frame, path = proved.frame, followed.path
    if not path.time_ms[0] <= frame.captured_at_ms <= path.time_ms[-1]:
        return None
    width_px, height_px = followed.size or (frame.width_px, frame.height_px)
    x, y, height = place_at(path, frame.captured_at_ms)
    x, y, height = (
        x * frame.width_px / width_px,
        y * frame.height_px / height_px,
        height * frame.height_px / height_px,
    )
    most_px = _OFF_HEIGHTS * height + _OFF_PX

    def off_px(detection: Detection) -> float:
        left, top, width, tall = detection.box
        return max(abs(left + width / 2 - x), abs(top + tall - y), abs(tall - height))

    nearest = min(proved.boxes, key=off_px, default=None)
    return nearest if nearest is not None and off_px(nearest) <= 2 * most_px else None
