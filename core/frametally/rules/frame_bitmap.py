"""Holds the set of a video's announced frames, as stored in its manifest."""

from __future__ import annotations


class FrameBitmap:
    """A set of decode indices as in `MediaManifest.announced_frames`: bit `i % 8` of byte `i // 8`."""

    def __init__(self, bitmap: bytes) -> None:
        self._bitmap = bytearray(bitmap)
        self._count = int.from_bytes(bitmap).bit_count()

    def __contains__(self, frame_index: int) -> bool:
        """Return whether `frame_index` is in the set."""
        byte = frame_index // 8
        return byte < len(self._bitmap) and bool(self._bitmap[byte] >> frame_index % 8 & 1)

    def __len__(self) -> int:
        """Return the number of indices in the set."""
        return self._count

    def __bytes__(self) -> bytes:
        """Return the bitmap."""
        return bytes(self._bitmap)

    def update(self, bitmap: bytes) -> None:
        """Add all indices of another set."""
        if bitmap != self._bitmap:
            size = max(len(bitmap), len(self._bitmap))
            union = int.from_bytes(bitmap.ljust(size, b"\0")) | int.from_bytes(
                bytes(self._bitmap).ljust(size, b"\0")
            )
            self._bitmap = bytearray(union.to_bytes(size))
            self._count = union.bit_count()

    def add(self, frame_index: int) -> None:
        """Add `frame_index` to the set."""
        if frame_index not in self:
            byte = frame_index // 8
            self._bitmap.extend(bytes(max(0, byte + 1 - len(self._bitmap))))
            self._bitmap[byte] |= 1 << frame_index % 8
            self._count += 1
