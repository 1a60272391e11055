"""The arithmetic of boxes: rows of a network in, boxes inside the picture out."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.records import Detection
from frametally_consumer.detectors.boxes import (
    Boxes,
    as_detections,
    boxes_from_rows,
    clip_to_tenths,
    in_stated_order,
    suppress_overlaps,
    to_steps,
)

CLASSES = 3
WIDTH_PX, HEIGHT_PX = 97, 61

coordinate = st.integers(-20, 20)
whole_box = st.tuples(coordinate, coordinate, st.integers(0, 20), st.integers(0, 20))
# Limits that floats hold exactly, so that the reference's fractions mean the same.
exact_limit = st.sampled_from([0.125, 0.25, 0.375, 0.5, 0.75, 1.0])
GROUP_LIMIT = 0.625
part = st.floats(-0.5, 1.5, width=32)
row = st.tuples(
    part,
    part,
    st.floats(0, 2, width=32),
    st.floats(0, 2, width=32),
    st.just(1.0),
    *[st.floats(0, 1, width=32)] * CLASSES,
)


def found(rows: list[tuple[float, ...]], *, min_confidence: float = 0.1, nms_iou: float = 0.45) -> Boxes:
    return boxes_from_rows(
        np.array(rows, dtype=np.float32).reshape(-1, 5 + CLASSES),
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        min_confidence=min_confidence,
        nms_iou=nms_iou,
    )


def slow_suppression(
    corners: list[list[int]], classes: list[int], groups: list[int], limit: float
) -> list[int]:
    kept: list[int] = []
    for i, (left, top, right, bottom) in enumerate(corners):
        for j in kept:
            other_left, other_top, other_right, other_bottom = corners[j]
            across = min(right, other_right) - max(left, other_left)
            down = min(bottom, other_bottom) - max(top, other_top)
            common = max(across, 0) * max(down, 0)
            areas = (right - left) * (bottom - top)
            areas += (other_right - other_left) * (other_bottom - other_top)
            union = areas - common
            if classes[i] != classes[j]:
                is_one = groups[i] == groups[j] and Fraction(common, union or 1) > GROUP_LIMIT
            else:
                is_one = union > 0 and Fraction(common, union) > Fraction(limit)
            if is_one:
                break
        else:
            kept.append(i)
    return kept


@pytest.mark.thorough
@pytest.mark.parametrize("block", [1, 4, 256])
@given(st.lists(st.tuples(whole_box, st.integers(0, 2)), max_size=30), exact_limit)
def test_suppression_keeps_what_a_slow_simple_reference_keeps(
    block: int, boxes: list[tuple[tuple[int, int, int, int], int]], limit: float
) -> None:
    corners = [[left, top, left + width, top + height] for (left, top, width, height), _ in boxes]
    classes = [class_index for _, class_index in boxes]
    groups = [min(class_index, 1) for class_index in classes]  # 1 and 2 are of one group
    of_boxes = "frametally_consumer.detectors.boxes"
    with mock.patch(f"{of_boxes}._BLOCK", block), mock.patch(f"{of_boxes}.GROUP_NMS_IOU", GROUP_LIMIT):
        kept = suppress_overlaps(
            np.array(corners, dtype=np.float64).reshape(-1, 4),
            np.array(classes, dtype=np.int64),
            np.array(groups, dtype=np.int64),
            nms_iou=limit,
        )
    assert kept.tolist() == slow_suppression(corners, classes, groups, limit)


@pytest.mark.parametrize("block", [1, 2, 3, 256])
def test_a_suppressed_box_suppresses_no_other(block: int) -> None:
    # Each overlaps the next one by two thirds, and the one after that by a third.
    corners = np.array([[10.0 * place, 0, 10.0 * place + 30, 10] for place in range(9)])
    with mock.patch("frametally_consumer.detectors.boxes._BLOCK", block):
        kept = suppress_overlaps(corners, np.zeros(9, np.int64), np.zeros(9, np.int64), nms_iou=0.45)
    assert kept.tolist() == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    ("shift", "groups", "labels"),
    [
        (0.02, (0, 0, 2), [0]),  # IoU 0.82: one van
        (0.06, (0, 0, 2), [0, 1]),  # 0.54: a car before a truck
        (0.02, (0, 1, 2), [0, 1]),  # a person on a bicycle
        (0.02, None, [0, 1]),
    ],
)
def test_one_object_with_two_labels_of_a_group_has_one_box(
    shift: float, groups: tuple[int, ...] | None, labels: list[int]
) -> None:
    rows = np.array(
        [[0.5, 0.5, 0.2, 0.2, 1, 0.9, 0.1, 0], [0.5 + shift, 0.5, 0.2, 0.2, 1, 0.1, 0.8, 0]], np.float32
    )
    size: dict[str, Any] = {"width_px": 640, "height_px": 480, "min_confidence": 0.1, "nms_iou": 0.45}
    group_of_class = None if groups is None else np.array(groups, np.int64)
    boxes = boxes_from_rows(rows, group_of_class=group_of_class, **size)
    assert boxes.class_index.tolist() == labels


@pytest.mark.thorough
@given(st.lists(row, max_size=30))
def test_every_box_is_inside_the_picture_and_has_an_area(rows: list[tuple[float, ...]]) -> None:
    left, top, width, height = found(rows).box_tenths.T
    assert (left >= 0).all() and (top >= 0).all()
    assert (left + width <= WIDTH_PX * 10).all() and (top + height <= HEIGHT_PX * 10).all()
    assert (width > 0).all() and (height > 0).all()


@pytest.mark.thorough
@given(st.lists(row, max_size=30))
def test_boxes_come_in_the_stated_order(rows: list[tuple[float, ...]]) -> None:
    boxes = found(rows)
    keys = [
        (-confidence, class_index, *box)
        for class_index, confidence, box in zip(*(part.tolist() for part in boxes), strict=True)
    ]
    assert keys == sorted(keys)


def test_boxes_of_equal_class_and_confidence_are_ordered_by_left_top_and_width() -> None:
    boxes = [[20, 10, 50, 50], [10, 30, 60, 50], [10, 30, 50, 90], [10, 10, 70, 50]]
    ordered = in_stated_order(np.zeros(4, np.int64), np.full(4, 5000), np.array(boxes))
    assert ordered.box_tenths.tolist() == sorted(boxes)


@pytest.mark.thorough
@given(st.lists(row, max_size=20, unique_by=lambda values: max(values[5:])), st.randoms())
def test_the_order_of_a_networks_rows_changes_nothing(rows: list[tuple[float, ...]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for before, after in zip(found(rows), found(shuffled), strict=True):
        assert before.tolist() == after.tolist()


@pytest.mark.parametrize(
    ("confidence", "written"),
    [(0.25, True), (0.249951, True), (0.249949, False)],
    ids=["at the threshold", "rounds up to it", "rounds below it"],
)
def test_the_threshold_applies_to_the_written_confidence(confidence: float, written: bool) -> None:
    boxes = found([(0.5, 0.5, 0.2, 0.2, 1.0, confidence, 0.0, 0.0)], min_confidence=0.25)
    assert boxes.confidence_e4.tolist() == ([2500] if written else [])


def test_a_row_is_one_object_of_its_best_class_or_of_the_first_among_equals() -> None:
    boxes = found([(0.5, 0.5, 0.2, 0.2, 1.0, 0.4, 0.9, 0.9)])
    assert boxes.class_index.tolist() == [1]


def test_boxes_of_different_classes_do_not_suppress_each_other() -> None:
    one, other = (0.5, 0.5, 0.4, 0.4, 1.0, 0.9, 0.0, 0.0), (0.5, 0.5, 0.4, 0.4, 1.0, 0.0, 0.8, 0.0)
    assert found([one, other]).class_index.tolist() == [0, 1]
    assert len(found([one, one]).class_index) == 1


def test_overlap_is_measured_before_boxes_are_clipped() -> None:
    # Clipped at the edge, both would be the same box; in full they hardly overlap.
    near, far = (0.0, 0.5, 0.2, 0.4, 1.0, 0.9, 0.0, 0.0), (-0.4, 0.5, 1.0, 0.4, 1.0, 0.8, 0.0, 0.0)
    assert found([near, far], nms_iou=0.3).box_tenths[:, 0].tolist() == [0, 0]


def test_a_box_outside_the_picture_or_too_thin_to_write_is_dropped() -> None:
    outside, thin = (1.5, 0.5, 0.2, 0.2, 1.0, 0.9, 0.0, 0.0), (0.5, 0.5, 1e-5, 0.2, 1.0, 0.9, 0.0, 0.0)
    assert found([outside]).box_tenths.tolist() == []
    assert found([thin]).box_tenths.tolist() == []


def test_edges_are_rounded_to_tenths_and_clipped_to_the_picture() -> None:
    corners = np.array([[-3.0, 1.24, 20.26, 99.0]])
    assert clip_to_tenths(corners, width_px=97, height_px=61).tolist() == [[0, 12, 203, 598]]


@given(st.floats(-1e6, 1e6))
def test_halves_are_rounded_up(value: float) -> None:
    assert int(to_steps(value, 10)) == math.floor(value * 10 + 0.5)


def test_written_numbers_read_as_tenths_and_ten_thousandths() -> None:
    boxes = in_stated_order(np.array([1]), np.array([9541]), np.array([[1710, 3073, 1561, 1361]]))
    assert as_detections(boxes, ["bicycle", "car"]) == [
        Detection(label="car", confidence=0.9541, box=(171.0, 307.3, 156.1, 136.1))
    ]


def test_no_rows_give_no_boxes() -> None:
    assert as_detections(found([]), ["a", "b", "c"]) == []
