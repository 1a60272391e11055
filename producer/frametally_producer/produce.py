"""Produces media: reads pictures and videos, stores their frames and announces them on the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Misconfigured, Poison
from frametally.files.names import as_text
from frametally.media.manifests import readable_tombstones
from frametally.media.overlapping import (
    hand_overs,
    overlap_reports,
    overlaps_of,
    reports_by_source,
    superseded_versions,
    told_hand_overs,
    told_versions,
)
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped, Standing
from frametally.process.retrying import GivenUp, Patience
from frametally.records import MediaManifest
from frametally_producer.media.pictures import produce_pictures
from frametally_producer.media.videos import produce_video
from frametally_producer.reading.footage import (
    HOLDS_NOTHING,
    Footage,
    PicturesToProduce,
    VideoToProduce,
    passed_over_line,
    why_unusable,
)
from frametally_producer.reading.picture_reader import PictureReader
from frametally_producer.writing.production import Outcome, ProduceCall, Production, Room, Tally
from frametally_producer.writing.receipt import ReceiptRow, receipt_rows
from frametally_producer.writing.seen_files import SeenFiles


class ProduceReport(NamedTuple):
    """The result of a call of the producer.

    Attributes:
        frames_known: Wanted frames that an earlier call had announced.
        notices: Other messages for people, one line each.
        receipt: What became of every file, if the call wants that.
        stopped: Whether a stop was requested before the end; the same call continues from there.
    """

    media: list[MediaManifest]
    frames_announced: int
    frames_known: int
    skipped: list[Skipped]
    notices: list[str]
    receipt: list[ReceiptRow]
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

    It waits for an unavailable store or log and for space on the disk, and loses no frame. It creates a
    missing topic. `on_standing` gets the state of the files whenever it changes. Raises `Misconfigured` for
    invalid settings or arguments, or if a store, log or folder cannot be written.
    """
    footage = call.find_footage()
    start = call.start_of(footage)
    with begin(call, store=store, log=log, progress=progress, on_standing=on_standing) as production:
        production.skipped.extend(footage.skipped)
        for note in footage.notes:
            production.notice(note)
        stopped = False
        try:
            produce_media(footage.media, production, start)
        except GivenUp:
            stopped = True
        if line := passed_over_line(footage.passed_over):
            production.notice(line)
        return report_of(production, footage, stopped=stopped)


@contextmanager
def begin(
    call: ProduceCall,
    *,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    on_standing: Callable[[Standing], None] = lambda standing: None,
    patience: Patience | None = None,
) -> Iterator[Production]:
    """Start a call of the producer, and close its files at the end.

    Without `patience`, it waits for servers forever.
    """
    failpoints.arm()
    settings = call.settings
    patience = patience or Patience(progress.say, call.should_stop)
    with suppress(GivenUp):
        patience.until_done("the log", lambda: log.create_topic(settings.topic, settings.log_partitions))
    with (
        closing(SeenFiles(settings.data_dir)) as seen_files,
        closing(PictureReader(lambda: patience.stopping)) as pictures,
    ):
        yield Production(
            call=call,
            store=store,
            log=log,
            progress=progress,
            patience=patience,
            room=Room(settings, patience),
            seen=seen_files,
            pictures=pictures,
            tally=Tally(on_standing),
        )


def produce_media(
    media: Sequence[VideoToProduce | PicturesToProduce], production: Production, start: datetime | None = None
) -> None:
    """Produce all `media`, and set bad ones aside. Raises `GivenUp` and `Misconfigured`."""
    for medium in media:
        production.tally.expect(medium.paths)
    try:
        for medium in media:
            if isinstance(medium, VideoToProduce):
                _produce_video(medium, production, start)
            else:
                try:
                    produce_pictures(medium, production)
                except Poison as error:
                    production.skip(medium.name, str(error))
    finally:
        for line in production.doubts.lines():
            production.notice(line)
    production.pictures.close()  # until there are new ones, which may take days
    _tell_overlaps(production)


def _tell_overlaps(production: Production) -> None:
    """Report, by name and time, the footage that does not count because new media overlap others."""
    if not production.fresh:
        return
    store, wins = production.store, production.settings.count_overlaps
    manifests, stones = production.patience.until_done(
        "the object store", lambda: (production.manifests.read()[0], readable_tombstones(store))
    )
    overlaps = overlaps_of(manifests, stones, wins)
    for item in reports_by_source(overlap_reports(overlaps, manifests, sha256s=production.fresh)):
        production.skip(*item)
    for versions in superseded_versions(overlaps, manifests, sha256s=production.fresh):
        production.notice(told_versions(versions))
    for source, of_source in hand_overs(overlaps, manifests, sha256s=production.fresh).items():
        production.notice(told_hand_overs(source, of_source))
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


def report_of(production: Production, footage: Footage, *, stopped: bool) -> ProduceReport:
    """Return the report of the work so far on some footage."""
    return ProduceReport(
        media=list(production.media.values()),
        frames_announced=production.tally.frames_announced,
        frames_known=production.frames_known,
        skipped=production.skipped,
        notices=production.notices,
        receipt=_receipt(production, footage) if production.call.receipt else [],
        stopped=stopped,
    )


