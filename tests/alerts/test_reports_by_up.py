"""`frametally up` makes reports that are due."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.alerts.alert_place import alert_place
from tests.family.running import Running
from tests.kit.waiting import until

from frametally.settings.loading import load_settings
from frametally.work.family_members import MemberOptions
from frametally_alerts.hooks import members

SETTINGS = {"FRAMETALLY_DETECTOR": "pixels"}


def test_the_process_that_makes_reports_runs_even_without_a_channel(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    [part] = members(settings, MemberOptions(every="7s"))
    assert [[*member.arguments[3:5], *member.arguments[-2:]] for member in part.members] == [
        ["alerts", "run", "--every", "7s"]
    ]


@pytest.mark.thorough
def test_a_report_that_is_only_stored_is_made_without_a_channel(tmp_path: Path) -> None:
    # Due six hours ago.
    clock = time.strftime("%H:%M", time.gmtime(time.time() - 6 * 3600))
    with alert_place(tmp_path / "frametally-data") as place:
        place.schedule("alone", every="day", at=clock, zone="UTC", channels=[], now_ms=0)
        with Running(tmp_path, "up", settings=SETTINGS):
            until(
                lambda: any(
                    info.key.endswith("/summary.txt") for info in place.ports.store.list("reports/alone")
                )
            )
