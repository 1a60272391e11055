"""How large a source's pictures are: over no other size can anything be drawn that is of this source."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from frametally import keys
from frametally.errors import Poison
from frametally.files.jpeg_header import jpeg_size_px
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import MediaManifest
from frametally.rules.times import FIRST_MS, NEXT_MS
from frametally_traffic.drawings.drawing_checks import DrawingRefused, told
from frametally_traffic.records import Drawn

_HEADER_BYTES = 1 << 16
_MOST_LOOKED_AT = 10

Size = tuple[int, int]
"""Width and height in pixels."""


class FoundPicture(NamedTuple):
    """A stored picture: its key, its event time, and its size."""

    image_path: str
    captured_at_ms: int
    size_px: Size


def stored_sizes(
    store: ObjectStore, media: Sequence[MediaManifest], from_ms: int | None, to_ms: int | None
) -> list[Size]:
    """Return the sizes of a source's stored pictures of `[from_ms, to_ms)`, that of the newest first.

    Looked at is one picture of the newest and one of the oldest medium of that time; where there is none
    of it (yet), of the newest of all. Empty where the store has none left to look at.
    """
    spans = sorted(
        (medium.first_captured_at_ms, medium.last_captured_at_ms)
        for medium in media
        if medium.first_captured_at_ms is not None and medium.last_captured_at_ms is not None
    )
    begins, ends = FIRST_MS if from_ms is None else from_ms, NEXT_MS if to_ms is None else to_ms
    meant = [(first_ms, last_ms) for first_ms, last_ms in spans if first_ms < ends and last_ms >= begins]
    meant = meant or spans[-1:]
    source = media[0].source if media else ""
    found = [picture_from(store, source, first_ms) for first_ms, _ in (*meant[-1:], *meant[:1])]
    return list(dict.fromkeys(picture.size_px for picture in found if picture is not None))


def check_size(shape: Drawn, stored: Sequence[Size], max_side_px: int) -> None:
    """Check that a shape was drawn over a picture of the source, as it is stored or as it was filmed.

    Args:
        shape: What was drawn.
        stored: Sizes of the source's stored pictures; with none, nothing can be said against it.
        max_side_px: To which longest side larger pictures were shrunk; 0: they were not.

    Raises:
        DrawingRefused: The source has no pictures of that size.
    """
    if not stored or any(_is_of(shape, size, max_side_px) for size in stored):
        return
    sizes = " or ".join(f"{width_px}x{height_px}" for width_px, height_px in stored)
    raise DrawingRefused(
        f"{told(shape)} was drawn over a picture of {shape.width_px}x{shape.height_px} pixels, and those of "
        f"the source are {sizes}: name the source that it is of, or draw it over a frame of this one"
    )


def _is_of(shape: Drawn, size: Size, max_side_px: int) -> bool:
    drawn = (shape.width_px, shape.height_px)
    if drawn == size:
        return True
    longest_px, stored_px = max(drawn), max(size)
    was_shrunk = stored_px == max_side_px < longest_px
    return was_shrunk and all(
        abs(side * stored_px - other * longest_px) <= longest_px / 2
        for side, other in zip(drawn, size, strict=True)
    )


def picture_from(store: ObjectStore, source: str, from_ms: int) -> FoundPicture | None:
    """Return the first stored picture of a UTC day from an event time on, None if there is none."""
    folder = keys.image_folder(source, keys.utc_day(from_ms))
    for info in islice(store.list(folder, f"{folder}/{from_ms}"), _MOST_LOOKED_AT):
        name = keys.parse_image_name(info.key.rpartition("/")[2])
        try:
            size_px = jpeg_size_px(store.get_range(info.key, 0, _HEADER_BYTES))
        except (ObjectMissing, Poison):
            continue
        if name is not None:
            return FoundPicture(info.key, name.captured_at_ms, size_px)
    return None
