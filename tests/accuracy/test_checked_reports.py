"""Scheduled reports show the interval of an accuracy check next to the counts that it covers."""

from __future__ import annotations

from contextlib import closing

import pytest
from tests.accuracy.test_accuracy_checks import FRAMES, right_counts
from tests.capabilities import needs
from tests.web.conftest import START_MS, Place
from tests.web.counted_footage import make_lines, publish_lines
from tests.web.test_export_tables import rows_of

from frametally.adapters_by_url import open_object_store
from frametally.media.manifests import list_manifests
from frametally.process.reports import NoProgress
from frametally.rules.times import DAY_MS
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.sent import CheckWanted
from frametally_accuracy.starting import start_check
from frametally_web.charts.media_times import MediaTimes


@pytest.mark.thorough
@needs("alerts")
def test_a_report_shows_the_interval_beside_the_boxes_and_its_basis(place: Place) -> None:
    from frametally_alerts.reports.due_reports import turn_of
    from frametally_alerts.reports.report_files import make_files
    from frametally_alerts.rules import ScheduledReport

    place.store = open_object_store(place.settings.store_url)
    publish_lines(place, make_lines("gate", frames=FRAMES))
    media = MediaTimes(list_manifests(place.store))
    report = ScheduledReport(name="daily", every="day", at_minute=360, zone="UTC")
    turn = turn_of(report, START_MS + 2 * DAY_MS)
    turn = turn._replace(from_ms=turn.from_ms - DAY_MS)
    before = make_files(place.real_index, place.settings, media, report, turn)
    place.ledger.refresh(place.store, NoProgress())
    footage = CheckFootage(place.store, place.ledger, place.real_index, place.settings)
    truth = right_counts()
    with closing(AccuracyBook(place.settings.catalogue_url)) as book:
        form = CheckWanted(name="gate-may", labels=["car"])
        check = start_check(book, footage, form, most_units=100)
        assert make_files(place.real_index, place.settings, media, report, turn) == before
        for unit in book.units(check.id):
            counts = {"car": truth[unit.image_path]["car"]}
            book.answer(check, unit.number, person="anna", counts=counts)
    files = make_files(place.real_index, place.settings, media, report, turn)
    lines = files["summary.txt"].decode().splitlines()
    (cars,) = (line for line in lines if line.startswith("car "))
    (buses,) = (line for line in lines if line.startswith("bus "))
    low, high = (int(word) for word in cars.rpartition("(")[2].rstrip(")").split(" to "))
    assert low <= sum(one["car"] for one in truth.values()) <= high
    assert "(" not in buses
    (rests_on,) = (line for line in lines if line.startswith("In brackets: "))
    assert rests_on.startswith("In brackets: gate-may: 95% intervals, checked by anna on 20")
    assert rests_on.endswith("100 frames, model m")
    assert {row["check"] for row in rows_of(files["counts.csv"]) if row["label"] == "car"} >= {"gate-may"}
