"""All answers about the picture exist for a zone: its boxes, frames and objects, with proof."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest
from tests.kit.api import get
from tests.traffic.zoned_footage import (
    LEFT,
    RIGHT,
    START_MS,
    STEP_MS,
    count,
    counted_within,
    draw,
    draw_from,
    drive,
    put,
)
from tests.web.conftest import Place
from tests.web.counted_footage import put_manifest
from tests.web.recounted import JPEG
from tests.web.test_modules_of_a_request import modules_of_a_chart

from frametally.ports.count_index import CountQuery, Histogram
from frametally_traffic.drawings.revisions import change_drawing
from frametally_traffic.records import DrawnZone
from frametally_traffic.zone_index import ZoneIndex

ZONE = "zone=left%20side"


@pytest.fixture
def zoned(place: Place) -> Place:
    """Three minutes of two sources; a zone over one of them has 30 of each car's 60 boxes."""
    frames = [*drive(), *drive("yard")]
    for frame in frames:
        place.store.put(frame.image_path, JPEG)
    counted_within(place, frames)
    return place


@pytest.mark.thorough
def test_a_chart_within_a_zone_has_its_boxes_and_the_frames_of_its_source(zoned: Place) -> None:
    found = get(zoned, f"counts?{ZONE}")
    [total] = found["totals"]
    assert (total["label"], total["detections"], total["objects"]) == ("car", 450, 15)
    assert (found["model"], found["sources"], found["frames"]) == ("m", ["gate"], 900)
    assert found["zone"] == "left side"
    whole = get(zoned, "counts?source=gate")
    assert (whole["zone"], whole["frames"]) == (None, 900)
    assert {one["label"]: one["detections"] for one in whole["totals"]} == {"car": 900, "person": 900}


@pytest.mark.thorough
def test_zones_are_not_listed_as_models_or_sources(zoned: Place) -> None:
    found = get(zoned, "catalogue")
    assert [one["model"] for one in found["models"]] == ["m"]
    assert {one["source"]: one["zones"] for one in found["sources"]} == {"gate": ["left side"], "yard": []}
    assert get(zoned, "counts")["model"] == "m"


@pytest.mark.thorough
def test_the_frames_within_a_zone_show_its_boxes_and_add_up_to_its_bar(zoned: Place) -> None:
    span = f"from={START_MS + 60_000}&to={START_MS + 120_000}"
    bar = get(zoned, f"counts?{ZONE}&{span}")["totals"][0]
    first = get(zoned, f"frames?{ZONE}&{span}&limit=90")
    found = get(zoned, f"frames?{ZONE}&{span}&limit=90&cursor={first['next']}")
    assert (len(first["frames"]), len(found["frames"])) == (90, 60)
    assert found["frames"][-1]["running_total"] == bar["detections"] == 150
    assert (found["note"], found["next"], found["detections"]) == (None, None, 150)
    assert {frame["source"] for frame in found["frames"]} == {"gate"}
    for frame in found["frames"]:
        [box] = frame["boxes"]
        assert box["label"] == "car"
        assert box["box"][0] + 30 <= 320


@pytest.mark.thorough
def test_frames_with_an_empty_zone_are_listed_on_request(zoned: Place) -> None:
    found = get(zoned, f"frames?{ZONE}&to={START_MS + 60_000}&empty=1&limit=100")
    assert [frame["count"] for frame in found["frames"]] == ([1] * 30 + [0] * 30 + [1] * 30 + [0] * 10)
    assert (found["frames_analysed"], found["note"]) == (300, None)


@pytest.mark.thorough
def test_the_objects_within_a_zone_are_its_visits_and_end_at_the_bar(zoned: Place) -> None:
    found = get(zoned, f"objects?{ZONE}&limit=50")
    assert (len(found["tracks"]), found["objects"], found["note"]) == (15, 15, None)
    assert {(one["source"], one["boxes"]) for one in found["tracks"]} == {("gate", 30)}
    assert found["tracks"][0]["last_seen_ms"] == START_MS + 29 * STEP_MS


