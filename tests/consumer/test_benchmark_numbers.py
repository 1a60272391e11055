"""The benchmark's arithmetic, on hand-made boxes, and the page with its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.kit.scripts import script

from frametally.records import Detection
from frametally_models.detector_agreement import Agreement, agreement, iou

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ap() -> Any:
    return script("benchmarks/average_precision.py")


def found(label: str, confidence: float, *box: float) -> Detection:
    return Detection(label=label, confidence=confidence, box=box)  # type: ignore[arg-type]


def test_iou_of_boxes_drawn_by_hand() -> None:
    assert iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert iou((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert iou((0, 0, 10, 10), (10, 0, 10, 10)) == 0
    assert iou((0, 0, 10, 10), (20, 20, 10, 10)) == 0
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_agreement_counts_label_overlap_and_each_box_once_and_adds_confidences() -> None:
    car, near = found("car", 0.9, 0, 0, 10, 10), found("car", 0.2, 1, 0, 10, 10)
    weak = found("car", 0.24, 50, 50, 10, 10)
    assert agreement([[car, weak]], [[near]]) == Agreement(1, 1, 0.2)
    assert agreement([[car]], [[near]], least_confidence_of_other=0.25) == Agreement(1, 0)
    assert agreement([[car]], [[found("bus", 0.9, 0, 0, 10, 10)]]) == Agreement(1, 0)
    assert agreement([[car]], [[found("car", 0.9, 6, 0, 10, 10)]]) == Agreement(1, 0)
    assert agreement([[car, car]], [[near]]) == Agreement(2, 1, 0.2)
    assert agreement([[car], []], [[], [near]]) == Agreement(1, 0)
    assert (Agreement(4, 3).share, Agreement(0, 0).share) == (0.75, 1.0)


def test_ap50_with_all_none_and_half_of_the_objects_found(ap: Any) -> None:
    truths = [[ap.Truth("car", (0, 0, 10, 10))], [ap.Truth("car", (20, 20, 10, 10))]]
    right = [[found("car", 0.9, 0, 0, 10, 10)], [found("car", 0.8, 20, 20, 10, 10)]]
    assert ap.ap50(ap.judge(truths, right)) == pytest.approx(100)
    assert ap.ap50(ap.judge(truths, [[], []])) == 0
    assert ap.ap50(ap.judge(truths, [right[0], []])) == pytest.approx(50)


def test_ap50_punishes_a_false_box_only_if_it_is_more_confident(ap: Any) -> None:
    truths = [[ap.Truth("car", (0, 0, 10, 10))]]
    true, false = found("car", 0.5, 0, 0, 10, 10), found("car", 0.9, 40, 40, 10, 10)
    assert ap.ap50(ap.judge(truths, [[false, true]])) == pytest.approx(50)
    weak = found("car", 0.1, 40, 40, 10, 10)
    assert ap.ap50(ap.judge(truths, [[true, weak]])) == pytest.approx(100)


def test_ap50_treats_a_second_box_on_one_object_as_false(ap: Any) -> None:
    truths = [[ap.Truth("car", (0, 0, 10, 10)), ap.Truth("car", (40, 0, 10, 10))]]
    boxes = [
        found("car", 0.9, 0, 0, 10, 10),
        found("car", 0.8, 1, 0, 10, 10),
        found("car", 0.7, 40, 0, 10, 10),
    ]
    # Precision 1 at a recall of 1/2, 2/3 at 1.
    assert ap.ap50(ap.judge(truths, [boxes])) == pytest.approx(100 * (0.5 + 0.5 * 2 / 3))


def test_ap50_is_the_mean_over_the_labels_that_exist(ap: Any) -> None:
    truths = [[ap.Truth("car", (0, 0, 10, 10)), ap.Truth("dog", (40, 0, 10, 10))]]
    boxes = [found("car", 0.9, 0, 0, 10, 10), found("cat", 0.9, 70, 0, 10, 10)]
    assert ap.ap50(ap.judge(truths, [boxes])) == pytest.approx(50)


def test_the_bootstrap_draws_the_same_pictures_for_every_detector(ap: Any) -> None:
    truths = [[ap.Truth("car", (0, 0, 10, 10))] for _ in range(20)]
    some = [[found("car", 0.9, 0, 0, 10, 10)] if place % 2 else [] for place in range(20)]
    judged = ap.judge(truths, some)
    values = ap.bootstrap([judged, judged], pictures=20, samples=200)
    assert (values[:, 0] == values[:, 1]).all()
    assert 40 < values.mean() < 60
    assert values.std() > 5
    twice = ap.ap50(judged, np.full(20, 2))
    assert twice == pytest.approx(ap.ap50(judged))


def test_the_page_matches_the_committed_results() -> None:
    page = script("benchmarks/performance_page.py")
    results = script("benchmarks/results.py").load_all()
    assert page.page(results) == page.PAGE.read_text("utf-8"), "run: python benchmarks/performance_page.py"
    assert page.front(results) == page.FRONT.read_text("utf-8"), "run: python benchmarks/performance_page.py"
    for result in results:
        assert result.date in page.PAGE.read_text("utf-8")


def test_the_performance_front_page_has_ten_figures_and_every_goal_for_a_large_fleet() -> None:
    page = script("benchmarks/performance_page.py")
    figures, goals = page.FRONT.read_text("utf-8").split(page._FLEET_INTRO)
    assert figures.count("\n| ") == 2 + 10  # with the head and the rule below it
    of_fleet = [result for result in script("benchmarks/results.py").load_all() if result.name in page.FLEET]
    assert len(of_fleet) == len(page.FLEET)
    assert goals.count("\n| ") == 2 + sum(len(result.goals) for result in of_fleet)


def test_the_operations_page_gives_the_measured_number_of_cameras_per_core() -> None:
    results = {result.name: result for result in script("benchmarks/results.py").load_all()}
    by_variant = {tuple(row[:3]): row[3] for row in results["detectors_workers"].tables[0].rows}
    ratios = {row[0]: (row[2], row[3]) for row in results["detectors"].tables[0].rows}
    over_opencv, over_f32 = ratios["openvino int8"]
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for network, slower in {
        "YOLOv4-tiny 416, OpenVINO INT8": 1.0,
        "the same, OpenVINO f32": over_f32,
        "the same, OpenCV": over_opencv,
    }.items():
        one, two = by_variant[1, 1, 1] / slower, by_variant[2, 1, 2] / slower
        cameras = int(0.8 * one / 5)  # 5 frames a second each, a fifth of the core is left
        assert f"| {network} | {one:.0f} | {two:.0f} | {cameras} |" in text


def test_a_result_shows_its_goals_unchanged() -> None:
    results, page = script("benchmarks/results.py"), script("benchmarks/performance_page.py")
    result = results.Result(
        name="x", title="X", about="About x.", date="2026-01-01 00:00 UTC", cpu="a CPU", cores=2,
        load_before=0.1, commit="abc", command="python benchmarks/x.py", packages={"numpy": "2"},
        tables=[results.Table(title="T", columns=["a", "b"], rows=[["x", 1234.5], [None, 7]], note="N.")],
        goals=[
            results.Goal(what="speed", measured=4.9, at_least=5),
            results.Goal(what="loss", measured=0.5, at_most=1),
        ],
    )  # fmt: skip
    text = page.page([result])
    assert "| speed | ≥ 5 | 4.9 | **no** |" in text
    assert "| loss | ≤ 1 | 0.5 | yes |" in text
    assert "| x | 1,234 |" in text or "| x | 1,235 |" in text or "| x | 1234 |" in text
    assert "|  | 7 |" in text
