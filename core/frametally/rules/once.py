"""Counts each frame once: the one rule for several lines about the same frame.

Duplicates are rare: a producer that dies after announcing a frame but before recording it announces it again.
This rule makes them harmless. Every reader of segments uses it, such as the counting job, the status and the
evidence.
"""

from __future__ import annotations

from collections.abc import Iterable


def one_line_per_frame(lines: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Return the one line of each frame that counts: the bytewise smallest of its lines.

    The order and repetition of `lines` affect only the order of the result.

    Args:
        lines: Pairs of `image_path` (the frame's identity) and its raw line.

    Returns:
        The line of each `image_path`; the other given lines are the dropped duplicates.
    """
    lines_by_image: dict[str, bytes] = {}
    for image_path, line in lines:
        known_line = lines_by_image.get(image_path)
        if known_line is None or line < known_line:
            lines_by_image[image_path] = line
    return lines_by_image