@pytest.mark.thorough
def test_each_of_two_zones_over_one_source_has_its_own_objects(zoned: Place) -> None:
    draw(zoned, ("left side", LEFT), ("right side", RIGHT))
    count(zoned)
    found = get(zoned, f"objects?{ZONE}&limit=50")
    assert (len(found["tracks"]), found["note"]) == (15, None)
    assert {one["label"] for one in found["tracks"]} == {"car"}
    found = get(zoned, "objects?zone=right%20side&limit=50")
    assert (len(found["tracks"]), found["note"]) == (16, None)


def test_the_index_of_a_zone_that_no_source_has_is_empty(zoned: Place) -> None:
    query = CountQuery("m", 60)
    assert len(ZoneIndex(zoned.real_index, zoned.store, "left side").histogram(query).coverage) == 3
    assert ZoneIndex(zoned.real_index, zoned.store, "none").histogram(query) == Histogram(
        "m", 60, [], [], [], []
    )


@pytest.mark.thorough
def test_the_busiest_frame_within_a_zone_has_its_boxes(zoned: Place) -> None:
    [frame] = get(zoned, f"evidence?{ZONE}")["frames"]
    assert (frame["label"], frame["source"], frame["count"], frame["note"]) == ("car", "gate", 1, None)
    assert len(frame["boxes"]) == 1


@pytest.mark.thorough
def test_summary_week_and_differences_are_those_of_the_zone(zoned: Place) -> None:
    assert get(zoned, f"summary?{ZONE}")["total"]["detections"] == 450
    assert sum(cell["detections"] for cell in get(zoned, f"heatmap?{ZONE}")["cells"]) == 450
    compared = get(zoned, f"differences?{ZONE}&compare=previous&from={START_MS + 60_000}&metric=detections")
    assert {one["label"] for one in compared["labels"]} == {"car"}


@pytest.mark.thorough
@pytest.mark.parametrize("by", ["", "&by=source"])
def test_an_export_within_a_zone_says_so_and_has_its_counts(zoned: Place, by: str) -> None:
    answer = zoned.app().test_client().get(f"/api/v1/export?{ZONE}{by}")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(int(row["detections"]) for row in rows) == 450
    assert {(row["source"], row["zone"]) for row in rows} == {("gate", "left side")}
    about = zoned.app().test_client().get(f"/api/v1/export?{ZONE}&format=json").json
    assert about["query"]["zone"] == "left side"
    assert "zone" not in zoned.app().test_client().get("/api/v1/export").text.splitlines()[0]


@pytest.mark.thorough
def test_zones_with_one_name_over_several_sources_can_be_queried_together_and_separately(
    zoned: Place,
) -> None:
    draw(zoned, ("left side", RIGHT), source="yard")
    count(zoned)
    both = get(zoned, f"counts?{ZONE}&by=source&metric=detections")
    found = {(one["source"], one["label"]): one["detections"] for one in both["totals"]}
    assert {key: value for key, value in found.items() if value} == {
        ("gate", "car"): 450,
        ("yard", "car"): 450,
        ("yard", "person"): 900,
    }
    alone = get(zoned, f"counts?{ZONE}&source=yard&metric=detections")
    assert {one["label"]: one["detections"] for one in alone["totals"]} == {"person": 900, "car": 450}


def test_a_label_that_was_never_in_a_zone_is_zero_there(zoned: Place) -> None:
    found = get(zoned, f"counts?{ZONE}&label=person&interval=60")
    assert [(one["label"], one["detections"]) for one in found["totals"]] == [("person", 0)]
    assert len(found["coverage"]) == 3


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["counts", "summary", "heatmap", "evidence", "frames", "objects", "export"])
def test_an_unknown_zone_is_refused_with_similar_names(zoned: Place, path: str) -> None:
    answer = zoned.app().test_client().get(f"/api/v1/{path}?zone=left%20sode")
    assert (answer.status_code, answer.json["parameter"]) == (400, "zone")
    assert "left side" in answer.text


