"""Everything that crosses a process or is stored, as frozen records with JSON on the wire.

Every record carries its version `v`; unknown fields are ignored, missing ones are rejected by name.
Times are integer milliseconds since 1970-01-01T00:00:00Z of *event time*: when the camera saw it.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from frametally.errors import Poison

RECORD_VERSION = 1

TimeSource = Literal["start_time", "exif", "container", "file_name", "file_time"]
"""Where a medium's event time came from; `file_time` (a file's modification date) is the weakest."""


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
        kind: `video` or `pictures`.
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


class FrameAnnouncement(Record, frozen=True, kw_only=True):
    """One stored frame, announced on the log topic `frames`.

    Attributes:
        image_path: Key of the JPEG in the object store: the frame's identity.
        source: Slug of the source.
        frame_index: Decode index in the medium, from 0 (0 for a picture).
        captured_at_ms: Event time.
        time_source: Where event time came from.
        width_px: Width of the stored frame.
        height_px: Height of the stored frame.
        bytes: Size of the stored object.
        sha256: Of the stored object, hex.
        media: `MediaManifest.sha256` of the medium that it came from.
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
        stage: What failed: `parse`, `fetch`, `verify` or `decode`.
        reason: One sentence.
    """

    offset: int
    message: bytes
    source: str | None = None
    image_path: str | None = None
    stage: Literal["parse", "fetch", "verify", "decode"]
    reason: str


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
        evidence: At most 5 frames, by count (most first), then time, then path.
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
    """Distinct frames analysed per source and interval: tells "nothing there" (0) from "nothing filmed"."""

    model: str
    source: str
    interval_start_ms: int
    interval_s: int
    frames: int


class Run(Record, frozen=True, kw_only=True):
    """One day's published result: `.../day=<day>/_runs/<sequence, 6 digits>.json`; the highest is current.

    Attributes:
        run_id: `<sequence, 6 digits>-<16 hex of inputs_sha256>`.
        params: 8 hex over the deployment settings that change counts.
        day: UTC day, `YYYY-MM-DD`.
        prefix: Folder of the part files in the object store.
        parts: Names of the part files, in order.
        inputs_sha256: Over the segments' keys that hold frames of this day, and nothing else.
        frames: Distinct frames counted.
        duplicates_dropped: Lines that repeated a frame.
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


RecordT = TypeVar("RecordT", bound=Record)
_decoders: dict[type[Record], msgspec.json.Decoder[Record]] = {}


def encode(record: Record) -> bytes:
    """JSON of a record, without white space, fields in the order of their declaration."""
    return msgspec.json.encode(record)


def decode(data: bytes, record_type: type[RecordT]) -> RecordT:
    """The record in `data`.

    Raises:
        Poison: Not JSON, a field missing or of the wrong type (named), or a version that is not known.
    """
    decoder = _decoders.get(record_type)
    if decoder is None:
        decoder = _decoders[record_type] = msgspec.json.Decoder(record_type)
    try:
        record = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison(f"not a {record_type.__name__}: {error}") from error
    if record.v != RECORD_VERSION:
        raise Poison(
            f"a {record_type.__name__} of version {record.v}; "
            f"this frametally reads version {RECORD_VERSION}: upgrade it"
        )
    return record  # type: ignore[return-value]
