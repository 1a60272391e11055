"""What the gold tables have of uploaded videos: what is known of each, and what was detected in it.

A video's rows are a function of the store alone, and carry a mark of all that they were made of. So whoever
looks sees whether they are what they should be, and whatever was killed, the next look makes them.
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
from frametally.settings.loading import Settings
from frametally_gold.gold_records import GoldVideo, VideoCount
from frametally_gold.loading import marked
from frametally_gold.video_counts import VideoCounter
from frametally_videos.media_records import VideoQuality
from frametally_videos.ports.job_book import JobKind
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from frametally_gold.book import Gold

IN_ROWS: tuple[JobKind, ...] = ("checks", "playable", "enhance")
"""Jobs that make what a video's rows tell, also when they come behind its end."""
_DERIVATIVES = ("playable-", "enhanced-")


class StoredVideo(NamedTuple):
    """What the store has of a video beside its footage: its record, checks, and how many were made of it."""

    record: VideoRecord
    quality: VideoQuality | None
    derivatives: int


class VideosReport(NamedTuple):
    """How many videos' rows are new, were as they should be, are gone; and what cannot be read."""

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
    """Bring the rows of all videos to what the store has; doing so again changes nothing.

    With `verify` all rows are read, and a video that has others than were loaded is loaded anew.

    Raises:
        Retryable: The store, the ledger or the database is away for now.
        Misconfigured: This user may not write there.
    """
    there = gold.video_marks()  # first: a video that comes meanwhile is not taken for one that is gone
    there |= dict.fromkeys(gold.changed_videos() if verify else (), "")
    objects: defaultdict[str, list[ObjectInfo]] = defaultdict(list)
    for info in store.list(keys.VIDEOS):
        objects[info.key.split("/")[1]].append(info)
    ledger.refresh(store, NoProgress())
    counter = VideoCounter(settings, store, ledger)
    loaded = unchanged = 0
    kept: set[str] = set()
    skipped: list[Skipped] = []
    for done, video_id in enumerate(sorted(objects)):
        progress.update(done, len(objects), "videos")
        try:
            video = read_video(store, objects[video_id])
            if video is None or video.record.state == "deleting":
                continue
            kept.add(video_id)
            news = _publish(gold, counter, video, there.get(video_id))
        except (Poison, ObjectMissing) as error:
            kept.add(video_id)
            skipped.append(Skipped(keys.video_folder(video_id), str(error)))
            continue
        loaded += news
        unchanged += not news
    gone = there.keys() - kept
    for video_id in gone:
        gold.remove_video(video_id)
    progress.update(len(objects), len(objects), "videos")
    return VideosReport(loaded, unchanged, len(gone), skipped)


def load_video(video_id: str, *, settings: Settings, store: ObjectStore, ledger: Ledger, gold: Gold) -> bool:
    """Bring the rows of one video to what the store has; return whether they were anything else.

    Where more is made of it meanwhile, they are made again, until they tell all that there is.

    Raises:
        Poison: A record, a segment or a run of it is damaged; the message names it.
        Retryable: The store, the ledger or the database is away for now.
        Misconfigured: This user may not write there.
    """
    changed = False
    while True:
        ledger.refresh(store, NoProgress())
        video = read_video(store, store.list(keys.video_folder(video_id)))
        before = gold.video_marks().get(video_id)
        if video is None or video.record.state == "deleting":
            if before is not None:
                gold.remove_video(video_id)
            return changed or before is not None
        if not _publish(gold, VideoCounter(settings, store, ledger), video, before):
            return changed
        changed = True


def read_video(store: ObjectStore, objects: Iterable[ObjectInfo]) -> StoredVideo | None:
    """Read what lies in a video's folder; None where it has no record (any more).

    Raises:
        Poison: Its record, or that of its checks, cannot be read; the message names it.
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
    return None if record is None else StoredVideo(record, quality, derivatives)


def gold_rows(
    video: StoredVideo, manifest: MediaManifest | None, counts: Iterable[VideoCount], made_of: str
) -> GoldVideo:
    """Return what the gold tables have of a video, from what is known of it.

    Args:
        video: As the store has it.
        manifest: Its medium's; None where no frame of it was announced.
        counts: What was detected in it.
        made_of: A mark of all that.
    """
    frames = range_ms = None
    if manifest is not None:
        frames = manifest.frames_announced
        first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
        range_ms = None if first_ms is None or last_ms is None else (first_ms, last_ms)
    return GoldVideo(
        record=video.record,
        made_of=made_of,
        range_ms=range_ms,
        frames_announced=frames,
        quality=video.quality,
        derivatives=video.derivatives,
        counts=[*counts],
    )


def _publish(gold: Gold, counter: VideoCounter, video: StoredVideo, before: str | None) -> bool:
    manifest = counter.manifest(video.record.sha256)
    made_of = marked(_parts(video, counter, manifest))
    if made_of == before:
        return False
    counts = [] if manifest is None else counter.counts(manifest)
    gold.put_video(gold_rows(video, manifest, counts, made_of))
    return True


def _parts(video: StoredVideo, counter: VideoCounter, manifest: MediaManifest | None) -> Iterator[bytes]:
    yield encode(video.record)
    yield encode(video.quality) if video.quality else b""
    yield msgspec.json.encode(video.derivatives)
    if manifest is not None:
        yield encode(manifest)
        yield from counter.parts(manifest)
