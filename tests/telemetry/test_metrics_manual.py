"""The manual's table lists the existing metrics, by name, type and labels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.telemetry.test_book_figures import NOW_MS, Shown, books, line

from frametally.books.figures import BooksCollector, LastReading
from frametally.checkup.findings import Finding
from frametally.process.meters import FOLDER_VARIABLE, Meters
from frametally.telemetry.exposition import Scraped

PAGE = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(frametally_\w+)` \| (\w+) \| (\w*) *\| ([`\w]*) *\|", re.MULTILINE)


def exposed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A process that has done everything once."""
    meters = Meters()
    meters.took("write", 0.1, frames=1)
    meters.set_aside("size")
    meters.away("frame log (Kafka)", "fetch")
    monkeypatch.setattr("frametally.telemetry.family.METERS", meters)
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    status = books(line("gate", 10, footage_until_ms=NOW_MS), dead={"size": 1})
    found = (Finding("disk", "", "full", remedy="free space"), Finding("footage", "", "", severity="notice"))
    status = status._replace(findings=found)
    shown = Shown(folder)
    collector = BooksCollector(lambda: LastReading(NOW_MS, status), shown.sums)
    return Scraped(folder, [collector]).answer("").body


def test_the_table_has_each_metric_with_its_type_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = exposed(tmp_path, monkeypatch).decode()
    types = dict(re.findall(r"^# TYPE (frametally_\w+) (\w+)$", text, re.MULTILINE))
    # prometheus-client adds the creation time of each, as OpenMetrics requires.
    types = {name: kind for name, kind in types.items() if not name.endswith("_created")}
    labels = {
        name: {
            label
            for found in re.findall(rf"^{name}(?:_bucket)?{{(.*)}} ", text, re.MULTILINE)
            for label in re.findall(r'(\w+)="', found)
        }
        - {"le"}
        for name in types
    }
    rows = {name: (kind, set(re.findall(r"\w+", label))) for name, kind, _, label in ROW.findall(PAGE)}
    assert rows == {name: (kind, labels[name]) for name, kind in types.items()}


def test_units_match_the_names() -> None:
    for name, kind, unit, _ in ROW.findall(PAGE):
        base = name.removesuffix("_total")
        assert name.endswith("_total") == (kind == "counter"), name
        for word in ("seconds", "bytes"):
            assert base.endswith(word) == (unit == word), name
