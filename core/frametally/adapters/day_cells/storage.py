"""The stored form of the cells of a run and step: one row or document of bytes in every index."""

from __future__ import annotations

from contextlib import suppress

import msgspec

STORED_ROWS = 6
"""Of the rows of cells, those that every version has packed."""
SLOT, SOURCE, DETECTIONS = 0, 2, 3
"""The rows of cells that need no numpy, which takes long to import; `cells` has the others."""


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Counts and coverage as they are stored: machine integers, little-endian; slots count from the day on.

    Attributes:
        labels: What `LABEL` numbers.
        sources: What `SOURCE` numbers.
        counts: Cells, by label; of 4 bytes or, where one needs it, of 8.
        counts_dtype: Which of the two.
        coverage: Cells, of 8 bytes.
        tracked: The last row of `counts`; empty where an older version has packed them: unknown.
        covered: The last row of `coverage`, alike.
        writers: With the base interval, the runs that wrote the rows of parts; see `parts`.
        parts: Of each part its number in `sources`, its hour, its number in `writers`, and its digest.
    """

    labels: list[str]
    sources: list[str]
    counts: bytes
    counts_dtype: str
    coverage: bytes
    tracked: bytes = b""
    covered: bytes = b""
    writers: list[int | str] = []
    parts: list[tuple[int, int, int, int]] = []


_decoder = msgspec.msgpack.Decoder(Packed)
decode_packed = _decoder.decode


def sources_in(stored: bytes | None) -> str:
    """Name the sources in stored bytes that may be damaged; all sources of a day are in one."""
    if stored is not None:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return " of " + ", ".join(sorted(decode_packed(stored).sources))
    return ""
