"""The jobs `metadata`, `checks` and `previews`, which make facts about a video and pictures of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import msgspec
import numpy as np
from av import VideoFrame

from frametally import keys
from frametally.errors import Poison
from frametally.files.opencv import Pixels, cv2
from frametally.media.screening import Screen
from frametally.ports.object_store import ObjectMissing
from frametally.process.retrying import GivenUp
from frametally.records import decode_at, encode
from frametally_producer.reading.pixels import encode_jpeg, shrink
from frametally_producer.reading.video_file import Video
from frametally_videos.catalogue.catalogue_rows import Artifact, ArtifactKind
from frametally_videos.describing.packets import found_times
from frametally_videos.describing.picture_pass import MOST_LOOKS, PictureLook, looks
from frametally_videos.describing.video_checks import MADE_BY, check_video, with_clock
from frametally_videos.describing.video_metadata import describe
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.jobs.originals import find_record
from frametally_videos.library.video_looks import NO_FRAME
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.records import VideoRecord


def make_metadata(call: JobCall) -> list[Artifact]:
    """Read a video's metadata and replace the stored record.

    Raises:
        Poison: The original is missing, or is not a video that can be opened.
        GivenUp: The command was stopped.
        Misconfigured: The store cannot be written.
    """
    with call.original() as video:
        metadata = describe(video, call.record, sampling=call.settings.sample_fps)
    facts = _record_now(call).facts  # a person may have set its time in the meantime
    metadata = msgspec.structs.replace(
        metadata, started_at_ms=facts.started_at_ms, time_source=facts.time_source
    )
    return [_put_record(call, "metadata", metadata)]


def make_quality(call: JobCall) -> list[Artifact]:
    """Check a video and replace the stored results.

    Each version of the checks reads the pictures only once, since only the event time can change.

    Raises:
        Poison: The original is missing, cannot be opened as a video, or has no frame that can be decoded.
        GivenUp: The command was stopped.
        Misconfigured: The store cannot be written.
    """
    quality = _checked_before(call)
    if quality is None:
        with call.original() as video:
            times = found_times(video)
        with call.original() as video:
            quality = check_video(call.record, times, _looks(call, video, times.frames))
    return [_put_record(call, "quality", with_clock(quality, _record_now(call)))]


def _record_now(call: JobCall) -> VideoRecord:
    return find_record(call.store, call.record.id, call.patience) or call.record


def _looks(call: JobCall, video: Video, frames: int) -> list[PictureLook]:
    picture_looks: list[PictureLook] = []
    for look in looks(video, frames=frames):
        picture_looks.append(look)
        if call.patience.stopping:
            raise GivenUp("stopped")
        call.progress.update(len(picture_looks), min(frames, MOST_LOOKS))
    if not picture_looks:
        raise Poison(NO_FRAME)
    return picture_looks


def _checked_before(call: JobCall) -> VideoQuality | None:
    key = keys.quality_of_video_key(call.record.id)
    try:
        quality = decode_at(key, call.until_done(lambda: call.store.get(key)), VideoQuality)
    except (ObjectMissing, Poison):
        return None
    return quality if (quality.made_by, quality.sha256) == (MADE_BY, call.record.sha256) else None


def _put_record(call: JobCall, kind: ArtifactKind, record: VideoMetadata | VideoQuality) -> Artifact:
    data = encode(record)
    call.until_done(lambda: call.store.put(record.key, data))
    return Artifact(kind, record.key, "application/json", len(data))


TILES, TILE_WIDTH_PX, COLUMNS = 100, 160, 10
_POSTER_SIDE_PX, _JPEG_QUALITY = 960, 85
_POSTER_AT = Fraction(1, 10)
"""The poster's position as a part of the length: cameras begin with a test picture, films in the dark."""
_MOST_DECODED = 60
"""Most frames decoded for one tile; further from a key frame, an earlier frame is shown."""
_RECIPE = "2"


