"""Every back-end and precision that is installed: speed, memory, accuracy, agreement with the reference.

    python benchmarks/detectors.py --data ../shared/data

`--data` names a folder with `coco128/{images,labels}` and `vtest/vtest.avi`. The INT8 network must have been
made on the demo clip before: `frametally download-models --int8 --data-dir EMPTY`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from average_precision import Truth, ap50, bootstrap, judge
from results import Goal, Table, save

from frametally.errors import Misconfigured
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels, cv2
from frametally.records import Detection
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.load import is_installed
from frametally_models import darknet
from frametally_models.calibration_frames import MOST_FRAMES, evenly
from frametally_models.detector_agreement import LEAST_CONFIDENCE, Agreement, agreement
from frametally_models.prepare import prepare_detector

CHOICES = [
    ("opencv", "f32"),
    ("onnxruntime", "f32"),
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
]
REFERENCE = "opencv f32"
LEAST_CONFIDENCE_OF_AP = 0.01
BOOTSTRAP_SAMPLES = 1000


class Scored(NamedTuple):
    """The accuracy of a detector."""

    ap50: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


def settings_of(choice: str, **more: object) -> Settings:
    """Return the settings of the detector called `choice`, such as `openvino int8`."""
    backend, precision = choice.split()
    return load_settings(None, detector=backend, precision=precision, **more)


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=60, help="of a round")
    parser.add_argument("--memory-of", metavar="CHOICE", help="print one detector's peak memory, and end")
    options = parser.parse_args()
    if options.memory_of:
        print(_own_peak_memory_mb(options.memory_of))
        return
    choices = _available()
    detectors = {choice: prepare_detector(settings_of(choice)) for choice in choices}
    clip = _video_frames(ensure_demo_clip(load_settings().models_dir.expanduser()))
    speeds = _speeds(detectors, clip[:: max(1, len(clip) // options.frames)], options.rounds)
    memory = {choice: _peak_memory_mb(choice, options.data) for choice in choices}
    scores = _accuracy(choices, options.data / "coco128")
    calibrated = set(evenly(len(clip), MOST_FRAMES))
    unseen = [frame for place, frame in enumerate(clip) if place not in calibrated]
    vtest = _video_frames(options.data / "vtest" / "vtest.avi")[::4]
    again = {
        "the clip's other frames": _found_again(detectors, unseen),
        "vtest.avi": _found_again(detectors, vtest),
    }
    _save(choices, speeds, memory, scores, again, (len(unseen), len(vtest)))


def _available() -> list[str]:
    choices = []
    for backend, precision in CHOICES:
        choice = f"{backend} {precision}"
        if not is_installed(backend):  # type: ignore[arg-type]
            print(f"{choice}: not installed")
            continue
        try:
            prepare_detector(settings_of(choice))
        except Misconfigured as error:
            print(f"{choice}: {error}")
        else:
            choices.append(choice)
    return choices


def _video_frames(path: Path) -> list[Pixels]:
    capture = cv2.VideoCapture(str(path))
    frames: list[Any] = []
    while True:
        there, frame = capture.read()
        if not there:
            return frames
        frames.append(np.asarray(frame, np.uint8))


def _speeds(detectors: dict[str, Detector], frames: list[Pixels], rounds: int) -> dict[str, list[float]]:
    """Return each detector's frames a second in each round; in a round they take turns."""
    speeds: dict[str, list[float]] = {choice: [] for choice in detectors}
    for number in range(rounds + 1):
        for choice, detector in detectors.items():
            # Slow detectors get fewer frames: a round should be short compared with disturbances.
            some = frames if "int8" in choice or "bf16" in choice else frames[::3]
            start_s = time.perf_counter()
            detector.detect(some)
            if number:  # the first round warms up
                speeds[choice].append(len(some) / (time.perf_counter() - start_s))
    return speeds


def _own_peak_memory_mb(choice: str) -> float:
    detector = prepare_detector(settings_of(choice))
    frame = np.random.default_rng(0).integers(0, 256, (480, 854, 3), dtype=np.uint8)
    for _ in range(10):
        detector.detect([frame] * 16)
    # Not `ru_maxrss`, which Linux starts at the parent's.
    status = Path("/proc/self/status").read_text("ascii")
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)


def _peak_memory_mb(choice: str, data: Path) -> float:
    command = [sys.executable, __file__, "--data", str(data), "--memory-of", choice]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _accuracy(choices: Sequence[str], coco128: Path) -> dict[str, Scored]:
    pictures, truths = labelled_pictures(coco128)
    judged = []
    for choice in choices:
        with patch.object(darknet, "MIN_CONFIDENCE", LEAST_CONFIDENCE_OF_AP):
            detector = prepare_detector(settings_of(choice))
        judged.append(judge(truths, detector.detect(pictures)))
    values = bootstrap(judged, pictures=len(pictures), samples=BOOTSTRAP_SAMPLES)
    reference = choices.index(REFERENCE)
    scores = {}
    for place, choice in enumerate(choices):
        low, high = np.percentile(values[:, place], [2.5, 97.5])
        below, above = np.percentile(values[:, place] - values[:, reference], [2.5, 97.5])
        ap = ap50(judged[place])
        scores[choice] = Scored(ap, low, high, ap - ap50(judged[reference]), below, above)
    return scores


