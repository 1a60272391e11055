"""Follows objects over a change of the pictures' size: boxes of one shape are tracked in its largest size.

Scaled up, boxes lose nothing: scaled back, each is what it was. Where an hour's pictures have one size, as
most do, nothing is scaled. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from frametally.rules.places import Size, common_sizes, scaled
from frametally_hadoop.job.following import TrackedBox
from frametally_hadoop.job.lines import Frame


class ScaledFrame(NamedTuple):
    """A frame as tracking sees it: of the largest size of its shape. `own` is the frame as it is stored."""

    width_px: int
    height_px: int
    own: Frame


def size_of(frame: Frame | ScaledFrame) -> Size:
    """Return the size of the picture that boxes are in."""
    return frame.width_px, frame.height_px


def sizes_to_scale(frames: Iterable[Frame]) -> dict[Size, Size]:
    """Return by each size of the frames the one to track in; empty where they have one size."""
    sizes = {(frame.width_px, frame.height_px) for frame in frames}
    return common_sizes(sizes) if len(sizes) > 1 else {}


def scaled_box(box: TrackedBox, size: Size) -> TrackedBox:
    """Return a box of a stored frame as one of a picture of a size of its shape."""
    own = size_of(box.frame)
    if own == size:
        return box
    return _on(box, own, size)._replace(frame=ScaledFrame(*size, box.frame))  # type: ignore[arg-type]


def own_boxes(sightings: Sequence[TrackedBox]) -> list[TrackedBox]:
    """Return boxes as they are in their stored frames."""
    return [
        _on(box, size_of(box.frame), size_of(box.frame.own))._replace(frame=box.frame.own)
        if isinstance(box.frame, ScaledFrame)
        else box
        for box in sightings
    ]


def _on(box: TrackedBox, size: Size, other: Size) -> TrackedBox:
    (width, height), (to_width, to_height) = size, other
    return box._replace(
        left=scaled(box.left, width, to_width),
        top=scaled(box.top, height, to_height),
        width=scaled(box.width, width, to_width),
        height=scaled(box.height, height, to_height),
    )


def size_changes(sightings: Sequence[TrackedBox]) -> list[int]:
    """Return the numbers of boxes whose frame has another size than that of the box before."""
    sizes = [size_of(box.frame) for box in sightings]
    return [number for number in range(1, len(sizes)) if sizes[number] != sizes[number - 1]]
