"""What a stream that stands still shows: its result is on the log no more for whoever comes now."""

from __future__ import annotations

from frametally.books.evidence import find_line
from frametally.media.manifests import forgotten_by
from frametally.records import FrameDetections
from frametally_live.feed_records import Feed
from frametally_videos.video_ports import VideoPorts


def find_shown(ports: VideoPorts, feed: Feed) -> FrameDetections | None:
    """Return the result of the frame at which a feed stands, out of its segment; None: it is in none yet.

    The process that streams it brings the ledger up to the store.

    Raises:
        FrametallyError: The ledger or the store is away, or the segment cannot be read.
    """
    model = feed.model or next(iter(ports.ledger.models()), None)
    if model is None or feed.told.captured_at_ms is None:
        return None
    return find_line(
        ports.store,
        ports.ledger,
        model=model,
        source=feed.source,
        captured_at_ms=feed.told.captured_at_ms,
        image_path=feed.told.image_path,
        not_counted=forgotten_by(ports.ledger.tombstones()),
    )
