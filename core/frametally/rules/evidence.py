"""Chooses the frames that are evidence of a count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

MOST_EVIDENCE = 5
"""Frames that are kept as evidence of one source and label, of an interval as of a day."""


class ShownFrame(Protocol):
    """A frame with `count` boxes of the label."""

    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def captured_at_ms(self) -> int: ...  # noqa: D102
    @property
    def image_path(self) -> str: ...  # noqa: D102


_FrameT = TypeVar("_FrameT", bound=ShownFrame)


def busiest(frames: Iterable[_FrameT]) -> list[_FrameT]:
    """Return the frames that are kept: by count (most first), then time, then path."""
    order = sorted(frames, key=lambda frame: (-frame.count, frame.captured_at_ms, frame.image_path))
    return order[:MOST_EVIDENCE]
