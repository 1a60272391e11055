"""Produces a video: finds its identity, manifest and start, then stores and announces its frames."""

from __future__ import annotations

import itertools
import os
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BufferedReader
from typing import Any

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.files.names import as_text
from frametally.files.value_ranges import parse_value_range
from frametally.media.manifests import media_of, track_identity, weaker
from frametally.media.overlapping import time_jumps, told_time_jumps
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, MediaManifest
from frametally.rules.pace import Pace, read_pace
from frametally_producer.reading.containers import shows_losses
from frametally_producer.reading.event_time import EventTime, TimeClues, checked_ms, find_event_time, iso
from frametally_producer.reading.footage import VideoToProduce, open_medium, sha256_of
from frametally_producer.reading.sampling import Sampler, StandingPictures, denser, estimate_frames
from frametally_producer.reading.video_file import TimedFrame, Video, open_video
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_producer.writing.manifest import ManifestKeeper, load_manifest, new_manifest
from frametally_producer.writing.production import Outcome, Production, asked_of, cost_of
from frametally_producer.writing.receipt import FileRecord
from frametally_producer.writing.seen_files import Rate, stamp_of


def begin_video(store: ObjectStore, patience: Patience, *, sampling: str, **fields: Any) -> ManifestKeeper:
    """Return the keeper of a video without a manifest; `fields` go into the new one. Raises `GivenUp`."""
    manifest = new_manifest(store, patience, kind="video", sampling=sampling, **fields)
    return ManifestKeeper(store, manifest, patience, samplings={sampling}, is_stored=False)


def go_on_with(
    known: MediaManifest, store: ObjectStore, patience: Patience, *, sampling: str
) -> ManifestKeeper | None:
    """Return the keeper of a video with a manifest, or None if none of its frames are missing."""
    sampling = denser(known.sampling, sampling)
    if known.state == "complete" and sampling == known.sampling:
        return None
    # The sampling of an interrupted call is finished, whatever this call's sampling is.
    samplings = {sampling} if known.state == "complete" else {sampling, known.sampling}
    manifest = msgspec.structs.replace(known, sampling=sampling)
    return ManifestKeeper(store, manifest, patience, samplings=samplings, is_stored=True)


def first_of(frames: Iterator[TimedFrame], opened: Video) -> TimedFrame:
    """Return a video's first frame before anything is written, so that one without frames leaves no trace.

    Raises `Poison` if there is none, or as `Video.pixels`.
    """
    first = next(frames, None)
    if first is None:
        why = f": {'; '.join(opened.damage)}" if opened.damage else ""
        raise Poison(f"has no frame that can be decoded{why}; play it to check, or export it again")
    opened.pixels(first.frame)  # one that cannot be shown with 8 bits is refused as a whole
    return first


def estimated(opened: Video, keeper: ManifestKeeper) -> int:
    """Return about how many frames are taken from a video by all its samplings."""
    stated = opened.frames_stated
    length_s = read_pace(keeper.manifest.pace).event_length_s(opened.duration_s, stated)
    return max(estimate_frames(s, frames=stated, duration_s=length_s) or 0 for s in keeper.samplings)


def new_frame(
    opened: Video, frame: TimedFrame, medium: MediaManifest, refused: Callable[[str], None]
) -> NewFrame:
    """Return a video's frame to store and announce.

    Raises `Poison` if its time is impossible or its pixels cannot be converted.
    """
    return NewFrame(
        media=media_of(medium),
        medium_hex=medium.sha256[:12],
        source=medium.source,
        frame_index=frame.frame_index,
        captured_at_ms=captured_at_ms(frame, medium),
        time_source=medium.time_source,
        pixels=opened.pixels(frame.frame),
        refused=refused,
    )


def paced(frames: Iterable[TimedFrame], pace: Pace) -> Iterator[TimedFrame]:
    """Yield the frames with their times converted to event time."""
    begins_ms: int | None = None
    for frame in frames:
        if any(pace):
            begins_ms = int(frame.offset_ms * (pace.speed or 1)) if begins_ms is None else begins_ms
            event_s = pace.event_s(frame.position_s, frame.frame_index)
            yield frame._replace(position_s=event_s, offset_ms=begins_ms + int(event_s * 1000))
        else:
            yield frame


