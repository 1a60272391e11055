"""The demo's simulated town: a fortnight of two streets, drawn and detected here, and counted like footage.

None of it was filmed, as the names of its sources and its model say. Only its own model has its counts, so no
sum over sources mixes real and simulated counts. Each picture shows the drawn boxes; the simulated detector
misses some.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from frametally import keys
from frametally.media.manifests import find_manifest, list_manifests
from frametally.media.stored_images import bitmap_of
from frametally.ports.frame_log import consumer_group
from frametally.ports.opened import Ports
from frametally.process.reports import Progress
from frametally.records import Detection, FrameAnnouncement, FrameDetections, MediaManifest, encode
from frametally.rules.places import SIMULATED_MODEL as MODEL
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.segments.contents import encode_segment

SOURCES = {"Simulated Station Road": 0.9, "Simulated Old Bridge": 0.6}
"""The streets, and how busy they are at rush hour."""
FIRST_DAY_MS = keys.day_start_ms("2025-12-01")
"""A Monday."""
DAYS = 14
_STEP_MS = 600_000
_HOLE = ("Simulated Station Road", 9, 13, 17)
"""Source, day, and hours of that day without footage."""
_WORKS = "Simulated Station Road"
"""Road works in the second week let fewer vehicles through here."""
_WIDTH_PX, _HEIGHT_PX, _SLOT_PX, _LANES = 320, 180, 40, (70, 105)
_COLORS = {"car": (170, 110, 40), "truck": (60, 110, 190), "bus": (50, 170, 210), "person": (90, 60, 170)}


class _Recording(NamedTuple):
    """A street's pictures of a day or part of a day."""

    source_name: str
    times_ms: range

    @property
    def source(self) -> str:
        return keys.slug(self.source_name)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"simulated/{self.source}/{self.times_ms.start}".encode()).hexdigest()

    def key(self, number: int) -> str:
        return keys.image_key(self.source, self.times_ms[number], self.sha256, number)


def _recordings() -> Iterator[_Recording]:
    for source, day in ((source, day) for source in SOURCES for day in range(DAYS)):
        start_ms = FIRST_DAY_MS + day * DAY_MS
        bounds = (0, 24) if (source, day) != _HOLE[:2] else (0, _HOLE[2], _HOLE[3], 24)
        for begin_h, end_h in zip(bounds[::2], bounds[1::2], strict=True):
            yield _Recording(
                source, range(start_ms + begin_h * HOUR_MS, start_ms + end_h * HOUR_MS, _STEP_MS)
            )


def _objects(source_name: str, at_ms: int) -> tuple[list[Detection], list[Detection]]:
    """Return the objects drawn at a time, and those that the simulated detector finds; always the same."""
    rng = random.Random(f"{source_name}{at_ms}")  # noqa: S311 (nothing secret)
    day, hour = divmod((at_ms - FIRST_DAY_MS) / HOUR_MS, 24)
    rush = math.exp(-((hour - 8) ** 2) / 3) + math.exp(-((hour - 17) ** 2) / 5)
    daylight = math.exp(-((hour - 13) ** 2) / 30)
    fullness = SOURCES[source_name] * (0.03 + 0.3 * daylight + 0.55 * rush * (0.35 if day % 7 >= 5 else 1))
    if source_name == _WORKS and day >= 7:
        fullness *= 0.7
    drawn, detected = [], []
    for lane_px in (*_LANES, 150):
        for left_px in range(0, _WIDTH_PX, _SLOT_PX):
            if rng.random() >= fullness * (0.4 if lane_px == 150 else 1):
                continue
            label = rng.choices(["car", "truck", "bus"], [86, 9, 5])[0] if lane_px != 150 else "person"
            width_px, height_px = (8, 20) if label == "person" else (26 if label == "car" else 34, 18)
            box = (left_px + float(rng.randrange(_SLOT_PX - width_px)), float(lane_px), width_px, height_px)
            thing = Detection(label=label, confidence=rng.randrange(4500, 9900) / 10_000, box=box)
            drawn.append(thing)
            if rng.random() < 0.95:
                detected.append(thing)
    return drawn, detected


def drawn_objects() -> dict[str, Counter[str]]:
    """Return the number of objects of each label in each picture, by the picture's key."""
    return {
        recording.key(number): Counter(thing.label for thing in _objects(recording.source_name, at_ms)[0])
        for recording in _recordings()
        for number, at_ms in enumerate(recording.times_ms)
    }


