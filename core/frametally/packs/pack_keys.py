"""Where a frame's pack lies: beside the pictures of its source and day, named by its minute of event time."""

from __future__ import annotations

import re

from frametally import keys

MINUTE_MS = 60_000
_FIRST_MS, _NEXT_MS = 1_000_000_020_000, 10**13
"""Times of 13 digits, September 2001 to 2286: among them keys sort as times do. Other frames stay single."""
_PACK = re.compile(r"images/[a-z0-9][a-z0-9_-]{0,62}/\d{4}-\d{2}-\d{2}/\d{13}-\d{1,6}\.pack")


def pack_of(image_key: str) -> str | None:
    """Return the beginning of the keys of a frame's pack, or None if `image_key` can be in no pack."""
    folder, _, last = image_key.rpartition("/")
    name = keys.parse_image_name(last)
    if name is None or not _FIRST_MS <= name.captured_at_ms < _NEXT_MS:
        return None
    if not folder.startswith(f"{keys.IMAGES}/") or folder.count("/") != 2:
        return None
    return f"{folder}/{name.captured_at_ms // MINUTE_MS * MINUTE_MS}"


def part_key(pack: str, part: int) -> str:
    """Return the key of a part of a pack; a pack has one unless its frames are many or large."""
    return f"{pack}-{part}.pack"


def is_part_key(key: str) -> bool:
    """Return whether `key` is that of a part of a pack."""
    return _PACK.fullmatch(key) is not None


def before_packs(after: str | None) -> str | None:
    """Return a key that is not above `after`, nor above that of any pack with a frame above `after`."""
    folder, _, last = (after or "").rpartition("/")
    digits = re.match(r"[0-9]*", last)[0][:13]  # type: ignore[index]  # it matches any text
    if after is None or not digits or folder.count("/") != 2:
        return after
    return min(after, f"{folder}/{int(digits.ljust(13, '0')) // MINUTE_MS * MINUTE_MS:013d}")