def with_repeats(opened: Video, pace: Pace, standing: StandingPictures) -> Iterator[TimedFrame]:
    """Yield the frames of a video that was read once more, with repeats of the pictures that stand.

    Yields none if no picture stands, or if pictures may be lost instead.
    """
    if not standing or opened.damage:
        return
    with opened.reopened() as video:
        if not shows_losses(video.container):
            return
    frame_index = standing.frames
    with opened.reopened() as video:
        for frame in paced(video.frames(), pace):
            yield frame
            for position_s in standing.repeats_s(frame.position_s):
                offset_ms = frame.offset_ms + int((position_s - frame.position_s) * 1000)
                yield frame._replace(frame_index=frame_index, position_s=position_s, offset_ms=offset_ms)
                frame_index += 1


def captured_at_ms(frame: TimedFrame, medium: MediaManifest) -> int:
    """Return a frame's event time. Raises `Poison` if it is impossible."""
    return checked_ms((medium.start_ms or 0) + frame.offset_ms)


@dataclass
class VideoWork:
    """Produces one opened video."""

    opened: Video
    keeper: ManifestKeeper
    production: Production

    def __post_init__(self) -> None:
        """Start counting this call's frames, pixels and bytes at zero."""
        self._expected = self._pixels = self._stored_bytes = self._announced = self._done = 0

    def run(self) -> None:
        """Store, announce and note all wanted frames that have not been announced yet.

        Raises as `produce_video`.
        """
        began_s = time.monotonic()
        opened, production, keeper = self.opened, self.production, self.keeper
        pace = read_pace(keeper.manifest.pace)
        standing = StandingPictures()
        frames = standing.noting(paced(opened.frames(), pace))
        first = first_of(frames, opened)
        self._expected = estimated(opened, keeper)
        is_new = keeper.is_new
        self._write()  # from here on, the medium has its source and time for every producer
        self._expected = estimated(opened, keeper)
        known = len(keeper.frames)
        with production.writer(self._note, self._write, is_new=is_new) as writer:
            for frame in self._new_frames(itertools.chain((first,), frames), writer):
                writer.add(frame)
            repeats = with_repeats(opened, pace, standing)
            for frame in self._new_frames(repeats, writer, from_index=standing.frames):
                writer.add(frame)
        keeper.write()
        medium = keeper.manifest
        production.media[medium.sha256] = medium
        jumps = time_jumps(medium, {})
        if jumps:
            production.notice(told_time_jumps(medium, jumps))
        if opened.doubt:
            production.notice(
                f"{medium.name}: {opened.doubt}; if that is wrong, `frametally forget` it, convert it with "
                "the right rate, and produce that"
            )
        if not known:
            rate = Rate(self._pixels, time.monotonic() - began_s, self._announced, self._stored_bytes)
            production.seen.note_rate("video", cost_of(production.settings), rate)
        if opened.damage:
            note = (
                f"its {plural(medium.frames_announced, 'undamaged frame was', 'undamaged frames were')} "
                "kept; look for a complete copy"
            )
            production.skip(medium.name, f"in part: {'; '.join(opened.damage)}; {note}")

    def _write(self) -> None:
        self.keeper.write(expected=self._expected)

    def _new_frames(
        self, frames: Iterable[TimedFrame], writer: FrameWriter, *, from_index: int = 0
    ) -> Iterator[NewFrame]:
        """Yield the wanted frames from an index on that are not known.

        Stop at a frame that cannot be produced.
        """
        opened, production, keeper = self.opened, self.production, self.keeper
        medium = keeper.manifest
        sampler = Sampler(*keeper.samplings)
        for frame, is_taken in sampler.sift(frames):
            production.go_on()
            self._pixels += opened.size_px[0] * opened.size_px[1]
            if not is_taken or frame.frame_index < from_index:
                continue
            self._done += 1
            expected = max(self._expected, self._done)
            part = self._done / expected
            production.progress.update(self._done, expected, medium.name)
            production.tally.doing("producing", part)
            if frame.frame_index in keeper.frames:
                production.frames_known += 1
                continue
            production.make_room(writer, self._write, part)
            try:
                yield new_frame(opened, frame, medium, partial(self._refuse, frame.frame_index))
            except Poison as error:
                self._refuse(frame.frame_index, str(error))
                return

    def _refuse(self, frame_index: int, why: str) -> None:
        self.opened.damage.append(f"frame {frame_index}: {why}")

    def _note(self, announcements: list[FrameAnnouncement]) -> None:
        self.keeper.note(announcements)
        self.production.tally.count_announced(len(announcements))
        self._announced += len(announcements)
        self.production.fresh.add(self.keeper.manifest.sha256)
        self._stored_bytes += sum(announcement.bytes for announcement in announcements)
        self.keeper.write_if_due(expected=self._expected)


