"""Rules on the state of the books (uncounted footage, failed checks) and on speeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.alerts.alert_place import DAY_MS, MINUTE_MS, AlertPlace, alert_place
from tests.fakes.records import make_manifest

from frametally import keys
from frametally.books.quality_reports import QualityCheck, QualityReport
from frametally.live_records import LiveMinute, Outage, PictureDoubt
from frametally.ports.count_index import IndexDamaged
from frametally.records import Run, encode
from frametally_alerts.conditions import interval_values
from frametally_traffic.flows.day_columns import VISIT_COLUMNS, FlowColumns

HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def place(tmp_path: Path) -> Iterator[AlertPlace]:
    with alert_place(tmp_path) as found:
        yield found


def announce(place: AlertPlace, until_ms: int) -> None:
    """Footage of `gate` that was announced to the log."""
    manifest = make_manifest(9, source="gate", span_ms=(DAY_MS, until_ms))
    place.ports.store.put(keys.media_key(manifest.sha256), encode(manifest))


def test_footage_that_waits_too_long_is_reported_once_and_again_when_it_is_counted(place: AlertPlace) -> None:
    place.rule("late", what="not_up_to_date", lasting="10m")
    now_ms = DAY_MS + HOUR_MS
    place.count({0: 1, 1: 1})
    announce(place, DAY_MS + 20 * MINUTE_MS)
    assert place.look(now_ms).alert_count == 0
    assert place.look(now_ms + 9 * MINUTE_MS).alert_count == 0
    announce(place, DAY_MS + 30 * MINUTE_MS)  # more arrives meanwhile: frames have been waiting since then
    assert place.look(now_ms + 10 * MINUTE_MS).alert_count == 1
    assert place.look(now_ms + 20 * MINUTE_MS).alert_count == 0
    assert place.look(now_ms - HOUR_MS).alert_count == 0  # a clock that was set back
    [alert] = place.alerts()
    assert (alert.source, alert.start_ms, alert.end_ms) == ("gate", DAY_MS + 2 * MINUTE_MS, None)
    place.count(dict.fromkeys(range(31), 1))
    assert place.look(now_ms + 30 * MINUTE_MS).alert_count == 1
    over = place.alerts()[1]
    assert (over.key, over.revision, over.end_ms) == (alert.key, 2, DAY_MS + 30 * MINUTE_MS)
    assert place.look(now_ms + 9 * HOUR_MS).alert_count == 0


def show(place: AlertPlace, minute: int, *doubts: PictureDoubt, outage: Outage | None = None) -> None:
    """A minute of the camera `gate`, as its capture stores it."""
    start_ms = DAY_MS + minute * MINUTE_MS
    live = LiveMinute(
        session_ms=1, minute_ms=start_ms, doubts=[*doubts], outages=[outage] if outage is not None else []
    )
    manifest = make_manifest(
        300, media=f"{minute:064x}", source="gate", live=live, span_ms=(start_ms, start_ms + MINUTE_MS - 200)
    )
    place.ports.store.put(keys.media_key(manifest.sha256), encode(manifest))


def test_a_lasting_black_or_frozen_picture_is_reported_and_again_when_it_is_over(place: AlertPlace) -> None:
    place.rule("covered", what="black_or_frozen", lasting="1m")
    black_ms = DAY_MS + 30_000
    show(place, 0, PictureDoubt("black", black_ms, DAY_MS + MINUTE_MS - 200))
    assert place.look().alert_count == 0, "not for as long as the rule says"
    show(place, 1, PictureDoubt("black", black_ms, DAY_MS + 2 * MINUTE_MS - 1200))
    assert place.look().alert_count == 1
    assert place.look().alert_count == 0
    show(place, 2)
    assert place.look().alert_count == 1
    still_ms = DAY_MS + 3 * MINUTE_MS
    away = Outage(still_ms + MINUTE_MS - 200, None, "said nothing for 5 s")
    show(place, 3, PictureDoubt("frozen", still_ms - MINUTE_MS, away.from_ms), outage=away)
    assert place.look().alert_count == 1
    assert [(one.detail, one.start_ms, one.end_ms, one.revision) for one in place.alerts()] == [
        ("the picture is black", black_ms, None, 1),
        ("the picture is black", black_ms, DAY_MS + 2 * MINUTE_MS - 1200, 2),
        ("the picture does not change: it may be frozen", still_ms - MINUTE_MS, away.from_ms, 1),
    ]
    place.ports.store.delete(keys.media_key(f"{3:064x}"))
    assert place.look().alert_count == 1
    assert place.alerts()[-1].state == "withdrawn"


def report(place: AlertPlace, run: Run, *, passed: bool) -> None:
    check = QualityCheck(name="boxes lie in frames", passed=passed, count=3, details=["<b>gate</b>\nx"])
    found = QualityReport(
        run_id=run.run_id,
        model=run.model,
        params=run.params,
        interval_s=run.interval_s,
        day=run.day,
        frames=1,
        detections=1,
        duplicates_dropped=0,
        lines_dead=0,
        set_aside=[],
        checks=[check],
    )
    place.ports.store.put(found.key, encode(found))


def test_a_failed_check_is_reported_and_withdrawn_when_its_day_passes(place: AlertPlace) -> None:
    place.rule("checks", what="quality")
    place.count({0: 1})
    report(place, place.ports.index.current_runs()[0], passed=False)
    assert place.look().alert_count == 1
    assert place.look().alert_count == 0
    [alert] = place.alerts()
    assert (alert.label, alert.value, alert.start_ms) == ("boxes lie in frames", 3, DAY_MS)
    assert "\n" not in alert.detail
    place.count({0: 2})
    report(place, place.ports.index.current_runs()[0], passed=True)
    assert place.look().alert_count == 1
    assert place.alerts()[1].state == "withdrawn"


@pytest.mark.parametrize("labels", [(), ("chain unbroken",)])
def test_a_damaged_report_is_reported_whatever_its_checks_are_until_it_is_restored(
    place: AlertPlace, labels: tuple[str, ...]
) -> None:
    place.rule("checks", what="quality", labels=labels)
    place.count({0: 1})
    run = place.ports.index.current_runs()[0]
    report(place, run, passed=True)
    key = keys.quality_key(run.prefix)
    whole = place.ports.store.get(key)
    place.ports.store.put(key, whole[:-10])
    assert place.look().alert_count == 1
    assert place.look().alert_count == 0
    [alert] = place.alerts()
    assert (alert.label, alert.value, alert.start_ms) == ("report", 1, DAY_MS)
    assert key in alert.detail
    assert "run `frametally aggregate --all`" in alert.detail
    place.ports.store.put(key, whole)
    assert place.look().alert_count == 1
    assert place.alerts()[1].state == "withdrawn"
    assert place.look().alert_count == 0


def test_a_failed_check_is_withdrawn_when_its_report_is_renewed(place: AlertPlace) -> None:
    place.rule("checks", what="quality")
    place.count({0: 1})
    run = place.ports.index.current_runs()[0]
    report(place, run, passed=False)
    assert place.look().alert_count == 1
    report(place, run, passed=True)
    assert place.look().alert_count == 1
    assert place.alerts()[1].state == "withdrawn"
    assert place.look().alert_count == 0


def test_speed_alerts_use_the_speed_that_85_percent_do_not_exceed(
    place: AlertPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenths = [300] * 17 + [420, 500, 900, 990]
    columns: dict[str, list[int]] = {name: [0] * (len(tenths) + 1) for name in VISIT_COLUMNS}
    columns["visit_time"] = [MINUTE_MS + 1] * len(tenths) + [5 * MINUTE_MS]
    columns["visit_speed"] = [*tenths, 0]
    columns["visit_speed_missing"] = [0] * len(tenths) + [1]
    flows = FlowColumns("m", "gate", DAY_MS, ("car",), (), (), (), columns)
    monkeypatch.setattr(interval_values, "flows_for", lambda *_: iter([flows]))
    place.rule("fast", what="speed", threshold=40)
    place.rule("slow", what="speed", threshold=40, below=True)
    place.count(dict.fromkeys(range(10), 1))
    place.look()
    assert [(alert.rule, alert.value) for alert in place.alerts()] == [("fast", 42)]


def test_a_damaged_index_is_reported_and_other_rules_are_checked(
    place: AlertPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: Any) -> Any:
        raise IndexDamaged("2026-01-01 of m")

    place.rule("a", threshold=1)
    place.rule("work", what="work_failed")
    place.count({0: 1})
    monkeypatch.setattr(type(place.ports.index), "histogram", damaged)
    found = place.look()
    assert found.rules == 2
    [problem] = found.problems
    assert problem.startswith("rule a: the count index is damaged")