@pytest.mark.thorough
def test_a_zone_of_another_source_is_refused(zoned: Place) -> None:
    answer = zoned.app().test_client().get(f"/api/v1/counts?{ZONE}&source=yard")
    assert (answer.status_code, answer.json["parameter"]) == (400, "zone")


@pytest.mark.thorough
def test_a_zone_that_is_not_counted_yet_shows_nothing_and_is_not_an_error(zoned: Place) -> None:
    draw(zoned, ("left side", LEFT), ("new", RIGHT))
    found = get(zoned, "counts?zone=new")
    assert (found["frames"], found["totals"], found["zone"]) == (0, [], "new")
    assert get(zoned, "frames?zone=new")["frames"] == []


@pytest.mark.thorough
def test_evidence_of_a_moved_zone_matches_its_counts_until_they_are_counted_again(zoned: Place) -> None:
    draw(zoned, ("left side", RIGHT))
    before = get(zoned, f"frames?{ZONE}&limit=100&to={START_MS + 60_000}")
    assert (before["detections"], before["frames"][-1]["running_total"]) == (150, 100)
    assert all(frame["boxes"][0]["box"][0] <= 290 for frame in before["frames"])
    count(zoned)
    after = get(zoned, f"counts?{ZONE}&metric=detections")
    assert {one["label"]: one["detections"] for one in after["totals"]} == {"person": 900, "car": 450}


@pytest.mark.thorough
def test_a_gap_within_a_zone_says_whether_the_zone_did_not_apply_or_is_not_counted_yet(zoned: Place) -> None:
    from_ms = START_MS + 120_000
    draw_from(zoned, from_ms)
    count(zoned)
    chart = get(zoned, f"counts?{ZONE}&interval=60&from={START_MS}")
    assert [bar["start_ms"] for bar in chart["coverage"]] == [from_ms]
    hole = get(zoned, f"gap?{ZONE}&source=gate&at={START_MS}")
    assert (hole["from_ms"], hole["to_ms"]) == (None, from_ms)
    assert [reason["kind"] for reason in hole["reasons"]] == ["not_within"]
    assert "did not exist at that time" in hole["reasons"][0]["words"]
    draw(zoned, ("left side", LEFT))
    hole = get(zoned, f"gap?{ZONE}&source=gate&at={START_MS}")
    assert "not counted within left side yet" in hole["reasons"][0]["words"]


def test_a_chart_within_a_zone_loads_only_the_usual_modules_and_those_of_places_and_runs(
    zoned: Place,
) -> None:
    of_picture = modules_of_a_chart(zoned, "base=60")
    of_zone = modules_of_a_chart(zoned, f"base=60&{ZONE}")
    assert of_zone - of_picture <= {
        "frametally.ports.picture_places",
        "frametally.rules.places",
        # Which sources have the zone, and when, is in the runs, and in the drawings that wait to be counted.
        "frametally.adapters.files.folder_store",
        "frametally.adapters.sql.index.tables",
        "frametally.keys",
        "frametally.records",
        "frametally.rules.seals",
        "frametally.rules.tombstones",
    }


