"""Takes a few frames of footage that is not stored yet, for the test of a user's network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Poison, Retryable
from frametally.files.opencv import Pixels, cv2
from frametally.model_records import MOST_SOURCES
from frametally.plugins import hooks
from frametally.settings.loading import Settings
from frametally_models.calibration_frames import evenly
from frametally_models.footage_frames import SampledFootage, SourceFrame, frames_per_part, stored_footage

if TYPE_CHECKING:  # a consumer alone has no reader of videos
    from frametally_producer.reading.footage import PicturesToProduce, VideoToProduce
    from frametally_producer.reading.video_file import Video

    Media = Sequence[VideoToProduce | PicturesToProduce]

_MOST_DECODED = 300
"""Frames decoded to reach a place from the last key frame before it."""


def footage_to_test(settings: Settings, media: Media, sources: Sequence[str]) -> SampledFootage:
    """Return the footage to test a network on: `media`, else stored frames, else uploaded videos.

    Stored frames include those of `sources` (slugs).
    """
    if media:
        names = {medium.source_name for medium in media}
        return SampledFootage(sorted(map(keys.slug, names)), partial(_of_media, media, settings))
    return SampledFootage(sources, partial(_of_store, settings))


def video_frames(video: Video, number: int) -> Iterator[Pixels]:
    """Yield up to so many frames of an open video, evenly spread over its length."""
    length_s = video.duration_s or Fraction(0)
    places_s = [length_s * (2 * place + 1) / (2 * number) for place in range(number if length_s else 1)]
    for frame in video.glimpses(places_s, most_decoded=_MOST_DECODED):
        if frame is not None:
            yield video.pixels(frame)


def _of_media(media: Media, settings: Settings) -> Iterator[SourceFrame]:
    chosen = [media[place] for place in evenly(len(media), MOST_SOURCES)]
    for medium in chosen:
        source = keys.slug(medium.source_name)
        try:
            for picture in _frames_of(medium, frames_per_part(len(chosen)), settings):
                yield SourceFrame(source, picture)
        except (Poison, OSError):
            continue  # the producer reports it


def _frames_of(
    medium: VideoToProduce | PicturesToProduce, number: int, settings: Settings
) -> Iterator[Pixels]:
    from frametally_producer.reading.footage import PicturesToProduce, open_medium
    from frametally_producer.reading.video_file import open_video

    if isinstance(medium, PicturesToProduce):
        for place in evenly(len(medium.paths), number):
            picture = cv2.imread(str(medium.paths[place]), cv2.IMREAD_COLOR)
            if picture is not None:
                yield np.asarray(picture, np.uint8)
        return
    max_pixels = settings.max_image_megapixels * 1_000_000
    with open_medium(medium.path) as file, open_video(file, max_pixels=max_pixels) as video:
        yield from video_frames(video, number)


def _of_store(settings: Settings) -> Iterator[SourceFrame]:
    is_empty = True
    for frame in stored_footage(settings).read():
        is_empty = False
        yield frame
    if not is_empty or find_spec("av") is None:
        return
    try:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            for read in hooks("footage"):
                yield from read(settings, store)
    except Retryable:
        return
