"""Scheduled reports: made once for each turn of local clocks, complete, stored and sent to each channel."""

from __future__ import annotations

import datetime
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PIL import Image
from tests.alerts.alert_place import AlertPlace, alert_place
from tests.fakes.records import make_count, make_coverage, make_manifest, make_run
from tests.fakes.smtp_server import Received, mail_server

from frametally import keys
from frametally.console import rounds
from frametally.errors import Misconfigured
from frametally.records import encode
from frametally.rules.clocks.turns import ClockTurn
from frametally.rules.times import EPOCH, HOUR_MS, HOUR_S, MILLISECOND
from frametally_alerts import rules
from frametally_alerts.channels.delivery import AlertSender, SentReport
from frametally_alerts.commands import run_rounds
from frametally_alerts.reports import due_reports
from frametally_alerts.reports.due_reports import EverLater
from frametally_alerts.rules import ScheduledReport
from frametally_cli import main as cli

FILES = ["chart.png", "counts.csv", "counts.xlsx", "summary.txt"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[AlertPlace]:
    with alert_place(tmp_path) as opened:
        yield opened


def ms(text: str) -> int:
    return (datetime.datetime.fromisoformat(text) - EPOCH) // MILLISECOND


def quickly(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
    return {"summary.txt": f"{report.name} {turn.day}".encode()}


def stored(place: AlertPlace, name: str) -> dict[str, dict[str, bytes]]:
    """The stored files without their checksums, by day and name."""
    found: dict[str, dict[str, bytes]] = {}
    for info in place.ports.store.list(f"reports/{name}"):
        _, _, day, file = info.key.split("/")
        if file != "checksums.json":
            found.setdefault(day, {})[file] = place.ports.store.get(info.key)
    return found


def told_days(place: AlertPlace) -> list[str]:
    return [alert.files[0].split("/")[2] for alert in place.alerts()]


MONDAY = "2026-05-04"
DUE_MS = ms("2026-05-04T07:00+02:00")


def of_one_day(place: AlertPlace) -> None:
    """A Friday: an hour of cars, an empty hour, and no footage for the rest."""
    place.count({minute: 3 if minute < 660 else 0 for minute in range(600, 720)}, day="2026-05-01")


def test_a_report_has_a_picture_a_table_and_a_workbook_of_the_past_week(place: AlertPlace) -> None:
    of_one_day(place)
    film = make_manifest(5, source="gate", source_name="Main gate")
    place.ports.store.put(keys.media_key(film.sha256), encode(film))
    place.schedule(interval_s=3600, now_ms=DUE_MS - 1)
    assert place.make_reports(DUE_MS - 1) == (0, [])
    assert place.make_reports(DUE_MS) == (1, [])
    files = stored(place, "weekly")[MONDAY]
    assert sorted(files) == FILES
    summary = files["summary.txt"].decode()
    assert summary.startswith("weekly: 2026-04-27 to 2026-05-03, Europe/Berlin\n")
    assert "car  not known" in summary
    assert "180" in summary
    assert "2.0 h filmed" in summary
    assert "Sources: Main gate\n" in summary
    rows = files["counts.csv"].decode("utf-8-sig").splitlines()
    assert len(rows) == 1 + 7 * 24
    seen = {row.split(",")[0]: row.split(",")[4:7] for row in rows[1:]}
    assert seen["2026-05-01T12:00:00+02:00"] == ["footage", "300", "180"]
    assert seen["2026-05-01T13:00:00+02:00"] == ["footage", "300", "0"]
    assert seen["2026-05-01T14:00:00+02:00"] == ["no footage", "0", ""]
    assert openpyxl.load_workbook(io.BytesIO(files["counts.xlsx"]))["Counts"].max_row == len(rows)
    picture = Image.open(io.BytesIO(files["chart.png"]))
    colours = {colour: number for number, colour in picture.convert("RGB").getcolors(1 << 20) or ()}
    assert colours[0x1F, 0x5F, 0xA8] > 1000  # a bar
    assert colours[0xE8, 0xE8, 0xE8] > colours[0xFF, 0xFF, 0xFF] * 0.9  # most of the week was not filmed


def test_each_report_is_sent_once_whatever_checks_how_often_and_whatever_the_clock_does(
    place: AlertPlace,
) -> None:
    place.schedule(now_ms=DUE_MS - 1)
    for hours in (0, 1, 0, -1, -24, 5, 0):
        now_ms = DUE_MS + hours * HOUR_MS
        place.make_reports(now_ms, quickly)
    assert told_days(place) == [MONDAY]
    # A clock that was years ahead blocks nothing once it is right again.
    place.make_reports(DUE_MS + 520 * 7 * 24 * HOUR_MS, quickly)
    assert place.make_reports(DUE_MS + 7 * 24 * HOUR_MS, quickly) == (1, [])
    assert told_days(place)[-1] == "2026-05-11"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("first", "days"),
    [
        ("2026-03-27T12:00Z", ["2026-03-28", "2026-03-29", "2026-03-30"]),
        ("2026-10-23T12:00Z", ["2026-10-24", "2026-10-25", "2026-10-26"]),
    ],
)
def test_each_day_has_one_report_across_a_clock_change(
    place: AlertPlace, first: str, days: list[str]
) -> None:
    """At 02:30, which is skipped in March and occurs twice in October; checked every ten minutes."""
    place.schedule("daily", every="day", at="02:30", now_ms=ms(first))
    for tick in range(66 * 6):
        place.make_reports(ms(first) + tick * 600_000, quickly)
    assert told_days(place) == days


def test_a_late_start_makes_only_the_last_missed_report_and_says_so(place: AlertPlace) -> None:
    place.schedule(now_ms=DUE_MS - 1)
    assert place.make_reports(DUE_MS + 3 * 7 * 24 * HOUR_MS + HOUR_MS, quickly) == (1, [])
    [alert] = place.alerts()
    assert told_days(place) == ["2026-05-25"]
    late = "earlier reports that were due while nothing was running are left out"
    assert alert.detail == f"2026-05-18 to 2026-05-24, Europe/Berlin; {late}"
    assert place.make_reports(DUE_MS + 4 * 7 * 24 * HOUR_MS, quickly) == (1, [])
    assert "left out" not in place.alerts()[-1].detail


def test_a_report_of_an_unfilmed_week_says_so_and_never_shows_0(place: AlertPlace) -> None:
    place.count({0: 3}, day="2026-04-01")
    place.schedule(now_ms=DUE_MS - 1, sources=["gate"], labels=["car"])
    assert place.make_reports(DUE_MS) == (1, [])
    files = stored(place, "weekly")[MONDAY]
    assert "No footage." in files["summary.txt"].decode()
    rows = files["counts.csv"].decode("utf-8-sig").splitlines()[1:]
    assert rows
    assert {tuple(row.split(",")[4:7]) for row in rows} == {("no footage", "0", "")}


def test_footage_not_analysed_yet_is_not_reported_as_missing(place: AlertPlace) -> None:
    place.count({0: 3}, day="2026-04-01")
    first_ms = ms("2026-05-01T08:00Z")
    manifest = make_manifest(9, source="gate", span_ms=(first_ms, first_ms + HOUR_MS))
    place.ports.store.put(keys.media_key(manifest.sha256), encode(manifest))
    place.schedule(now_ms=DUE_MS - 1)
    assert place.make_reports(DUE_MS) == (1, [])
    files = stored(place, "weekly")[MONDAY]
    assert "Some footage has not been analysed yet" in files["summary.txt"].decode()
    assert "No footage" not in files["summary.txt"].decode()
    assert '"filmed, not analysed"' in files["counts.csv"].decode("utf-8-sig")


def test_a_report_on_footage_that_shows_nothing_does_not_call_it_missing(place: AlertPlace) -> None:
    day_ms = keys.day_start_ms("2026-05-01")
    blank = [
        make_coverage(day_ms + hour * HOUR_MS, 0, covered_ms=0, blank=[("black", 300, 60_000)])
        for hour in range(3)
    ]
    assert place.ports.index.publish(make_run(1, digest=f"{1:064d}", day="2026-05-01"), [], blank)
    place.schedule(now_ms=DUE_MS - 1)
    assert place.make_reports(DUE_MS) == (1, [])
    summary = stored(place, "weekly")[MONDAY]["summary.txt"].decode()
    assert "Shows nothing, and is in no number: 3.0 min black." in summary
    assert "No footage" not in summary


def test_a_mailed_summary_gives_the_minimum_of_partly_known_objects(place: AlertPlace) -> None:
    """A camera whose objects were tracked on Friday, not on Saturday; buses that were never tracked."""
    for number, fps in enumerate([5.0, 1.0], start=1):
        day = f"2026-05-0{number}"
        at_ms = keys.day_start_ms(day) + 12 * HOUR_MS
        objects = 5 if fps == 5.0 else None
        counts = [
            make_count(at_ms, label, 10, objects=objects and objects * share, tracked_detections=10 * share)
            for label, share in (("car", 1), ("bus", 0))
        ]
        filmed = make_coverage(at_ms, 5, detections=20, objects=objects, analysed_fps=fps, covered_ms=60_000)
        run = make_run(number, digest=f"{number:064d}", day=day)
        assert place.ports.index.publish(run, counts, [filmed])
    place.schedule(interval_s=86_400, now_ms=DUE_MS - 1)
    assert place.make_reports(DUE_MS) == (1, [])
    summary = stored(place, "weekly")[MONDAY]["summary.txt"].decode()
    rows = {line.split("  ")[0]: line for line in summary.splitlines()}
    assert "at least 5" in rows["car"]
    assert "not known" in rows["bus"]


def test_a_report_is_mailed_with_its_files_and_its_summary(tmp_path: Path) -> None:
    received = Received()
    lines: list[str] = []
    channels = json.dumps({"ops": "mailto:to@example.org"})
    with (
        mail_server(received, tmp_path) as (url, _),
        alert_place(tmp_path, alert_channels=channels, smtp_url=url) as place,
    ):
        of_one_day(place)
        place.schedule(now_ms=DUE_MS - 1)
        place.make_reports(DUE_MS)
        sender = AlertSender(place.ports.settings, place.book, lines.append)
        assert sender.send() == SentReport(sent=1)
        files = stored(place, "weekly")[MONDAY]
    [mail] = received.mails
    assert mail["Subject"] == "frametally: report weekly: 2026-04-27 to 2026-05-03, Europe/Berlin"
    body = mail.get_body()
    said = body.get_content().replace("\r\n", "\n")
    assert said.startswith(files["summary.txt"].decode())
    assert "car  not known" in said
    attached = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
    assert attached.keys() == {*FILES} - {"summary.txt"}
    assert attached["chart.png"] == files["chart.png"]
    assert attached["counts.xlsx"] == files["counts.xlsx"]
    assert lines == []


def test_a_file_too_large_for_a_mail_stays_in_the_store_and_is_named(tmp_path: Path) -> None:
    received = Received()

    def largely(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        return {"summary.txt": b"sum\n", "counts.xlsx": bytes(10_000_001), "chart.png": b"small"}

    channels = json.dumps({"ops": "mailto:to@example.org"})
    with (
        mail_server(received, tmp_path) as (url, _),
        alert_place(tmp_path, alert_channels=channels, smtp_url=url) as place,
    ):
        place.schedule(now_ms=DUE_MS - 1)
        place.make_reports(DUE_MS, largely)
        assert AlertSender(place.ports.settings, place.book, print).send() == SentReport(sent=1)
    [mail] = received.mails
    assert [part.get_filename() for part in mail.iter_attachments()] == ["chart.png"]
    assert f"reports/weekly/{MONDAY}/counts.xlsx" in mail.get_body().get_content()


def test_a_report_that_cannot_be_made_is_reported_and_the_others_are_made(place: AlertPlace) -> None:
    place.schedule("bad", now_ms=DUE_MS - 1)
    place.schedule("good", now_ms=DUE_MS - 1)

    def make(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        if report.name == "bad":
            raise Misconfigured("There is no source named 'gate'.")
        return quickly(report, turn)

    assert place.make_reports(DUE_MS, make) == (1, ["report bad: There is no source named 'gate'."])
    # Once it can be sent, it is.
    assert place.make_reports(DUE_MS + HOUR_MS, quickly) == (1, [])
    assert sorted(alert.rule for alert in place.alerts()) == ["bad", "good"]


@pytest.mark.thorough
def test_a_failed_report_is_retried_at_growing_intervals_up_to_an_hour(place: AlertPlace) -> None:
    place.schedule(now_ms=DUE_MS - 1)
    now_s, tried_s = 0.0, list[float]()

    def fail(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        tried_s.append(now_s)
        raise Misconfigured("There is no source named 'gate'.")

    make = EverLater(fail, clock=lambda: now_s)
    # Checked every minute for a day: each failure is reported, and attempts are rare.
    for at_s in range(0, 24 * HOUR_S, 60):
        now_s = float(at_s)
        assert place.make_reports(DUE_MS, make) == (0, ["report weekly: There is no source named 'gate'."])
    pauses_s = [after_s - before_s for before_s, after_s in itertools.pairwise(tried_s)]
    assert pauses_s[:2] == [60, 60]
    assert max(pauses_s) <= 3660
    assert min(pauses_s[10:]) >= 1800
    assert len(pauses_s) < 60
    # The next due report does not wait for that.
    tried_s.clear()
    place.make_reports(DUE_MS + 7 * 24 * HOUR_MS, make)
    assert len(tried_s) == 1


def test_a_changed_or_recovered_report_is_retried_without_a_longer_wait(place: AlertPlace) -> None:
    place.schedule(sources=["nobody"], now_ms=DUE_MS - 1)
    now_s, is_away, tries = 0.0, True, 0

    def make(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        nonlocal tries
        tries += 1
        if is_away or report.sources:
            raise Misconfigured("There is no source named 'nobody'.")
        return quickly(report, turn)

    later = EverLater(make, clock=lambda: now_s)
    assert place.make_reports(DUE_MS, later)[0] == 0
    assert place.book.remove(ScheduledReport, "weekly")
    place.schedule(now_ms=DUE_MS - 1)
    assert place.make_reports(DUE_MS, later)[0] == 0
    assert tries == 2
    is_away, now_s = False, 10.0
    assert place.make_reports(DUE_MS, later) == (1, [])


def test_rounds_of_one_process_remember_failed_reports(
    place: AlertPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.schedule(every="day", channels=[], now_ms=0)
    tries: list[str] = []

    def fail(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        tries.append(report.name)
        raise Misconfigured("There is no source named 'gate'.")

    monkeypatch.setattr(due_reports, "_FIRST_PAUSE_S", 1000.0)
    monkeypatch.setattr(run_rounds, "maker", lambda *_: fail)
    monkeypatch.setattr(rounds, "repeat", lambda each, **_: [each() for _ in range(3)])
    data_dir = str(place.ports.settings.data_dir)
    assert cli.main(["alerts", "run", "--every", "1s", "--data-dir", data_dir]) == 0
    assert tries == ["weekly"]
    # A person who runs it once triggers an attempt.
    assert cli.main(["alerts", "run", "--data-dir", data_dir]) == 6
    assert len(tries) == 2


def test_with_a_full_outbox_a_report_waits_for_room_and_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_WAITING", 1)
    with alert_place(tmp_path) as place:
        place.rule(threshold=1)
        place.count({0: 1})
        place.look()
        made: list[str] = []

        def make(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
            made.append(report.name)
            return quickly(report, turn)

        place.schedule(now_ms=DUE_MS - 1)
        place.schedule("stored", channels=[], now_ms=DUE_MS - 1)
        waits = ["report weekly: not made yet, because 1 alert is waiting to be sent"]
        assert place.make_reports(DUE_MS, make) == (1, waits)
        for _ in range(3):
            assert place.make_reports(DUE_MS, make) == (0, waits)
        assert made == ["stored"]  # a report that cannot be sent is not made, round after round
        message = place.book.claim("ops", lease_s=60)
        assert message is not None
        place.book.end(message, "sent")
        assert place.make_reports(DUE_MS, make) == (1, [])
        assert made == ["stored", "weekly"]


def test_a_report_without_a_channel_is_only_stored_and_made_once(place: AlertPlace) -> None:
    made: list[Any] = []

    def make(report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        made.append(turn.day)
        return quickly(report, turn)

    place.schedule(channels=[], now_ms=DUE_MS - 1)
    for _ in range(3):
        place.make_reports(DUE_MS, make)
    assert stored(place, "weekly") == {MONDAY: {"summary.txt": b"weekly 2026-05-04"}}
    assert len(made) == 1
    assert place.alerts() == []
