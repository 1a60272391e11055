"""The job `previews`: a poster, and a sprite of up to a hundred tiles with the times at which each is shown.

Each object's name holds eight hex over the bytes of the video and the recipe: whoever makes it again makes
the same, and finds it made.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from frametally import keys
from frametally.errors import Poison
from frametally.files.opencv import Pixels, cv2
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.process.retrying import GivenUp, Patience
from frametally_producer.reading.pixels import encode_jpeg, shrink
from frametally_producer.reading.video_file import Video
from frametally_videos.jobs.originals import open_original
from frametally_videos.ports.video_catalogue import Artifact, ArtifactKind
from frametally_videos.records import VideoRecord

TILES, TILE_WIDTH_PX, COLUMNS = 100, 160, 10
_POSTER_SIDE_PX, _JPEG_QUALITY = 960, 85
_POSTER_AT = Fraction(1, 10)
"""Where the poster is from: cameras begin with a test picture, films in the dark."""
_MOST_DECODED = 60
"""Frames for one tile: of a place further from where decoding can begin, a frame before it is shown."""
_RECIPE = "2"


def make_previews(
    record: VideoRecord, *, store: ObjectStore, progress: Progress, patience: Patience, max_pixels: int
) -> list[Artifact]:
    """Make a video's previews, and put them where they are not there yet; without a length, a poster alone.

    Raises:
        Poison: No frame of it can be decoded.
        GivenUp: A stop was asked for.
        Misconfigured: The store cannot be written.
    """
    digest = hashlib.sha256(f"{record.sha256} {_RECIPE}".encode()).hexdigest()[:8]
    made: list[Artifact] = []

    def put(kind: ArtifactKind, name: str, content_type: str, data: bytes) -> None:
        key = keys.preview_key(record.id, name)
        patience.until_done("the object store", lambda: store.put(key, data, if_absent=True))
        made.append(Artifact(kind, key, content_type, len(data)))

    with open_original(store, record, patience, max_pixels=max_pixels) as video:
        length_s = video.duration_s
        poster = _poster(video, length_s)
        put("poster", f"poster-{digest}.jpg", "image/jpeg", encode_jpeg(poster, _JPEG_QUALITY))
        if length_s is None or length_s <= 0:
            return made
        tiles = min(TILES, max(1, record.facts.frames or TILES))
        places_s = [length_s * (2 * number + 1) / (2 * tiles) for number in range(tiles)]
        sprite = _sprite(video, places_s, progress, patience)
    if sprite is None:
        return made
    put("sprite", f"sprite-{digest}.jpg", "image/jpeg", encode_jpeg(sprite.pixels, _JPEG_QUALITY))
    put("sprite_vtt", f"sprite-{digest}.vtt", "text/vtt", sprite.cues(length_s, digest).encode())
    return made


class _Sprite:
    """Tiles in rows of ten, from left to right and from the top."""

    def __init__(self, tiles: int, tile_height_px: int) -> None:
        self._tiles = tiles
        self.tile_height_px = tile_height_px
        rows = math.ceil(tiles / COLUMNS)
        self.pixels: Pixels = np.zeros(
            (rows * tile_height_px, min(tiles, COLUMNS) * TILE_WIDTH_PX, 3), np.uint8
        )

    def set(self, number: int, tile: Pixels) -> None:
        """Put a picture of a tile's size in its place."""
        left_px, top_px = self._place_px(number)
        self.pixels[top_px : top_px + self.tile_height_px, left_px : left_px + TILE_WIDTH_PX] = tile

    def cues(self, length_s: Fraction, digest: str) -> str:
        """Return which tile is shown when, as WebVTT with media fragments, as players read them."""
        lines = ["WEBVTT", ""]
        for number in range(self._tiles):
            left_px, top_px = self._place_px(number)
            begins, ends = (_timestamp(length_s * at / self._tiles) for at in (number, number + 1))
            where = f"{left_px},{top_px},{TILE_WIDTH_PX},{self.tile_height_px}"
            lines += [f"{begins} --> {ends}", f"sprite?v={digest}#xywh={where}", ""]
        return "\n".join(lines)

    def _place_px(self, number: int) -> tuple[int, int]:
        row, column = divmod(number, COLUMNS)
        return column * TILE_WIDTH_PX, row * self.tile_height_px


def _poster(video: Video, length_s: Fraction | None) -> Pixels:
    if length_s:
        for frame in video.glimpses([length_s * _POSTER_AT, Fraction(0)], most_decoded=_MOST_DECODED):
            if frame is not None:
                return shrink(video.pixels(frame), _POSTER_SIDE_PX)
    first = next(video.frames(), None)
    if first is None:
        raise Poison("holds no frame that can be decoded; play it to see, or export it again")
    return shrink(video.pixels(first.frame), _POSTER_SIDE_PX)


def _sprite(video: Video, places_s: list[Fraction], progress: Progress, patience: Patience) -> _Sprite | None:
    sprite: _Sprite | None = None
    tile: Pixels | None = None
    waiting: list[int] = []  # tiles before the first that can be decoded
    for number, pixels in enumerate(_tiles(video, places_s)):
        if patience.stopping:
            raise GivenUp("stopped")
        progress.update(number, len(places_s))
        if pixels is not None:
            height_px = round(TILE_WIDTH_PX * pixels.shape[0] / pixels.shape[1])
            if sprite is None:
                sprite = _Sprite(len(places_s), min(max(height_px, 1), 4 * TILE_WIDTH_PX))
            size_px = (TILE_WIDTH_PX, sprite.tile_height_px)
            tile = np.asarray(cv2.resize(pixels, size_px, interpolation=cv2.INTER_AREA), np.uint8)
        waiting.append(number)
        if sprite is not None and tile is not None:
            for one in waiting:
                sprite.set(one, tile)
            waiting.clear()
    return sprite


def _tiles(video: Video, places_s: list[Fraction]) -> Iterator[Pixels | None]:
    for frame in video.glimpses(places_s, most_decoded=_MOST_DECODED):
        yield None if frame is None else video.pixels(frame)


def _timestamp(at_s: Fraction) -> str:
    minutes, ms = divmod(round(at_s * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{ms // 1000:02d}.{ms % 1000:03d}"
