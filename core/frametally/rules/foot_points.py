"""Where an object stands: the middle of its box's lower side. Standard library only."""

from __future__ import annotations


def foot_point(left: int, top: int, width: int, height: int) -> tuple[int, int]:
    """Return the foot point of a box; all in tenths of a pixel, y downwards."""
    return left + width // 2, top + height
