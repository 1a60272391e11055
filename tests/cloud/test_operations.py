"""What docs/operations.md says of sizes is what `benchmarks/services.py` has measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TABLES = {
    table["title"]: {row[0]: row for row in table["rows"]}
    for table in json.loads((ROOT / "benchmarks" / "results" / "services.json").read_text())["tables"]
}


def cells(first: str) -> list[str]:
    [line] = [line for line in TEXT.splitlines() if line.startswith(f"| {first}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_megabytes_of_an_hour_are_those_that_were_measured() -> None:
    measured = {what: row[2] for what, row in TABLES["What an hour of footage takes"].items()}
    assert cells("store: frames")[1] == f"{measured['store: frames (`images/`)']:,.0f}"
    assert cells("store: detections")[1] == f"{measured['store: detections (`metadata/`)']:.0f}"
    both = measured["store: counts (`mapreduce-output/`)"] + measured["store: tracks (`tracks/`)"]
    assert cells("store: counts")[1] == f"{both:.0f}"
    assert cells("log: SQLite / Kafka")[1] == f"{measured['log, SQLite']:.0f} / {measured['log, Kafka']:.0f}"


def test_seconds_of_a_round_are_those_that_were_measured() -> None:
    [engines] = [rows for title, rows in TABLES.items() if title.startswith("Counting")]
    for engine, row in engines.items():
        said_s = re.match(r"([0-9.]+) s", cells(f"`{engine}`")[1])
        assert said_s is not None
        assert abs(float(said_s[1]) - row[1]) <= 0.5