def produce_video(video: VideoToProduce, production: Production, start_time: datetime | None) -> Outcome:
    """Store and announce the new frames of `video`; return the outcome.

    A file that the same call has finished before is not even opened, and a file with known bytes is not
    hashed again. After an interruption, only missing frames are encoded and announced.

    Raises `Poison` if it cannot be produced at all, `OSError` if its file cannot be read, `Misconfigured` if
    the store or the log cannot be written, and `GivenUp` at a stop, after announcing and noting current
    frames.
    """
    track, pace = production.call.track, production.call.pace
    request = asked_of(production.settings, video.source_name, start_time, track, str(pace))
    earlier = production.seen.find(video.path, stamp_of(video.path.stat()))
    if earlier is not None and earlier.asked == request:
        known = _known_track(production, earlier.sha256, track)
        if known is not None and known.state == "complete":
            production.note_file(video.path, FileRecord(False, known.sha256))
            return _already_known(known, production)
    with open_medium(video.path) as file:
        before = os.fstat(file.fileno())
        notices_before = len(production.notices)
        # Opened first: a file that is no video is refused before all of it is read for its identity.
        value_range = parse_value_range(production.settings.value_range)
        with open_video(
            file, max_pixels=production.max_pixels, track=track, value_range=value_range
        ) as opened:
            if earlier is None:
                sha256 = _identify(file, production)
                production.seen.note_file(
                    video.path, before=before, after=os.fstat(file.fileno()), sha256=sha256
                )
            else:
                sha256 = earlier.sha256
            known = _known_track(production, sha256, track)
            check_track(opened, known)
            if known is None or not known.pace:
                _tell_what_is_left(video, opened, sha256, production)
            keeper = _keeper(video, opened, sha256, known, production, start_time)
            if medium := known if keeper is None else keeper.manifest:
                production.note_file(video.path, FileRecord(keeper is not None, medium.sha256))
            if keeper is not None:
                VideoWork(opened, keeper, production).run()
        after = os.fstat(file.fileno())
    if stamp_of(before) != stamp_of(after):
        production.skip(
            str(video.path),
            "changed while it was being produced; produce it again when it is complete: frames that both "
            "versions have count once",
        )
    elif len(production.notices) == notices_before:  # the next call has to repeat its notices
        production.seen.note_file(video.path, before=before, after=after, sha256=sha256, request=request)
    return "finished" if keeper is not None or known is None else _already_known(known, production)


def _known_track(production: Production, sha256: str, track: int | None) -> MediaManifest | None:
    """Return the manifest of a track by its file's SHA-256, or None if there is none."""
    if track is not None:
        manifest = load_manifest(production.store, track_identity(sha256, track), production.patience)
        if manifest is not None:
            return manifest
    manifest = load_manifest(production.store, sha256, production.patience)
    return manifest if manifest is None or track in (None, manifest.track) else None


def check_track(opened: Video, manifest: MediaManifest | None) -> None:
    """Raise `Poison` for a video if another of its tracks has been counted."""
    track = opened.track
    if manifest is not None and manifest.track != track.number:
        raise Poison(
            f"its track {manifest.track} has been counted ({track.tracks_left}); to count track "
            f"{track.number}, run `frametally forget {manifest.sha256[:12]}` and produce it again"
        )


