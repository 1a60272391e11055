"""Updates the rows of uploaded videos in the gold tables: facts, jobs, and detections.

A video's rows depend only on the store, and carry a mark of everything that they were made from. So the next
run sees whether they are up to date, and repairs them after a crash.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process.reports import NoProgress, Progress, Skipped
from frametally.records import MediaManifest, decode_at, encode
from frametally.rules.seals import name_of
from frametally.settings.loading import Settings
from frametally_gold.gold_records import GoldVideo
from frametally_gold.video_counts import VideoCounter
from frametally_videos.catalogue.catalogue_rows import JobKind
from frametally_videos.media_records import VideoQuality
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from frametally_gold.book import Gold

IN_ROWS: tuple[JobKind, ...] = ("checks", "playable", "enhance")
"""Jobs whose results are in a video's rows, even if they end after the video is final."""
_ROWS_VERSION = 3
"""Raise it if the same sources give different rows, to reload all videos."""
_DERIVATIVES = ("playable-", "enhanced-")


class VideosReport(NamedTuple):
    """Numbers of videos with new, unchanged and removed rows, and the unreadable videos."""

    loaded: int
    unchanged: int
    removed: int
    skipped: list[Skipped]


def load_videos(
    *,
    settings: Settings,
    store: ObjectStore,
    ledger: Ledger,
    gold: Gold,
    progress: Progress,
    verify: bool = False,
) -> VideosReport:
    """Update the rows of all videos from the store; a second run changes nothing.

    With `verify`, read all rows, and reload videos whose rows were changed.

    Raises:
        Retryable: The store, the ledger or the database is not available.
        Misconfigured: This user may not write there.
    """
    marks = gold.video_marks()  # first: a video that arrives later must not look like a removed one
    marks |= dict.fromkeys(gold.changed_videos() if verify else (), "")
    objects: defaultdict[str, list[ObjectInfo]] = defaultdict(list)
    for info in store.list(keys.VIDEOS):
        objects[info.key.split("/")[1]].append(info)
    ledger.refresh(store, NoProgress())
    counter = VideoCounter(settings, store, ledger)
    loaded = unchanged = 0
    video_ids: set[str] = set()
    skipped: list[Skipped] = []
    for number, video_id in enumerate(sorted(objects)):
        progress.update(number, len(objects), "videos")
        try:
            video = read_video(store, objects[video_id])
            if video is None or video.record.state == "deleting":
                continue
            video_ids.add(video_id)
            news = _publish(gold, counter, video, marks.get(video_id))
        except (Poison, ObjectMissing) as error:
            video_ids.add(video_id)
            skipped.append(Skipped(keys.video_folder(video_id), str(error)))
            continue
        loaded += news
        unchanged += not news
    stray_ids = marks.keys() - video_ids
    for video_id in stray_ids:
        gold.remove_video(video_id)
    progress.update(len(objects), len(objects), "videos")
    return VideosReport(loaded, unchanged, len(stray_ids), skipped)


def load_video(video_id: str, *, settings: Settings, store: ObjectStore, ledger: Ledger, gold: Gold) -> bool:
    """Update the rows of one video from the store; return whether they changed.

    If its sources change in the meantime, make the rows again until they contain everything.

    Raises:
        Poison: A record, a segment or a run of the video is damaged; the message names it.
        Retryable: The store, the ledger or the database is not available.
        Misconfigured: This user may not write there.
    """
    is_changed = False
    while True:
        ledger.refresh(store, NoProgress())
        video = read_video(store, store.list(keys.video_folder(video_id)))
        before = gold.video_marks().get(video_id)
        if video is None or video.record.state == "deleting":
            if before is not None:
                gold.remove_video(video_id)
            return is_changed or before is not None
        if not _publish(gold, VideoCounter(settings, store, ledger), video, before):
            return is_changed
        is_changed = True


def read_video(store: ObjectStore, objects: Iterable[ObjectInfo]) -> GoldVideo | None:
    """Read a video's folder without its footage; return None if the video has no record (any more).

    Raises:
        Poison: Its record or the record of its checks is unreadable; the message names it.
    """
    record, quality, derivatives = None, None, 0
    for info in objects:
        name = info.key.rpartition("/")[2]
        try:
            if keys.parse_video_key(info.key) is not None:
                record = decode_at(info.key, store.get(info.key), VideoRecord)
            elif name == "quality.json":
                quality = decode_at(info.key, store.get(info.key), VideoQuality)
        except ObjectMissing:
            continue
        derivatives += name.startswith(_DERIVATIVES) and name.endswith(".mp4")
    return None if record is None else GoldVideo(record, quality, derivatives)


def _publish(gold: Gold, counter: VideoCounter, video: GoldVideo, before: str | None) -> bool:
    manifest = counter.manifest(video.record.sha256)
    made_of = _mark_of(_parts(video, counter, manifest))
    if made_of == before:
        return False
    video = video._replace(made_of=made_of)
    if manifest is not None:
        first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
        video = video._replace(
            range_ms=None if first_ms is None or last_ms is None else (first_ms, last_ms),
            frames_announced=manifest.frames_announced,
            counts=counter.counts(manifest),
        )
    gold.put_video(video)
    return True


def _mark_of(parts: Iterable[bytes]) -> str:
    return name_of(b"%d" % _ROWS_VERSION + b"".join(b"\n%d\n%b" % (len(part), part) for part in parts))


def _parts(video: GoldVideo, counter: VideoCounter, manifest: MediaManifest | None) -> Iterator[bytes]:
    yield encode(video.record)
    yield encode(video.quality) if video.quality else b""
    yield msgspec.json.encode(video.derivatives)
    if manifest is not None:
        yield encode(manifest)
        yield from counter.parts(manifest)
