"""What a worker and the process of one job say to each other: lines of JSON on its input and its output."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally.ports.video_catalogue import JobKind

JobEnd = Literal["done", "failed", "again", "later", "stopped"]
"""It is done; it can never be; it failed for now; what it needs is away; it was told to stop."""


class JobOrder(msgspec.Struct, frozen=True):
    """What is to be done, and to which video."""

    video_id: str
    kind: JobKind


class PreviewMade(msgspec.Struct, frozen=True):
    """A preview that is in the store; see `Preview`."""

    kind: Literal["poster", "sprite", "sprite_vtt"]
    key: str
    content_type: str
    size_bytes: int


class JobWord(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far it is, or how it ended.

    Attributes:
        progress: 0 to 1; None where it cannot be told.
        end: None while it goes on.
        reason: Why it did not come to its end, or what it waits for.
        previews: Those that it made.
    """

    progress: float | None = None
    end: JobEnd | None = None
    reason: str | None = None
    previews: list[PreviewMade] = []
