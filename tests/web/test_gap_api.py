"""A gap is explained: its start and end, the frames at both ends, and the state of the books."""

from __future__ import annotations

import pytest
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import MINUTE_MS, START_MS, make_lines, publish_lines, put_manifest

from frametally.records import FrameDetections

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def holed(place: Place) -> tuple[Place, list[FrameDetections]]:
    """Five minutes of a gate, an hour and days without any, five minutes again; a yard in between."""
    lines = [
        line
        for start_ms in (START_MS, START_MS + HOUR_MS, START_MS + 80 * HOUR_MS)
        for line in make_lines("gate", frames=60, start_ms=start_ms, seed=start_ms % 97)
    ]
    # The frame before the gap shows nothing, and is displayed.
    place_of_last = 59
    lines[place_of_last] = FrameDetections(
        **{name: getattr(lines[place_of_last], name) for name in lines[0].__struct_fields__}
        | {"detections": []}
    )
    publish_lines(place, [*lines, *make_lines("yard", frames=60, start_ms=START_MS + HOUR_MS // 2)])
    put_manifest(place, lines[0], lines[59], "The gate", frames=60)
    return place, lines


@pytest.mark.thorough
@pytest.mark.parametrize("minutes", [5, 30, 59])
def test_a_gap_is_described_with_the_frames_at_its_ends(
    holed: tuple[Place, list[FrameDetections]], minutes: int
) -> None:
    place, lines = holed
    gap = get(place, f"gap?source=gate&at={START_MS + minutes * MINUTE_MS}")
    assert (gap["source"], gap["model"]) == ("gate", "m")
    assert (gap["from_ms"], gap["to_ms"]) == (START_MS + 5 * MINUTE_MS, START_MS + HOUR_MS)
    for shown, line in ((gap["before"], lines[59]), (gap["after"], lines[60])):
        assert (shown["captured_at_ms"], shown["image_path"]) == (line.captured_at_ms, line.image_path)
        assert (shown["width_px"], shown["height_px"]) == (640, 480)
        assert len(shown["boxes"]) == sum(one.confidence >= 0.25 for one in line.detections)
        assert shown["image_url"].startswith("/api/v1/frames/image?path=")
    assert gap["before"]["boxes"] == []
    assert [reason["kind"] for reason in gap["reasons"]] == ["nothing_produced"]


@pytest.mark.thorough
def test_a_gap_over_days_is_one_and_its_ends_are_found(holed: tuple[Place, list[FrameDetections]]) -> None:
    place, lines = holed
    gap = get(place, "gap?source=gate&at=2024-05-03T12:00&timezone=Europe/Berlin")
    assert gap["from_ms"] == START_MS + HOUR_MS + 5 * MINUTE_MS
    assert gap["to_ms"] == START_MS + 80 * HOUR_MS
    assert gap["after"]["image_path"] == lines[120].image_path


@pytest.mark.thorough
def test_a_gap_before_the_first_frame_or_after_the_last_has_one_end(
    holed: tuple[Place, list[FrameDetections]],
) -> None:
    place, lines = holed
    first = get(place, f"gap?source=gate&at={START_MS - 1}")
    assert (first["from_ms"], first["to_ms"], first["before"]) == (None, START_MS, None)
    assert first["after"]["image_path"] == lines[0].image_path
    last = get(place, "gap?source=gate&at=9999-01-01")
    assert (last["to_ms"], last["after"]) == (None, None)
    assert last["before"]["image_path"] == lines[-1].image_path


def test_pending_detection_is_the_reason_for_its_gap(place: Place) -> None:
    lines = make_lines("gate", frames=60)
    later = make_lines("late", frames=60, start_ms=START_MS + HOUR_MS)
    publish_lines(place, lines)
    put_manifest(place, lines[0], lines[-1], "gate", frames=60)
    put_manifest(place, later[0], later[-1], "gate", frames=60, source="gate", frames_announced=60)
    gap = get(place, f"gap?source=gate&at={START_MS + HOUR_MS}")
    assert (gap["reasons"][0]["kind"], gap["reasons"][0]["count"]) == ("behind", 60)
    assert gap["reasons"][0]["words"] == "60 frames are announced and not analysed yet."


def test_an_uncounted_source_is_one_gap(place: Place) -> None:
    later = make_lines("late", frames=60)
    put_manifest(place, later[0], later[-1], "late", frames=60, frames_announced=60)
    gap = get(place, f"gap?source=late&at={START_MS}")
    assert (gap["model"], gap["from_ms"], gap["to_ms"]) == (None, None, None)
    assert gap["reasons"][0]["kind"] == "behind"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        (f"at={START_MS + 10 * MINUTE_MS}", "source", "source=gate"),
        ("source=gate", "at", "2024-05-01T08:00"),
        ("source=gate&at=noon", "at", "ISO 8601"),
        (f"source=gate&at={START_MS}", "at", "Choose a moment that `coverage` of the counts does not list"),
        (
            f"source=gate&at={START_MS + 299_999}",
            "at",
            "Choose a moment that `coverage` of the counts does not list",
        ),
        (f"source=gat&at={START_MS + 10 * MINUTE_MS}", "source", "gate"),
        (f"source=gate&source=yard&at={START_MS}", "source", "once"),
        (f"source=gate&at={START_MS}&model=none", "model", "m"),
        (f"source=gate&at={START_MS}&timezone=Mars", "timezone", "Europe/Berlin"),
        (f"source=gate&at={START_MS}&label=car", "label", "source"),
    ],
)
def test_a_moment_that_is_not_in_a_gap_is_named_with_a_remedy(
    holed: tuple[Place, list[FrameDetections]], query: str, parameter: str, said: str
) -> None:
    problem = get(holed[0], f"gap?{query}", status=400)
    assert problem["parameter"] == parameter
    assert said in problem["remedy"]
