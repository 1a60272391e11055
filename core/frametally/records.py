"""All data that crosses a process or is stored, as frozen records with JSON on the wire.

Every record carries its version `v`; unknown fields are ignored, missing ones are rejected by name. What is
a separate object in the store is sealed: see `rules.seals`.
Times are integer milliseconds since 1970-01-01T00:00:00Z of *event time*: when the camera saw it.
"""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec

from frametally import keys
from frametally.errors import Poison, TooOld
from frametally.live_records import LiveMinute
from frametally.rules.blank_stretches import Blank, BlankPart
from frametally.rules.known import OF_TRACKS, CountNumber, Missing
from frametally.rules.places import ZoneParts, Zones, base_model
from frametally.rules.seals import sealed, unsealed
from frametally.rules.times import FIRST_MS, NEXT_MS, RECORD_VERSION

TimeSource = Literal["start_time", "file_name", "exif", "container", "stream_clock", "file_time", "arrival"]
"""Where a medium's event time came from, from the strongest to the weakest: a file's modification date, and
when a camera's frames arrived."""

EventTimeMs = Annotated[int, msgspec.Meta(ge=FIRST_MS, lt=NEXT_MS)]
"""An event time that a request sends: another is refused before a database overflows."""

Stage = Literal["parse", "fetch", "verify", "decode"]
"""The step at which a message became a dead letter."""

Cause = Literal["malformed", "missing", "checksum", "size", "oversized", "undecodable"]
"""Why: no announcement; there is no such object, or it holds other bytes or a picture of another size than
announced; the picture has too many pixels, or cannot be decoded."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records."""

    v: int = RECORD_VERSION


class SealedRecord(Record, frozen=True, kw_only=True):
    """Base of records that are in the store as objects, or begin one: their JSON ends in a checksum.

    Attributes:
        remedy: What to do where one cannot be read.
    """

    remedy: ClassVar[str] = "restore it from a backup"

    @property
    def key(self) -> str:
        """The key of the record in the store."""
        raise NotImplementedError


class MediaManifest(SealedRecord, frozen=True, kw_only=True):
    """The manifest of one medium: a video, or one source's pictures of one UTC day (`media/<sha256>.json`).

    Attributes:
        sha256: Identity: of a video's bytes, or of the text `pictures/<source>/<YYYY-MM-DD>`, or of what
            `media.manifests.minute_identity` says of a camera's minute.
        name: The path as the user gave it.
        source: Slug of the source, as in keys and queries.
        source_name: The source as the user wrote it, for showing.
        time_source: Where event time came from (for pictures, the weakest among them).
        sampling: The densest sampling asked for so far: frames a second as text, or `all`.
        first_captured_at_ms: Event time of the first frame; None before there is one.
        last_captured_at_ms: Event time of the last frame; None before there is one.
        frames_expected: Distinct frames that all samplings so far select; while `producing`, an estimate.
        frames_put: Distinct frames in the object store.
        frames_announced: Distinct frames announced on the log.
        state: `producing` until the whole medium has been announced, then `complete`.
        announced_frames: For a video, a bitmap over decode indices: bit `i % 8` of byte `i // 8`.
        announced_pictures: For pictures, the sorted image names (`<captured_at_ms>-<hex>`) announced.
        runs: For a video, its runs of frames (see `rules.overlaps`).
        live: For a camera's minute, how it was captured.
        track: For a video file, the position of its track among those of moving pictures, from 1.
        pace: For a video, how much event time passes while it plays (`rules.pace`); empty means real time.
        revision: How often it was forgotten or corrected; frames of `keys.media_id(sha256, revision)` count.
        simulated_by: For simulated footage, the only model that detects it; unset if it was filmed.
        screened: What was done to its pictures before they were stored, and by which policy and version, a
            text each; unset if nothing was done.
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
    live: LiveMinute | None = None
    track: int = 1
    pace: str = ""
    revision: int = 0
    simulated_by: str | msgspec.UnsetType = msgspec.UNSET
    screened: list[str] | msgspec.UnsetType = msgspec.UNSET

    remedy: ClassVar[str] = (
        "restore it from a backup, or delete it and run `frametally produce` on its footage again"
    )

    @property
    def key(self) -> str:  # noqa: D102
        return keys.media_key(self.sha256)


class FrameAnnouncement(Record, frozen=True, kw_only=True):
    """One stored frame, announced on the log topic `frames`.

    Attributes:
        image_path: Key of the JPEG in the object store: the frame's identity.
        frame_index: Decode index in the medium, from 0 (0 for a picture); repeats of standing pictures follow
            the last one.
        sha256: Hash of the stored object, in hex.
        media: `keys.media_id` of the medium that it came from.
        screened: What was done to the picture before it was stored; unset if nothing was done.
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
    screened: str | msgspec.UnsetType = msgspec.UNSET


