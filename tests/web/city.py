"""A city for queries: two weeks of two cameras and some clips, detected, tracked and counted.

Its pictures are those of the demo's clip. A camera sees the whole of it or a part, darker by night; each
picture is detected once and filmed often. From the segments on all is made as of anybody's footage.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_announcement, make_frame, make_manifest, make_segment
from tests.kit.clips import jpeg_of
from tests.web.conftest import Place

from frametally import keys
from frametally.files.opencv import Pixels, cv2
from frametally.ports.frame_log import consumer_group
from frametally.process.reports import NoProgress
from frametally.records import (
    Detection,
    FrameDetections,
    TimeSource,
    encode,
)
from frametally.settings.loading import load_settings
from frametally_hadoop.driver import aggregate
from frametally_models.prepare import prepare_detector
from frametally_search.indexer import index_runs

if TYPE_CHECKING:
    from frametally_consumer.detectors.protocol import Detector

DAY_MS = 86_400_000
MINUTE_MS = 60_000
FIRST_DAY_MS = 1_793_919_600_000
"""Friday 2026-11-06, midnight in Berlin, the city's time zone."""
DAYS = 14
NOW = datetime.datetime(2026, 11, 24, 10, tzinfo=datetime.UTC)
"""The time of the queries: on the Tuesday after, so that last week has the last footage."""
COUNTED = NOW - datetime.timedelta(minutes=4)
HOLE = (10, 14 * 60, 14 * 60 + 40)
"""Monday 2026-11-16, from 14:00 to 14:40: day, minutes of the day."""
SQUARE = "Market Square, camera 2 on the north side (temporary, until the works are over)"
_MESSAGES_A_SEGMENT = 1000
_BRIGHTNESS = (1.0, 0.5, 0.25, 0.12)


class Picture(NamedTuple):
    """A picture of a camera, and the detections of two models in it."""

    jpeg: bytes
    size_px: tuple[int, int]
    found: tuple[list[Detection], list[Detection]]


class Models(NamedTuple):
    """The model that counts, and another that has analysed some of the footage."""

    usual: Detector
    closer: Detector


def prepare_models(folder: Path) -> Models:
    """The network at its own size, and at a larger one."""
    return Models(
        prepare_detector(load_settings(models_dir=folder, detector="opencv")),
        prepare_detector(load_settings(models_dir=folder, detector="opencv", input_size_px="608x608")),
    )


def read_clip(clip: Path, *, step: int) -> list[Pixels]:
    """One in this many frames."""
    video = cv2.VideoCapture(str(clip))
    frames = []
    while True:
        is_there, frame = video.read()
        if not is_there:
            break
        frames.append(np.asarray(frame, np.uint8))
    video.release()
    return frames[::step]


def look_at(frames: Sequence[Pixels], models: Models, *, both: bool = False) -> list[Picture]:
    """Detect in each of `frames`, with both models or only the usual one."""
    pictures = []
    for frame in frames:
        jpeg = jpeg_of(frame, quality=85)
        [usual] = models.usual.detect([frame])
        [closer] = models.closer.detect([frame]) if both else [[]]
        pictures.append(Picture(jpeg, (frame.shape[1], frame.shape[0]), (usual, closer)))
    return pictures


