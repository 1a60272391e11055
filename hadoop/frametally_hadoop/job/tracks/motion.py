"""Where an object should be now: a Kalman filter for constant velocity, in + - * / alone.

Position and velocity of the box's centre, and of its width and height, are four filters of two states each.
Their noise is taken in parts of the box's height, the same for all four, so that all share one covariance and
one gain, and no matrix is needed. The time step is the true one, in seconds of event time.
"""

from __future__ import annotations

_MEASURED = 1 / 400
"""Variance of a measured position: a twentieth of the height (ByteTrack)."""

_DRIFT_PER_S = 0.02
_CHANGE_PER_S = 0.3
"""Variances that a second adds to position (heights²) and to velocity (heights²/s²).

ByteTrack's own, at 30 frames a second, are 0.075 and 1.05; with these, paths behind an obstacle are straight.
"""

_BIRTH_POSITION = 4 * _MEASURED
_BIRTH_VELOCITY = 0.4
_LEAST_SIDE = 10.0
"""Of a predicted box, in tenths of a pixel."""


class Motion:
    """The filter of one track. Lengths in tenths of a pixel, velocities in those per second."""

    __slots__ = (
        "dheight",
        "dwidth",
        "dx",
        "dy",
        "height",
        "p_cross",
        "p_position",
        "p_velocity",
        "width",
        "x",
        "y",
    )

    def __init__(self, left: float, top: float, width: float, height: float) -> None:
        """Begin with one box, at rest."""
        self.x, self.y = left + width / 2, top + height / 2
        self.width, self.height = float(width), float(height)
        self.dx = self.dy = self.dwidth = self.dheight = 0.0
        self.p_position, self.p_cross, self.p_velocity = _BIRTH_POSITION, 0.0, _BIRTH_VELOCITY

    def predict(self, seconds: float, *, is_lost: bool) -> None:
        """Move on by `seconds`; the size of a lost object is left as it was."""
        self.x += self.dx * seconds
        self.y += self.dy * seconds
        if not is_lost:
            width, height = self.width + self.dwidth * seconds, self.height + self.dheight * seconds
            self.width = width if width > _LEAST_SIDE else _LEAST_SIDE
            self.height = height if height > _LEAST_SIDE else _LEAST_SIDE
        cross, velocity = self.p_cross, self.p_velocity
        self.p_position += seconds * (cross + cross + seconds * velocity) + _DRIFT_PER_S * seconds
        self.p_cross = cross + seconds * velocity
        self.p_velocity = velocity + _CHANGE_PER_S * seconds

    def correct(self, left: float, top: float, width: float, height: float) -> None:
        """Take in what was measured now."""
        position, cross = self.p_position, self.p_cross
        innovation = position + _MEASURED
        gain, velocity_gain = position / innovation, cross / innovation
        off = left + width / 2 - self.x
        self.x += gain * off
        self.dx += velocity_gain * off
        off = top + height / 2 - self.y
        self.y += gain * off
        self.dy += velocity_gain * off
        off = width - self.width
        self.width += gain * off
        self.dwidth += velocity_gain * off
        off = height - self.height
        self.height += gain * off
        self.dheight += velocity_gain * off
        self.p_velocity -= velocity_gain * cross
        self.p_cross = cross - gain * cross
        self.p_position = position - gain * position