def test_black_minutes_within_a_zone_have_their_source_and_reason(place: Place) -> None:
    frames = [
        msgspec.structs.replace(frame, picture_digest=f"{number:04d}")
        if number < 300
        else msgspec.structs.replace(frame, picture_digest=f"{number:04d}", shows="black", detections=[])
        for number, frame in enumerate(drive())
    ]
    counted_within(place, frames)
    for by in ("", "&by=source"):
        chart = get(place, f"counts?{ZONE}&interval=60{by}")
        assert {part["source"] for part in chart["shows_nothing"]} == {"gate" if by else None}
        answer = place.app().test_client().get(f"/api/v1/export?{ZONE}&interval=60&label=car{by}")
        rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
        assert [row["coverage"] for row in rows] == ["footage", "shows nothing", "shows nothing"]
        assert [row["objects_missing"] for row in rows] == ["", "shows_nothing", "shows_nothing"]
    asked = f"{ZONE}&by=source&label=car&from={START_MS + 60_000}&to={START_MS + 180_000}"
    for total in get(place, f"counts?{asked}")["totals"]:
        assert (total["detections"], total["objects"], total["objects_missing"]) == (
            None,
            None,
            "shows_nothing",
        )


def test_a_black_minute_with_more_waiting_footage_has_one_state_in_charts_and_at_lines(place: Place) -> None:
    frames = [
        msgspec.structs.replace(frame, picture_digest=f"{number:04d}", shows="black", detections=[])
        if 300 <= number < 450
        else msgspec.structs.replace(frame, picture_digest=f"{number:04d}")
        for number, frame in enumerate(drive(frames=450))
    ]
    put(place, frames)
    count(place)
    waiting = [msgspec.structs.replace(frame, media="cd" * 32) for frame in drive(frames=600)[500:]]
    put_manifest(place, waiting[0], waiting[-1], "Gate", frames=100)
    answers = [get(place, f"{route}?source=gate&interval=60") for route in ("counts", "crossings", "zones")]
    assert [answer["not_analysed"] for answer in answers] == [[], [], []]
    assert [part["start_ms"] for part in answers[0]["shows_nothing"]] == [START_MS + 60_000]


def test_a_gap_within_a_zone_says_that_its_pictures_have_another_shape(place: Place) -> None:
    counted_within(place, [*drive()[:300], *drive(width_px=480)[300:]])
    hole = get(place, f"gap?{ZONE}&source=gate&at={START_MS + 120_000}")
    assert [reason["kind"] for reason in hole["reasons"]] == ["not_within"]
    assert "another shape than the one under left side" in hole["reasons"][0]["words"]


MISSED = f"{ZONE}&from={START_MS}&to={START_MS + 120_000}"


@pytest.fixture(params=["not_drawn", "other_size", "not_analysed"])
def missed(request: pytest.FixtureRequest, place: Place) -> tuple[Place, str]:
    """Three counted minutes; the first two are not counted within the zone, for the parameter's reason."""
    frames = drive()
    if request.param == "other_size":
        frames[:600] = drive(width_px=480)[:600]
    put(place, frames)
    draw(place, ("left side", LEFT))
    if request.param != "other_size":
        draw_from(place, START_MS + 120_000)
    count(place)
    if request.param == "not_analysed":
        draw(place, ("left side", LEFT))
    return place, request.param


@pytest.mark.thorough
def test_footage_not_counted_within_a_zone_is_never_reported_as_absent(missed: tuple[Place, str]) -> None:
    place, missing = missed
    minutes = [(START_MS, START_MS + 60_000), (START_MS + 60_000, START_MS + 120_000)]
    for source in ("", "&source=gate"):
        chart = get(place, f"counts?{MISSED}&interval=60{source}")
        assert (chart["coverage"], chart["not_analysed"], chart["shows_nothing"]) == ([], [], [])
        found = [(bar["start_ms"], bar["end_ms"], bar["missing"]) for bar in chart["not_within"]]
        assert found == [(*minute, missing) for minute in minutes]
        assert {total["objects_missing"] for total in (*chart["totals"], *chart["together"])} == {missing}
        assert get(place, f"summary?{MISSED}{source}")["total"]["objects_missing"] == missing
        proof = get(place, f"frames?{MISSED}{source}")
        assert (proof["detections"], proof["missing"]) == (None, missing)
    by_source = get(place, f"counts?{MISSED}&interval=60&by=source")
    assert {(bar["source"], bar["missing"]) for bar in by_source["not_within"]} == {("gate", missing)}
    [total] = get(place, f"counts?{MISSED}&interval=60&by=source&label=car")["totals"]
    assert (total["source"], total["detections"], total["objects_missing"]) == ("gate", None, missing)
    answer = place.app().test_client().get(f"/api/v1/export?{MISSED}&interval=60")
    rows = csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))
    coverage = "filmed, not analysed" if missing == "not_analysed" else "filmed, not in the zone"
    assert {(row["coverage"], row["detections"], row["objects_missing"]) for row in rows} == {
        (coverage, "", missing)
    }


