"""Producing a video: what it is, whether it is known, and when it began; its frames are `video_work`'s."""

from __future__ import annotations

import os
from datetime import datetime
from io import BufferedReader

from frametally import keys
from frametally.errors import Poison
from frametally.files.names import as_text
from frametally.media.manifests import weaker
from frametally.records import MediaManifest
from frametally_producer.media.manifest_keeping import begin_video, go_on_with
from frametally_producer.media.video_work import VideoWork
from frametally_producer.reading.event_time import EventTime, TimeClues, find_event_time, iso
from frametally_producer.reading.footage import VideoToProduce
from frametally_producer.reading.media_file import open_medium, sha256_of
from frametally_producer.reading.video_file import Video, open_video
from frametally_producer.writing.manifest import ManifestKeeper, load_manifest
from frametally_producer.writing.production import Production, asked_of
from frametally_producer.writing.seen_files import stamp_of
from frametally_producer.writing.tally import Outcome


def produce_video(video: VideoToProduce, production: Production, start_time: datetime | None) -> Outcome:
    """Store and announce what is new of `video`.

    A file that the same call has finished before is not even opened; one whose bytes are known is not read
    for its identity again; of one that was cut short only what is missing is encoded and announced.

    Returns:
        Whether anything was new.

    Raises:
        Poison: It cannot be produced at all.
        OSError: Its file cannot be read.
        GivenUp: A stop was asked for; what was in hand is announced and noted.
        Misconfigured: The store or the log cannot be written.
    """
    asked = asked_of(production.settings, video.source_name, start_time)
    seen = production.seen.find(video.path, stamp_of(video.path.stat()))
    if seen is not None and seen.asked == asked:
        known = load_manifest(production.store, seen.sha256, production.patience)
        if known is not None and known.state == "complete":
            return _already_known(known, production)
    with open_medium(video.path) as file:
        before = os.fstat(file.fileno())
        if seen is None:
            sha256 = _identify(file, production)
            production.seen.note_file(video.path, before=before, after=os.fstat(file.fileno()), sha256=sha256)
        else:
            sha256 = seen.sha256
        said = len(production.notices)
        known = load_manifest(production.store, sha256, production.patience)
        with open_video(file, max_pixels=production.max_pixels) as opened:
            keeper = _keeper(video, opened, sha256, known, production, start_time)
            if keeper is not None:
                VideoWork(opened, keeper, production).run()
        after = os.fstat(file.fileno())
    if stamp_of(before) != stamp_of(after):
        production.skip(
            str(video.path),
            "changed while it was produced; produce it again once it is whole: what both hold counts once",
        )
    elif len(production.notices) == said:  # what there was to say is to be said again the next time
        production.seen.note_file(video.path, before=before, after=after, sha256=sha256, asked=asked)
    return "finished" if keeper is not None or known is None else _already_known(known, production)


def _identify(file: BufferedReader, production: Production) -> str:
    def step() -> None:
        production.go_on()
        production.tally.doing("reading it for its identity")

    return sha256_of(file, step)


def _already_known(known: MediaManifest, production: Production) -> Outcome:
    production.media[known.sha256] = known
    production.frames_known += known.frames_announced
    return "known"


def _keeper(
    video: VideoToProduce,
    opened: Video,
    sha256: str,
    known: MediaManifest | None,
    production: Production,
    start_time: datetime | None,
) -> ManifestKeeper | None:
    """Take up the video's manifest, new or `known`; None if nothing of it is missing."""
    if known is None:
        time = _find_time(video, opened, production, start_time)
        for remark in time.remarks:
            production.notice(f"{video.path}: {remark.text}")
        return begin_video(
            production.store,
            production.patience,
            sampling=production.settings.sample_fps,
            sha256=sha256,
            name=as_text(video.path),
            source=production.sources.slug_of(video.source_name),
            source_name=video.source_name,
            time_source=time.time_source,
            start_ms=time.at_ms,
        )
    _tell_what_stays(video, opened, production, start_time, known)
    sampling = production.settings.sample_fps
    keeper = go_on_with(known, production.store, production.patience, sampling=sampling)
    if keeper is not None and known.start_ms is None:
        raise Poison("its manifest says no start; remove its object from the store to produce it anew")
    return keeper


def _find_time(
    video: VideoToProduce, opened: Video, production: Production, start_time: datetime | None
) -> EventTime:
    length_ms = int((opened.duration_s or 0) * 1000)
    modified_ns = video.path.stat().st_mtime_ns
    clues = TimeClues(video.path, opened.recorded, "container", modified_ns, length_ms)
    return find_event_time(clues, settings=production.settings, start_time=start_time)


def _tell_what_stays(
    video: VideoToProduce,
    opened: Video,
    production: Production,
    start_time: datetime | None,
    known: MediaManifest,
) -> None:
    """Say so if another source, or another time that is no weaker, would be found for a known video."""
    try:
        time = _find_time(video, opened, production, start_time)
    except Poison:
        new_time = False
    else:
        new_time = (
            time.at_ms != known.start_ms and weaker(time.time_source, known.time_source) == known.time_source
        )
        new_time = new_time and time.time_source != "file_time"
    new_source = keys.slug(video.source_name) not in (known.source, keys.slug(known.source_name))
    if new_time or new_source:
        production.notice(
            f"{video.path}: was produced before, as source {known.source_name} beginning at "
            f"{iso(known.start_ms or 0)}, and keeps both; `frametally rename-source` and `frametally retime` "
            f"give it others"
        )
