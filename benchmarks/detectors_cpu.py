"""What a frame costs each back-end and precision in CPU time, and what this CPU's arithmetic allows.

    python benchmarks/detectors_cpu.py

CPU time hardly depends on what else the machine is doing; wall time, memory and accuracy of all are measured
by `detectors.py`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from detectors_arithmetic import fastest_convolution, int8_macs, matrix_product
from results import Goal, Table, save

from frametally.errors import Misconfigured
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels, cv2
from frametally.settings.loading import load_settings
from frametally_consumer import load as backends
from frametally_consumer.backends.network import fit
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.load import is_installed
from frametally_models.prepare import prepare_detector

CHOICES = [
    ("opencv", "f32"),
    ("onnxruntime", "f32"),
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
]

OPENCV, INT8 = "opencv f32", "openvino int8"
_INT8_FRAMES = 4
"""For each of OpenCV's: a round should not be short."""


class Allowed(NamedTuple):
    """What a number of cores give, in milliseconds of wall time for a frame.

    Attributes:
        threads: One for each core.
        opencv_ms: OpenCV's network, in the round that was disturbed least.
        int8_ms: The INT8 network, the same.
        int8_rate: 10^9 multiply-adds a second of each thread, of the fastest INT8 convolution.
        least_ms: What a frame takes if every convolution is as fast as that one, and nothing but the resizing
            of the picture is done besides.
    """

    threads: int
    opencv_ms: float
    int8_ms: float
    int8_rate: float
    least_ms: float

    @property
    def most(self) -> float:
        """How many times as fast as OpenCV INT8 could be."""
        return self.opencv_ms / self.least_ms


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=10, help="of a round")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    detectors: dict[str, Detector] = {}
    for backend, precision in CHOICES:
        if is_installed(backend):  # type: ignore[arg-type]
            try:
                settings = load_settings(detector=backend, precision=precision)
                detectors[f"{backend} {precision}"] = prepare_detector(settings)
            except Misconfigured as error:
                print(f"{backend} {precision}: {error}")
    frames = _frames(ensure_demo_clip(load_settings().models_dir.expanduser()), options.frames)
    costs_ms: dict[str, list[float]] = {choice: [] for choice in detectors}
    for number in range(options.rounds + 1):
        for choice, detector in detectors.items():
            start_s = time.process_time()
            detector.detect(frames)
            if number:  # the first round warms up
                costs_ms[choice].append(1000 * (time.process_time() - start_s) / len(frames))
    macs = int8_macs()
    if macs is None:
        raise SystemExit("there is no INT8 network; make it with: frametally download-models --int8")
    cores = backends.cores()
    resize_ms = _resize_ms(frames)
    allowed = [
        _allowed(frames, macs, resize_ms, threads=threads, rounds=options.rounds)
        for threads in sorted({1, cores})
    ]
    middle = {choice: statistics.median(each) for choice, each in costs_ms.items()}
    f32_rate = fastest_convolution(int8=False, threads=1)
    _save(middle, allowed, f32_rate, matrix_product(), macs, resize_ms, load_before)


def _allowed(frames: list[Pixels], macs: int, resize_ms: float, *, threads: int, rounds: int) -> Allowed:
    opencv, int8 = (
        prepare_detector(load_settings(detector=backend, precision=precision, detector_threads=threads))
        for backend, precision in (OPENCV.split(), INT8.split())
    )
    opencv_ms, int8_ms, rates = [], [], []
    for number in range(2 * rounds + 1):
        one, other = _wall_ms(opencv, frames), _wall_ms(int8, frames * _INT8_FRAMES)
        if number:  # the first round warms up
            opencv_ms.append(one)
            int8_ms.append(other)
            rates.append(fastest_convolution(int8=True, threads=threads))
    rate = max(rates)
    least_ms = (macs / 1e6 / rate + resize_ms) / threads
    best_opencv_ms, best_int8_ms = min(opencv_ms), min(int8_ms)
    return Allowed(threads, best_opencv_ms, best_int8_ms, rate, least_ms)


