"""Rules are checked in event time: each finding is sent once, and corrected if footage arrives late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.alerts.alert_place import AFTERWARDS_MS, DAY_MS, MINUTE_MS, AlertPlace, alert_place
from tests.fakes.records import make_count, make_coverage, make_manifest, make_run
from tests.videos.video_records import make_video

from frametally.records import encode
from frametally_alerts import rules
from frametally_alerts.channels.wording import text_of
from frametally_alerts.rule_form import RuleRefused

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def place(tmp_path: Path) -> Iterator[AlertPlace]:
    with alert_place(tmp_path) as found:
        yield found


def test_a_value_above_the_threshold_is_reported_once_with_that_value(place: AlertPlace) -> None:
    place.rule(threshold=10)
    place.count({0: 3, 1: 12, 2: 15, 3: 4, 5: 10})
    assert place.look().alert_count == 2
    assert place.told() == [(1, "told 1", 12), (5, "told 1", 10)]
    assert place.look().alert_count == 0
    place.count({0: 3, 1: 12, 2: 15, 3: 4, 5: 10, 9: 2})
    assert place.look().alert_count == 0


def test_a_muted_rule_sends_nothing_and_does_not_catch_up_later(place: AlertPlace) -> None:
    place.rule(threshold=10)
    place.count({1: 12})
    place.look()
    place.book.mute_rule("busy", rules.FOR_GOOD)
    assert place.told() == []  # nor what waited
    place.count({1: 12, 3: 15})
    place.look()
    place.book.mute_rule("busy", 0)
    place.look()
    assert place.told() == []
    place.count({1: 12, 3: 15, 5: 11})
    place.look()
    assert place.told() == [(5, "told 1", 11)]
    place.book.mute_rule("busy", 1)  # that time has passed
    place.count({1: 12, 3: 15, 5: 11, 7: 13})
    place.look()
    assert [alert[0] for alert in place.told()] == [5, 7]


def test_the_note_of_a_rule_is_in_each_of_its_active_alerts(place: AlertPlace) -> None:
    place.rule(threshold=10, note="Call the gate office.")
    place.count({1: 12})
    place.look()
    place.count({1: 15})
    place.look()
    place.count({1: 3})
    place.look()
    alerts = [message.alert for message in place.book.messages(10)[0]]
    assert [(alert.state, alert.revision) for alert in alerts] == [("withdrawn", 3), ("told", 2), ("told", 1)]
    has_note = ["Call the gate office." in text_of(alert).splitlines() for alert in alerts]
    assert has_note == [False, True, True]


def test_a_rule_fires_only_if_the_value_lasts_long_enough(place: AlertPlace) -> None:
    place.rule(threshold=10, lasting="3m")
    place.count({0: 11, 1: 12, 2: 3, 3: 11, 4: 19, 5: 12, 6: 11})
    place.look()
    assert place.told() == [(3, "told 1", 19)]
    assert place.alerts()[0].end_ms == DAY_MS + 6 * MINUTE_MS


def test_unfilmed_time_never_counts_as_zero(place: AlertPlace) -> None:
    place.rule(threshold=2, below=True)
    place.count({0: 3, 1: 0, 3: 1, 9: 5})
    place.look()
    assert place.told() == [(1, "told 1", 0), (3, "told 1", 1)]


def test_black_footage_never_counts_as_few_objects(place: AlertPlace) -> None:
    place.rule(threshold=1, below=True)
    place.rule("objects", measure="objects", threshold=1, below=True)
    coverage = [
        make_coverage(DAY_MS, 5, objects=0, analysed_fps=5.0, covered_ms=MINUTE_MS, blank=[]),
        make_coverage(DAY_MS + MINUTE_MS, 0, covered_ms=0, blank=[("black", 300, MINUTE_MS)]),
        make_coverage(
            DAY_MS + 2 * MINUTE_MS, 5, objects=2, covered_ms=20_000, blank=[("black", 200, 40_000)]
        ),
    ]
    assert place.ports.index.publish(make_run(1), [], coverage)
    place.look()
    assert {(alert.rule, alert.start_ms) for alert in place.alerts()} == {
        ("busy", DAY_MS),
        ("objects", DAY_MS),
    }


def test_without_tracking_a_partly_black_interval_never_counts_as_few_objects(place: AlertPlace) -> None:
    place.rule(threshold=1, below=True)
    place.rule("many", threshold=2)
    coverage = [
        make_coverage(DAY_MS + minute * MINUTE_MS, frames, blank=[("black", 300 - frames, 0)])
        for minute, frames in ((0, 300), (2, 200), (4, 290), (6, 200))
    ]
    counted = make_count(interval_start_ms=DAY_MS + 6 * MINUTE_MS, detections=3)
    assert place.ports.index.publish(make_run(1), [counted], coverage)
    place.look()
    assert {(alert.rule, (alert.start_ms - DAY_MS) // MINUTE_MS) for alert in place.alerts()} == {
        ("busy", 0),
        ("busy", 4),
        ("many", 6),
    }


def test_a_partly_filmed_interval_never_counts_as_few_objects(place: AlertPlace) -> None:
    place.rule(threshold=2, below=True)
    place.rule("many", threshold=2)
    place.count({0: 1, 1: 3}, covered_ms=MINUTE_MS // 4)
    place.look()
    assert place.told() == [(1, "told 1", 3)]


def test_late_footage_sends_a_correction_with_the_same_key_and_the_next_revision(place: AlertPlace) -> None:
    place.rule(threshold=10)
    place.count({1: 12, 2: 3, 5: 20})
    place.look()
    place.count({1: 17, 2: 3, 5: 2, 7: 30})
    place.look()
    assert place.told() == [
        (1, "told 1", 12),
        (5, "told 1", 20),
        (1, "told 2", 17),
        (5, "withdrawn 2", 20),
        (7, "told 1", 30),
    ]
    first, _, corrected, *_ = place.alerts()
    assert (corrected.key, corrected.earlier_value) == (first.key, 12)
    place.count({1: 12, 2: 3, 5: 20})
    place.look()
    assert place.told()[5:] == [(1, "told 3", 12), (5, "told 3", 20), (7, "withdrawn 2", 30)]


def test_late_footage_of_the_previous_day_moves_the_start_across_midnight(place: AlertPlace) -> None:
    place.rule(threshold=10, lasting="2m")
    last = 24 * 60 - 1
    place.count({last: 3})
    place.count({0: 11, 1: 12, 2: 3}, day="2026-01-02")
    place.look()
    place.count({last: 13})
    place.look()
    day = 24 * 60
    assert place.told() == [(day, "told 1", 12), (last, "told 1", 13), (day, "withdrawn 2", 12)]


def test_late_footage_of_the_next_day_completes_an_alert_that_began_before_midnight(
    place: AlertPlace,
) -> None:
    place.rule(threshold=10, lasting="2m")
    last = 24 * 60 - 1
    place.count({last: 13})
    place.count({0: 3}, day="2026-01-02")
    assert place.look().alert_count == 0
    place.count({0: 11}, day="2026-01-02")
    place.look()
    assert place.told() == [(last, "told 1", 13)]


def test_an_alert_for_forgotten_footage_is_withdrawn(place: AlertPlace) -> None:
    place.rule(threshold=10)
    place.count({1: 12})
    place.look()
    place.count({2: 1})
    place.look()
    assert place.told() == [(1, "told 1", 12), (1, "withdrawn 2", 12)]


def test_an_interval_is_reported_only_once_it_is_complete(place: AlertPlace) -> None:
    place.rule(threshold=10)
    place.count({0: 12})
    assert place.look(now_ms=DAY_MS + 30_000).alert_count == 0
    place.count({0: 15, 1: 0})
    assert place.look(now_ms=DAY_MS + 70_000).alert_count == 1
    place.count({0: 15, 1: 0, 2: 30})
    assert place.look(now_ms=DAY_MS + 150_000).alert_count == 0
    report = place.look(now_ms=DAY_MS + HOUR_MS)  # no footage follows: by the clock it is complete
    assert report.alert_count == 1
    assert place.told() == [(0, "told 1", 15), (2, "told 1", 30)]


def test_unmeasured_objects_are_neither_none_nor_few(place: AlertPlace) -> None:
    """Too slow, and too weak with boxes outside of tracks: in minutes 1 and 2; 0 objects, measured, in 3."""
    for name, labels in (("any", []), ("cars", ["car"])):
        place.rule(name, measure="objects", threshold=2, below=True, labels=labels)
    place.rule("many", measure="objects", threshold=3)
    place.objects(
        {
            0: (5, 50, 50),
            1: (None, 9, None),
            2: (1, 9, 4),
            3: (0, 0, 0),
            4: (3, 9, 1),
            5: (4, 9, 9),
            6: (None, 0, None),
        }
    )
    place.look()
    assert sorted(place.told()) == [(0, "told 1", 5), *[(3, "told 1", 0)] * 2, (5, "told 1", 4)]


def test_where_some_objects_were_too_fast_the_others_can_be_many_but_never_few(place: AlertPlace) -> None:
    place.rule("few", measure="objects", threshold=10, below=True)
    place.rule("many", measure="objects", threshold=5)
    place.objects({0: (7, 50, 30), 1: (4, 50, 30)}, fast=3)
    place.look()
    assert place.told() == [(0, "told 1", 7)]


def test_a_label_that_could_not_be_followed_does_not_hide_the_many_of_another(place: AlertPlace) -> None:
    place.rule("many", measure="objects", threshold=20)
    place.rule("few", measure="objects", threshold=100, below=True)
    followed = {"bus": (0, 5, 0), "car": (24, 90, 90), "truck": (0, 5, 0), "van": (1, 9, 9)}
    counts = [
        make_count(
            DAY_MS, label, boxes, source="gate", objects=objects, tracked_detections=tracked, fast_objects=0
        )
        for label, (objects, boxes, tracked) in followed.items()
    ]
    coverage = make_coverage(
        DAY_MS, 5, source="gate", detections=109, objects=25, analysed_fps=5.0, covered_ms=MINUTE_MS
    )
    assert place.ports.index.publish(make_run(1), counts, [coverage])
    place.look()
    assert place.told() == [(0, "told 1", 25)]


@pytest.mark.parametrize(("interval", "waits_ms"), [("1m", 600_000), ("15m", 900_000)])
def test_without_newer_footage_an_interval_is_settled_after_ten_minutes_or_its_own_length(
    place: AlertPlace, interval: str, waits_ms: int
) -> None:
    place.rule(threshold=1, interval=interval)
    minutes = int(interval[:-1])
    place.count({minutes - 1: 12})
    ends_ms = DAY_MS + minutes * MINUTE_MS
    assert place.look(now_ms=ends_ms + waits_ms - 1).alert_count == 0
    assert place.look(now_ms=ends_ms + waits_ms).alert_count == 1


def test_sources_and_labels_are_reported_separately(place: AlertPlace) -> None:
    place.rule(threshold=5)
    place.rule("car", threshold=5, labels=["car"])
    place.rule("bus", threshold=5, labels=["bus"])
    place.rule("quay", threshold=5, sources=["Quay"])
    place.publish({"gate": {1: 7}, "quay": {2: 8}})
    place.look()
    found = {(alert.rule, alert.source, alert.label, alert.value) for alert in place.alerts()}
    assert found == {
        ("busy", "gate", "", 7),
        ("busy", "quay", "", 8),
        ("car", "gate", "car", 7),
        ("car", "quay", "car", 8),
        ("quay", "quay", "", 8),
    }


def test_crossings_and_zones_are_read_from_their_series(place: AlertPlace) -> None:
    place.rule("over", what="crossings", line="stop line", threshold=4, sources=["gate"])
    place.rule("left", what="crossings", line="stop line", direction="to_left", threshold=4)
    place.rule("few", what="crossings", line="no such line", threshold=4, below=True)
    place.rule("full", what="occupancy", zone="hall", threshold=6)
    place.rule("all", what="occupancy", threshold=6)
    place.count({1: 9, 2: 1})
    line = "gate/line/stop%20line"
    place.publish({f"{line}/to_left": {1: 3, 2: 0}, f"{line}/to_right": {1: 2, 2: 1}}, model="m~flows")
    place.publish({"gate/zone/hall": {1: 2, 2: 7}}, model="m~zones")
    place.look()
    assert {(alert.rule, alert.source, alert.value) for alert in place.alerts()} == {
        ("over", "gate", 5),
        ("full", "gate", 7),
        ("all", "gate", 9),
    }


SECOND_MS = 1000
FIRST = (0, 1_236_200)
"""From 00:00:00 to the last frame at 00:20:36.2."""
LATER = (2_113_400, 2_700_000)
"""From 00:35:13.4, which is 14 min 37.2 s later, to 00:45:00."""


def gaps(place: AlertPlace) -> list[tuple[int, int | None, str, int]]:
    """The alerts in the outbox: start and end by ms of the day, state and revision."""
    return [
        (one.start_ms - DAY_MS, one.end_ms and one.end_ms - DAY_MS, one.state, one.revision)
        for one in place.alerts()
    ]


def count_by(place: AlertPlace, interval_s: int) -> None:
    """Count that footage in bars."""
    bar_ms = interval_s * 1000
    bars = [ms // bar_ms for first, last in (FIRST, LATER) for ms in range(first, last + bar_ms, bar_ms)]
    run = make_run(place.published, digest=f"{interval_s:064d}", interval_s=interval_s)
    place.published += 1
    coverage = [
        make_coverage(DAY_MS + bar * bar_ms, 5, interval_s=interval_s, covered_ms=bar_ms)
        for bar in sorted({*bars})
    ]
    assert place.ports.index.publish(run, [], coverage)


def test_missing_footage_is_reported_and_ends_and_is_never_a_number(place: AlertPlace) -> None:
    place.rule("away", what="no_footage", lasting="10m", sources=["gate"])
    place.rule("few", threshold=1, below=True)
    place.film(FIRST, LATER)
    place.look(now_ms=DAY_MS + 46 * MINUTE_MS)
    assert gaps(place) == [(FIRST[1], LATER[0], "told", 1)]
    assert place.alerts()[0].value is None
    place.look(now_ms=DAY_MS + 55 * MINUTE_MS)
    assert gaps(place)[1:] == [(LATER[1], None, "told", 1)]
    place.film(FIRST, LATER, (HOUR_MS + 300, 2 * HOUR_MS))
    place.look(now_ms=DAY_MS + 2 * HOUR_MS)
    assert gaps(place)[2:] == [(LATER[1], HOUR_MS + 300, "told", 2)]
    place.film((0, LATER[0]), LATER, (HOUR_MS + 300, 2 * HOUR_MS))
    place.look(now_ms=DAY_MS + 2 * HOUR_MS)
    assert gaps(place)[3:] == [(FIRST[1], LATER[0], "withdrawn", 2)]


def test_a_gap_is_measured_to_the_millisecond_and_recounting_in_other_bars_does_not_repeat_it(
    place: AlertPlace,
) -> None:
    place.rule("dark", what="no_footage", lasting="877s", sources=["gate"])
    place.rule("longer", what="no_footage", lasting="878s", sources=["gate"])
    place.film(FIRST, LATER)
    now_ms = DAY_MS + LATER[1] + SECOND_MS
    for interval_s in (1, 60, 300):
        count_by(place, interval_s)
        place.look(now_ms=now_ms)
    assert gaps(place) == [(FIRST[1], LATER[0], "told", 1)]


def test_single_pictures_can_have_gaps_within_a_day(place: AlertPlace) -> None:
    place.rule("dark", what="no_footage", lasting="10m", sources=["gate"])
    names = [f"{DAY_MS + minute * MINUTE_MS}-0a" for minute in (0, 1, 2, 9, 30, 31)]
    manifest = make_manifest(
        len(names),
        source="gate",
        kind="pictures",
        announced_pictures=names,
        span_ms=(DAY_MS, DAY_MS + 31 * MINUTE_MS),
    )
    place.ports.store.put(manifest.key, encode(manifest))
    for _ in range(2):
        place.look(now_ms=DAY_MS + 32 * MINUTE_MS)
    assert gaps(place) == [(9 * MINUTE_MS, 30 * MINUTE_MS, "told", 1)]
    names.append(f"{DAY_MS + 50 * MINUTE_MS}-0a")
    more = msgspec.structs.replace(
        manifest, frames_announced=len(names), last_captured_at_ms=DAY_MS + 50 * MINUTE_MS
    )
    place.ports.store.put(more.key, encode(more))
    place.look(now_ms=DAY_MS + 51 * MINUTE_MS)
    assert gaps(place)[1:] == [(31 * MINUTE_MS, 50 * MINUTE_MS, "told", 1)]


def test_a_clock_that_is_set_back_withdraws_and_repeats_nothing(place: AlertPlace) -> None:
    place.rule("away", what="no_footage", lasting="10m", sources=["gate"])
    place.rule(threshold=3)
    place.film((0, MINUTE_MS))
    place.count({0: 3})
    place.look(now_ms=DAY_MS + HOUR_MS)
    told = place.told()
    assert len(told) == 2
    for now_ms in (DAY_MS, DAY_MS - 365 * 24 * HOUR_MS, DAY_MS + HOUR_MS, AFTERWARDS_MS):
        place.look(now_ms=now_ms)
    assert place.told() == told


def test_failed_work_is_reported_once_per_failure(place: AlertPlace) -> None:
    place.rule("work", what="work_failed", since_ms=DAY_MS)
    place.rule("done", what="work_finished", since_ms=DAY_MS, labels=["checks"])
    catalogue = place.ports.catalogue
    video = make_video(1, name="<b>gate</b>\nx")
    catalogue.put_video(video, "1")
    for kind, state in (("frames", "failed"), ("checks", "done"), ("previews", "done")):
        catalogue.queue(video.id, kind)  # type: ignore[arg-type]
        job = catalogue.claim("w", (kind,), lease_s=60)  # type: ignore[arg-type]
        assert job is not None
        catalogue.end(job, state, reason="it is cut short" if state == "failed" else None)  # type: ignore[arg-type]
    place.look()
    place.look()
    found = [(one.rule, one.label, one.detail) for one in place.alerts()]
    assert found == [
        ("done", "checks", "<b>gate</b> x"),
        ("work", "frames", "<b>gate</b> x: it is cut short"),
    ]


def test_a_full_outbox_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_WAITING", 3)
    with alert_place(tmp_path) as place:
        place.rule(threshold=1)
        place.count({0: 1, 2: 2, 4: 3})
        assert place.look().alert_count == 3
        place.count({0: 1, 2: 2, 4: 3, 6: 4})
        report = place.look()
        assert report.alert_count == 0
        assert "3 alerts are waiting" in report.problems[0]
        message = place.book.claim("ops", lease_s=60)
        assert message is not None
        place.book.end(message, "sent")
        assert place.look().alert_count == 1
        assert [start for start, *_ in place.told()] == [0, 2, 4, 6]


def test_a_rule_that_fits_no_counts_is_reported_and_the_others_are_checked(place: AlertPlace) -> None:
    place.rule("odd", threshold=1, interval="30s")
    place.rule(threshold=1)
    place.count({0: 1})
    report = place.look()
    assert report.alert_count == 1
    [problem] = report.problems
    assert problem.startswith("rule odd: its interval of 30s is not a multiple of a counted interval (1m)")


def test_footage_not_counted_yet_is_not_a_gap(place: AlertPlace) -> None:
    place.film(FIRST)
    place.rule("dark", what="no_footage", sources=["gate"], lasting="10m")
    report = place.look()
    assert (report.alert_count, report.problems) == (1, [])
    assert gaps(place) == [(FIRST[1], None, "told", 1)]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "x" * 101}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "a\u202eb"}),
        ("channels", {"channels": []}),
        ("threshold", {}),
        ("threshold", {"threshold": float("nan")}),
        ("threshold", {"threshold": -1}),
        ("threshold", {"threshold": 0, "below": True}),
        ("threshold", {"what": "no_footage", "threshold": 1, "lasting": "5m", "sources": ["gate"]}),
        ("interval", {"threshold": 1, "interval": "7m"}),
        ("interval", {"threshold": 1, "interval": "soon"}),
        ("for", {"threshold": 1, "lasting": "90s"}),
        ("for", {"what": "not_up_to_date"}),
        ("sources", {"what": "no_footage", "lasting": "5m"}),
        ("labels", {"threshold": 1, "labels": ["x" * 10_000_000]}),
        ("line", {"what": "crossings", "threshold": 1}),
        ("line", {"threshold": 1, "line": "x"}),
        ("zone", {"what": "speed", "threshold": 1, "zone": "x"}),
        ("timezone", {"threshold": 1, "timezone": "Mars/Olympus"}),
        ("note", {"threshold": 1, "note": "two\nlines"}),
        ("since", {"threshold": 1, "since_ms": 10**18}),
    ],
)
def test_an_invalid_rule_is_refused_by_its_field(
    place: AlertPlace, field: str, given: dict[str, Any]
) -> None:
    with pytest.raises(RuleRefused) as refused:
        place.rule(**{"name": "n", **given})
    assert refused.value.field == field
    assert len(str(refused.value)) < 300
    assert "\n" not in str(refused.value)
