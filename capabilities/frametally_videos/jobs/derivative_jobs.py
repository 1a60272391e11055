"""Makes a version of a video and puts it into the store, if it is not there yet.

The order of effects: make the file in a temporary folder; store it as an object in one step; put its record.
After a kill it is made again, since an object without its record does not count.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import av

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.files.names import key_of_part
from frametally.files.temporary import work_folder
from frametally.media.screening import Screen
from frametally.ports.object_store import PIECE_BYTES, ObjectMissing
from frametally.process import failpoints
from frametally.process.retrying import GivenUp
from frametally.records import decode_at, encode
from frametally.settings.loading import Settings
from frametally_producer.reading.pixels import UPRIGHT
from frametally_producer.reading.video_file import Video, orientation_of
from frametally_videos.catalogue.catalogue_rows import Artifact
from frametally_videos.derivatives.browser_codecs import why_not_played
from frametally_videos.derivatives.filters import MOST_SIDE_PX, Parity, parity_of
from frametally_videos.derivatives.transcoding import (
    Look,
    Made,
    MakingLimits,
    Unfit,
    copy_pictures,
    encode_pictures,
)
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.library.enhancements import enhancement_options
from frametally_videos.library.video_looks import NO_FRAME
from frametally_videos.media_records import Derivative, DerivativeKind, Enhancement
from frametally_videos.settings import VideoSettings

MADE_BY = f"1, PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}"
"""Increase this version if the same inputs give a different result, to make all versions again."""
PRESET = "veryfast"
"""How much time x264 spends on compression."""
CRF = 23
"""Quality of encoding; 0 is the best (x264's `crf`)."""

_DIGITS = 8


def recipe_of(
    sha256: str,
    kind: DerivativeKind,
    enhancement: Enhancement | None,
    settings: Settings,
    screen: Screen | None = None,
) -> str:
    """Return the name of a version, by its inputs: the same for every process, whichever encoder it uses."""
    parts = (
        *(sha256, kind, "" if enhancement is None else enhancement_options(enhancement), MADE_BY),
        *(settings.part(VideoSettings).video_encoders, str(CRF), PRESET),
        str(MOST_SIDE_PX),
        *([] if screen is None else [screen.note]),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGITS]


CONTENT_TYPE = "video/mp4"
_MOST_TIMES, _MOST_BYTES = 3, 20_000_000_000
_ALWAYS_BYTES = 64_000_000
"""A size that is always allowed, since three times a few kilobytes is too little for a video."""
_LOOKED_AT_FRAMES = 50
_FIRST_PACKETS = 100


@dataclass
class DerivativeMaker:
    """Makes derivatives of a job's video."""

    call: JobCall
    open_video: Callable[[], AbstractContextManager[Video]]

    def make(self, kind: DerivativeKind, enhancement: Enhancement | None = None) -> Artifact:
        """Return the version, after making it unless it exists.

        Raises:
            Poison: It can never be made: no frame can be decoded, it becomes too large, or its original was
                deleted meanwhile.
            Misconfigured: No encoder works here, or the disk is full.
            GivenUp: The command was stopped.
            Retryable: The privacy rule of its source changed while it was made.
        """
        screen = self.call.screen()
        recipe = recipe_of(self.call.record.sha256, kind, enhancement, self.call.settings, screen)
        existing = self._existing(kind, recipe)
        if existing is not None:
            return _artifact(existing)
        settings = self.call.settings
        with work_folder(settings.data_dir, settings.min_free_disk_mb) as folder:
            path = folder / "made.mp4"
            result = self._encode(path, kind, enhancement, screen)
            derivative = Derivative(
                video_id=self.call.record.id,
                kind=kind,
                recipe=recipe,
                enhancement=enhancement,
                made_by=MADE_BY,
                content_type=CONTENT_TYPE,
                size_bytes=path.stat().st_size,
                **result._asdict(),
            )
            failpoints.passing("derivative.made")
            return _artifact(self._put(path, derivative, screen))

    def _existing(self, kind: DerivativeKind, recipe: str) -> Derivative | None:
        """Return the record of an existing version, or None if there is none."""
        record_key = keys.derivative_record_key(self.call.record.id, kind, recipe)

        def read() -> Derivative | None:
            try:
                derivative = decode_at(record_key, self.call.store.get(record_key), Derivative)
            except ObjectMissing:
                return None
            return derivative if self.call.store.head(derivative.file_key) is not None else None

        return self.call.until_done(read)

    def _encode(
        self, path: Path, kind: DerivativeKind, enhancement: Enhancement | None, screen: Screen | None
    ) -> Made:
        most_bytes = min(max(_MOST_TIMES * self.call.record.size_bytes, _ALWAYS_BYTES), _MOST_BYTES)
        limits = MakingLimits(most_bytes, self.call.progress, lambda: self.call.patience.stopping)
        if kind == "playable" and screen is None and self._can_be_copied():
            try:
                with self.open_video() as video:
                    return copy_pictures(video, path, limits)
            except Unfit as error:
                self.call.progress.say(f"its pictures cannot be copied ({error}); encoding them again")
        enhancement = enhancement or Enhancement()
        settings = self.call.settings
        look = Look(
            enhancement,
            self._parity(enhancement),
            MOST_SIDE_PX,
            tuple(settings.part(VideoSettings).video_encoders.split(",")),
            CRF,
            PRESET,
            screen,
        )
        with self.open_video() as video:
            return encode_pictures(video, path, look, limits)

    def _can_be_copied(self) -> bool:
        """Return whether browsers play the pictures unchanged in an MP4."""
        if self.call.record.facts.damage:
            return False
        with self.open_video() as video:
            first = video.first_frame(most_packets=_FIRST_PACKETS)
            if first is None:
                raise Poison(NO_FRAME)
            played = why_not_played("mp4", video.codec, first.format.name) is None
            return played and orientation_of(first) == UPRIGHT and not video.damage

    def _parity(self, enhancement: Enhancement) -> Parity | None:
        if enhancement.deinterlace == "off":
            return None
        with self.open_video() as video:
            frames = (timed.frame for _, timed in zip(range(_LOOKED_AT_FRAMES), video.frames(), strict=False))
            parity = parity_of(frames)
        return parity or ("auto" if enhancement.deinterlace == "on" else None)

    def _put(self, path: Path, derivative: Derivative, screen: Screen | None) -> Derivative:
        key, record_key = derivative.file_key, derivative.key
        self.call.until_done(lambda: self._remove_leftovers(derivative))
        part_key = derivative.part_key(secrets.token_hex(4))
        write = self.call.until_done(lambda: self.call.store.resumable(key, part_key))

        def send() -> None:
            with path.open("rb") as file:
                at_byte = write.durable_bytes
                file.seek(at_byte)
                while data := file.read(PIECE_BYTES):
                    if self.call.patience.stopping:
                        raise GivenUp("stopped")
                    write.append(data, at_byte=at_byte)
                    at_byte += len(data)

        self.call.until_done(send)
        try:
            self.call.check_screen(screen)
        except Retryable:
            self.call.until_done(write.abort)
            raise
        failpoints.passing("derivative.sent")
        is_ours = self.call.until_done(write.finish)
        failpoints.passing("derivative.finished")
        if is_ours:
            self.call.until_done(lambda: self.call.store.put(record_key, encode(derivative)))
            self.call.check_original(record_key, key)
            return derivative
        # Another process has made it in the meantime, with other bytes.
        theirs = self._existing(derivative.kind, derivative.recipe)
        if theirs is None:
            raise Retryable(f"another process is making {key}; checking again later")
        return theirs

    def _remove_leftovers(self, derivative: Derivative) -> None:
        """Remove leftovers of killed processes: incomplete files, and files without a record."""
        for info in list(self.call.store.list(keys.video_folder(self.call.record.id))):
            if key_of_part(info.key) == derivative.file_key:
                self.call.store.resumable(derivative.file_key, info.key).abort()
        if self.call.store.head(derivative.key) is None:
            self.call.store.delete(derivative.file_key)


def _artifact(derivative: Derivative) -> Artifact:
    return Artifact(derivative.kind, derivative.file_key, derivative.content_type, derivative.size_bytes)
