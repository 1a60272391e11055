"""The keys of packs: next to the pictures of a source and day, by event time.

A pack covers a minute, or two seconds: cameras write the short ones, so that their frames are announced soon.
The first pack of a minute is both.
"""

from __future__ import annotations

import re

from frametally import keys

MINUTE_MS, CAMERA_PACK_MS = 60_000, 2_000
_FIRST_MS, _NEXT_MS = 1_000_000_020_000, 10**13
"""Times of 13 digits, September 2001 to 2286, sort as keys in order of time. Other frames stay single."""
_PACK = re.compile(r"images/[a-z0-9][a-z0-9_-]{0,62}/\d{4}-\d{2}-\d{2}/\d{13}-\d{1,6}\.pack")


def pack_of(image_key: str, span_ms: int = MINUTE_MS) -> str | None:
    """Return the prefix of the keys of the pack for a frame's minute, or another span of event time.

    None if `image_key` cannot be in a pack.
    """
    folder, _, last = image_key.rpartition("/")
    name = keys.parse_image_name(last)
    if name is None or not _FIRST_MS <= name.captured_at_ms < _NEXT_MS:
        return None
    if not folder.startswith(f"{keys.IMAGES}/") or folder.count("/") != 2:
        return None
    return f"{folder}/{name.captured_at_ms // span_ms * span_ms}"


def packs_of(image_key: str) -> list[str]:
    """Return `pack_of` for each pack that may have the frame.

    Frames move from the first to the last, the pack of their minute, so a search in this order misses none.
    """
    packs = (pack_of(image_key, span_ms) for span_ms in (CAMERA_PACK_MS, MINUTE_MS))
    return list(dict.fromkeys(pack for pack in packs if pack is not None))


def part_key(pack: str, part: int) -> str:
    """Return the key of a part of a pack; a pack has only one unless its frames are many or large."""
    return f"{pack}-{part}.pack"


def pack_of_part(key: str) -> str:
    """Return the pack of a part, in the form of `pack_of`."""
    return key.rpartition("-")[0]


def minute_of(key: str) -> str | None:
    """Return the pack of the minute of a frame or of a part of a pack; None as in `pack_of`."""
    if not is_part_key(key):
        return pack_of(key)
    folder, _, first_ms = pack_of_part(key).rpartition("/")
    return f"{folder}/{int(first_ms) // MINUTE_MS * MINUTE_MS}"


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
