"""Decodes and checks frame lines as far as counting needs, and reads and writes the job's keys and records.

Uses msgspec where it is installed, otherwise the standard library: both accept and refuse the same lines and
give the same values, so a cluster without msgspec counts the same.

Decoding many lines at a time costs half as much as one by one. Only single lines get an error message: if a
batch contains a bad line, it is decoded again, line by line.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Annotated, Any, NamedTuple, Protocol

from frametally.rules.blank_stretches import MeasuredFrame, shows_boxes
from frametally.rules.counted_boxes import DetectedBox
from frametally.rules.evidence import BoxedFrame
from frametally.rules.once import one_line_per_frame
from frametally.rules.times import MOST_TIME_MS, RECORD_VERSION

try:
    import msgspec
except ImportError:  # a cluster's Python may have nothing but the standard library
    msgspec = None  # type: ignore[assignment]

_FIRST, _LAST = itemgetter(0), itemgetter(-1)
_SHOWS = attrgetter("shows")
_OPENING, _CLOSING = {ord("{")}, {ord("}")}


MOST_PX = 1_000_000
"""The longest side of a frame, and the farthest that a box may reach from its corner."""


class BadLine(ValueError):
    """A line without a frame's detections; the message gives the reason."""


class Frame(BoxedFrame, MeasuredFrame, Protocol):
    """The fields of a frame line needed for counting; `reading` adds the digest of its picture."""

    @property
    def width_px(self) -> int: ...  # noqa: D102
    @property
    def height_px(self) -> int: ...  # noqa: D102
    @property
    def media(self) -> str: ...  # noqa: D102
    @property
    def time_source(self) -> str: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def detections(self) -> Sequence[DetectedBox]: ...  # noqa: D102


FrameSize = tuple[str, int, int]
"""Describes a frame's picture: its medium, and its width and height in pixels."""


class _PlainDetection(NamedTuple):
    label: str
    confidence: float
    box: tuple[float, float, float, float]


class _PlainFrame(NamedTuple):
    image_path: str
    source: str
    captured_at_ms: int
    width_px: int
    height_px: int
    media: str
    time_source: str
    model: str
    detections: list[_PlainDetection]
    shows: str
    picture_digest: str


def decode_with_standard_library(line: bytes) -> Frame:
    """Decode the frame in `line` with `json`. Raises `BadLine`."""
    try:
        fields = json.loads(line.decode(), parse_constant=_refuse_constant)
        if b"\\u" in line:  # json accepts half a surrogate pair, which is not valid text
            json.dumps(fields, ensure_ascii=False).encode()
        if type(fields) is not dict:
            raise BadLine("not a JSON object")
        _check_version(_typed(fields.get("v", RECORD_VERSION), int, "v"))
        time_ms = _typed(fields["captured_at_ms"], int, "captured_at_ms")
        if not -MOST_TIME_MS <= time_ms <= MOST_TIME_MS:
            raise BadLine("captured_at_ms is out of range")
        return _PlainFrame(
            image_path=_typed(fields["image_path"], str, "image_path"),
            source=_typed(fields["source"], str, "source"),
            captured_at_ms=time_ms,
            width_px=_side(fields, "width_px"),
            height_px=_side(fields, "height_px"),
            media=_typed(fields.get("media", ""), str, "media"),
            time_source=_typed(fields.get("time_source", ""), str, "time_source"),
            model=_typed(fields["model"], str, "model"),
            detections=[_detection(item) for item in _typed(fields["detections"], list, "detections")],
            shows=_typed(fields.get("shows", ""), str, "shows"),
            picture_digest=_typed(fields.get("picture_digest", ""), str, "picture_digest"),
        )
    except KeyError as error:
        raise BadLine(f"field {error} is missing") from error
    except (ValueError, RecursionError) as error:
        raise BadLine(str(error)) from error


def _side(fields: dict[str, Any], name: str) -> int:
    side: int = _typed(fields.get(name, 0), int, name)
    if not 0 <= side <= MOST_PX:
        raise BadLine(f"{name} is out of range")
    return side