def make_previews(call: JobCall) -> list[Artifact]:
    """Make a poster and, if the length is known, a sprite of up to a hundred tiles with their times.

    Each object's name has eight hex digits of a hash of the video's bytes and the recipe, so that a second
    run finds the same objects.

    Raises:
        Poison: No frame can be decoded, or the original was deleted meanwhile.
        GivenUp: The command was stopped.
        Misconfigured: The store cannot be written.
        Retryable: The privacy rule of its source changed while they were made.
    """
    record = call.record
    screen = call.screen()
    recipe = _RECIPE if screen is None else f"{_RECIPE} {screen.note}"
    digest = hashlib.sha256(f"{record.sha256} {recipe}".encode()).hexdigest()[:8]
    objects: list[tuple[ArtifactKind, str, str, bytes]] = []
    with call.original() as video:
        length_s = video.duration_s
        pixels_of = partial(_pixels, video, screen)
        poster = encode_jpeg(_poster(video, length_s, pixels_of), _JPEG_QUALITY)
        objects.append(("poster", "jpg", "image/jpeg", poster))
        if length_s is not None and length_s > 0:
            tiles = min(TILES, max(1, record.facts.frames or TILES))
            places_s = [length_s * (2 * number + 1) / (2 * tiles) for number in range(tiles)]
            if (sprite := _sprite(call, video, places_s, pixels_of)) is not None:
                objects.append(("sprite", "jpg", "image/jpeg", encode_jpeg(sprite.pixels, _JPEG_QUALITY)))
                objects.append(("sprite_vtt", "vtt", "text/vtt", sprite.cues(length_s, digest).encode()))
    call.check_screen(screen)
    previews: list[Artifact] = []
    for kind, ending, content_type, data in objects:
        key = keys.preview_key(record.id, f"{kind.removesuffix('_vtt')}-{digest}.{ending}")
        call.until_done(partial(call.store.put, key, data, if_absent=True))
        previews.append(Artifact(kind, key, content_type, len(data)))
    call.check_original(*(preview.key for preview in previews))
    return previews


class _Sprite:
    """Tiles in rows of ten, from left to right and top to bottom."""

    def __init__(self, tiles: int, tile_height_px: int) -> None:
        self._tiles = tiles
        self.tile_height_px = tile_height_px
        rows = math.ceil(tiles / COLUMNS)
        self.pixels: Pixels = np.zeros(
            (rows * tile_height_px, min(tiles, COLUMNS) * TILE_WIDTH_PX, 3), np.uint8
        )

    def set(self, number: int, tile: Pixels) -> None:
        """Put a picture of a tile's size into its place."""
        left_px, top_px = self._place_px(number)
        self.pixels[top_px : top_px + self.tile_height_px, left_px : left_px + TILE_WIDTH_PX] = tile

    def cues(self, length_s: Fraction, digest: str) -> str:
        """Return the times of the tiles as WebVTT with media fragments, which players read."""
        lines = ["WEBVTT", ""]
        for number in range(self._tiles):
            left_px, top_px = self._place_px(number)
            begins, ends = (_timestamp(length_s * tile / self._tiles) for tile in (number, number + 1))
            place = f"{left_px},{top_px},{TILE_WIDTH_PX},{self.tile_height_px}"
            lines += [f"{begins} --> {ends}", f"sprite?v={digest}#xywh={place}", ""]
        return "\n".join(lines)

    def _place_px(self, number: int) -> tuple[int, int]:
        row, column = divmod(number, COLUMNS)
        return column * TILE_WIDTH_PX, row * self.tile_height_px


PixelsOf = Callable[[VideoFrame], Pixels]


def _pixels(video: Video, screen: Screen | None, frame: VideoFrame) -> Pixels:
    return video.pixels(frame) if screen is None else screen.picture(video.pixels(frame))


def _poster(video: Video, length_s: Fraction | None, pixels_of: PixelsOf) -> Pixels:
    if length_s:
        for frame in video.glimpses([length_s * _POSTER_AT, Fraction(0)], most_decoded=_MOST_DECODED):
            if frame is not None:
                return shrink(pixels_of(frame), _POSTER_SIDE_PX)
    first = next(video.frames(), None)
    if first is None:
        raise Poison(NO_FRAME)
    return shrink(pixels_of(first.frame), _POSTER_SIDE_PX)


def _sprite(call: JobCall, video: Video, places_s: list[Fraction], pixels_of: PixelsOf) -> _Sprite | None:
    sprite: _Sprite | None = None
    tile: Pixels | None = None
    empty_tiles: list[int] = []  # tiles before the first frame that can be decoded
    for number, frame in enumerate(video.glimpses(places_s, most_decoded=_MOST_DECODED)):
        if call.patience.stopping:
            raise GivenUp("stopped")
        call.progress.update(number, len(places_s))
        if frame is not None:
            pixels = pixels_of(frame)
            height_px = round(TILE_WIDTH_PX * pixels.shape[0] / pixels.shape[1])
            if sprite is None:
                sprite = _Sprite(len(places_s), min(max(height_px, 1), 4 * TILE_WIDTH_PX))
            size_px = (TILE_WIDTH_PX, sprite.tile_height_px)
            tile = np.asarray(cv2.resize(pixels, size_px, interpolation=cv2.INTER_AREA), np.uint8)
        empty_tiles.append(number)
        if sprite is not None and tile is not None:
            for empty_tile in empty_tiles:
                sprite.set(empty_tile, tile)
            empty_tiles.clear()
    return sprite


def _timestamp(at_s: Fraction) -> str:
    minutes, ms = divmod(round(at_s * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{ms // 1000:02d}.{ms % 1000:03d}"
