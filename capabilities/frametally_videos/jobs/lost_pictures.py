"""Makes counted frames of uploaded videos again whose pictures a power cut left empty."""

from __future__ import annotations

import hashlib
import itertools
from contextlib import suppress

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import find_manifest
from frametally.media.screening import note_in, screen_of
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import Patience
from frametally.rules.pace import read_pace
from frametally.segments.contents import counted_digests
from frametally.segments.stored_frame import picture_digest
from frametally.settings.loading import Settings
from frametally_producer.media.videos import captured_at_ms, check_track, paced, with_repeats
from frametally_producer.reading.sampling import StandingPictures
from frametally_producer.writing.frames import stored_jpeg
from frametally_videos.jobs.originals import open_original
from frametally_videos.library.empty_pictures import empty_pictures
from frametally_videos.records import VideoRecord


def make_pictures_again(
    settings: Settings, store: ObjectStore, record: VideoRecord, patience: Patience
) -> None:
    """Store a video's empty pictures again that get the bytes that were counted; the others stay empty.

    A policy changes them as it changes new ones, whether or not it held when they were counted.

    Raises:
        GivenUp: The store is not available, and the command was stopped.
        Misconfigured: The store cannot be written, or the policy cannot be followed.
    """
    manifest = find_manifest(store, record.sha256)
    if manifest is None or manifest.state != "complete":
        return
    empty = empty_pictures(store, manifest, {})
    digests = counted_digests(store, {*empty}) if empty else {}
    pace = read_pace(manifest.pace)
    with suppress(Poison), open_original(store, record, patience, settings) as video:
        check_track(video, manifest)
        standing = StandingPictures()
        frames = standing.noting(paced(video.frames(), pace))
        for frame in itertools.chain(frames, with_repeats(video, pace, standing)):
            if not digests:
                return
            key = keys.image_key(
                manifest.source, captured_at_ms(frame, manifest), manifest.sha256, frame.frame_index
            )
            if counted := digests.pop(key, None):
                plain = stored_jpeg(video.pixels(frame.frame), settings)
                screen = screen_of(settings, store, manifest.source)
                jpeg = plain if screen is None else screen.frame(plain)
                if counted & _digests(plain, jpeg):
                    _fill(store, key, jpeg)


def _digests(plain: bytes, jpeg: bytes) -> set[str]:
    """Return what segments may say of a picture: before a policy, after it, and before it was blurred."""
    note = note_in(jpeg)
    of_bytes = {picture_digest(hashlib.sha256(data).hexdigest()) for data in (plain, jpeg)}
    return of_bytes | {note.picture_digest} if note else of_bytes


def _fill(store: ObjectStore, key: str, jpeg: bytes) -> None:
    """Replace an empty picture; one that was deleted or put meanwhile stays as it is."""
    store.change(key, lambda data: jpeg if data == b"" else data)
