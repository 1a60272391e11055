"""Refusals of uploads and of their fields."""

from __future__ import annotations

from frametally.errors import FrametallyError

CHECKSUM_MISMATCH = 460
"""The status of tus for bytes that do not match their checksum; no standard status means this."""


WOULD_MOVE_COUNTS = 409
"""The same bytes are counted under another source or time, and no one has confirmed the move."""

MOVE_REMEDY = (
    "Leave out source and start_time to keep them there, or confirm the move: move_counts=true, or "
    "`frametally upload --move-counts`."
)


class Refused(FrametallyError):
    """An upload's bytes are not accepted as a video.

    Attributes:
        status: HTTP status for the kind: 409 would move counts, 415 not a video by its first bytes, 422 not a
            usable video, 460 not the announced bytes.
        reason: The problem and the remedy, in one sentence.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Store the status and the reason."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class FieldRefused(FrametallyError):
    """A field of a video is not valid.

    Attributes:
        field: Its name, as in `VideoFields`.
        place: Place in its JSON, such as `regions[2].points[0]`; empty if it is not JSON.
    """

    def __init__(self, field: str, reason: str, remedy: str, *, place: str = "") -> None:
        """Store the parts."""
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.place = place
        self.remedy = remedy
