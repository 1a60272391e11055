"""Producing a video: its frames off the sampling grid, on from where the last call ended."""

from __future__ import annotations

import itertools
from datetime import datetime

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.records import FrameAnnouncement, MediaManifest
from frametally_producer.event_time import EventTime, TimeClues, checked_ms, find_event_time, iso
from frametally_producer.footage import VideoToProduce
from frametally_producer.frames import FrameWriter, NewFrame
from frametally_producer.manifest import ManifestKeeper, load_manifest, weaker
from frametally_producer.media_file import open_medium, sha256_of
from frametally_producer.production import Production, Remarks
from frametally_producer.sampling import Sampler, denser, estimate_frames
from frametally_producer.video_file import Video, open_video


def produce_video(video: VideoToProduce, production: Production, start_time: datetime | None) -> None:
    """Store and announce what is new of `video`.

    Raises:
        Poison: It cannot be produced at all.
        OSError: Its file cannot be read.
        Retryable: The store or the log is away.
        Misconfigured: The store or the log cannot be written.
    """
    asked = production.settings.sample_fps
    with open_medium(video.path) as file:
        sha256 = sha256_of(file)
        known = load_manifest(production.store, sha256)
        with open_video(file, max_pixels=production.max_pixels) as opened:
            if known is None:
                time = _find_time(video, opened, production, start_time)
                manifest = _new_manifest(video, sha256, time, asked)
                samplings = {asked}
                remarks = Remarks()
                for remark in time.remarks:
                    remarks.add(str(video.path), remark)
                remarks.tell(production)
            else:
                _tell_what_stays(video, opened, production, start_time, known)
                sampling = denser(known.sampling, asked)
                if known.state == "complete" and sampling == known.sampling:
                    production.media[sha256] = known
                    production.frames_known += known.frames_announced
                    return
                manifest = msgspec.structs.replace(known, sampling=sampling)
                # What a call that was cut short had been asked for is finished, whatever is asked for now.
                samplings = {sampling} if known.state == "complete" else {sampling, known.sampling}
            _produce_frames(opened, ManifestKeeper(production.store, manifest), samplings, production)


def _produce_frames(
    opened: Video, keeper: ManifestKeeper, samplings: set[str], production: Production
) -> None:
    """Store and announce the frames that any of `samplings` takes and that are not announced yet."""
    medium = keeper.manifest
    if medium.start_ms is None:
        raise Poison("its manifest says no start; remove its object from the store to produce it anew")
    sampler = Sampler(*samplings)
    taken = (frame for frame in opened.frames() if sampler.takes(frame.position_s))
    first = next(taken, None)  # before anything is written: a video without a frame leaves no trace
    if first is None:
        why = f": {'; '.join(opened.damage)}" if opened.damage else ""
        raise Poison(f"holds no frame that can be decoded{why}; play it to see, or export it again")

    expected = max(
        estimate_frames(s, frames=opened.frames_stated, duration_s=opened.duration_s) or 0 for s in samplings
    )
    keeper.write(expected=expected)

    def note(announcements: list[FrameAnnouncement]) -> None:
        keeper.note(announcements)
        keeper.write_if_due(expected=expected)
        production.frames_announced += len(announcements)

    settings, store, log = production.settings, production.store, production.log
    with FrameWriter(settings=settings, store=store, log=log, on_announced=note) as writer:
        for done, frame in enumerate(itertools.chain((first,), taken), 1):
            production.progress.update(done, max(expected, done), medium.name)
            if frame.frame_index in keeper.frames:
                production.frames_known += 1
                continue
            try:
                captured_at_ms = checked_ms(medium.start_ms + frame.offset_ms)
                pixels = opened.pixels(frame.frame)
            except Poison as error:
                opened.damage.append(f"frame {frame.frame_index}: {error}")
                break
            writer.add(
                NewFrame(
                    media=medium.sha256,
                    file_sha256=medium.sha256,
                    source=medium.source,
                    frame_index=frame.frame_index,
                    captured_at_ms=captured_at_ms,
                    time_source=medium.time_source,
                    pixels=pixels,
                )
            )
    keeper.write()
    production.media[medium.sha256] = keeper.manifest
    if opened.damage:
        kept = f"its {keeper.manifest.frames_announced} good frames were kept; look for a whole copy"
        production.skip(medium.name, f"in part: {'; '.join(opened.damage)}; {kept}")


def _find_time(
    video: VideoToProduce, opened: Video, production: Production, start_time: datetime | None
) -> EventTime:
    clues = TimeClues(
        path=video.path,
        recorded=opened.recorded,
        recorded_in="container",
        modified_ns=video.path.stat().st_mtime_ns,
        duration_ms=int((opened.duration_s or 0) * 1000),
    )
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
    if new_time or keys.slug(video.source_name) != known.source:
        production.notices.append(
            f"{video.path}: was produced before, as source {known.source_name} beginning at "
            f"{iso(known.start_ms or 0)}, and keeps both; to give it others, produce it into another data "
            f"folder (--data-dir)"
        )


def _new_manifest(video: VideoToProduce, sha256: str, time: EventTime, sampling: str) -> MediaManifest:
    return MediaManifest(
        sha256=sha256,
        name=str(video.path),
        source=keys.slug(video.source_name),
        source_name=video.source_name,
        kind="video",
        time_source=time.time_source,
        sampling=sampling,
        start_ms=time.at_ms,
        frames_expected=0,
        frames_put=0,
        frames_announced=0,
        state="producing",
    )
