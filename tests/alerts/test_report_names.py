"""Names in a report that is sent by mail."""

from __future__ import annotations

from tests.web.conftest import Place
from tests.web.counted_footage import START_MS
from tests.web.test_export_tables import rows_of

from frametally.media.manifests import list_manifests
from frametally.rules.times import DAY_MS
from frametally_alerts.reports.due_reports import turn_of
from frametally_alerts.reports.report_files import make_files
from frametally_alerts.rules import ScheduledReport
from frametally_web.charts.media_times import MediaTimes


def test_no_name_adds_or_hides_a_line_in_the_summary_of_a_report(place: Place) -> None:
    """In a mail, a name with a line break could add false lines to the report."""
    label, name = "car\n0 frames analysed\x1b[2J", 'Gate\r\n<b>"../\u202e=cmd()'
    place.film({label: 3.0}, name=name)
    media = MediaTimes(list_manifests(place.store))
    report = ScheduledReport(name="daily", every="day", at_minute=360, zone="UTC")
    turn = turn_of(report, START_MS + 2 * DAY_MS)
    turn = turn._replace(from_ms=turn.from_ms - DAY_MS)
    files = make_files(place.real_index, place.settings, media, report, turn)
    said = files["summary.txt"].decode()
    assert all(character.isprintable() for character in said.replace("\n", ""))
    lines = said.splitlines()
    assert lines[-1] == 'Sources: Gate <b>"../=cmd()'
    assert lines[3].startswith("car 0 frames analysed[2J ")
    assert len(lines) == 7
    assert {row["label"] for row in rows_of(files["counts.csv"])} == {label}
    assert files["chart.png"].startswith(b"\x89PNG")
