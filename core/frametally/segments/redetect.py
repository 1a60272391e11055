"""Announces stored frames again for one model, on a separate topic.

Each model has its own consumer group, so it sees every frame that the log still has. Frames whose messages
are gone from the log are still in the store: they are announced here, and a consumer of that model drains the
topic. The topic has its own chains of segments; a frame detected on both topics counts once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.media.lookup import media_of_source
from frametally.media.manifests import footage_of, forgotten_by, list_manifests, list_tombstones, media_of
from frametally.media.stored_images import announced_images, announcement_of
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import FrameAnnouncement, FrameDetections, MediaManifest, decode, encode
from frametally.rules.times import DAY_MS, in_range
from frametally.rules.tombstones import Forgotten, is_forgotten
from frametally.segment_records import SegmentSource
from frametally.segments.chain import models_with_segments
from frametally.segments.contents import read_header, read_source
from frametally.settings.loading import Settings

_ANNOUNCE_FRAMES = 100
# As detectors make it (`make_model_id`); with the prefix, it must be a valid topic name.
_MODEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,81}-[0-9a-f]{8}")


class RedetectReport(NamedTuple):
    """How many frames were announced again on `topic`.

    `known` frames were left out because the model has already processed them; `skipped` ones are missing or
    damaged.
    """

    topic: str
    announced: int
    known: int
    skipped: list[Skipped]


class _Frame(NamedTuple):
    manifest: MediaManifest
    name: keys.ImageName

    @property
    def path(self) -> str:
        return keys.image_key(self.manifest.source, *self.name)


def refuse_topic_of_another(topic: str, model: str) -> None:
    """Raise `Misconfigured` if stored frames are announced again on `topic` for another model."""
    if topic.startswith(keys.redetect_topic(keys.USUAL_TOPIC, "")) and not topic.endswith(f"-{model}"):
        raise Misconfigured(
            f"topic {topic} is for another model, and this consumer's model is {model}: use the settings of "
            f"the other model, or run `frametally redetect --model {model}` and the command that it prints"
        )


def redetect(
    *,
    settings: Settings,
    store: ObjectStore,
    log: FrameLog,
    model: str,
    progress: Progress,
    source: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> RedetectReport:
    """Announce the stored frames that `model` has not processed.

    Forgotten frames are left out. A second run, or one after a failure, announces frames again that have not
    been detected since: that costs time but changes no count.

    Memory holds the names of one medium's frames, those that the model has for one source's UTC day, and the
    position of each source's lines in the segments.

    `source` is a slug or display name; only frames in `[from_ms, to_ms)` are announced.

    Raises:
        Misconfigured: The model id or the source is wrong, or frames cannot be distinguished.
        Retryable: The store or the log is unavailable.
    """
    if not _MODEL.fullmatch(model):
        raise Misconfigured(
            f"--model {model!r} is not a model ID: it ends in 8 hex digits, and `frametally consume` prints "
            f"it; models that have detected here: {', '.join(models_with_segments(store)) or 'none'}"
        )
    topic = keys.redetect_topic(settings.topic, model)
    manifests = footage_of(list_manifests(store) if source is None else media_of_source(store, source), model)
    log.create_topic(topic, settings.log_partitions)
    forgotten = forgotten_by(list_tombstones(store))
    detected = _Detected(store, model, forgotten)
    skipped: list[Skipped] = []
    announced = known_count = 0
    bounded = from_ms is not None or to_ms is not None
    total = None if bounded else sum(manifest.frames_announced for manifest in manifests)
    frames = _frames(store, manifests, from_ms, to_ms, forgotten)
    while batch := list(islice(frames, _ANNOUNCE_FRAMES)):
        messages = []
        for frame in batch:
            if frame in detected:
                known_count += 1
                continue
            try:
                message = encode(_announcement(store, frame))
                key = keys.frame_log_key(frame.manifest.source, frame.name.captured_at_ms)
                messages.append((key, message))
            except (ObjectMissing, Poison) as error:
                remedy = f"produce {frame.manifest.name} again to restore it"
                skipped.append(Skipped(frame.path, f"{error}; {remedy}"))
        log.publish(topic, messages)
        announced += len(messages)
        progress.update(announced + known_count + len(skipped), total, topic)
    return RedetectReport(topic, announced, known_count, skipped)


class _Detected:
    """The frames that count in a model's segments; holds one source's UTC day at a time in memory."""

    def __init__(self, store: ObjectStore, model: str, forgotten: Forgotten) -> None:
        self._store = store
        self._forgotten = forgotten
        self._parts: dict[str, list[tuple[str, int, SegmentSource]]] = defaultdict(list)
        self._day: tuple[str, int] | None = None
        self._paths: set[str] = set()
        for info in store.list(f"{keys.METADATA}/model={model}"):
            if keys.SEGMENT_KEY.fullmatch(info.key):
                header, body_start = read_header(store, info.key)
                for part in header.sources:
                    self._parts[part.source].append((info.key, body_start, part))

    def __contains__(self, frame: _Frame) -> bool:
        day = (frame.manifest.source, frame.name.captured_at_ms // DAY_MS)
        if day != self._day:
            self._day, self._paths = day, set()  # not both days at once
            self._paths.update(self._read(*day))
        return frame.path in self._paths

    def _read(self, source: str, day: int) -> Iterator[str]:
        for key, body_start, part in self._parts.get(source, ()):
            if part.first_captured_at_ms // DAY_MS <= day <= part.last_captured_at_ms // DAY_MS:
                for line in read_source(self._store, key, body_start, part):
                    frame = decode(line, FrameDetections)
                    if frame.captured_at_ms // DAY_MS != day:
                        continue
                    # A frame produced again after being forgotten has the same picture and another revision.
                    if not is_forgotten(frame.media, frame.captured_at_ms, self._forgotten):
                        yield frame.image_path


def _frames(
    store: ObjectStore,
    manifests: Iterable[MediaManifest],
    from_ms: int | None,
    to_ms: int | None,
    forgotten: Forgotten,
) -> Iterator[_Frame]:
    """Yield the announced frames of `manifests` in `[from_ms, to_ms)` that are not forgotten."""
    for manifest in manifests:
        media = media_of(manifest)
        for name in announced_images(store, manifest):
            time_ms = name.captured_at_ms
            if in_range(time_ms, from_ms, to_ms) and not is_forgotten(media, time_ms, forgotten):
                yield _Frame(manifest, name)


def _announcement(store: ObjectStore, frame: _Frame) -> FrameAnnouncement:
    """Return the announcement of a stored frame. Raises `ObjectMissing`, and `Poison` for a bad picture."""
    manifest = frame.manifest
    return announcement_of(
        store.get(frame.path),
        frame.name,
        media=media_of(manifest),
        source=manifest.source,
        time_source=manifest.time_source,
    )