def _receipt(production: Production, footage: Footage) -> list[ReceiptRow]:
    store = production.store
    try:
        manifests, stones = production.patience.until_done(
            "the object store", lambda: (production.manifests.read()[0], readable_tombstones(store))
        )
    except GivenUp:  # the store is away, and a stop was requested
        manifests, stones = list(production.media.values()), []
    wins = production.settings.count_overlaps
    return receipt_rows(footage, production.records, production.skipped, manifests, stones, wins)


_LOOK_EVERY_S = 1.0
_REST_PART = 10
STILL_S = 5.0
"""Seconds without a change after which a file is taken; also the longest rest between rounds."""


class _Sight(NamedTuple):
    """The last seen state of a file: its size and date, since when, and whether it was taken so."""

    size_bytes: int
    modified_ns: int
    since_s: float
    taken: bool


def watch(
    call: ProduceCall,
    *,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    on_standing: Callable[[Standing], None] = lambda standing: None,
) -> ProduceReport:
    """Produce the files of the folders `call.paths`, including new ones, until a stop is requested.

    A file is taken when its size and date have been the same for `STILL_S`. If it changes after that, it is
    taken again as another medium, because its bytes differ, and a line says so. A bad file is named once, and
    again only if it changes. The arguments are those of `produce`. Raises `Misconfigured` as `produce`, or if
    a path is not a folder or there is a start time.
    """
    if call.start_time:
        raise Misconfigured(
            "--start-time is for one video, but --watch is for folders; leave one of them out"
        )
    for folder in call.paths:
        if not folder.is_dir():
            raise Misconfigured(f"{folder} is not an existing folder, which --watch needs")
    with begin(call, store=store, log=log, progress=progress, on_standing=on_standing) as production:
        rounds = Rounds(production)
        try:
            while True:
                began_s = time.monotonic()
                produce_media(rounds.ready(call.find_footage(), now_s=began_s), production)
                rounds.name_bad_ones()
                rest_s = min((time.monotonic() - began_s) * _REST_PART, STILL_S)
                production.patience.pause(max(_LOOK_EVERY_S, rest_s))
                production.go_on()
        except GivenUp:
            rounds.name_bad_ones()
        footage = call.find_footage()
        if line := passed_over_line(footage.passed_over):
            production.notice(line)
        return report_of(production, footage, stopped=False)


class Rounds:
    """The footage seen in the rounds so far."""

    def __init__(self, production: Production) -> None:
        self._production = production
        self._sights: dict[Path, _Sight] = {}
        self._skipped: set[Skipped] = set()
        self._named = 0

    def ready(self, footage: Footage, *, now_s: float) -> list[VideoToProduce | PicturesToProduce]:
        """Return the media whose files have been unchanged for long enough and are not taken yet."""
        self._note_skipped(footage.skipped)
        for note in footage.notes:
            if note not in self._production.notices:
                self._production.notice(note)
        still_since_s = now_s - STILL_S
        before, self._sights = self._sights, {}
        media: list[VideoToProduce | PicturesToProduce] = []
        for medium in footage.media:
            paths = [p for p in medium.paths if self._look_at(p, before, now_s, still_since_s)]
            if paths:
                self._forget_skips(paths)
                media.append(
                    medium if isinstance(medium, VideoToProduce) else medium._replace(paths=tuple(paths))
                )
        return media

    def _forget_skips(self, paths: Sequence[Path]) -> None:
        """Drop the reports of files that are taken again, because they have changed since."""
        names = {name for path in paths for name in (str(path), as_text(path))}
        skipped = self._production.skipped
        done = [item for item in skipped[: self._named] if item.name not in names]
        skipped[:] = done + [item for item in skipped[self._named :] if item.name not in names]
        self._named = len(done)

    def name_bad_ones(self) -> None:
        """Report the inputs that were set aside since the last report."""
        skipped = self._production.skipped
        for item in skipped[self._named :]:
            self._production.progress.say(f"skipped {item.name}: {item.reason}")
        self._named = len(skipped)

    def _look_at(self, path: Path, before: dict[Path, _Sight], now_s: float, still_since_s: float) -> bool:
        """Record the current state of the file, and return whether to take it."""
        try:
            status = path.stat()
        except FileNotFoundError:  # it was just removed
            return False
        except OSError as error:
            self._note_skipped([Skipped(str(path), why_unusable(error))])
            return False
        earlier = before.get(path)
        sight = _Sight(status.st_size, status.st_mtime_ns, now_s, False)
        if earlier is not None and earlier[:2] == sight[:2]:
            sight = earlier
        elif earlier is not None and earlier.taken:
            self._production.progress.say(
                f"{path} has changed since it was produced, so it is now another medium and will be "
                "produced when it stops changing; for a video, frames that both versions have count once"
            )
        taking = not sight.taken and sight.since_s <= still_since_s
        self._sights[path] = sight._replace(taken=sight.taken or taking)
        return taking

    def _note_skipped(self, skipped: Sequence[Skipped]) -> None:
        for item in skipped:
            if item not in self._skipped and item.reason != HOLDS_NOTHING:
                self._skipped.add(item)
                self._production.skip(*item)
