"""Takes a few frames evenly from all footage: from the store, or from footage that is to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Poison, Retryable
from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import Pixels, decode_image
from frametally.model_records import MOST_SOURCES
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_models.calibration_frames import evenly

LEAST_FRAMES, MOST_FRAMES = 8, 16
_MOST_FOLDERS = 64
_MOST_KEYS = 4096
"""In a day with more frames, each frame is looked up by its hour, instead of listing all."""


class SourceFrame(NamedTuple):
    """A frame of a source (a slug): (height, width, 3) uint8 BGR."""

    source: str
    picture: Pixels


class SampledFootage(NamedTuple):
    """Footage to take frames from.

    Attributes:
        sources: Slugs of its sources; empty if they are not known before reading.
        read: Yields a few of its frames, evenly from all of it.
    """

    sources: Sequence[str]
    read: Callable[[], Iterator[SourceFrame]]


def frames_per_part(parts: int) -> int:
    """Return how many frames to take of each of so many parts of the footage."""
    return max(1, -(-LEAST_FRAMES // max(parts, 1)))


def that_show_something(frames: Iterator[SourceFrame]) -> list[SourceFrame]:
    """Return at most `MOST_FRAMES` frames that are neither black nor of one colour."""
    return list(islice((frame for frame in frames if blank_reason(frame.picture) is None), MOST_FRAMES))


def stored_footage(settings: Settings) -> SampledFootage:
    """Return the footage whose frames are in the store; it is empty while the store is unavailable."""

    def read() -> Iterator[SourceFrame]:
        try:
            with closing(open_object_store(settings.store_url, settings.store_access)) as store:
                sources = _chosen(folders(store, keys.IMAGES), MOST_SOURCES)
                for source in sources:
                    for key in _frames_of(store, f"{keys.IMAGES}/{source}", frames_per_part(len(sources))):
                        try:
                            picture = decode_image(store.get(key), settings.max_image_megapixels * 1_000_000)
                        except (ObjectMissing, Poison):
                            continue
                        yield SourceFrame(source, picture)
        except Retryable:
            return

    return SampledFootage((), read)


def _frames_of(store: ObjectStore, folder: str, number: int) -> Iterator[str]:
    """Yield the keys of up to `number` frames in a source's folder, from several days and hours."""
    days = _chosen(folders(store, folder), number)
    of_day = -(-number // max(len(days), 1))
    for day_number, day in enumerate(days):
        names = [info.key for info in islice(store.list(f"{folder}/{day}"), _MOST_KEYS)]
        if len(names) < _MOST_KEYS:
            yield from _chosen(names, of_day)
            continue
        for place in range(of_day):
            hour_ms = (place * len(days) + day_number) * DAY_MS // (of_day * len(days))
            after = f"{folder}/{day}/{keys.day_start_ms(day) + hour_ms}"
            info = next(store.list(f"{folder}/{day}", after), None)
            yield names[place * len(names) // of_day] if info is None else info.key


def folders(store: ObjectStore, prefix: str) -> list[str]:
    """Return the names of the first 64 folders in `prefix`, without listing what is in them."""
    names: list[str] = []
    after: str | None = None
    while len(names) < _MOST_FOLDERS and (info := next(store.list(prefix, after), None)) is not None:
        names.append(info.key.removeprefix(f"{prefix}/").split("/")[0])
        after = f"{prefix}/{names[-1]}/~"
    return names


def _chosen(names: Sequence[str], number: int) -> list[str]:
    return [names[place] for place in evenly(len(names), number)] if names else []
