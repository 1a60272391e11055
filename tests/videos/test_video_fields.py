"""The fields of a video: stored as meant, or refused by name with the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally_videos.library.enhancements import (
    ENHANCEMENT_FIELDS,
    enhancement_of,
    enhancement_options,
    read_enhancement,
)
from frametally_videos.media_records import Enhancement
from frametally_videos.records import VideoFields
from frametally_videos.upload_fields import (
    calibration_remark,
    is_of_another_kind,
    read_fields,
    read_file_name,
    read_sha256,
    without_what_lies_outside,
)
from frametally_videos.upload_refusals import FieldRefused

RECTANGLE = {"x": 100, "y": 100, "width": 500, "height": 300}
SEEDS_POINTS = {"points": [[0, 0], [100, 100]]}


def test_given_fields_are_kept_and_blank_ones_count_as_not_given() -> None:
    said = {
        "name": "  Gate\u0301  ",
        "source": "Gate",
        "start_time": "2026-05-01T08:00:00",
        "timezone": "Europe/Berlin",
        "last_modified_ms": "1767225600000",
        "client_id": "abcdefgh",
        "roi": json.dumps(RECTANGLE),
        "calibrate_coordinates": json.dumps(SEEDS_POINTS),
    }
    assert read_fields(said) == VideoFields(
        name="Gat\u00e9",
        source="Gate",
        start_time="2026-05-01T08:00:00",
        timezone="Europe/Berlin",
        last_modified_ms=1_767_225_600_000,
        client_id="abcdefgh",
        roi=RECTANGLE,
        calibration=SEEDS_POINTS,
    )
    assert read_fields(dict.fromkeys(said, " ")) == VideoFields()


@pytest.mark.parametrize(
    "name", ["<b>\"';--</b>", "\u202egpj.4pm", "\U0001f697" * 255, "a/../b", "=1+1", "%00", "名前", "x" * 255]
)
def test_a_name_may_contain_any_character(name: str) -> None:
    assert read_fields({"name": name, "source": name}) == VideoFields(name=name, source=name)


@pytest.mark.parametrize(
    ("field", "text", "place"),
    [
        ("name", "x" * 256, ""),
        ("name", "two\nlines", ""),
        ("source", "nul\0", ""),
        ("source", "x" * 256, ""),
        ("start_time", "yesterday", ""),
        ("start_time", "0999-01-01T00:00:00", ""),
        ("start_time", "2026-13-01", ""),
        ("timezone", "Europe/Nowhere", ""),
        ("timezone", "../../etc/passwd", ""),
        ("timezone", "Europe", ""),
        ("last_modified_ms", "1e9", ""),
        ("last_modified_ms", "99999999999999999999", ""),
        ("last_modified_ms", "999999999999999", ""),
        ("client_id", "stream", ""),
        ("client_id", "with spaces in", ""),
        ("client_id", "x" * 65, ""),
        ("roi", "{", ""),
        ("roi", "[]", ""),
        ("roi", "{}", ""),
        ("roi", '{"x": 1}', ""),
        ("roi", '{"x": 0, "y": 0, "width": 0, "height": 5}', ""),
        ("roi", '{"x": "0", "y": 0, "width": 1, "height": 5}', "x"),
        ("roi", '{"x": -1, "y": 0, "width": 1, "height": 5}', "x"),
        ("roi", '{"x": 1e300, "y": 0, "width": 1, "height": 5}', "x"),
        ("roi", '{"x": true, "y": 0, "width": 1, "height": 5}', "x"),
        ("roi", '{"points": []}', "points"),
        ("roi", '{"points": [[1, 2], [3]]}', "points[1]"),
        ("roi", '{"points": [[1, null]]}', "points[0][1]"),
        ("roi", json.dumps({"points": [[1, 2]] * 65}), "points"),
        ("roi", json.dumps({"regions": []}), "regions"),
        ("roi", json.dumps({"regions": [RECTANGLE] * 33}), "regions"),
        ("roi", json.dumps({"regions": [RECTANGLE, {"points": [[1, "x"]]}]}), "regions[1].points[0][1]"),
        ("roi", json.dumps({"points": [[1, 2]], "name": "x" * 70_000}), ""),
        ("roi", '{"a":' * 30_000, ""),
        ("roi", '{"regions":' * 5000 + "1" + "}" * 5000, ""),
        ("calibration", "{}", "points"),
        ("calibration", '{"points": [[1, 2]], "metres": [[1, 2], [3, 4]]}', "metres"),
        ("calibration", '{"points": [[1, 2]], "metres": [[1, "2"]]}', "metres[0][1]"),
        ("calibration", '{"points": [[NaN, 2]]}', ""),
        (
            "calibration",
            '{"points": [[0, 0], [9, 9], [20, 20], [40, 40]], "metres": [[0, 0], [0, 5], [5, 5], [5, 0]]}',
            "points",
        ),
    ],
)
def test_an_invalid_value_is_refused_with_its_field_its_place_and_the_remedy(
    field: str, text: str, place: str
) -> None:
    with pytest.raises(FieldRefused) as refused:
        read_fields({field: text})
    assert (refused.value.field, refused.value.place) == (field, place)
    for line in (refused.value.reason, refused.value.remedy):
        assert line
        assert "\n" not in line
        assert len(line) < 400


def test_an_unknown_field_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(FieldRefused, match="no field 'colour'") as refused:
        read_fields({"colour": "red"})
    assert "start_time" in refused.value.remedy


@pytest.mark.thorough
@given(st.dictionaries(st.sampled_from(["name", "source", "start_time", "timezone", "roi"]), st.text()))
def test_no_field_text_breaks_the_reader(said: dict[str, str]) -> None:
    try:
        fields = read_fields(said)
    except FieldRefused:
        return
    again = {name: getattr(fields, name) for name in ("name", "source", "start_time", "timezone")}
    assert read_fields({name: text for name, text in again.items() if text}) == VideoFields(
        **{name: text for name, text in again.items() if text}
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["points", "regions", "x", "y"]), inner),
)


@pytest.mark.thorough
@given(st.dictionaries(st.sampled_from(["points", "metres", "regions", "x", "y", "width", "height"]), JSON))
def test_no_drawing_breaks_the_reader(drawn: dict[str, Any]) -> None:
    for field in ("roi", "calibration"):
        try:
            fields = read_fields({field: json.dumps(drawn)})
        except FieldRefused:
            continue
        without_what_lies_outside(fields, 640, 360)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("C:\\fakepath\\clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("two\nlines\x00.mp4", "two\\x0alines\\x00.mp4"),
        ("\udce9.mp4", "\\xe9.mp4"),
        ('"quoted".mp4', '"quoted".mp4'),
    ],
)
def test_a_file_is_named_without_its_folders(given: str, kept: str) -> None:
    assert read_file_name(given) == kept


@pytest.mark.parametrize("given", ["", "/", "..", "a/..", " ", "x" * 256])
def test_an_invalid_file_name_is_refused(given: str) -> None:
    with pytest.raises(FieldRefused) as refused:
        read_file_name(given)
    assert refused.value.field == "file"


def test_a_sha256_has_64_hex_digits() -> None:
    assert read_sha256("AB" * 32) == "ab" * 32
    with pytest.raises(FieldRefused):
        read_sha256("ab" * 31)


@pytest.mark.parametrize(
    ("content_type", "other"),
    [
        ("", False),
        ("video/mp4", False),
        ("application/octet-stream", False),
        ("VIDEO/X-MATROSKA; codecs=avc1", False),
        ("application/x-matroska", False),
        ("text/vnd.trolltech.linguist", False),
        ("audio/mp4", False),
        ("text/html", True),
        ("Text/HTML; charset=utf-8", True),
        ("application/zip", True),
        ("image/svg+xml", True),
        ("application/vnd.apple.mpegurl", True),
    ],
)
def test_a_content_type_that_is_not_a_videos_differs_from_an_unspecific_one(
    content_type: str, *, other: bool
) -> None:
    assert is_of_another_kind(content_type) is other


def test_a_calibration_that_gives_no_speed_says_why() -> None:
    assert (
        calibration_remark(SEEDS_POINTS)
        == "Its calibration has 2 of at least 4 points, none with coordinates in metres: no speed."
    )
    points = [[0, 0], [9, 0], [9, 9], [0, 9]]
    assert (
        calibration_remark({"points": points})
        == "Its calibration has 4 of at least 4 points, none with coordinates in metres: no speed."
    )
    assert calibration_remark({"points": points, "metres": points}) is None


@pytest.mark.parametrize(
    ("roi", "place"),
    [
        (RECTANGLE, None),
        ({"x": 600, "y": 0, "width": 41, "height": 1}, "width, height"),
        ({"points": [[640, 360], [0, 361]]}, "points[1]"),
        ({"regions": [{"points": [[0, 0]]}, {"points": [[999, 0]]}]}, "regions[1].points[0]"),
    ],
)
def test_a_drawing_outside_the_picture_is_left_out_with_its_place(
    roi: dict[str, Any], place: str | None
) -> None:
    fields, left_out = without_what_lies_outside(
        VideoFields(name="a", roi=roi), 640, 400 if not place else 360
    )
    assert fields == VideoFields(name="a", roi=None if place else roi)
    assert [place is not None and place in line for line in left_out] == [True] * (place is not None)


LIMITS = {
    "brightness": (-1, 1),
    "contrast": (0, 4),
    "gamma": (0.1, 10),
    "saturation": (0, 3),
    "denoise": (0, 1),
    "sharpen": (0, 1),
    "local_contrast": (0, 1),
    "fps": (1, 120),
}
ASKED = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.floats(least, most) for name, (least, most) in LIMITS.items()},
        "deinterlace": st.sampled_from(["auto", "on", "off"]),
    },
)


@given(ASKED)
def test_an_enhancement_can_be_read_back_from_job_options_and_from_a_query(asked: dict[str, Any]) -> None:
    meant = read_enhancement(asked)
    assert enhancement_of(enhancement_options(meant)) == meant
    assert enhancement_of(json.dumps(asked)) == meant
    assert read_enhancement({name: str(value) for name, value in asked.items()}) == meant
    for name, value in asked.items():
        assert getattr(meant, name) == value


@given(ASKED, st.randoms(use_true_random=False))
def test_equal_enhancements_are_written_in_the_same_way(asked: dict[str, Any], order: Any) -> None:
    names = list(asked)
    order.shuffle(names)
    plain = Enhancement()
    written_out = {name: asked.get(name, getattr(plain, name)) for name in ENHANCEMENT_FIELDS}
    written = {
        enhancement_options(read_enhancement(said))
        for said in (asked, {name: asked[name] for name in names}, written_out)
    }
    assert len(written) == 1
    assert set(json.loads(written.pop())) == {
        name for name, value in asked.items() if value != getattr(plain, name)
    }


def test_default_options_are_written_as_empty() -> None:
    assert enhancement_options(Enhancement(brightness=-0.0, contrast=1)) == "{}"
    assert enhancement_of("") == enhancement_of("{}") == Enhancement()


@pytest.mark.parametrize(("field", "limits"), LIMITS.items())
def test_a_number_beyond_its_limits_is_refused_by_field(field: str, limits: tuple[float, float]) -> None:
    least, most = limits
    read_enhancement({field: least})
    read_enhancement({field: most})
    wrong_ones: list[object] = [least - 0.01, most + 0.01, "nan", float("inf"), "1;drop", True, [], 10**400]
    for wrong in (*wrong_ones, "1e999"):
        with pytest.raises(FieldRefused) as refused:
            read_enhancement({field: wrong})
        assert refused.value.field == field
        assert f"from {least:g} to {most:g}" in refused.value.reason


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ('{"upscale": 2}', "upscale"),
        ('{"deinterlace": "yadif=1"}', "deinterlace"),
        ('{"deinterlace": ["auto"]}', "deinterlace"),
        ("[]", "options"),
        ("brightness=1", "options"),
        ('{"gamma": NaN}', "options"),
    ],
)
def test_an_invalid_enhancement_is_refused_by_field(options: str, field: str) -> None:
    with pytest.raises(FieldRefused) as refused:
        enhancement_of(options)
    assert refused.value.field == field
    assert refused.value.remedy
