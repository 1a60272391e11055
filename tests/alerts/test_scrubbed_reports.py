"""`frametally doctor --deep` reads the stored files of scheduled reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.alerts.alert_place import DAY_MS, alert_place

from frametally import keys
from frametally_cli import main as cli

WEEK_MS = 7 * 86_400_000


@pytest.mark.thorough
def test_a_flipped_bit_in_a_file_of_a_report_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad() -> set[str]:
        cli.main(["doctor", "--deep", "--json", "--data-dir", str(tmp_path)])
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert ("reports", "1 report read") in {(row["area"], row["value"]) for row in rows}
        return {row["name"] for row in rows if row["area"] == "reports" and not row["good"]}

    with alert_place(tmp_path) as place:
        place.schedule()
        place.count({0: 3})
        made = {"summary.txt": b"3 cars", "counts.csv": b"car,3", "chart.png": b"\x89PNG"}
        assert place.make_reports(DAY_MS + WEEK_MS, lambda *_: made) == (1, [])
        [alert] = place.alerts()
        store = place.ports.store
        assert [key.rpartition("/")[2] for key in alert.files] == [*made]
        assert bad() == set()
        for info in [*store.list(keys.REPORTS)]:
            data = store.get(info.key)
            store.put(info.key, bytes([data[0] ^ 1]) + data[1:])
            assert bad() == {info.key}
            store.put(info.key, data)
