"""When a frame of a stored video is due, by its presentation time and the speed that is asked for."""

from __future__ import annotations


class PlayingClock:
    """A clock of presentation time that runs at a speed, from where it was set last."""

    def __init__(self, speed: float) -> None:
        """Run so many seconds of the video in a second."""
        self._speed = speed
        self._position_s = self._set_at_s = 0.0

    def set_to(self, position_s: float, now_s: float) -> None:
        """Have that presentation time be due now."""
        self._position_s, self._set_at_s = position_s, now_s

    def due_in_s(self, position_s: float, now_s: float) -> float:
        """Return the seconds until a presentation time is due; of one that is late, a negative number."""
        return (position_s - self._position_s) / self._speed - (now_s - self._set_at_s)