class City:
    """Films into a place, keeps the lines of each model, and counts them."""

    def __init__(self, place: Place, models: Models) -> None:
        """Film nothing yet."""
        self.place = place
        self.models = models
        self.lines: tuple[list[FrameDetections], list[FrameDetections]] = ([], [])
        place.store = MemoryStore(clock=COUNTED.timestamp)
        place.log.create_topic("frames", 1)
        place.log.create_topic(self.closer_topic, 1)

    @property
    def closer_topic(self) -> str:
        """The frames that were announced again for the other model."""
        return keys.redetect_topic("frames", self.models.closer.model_id)

    def film(
        self,
        name: str,
        shots: Sequence[tuple[int, Picture]],
        *,
        time_source: TimeSource = "start_time",
        again_from_ms: int | None = None,
    ) -> None:
        """Put one medium, a picture at each of these times; from `again_from_ms` on for both models."""
        source = keys.slug(name)
        first_ms, last_ms = shots[0][0], shots[-1][0]
        medium = hashlib.sha256(f"{source}{first_ms}".encode()).hexdigest()
        for number, (at_ms, picture) in enumerate(shots):
            path = keys.image_key(source, at_ms, medium, number)
            self.place.store.put(path, picture.jpeg)
            for lines, model, found in zip(self.lines, self.models, picture.found, strict=True):
                if lines is self.lines[1] and (again_from_ms is None or at_ms < again_from_ms):
                    continue
                lines.append(
                    make_frame(
                        at_ms,
                        number,
                        found,
                        source=source,
                        media=medium,
                        size_px=picture.size_px,
                        time_source=time_source,
                        model=model.model_id,
                    )
                )
        manifest = make_manifest(
            len(shots),
            media=medium,
            source=source,
            name=f"{source}-{keys.utc_day(first_ms)}.mp4",
            source_name=name,
            time_source=time_source,
            sampling="all",
            start_ms=first_ms,
            span_ms=(first_ms, last_ms),
        )
        self.place.store.put(manifest.key, encode(manifest))

    def count(self) -> None:
        """Announce, detect, count and index: the other model first, so that the usual one is the newest."""
        for lines, model, topic in zip(
            reversed(self.lines), reversed(self.models), (self.closer_topic, "frames"), strict=True
        ):
            self._detect(lines, model.model_id, topic)
            aggregate(
                settings=self.place.settings, store=self.place.store, progress=NoProgress(), runner="inline"
            )
            index_runs(store=self.place.store, index=self.place.real_index, progress=NoProgress())
        self.place.ledger.refresh(self.place.store, NoProgress())

    def _detect(self, lines: Sequence[FrameDetections], model: str, topic: str) -> None:
        """Announce the frames of these lines, and put their segments."""
        log = self.place.log
        log.publish(topic, ((line.source.encode(), encode(make_announcement(line))) for line in lines))
        for first in range(0, len(lines), _MESSAGES_A_SEGMENT):
            some = lines[first : first + _MESSAGES_A_SEGMENT]
            self.place.store.put(
                keys.segment_key(model, log.log_id(topic), topic, 0, first),
                make_segment(some, [], first, model=model, log_id=log.log_id(topic), topic=topic),
            )
        consumer = log.subscribe(topic, consumer_group(model), on_assigned=_ignore, on_revoked=_ignore)
        consumer.poll(timeout_s=0)
        consumer.commit(0, len(lines))
        consumer.close()


def _ignore(_partitions: object) -> None:
    pass


def _dimmed(frame: Pixels, brightness: float) -> Pixels:
    return np.asarray(cv2.convertScaleAbs(frame, alpha=brightness), np.uint8)


def _lapse(
    day: int, minutes: range, by_light: Sequence[Sequence[Picture]], rng: random.Random
) -> Iterator[tuple[int, Picture]]:
    """One picture at each of these minutes of a day: full by day, dark and emptier by night."""
    for minute in minutes:
        hour = minute / 60
        rush = math.exp(-((hour - 8) ** 2) / 4) + math.exp(-((hour - 17) ** 2) / 6)
        if (day + 4) % 7 >= 5:  # Saturday and Sunday
            rush *= 0.4
        light = 0 if 7.5 < hour < 16.5 else 1 if 6.5 < hour < 17.5 else 2 if 5.5 < hour < 21 else 3
        pool = by_light[light]
        wanted = (0.15 + 0.8 * min(rush, 1)) * (len(pool) - 1) + rng.uniform(-1.5, 1.5)
        picture = pool[min(max(round(wanted), 0), len(pool) - 1)]
        yield FIRST_DAY_MS + day * DAY_MS + minute * MINUTE_MS + 700, picture


def build_city(place: Place, clip: Path, models: Models) -> None:
    """Film and count the city."""
    city = City(place, models)
    rng = random.Random(11)  # noqa: S311
    frames = read_clip(clip, step=6)  # 5 a second

    def by_light(left_px: int, width_px: int, *, both: bool = False) -> list[list[Picture]]:
        """The pictures of a camera at each brightness, the emptiest first."""
        return [
            sorted(
                look_at(
                    [_dimmed(one[:, left_px : left_px + width_px], light) for one in frames[::10]],
                    models,
                    both=both,
                ),
                key=lambda picture: sum(box.confidence >= 0.25 for box in picture.found[0]),
            )
            for light in _BRIGHTNESS
        ]

    station, bridge = by_light(0, 854, both=True), by_light(0, 640)
    for day in range(DAYS):
        again_ms = FIRST_DAY_MS + 10 * DAY_MS  # last week
        hole_day, hole_start, hole_end = HOLE
        parts = (
            [range(0, hole_start, 6), range(hole_end + 2, 1440, 6)]
            if day == hole_day
            else [range(0, 1440, 6)]
        )
        for part in parts:
            city.film("Station Road", list(_lapse(day, part, station, rng)), again_from_ms=again_ms)
        city.film("Old Bridge", list(_lapse(day, range(0, 1440, 10), bridge, rng)))
    square = look_at([one[:, 150:790] for one in frames], models)
    for minute in (2, 11, 22, 33, 44, 55):  # Wednesday 2026-11-18, from 8 to 9 in the morning
        start_ms = FIRST_DAY_MS + 12 * DAY_MS + (8 * 60 + minute) * MINUTE_MS
        city.film(SQUARE, [(start_ms + n * 200, square[(n + 5 * minute) % len(square)]) for n in range(400)])
    city.count()