def _detection(item: Any) -> _PlainDetection:
    fields = _typed(item, dict, "a detection")
    sides = _typed(fields["box"], list, "box")
    if len(sides) != 4:
        raise BadLine(f"a box with {len(sides)} numbers")
    left, top, width, height = (_number(side, -MOST_PX, MOST_PX) for side in sides)
    if width <= 0 or height <= 0:
        raise BadLine("a box with no area")
    return _PlainDetection(
        label=_typed(fields["label"], str, "label"),
        confidence=_number(fields["confidence"], 0.0, 1.0),
        box=(left, top, width, height),
    )


def _number(value: Any, least: float, most: float) -> float:
    if type(value) not in (int, float) or not least <= value <= most:
        raise BadLine(f"{value!r:.40} is not a number from {least} to {most}")
    return float(value)


def _typed(value: Any, kind: type, name: str) -> Any:
    if type(value) is not kind:
        raise BadLine(f"{name} is not of type {kind.__name__}")
    return value


def _refuse_constant(name: str) -> None:
    raise BadLine(f"{name} is not JSON")


def _check_version(version: int) -> None:
    if version != RECORD_VERSION:
        raise BadLine(f"version {version}, but this version of frametally reads version {RECORD_VERSION}")


class _Decoders(NamedTuple):
    """Decoders of one line, of many (all or none), of joined accepted lines, and of those without boxes."""

    one: Callable[[bytes], Frame]
    all: Callable[[Sequence[bytes]], Sequence[Frame] | None]
    accepted: Callable[[bytes], Sequence[Frame]]
    labels: Callable[[bytes], Sequence[Frame]]


def _make_standard_decoders() -> _Decoders:
    def decode_all(lines: Sequence[bytes]) -> Sequence[Frame] | None:
        try:
            return [decode_with_standard_library(line) for line in lines]
        except BadLine:
            return None

    def decode_text(text: bytes) -> Sequence[Frame]:
        return [decode_with_standard_library(line) for line in text.split(b"\n")]

    return _Decoders(decode_with_standard_library, decode_all, decode_text, decode_text)


