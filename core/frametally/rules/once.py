"""Counts a frame once: the one rule for several lines about the same frame.

Segments make duplicates rare (a producer that dies between announcing and noting it announces again); this
rule makes them harmless. The counting job, the status, the evidence and whatever else reads segments all
read through it.
"""

from __future__ import annotations

from collections.abc import Iterable


def one_line_per_frame(lines: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Return the one line of each frame that counts: of several, the one with the smallest bytes.

    The order of `lines`, and how often each comes, change nothing but the order of the result.

    Args:
        lines: Pairs of `image_path` (the frame's identity) and the raw line that carries it.

    Returns:
        By `image_path`, its line. The lines given less those returned are the duplicates dropped.
    """
    lines_by_image: dict[str, bytes] = {}
    for image_path, line in lines:
        known_line = lines_by_image.get(image_path)
        if known_line is None or line < known_line:
            lines_by_image[image_path] = line
    return lines_by_image