def labelled_pictures(folder: Path) -> tuple[list[Pixels], list[list[Truth]]]:
    """Return the pictures and their objects."""
    names = load_settings().models_dir.expanduser() / "coco.names"
    labels = names.read_text("utf-8").split("\n")
    pictures, truths = [], []
    for path in sorted((folder / "images").rglob("*.jpg")):
        picture = np.asarray(cv2.imread(str(path)), np.uint8)
        height_px, width_px = picture.shape[:2]
        there = []
        (label_file,) = (folder / "labels").rglob(f"{path.stem}.txt")
        for line in label_file.read_text("utf-8").splitlines():
            number, x, y, width, height = line.split()
            w, h = float(width) * width_px, float(height) * height_px
            box = (float(x) * width_px - w / 2, float(y) * height_px - h / 2, w, h)
            there.append(Truth(labels[int(number)], box))
        pictures.append(picture)
        truths.append(there)
    return pictures, truths


def _found_again(
    detectors: dict[str, Detector], frames: list[Pixels]
) -> dict[str, tuple[Agreement, Agreement]]:
    """Return, for each detector, which of the reference's detections it finds at all, and which it counts."""
    expected: list[list[Detection]] = detectors[REFERENCE].detect(frames)
    answers = {}
    for choice, detector in detectors.items():
        got = detector.detect(frames)
        counted = agreement(expected, got, least_confidence_of_other=LEAST_CONFIDENCE)
        answers[choice] = (agreement(expected, got), counted)
    return answers


def _save(
    choices: Sequence[str],
    speeds: dict[str, list[float]],
    memory: dict[str, float],
    scores: dict[str, Scored],
    again: dict[str, dict[str, tuple[Agreement, Agreement]]],
    frames: tuple[int, int],
) -> None:
    def ratio(choice: str, other: str) -> float | None:
        if choice not in speeds or other not in speeds:
            return None
        pairs = zip(speeds[choice], speeds[other], strict=True)
        return round(statistics.median(mine / theirs for mine, theirs in pairs), 2)

    tables = [
        Table(
            "Speed and memory",
            ["detector", "frames/s", "/ OpenCV", "/ OpenVINO f32", "peak memory, MB"],
            [
                [
                    choice,
                    round(statistics.median(speeds[choice]), 1),
                    ratio(choice, REFERENCE),
                    ratio(choice, "openvino f32"),
                    memory[choice],
                ]
                for choice in choices
            ],
            "The median of the rounds; a ratio is the median of the rounds' ratios. Decoding is not in "
            "it, resizing and post-processing are. Memory is the whole process's peak.",
        ),
        Table(
            "Accuracy",
            ["detector", "AP50", "95 % interval", "difference to the reference", "95 % interval"],
            [
                [
                    choice,
                    round(one.ap50, 2),
                    f"{one.low:.1f} to {one.high:.1f}",
                    round(one.difference, 2),
                    f"{one.difference_low:.2f} to {one.difference_high:.2f}",
                ]
                for choice, one in scores.items()
            ],
            "AP50 in points on coco128, which nothing was calibrated or tuned on; 95 % intervals by "
            f"{BOOTSTRAP_SAMPLES:,} bootstrap samples of the pictures, the difference on the same samples.",
        ),
        Table(
            "The reference's detections found again",
            ["detector", "frames", "sought", "found, %", f"found from {LEAST_CONFIDENCE} on, %"],
            [
                [choice, where, found.sought, round(100 * found.share, 2), round(100 * counted.share, 2)]
                for where, answers in again.items()
                for choice, (found, counted) in answers.items()
                if choice != REFERENCE
            ],
            f"Of those with a confidence of {LEAST_CONFIDENCE} or more: the share for which the "
            f"detector has one of the same label with IoU 0.5, at all and from {LEAST_CONFIDENCE} on, "
            f"where counting begins. On {frames[0]} frames of the clip that INT8 was not calibrated on, and "
            f"on {frames[1]} frames of vtest.avi, another camera.",
        ),
    ]
    goals = []
    if "openvino int8" in choices:
        goals = [
            Goal("INT8 speed / OpenCV DNN", ratio("openvino int8", REFERENCE) or 0, at_least=5),
            Goal("INT8 speed / OpenVINO f32", ratio("openvino int8", "openvino f32") or 0, at_least=3),
            Goal("INT8 loss of AP50, points", round(-scores["openvino int8"].difference, 2), at_most=1),
            *(
                Goal(
                    f"INT8 finds again on {where}, %",
                    round(100 * answers["openvino int8"][0].share, 2),
                    at_least=98,
                )
                for where, answers in again.items()
            ),
        ]
    packages = ["numpy", "opencv-python-headless", "openvino", "onnxruntime"]
    save(
        name="detectors",
        title="Detectors",
        about="YOLOv4-tiny at its input size of 416x416 on every back-end and precision. The reference is "
        "OpenCV DNN. All use as many threads as there are cores.",
        by_cpu=True,
        packages=packages,
        tables=tables,
        goals=goals,
    )


if __name__ == "__main__":
    main()
