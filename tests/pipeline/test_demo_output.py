"""The output of `SERVE=no make demo` matches its part files and its API (run after it, by .ci/run)."""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path

import pytest
from tests.commands import run_frametally
from tests.pipeline.conftest import Tables

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = Path(os.environ.get("FRAMETALLY_DEMO_CHECKOUT", ROOT))
DATA_DIR = CHECKOUT / "demo-data"

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def printed() -> str:
    name = os.environ.get("FRAMETALLY_DEMO_OUTPUT")
    if not name:
        pytest.skip("FRAMETALLY_DEMO_OUTPUT does not name what `SERVE=no make demo` printed")
    return (ROOT / name).read_text(encoding="utf-8")


def printed_table(text: str) -> dict[tuple[str, int], int]:
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.split()[:2] == ["interval", "frames"])
    labels = re.split(r"\s{2,}", lines[at].strip())[2:]
    table = {}
    for line in lines[at + 1 :]:
        row = re.fullmatch(r"\s*(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)Z((?:\s+\d+)+)\s*", line)
        if row:
            start = datetime.datetime.fromisoformat(row[1] + "+00:00")
            for label, count in zip(labels, map(int, row[2].split()[1:]), strict=True):
                if count:
                    table[label, int(start.timestamp()) * 1000] = count
    return table


def test_the_printed_table_matches_the_part_files_and_the_api(printed: str, tables: Tables) -> None:
    table = printed_table(printed)
    assert sum(count for (label, _), count in table.items() if label == "car") > 100
    printed_labels = {label for label, _ in table}
    for stored in (tables.of_part_files(DATA_DIR), tables.of_api(DATA_DIR, 1)):
        assert {key: count for key, count in stored.items() if key[0] in printed_labels} == table


def test_the_books_of_the_demo_are_settled(printed: str) -> None:
    status = run_frametally("status", "--data-dir", DATA_DIR, cwd=CHECKOUT)
    assert status.code == 0, status.out
    assert re.search(r"Traffic\s+60\s+60\s+60\s+0\s+60\s+60", status.out)


def test_the_doctor_finds_the_demo_healthy(printed: str) -> None:
    doctor = run_frametally("doctor", "--data-dir", DATA_DIR, cwd=CHECKOUT)
    assert (doctor.code, "all good" in doctor.out) == (0, True), doctor.out
    assert DATA_DIR.stat().st_mode & 0o077 == 0


def test_the_demo_leaves_only_caches_in_the_home_folder(printed: str) -> None:
    if CHECKOUT == ROOT:
        pytest.skip("FRAMETALLY_DEMO_CHECKOUT does not name a clone that had a home of its own")
    left = {path.name for path in (CHECKOUT.parent / "home").iterdir()}
    assert left <= {".cache", ".npm", ".rustup"}  # pip queries rustc, if it is installed
    assert {path.name for path in (CHECKOUT.parent / "home/.cache").iterdir()} <= {"pip", "frametally"}


def test_a_second_demo_repeats_no_work_and_prints_the_same_table(printed: str) -> None:
    again = run_frametally("demo", "--no-serve", cwd=CHECKOUT)
    assert again.code == 0, again.err
    assert printed_table(again.out) == printed_table(printed)
    assert "frames: 0 announced, 60 already known" in again.out
