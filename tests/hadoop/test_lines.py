"""With and without msgspec, lines are accepted, interpreted and written the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.fakes.records import make_frame

from frametally.records import Detection, encode
from frametally_hadoop.job.lines import (
    BadLine,
    decode_accepted,
    decode_frame,
    decode_frames,
    decode_labels,
    decode_with_standard_library,
    encode_with_standard_library,
    from_json,
    to_json,
)

FRAME = make_frame(
    1_767_268_800_000,
    7,
    [
        Detection(label="größer 日本", confidence=0.25, box=(0.0, 0.1, 639.9, 480.0)),
        Detection(label='a "b"\\\u007f', confidence=1.0, box=(3.0, 4.0, 5.0, 6.0)),
    ],
    source="gate",
    size_px=(640, 480),
    image_path="images/gate/2026-01-01/1767268800000-abababababab-7.jpg",
    time_source="exif",
    model="tiny-1",
)
LINE = encode(FRAME)


def decoded(decode: Any, line: bytes) -> Any:
    try:
        frame = decode(line)
    except BadLine:
        return None
    boxes = [(d.label, d.confidence, tuple(d.box)) for d in frame.detections]
    return (frame.image_path, frame.source, frame.captured_at_ms, frame.time_source, frame.model, boxes)


def with_fields(**fields: object) -> bytes:
    return json.dumps({**json.loads(LINE), **fields}).encode()


def with_detection(**fields: object) -> bytes:
    return with_fields(detections=[{"label": "car", "confidence": 0.5, "box": [1, 2, 3, 4], **fields}])


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in json.loads(LINE).items() if name != field}).encode()


def test_a_line_is_read_as_it_is_written() -> None:
    assert decoded(decode_frame, LINE) == decoded(decode_with_standard_library, LINE)
    assert decoded(decode_frame, LINE)[3:] == (
        "exif",
        "tiny-1",
        [(d.label, d.confidence, d.box) for d in FRAME.detections],
    )


@pytest.mark.parametrize(
    "line",
    [
        without("v"),
        with_fields(new_field=[1, {"a": None}]),
        with_fields(detections=[]),
        with_detection(new_field="x"),
        with_detection(confidence=1),
        with_detection(confidence=0),
        LINE.replace(b":", b": ").replace(b",", b" ,"),
        LINE.replace(b'"gate"', b'"\\u0067ate"'),
        LINE.replace(b'"gate"', b'"\\ud83d\\ude97"'),
    ],
)
def test_both_decoders_read_what_a_newer_writer_may_add_or_write_differently(line: Any) -> None:
    assert decoded(decode_frame, line) == decoded(decode_with_standard_library, line) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xef\xbb\xbf" + LINE,
        LINE + b"x",
        LINE + LINE,
        LINE[:-1],
        LINE.decode().encode("utf-16"),
        *[without(name) for name in ("image_path", "source", "captured_at_ms", "model", "detections")],
        with_fields(v=2),
        with_fields(v="1"),
        with_fields(v=True),
        with_fields(v=1.0),
        with_fields(captured_at_ms=1.0),
        with_fields(captured_at_ms=True),
        with_fields(captured_at_ms="1"),
        with_fields(captured_at_ms=None),
        with_fields(captured_at_ms=10**15 + 1),
        with_fields(captured_at_ms=-(10**15) - 1),
        with_fields(captured_at_ms=10**40),
        with_fields(source=None),
        with_fields(source=["gate"]),
        with_fields(detections=None),
        with_fields(detections={}),
        with_fields(detections=["car"]),
        with_fields(detections=[{}]),
        with_detection(label=None),
        with_detection(confidence="0.5"),
        with_detection(confidence=True),
        with_detection(confidence=-0.0001),
        with_detection(confidence=1.0001),
        with_detection(confidence=float("nan")),
        with_detection(confidence=float("inf")),
        with_detection(box=[1, 2, 3]),
        with_detection(box=[1, 2, 3, 4, 5]),
        with_detection(box=[1, 2, 3, None]),
        with_detection(box=[1, 2, -3, 4]),
        with_detection(box=[1, 2, 0, 4]),
        with_detection(box=[1, 2, 3, 0.0]),
        with_detection(box=[1, 2, 3, 1e7]),
        with_detection(box=[-1e7, 2, 3, 4]),
        with_detection(box="1234"),
        with_fields(other=float("nan")),
        LINE.replace(b'"media":"ab', b'"media":"\xff\xfe'),
        LINE.replace(b'"gate"', b'"\xed\xa0\x80"'),
        LINE.replace(b'"gate"', b'"\\ud800"'),
        LINE.replace(b'"gate"', b'"\x1e"'),
        LINE.replace(b'"gate"', b"'gate'"),
        LINE.replace(b"0.25", b"0.2.5"),
        LINE.replace(b"0.25", b"00.25"),
        LINE.replace(b"0.25", b"1e999"),
    ],
)
def test_both_decoders_refuse_what_is_not_a_frame(line: Any) -> None:
    assert decoded(decode_frame, line) is None
    assert decoded(decode_with_standard_library, line) is None


@given(
    at=st.integers(0, len(LINE) - 1),
    length=st.integers(0, 4),
    put=st.one_of(
        st.binary(max_size=3),
        st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"1", b"-", b".", b"e9", b"true"]),
    ),
)
@example(at=0, length=0, put=b" ")
def test_both_decoders_agree_on_a_line_with_any_bytes_changed(at: int, length: int, put: Any) -> None:
    line = LINE[:at] + put + LINE[at + length :]
    assert decoded(decode_frame, line) == decoded(decode_with_standard_library, line)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    name=st.sampled_from(["v", "image_path", "source", "captured_at_ms", "model", "detections", "other"]),
    value=json_values,
)
def test_both_decoders_agree_on_a_field_with_any_value(name: Any, value: Any) -> None:
    line = with_fields(**{name: value})
    assert decoded(decode_frame, line) == decoded(decode_with_standard_library, line)


@given(name=st.sampled_from(["label", "confidence", "box", "other"]), value=json_values)
def test_both_decoders_agree_on_a_detections_field_with_any_value(name: Any, value: Any) -> None:
    line = with_detection(**{name: value})
    assert decoded(decode_frame, line) == decoded(decode_with_standard_library, line)


def one_by_one(lines: list[bytes]) -> Any:
    """The results of `decode_frame`; None if it refuses a line."""
    found = [decoded(decode_frame, line) for line in lines]
    return None if None in found else found


def together(lines: list[bytes]) -> Any:
    frames = decode_frames(lines)
    return None if frames is None else [decoded(lambda _, frame=frame: frame, b"") for frame in frames]


def test_many_good_lines_read_together_give_the_same_as_one_by_one() -> None:
    lines = [LINE, with_detection(label="größer"), with_fields(detections=[]), LINE]
    assert together(lines) == one_by_one(lines) is not None
    spaced = [b" " + line + b" " for line in lines]  # none of these is read together with others at first
    assert together(spaced) is None
    for accepted in (lines, spaced):
        frames = decode_accepted(b"\n".join(accepted))
        assert [decoded(lambda _, frame=frame: frame, b"") for frame in frames] == one_by_one(lines)
    labels = decode_labels(b"\n".join(spaced))
    assert [[box.label for box in frame.detections] for frame in labels] == [
        [box[0] for box in frame[-1]] for frame in one_by_one(lines)
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [LINE + LINE, LINE[:-1], b"}"],  # three lines and three objects, and not one on each
        [LINE + LINE, b'{"a":', b"1}"],
        [LINE[:-1] + b',"other":[{}', b"{}]}"],
        [LINE, b""],
        [b"", LINE],
        [LINE, b"{}"],
        [LINE, with_fields(v=2)],
        [LINE, LINE.decode().encode("utf-16")],
        [LINE, LINE[:-10] + b"\xff" + LINE[-10:]],
        [LINE, with_fields(other="\ud800").replace(b"\\ud800", b"\xed\xa0\x80")],
        [b"[" + LINE, LINE + b"]"],
    ],
)
def test_many_lines_with_a_bad_one_among_them_are_not_read_together(lines: list[Any]) -> None:
    assert one_by_one(lines) is None
    assert together(lines) is None


@given(
    at=st.integers(0, 3 * len(LINE)),
    length=st.integers(0, 6),
    put=st.lists(
        st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b":", b"1", b"\n", b" ", b"}\n{", LINE, b"{}"]),
        max_size=4,
    ),
)
def test_lines_with_any_bytes_changed_never_give_something_else_when_read_together(
    at: int, length: int, put: Any
) -> None:
    text = b"\n".join([LINE] * 3)
    lines = (text[:at] + b"".join(put) + text[at + length :]).split(b"\n")
    assert together(lines) in (None, one_by_one(lines))


WHOLE = st.integers(-(2**53), 2**53)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | WHOLE
    | st.builds(
        lambda number, units: number / units, st.integers(1, 10**8), st.sampled_from([10, 100, 10_000])
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_both_encoders_write_keys_and_records_to_the_same_bytes(value: object) -> None:
    plain = encode_with_standard_library(value)
    assert to_json(value) == plain
    assert from_json(plain) == json.loads(plain)
