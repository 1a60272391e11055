"""Records of events while a camera's minute was captured, part of its manifest; see `records`."""

from __future__ import annotations

import msgspec

from frametally.rules.blank_stretches import BlankReason


class Outage(msgspec.Struct, frozen=True):
    """Event time in which a camera that was to be captured was away.

    Attributes:
        from_ms: Event time of the last frame before it; with none before, when capturing began.
        to_ms: Event time of the first frame after it; None while there is none, and where capturing ended.
        reason: The reason, as one clause.
    """

    from_ms: int
    to_ms: int | None
    reason: str


class NamedLoss(msgspec.Struct, frozen=True):
    """Frames that were captured and could be kept nowhere, or came damaged.

    Attributes:
        from_ms: Event time of the first, of damaged ones just after the last whole frame before them.
        to_ms: Event time of the last, of damaged ones just before the next whole frame.
    """

    from_ms: int
    to_ms: int
    frames: int
    reason: str


class PictureDoubt(msgspec.Struct, frozen=True):
    """Event time in which a camera was there and showed nothing that can be counted.

    Attributes:
        what: The reason why its picture showed nothing.
        from_ms: Event time of the first such frame, which may be in an earlier minute.
        to_ms: Event time of the newest one.
    """

    what: BlankReason
    from_ms: int
    to_ms: int


class LiveMinute(msgspec.Struct, frozen=True, kw_only=True):
    """How a minute of a camera was captured.

    Attributes:
        session_ms: When the session began that captured it, by this machine's clock.
        minute_ms: Event time at which the minute begins.
        outages: When the camera was unavailable, as far as this minute knows, by time.
        losses: Lost frames, each with its reason.
        packets_lost: Packets that the network lost, if known.
        pieces_damaged: Pieces of the stream that could not be decoded.
        drift_ms: How far the stream's clock was last ahead of the capturing machine's; None if the stream
            does not send its time.
        doubts: When its picture showed nothing for longer than a moment, as far as this minute knows.
    """

    session_ms: int
    minute_ms: int
    outages: list[Outage] = []
    losses: list[NamedLoss] = []
    packets_lost: int = 0
    pieces_damaged: int = 0
    drift_ms: int | None = None
    doubts: list[PictureDoubt] = []

    def without_pictures(self, until_ms: int) -> list[tuple[int, int]]:
        """Return event times `[from_ms, to_ms)` of outages and losses; an open one lasts until `until_ms`."""
        outages = [
            (outage.from_ms + 1, until_ms if outage.to_ms is None else outage.to_ms)
            for outage in self.outages
        ]
        return [*outages, *((loss.from_ms, loss.to_ms + 1) for loss in self.losses)]