class AutoDetector(SealedRecord, frozen=True, kw_only=True):
    """The meaning of `detector = auto` in this store (`models/auto.json`), put by the first worker."""

    backend: Literal["opencv", "openvino", "onnxruntime"]

    remedy: ClassVar[str] = "restore it, or delete it: the next `frametally consume` chooses again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.AUTO_DETECTOR


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One detected object.

    Attributes:
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
    shows: Blank | msgspec.UnsetType = msgspec.UNSET
    picture_digest: str | msgspec.UnsetType = msgspec.UNSET  # goes into the header, see `SegmentSource`


class DeadLetter(Record, frozen=True, kw_only=True):
    """A segment's line for one message that could not become detections.

    Attributes:
        offset: Its offset in the partition.
        message: Its bytes as they came (base64 in JSON).
        source: Slug of the source, if the message still has it.
        image_path: Key of the frame, if the message still has it.
        cause: The cause as a word, to group and select by.
        reason: The reason, as one sentence.
    """

    offset: int
    message: bytes
    source: str | None = None
    image_path: str | None = None
    stage: Stage
    cause: Cause | None = None
    reason: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that shows a bar's objects."""

    image_path: str
    captured_at_ms: int
    count: int


_T = TypeVar("_T")


def with_numbers(
    numbers: Iterable[CountNumber], kind: Any = int | None, default: Any = None
) -> Callable[[type[_T]], type[_T]]:
    """Return a decorator that gives a structure or named tuple the numbers that it lacks, as last fields."""

    def extended(cls: Any) -> Any:
        is_tuple = issubclass(cls, tuple)
        fields: tuple[str, ...] = cls._fields if is_tuple else cls.__struct_fields__
        new = [number for number in numbers if number.name not in fields]
        if not new:
            return cls
        names = [number.name for number in new]
        if is_tuple:
            defaults = [*cls._field_defaults.values(), *[default] * len(new)]
            return namedtuple(cls.__name__, [*fields, *names], defaults=defaults, module=cls.__module__)
        text = cls.__doc__
        if "Attributes:" in text:
            text = "\n".join(
                [text.rstrip(), *(f"        {number.name}: {number.meaning}." for number in new), ""]
            )
        return msgspec.defstruct(
            cls.__name__,
            [(name, kind, default) for name in names],
            bases=(cls,),
            module=cls.__module__,
            namespace={"__doc__": text},
            kw_only=not cls.__match_args__,
        )

    return extended


@with_numbers(OF_TRACKS)
class IntervalCount(Record, frozen=True, kw_only=True):
    """Objects of one label in one interval of event time, for one model and source.

    Attributes:
        interval_start_ms: Start of the interval, a multiple of `interval_s` since the epoch.
        interval_s: Length of the interval in seconds.
        frames: Distinct frames analysed in the interval, with or without the label.
        detections: Boxes of the label, summed over those frames.
        peak: Most boxes of the label in one frame.
        objects: Unique objects first seen in the interval; None if not measured, never 0 for that.
        tracked_detections: How many of `detections` are in tracks, whenever these began; None if objects
            are not measured. `rules.known` says how many are enough.
        objects_from_start: How many of `objects` were there when the footage began, so that they did not
            arrive in the interval; None in the same cases as `tracked_detections`.
        fast_objects: Objects that were first seen in the interval but too fast to follow, so that `objects`
            lacks them; None in the same cases.
        missing: At a line, zone or movement, why `detections` is only what was seen of an unknown number.
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
    tracked_detections: int | None = None
    objects_from_start: int | None = None
    fast_objects: int | None = None
    missing: Missing | msgspec.UnsetType = msgspec.UNSET
    evidence: list[Evidence]


class Coverage(Record, frozen=True, kw_only=True):
    """Distinct frames that show something per source and interval: distinguishes 0 from "nothing to be seen".

    Attributes:
        frames: Distinct frames analysed, except those in `blank`: the base of means and rates.
        detections: Boxes counted in those frames, of all labels: the sum of the interval's counts.
        objects: Unique objects of all labels first seen there; None if not measured (see `is_measured`).
        analysed_fps: Frames a second at which the hour of the interval (of several, the slowest) was analysed
            while there was footage, to hundredths; None if objects are not tracked.
        covered_ms: Milliseconds of the interval with footage that shows something; intervals add up (see
            `rules.filmed_time`). None if objects are not tracked.
        blank: Footage that showed nothing, by reason; unset if not measured.
        missing: At a line, zone or movement, why the numbers of all labels are unknown.
    """

    model: str
    source: str
    interval_start_ms: int
    interval_s: int
    frames: int
    detections: int = 0
    objects: int | None = None
    analysed_fps: float | None = None
    covered_ms: int | None = None
    blank: list[BlankPart] | msgspec.UnsetType = msgspec.UNSET
    missing: Missing | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_measured(self) -> bool:
        """Whether objects could be tracked."""
        return self.objects is not None or (self.covered_ms is None and bool(self.analysed_fps))

    @property
    def analysed(self) -> int:
        """Distinct frames analysed, whatever they show."""
        return self.frames + sum(frames for _, frames, _ in self.blank or ())


class FlowFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file with one source's flows of a run."""

    source: str
    name: str
    crc32: int


