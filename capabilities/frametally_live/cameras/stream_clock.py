"""Capture times of a camera's frames: from the stream's clock if it has one, else from arrival."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from frametally.records import TimeSource
from frametally.rules.times import DAY_MS, FIRST_MS, NEXT_MS
from frametally_live.cameras.camera_access import CameraAway

_FAR_MS = 10_000
"""A jump larger than a stalled connection can explain: the clock was changed."""
_WINDOW_MS = 60_000
_LEAST_RATE_S, _RATE_S = 1.0, 5.0
"""Seconds over which a rate is measured."""


class RecentRate:
    """The recent rate of events."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque()

    def note(self, now_s: float) -> None:
        """Count one more event, now, by a monotonic clock."""
        self._times_s.append(now_s)
        while self._times_s[0] < now_s - _RATE_S:
            self._times_s.popleft()

    @property
    def per_s(self) -> float | None:
        """Return the rate per second, up to the last event; None until it is known."""
        times_s = self._times_s
        span_s = times_s[-1] - times_s[0] if times_s else 0.0
        return round((len(times_s) - 1) / span_s, 2) if span_s >= _LEAST_RATE_S else None


class _Begin(NamedTuple):
    """The start of a connection, by the earliest frame within a window."""

    begin_ms: int
    since_ms: int


class CaptureTime(NamedTuple):
    """When a frame was captured.

    Attributes:
        runs_back: Whether it is well before the previous frame: times start again.
    """

    at_ms: int
    time_source: TimeSource
    runs_back: bool = False


class CaptureClock:
    """The event times of one camera's frames, over all its connections; they grow until they start again.

    The stream's clock is used if it is within a day of this machine's, and its drift is reported. A clock
    farther off was never set. Without a clock, frames get arrival times, spaced as in the stream and
    corrected by the drift of an earlier connection. A clock that goes back by less than 10 s runs at half
    speed until the time is made up.

    Attributes:
        drift_ms: How far the stream's clock was last ahead of this machine's; None if that was never known.
    """

    def __init__(self) -> None:
        self.drift_ms: int | None = None
        self._last_ms: int | None = None
        self._stated_ms = 0
        self._usual_drift_ms: int | None = None
        self._begins: list[_Begin] = []

    def connect(self) -> None:
        """Begin another connection, whose presentation times are independent of earlier ones."""
        self._usual_drift_ms = None
        self._begins = []

    def time_of(self, position_ms: int, *, stream_ms: int | None, arrived_at_ms: int) -> CaptureTime:
        """Return when a frame was captured.

        Args:
            position_ms: Its presentation time, from the connection's first frame.
            stream_ms: Its time by the stream's clock; None if there is none.
            arrived_at_ms: When it arrived, by this machine's clock.

        Raises:
            CameraAway: The stream's clock has jumped; times start again with another connection.
        """
        if stream_ms is None or abs(stream_ms - arrived_at_ms) > DAY_MS:
            at_ms = self._by_arrival(position_ms, arrived_at_ms) + (self.drift_ms or 0)
            return self._growing(at_ms, "arrival")
        self.drift_ms = drift_ms = stream_ms - arrived_at_ms
        if self._usual_drift_ms is None:
            self._usual_drift_ms = drift_ms
        jump_ms = drift_ms - self._usual_drift_ms
        if abs(jump_ms) > _FAR_MS:
            raise CameraAway(f"has changed its clock by {jump_ms / 1000:.0f} s")
        return self._growing(stream_ms, "stream_clock")

    def _by_arrival(self, position_ms: int, arrived_at_ms: int) -> int:
        begin_ms = arrived_at_ms - position_ms
        # The fastest frames show best when the connection began; the others were delayed. But the camera's
        # clock may run slower than ours, so old frames prove nothing.
        if self._begins and abs(begin_ms - min(begin.begin_ms for begin in self._begins)) > _FAR_MS:
            self._begins = []
        if not self._begins or arrived_at_ms - self._begins[-1].since_ms > _WINDOW_MS:
            self._begins = [*self._begins[-1:], _Begin(begin_ms, arrived_at_ms)]
        elif begin_ms < self._begins[-1].begin_ms:
            self._begins[-1] = self._begins[-1]._replace(begin_ms=begin_ms)
        return min(begin.begin_ms for begin in self._begins) + position_ms

    def _growing(self, at_ms: int, time_source: TimeSource) -> CaptureTime:
        at_ms = min(max(at_ms, FIRST_MS), NEXT_MS - 1)
        last_ms = self._last_ms
        runs_back = last_ms is not None and at_ms < last_ms - _FAR_MS
        passed_ms, self._stated_ms = at_ms - self._stated_ms, at_ms
        if last_ms is not None and at_ms <= last_ms and not runs_back:
            at_ms = last_ms + max(1, passed_ms // 2)
        self._last_ms = at_ms
        return CaptureTime(at_ms, time_source, runs_back)