def _picture(drawn: list[Detection], at_ms: int) -> bytes:
    """Return a plain JPEG picture of these objects."""
    import numpy as np

    from frametally.files.opencv import cv2

    light = 60 + round(140 * math.exp(-((at_ms % DAY_MS / HOUR_MS - 13) ** 2) / 20))
    picture = np.full((_HEIGHT_PX, _WIDTH_PX, 3), light, np.uint8)
    picture[_LANES[0] - 8 : _LANES[1] + 26] = light // 2
    for thing in drawn:
        left, top, width, height = map(round, thing.box)
        picture[top : top + height, left : left + width] = _COLORS[thing.label]
    cv2.putText(picture, "SIMULATED", (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def build_town(ports: Ports, progress: Progress) -> bool:
    """Store the town's pictures and segments if they are missing; return whether it did.

    After an interruption, the next call completes it: every object is always the same, and the last
    recording's manifest is put last.
    """
    recordings = list(_recordings())
    if find_manifest(ports.store, recordings[-1].sha256):
        return False
    topic = keys.redetect_topic(ports.settings.topic, MODEL)
    ports.log.create_topic(topic, 1)
    log_id, end = ports.log.log_id(topic), sum(ports.log.end_offsets(topic).values())
    offset, announced = 0, []
    for number, recording in enumerate(recordings, 1):
        lines = []
        for index, at_ms in enumerate(recording.times_ms):
            drawn, detected = _objects(recording.source_name, at_ms)
            picture, path = _picture(drawn, at_ms), recording.key(index)
            ports.store.put(path, picture, durable=False)
            frame = FrameAnnouncement(
                image_path=path,
                source=recording.source,
                frame_index=index,
                captured_at_ms=at_ms,
                time_source="start_time",
                width_px=_WIDTH_PX,
                height_px=_HEIGHT_PX,
                bytes=len(picture),
                sha256=hashlib.sha256(picture).hexdigest(),
                media=recording.sha256,
            )
            announced.append((frame.source.encode(), encode(frame)))
            lines.append(_line(frame, detected))
        segment = encode_segment(
            model=MODEL,
            log_id=log_id,
            topic=topic,
            partition=0,
            first_offset=offset,
            next_offset=offset + len(lines),
            frames=lines,
            dead_letters=[],
        )
        ports.store.put(keys.segment_key(MODEL, log_id, topic, 0, offset), segment)
        offset += len(lines)
        progress.update(number, len(recordings), recording.source_name)
    ports.log.publish(topic, announced[end:])
    group = consumer_group(MODEL)
    consumer = ports.log.subscribe(topic, group, on_assigned=_ignore, on_revoked=_ignore)
    consumer.poll(timeout_s=0)
    consumer.commit(0, offset)
    consumer.close()
    for recording in recordings:
        manifest = _manifest(recording)
        ports.store.put(manifest.key, encode(manifest))
    return True


def _line(frame: FrameAnnouncement, detected: list[Detection]) -> FrameDetections:
    return FrameDetections(
        image_path=frame.image_path,
        source=frame.source,
        frame_index=frame.frame_index,
        captured_at_ms=frame.captured_at_ms,
        time_source=frame.time_source,
        width_px=frame.width_px,
        height_px=frame.height_px,
        media=frame.media,
        model=MODEL,
        detections=detected,
    )


def _manifest(recording: _Recording) -> MediaManifest:
    times_ms = recording.times_ms
    return MediaManifest(
        sha256=recording.sha256,
        name=f"{recording.source}-{keys.utc_day(times_ms.start)}-{times_ms.start % DAY_MS // HOUR_MS:02}h",
        source=recording.source,
        source_name=recording.source_name,
        kind="video",
        time_source="start_time",
        sampling="all",
        start_ms=times_ms.start,
        first_captured_at_ms=times_ms[0],
        last_captured_at_ms=times_ms[-1],
        frames_expected=len(times_ms),
        frames_put=len(times_ms),
        frames_announced=len(times_ms),
        state="complete",
        announced_frames=bitmap_of(range(len(times_ms))),
        simulated_by=MODEL,
    )


def _ignore(_: object) -> None:
    pass


def remove_town(ports: Ports, progress: Progress) -> int:
    """Delete all of the town from the store and the index; return the number of its recordings.

    Unlike forgetting footage, this leaves nothing behind: an empty model would be the newest one.
    """
    media = [manifest for manifest in list_manifests(ports.store) if manifest.simulated_by == MODEL]
    folders = {f"model={MODEL}", *(manifest.source for manifest in media)}
    doomed = [info.key for info in ports.store.list("") if not folders.isdisjoint(info.key.split("/"))]
    doomed += [manifest.key for manifest in media]  # last, as they show that something is left
    for number, key in enumerate(doomed, 1):
        ports.store.delete(key, durable=False)
        progress.update(number, len(doomed), key)
    ports.store.sync()
    for run in ports.index.current_runs():
        if run.model == MODEL:
            ports.index.remove(run)
    return len(media)