def _wall_ms(detector: Detector, frames: list[Pixels]) -> float:
    start_s = time.perf_counter()
    detector.detect(frames)
    return 1000 * (time.perf_counter() - start_s) / len(frames)


def _resize_ms(frames: list[Pixels]) -> float:
    """CPU time of bringing a frame to the network's size, by the call that does it."""
    settings = load_settings()
    times_ms = []
    for _ in range(20):
        start_s = time.process_time()
        for frame in frames:
            fit(
                frame,
                width_px=settings.input_px[0],
                height_px=settings.input_px[1],
                resize="stretch",
            )
        times_ms.append(1000 * (time.process_time() - start_s) / len(frames))
    return min(times_ms)


def _save(
    middle: dict[str, float],
    allowed: list[Allowed],
    f32_rate: float,
    product_rate: float,
    macs: int,
    resize_ms: float,
    load_before: float,
) -> None:
    one, most = allowed[0], max(each.most for each in allowed)
    save(
        name="detectors_cpu",
        title="Detectors, by CPU time",
        about="YOLOv4-tiny at 416x416, resizing and post-processing included. How far INT8 can be ahead "
        f"depends on the CPU. This one multiplies {one.int8_rate / f32_rate:.1f} times as many 8-bit as "
        "32-bit numbers a second, each by the fastest single convolution of any shape, and OpenCV is near "
        f"that rate in f32. If all convolutions of the INT8 network ({macs / 1e9:.2f} billion multiply-adds "
        "a picture) were as fast as that one, and nothing else were done but resizing the picture "
        f"({resize_ms:.2f} ms), then INT8 would be {most:.1f} times as fast as OpenCV: without pooling, "
        "output and suppression. That is beside OpenCV's least disturbed round. Its threads wait for each "
        "other in every layer, so whatever else runs costs it more than INT8, whose threads have a picture "
        "each: the medians of rounds, as in `detectors.py`, are further apart.",
        load_before=load_before,
        packages=["numpy", "onnxruntime", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                title="CPU time of a frame",
                note="Medians of rounds that took turns, all with a thread for each core.",
                columns=["what", "CPU ms a frame", "OpenCV's / that"],
                rows=[[choice, round(ms, 1), round(middle[OPENCV] / ms, 2)] for choice, ms in middle.items()],
            ),
            Table(
                title="How fast a core multiplies",
                note="One operation of the best shape, alone.",
                columns=["what", "10^9 multiply-adds a second"],
                rows=[
                    ["f32 matrix product, NumPy", round(product_rate, 1)],
                    ["f32 convolution, OpenVINO", round(f32_rate, 1)],
                    *(
                        [f"INT8 convolution, OpenVINO, {each.threads} at once", round(each.int8_rate, 1)]
                        for each in allowed
                    ),
                ],
            ),
            Table(
                title="What the arithmetic allows",
                note="Milliseconds of wall time for a frame, of the round that was disturbed least, and the "
                "least that INT8 could take.",
                columns=[
                    "threads",
                    "OpenCV, ms",
                    "INT8, ms",
                    "OpenCV / INT8",
                    "INT8's least, ms",
                    "OpenCV / that",
                ],
                rows=[
                    [
                        each.threads,
                        round(each.opencv_ms, 1),
                        round(each.int8_ms, 1),
                        round(each.opencv_ms / each.int8_ms, 2),
                        round(each.least_ms, 1),
                        round(each.most, 2),
                    ]
                    for each in allowed
                ],
            ),
        ],
        goals=[
            Goal(
                what=f"INT8 on {each.threads} cores: of the speed that the arithmetic allows",
                measured=round(each.least_ms / each.int8_ms, 2),
                at_least=0.7,
            )
            for each in allowed
        ],
    )


def _frames(clip: Path, count: int) -> list[Pixels]:
    capture = cv2.VideoCapture(str(clip))
    return [np.asarray(capture.read()[1], np.uint8) for _ in range(count)]


if __name__ == "__main__":
    main()
