"""Five black minutes of 25 are not a quiet street: they are in no number, and named with their reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.fakes.records import make_frame, make_segment
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS, make_lines, put_manifest
from tests.web.test_export_comparison import rows_of

from frametally import keys
from frametally.process.reports import NoProgress
from frametally.records import Detection
from frametally.rules.times import utc
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs

MINUTE_MS = 60_000
FPS = 5
NUMBERS = ("detections", "peak", "mean_per_frame", "objects")


def film(
    place: Place, source: str = "park", *, minutes: int = 25, measured: bool = True, **blank: Any
) -> None:
    """Count footage with a car in each frame that shows nothing from one minute to another, by reason."""
    lines = []
    for number in range(60 * FPS * minutes):
        at_ms = START_MS + number * 1000 // FPS
        line = make_frame(
            at_ms,
            number,
            [Detection(label="car", confidence=0.9, box=(10.0, 20.0, 30.0, 40.0))],
            source=source,
            size_px=(640, 480),
            model=MODEL,
        )
        if measured:
            line = msgspec.structs.replace(line, picture_digest=f"{number:04d}")
        for reason, (first, end) in blank.items():
            if first <= number / (60 * FPS) < end:
                changes = (
                    {"picture_digest": "same"} if reason == "frozen" else {"shows": reason, "detections": []}
                )
                line = msgspec.structs.replace(line, **changes)
        lines.append(line)
    key = keys.segment_key(MODEL, "log", "frames", 0, 0)
    place.store.put(
        key,
        make_segment(lines, model=MODEL, log_id="log"),
    )
    put_manifest(place, lines[0], lines[-1], source.title(), frames=len(lines))
    aggregate(settings=place.settings, store=place.store, progress=NoProgress())
    index_runs(store=place.store, index=place.real_index, progress=NoProgress())


def ask(place: Place, question: str) -> Any:
    answer = place.app(web_query_timeout_s=60).test_client().get(f"/api/v1/{question}")
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.fixture
def dark(place: Place) -> Place:
    film(place, black=(10, 15))
    return place


def minutes_of(parts: list[Any]) -> list[int]:
    return [(part["start_ms"] - START_MS) // MINUTE_MS for part in parts]


@pytest.mark.thorough
def test_the_mean_is_that_of_the_twenty_visible_minutes(dark: Place) -> None:
    whole = ask(dark, "counts?interval=1800&timezone=UTC")
    assert [total["mean_per_frame"] for total in whole["totals"]] == [1.0]
    assert [(part["frames"], part["covered_s"]) for part in whole["coverage"]] == [(6000, 1200.0)]
    assert [(part["reason"], part["frames"], part["covered_s"]) for part in whole["shows_nothing"]] == [
        ("black", 1500, 300.0)
    ]
    assert whole["frames_not_looked_at"] == 0
    summary = ask(dark, "summary?interval=60")
    assert summary["filmed_s"] == 1200.0
    assert summary["shows_nothing"] == [{"reason": "black", "frames": 1500, "covered_s": 300.0}]


@pytest.mark.thorough
def test_a_black_minute_has_no_number_and_gives_the_reason(dark: Place) -> None:
    chart = ask(dark, "counts?interval=60&timezone=UTC")
    assert minutes_of(chart["shows_nothing"]) == [10, 11, 12, 13, 14]
    assert set(minutes_of(chart["coverage"])) == {*range(25)} - {10, 11, 12, 13, 14}
    assert not {*minutes_of(chart["buckets"])} & {10, 11, 12, 13, 14}
    assert chart["not_analysed"] == []
    gap = ask(dark, f"gap?source=park&at={utc(START_MS + 12 * MINUTE_MS).replace(' ', 'T')}")
    assert [(reason["kind"], reason["count"]) for reason in gap["reasons"]] == [("shows_nothing", 1500)]
    assert gap["reasons"][0]["words"] == "1,500 frames are black: there is nothing to count."


@pytest.mark.thorough
def test_an_export_marks_blank_footage_in_its_rows(dark: Place) -> None:
    answer = dark.app(web_query_timeout_s=60).test_client().get("/api/v1/export?interval=300&timezone=UTC")
    rows = rows_of(answer.data)
    assert [row["coverage"] for row in rows] == ["footage"] * 2 + ["shows nothing"] + ["footage"] * 2
    assert (rows[2]["detections"], rows[2]["mean_per_frame"], rows[2]["objects"]) == ("", "", "")
    assert (rows[2]["objects_missing"], rows[2]["shows_nothing"]) == ("shows_nothing", "black 300 s")
    assert [row["frames_analysed"] for row in rows] == ["1500", "1500", "0", "1500", "1500"]
    whole = rows_of(
        dark.app(web_query_timeout_s=60).test_client().get("/api/v1/export?interval=1800&timezone=UTC").data
    )
    assert [
        (row["coverage"], row["mean_per_frame"], row["covered_s"], row["shows_nothing"]) for row in whole
    ] == [("footage", "1.0", "1200.0", "black 300 s")]
    assert [row["frames_analysed"] for row in whole] == ["6000"]


def test_a_frozen_picture_is_not_counted_as_traffic(place: Place) -> None:
    film(place, frozen=(2, 4), minutes=6)
    chart = ask(place, "counts?interval=60&timezone=UTC")
    assert minutes_of(chart["buckets"]) == [0, 1, 4, 5]
    assert {part["reason"] for part in chart["shows_nothing"]} == {"frozen"}
    gap = ask(place, f"gap?source=park&at={utc(START_MS + 3 * MINUTE_MS).replace(' ', 'T')}")
    assert gap["reasons"][0]["words"].endswith(
        "frames are frozen (exactly the same picture again): there is nothing to count."
    )


def check_unknown(place: Place, from_ms: int, to_ms: int, why: str) -> None:
    """No answer about a range has a number, and all have the same reason."""
    bar = f"timezone=UTC&label=car&source=park&from={from_ms}&to={to_ms}"
    asked = f"{bar}&interval=60"
    chart, summary = (ask(place, f"{route}?{asked}") for route in ("counts", "summary"))
    by_source = ask(place, f"counts?{asked}&by=source")
    grouped = ask(place, f"counts?timezone=UTC&source=park&interval=60&from={from_ms}&to={to_ms}&top=0")
    totals = [*chart["totals"], *chart["together"], summary["total"]]
    assert {total["label"] for total in totals} == {"car", None}
    totals += [*by_source["totals"], *by_source["together"], *grouped["totals"], *grouped["together"]]
    assert {(*(total[name] for name in NUMBERS), total["objects_missing"]) for total in totals} == {
        (None,) * len(NUMBERS) + (why,)
    }
    assert summary["busiest"] == [] and summary["peak"] is None
    written = place.app(web_query_timeout_s=60).test_client().get(f"/api/v1/export?{asked}").data
    for row in rows_of(written):
        assert [row[name] for name in NUMBERS] == [""] * len(NUMBERS)
        assert (row["frames_analysed"], row["objects_missing"]) == ("0", why)
    for hours in ("", "&hours=00:00-24:00&weekdays=1,2,3,4,5,6,7"):
        frames, objects = (ask(place, f"{route}?{bar}{hours}") for route in ("frames", "objects"))
        assert (frames["detections"], frames["missing"], frames["frames"]) == (None, why, [])
        assert (objects["objects"], objects["objects_missing"], objects["tracks"]) == (None, why, [])


@pytest.mark.thorough
def test_a_blank_range_has_no_number_in_any_answer(place: Place) -> None:
    film(place, black=(0, 6), minutes=12)
    check_unknown(place, START_MS, START_MS + 6 * MINUTE_MS, "shows_nothing")


@pytest.mark.parametrize(("minute", "why"), [(3, "not_analysed"), (10, "no_footage")])
def test_a_range_without_counted_frames_has_no_number_in_any_answer(
    place: Place, minute: int, why: str
) -> None:
    film(place, minutes=2)
    lines = make_lines("park", frames=300, step_ms=200, start_ms=START_MS + 3 * MINUTE_MS, seed=9)
    waiting = [msgspec.structs.replace(line, media="cd" * 32) for line in (lines[0], lines[-1])]
    put_manifest(place, waiting[0], waiting[1], "Park", frames=300)
    from_ms = START_MS + minute * MINUTE_MS
    check_unknown(place, from_ms, from_ms + MINUTE_MS, why)


def test_no_number_is_known_before_anything_is_counted(place: Place) -> None:
    for total in (ask(place, "summary")["total"], *ask(place, "counts")["together"]):
        assert [total[name] for name in NUMBERS] == [None] * len(NUMBERS)
        assert total["objects_missing"] == "no_footage"
    assert ask(place, "frames")["missing"] == ask(place, "objects")["objects_missing"] == "no_footage"


def test_footage_pending_before_the_first_count_is_reported_as_not_analysed(place: Place) -> None:
    lines = make_lines("park", frames=300, step_ms=200, start_ms=START_MS, seed=9)
    put_manifest(place, lines[0], lines[-1], "Park", frames=300)
    totals = [ask(place, "summary")["total"], *ask(place, "counts")["together"]]
    assert {total["objects_missing"] for total in totals} == {"not_analysed"}
    assert ask(place, "frames")["missing"] == ask(place, "objects")["objects_missing"] == "not_analysed"


def test_a_blank_hour_of_the_week_is_named(place: Place) -> None:
    film(place, black=(0, 6), minutes=6)
    week = ask(place, "heatmap?timezone=UTC")
    assert (week["cells"], week["not_analysed"]) == ([], [])
    assert week["shows_nothing"] == [{"weekday": 3, "hour": 8}]


@pytest.mark.thorough
def test_the_status_shows_how_much_is_blank_and_nothing_is_behind(dark: Place) -> None:
    (park,) = ask(dark, "status")["sources"]
    assert (park["detected"], park["counted"], park["indexed"]) == (7500, 7500, 7500)
    assert park["shows_nothing_s"] == {"black": 300.0}


def test_footage_analysed_by_an_earlier_version_is_reported_as_not_checked(place: Place) -> None:
    film(place, minutes=2, measured=False)
    chart = ask(place, "counts?interval=60&timezone=UTC")
    assert (chart["shows_nothing"], chart["frames_not_looked_at"], chart["frames"]) == ([], 600, 600)


@pytest.mark.thorough
def test_the_proof_of_a_partly_frozen_bar_lists_as_many_frames_as_it_counts(place: Place) -> None:
    film(place, frozen=(2.5, 4.5), minutes=6)
    (bar,) = ask(place, "counts?interval=360&timezone=UTC")["buckets"]
    times_ms: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ask(
            place,
            f"frames?source=park&from={START_MS}&to={START_MS + 6 * MINUTE_MS}&limit=100&cursor={cursor}",
        )
        times_ms += [frame["captured_at_ms"] for frame in page["frames"]]
        cursor = page["next"]
    assert len(times_ms) == bar["detections"]
    frozen = range(START_MS + 5 * MINUTE_MS // 2, START_MS + 9 * MINUTE_MS // 2)
    assert not [time_ms for time_ms in times_ms if time_ms in frozen]


def test_a_partly_blank_short_clip_says_so_at_any_interval(place: Place) -> None:
    film(place, minutes=2, black=(1, 2))
    chart = ask(place, "counts?metric=auto")
    assert (chart["interval_s"], minutes_of(chart["shows_nothing"])) == (60, [1])
    assert chart["seconds_missing"] == "shows_nothing"
    assert chart["filmed"][0]["part"] == 0.5
    refused = place.app().test_client().get("/api/v1/counts?interval=1")
    assert (refused.status_code, "some of this footage is left out" in refused.text) == (400, True)
    lit = ask(place, f"counts?interval=1&to={utc(START_MS + MINUTE_MS).replace(' ', 'T')}")
    assert (len(lit["coverage"]), lit["seconds_missing"]) == (60, None)
