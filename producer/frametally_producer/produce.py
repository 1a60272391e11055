"""The producer: pictures and videos in; stored frames, announced on the log, out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from frametally import failpoints
from frametally.errors import Misconfigured, Poison
from frametally.frame_log import FrameLog
from frametally.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.reports import Progress, Skipped
from frametally.settings import Settings
from frametally_producer.event_time import check_time_pattern, parse_start_time
from frametally_producer.footage import PicturesToProduce, VideoToProduce, find_footage
from frametally_producer.media_file import why_unreadable
from frametally_producer.pictures import produce_pictures
from frametally_producer.production import Production
from frametally_producer.videos import produce_video


class ProduceReport(NamedTuple):
    """What a call of the producer did.

    Attributes:
        media: Manifests, as they are at the end, of the media that were met.
        frames_announced: Frames that this call announced.
        frames_known: Frames asked for that an earlier call had announced.
        skipped: What was set aside, whole or in part.
        notices: What a person should know besides, one line each.
    """

    media: list[MediaManifest]
    frames_announced: int
    frames_known: int
    skipped: list[Skipped]
    notices: list[str]


def produce(
    paths: Sequence[Path],
    *,
    settings: Settings,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    source: str | None = None,
    start_time: str | None = None,
    extracted_dir: Path | None = None,
) -> ProduceReport:
    """Store and announce the frames of the media at `paths` that have not been announced yet.

    Args:
        paths: Video files, picture files, and folders of both (searched all through).
        settings: Of the process.
        store: Where frames and manifests go.
        log: Where frames are announced; the topic is made if it is missing.
        progress: Where it reports to while it works.
        source: The source's name; None: that of the folder given, for a single file its stem.
        start_time: ISO 8601 time at which the one video given begins.
        extracted_dir: Folder in which stored pictures are also kept as files, below the source's name.

    Raises:
        Misconfigured: Settings or arguments that cannot be, or a store, log or folder that cannot be written.
        Retryable: The store or the log is away; the same call later goes on where this one ended.
    """
    failpoints.arm()
    check_time_pattern(settings.time_pattern)
    start = parse_start_time(start_time) if start_time else None
    written = [settings.data_dir, *([extracted_dir] if extracted_dir else [])]
    footage = find_footage(paths, source=source, leave_out=written)
    given = len(footage.media) + len(footage.skipped)
    if start and (given > 1 or any(isinstance(medium, PicturesToProduce) for medium in footage.media)):
        raise Misconfigured(
            "--start-time is for one video, and this is not one video: give one video a call, or leave it out"
            " (then the media's own times are used, their names' by --time-pattern, or their files' dates)"
        )
    log.create_topic(settings.topic, settings.log_partitions)
    production = Production(
        settings=settings, store=store, log=log, progress=progress, extracted_dir=extracted_dir
    )
    production.skipped.extend(footage.skipped)
    for medium in footage.media:
        if isinstance(medium, VideoToProduce):
            try:
                produce_video(medium, production, start)
            except Poison as error:
                production.skip(str(medium.path), str(error))
            except OSError as error:
                production.skip(str(medium.path), why_unreadable(error))
        else:
            produce_pictures(medium, production)
    return ProduceReport(
        media=list(production.media.values()),
        frames_announced=production.frames_announced,
        frames_known=production.frames_known,
        skipped=production.skipped,
        notices=production.notices,
    )
