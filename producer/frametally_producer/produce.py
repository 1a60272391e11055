"""The producer: pictures and videos in; stored frames, announced on the log, out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from frametally.errors import Poison
from frametally.media.manifests import readable_tombstones
from frametally.media.overlapping import overlaps_of, told_by_source, told_overlaps
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.backfill import Standing
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import GivenUp, Patience
from frametally.records import MediaManifest
from frametally_producer.media.pictures import produce_pictures
from frametally_producer.media.videos import produce_video
from frametally_producer.reading.event_time import check_time_pattern
from frametally_producer.reading.footage import PicturesToProduce, VideoToProduce
from frametally_producer.reading.media_file import why_unusable
from frametally_producer.reading.picture_reader import PictureReader
from frametally_producer.writing.production import ProduceCall, Production
from frametally_producer.writing.room import Room
from frametally_producer.writing.seen_files import SeenFiles
from frametally_producer.writing.tally import Outcome, Tally


class ProduceReport(NamedTuple):
    """What a call of the producer did.

    Attributes:
        media: Manifests, as they are at the end, of the media that were met.
        frames_announced: Frames that this call announced.
        frames_known: Frames asked for that an earlier call had announced.
        skipped: What was set aside, whole or in part.
        notices: What a person should know besides, one line each.
        stopped: Whether it was asked to stop before the end; the same call goes on from there.
    """

    media: list[MediaManifest]
    frames_announced: int
    frames_known: int
    skipped: list[Skipped]
    notices: list[str]
    stopped: bool = False


def produce(
    call: ProduceCall,
    *,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    on_standing: Callable[[Standing], None] = lambda standing: None,
) -> ProduceReport:
    """Store and announce the frames of the media at `call.paths` that have not been announced yet.

    A store or a log that is away is waited for, as is room on the disk; no frame is left out for it. The
    topic is made if it is missing. `on_standing` is told how the files stand, whenever that changes.

    Raises:
        Misconfigured: Settings or arguments that cannot be, or a store, log or folder that cannot be written.
    """
    footage = call.find_footage()
    start = call.start_of(footage)
    with begin(call, store=store, log=log, progress=progress, on_standing=on_standing) as production:
        production.skipped.extend(footage.skipped)
        stopped = False
        try:
            produce_media(footage.media, production, start)
        except GivenUp:
            stopped = True
        return report_of(production, stopped=stopped)


@contextmanager
def begin(
    call: ProduceCall,
    *,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    on_standing: Callable[[Standing], None] = lambda standing: None,
) -> Iterator[Production]:
    """Begin one call of the producer, with nothing done yet; what it needs is closed at the end."""
    failpoints.arm()
    settings = call.settings
    check_time_pattern(settings.time_pattern)
    patience = Patience(progress.say, call.should_stop)
    with contextlib.suppress(GivenUp):
        patience.until_done("the log", lambda: log.create_topic(settings.topic, settings.log_partitions))
    with SeenFiles(settings.data_dir) as seen, PictureReader(lambda: patience.stopping) as pictures:
        yield Production(
            call=call,
            store=store,
            log=log,
            progress=progress,
            patience=patience,
            room=Room(settings, patience),
            seen=seen,
            pictures=pictures,
            tally=Tally(on_standing),
        )


def produce_media(
    media: Sequence[VideoToProduce | PicturesToProduce], production: Production, start: datetime | None = None
) -> None:
    """Produce each of `media`; bad ones are set aside.

    Raises:
        GivenUp: A stop was asked for; what was in hand is announced and noted.
        Misconfigured: The store, the log or a folder cannot be written.
    """
    for medium in media:
        production.tally.expect(medium.paths)
    for medium in media:
        if isinstance(medium, VideoToProduce):
            _produce_video(medium, production, start)
        else:
            try:
                produce_pictures(medium, production)
            except Poison as error:
                production.skip(medium.name, str(error))
    production.pictures.close()  # until the next ones come, which may take days
    _tell_overlaps(production)


def _tell_overlaps(production: Production) -> None:
    """Set aside, by name and time, what does not count of media that overlap with what was new."""
    if not production.fresh:
        return
    store, wins = production.store, production.settings.count_overlaps
    manifests, stones = production.patience.until_done(
        "the object store", lambda: (production.manifests.read()[0], readable_tombstones(store))
    )
    told = told_overlaps(overlaps_of(manifests, stones, wins), manifests, of=production.fresh)
    for item in told_by_source(told):
        production.skip(*item)
    production.fresh.clear()


def _produce_video(video: VideoToProduce, production: Production, start: datetime | None) -> None:
    outcome: Outcome = "skipped"
    production.go_on()
    production.tally.begin(video.path)
    try:
        outcome = produce_video(video, production, start)
    except (Poison, OSError) as error:
        production.skip(str(video.path), why_unusable(error))
    production.tally.end(outcome)


def report_of(production: Production, *, stopped: bool) -> ProduceReport:
    """Report what has been done."""
    return ProduceReport(
        media=list(production.media.values()),
        frames_announced=production.tally.frames_announced,
        frames_known=production.frames_known,
        skipped=production.skipped,
        notices=production.notices,
        stopped=stopped,
    )
