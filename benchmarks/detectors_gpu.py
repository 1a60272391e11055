"""ONNX Runtime's execution providers side by side, by the size of a batch: speed, and how far boxes move.

    python benchmarks/detectors_gpu.py

Without an NVIDIA GPU, it measures the CPU's provider alone, prints the table and writes no result.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from detectors import _video_frames as video_frames
from results import Cell, Goal, Table, save

from frametally.errors import Misconfigured
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.process.reports import NoProgress
from frametally.records import Detection
from frametally.settings.loading import load_settings
from frametally_consumer.backends.network import BATCH_PICTURES
from frametally_consumer.backends.onnxruntime import CPU, CUDA, TENSORRT, OnnxRuntimeNetwork
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_consumer.load import threads
from frametally_models.detector_agreement import iou
from frametally_models.prepare import prepare_model

BATCHES = {CPU: (1, BATCH_PICTURES), CUDA: (1, 4, 8, 16, 32), TENSORRT: (1, 4, 8, 16, 32)}
REFERENCE = (CPU, 1)
# The tolerances of 32-bit floats on every back-end (tests/consumer/test_back_ends.py).
MOST_PX, MOST_CONFIDENCE = 0.6, 0.005
SURE = 0.1 + 2 * MOST_CONFIDENCE

Choice = tuple[str, int]
Found = Sequence[Sequence[Detection]]


class Distance(NamedTuple):
    """The distance between the boxes of two detectors; `lost` are those without a counterpart."""

    boxes: int
    lost: int
    px: float
    confidence: float


def main() -> None:
    """Measure everything and print it; write it if there is a GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=96, help="of a round")
    options = parser.parse_args()
    detectors, starts_s = _loaded()
    clip = video_frames(ensure_demo_clip(load_settings().models_dir.expanduser()))
    frames = clip[:: max(1, len(clip) // options.frames)]
    found = {choice: detector.detect(frames) for choice, detector in detectors.items()}
    distances = {choice: distance(found[REFERENCE], other) for choice, other in found.items()}
    speeds = _speeds(detectors, frames, options.rounds)
    table = _table(speeds, distances, starts_s)
    print("\t".join(table.columns))
    for row in table.rows:
        print("\t".join(map(str, row)))
    gpu = _gpu()
    if not gpu or all(provider == CPU for provider, _ in found):
        print("no provider for a GPU works here: no result is written")
        return
    save(
        name="detectors_gpu",
        title=f"Detector on a GPU ({gpu})",
        about="YOLOv4-tiny at its input size of 416x416 on ONNX Runtime, in 32-bit floats: each execution "
        "provider with batches of several sizes, in turns on the same frames.",
        packages=["numpy", "opencv-python-headless", "onnxruntime-gpu"],
        tables=[table],
        goals=_goals(speeds, distances),
    )


def distance(reference: Found, other: Found) -> Distance:
    """Return how far the boxes of `other` are from the confident ones of `reference`, on the same frames."""
    boxes = lost = 0
    px = confidence = 0.0
    for expected, got in zip(reference, other, strict=True):
        free = list(got)
        for one in (each for each in expected if each.confidence >= SURE):
            boxes += 1
            same = [each for each in free if each.label == one.label and iou(each.box, one.box) > 0.5]
            if not same:
                lost += 1
                continue
            best = max(same, key=lambda each: iou(each.box, one.box))
            free.remove(best)
            edges = np.array([one.box, best.box])
            edges[:, 2:] += edges[:, :2]
            px = max(px, float(np.abs(edges[0] - edges[1]).max()))
            confidence = max(confidence, abs(one.confidence - best.confidence))
    return Distance(boxes, lost, round(px, 2), round(confidence, 5))


def _loaded() -> tuple[dict[Choice, YoloDetector], dict[Choice, float]]:
    """Return every provider with every batch size, and the time that each took to load."""
    settings = load_settings(None, detector="onnxruntime", execution_providers=CPU)
    model = prepare_model(settings, NoProgress())
    if model is None or not isinstance(model.network, bytes):
        raise TypeError("ONNX Runtime's network is an ONNX file's bytes")
    detectors: dict[Choice, YoloDetector] = {}
    starts_s: dict[Choice, float] = {}
    for provider, batches in BATCHES.items():
        for batch in batches:
            start_s = time.perf_counter()
            try:
                network = OnnxRuntimeNetwork(
                    model.network,
                    name=model.name,
                    providers=[provider],
                    threads=threads(settings),
                    batch=batch,
                    engines=settings.models_dir.expanduser() / "tensorrt",
                )
            except Misconfigured as error:
                print(error)
                break
            detectors[provider, batch] = YoloDetector(network, model)
            detectors[provider, batch].detect([np.zeros((480, 640, 3), np.uint8)])
            starts_s[provider, batch] = time.perf_counter() - start_s
    return detectors, starts_s


def _speeds(
    detectors: dict[Choice, YoloDetector], frames: list[Pixels], rounds: int
) -> dict[Choice, list[float]]:
    """Return the frames a second of each in each round; in a round they take turns."""
    speeds: dict[Choice, list[float]] = {choice: [] for choice in detectors}
    for number in range(rounds + 1):
        for choice, detector in detectors.items():
            # The CPU gets fewer frames: a round should be short compared with disturbances.
            some = frames[::3] if choice[0] == CPU else frames
            start_s = time.perf_counter()
            detector.detect(some)
            if number:  # the first round warms up
                speeds[choice].append(len(some) / (time.perf_counter() - start_s))
    return speeds


def _ratio(speeds: dict[Choice, list[float]], one: Choice, other: Choice) -> float:
    pairs = zip(speeds[one], speeds[other], strict=True)
    return round(statistics.median(mine / theirs for mine, theirs in pairs), 2)


def _table(
    speeds: dict[Choice, list[float]], distances: dict[Choice, Distance], starts_s: dict[Choice, float]
) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{provider.removesuffix('ExecutionProvider')}, batches of {batch}",
            round(statistics.median(each), 1),
            _ratio(speeds, (provider, batch), REFERENCE),
            round(starts_s[provider, batch], 1),
            *distances[provider, batch],
        ]
        for (provider, batch), each in speeds.items()
    ]
    return Table(
        "Providers and batches",
        [
            "provider",
            "frames/s",
            "/ CPU",
            "start, s",
            "boxes",
            "lost",
            "farthest edge, px",
            "confidence, most",
        ],
        rows,
        "The median of the rounds; a ratio is the median of the rounds' ratios. Decoding is not in it, "
        "resizing and post-processing are. Boxes are compared with those of the CPU, one picture at a time.",
    )


def _goals(speeds: dict[Choice, list[float]], distances: dict[Choice, Distance]) -> list[Goal]:
    on_gpu = [choice for choice in speeds if choice[0] != CPU]
    apart = [distances[choice] for choice in on_gpu]
    return [
        Goal("boxes of the CPU that a GPU loses", sum(one.lost for one in apart), at_most=0),
        Goal("farthest edge on a GPU, px", max(one.px for one in apart), at_most=MOST_PX),
        Goal(
            "confidence on a GPU, most difference",
            max(one.confidence for one in apart),
            at_most=MOST_CONFIDENCE,
        ),
        *(
            Goal(
                f"{provider}: speed with batches of {BATCH_PICTURES} / one picture",
                _ratio(speeds, (provider, BATCH_PICTURES), (provider, 1)),
                at_least=1,
            )
            for provider in sorted({provider for provider, _ in on_gpu})
        ),
    ]


def _gpu() -> str:
    """Return the name of the first GPU; empty without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return next(iter(answer.splitlines()), "").strip()


if __name__ == "__main__":
    main()
