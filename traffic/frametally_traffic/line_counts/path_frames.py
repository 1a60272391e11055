"""Frames on an object's path, each with its box: the proof that it was there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from frametally.books.count_settings import SettingsByDay
from frametally.books.evidence import ProvedFrame, frames_of_bar
from frametally.errors import Retryable
from frametally.media.overlapping import NotCounted
from frametally.ports.object_store import ObjectMissing
from frametally.records import Detection
from frametally.settings.loading import Settings
from frametally_traffic.geometry.foot_paths import FootPath
from frametally_traffic.line_counts import single_answers as answers
from frametally_traffic.line_counts.flow_question import PlacesAsked
from frametally_traffic.line_counts.whole_paths import place_at
from frametally_web.books.reader import DashboardPorts
from frametally_web.proof.evidence import box
from frametally_web.proof.recent_ranges import RecentRanges

_NEAR_MS = 2000
"""Frames so near to a moment are looked at first; where there are few, those at the path's own points."""
_OFF_HEIGHTS = 0.1
_OFF_PX = 1.0
"""Paths pass boxes by a tenth of their height, and places are rounded."""


class SeenFrames:
    """The frames of one source, as they were counted."""

    def __init__(
        self,
        ports: DashboardPorts,
        settings: Settings,
        asked: PlacesAsked,
        image_url: Callable[[str], str],
    ) -> None:
        """Read nothing yet; `image_url` gives a picture's address from its key."""
        self._ports = ports
        self._settings = settings
        self._asked = asked
        self._image_url = image_url
        self._store = RecentRanges(ports.store)
        self._by_day = SettingsByDay(ports.index, asked.model, asked.base_interval_s)
        self._gone = NotCounted(ports.ledger)

    def around(
        self, path: FootPath, time_ms: int, before_ms: int, after_ms: int
    ) -> tuple[answers.PathFrame | None, answers.PathFrame | None]:
        """Return the last frame up to a moment, and the first after it, in which the path has its box.

        Args:
            path: Of the object.
            time_ms: The moment.
            before_ms: When the point of the path before it is.
            after_ms: When the point after it is.
        """
        near = self._read(max(before_ms, time_ms - _NEAR_MS), min(after_ms, time_ms + _NEAR_MS))
        before = [one for one in near if one.frame.captured_at_ms <= time_ms]
        after = [one for one in near if one.frame.captured_at_ms > time_ms]
        return (
            self._first_with_box([*before[::-1], *self._read(before_ms, before_ms)], path),
            self._first_with_box([*after, *self._read(after_ms, after_ms)], path),
        )

    def nearest(self, path: FootPath, time_ms: int) -> answers.PathFrame | None:
        """Return the frame nearest to a moment in which the path has its box."""
        point_ms = min(path.time_ms, key=lambda ms: abs(ms - time_ms))
        near = self._read(time_ms - _NEAR_MS // 4, time_ms + _NEAR_MS // 4)
        near.sort(key=lambda one: abs(one.frame.captured_at_ms - time_ms))
        return self._first_with_box([*near, *self._read(point_ms, point_ms)], path)

    def _first_with_box(self, frames: Iterable[ProvedFrame], path: FootPath) -> answers.PathFrame | None:
        without = None
        for proved in frames:
            its = _box_of(proved, path)
            if its is not None:
                return self._shown(proved, its)
            without = without or proved
        return self._shown(without, None) if without else None

    def _shown(self, proved: ProvedFrame, its: Detection | None) -> answers.PathFrame:
        frame = proved.frame
        return answers.PathFrame(
            captured_at_ms=frame.captured_at_ms,
            image_path=frame.image_path,
            image_url=self._image_url(frame.image_path),
            width_px=frame.width_px,
            height_px=frame.height_px,
            box=None if its is None else box(its),
        )

    def _read(self, from_ms: int, last_ms: int) -> list[ProvedFrame]:
        settings = self._settings
        found = frames_of_bar(
            self._store,
            self._ports.ledger,
            model=self._asked.model,
            source=self._asked.source,
            labels=(),
            from_ms=from_ms,
            to_ms=last_ms + 1,
            limits=self._by_day.counted_boxes_at(from_ms, settings.counted_boxes()),
            not_counted=self._gone.by(self._by_day.overlaps_at(from_ms, settings.count_overlaps)),
            empty=True,
        )
        try:
            return [*found]
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being brought up to the store") from error


def _box_of(proved: ProvedFrame, path: FootPath) -> Detection | None:
    """Return the box of a frame that stands where the path is then; None if none does."""
    at_ms = proved.frame.captured_at_ms
    if not path.time_ms[0] <= at_ms <= path.time_ms[-1]:
        return None
    x, y, height = place_at(path, at_ms)
    most_px = _OFF_HEIGHTS * height + _OFF_PX

    def off_px(one: Detection) -> float:
        left, top, width, tall = one.box
        return max(abs(left + width / 2 - x), abs(top + tall - y), abs(tall - height))

    found = min(proved.boxes, key=off_px, default=None)
    return found if found is not None and off_px(found) <= 2 * most_px else None
