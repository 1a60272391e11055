"""Refusals of uploads and of their fields."""

from __future__ import annotations

from frametally.errors import FrametallyError

NO_VIDEO, UNPROCESSABLE = 415, 422
"""The statuses of files that are not videos, and of unusable videos."""

CHECKSUM_MISMATCH = 460
"""The status of tus for bytes that do not match their checksum; no standard status means this."""


WOULD_MOVE_COUNTS = 409
"""The same bytes are counted under another source or time, and no one has confirmed the move."""

MOVE_REMEDY = (
    "Leave out source and start_time to keep them there, or confirm the move: move_counts=true, or "
    "`frametally upload --move-counts`."
)


_REMEDIES = {
    NO_VIDEO: "Choose a video file, such as MP4, MOV, MKV, WebM or AVI.",
    UNPROCESSABLE: "Choose another file, or export this one again from a video editor.",
}
"""The remedies for errors that have none."""


def sentence(words: str) -> str:
    """Return a message of the producer about a part of a video as a sentence."""
    return words[:1].upper() + words[1:].removesuffix(".") + "."


def about_it(words: str) -> str:
    """Return the producer's message about a file, without the file's name, as a sentence about "it"."""
    return sentence(f"It {words}")


class Refused(FrametallyError):
    """An upload's bytes are not accepted as a video.

    Attributes:
        status: HTTP status for the kind: 409 would move counts, 415 not a video by its first bytes, 422 not a
            usable video, 460 not the announced bytes.
        reason: The problem, as sentences.
        remedy: What to do about it, as a sentence.
    """

    def __init__(self, status: int, reason: str, remedy: str) -> None:
        """Store the parts; as text, the error is one line with both."""
        super().__init__(f"{reason} {remedy}".strip())
        self.status = status
        self.reason = reason
        self.remedy = remedy

    @classmethod
    def of_unusable(cls, status: int, error: FrametallyError) -> Refused:
        """Return the refusal for the producer's error about a file, whose name it does not have.

        Most such errors are one line: what follows its last semicolon is the remedy.
        """
        detail, remedy = error.detail, error.remedy
        if not remedy and "; " in detail:
            detail, _, remedy = detail.rpartition("; ")
        return cls(status, about_it(detail), sentence(remedy) if remedy else _REMEDIES[status])


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