class Run(SealedRecord, frozen=True, kw_only=True):
    """One day's published result: `.../day=<day>/_runs/<sequence, 6 digits>.json`; the highest is current.

    Attributes:
        run_id: `<sequence, 6 digits>-<16 hex of inputs_sha256>`.
        params: 8 hex over the deployment settings that change counts.
        day: UTC day, `YYYY-MM-DD`.
        prefix: Folder of its part files, `parts`.
        inputs_sha256: Over all that the day is counted from: segments, tombstones, overlaps and zones.
        duplicates_dropped: Lines that repeated a frame.
        parts_crc32: Checksum of the lines of each part file.
        footage_sha256: Over its footage, the same for every interval, setting and zone.
        tombstones_crc32: Checksum of the keys of tombstones that affect frames of this day itself, sorted.
        settings: The settings behind `params`, in words.
        paths: For a run of flows, the files of flows.
        zone_parts: The counts within zones, with the zones, if there are any.
        hours_crc32: Checksum of its `HourList`; None in runs of flows.
        hours: By source 16 hex of its hour files of whole pictures, which have its tracks and paths.
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
    parts_crc32: list[int] = []
    footage_sha256: str = ""
    tombstones_crc32: list[int] | None = None
    settings: dict[str, Any] = {}
    paths: list[FlowFile] | None = None
    hours_crc32: int | None = None
    hours: dict[str, str]
    zone_parts: ZoneParts | None = None

    remedy: ClassVar[str] = "run `frametally aggregate` with the --interval in its key to count the day again"

    @property
    def key(self) -> str:  # noqa: D102
        model = self.model if self.zone_parts is None else base_model(self.model)
        return keys.run_pointer_key(model, self.params, self.interval_s, self.day, self.sequence)

    @property
    def zones(self) -> Mapping[str, Zones]:
        """By source the zones that hold on the day."""
        return (self.zone_parts and self.zone_parts.zones) or {}


RecordT = TypeVar("RecordT", bound=Record)
SealedRecordT = TypeVar("SealedRecordT", bound=SealedRecord)
_ANOTHER_STORE = (
    "set FRAMETALLY_STORE_URL to another store, and run `frametally produce` on your footage there"
)
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder of msgspec's raises where bytes are damaged."""

_decoders: dict[type[Record], msgspec.json.Decoder[Any]] = {}
# If two threads build a type's decoder at once, msgspec reads a half-built object and crashes.
_one_at_a_time = threading.Lock()
_names_of = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(record: Record) -> bytes:
    """Encode a record as JSON, without white space, fields in the order of their declaration, seal last."""
    data = msgspec.json.encode(record)
    return sealed(data) if isinstance(record, SealedRecord) else data


def decode(data: bytes, record_type: type[RecordT]) -> RecordT:
    """Decode the record in `data`.

    Raises:
        Poison: Not JSON, damaged, a field missing or of the wrong type (named), or an unknown version.
        TooOld: A sealed record lacks a field.
    """
    decoder = _decoders.get(record_type)
    if decoder is None:
        with _one_at_a_time:
            decoder = _decoders[record_type] = msgspec.json.Decoder(record_type)
    try:
        content = unsealed(data) if issubclass(record_type, SealedRecord) else data
        record: RecordT = decoder.decode(content)
    except msgspec.ValidationError as error:
        if issubclass(record_type, SealedRecord) and _lacks_fields(content, record_type):
            # Its seal is right, so it is as it was written.
            raise TooOld(f"this {record_type.__name__}", _ANOTHER_STORE) from error
        raise Poison(f"not a {record_type.__name__}: {error}") from error
    except (*NOT_JSON, Poison) as error:
        raise Poison(f"not a {record_type.__name__}: {error}") from error
    if record.v != RECORD_VERSION:
        raise Poison(
            f"a {record_type.__name__} of version {record.v}, but this version of frametally reads version "
            f"{RECORD_VERSION}: upgrade frametally"
        )
    return record


def _lacks_fields(content: bytes, record_type: type[SealedRecord]) -> bool:
    required = {field.encode_name for field in msgspec.structs.fields(record_type) if field.required}
    return not required <= _names_of.decode(content).keys()


def decode_at(key: str, data: bytes, record_type: type[SealedRecordT]) -> SealedRecordT:
    """Decode the record that is stored under `key` in the store.

    Raises:
        Poison: As `decode`, or it is the record of another key; the message names it, with the remedy.
        TooOld: As `decode`; the message names its key.
    """
    try:
        record = decode(data, record_type)
        if record.key != key:
            raise Poison(f"it gives its own name as {record.key}")
    except TooOld as error:
        raise TooOld(key, error.remedy) from error
    except Poison as error:
        raise Poison(f"{key}: {error}; {record_type.remedy}") from error
    return record
