"""`/api/history`: the runs behind a number, the change of each, and its reason."""

from __future__ import annotations

from tests.accounts.people import asking_as, give_accounts
from tests.fakes.records import without_history
from tests.kit.api import get
from tests.web.conftest import Place, Serving
from tests.web.recounted import NOON_MS, Gate, three_changes

from frametally import keys

HOUR = "from=2026-01-01T12:00Z&to=2026-01-01T13:00Z"


def test_each_run_says_what_it_changed_and_why_and_they_add_up_to_the_chart(place: Place) -> None:
    three_changes(place)
    found = get(place, f"history?{HOUR}")
    changes = found["changes"]
    assert [(one["detections_before"], one["detections_after"]) for one in changes] == [
        (0, 10),
        (10, 20),
        (20, 17),
        (17, 21),
        (21, 17),
    ]
    assert [[reason["kind"] for reason in one["reasons"]] for one in changes] == [
        ["first"],
        ["footage"],
        ["forget"],
        ["footage"],
        ["settings"],
    ]
    assert changes[1]["reasons"][0]["text"].startswith(
        "Late footage arrived: 5 frames of gate, from 2026-01-01"
    )
    assert [one["captured_at_ms"] for one in changes[1]["came"]] == [
        NOON_MS + n * 1000 for n in range(20, 25)
    ]
    assert [one["captured_at_ms"] for one in changes[2]["gone"]] == [NOON_MS + n * 1000 for n in range(2, 5)]
    assert changes[4]["reasons"][0]["text"] == "The setting min_confidence changed from 0.25 to 0.5."
    chart = place.app().test_client().get(f"/api/v1/counts?{HOUR}").json
    assert found["detections"] == sum(one["detections"] for one in chart["totals"]) == 17
    assert found["frames"] == changes[-1]["frames_after"] == 16
    assert place.app().test_client().get(changes[2]["gone"][0]["image_url"]).status_code == 200


def test_a_history_covers_the_chosen_labels_and_sources_in_the_requested_zone(place: Place) -> None:
    gate = three_changes(place)
    gate.film(0, 2, "car", source="yard")
    gate.count(count_min_confidence=0.5)
    bus = get(place, f"history?{HOUR}&label=bus")
    assert (bus["detections"], bus["changes"][1]["detections_after"]) == (5, 5)
    yard = get(place, f"history?{HOUR}&source=yard&timezone=Asia/Kolkata")
    [change] = yard["changes"]
    assert change["reasons"][0]["text"].endswith("from 2026-01-01 17:30 to 2026-01-01 18:30.")
    assert (yard["detections"], yard["other_runs"]) == (2, 5)


def test_the_answer_covers_the_range_in_whole_hours(place: Place) -> None:
    Gate(place).film(0, 2, "car")
    Gate(place).count()
    found = get(place, "history?from=2026-01-01T12:00:01Z&to=2026-01-01T12:00:02Z")
    assert (found["from_ms"], found["to_ms"]) == (NOON_MS, NOON_MS + 3_600_000)
    assert found["detections"] == 2


def test_missing_pictures_and_parts_are_reported_as_missing(place: Place) -> None:
    three_changes(place)
    shown = get(place, f"history?{HOUR}")["changes"]
    place.store.delete(shown[2]["gone"][0]["image_path"])
    for info in list(place.store.list(keys.OUTPUT)):
        if "run=000003" in info.key:
            place.store.delete(info.key)
    found = get(place, f"history?{HOUR}")["changes"]
    assert [one["image_url"] is None for one in found[2]["gone"]] == [True, False, False]
    assert [one["note"] for one in found] == [
        None,
        None,
        "frametally no longer has the part files of this run.",
        None,
        None,
    ]
    assert [one["detections_after"] for one in found] == [one["detections_after"] for one in shown]


def test_an_invalid_request_is_refused_and_no_change_is_an_empty_history(place: Place) -> None:
    assert get(place, "history?")["changes"] == []
    gate = Gate(place)
    gate.film(0, 1, "car")
    gate.film(60 * 86_400, 1, "car")
    gate.count()
    assert get(place, "history?", status=400)["detail"] == "A history can cover at most 31 days."
    assert get(place, f"history?{HOUR}&source=nowhere", status=400)["parameter"] == "source"
    assert get(place, f"history?{HOUR}&hours=08:00-09:00", status=400)["parameter"] == "hours"
    assert get(place, "history?from=2026-01-05&to=2026-01-06")["changes"] == []


def test_a_day_without_a_history_is_named(place: Place) -> None:
    gate = Gate(place)
    gate.film(0, 1, "car")
    gate.count()
    [run] = place.real_index.current_runs()
    without_history(place.store, run)
    assert (get(place, f"history?{HOUR}")["changes"], get(place, f"history?{HOUR}")["unknown_days"]) == (
        [],
        ["2026-01-01"],
    )


def test_a_visitor_limited_to_some_sources_sees_only_their_history(place: Place, serving: Serving) -> None:
    gate = three_changes(place)
    gate.film(0, 2, "car", source="yard")
    gate.count(count_min_confidence=0.5)
    give_accounts(place, sources=("yard",))
    with asking_as(serving(place.app()), "lukas") as limited:
        found = limited("GET", f"/api/v1/history?{HOUR}")
        page = limited("GET", f"/history?{HOUR}").body.decode()
    assert [one["detections_after"] for one in found.json["changes"]] == [2]
    assert "gate" not in found.body.decode()
    assert "cam.mp4" not in page
    assert "0 → 2" in page
