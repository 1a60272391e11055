"""Corrects a video's check for black pictures once its boxes are known.

The check reads pictures before anything is detected. A frame with a counted box shows something, by the same
rule as in the counts.
"""

from __future__ import annotations

from msgspec.structs import replace

from frametally import keys
from frametally.books.evidence import frames_of_medium
from frametally.errors import Poison
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import MediaManifest, decode_at, encode
from frametally.rules.blank_stretches import blank_looks, shows_boxes
from frametally.settings.loading import Settings
from frametally_videos.describing.picture_pass import PictureLook
from frametally_videos.describing.video_checks import check_black
from frametally_videos.media_records import VideoQuality
from frametally_videos.records import VideoRecord


def correct_black_check(
    settings: Settings, store: ObjectStore, ledger: Ledger, video: VideoRecord, manifest: MediaManifest
) -> None:
    """Judge the check `black` again by the analysed frames, if it failed and some have counted boxes.

    Refresh the ledger first. Raises `Retryable` while the store or the ledger is unavailable.
    """
    key = keys.quality_of_video_key(video.id)
    try:
        quality = decode_at(key, store.get(key), VideoQuality)
        if quality.fails_black and (looks := _looks(settings, store, ledger, manifest)):
            black = check_black(looks, blank_looks(looks), video.facts.duration_s)
            checks = [black if check.name == "black" else check for check in quality.checks]
            passed = all(check.passed for check in checks)
            store.put(key, encode(replace(quality, checks=checks, passed=passed)))
    except (ObjectMissing, Poison):  # `frametally doctor --deep` reports damage
        return


def _looks(
    settings: Settings, store: ObjectStore, ledger: Ledger, manifest: MediaManifest
) -> list[PictureLook]:
    """Return the looks of the analysed frames, by picture and boxes; empty if no box changes one."""
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    model = next(iter(ledger.models()), None)
    if model is None or first_ms is None or last_ms is None:
        return []
    counts, has_boxes = settings.counted_boxes().rule(), False
    looks = []
    for frame in frames_of_medium(store, ledger, manifest, model=model, from_ms=first_ms, to_ms=last_ms + 1):
        is_seen = shows_boxes(frame, counts)
        has_boxes |= is_seen
        position_s = (frame.captured_at_ms - first_ms) / 1000
        looks.append(
            PictureLook(position_s, True, None if is_seen else frame.shows or None, "", 0, None, None)
        )
    return looks if has_boxes else []