def _tell_what_is_left(video: VideoToProduce, opened: Video, sha256: str, production: Production) -> None:
    """Report which tracks of a file are not counted, and whether it was filmed at another speed."""
    track, call = opened.track, production.call
    if track.tracks_left and call.track is None:
        numbers = set(range(1, track.tracks + 1)) - {track.number}
        if not all(_known_track(production, sha256, number) for number in numbers):
            production.notice_once(str(video.path), track.tracks_left)
    if opened.rate_remark and call.pace is None:
        production.notice_once(str(video.path), opened.rate_remark)


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
    """Return the keeper of the new or `known` manifest, or None if no frames are missing."""
    if known is None:
        time, length_ms = _find_time(video, opened, production, start_time)
        production.doubts.note(video.path, video.source_name, time, length_ms)
        track = opened.track
        return begin_video(
            production.store,
            production.patience,
            sampling=production.settings.sample_fps,
            sha256=sha256 if track.is_usual else track_identity(sha256, track.number),
            track=track.number,
            pace=str(production.call.pace or ""),
            name=as_text(video.path),
            source=production.sources.slug_of(video.source_name),
            source_name=video.source_name,
            time_source=time.time_source,
            start_ms=time.at_ms,
        )
    if production.call.pace is not None and str(production.call.pace) != known.pace:
        raise Poison(
            f"was produced before {_at_pace(known.pace)}, so its frames have other times; to count it again, "
            f"run `frametally forget {known.sha256[:12]}` and produce it again"
        )
    _tell_what_stays(video, opened, production, start_time, known)
    sampling = production.settings.sample_fps
    keeper = go_on_with(known, production.store, production.patience, sampling=sampling)
    if keeper is not None and known.start_ms is None:
        raise Poison("its manifest has no start time; delete its manifest from the store to produce it again")
    return keeper


def _at_pace(text: str) -> str:
    pace = read_pace(text)
    if pace.frame_s is not None:
        return f"with --seconds-per-frame {float(pace.frame_s):g}"
    return f"with --speed {float(pace.speed):g}" if pace.speed is not None else "at the speed of life"


def _find_time(
    video: VideoToProduce, opened: Video, production: Production, start_time: datetime | None
) -> tuple[EventTime, int]:
    """Return when a video begins, and its length in event time in ms, 0 if unknown."""
    pace = production.call.pace or Pace()
    length_ms = int((pace.event_length_s(opened.duration_s, opened.frames_stated) or 0) * 1000)
    modified_ns = video.path.stat().st_mtime_ns
    clues = TimeClues(video.path, opened.statements, "container", modified_ns, length_ms)
    return find_event_time(clues, settings=production.settings, start_time=start_time), length_ms


def _tell_what_stays(
    video: VideoToProduce,
    opened: Video,
    production: Production,
    start_time: datetime | None,
    known: MediaManifest,
) -> None:
    """Report another source, or a time that is at least as certain, that a known video would get now."""
    ignored, remedies = [], []
    try:
        time, _ = _find_time(video, opened, production, start_time)
    except Poison:
        time = EventTime(known.start_ms or 0, "file_time")
    is_as_certain = weaker(time.time_source, known.time_source) == known.time_source
    if time.at_ms != known.start_ms and is_as_certain and time.time_source != "file_time":
        ignored.append(f"the start time {iso(time.at_ms)}")
        remedies.append(f"`frametally retime {known.sha256[:12]} --start-time {iso(time.at_ms)}`")
        if time.time_source == "file_name":
            of_all = {
                "--source": known.source_name,
                "--time-pattern": production.settings.time_pattern,
                "--timezone": production.settings.timezone,
            }
            words = " ".join(f"{option} {shlex.quote(value)}" for option, value in of_all.items())
            remedies[-1] += f", or for all of that source `frametally retime {words}`,"
    if keys.slug(video.source_name) not in (known.source, keys.slug(known.source_name)):
        ignored.append(f"the source {video.source_name}")
        remedies.append("`frametally rename-source`")
    if ignored:
        stored_as = "" if known.name == as_text(video.path) else f" as {known.name}"
        production.notice(
            f"{video.path} was produced before{stored_as}: frametally ignores {' and '.join(ignored)}. "
            f"All its frames, new ones too, stay in source {known.source_name}, beginning at "
            f"{iso(known.start_ms or 0)}; to change that, run {' and '.join(remedies)}"
        )
