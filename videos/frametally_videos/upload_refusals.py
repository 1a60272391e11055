"""What cannot be taken in as a video, or be said of one."""

from __future__ import annotations

from frametally.errors import FrametallyError

CHECKSUM_MISMATCH = 460
"""What tus calls bytes that are not those that were meant; no other status says it."""


WOULD_MOVE_COUNTS = 409
"""The same bytes are counted under another source or time, and nobody confirmed that these should move."""

MOVE_REMEDY = (
    "Leave out source and start_time to keep them there, or confirm the move: move_counts=true, or "
    "`frametally upload --move-counts`."
)


class Refused(FrametallyError):
    """These bytes are no video that can be kept: nothing of them stays.

    Attributes:
        status: HTTP status that tells the kind: 409 would move what is counted, 415 is no video by its first
            bytes, 422 none that can be used, 460 not the bytes that were announced.
        reason: One sentence: what is wrong, and what to do about it.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class FieldRefused(FrametallyError):
    """Something that was said of a video cannot be.

    Attributes:
        field: Its name, as in `VideoFields`.
        place: Where in its JSON, such as `regions[2].points[0]`; empty for what is no JSON.
        remedy: What to write instead.
    """

    def __init__(self, field: str, reason: str, remedy: str, *, place: str = "") -> None:
        """Keep the parts."""
        super().__init__(reason)
        self.field = field
        self.reason = reason
        self.place = place
        self.remedy = remedy
