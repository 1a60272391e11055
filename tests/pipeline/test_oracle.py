"""The counts of a real clip equal those of an independent count of 20 lines."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
from tests.pipeline.conftest import Counted, Tables

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_run, read_tracks
from frametally.files.opencv import cv2

LEAST_CONFIDENCE, NMS_IOU, INTERVAL_MS = 0.25, 0.45, 1000
VEHICLES, VEHICLE, GROUP_NMS_IOU = ("bus", "car", "truck"), 1000, 0.7
"""The weaker of two boxes of one vehicle is left out, whatever their labels; a number that is no class."""


def independent_count(data_dir: Path, cfg: Path, weights: Path, names: Path) -> dict[tuple[str, int], int]:
    net = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    labels = names.read_text(encoding="utf-8").splitlines()
    counter: Counter[tuple[str, int]] = Counter()
    labels_by_frame = []
    for jpeg in sorted((data_dir / "store/images").rglob("*.jpg")):
        captured_at_ms = int(jpeg.name.split("-")[0])
        picture = cv2.imread(str(jpeg))
        net.setInput(cv2.dnn.blobFromImage(picture, 1 / 255, (416, 416), swapRB=True))
        found = np.concatenate(net.forward(net.getUnconnectedOutLayersNames()))
        scores, class_ids = found[:, 5:].max(axis=1), found[:, 5:].argmax(axis=1)
        boxes = found[:, :4] * np.tile(picture.shape[1::-1], 2)
        boxes[:, :2] -= boxes[:, 2:] / 2
        kept = cv2.dnn.NMSBoxesBatched(boxes, scores, class_ids, LEAST_CONFIDENCE, NMS_IOU)
        groups = np.array([VEHICLE if labels[at] in VEHICLES else at for at in class_ids[kept]])
        once = cv2.dnn.NMSBoxesBatched(boxes[kept], scores[kept], groups, LEAST_CONFIDENCE, GROUP_NMS_IOU)
        here = [labels[class_ids[kept[at]]] for at in once]
        counter.update((label, captured_at_ms // INTERVAL_MS * INTERVAL_MS) for label in here)
        labels_by_frame.append(set(here))
    return counter, labels_by_frame


def test_an_independent_count_matches_the_chart_the_part_files_and_the_detections(
    counted_clip: Counted, model_files: object, tables: Tables
) -> None:
    assert counted_clip.finished.code == 0, counted_clip.finished.err
    expected, labels_by_frame = independent_count(counted_clip.data_dir, *model_files[:3])
    assert len(labels_by_frame) == 60  # 12 s at 5 frames a second
    assert sum("car" in labels for labels in labels_by_frame) > 50
    assert sum(expected.values()) > 200
    assert tables.of_segments(counted_clip.data_dir, LEAST_CONFIDENCE, 1) == expected
    assert tables.of_part_files(counted_clip.data_dir) == expected
    assert tables.of_api(counted_clip.data_dir, 1) == expected


def test_each_second_is_covered_by_the_footage_that_its_pictures_span(counted_clip: Counted) -> None:
    times = sorted(
        int(path.name.split("-")[0]) for path in (counted_clip.data_dir / "store/images").rglob("*.jpg")
    )
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert max(steps) < 3000
    until = [*times[1:], times[-1] + round(sum(steps) / len(steps))]
    covered: Counter[int] = Counter()
    for ms in (ms for first, last in zip(times, until, strict=True) for ms in range(first, last)):
        covered[ms // INTERVAL_MS * INTERVAL_MS] += 1
    with closing(open_object_store(f"file://{counted_clip.data_dir / 'store'}")) as store:
        [run] = current_runs(store)
        counts, coverage = read_run(store, run)
        tracks = [track for track in read_tracks(store, run) if track.is_counted]
    assert {one.interval_start_ms: one.covered_ms for one in coverage} == covered
    assert {one.interval_start_ms: one.objects for one in coverage} == {
        start_ms: sum(track.first_seen_ms // INTERVAL_MS * INTERVAL_MS == start_ms for track in tracks)
        for start_ms in covered
    }
    for label in {one.label for one in counts}:
        of_label = [one for one in counts if one.label == label]
        votes = sum(vote.boxes for track in tracks for vote in track.votes if vote.label == label)
        assert all(0 <= one.tracked_detections <= one.detections for one in of_label)
        assert sum(one.tracked_detections for one in of_label) == votes
    cars = [one for one in counts if one.label == "car"]
    assert sum(one.tracked_detections for one in cars) > 0.6 * sum(one.detections for one in cars)
