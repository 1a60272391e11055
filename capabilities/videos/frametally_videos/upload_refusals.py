"""Refusals of uploads and of their fields."""

from __future__ import annotations

from frametally.errors import FrametallyError

CHECKSUM_MISMATCH = 460
"""What tus calls bytes that are not those that were meant; no other status says it."""


WOULD_MOVE_COUNTS = 409
"""The same bytes are counted under another source or time, and no one has confirmed the move."""

MOVE_REMEDY = (
    "Leave out source and start_time to keep them there, or confirm the move: move_counts=true, or "
    "`frametally upload --move-counts`."
)


class Refused(FrametallyError):
    """Bytes that are not an acceptable video; nothing of them stays.

    Attributes:
        status: HTTP status of the kind: 409 would move counts, 415 is not a video by its first
            bytes, 422 none that can be used, 460 not the bytes that were announced.
        reason: The fault and the remedy, in one sentence.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class FieldRefused(FrametallyError):
    """A field of a video that is not valid.

    Attributes:
        field: Its name, as in `VideoFields`.
        place: Place in its JSON, such as `regions[2].points[0]`; empty if it is not JSON.
    """

    def __init__(self, field: str, reason: str, remedy: str, *, place: str = "") -> None:
        """Keep the parts."""
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.place = place
        self.remedy = remedy
