"""What an input of the picture's own proportions brings on a 4:3 film of people, and what it costs.

    python benchmarks/detectors_aspect.py --data ../shared/data

`--data` names a folder with `vtest/vtest.avi` and `vtest/tracks_first_400_frames.csv`.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from average_precision import Truth, judge
from results import Goal, Table, save

from frametally.files.opencv import Pixels, cv2
from frametally.settings.loading import load_settings
from frametally_consumer.detectors.protocol import Detector
from frametally_models.prepare import prepare_detector

SIZES_PX = [(416, 416), (544, 416)]
FRAMES = 400
LEAST_CONFIDENCE = 0.25
"""From there on boxes are counted."""


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=4, help="of the film's first 400 frames")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    frames = _frames(options.data / "vtest" / "vtest.avi", options.every)
    truths = _persons(options.data / "vtest" / "tracks_first_400_frames.csv", options.every)
    detectors = {
        size: prepare_detector(load_settings(detector="openvino", input_size_px=f"{size[0]}x{size[1]}"))
        for size in SIZES_PX
    }
    costs_ms = _costs_ms(detectors, frames[:10], options.rounds)
    rows = []
    recalls = {}
    for size, detector in detectors.items():
        found = [
            [one for one in each if one.label == "person" and one.confidence >= LEAST_CONFIDENCE]
            for each in detector.detect(frames)
        ]
        judged = judge(truths, found)["person"]
        recalls[size] = float(judged.is_true.sum() / judged.objects.sum())
        ratio = statistics.median(a / b for a, b in zip(costs_ms[size], costs_ms[SIZES_PX[0]], strict=True))
        rows.append(
            [
                f"{size[0]}x{size[1]}",
                round(100 * recalls[size], 1),
                round(100 * float(judged.is_true.mean()), 1),
                round(statistics.median(costs_ms[size]), 1),
                round(ratio, 2),
            ]
        )
    more = 100 * (recalls[544, 416] - recalls[416, 416])
    save(
        name="detectors_aspect",
        title="An input that is not square",
        about=f"YOLOv4-tiny, OpenVINO f32, on {len(frames)} of the first {FRAMES} frames of vtest.avi, which "
        "is 4:3 (768x576) with people far away: boxes of persons with a confidence of "
        f"{LEAST_CONFIDENCE} or more against the published tracks.",
        load_before=load_before,
        packages=["numpy", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                title="Persons by input size",
                note="Recall is the share of the annotated persons that is found (IoU 0.5), precision the "
                "share of the boxes that are annotated persons (one walker is not annotated, and a stone is "
                "found again and again). CPU time is resizing, network and post-processing; medians of "
                "rounds that took turns.",
                columns=["input", "recall, %", "precision, %", "CPU ms a frame", "CPU, to 416x416"],
                rows=rows,
            )
        ],
        goals=[Goal(what="persons found by 544x416 more, points", measured=round(more, 1), at_least=2)],
    )


def _frames(path: Path, every: int) -> list[Pixels]:
    capture = cv2.VideoCapture(str(path))
    frames = [np.asarray(capture.read()[1], np.uint8) for _ in range(FRAMES)]
    return frames[::every]


def _persons(path: Path, every: int) -> list[list[Truth]]:
    """The persons of each frame that is looked at."""
    of_frame: dict[int, list[Truth]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            box = tuple(float(row[name]) for name in ("left", "top", "width", "height"))
            of_frame[int(row["frame"])].append(Truth("person", box))  # type: ignore[arg-type]
    first = min(of_frame)
    return [of_frame[first + number] for number in range(0, FRAMES, every)]


def _costs_ms(
    detectors: dict[tuple[int, int], Detector], frames: Sequence[Pixels], rounds: int
) -> dict[tuple[int, int], list[float]]:
    costs: dict[tuple[int, int], list[float]] = {size: [] for size in detectors}
    for number in range(rounds + 1):
        for size, detector in detectors.items():
            start_s = time.process_time()
            detector.detect(frames)
            if number:  # the first round warms up
                costs[size].append(1000 * (time.process_time() - start_s) / len(frames))
    return costs


if __name__ == "__main__":
    main()
