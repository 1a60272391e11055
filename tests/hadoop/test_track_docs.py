"""What is said about the tracker is what was measured, by a measure that is right."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.settings.loading import ENV_PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/tracking.md").read_text(encoding="utf-8")


def load(name: str) -> Any:
    """A module of the benchmarks, which are scripts and no package."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


measure = load("idf1")
AT, ASIDE = (10.0, 10.0, 20.0, 40.0), (200.0, 10.0, 20.0, 40.0)


def test_idf1_is_1_for_the_truth_whatever_the_identities_are_called() -> None:
    truth = {n: [(1, AT), (2, ASIDE)] for n in range(4)}
    assert measure.idf1(truth, {n: [(70, AT), (8, ASIDE)] for n in range(4)}) == 1
    assert measure.idf1(truth, {}) == 0
    assert measure.idf1({}, {}) == 1


def test_idf1_of_a_track_broken_in_two_and_of_two_that_are_swapped() -> None:
    truth = {n: [(1, AT), (2, ASIDE)] for n in range(4)}
    broken = {n: [(n // 3, AT), (9, ASIDE)] for n in range(4)}
    assert measure.idf1(truth, broken) == 2 * (3 + 4) / 16
    swapped = {n: [(1, AT if n < 3 else ASIDE), (2, ASIDE if n < 3 else AT)] for n in range(4)}
    assert measure.idf1(truth, swapped) == 2 * (3 + 3) / 16


def test_idf1_counts_what_was_missed_and_what_was_not_there() -> None:
    truth = {n: [(1, AT)] for n in range(4)}
    assert measure.idf1(truth, {0: [(5, AT)], 1: [(5, AT)]}) == 2 * 2 / (4 + 2)
    assert measure.idf1(truth, {n: [(5, AT), (6, ASIDE)] for n in range(4)}) == 2 * 4 / (4 + 8)
    half_off = (10.0, 24.0, 20.0, 40.0)
    assert measure.idf1(truth, {n: [(5, half_off)] for n in range(4)}) == 0


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n), max_size=5)
    )
)
def test_the_pairing_of_identities_is_the_best_there_is(gains: Any) -> None:
    rows, columns = len(gains), len(gains[0]) if gains else 0
    padded = [row + [0] * rows for row in gains]
    best = max(
        sum(padded[i][j] for i, j in enumerate(order))
        for order in itertools.permutations(range(columns + rows), rows)
    )
    assert measure.greatest_sum(gains) == best


def test_the_page_shows_the_numbers_that_were_measured() -> None:
    result = json.loads((ROOT / "benchmarks/results/tracking.json").read_bytes())
    assert result["command"] in PAGE
    for table in result["tables"]:
        for row in [table["columns"], *table["rows"]]:
            assert f"| {' | '.join(str(cell) for cell in row)} |" in PAGE


def test_what_was_to_be_reached_was_reached() -> None:
    result = json.loads((ROOT / "benchmarks/results/tracking.json").read_bytes())
    for goal in result["goals"]:
        assert goal["at_least"] is None or goal["measured"] >= goal["at_least"], goal["what"]
        assert goal["at_most"] is None or goal["measured"] <= goal["at_most"], goal["what"]


@pytest.mark.parametrize("name", [n for n in Settings.model_fields if "track" in n or n == "count_objects"])
def test_each_setting_of_the_tracker_is_on_the_page_with_its_default(name: Any) -> None:
    default = Settings.model_fields[name].default
    shown = f"`{default}`" if default != "" else "empty"
    assert f"| `{ENV_PREFIX}{name.upper()}` | {shown} |" in PAGE
