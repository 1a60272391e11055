"""The format of a part of a pack: a header line, an index in JSON, then the frames one after the other.

The header, `frametally-pack 1 <bytes of the index> <sha256 of the index>`, has a fixed length, so one read of
the beginning gives the index. The index has each frame's sha256, which exposes truncated or changed parts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

from frametally.ports.object_store import ObjectMissing

PACK_BYTES = 32 << 20
"""A part of this size is full; the next part takes further frames."""

_HEADER = re.compile(rb"frametally-pack 1 (\d{10}) ([0-9a-f]{64})\n")
HEADER_BYTES = 94


class PackDamaged(ObjectMissing):
    """A part of a pack was truncated or changed, so a frame cannot be read."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(
            f"pack {key} is damaged: {reason}; restore it from a copy, or delete it, forget its footage and "
            "produce it again"
        )
        self.key = key


class PackedFrame(msgspec.Struct, frozen=True):
    """A frame in a pack.

    Attributes:
        name: The last part of its image key.
        first_byte: Where it begins, counted from the end of the index.
        bytes: Its size.
        sha256: Of its bytes, in hex.
    """

    name: str
    first_byte: int
    bytes: int
    sha256: str


class PackIndex(msgspec.Struct, frozen=True):
    """The contents of a part of a pack.

    Attributes:
        frames: By name.
        is_full: Further frames are in the next part; this stays so when frames are deleted.
    """

    frames: list[PackedFrame]
    is_full: bool = False


def encode_part(frames: Mapping[str, bytes], *, is_full: bool = False) -> bytes:
    """Return the bytes of a part with these frames, by name; the same frames give the same bytes."""
    entries, first_byte = [], 0
    for name, data in sorted(frames.items()):
        entries.append(PackedFrame(name, first_byte, len(data), hashlib.sha256(data).hexdigest()))
        first_byte += len(data)
    is_full = is_full or first_byte >= PACK_BYTES
    index = msgspec.json.encode(PackIndex(entries, is_full))
    header = f"frametally-pack 1 {len(index):010d} {hashlib.sha256(index).hexdigest()}\n"
    return b"".join([header.encode(), index, *(frames[entry.name] for entry in entries)])


def index_bytes(key: str, beginning: bytes) -> int:
    """Return how many bytes the header and index of a part take. Raises `PackDamaged`."""
    header = _HEADER.fullmatch(beginning[:HEADER_BYTES])
    if header is None:
        raise PackDamaged(key, "it does not begin with the header of a pack")
    return HEADER_BYTES + int(header[1])


def decode_index(key: str, beginning: bytes) -> PackIndex:
    """Return the index of a part from its first `index_bytes` or more. Raises `PackDamaged`."""
    text = beginning[HEADER_BYTES : index_bytes(key, beginning)]
    if hashlib.sha256(text).hexdigest().encode() != beginning[HEADER_BYTES - 65 : HEADER_BYTES - 1]:
        raise PackDamaged(key, "its index was cut short or changed")
    return msgspec.json.decode(text, type=PackIndex)


def check_frame(key: str, frame: PackedFrame, data: bytes) -> bytes:
    """Return `data` if it matches that frame's size and sha256. Raises `PackDamaged`."""
    if len(data) < frame.bytes:
        raise PackDamaged(key, "it was cut short")
    if hashlib.sha256(data).hexdigest() != frame.sha256:
        raise PackDamaged(key, "the sha256 of a frame differs from the index")
    return data


def decode_part(key: str, data: bytes | None) -> tuple[dict[str, bytes], bool]:
    """Return the frames of a part by name, all checked, and whether it is full; none if `data` is None.

    Raises:
        PackDamaged: Any byte is wrong.
    """
    if data is None:
        return {}, False
    index, start = decode_index(key, data), index_bytes(key, data)
    frames = {}
    for frame in index.frames:
        first_byte = start + frame.first_byte
        frames[frame.name] = check_frame(key, frame, data[first_byte : first_byte + frame.bytes])
    return frames, index.is_full
