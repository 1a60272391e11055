"""How large a derivative's pictures are."""

from __future__ import annotations

import av

from frametally_producer.reading.video_file import shown_size_px

_LEAST_PX = 2


def derivative_size_px(first: av.VideoFrame, most_side_px: int) -> tuple[int, int]:
    """Return width and height, upright: even, as 4:2:0 wants it, and never larger than the original's.

    Only a side of one pixel becomes two. Proportions stay, to a pixel.

    Args:
        first: The video's first frame.
        most_side_px: The longest side may be so long.
    """
    sides_px = shown_size_px(first)
    longest_px = max(sides_px)
    parts = min(most_side_px, longest_px)
    width_px, height_px = (max(_LEAST_PX, side * parts // longest_px // 2 * 2) for side in sides_px)
    return width_px, height_px
