"""Makes a derivative of a video and puts it into the store, where it is not there yet.

The order of effects: the file is made in a scratch folder; it becomes an object in one step; its record is
put. Killed anywhere, it is made again: an object without its record is nobody's, and is made anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.files.names import key_of_part
from frametally.ports.object_store import PIECE_BYTES, ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress
from frametally.process.retrying import GivenUp, Patience
from frametally.records import decode_at, encode
from frametally.settings.loading import Settings
from frametally_producer.reading.pixels import UPRIGHT
from frametally_producer.reading.video_file import Video, orientation_of
from frametally_videos.derivatives.derivative_names import MADE_BY, PRESET, recipe_of
from frametally_videos.derivatives.filters import Parity, parity_of
from frametally_videos.derivatives.scratch import scratch_folder
from frametally_videos.derivatives.transcoding import (
    NO_FRAME,
    Look,
    Made,
    MakingLimits,
    Unfit,
    copy_pictures,
    encode_pictures,
)
from frametally_videos.looking.browser_codecs import why_not_played
from frametally_videos.media_records import Derivative, DerivativeKind, Enhancement
from frametally_videos.ports.video_catalogue import Artifact
from frametally_videos.records import VideoRecord
from frametally_videos.settings import VideoSettings

CONTENT_TYPE = "video/mp4"
_MOST_TIMES, _MOST_BYTES = 3, 20_000_000_000
_ALWAYS_BYTES = 64_000_000
"""What may be made of the smallest original, too: three times a few kilobytes is no video."""
_LOOKED_AT_FRAMES = 50
_FIRST_PACKETS = 100

T = TypeVar("T")
Open = Callable[[], AbstractContextManager[Video]]


class DerivativeMaker:
    """Makes derivatives of one video."""

    def __init__(
        self,
        record: VideoRecord,
        *,
        open_video: Open,
        settings: Settings,
        store: ObjectStore,
        progress: Progress,
        patience: Patience,
    ) -> None:
        """Nothing is read yet.

        Args:
            record: The original's.
            open_video: Opens the original, as often as it is asked to.
            settings: Of encoding, and of the scratch folder.
            store: Where it is put.
            progress: Is told how far it is.
            patience: Waits for a store that is away; a stop is heard by it.
        """
        self._record = record
        self._open = open_video
        self._settings = settings
        self._store = store
        self._progress = progress
        self._patience = patience

    def make(self, kind: DerivativeKind, asked: Enhancement | None = None) -> Artifact:
        """Return what was made so, now or before.

        Raises:
            Poison: It can never be made: no frame can be decoded, or it becomes too large.
            Misconfigured: No encoder works here, or there is no room.
            GivenUp: A stop was asked for.
        """
        recipe = recipe_of(self._record.sha256, kind, asked, self._settings)
        known = self._known(kind, recipe)
        if known is not None:
            return _artifact(known)
        with scratch_folder(self._settings) as folder:
            path = folder / "made.mp4"
            made = self._made(path, kind, asked)
            derivative = Derivative(
                video_id=self._record.id,
                kind=kind,
                recipe=recipe,
                enhancement=asked,
                method=made.method,
                video_encoder=made.video_encoder,
                sound=made.sound,
                tried=made.tried,
                made_by=MADE_BY,
                content_type=CONTENT_TYPE,
                size_bytes=path.stat().st_size,
                width_px=made.width_px,
                height_px=made.height_px,
                frames=made.frames,
                duration_s=float(made.duration_s),
            )
            failpoints.passing("derivative.made")
            return _artifact(self._put(path, derivative))

    def _known(self, kind: DerivativeKind, recipe: str) -> Derivative | None:
        """Return the record of what is there already."""
        record_key = keys.derivative_record_key(self._record.id, kind, recipe)

        def read() -> Derivative | None:
            try:
                found = decode_at(record_key, self._store.get(record_key), Derivative)
            except ObjectMissing:
                return None
            return found if self._store.head(found.file_key) is not None else None

        return self._wait(read)

    def _made(self, path: Path, kind: DerivativeKind, asked: Enhancement | None) -> Made:
        most_bytes = min(max(_MOST_TIMES * self._record.size_bytes, _ALWAYS_BYTES), _MOST_BYTES)
        limits = MakingLimits(most_bytes, self._progress, lambda: self._patience.stopping)
        if kind == "playable" and self._can_be_copied():
            try:
                with self._open() as video:
                    return copy_pictures(video, path, limits)
            except Unfit as error:
                self._progress.say(f"its pictures are coded anew: {error}")
        asked = asked or Enhancement()
        settings = self._settings
        look = Look(
            asked,
            self._parity(asked),
            settings.part(VideoSettings).playable_max_side_px,
            tuple(settings.part(VideoSettings).video_encoders.split(",")),
            settings.part(VideoSettings).video_crf,
            PRESET,
        )
        with self._open() as video:
            return encode_pictures(video, path, look, limits)

    def _can_be_copied(self) -> bool:
        """Return whether browsers play its pictures as they are, once they lie in an MP4."""
        if self._record.facts.damage:
            return False
        with self._open() as video:
            first = video.first_frame(most_packets=_FIRST_PACKETS)
            if first is None:
                raise Poison(NO_FRAME)
            played = why_not_played("mp4", video.codec, first.format.name) is None
            return played and orientation_of(first) == UPRIGHT and not video.damage

    def _parity(self, asked: Enhancement) -> Parity | None:
        if asked.deinterlace == "off":
            return None
        with self._open() as video:
            frames = (timed.frame for _, timed in zip(range(_LOOKED_AT_FRAMES), video.frames(), strict=False))
            found = parity_of(frames)
        return found or ("auto" if asked.deinterlace == "on" else None)

    def _put(self, path: Path, derivative: Derivative) -> Derivative:
        key, record_key = derivative.file_key, derivative.key
        self._wait(lambda: self._remove_leftovers(derivative))
        part_key = derivative.part_key(secrets.token_hex(4))
        write = self._wait(lambda: self._store.resumable(key, part_key))

        def send() -> None:
            with path.open("rb") as file:
                at_byte = write.durable_bytes
                file.seek(at_byte)
                while data := file.read(PIECE_BYTES):
                    if self._patience.stopping:
                        raise GivenUp("stopped")
                    write.append(data, at_byte=at_byte)
                    at_byte += len(data)

        self._wait(send)
        failpoints.passing("derivative.sent")
        is_ours = self._wait(write.finish)
        failpoints.passing("derivative.finished")
        if is_ours:
            self._wait(lambda: self._store.put(record_key, encode(derivative)))
            return derivative
        # Another has made it meanwhile, with bytes of its own.
        theirs = self._known(derivative.kind, derivative.recipe)
        if theirs is None:
            raise Retryable(f"{key} is being made by another process; looked at again")
        return theirs

    def _remove_leftovers(self, derivative: Derivative) -> None:
        """Remove what killed makers have left: what was not sent wholly, and what has no record."""
        for info in list(self._store.list(keys.video_folder(self._record.id))):
            if key_of_part(info.key) == derivative.file_key:
                self._store.resumable(derivative.file_key, info.key).abort()
        if self._store.head(derivative.key) is None:
            self._store.delete(derivative.file_key)

    def _wait(self, action: Callable[[], T]) -> T:
        return self._patience.until_done("the object store", action)


def _artifact(derivative: Derivative) -> Artifact:
    return Artifact(derivative.kind, derivative.file_key, derivative.content_type, derivative.size_bytes)