@pytest.mark.thorough
def test_a_chart_within_a_zone_names_the_uncounted_minutes_beside_the_counted_ones(
    missed: tuple[Place, str],
) -> None:
    place, missing = missed
    chart = get(place, f"counts?{ZONE}")
    assert (chart["from_ms"], chart["interval_s"], chart["seconds_missing"]) == (START_MS, 60, "not_within")
    assert [bar["start_ms"] for bar in chart["coverage"]] == [START_MS + 120_000]
    assert [bar["missing"] for bar in chart["not_within"]] == [missing] * 2
    [hour] = get(place, f"counts?{ZONE}&interval=3600&from={START_MS}&to={START_MS + 3_600_000}")["coverage"]
    assert hour["frames"] == 300
    week = get(place, f"heatmap?{ZONE}")
    assert (len(week["cells"]), week["not_within"]) == (1, [])
    assert [(hour["weekday"], hour["hour"]) for hour in get(place, f"heatmap?{MISSED}")["not_within"]] == [
        (3, 8)
    ]


def test_an_answer_within_a_zone_uses_the_current_drawing(zoned: Place) -> None:
    draw_from(zoned, START_MS + 120_000)
    count(zoned)
    client = zoned.app().test_client()
    question = f"/api/v1/counts?{MISSED}&interval=60"
    for missing in ("not_drawn", "not_analysed"):
        answer = client.get(question)
        assert {bar["missing"] for bar in answer.json["not_within"]} == {missing}
        again = client.get(question, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304
        draw(zoned, ("left side", LEFT))


def test_a_zone_redrawn_over_another_picture_is_not_counted_yet(place: Place) -> None:
    counted_within(place, drive(width_px=480))
    [total] = get(place, f"counts?{ZONE}&label=car")["totals"]
    assert total["objects_missing"] == "other_size"
    redrawn = DrawnZone(name="left side", points=LEFT, width_px=480, height_px=480)
    change_drawing(place.store, "gate", lambda drawing: msgspec.structs.replace(drawing, zones=(redrawn,)))
    [total] = get(place, f"counts?{ZONE}&label=car")["totals"]
    assert total["objects_missing"] == "not_analysed"
    hole = get(place, f"gap?{ZONE}&source=gate&at={START_MS}")
    assert "not counted within left side yet" in hole["reasons"][0]["words"]
    count(place)
    [total] = get(place, f"counts?{ZONE}&label=car")["totals"]
    assert total["detections"] > 0


def test_a_zone_that_fits_no_picture_has_no_number_and_says_why(place: Place) -> None:
    counted_within(place, drive(width_px=480))
    chart = get(place, f"counts?{ZONE}&interval=60")
    assert (chart["sources"], chart["frames"]) == (["gate"], 0)
    assert [bar["missing"] for bar in chart["not_within"]] == ["other_size"] * 3
    assert {total["objects_missing"] for total in (*chart["totals"], *chart["together"])} == {"other_size"}


def test_a_bar_says_other_size_only_where_there_is_footage_while_the_zone_applies(place: Place) -> None:
    put(place, drive(width_px=480))
    draw(place, ("left side", LEFT))
    draw_from(place, START_MS + 600_000)  # in the same hour, after the footage
    count(place)
    hour = f"from={START_MS}&to={START_MS + 3_600_000}"
    [bar] = get(place, f"counts?{ZONE}&interval=3600&{hour}")["not_within"]
    assert bar["missing"] == "not_drawn"


def test_a_source_whose_pictures_do_not_fit_is_named_beside_the_others(place: Place) -> None:
    put(place, [*drive(), *drive("yard", width_px=480)])
    for source in ("gate", "yard"):
        draw(place, ("left side", LEFT), source=source)
    count(place)
    chart = get(place, f"counts?{ZONE}&interval=60")
    assert (chart["sources"], chart["frames"], chart["not_within"]) == (["gate", "yard"], 900, [])
    chart = get(place, f"counts?{ZONE}&interval=60&by=source")
    assert {(bar["source"], bar["missing"]) for bar in chart["not_within"]} == {("yard", "other_size")}
    alone = get(place, f"counts?{ZONE}&interval=60&source=yard")
    assert {total["objects_missing"] for total in alone["together"]} == {"other_size"}


@pytest.mark.thorough
@pytest.mark.parametrize("missing", ["not_drawn", "other_size"])
def test_black_footage_outside_a_zone_counts_as_filmed_in_every_answer(place: Place, missing: str) -> None:
    frames = [
        msgspec.structs.replace(frame, picture_digest=f"{number:04d}", **changes)
        for number, frame in enumerate(drive())
        for changes in [{"shows": "black", "detections": [], "width_px": 480} if number < 300 else {}]
    ]
    put(place, frames)
    draw(place, ("left side", LEFT))
    if missing == "not_drawn":
        draw_from(place, START_MS + 60_000)
    count(place)
    chart = get(place, f"counts?{ZONE}&interval=60")
    assert [(bar["start_ms"], bar["missing"]) for bar in chart["not_within"]] == [(START_MS, missing)]
    assert chart["seconds_missing"] == "shows_nothing"
    minute = f"{ZONE}&from={START_MS}&to={START_MS + 60_000}"
    assert get(place, f"counts?{minute}")["together"][0]["objects_missing"] == missing
    assert get(place, f"frames?{minute}")["missing"] == missing
    hole = get(place, f"gap?{ZONE}&source=gate&at={START_MS}")
    assert [reason["kind"] for reason in hole["reasons"]] == ["not_within"]


@pytest.mark.thorough
def test_a_source_with_an_uncounted_zone_is_in_its_answers_and_one_without_it_is_not(zoned: Place) -> None:
    draw(zoned, ("left side", LEFT), source="yard")
    waiting = drive("lot", start_ms=START_MS + 600_000)
    put_manifest(zoned, waiting[0], waiting[-1], "Lot", frames=900)
    chart = get(zoned, f"counts?{ZONE}&interval=60&by=source")
    assert (chart["sources"], chart["to_ms"]) == (["gate", "yard"], START_MS + 180_000)
    assert chart["not_analysed"] == []
    assert {(bar["source"], bar["missing"]) for bar in chart["not_within"]} == {("yard", "not_analysed")}
    alone = get(zoned, f"counts?{ZONE}&interval=60&source=yard")
    assert alone["together"][0]["objects_missing"] == "not_analysed"


def test_a_bar_across_a_clock_change_has_the_first_reason_of_its_two_parts(place: Place) -> None:
    change_ms = 1_711_846_800_000  # 2024-03-31T01:00:00Z, in Berlin
    put(place, drive(start_ms=change_ms - 60_000, frames=600, width_px=480))
    draw(place, ("left side", LEFT))
    change_drawing(
        place.store,
        "gate",
        lambda drawing: msgspec.structs.replace(
            drawing, zones=(msgspec.structs.replace(drawing.zones[0], to_ms=change_ms),)
        ),
    )
    count(place)
    days = get(place, f"counts?{ZONE}&interval=86400&timezone=Europe/Berlin")
    assert [bar["missing"] for bar in days["not_within"]] == ["other_size"]
    assert days["together"][0]["objects_missing"] == "other_size"
