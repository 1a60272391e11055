"""Originals end after as many days as are set; their frames, counts, pictures and records stay."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import find_manifest
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import decode_at
from frametally.rules.times import DAY_MS
from frametally.video_records import VideoRecord


def remove_old_originals(store: ObjectStore, *, days: int, now_ms: int) -> list[str]:
    """Remove originals that came more than `days` days before `now_ms`; 0 days: none.

    One whose frames are not all taken stays, such as that of a video which waits for its time: nothing could
    be counted of it any more. So does what is no video's.

    Returns:
        The ids of their videos.

    Raises:
        Retryable: The store is away.
    """
    removed = []
    for info in store.list(keys.VIDEOS) if days else ():
        video_id = keys.parse_original_key(info.key)
        if video_id is None or info.modified_at_ms >= now_ms - days * DAY_MS:
            continue
        if _is_taken(store, video_id):
            store.delete(info.key)
            removed.append(video_id)
    return removed


def _is_taken(store: ObjectStore, video_id: str) -> bool:
    key = keys.video_key(video_id)
    try:
        video = decode_at(key, store.get(key), VideoRecord)
        manifest = find_manifest(store, video.sha256)
    except (ObjectMissing, Poison):
        return False
    return manifest is not None and manifest.state == "complete"
