"""Records reject what they cannot be, by name, and say nothing about what they do not know."""

import msgspec
import pytest

from frametally.errors import Poison
from frametally.records import Coverage, FrameAnnouncement, decode, encode

COVERAGE = Coverage(model="m", source="s", interval_start_ms=0, interval_s=1, frames=3)


def test_a_record_survives_the_wire() -> None:
    assert decode(encode(COVERAGE), Coverage) == COVERAGE
    assert (
        encode(COVERAGE)
        == b'{"v":1,"model":"m","source":"s","interval_start_ms":0,"interval_s":1,"frames":3,'
        b'"detections":0,"objects":null,"analysed_fps":null,"covered_ms":null}'
    )


def test_unknown_fields_are_ignored() -> None:
    assert decode(encode(COVERAGE)[:-1] + b',"colour":"red"}', Coverage) == COVERAGE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"v":1,"model":"m","source":"s","interval_start_ms":0,"interval_s":1}', "`frames`"),
        (b'{"v":1,"model":"m","source":"s","interval_start_ms":0,"interval_s":1,"frames":"x"}', "frames"),
        (b'{"v":2,"model":"m","source":"s","interval_start_ms":0,"interval_s":1,"frames":3}', "version 2"),
        (b"", "not a Coverage"),
        (b"\xff\xfe", "not a Coverage"),
        (b"[]", "not a Coverage"),
    ],
)
def test_what_is_no_record_is_poison_and_says_why(data: bytes, says: str) -> None:
    with pytest.raises(Poison, match=says):
        decode(data, Coverage)


def test_records_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        COVERAGE.frames = 4  # type: ignore[misc]


def test_an_announcement_has_the_fields_that_the_design_names() -> None:
    names = {field.name for field in msgspec.structs.fields(FrameAnnouncement)}
    assert names == {
        *("v", "image_path", "source", "frame_index", "captured_at_ms", "time_source"),
        *("width_px", "height_px", "bytes", "sha256", "media"),
    }
