"""Which of two models is better here: the page, the command and the API give the same answer for a check."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.accuracy.test_accuracy_checks import FRAMES, answer_all, put_segment, start
from tests.accuracy.test_accuracy_checks import command as accuracy_command
from tests.fakes.records import make_coverage
from tests.web.browser import Place, Visits, expect
from tests.web.counted_footage import MODEL, START_MS, make_lines
from tests.web.second_counts import command

from frametally.records import Detection

__all__ = ["command"]
pytestmark = pytest.mark.thorough
OTHER = "another"


def without_cars(boxes: Sequence[Detection]) -> list[Detection]:
    return [box for box in boxes if box.label == "bus"]


def as_it_is(boxes: Sequence[Detection]) -> list[Detection]:
    return list(boxes)


@pytest.mark.parametrize(
    ("finds", "better", "name"),
    [(without_cars, "check", MODEL), (as_it_is, "neither", "Neither")],
    ids=["one misses all cars", "both find the same"],
)
def test_page_command_and_api_agree_on_which_model_is_better(
    counted: Place,
    visit: Visits,
    command: Callable[..., Path],
    finds: Callable[[Sequence[Detection]], list[Detection]],
    better: str,
    name: str,
) -> None:
    client = counted.app().test_client()
    start(client)
    answer_all(client, most=110)
    lines = [
        msgspec.structs.replace(line, model=OTHER, detections=finds(line.detections))
        for line in make_lines("gate", frames=FRAMES)
    ]
    put_segment(counted, OTHER, lines)
    coverage = make_coverage(START_MS, FRAMES, source="gate", model=OTHER)
    counted.publish([], [coverage], interval_s=60, model=OTHER)
    by_api = client.get(f"/api/v1/accuracy/gate?against={OTHER}").get_json()["compared"]
    printed = accuracy_command(counted, "result", "gate", "--against", OTHER, "--json", code=4)
    assert json.loads(printed)["compared"] == by_api
    (car,) = [row for row in by_api if row["label"] == "car"]
    assert car["better"] == better
    words = accuracy_command(counted, "result", "gate", "--against", OTHER, code=4)
    assert f"car: better here: {MODEL if better == 'check' else better}" in words

    page = visit(counted).open("models", wait_for="#models-page[data-state=ready]")
    rows = page.locator("#better-here tbody tr")
    expect(rows).to_have_count(len(by_api))
    cells = rows.filter(has_text="car").locator("td, th")
    expect(cells.nth(2)).to_contain_text(name)
    shown = cells.nth(3).inner_text().replace("\N{MINUS SIGN}", "-")
    assert f"{abs(car['difference']):.2g}".rstrip("0") in shown