def _make_msgspec_decoders() -> _Decoders:
    side = Annotated[float, msgspec.Meta(ge=-MOST_PX, le=MOST_PX)]
    size = Annotated[float, msgspec.Meta(gt=0, le=MOST_PX)]  # a detector writes no box without area
    pixels = Annotated[int, msgspec.Meta(ge=0, le=MOST_PX)]
    fast_detection = msgspec.defstruct(
        "FastDetection",
        [
            ("label", str),
            ("confidence", Annotated[float, msgspec.Meta(ge=0, le=1)]),
            ("box", tuple[side, side, size, size]),
        ],
        gc=False,
    )
    fast_frame = msgspec.defstruct(
        "FastFrame",
        [
            ("image_path", str),
            ("source", str),
            ("captured_at_ms", Annotated[int, msgspec.Meta(ge=-MOST_TIME_MS, le=MOST_TIME_MS)]),
            ("model", str),
            ("detections", list[fast_detection]),  # type: ignore[valid-type]
            ("width_px", pixels, 0),  # 0 means that the line does not say
            ("height_px", pixels, 0),
            ("media", str, ""),
            ("time_source", str, ""),
            ("shows", str, ""),
            ("picture_digest", str, ""),
            ("v", int, RECORD_VERSION),
        ],
        gc=False,
    )
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(fast_frame)

    def decode_with_msgspec(line: bytes) -> Frame:
        """Decode the frame in `line` with msgspec. Raises `BadLine`."""
        try:
            if not line.isascii():  # msgspec does not check the text of fields that it skips
                line.decode()
            frame = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadLine(str(error)) from error
        if frame.v != RECORD_VERSION:
            _check_version(frame.v)
        return frame  # type: ignore[no-any-return]

    def decode_all_with_msgspec(lines: Sequence[bytes]) -> Sequence[Frame] | None:
        # msgspec ignores where lines end. But in JSON no "{" follows a "}" without a comma between them: if
        # every line begins and ends with those, no object spans two lines, and an equal number of objects and
        # lines means one per line.
        if not all(lines) or {*map(_FIRST, lines)} != _OPENING or {*map(_LAST, lines)} != _CLOSING:
            return None
        text = b"\n".join(lines)
        try:
            if not text.isascii():
                text.decode()
            frames: list[Any] = decoder.decode_lines(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        is_good = len(frames) == len(lines) and all(frame.v == RECORD_VERSION for frame in frames)
        return frames if is_good else None

    label_only = msgspec.defstruct("LabelOnly", [("label", str), ("confidence", float)], gc=False)
    labels_only = msgspec.defstruct(
        "LabelsOnly",
        [
            ("image_path", str),
            ("captured_at_ms", int),
            ("detections", list[label_only]),  # type: ignore[valid-type]
            ("shows", str, ""),
            ("picture_digest", str, ""),
        ],
        gc=False,
    )
    decode_labels = msgspec.json.Decoder(labels_only).decode_lines
    return _Decoders(decode_with_msgspec, decode_all_with_msgspec, decoder.decode_lines, decode_labels)  # type: ignore[arg-type]


_DECODERS = _make_standard_decoders() if msgspec is None else _make_msgspec_decoders()

decode_frame = _DECODERS.one
"""Returns the frame in a line; raises `BadLine`."""

decode_frames = _DECODERS.all
"""Returns the frames in lines; None if one may be bad: then call `decode_frame` on each."""

decode_accepted = _DECODERS.accepted
"""Returns the frames of lines that were accepted before, joined by line breaks."""

decode_labels = _DECODERS.labels
"""Like `decode_accepted`, but may leave out the boxes."""


_plain_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_with_standard_library(value: object) -> bytes:
    """Write JSON as `frametally.records.encode` does: without white space, as UTF-8."""
    return _plain_encode(value).encode()


to_json: Callable[[object], bytes] = (
    msgspec.json.Encoder().encode if msgspec else encode_with_standard_library
)
"""Writes keys and records of the job; msgspec writes the same bytes in a tenth of the time."""
from_json: Callable[[bytes], Any] = msgspec.json.Decoder().decode if msgspec else json.loads
"""Reads the output of `to_json`."""


def distinct_frames(texts: Sequence[bytes], *, needs_boxes: bool) -> tuple[list[Frame], list[Frame]]:
    """Return a group's distinct frames, in any order, and the frames of lines that repeated one."""
    decode = decode_accepted if needs_boxes else decode_labels
    frames = [frame for text in texts for frame in decode(text)]
    times_seen = Counter([frame.image_path for frame in frames])
    if len(times_seen) == len(frames):
        return frames, []
    lines = (line for text in texts for line in text.split(b"\n"))
    once, frame_of, repeats = [], {}, []
    for frame, line in zip(frames, lines, strict=True):
        if times_seen[frame.image_path] == 1:
            once.append(frame)
        else:
            frame_of[line] = frame
            repeats.append((frame.image_path, line))
    unique_lines = one_line_per_frame(repeats).values()
    dropped = Counter(line for _, line in repeats) - Counter(unique_lines)
    return once + [frame_of[line] for line in unique_lines], [frame_of[line] for line in dropped.elements()]


def with_boxes_as_evidence(frames: list[Frame], counts: Callable[[DetectedBox], bool]) -> list[Frame]:
    """Return the frames; one that looks blank but has a counted box looks ordinary."""
    if not any(map(_SHOWS, frames)):
        return frames
    return [_ordinary(frame) if shows_boxes(frame, counts) else frame for frame in frames]


def _ordinary(frame: Any) -> Any:
    return frame._replace(shows="") if msgspec is None else msgspec.structs.replace(frame, shows="")
