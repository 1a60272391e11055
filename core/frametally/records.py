"""Everything that crosses a process or is stored, as frozen records with JSON on the wire.

Every record carries its version `v`; unknown fields are ignored, missing ones are rejected by name.
Times are integer milliseconds since 1970-01-01T00:00:00Z of *event time*: when the camera saw it.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from frametally.errors import Poison
from frametally.rules.record_limits import RECORD_VERSION

TimeSource = Literal["start_time", "exif", "container", "file_name", "file_time"]
"""Where a medium's event time came from, from the strongest to the weakest (a file's modification date)."""

Stage = Literal["parse", "fetch", "verify", "decode"]
"""The step at which a message became a dead letter."""

Cause = Literal["malformed", "missing", "checksum", "size", "oversized", "undecodable"]
"""Why a message became a dead letter: it is no announcement; there is no such object, or it holds other bytes
or a picture of another size than announced; the picture has too many pixels, or cannot be decoded."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records."""

    v: int = RECORD_VERSION


class MediaManifest(Record, frozen=True, kw_only=True):
    """What became of one medium: a video, or one source's pictures of one UTC day (`media/<sha256>.json`).

    Attributes:
        sha256: Identity: of a video's bytes, or of the text `pictures/<source>/<YYYY-MM-DD>`.
        name: The path as the user gave it.
        source: Slug of the source, as in keys and queries.
        source_name: The source as the user wrote it, for showing.
        time_source: Where event time came from (for pictures, the weakest among them).
        sampling: The densest sampling asked for so far: frames a second as text, or `all`.
        first_captured_at_ms: Event time of the first frame; None before there is one.
        last_captured_at_ms: Event time of the last frame; None before there is one.
        frames_expected: Distinct frames that all samplings asked for so far select. While `state` is
            `producing` this is an estimate, or the count so far, whichever is larger.
        frames_put: Distinct frames in the object store.
        frames_announced: Distinct frames announced on the log.
        state: `producing` until the whole medium has been announced, then `complete`.
        announced_frames: For a video, a bitmap over decode indices: bit `i % 8` of byte `i // 8`.
        announced_pictures: For pictures, the sorted image names (`<captured_at_ms>-<12 hex>`) announced.
        runs: Of a video, its runs of frames (see `rules.overlaps`); empty in manifests of earlier versions.
        revision: How often the medium has been forgotten or put right: its frames are announced as of
            `keys.media_id(sha256, revision)`, those of earlier revisions count no longer.
    """

    sha256: str
    name: str
    source: str
    source_name: str
    kind: Literal["video", "pictures"]
    time_source: TimeSource
    sampling: str
    start_ms: int | None = None
    first_captured_at_ms: int | None = None
    last_captured_at_ms: int | None = None
    frames_expected: int
    frames_put: int
    frames_announced: int
    state: Literal["producing", "complete"]
    announced_frames: bytes = b""
    announced_pictures: list[str] = []
    runs: list[tuple[int, int]] = []
    revision: int = 0


class FrameAnnouncement(Record, frozen=True, kw_only=True):
    """One stored frame, announced on the log topic `frames`.

    Attributes:
        image_path: Key of the JPEG in the object store: the frame's identity.
        frame_index: Decode index in the medium, from 0 (0 for a picture).
        bytes: Size of the stored object.
        sha256: Of the stored object, hex.
        media: `keys.media_id` of the medium that it came from.
    """

    image_path: str
    source: str
    frame_index: int
    captured_at_ms: int
    time_source: TimeSource
    width_px: int
    height_px: int
    bytes: int
    sha256: str
    media: str


class AutoDetector(Record, frozen=True, kw_only=True):
    """What `detector = auto` means in this store (`models/auto.json`), put by the first worker."""

    backend: Literal["opencv", "openvino", "onnxruntime"]


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One detected object.

    Attributes:
        label: Class name.
        confidence: 0 to 1, a whole number of ten-thousandths.
        box: `(left, top, width, height)` in pixels of the stored frame, clipped to it, each a whole number
            of tenths of a pixel.
    """

    label: str
    confidence: float
    box: tuple[float, float, float, float]


class FrameDetections(Record, frozen=True, kw_only=True):
    """A segment's line for one frame; nothing in it depends on when, where or by whom it was computed."""

    image_path: str
    source: str
    frame_index: int
    captured_at_ms: int
    time_source: TimeSource
    width_px: int
    height_px: int
    media: str
    model: str
    detections: list[Detection]


class DeadLetter(Record, frozen=True, kw_only=True):
    """A segment's line for one message that could not become detections.

    Attributes:
        offset: Its offset in the partition.
        message: Its bytes as they came (base64 in JSON).
        source: Slug of the source, where the message still tells it.
        image_path: Key of the frame, where the message still tells it.
        cause: Why, as a word to group and choose by; None in segments of older versions.
        reason: Why, as one sentence.
    """

    offset: int
    message: bytes
    source: str | None = None
    image_path: str | None = None
    stage: Stage
    cause: Cause | None = None
    reason: str


class DroppedDeadLetter(Record, frozen=True, kw_only=True):
    """A dead letter that a person settled (`dead-letters/dropped/<id>.json`): nobody waits for it."""

    segment: str
    offset: int


class SegmentSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where one source's lines lie in a segment.

    `first_byte` and `next_byte` count from the first byte after the header line.
    """

    source: str
    frames: int
    first_captured_at_ms: int
    last_captured_at_ms: int
    first_byte: int
    next_byte: int


class SegmentHeader(Record, frozen=True, kw_only=True):
    """Line 1 of a segment: which messages of which log it accounts for, and what follows.

    The frame lines follow (sorted by source, captured_at_ms, frame_index, image_path), then the dead
    letters by offset: `frames + dead_letters` lines in all.
    """

    model: str
    log_id: str
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    frames: int
    dead_letters: int
    sources: list[SegmentSource]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that shows a bar's objects."""

    image_path: str
    captured_at_ms: int
    count: int


class IntervalCount(Record, frozen=True, kw_only=True):
    """Objects of one label in one interval of event time, for one model and source.

    Attributes:
        interval_start_ms: Start of the interval, a multiple of `interval_s` since the epoch.
        interval_s: Length of the interval in seconds.
        frames: Distinct frames analysed in the interval, with or without the label.
        detections: Boxes of the label, summed over those frames.
        peak: Most boxes of the label in one frame.
        objects: Unique objects first seen in the interval; None where not measured, never 0 for that.
        evidence: The frames that `rules.evidence.busiest` keeps, in its order.
    """

    model: str
    source: str
    label: str
    interval_start_ms: int
    interval_s: int
    frames: int
    detections: int
    peak: int
    objects: int | None = None
    evidence: list[Evidence]


class Coverage(Record, frozen=True, kw_only=True):
    """Distinct frames analysed per source and interval: tells "nothing there" (0) from "nothing filmed".

    Attributes:
        detections: Boxes counted in those frames, of all labels: the sum of the interval's counts.
        analysed_fps: Frames a second at which the hour of the interval (of several, the slowest) was analysed
            while there was footage, to hundredths; None if objects are not tracked. It says why a count's
            `objects` is None: where this is None too, tracking is off; else, that rate is too low for it.
    """

    model: str
    source: str
    interval_start_ms: int
    interval_s: int
    frames: int
    detections: int = 0
    analysed_fps: float | None = None


class TrackSighting(msgspec.Struct, frozen=True, kw_only=True):
    """One box of a track: where and when, `box` and `confidence` as in `Detection`."""

    image_path: str
    captured_at_ms: int
    confidence: float
    box: tuple[float, float, float, float]


class TrackHead(Record, frozen=True, kw_only=True):
    """What tells which object a `Track` is: the beginning of its line.

    Attributes:
        id: `<hour_start_ms>-<number>`, unique among the tracks of a model and source.
        hour_start_ms: Start of the hour; its track also knows what was seen a minute before and after it.
        is_counted: Whether it was first seen in this hour; else it was counted in an earlier one.
        first_seen_ms: Event time of the first counted box, as far as this hour knows.
    """

    id: str
    model: str
    source: str
    label: str
    hour_start_ms: int
    is_counted: bool
    first_seen_ms: int


class Track(TrackHead, frozen=True, kw_only=True):
    """One object while it was there, as one UTC hour sees it: one line of a run's tracks.

    An object that stays for longer has a track in each of those hours; only the first `is_counted`.

    Attributes:
        last_seen_ms: Event time of the last box, as far as this hour knows.
        boxes: Number of boxes between the two.
        first: The first box.
        best: The box of the greatest confidence, the earliest of several.
        path: `(captured_at_ms, x, y)` of box centres in pixels, by time: the first and the last, and between
            them each that is a quarter of the box's height from the one before. It reaches from the last box
            before the hour to the first one after it, so that the paths of two hours meet.
    """

    last_seen_ms: int
    boxes: int
    first: TrackSighting
    best: TrackSighting
    path: list[tuple[int, float, float]]


class Run(Record, frozen=True, kw_only=True):
    """One day's published result: `.../day=<day>/_runs/<sequence, 6 digits>.json`; the highest is current.

    Attributes:
        run_id: `<sequence, 6 digits>-<16 hex of inputs_sha256>`.
        params: 8 hex over the deployment settings that change counts.
        day: UTC day, `YYYY-MM-DD`.
        prefix: Folder of the part files in the object store.
        parts: Names of the part files, in order.
        inputs_sha256: Over the keys of the segments that hold frames of this day (or, if objects are tracked,
            of the minute before or after it), and the tombstones and overlaps of media that touch it.
        frames: Distinct frames counted.
        duplicates_dropped: Lines that repeated a frame.
        track_parts: Names of the files of its tracks, in order (`keys.tracks_folder`).
    """

    run_id: str
    sequence: int
    model: str
    params: str
    interval_s: int
    day: str
    prefix: str
    parts: list[str]
    inputs_sha256: str
    frames: int
    duplicates_dropped: int
    track_parts: list[str] = []


RecordT = TypeVar("RecordT", bound=Record)
_decoders: dict[type[Record], msgspec.json.Decoder[Record]] = {}


def encode(record: Record) -> bytes:
    """Encode a record as JSON, without white space, fields in the order of their declaration."""
    return msgspec.json.encode(record)


def decode(data: bytes, record_type: type[RecordT]) -> RecordT:
    """Decode the record in `data`.

    Raises:
        Poison: Not JSON, a field missing or of the wrong type (named), or a version that is not known.
    """
    decoder = _decoders.get(record_type)
    if decoder is None:
        decoder = _decoders[record_type] = msgspec.json.Decoder(record_type)
    try:
        record = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Poison(f"not a {record_type.__name__}: {error}") from error
    if record.v != RECORD_VERSION:
        raise Poison(
            f"a {record_type.__name__} of version {record.v}; "
            f"this frametally reads version {RECORD_VERSION}: upgrade it"
        )
    return record  # type: ignore[return-value]
