"""What a live worker and the process of one feed say to each other: lines of JSON.

The worker's first line is the `Feed`, each one after it a `FeedWish`; each of the process is a `FeedTold`.
"""

from __future__ import annotations

import msgspec

from frametally_live.feed_records import OVER, FeedKind, FeedState, FeedWanted

KINDS: tuple[FeedKind, ...] = ("video", "camera")
"""What can be run."""

LAST_WORDS: tuple[FeedState, ...] = (*OVER, "requested")
"""States that a process ends with: it is over, or for another to go on with."""


class FeedWish(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wanted of a feed by now; said at least once a second for as long as its lease is kept."""

    wanted: FeedWanted
    seek_s: float | None = None
