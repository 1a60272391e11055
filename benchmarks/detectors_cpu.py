"""What a frame costs each back-end and precision in CPU time, and what this CPU's arithmetic allows.

    python benchmarks/detectors_cpu.py

CPU time hardly depends on what else the machine is doing; wall time, memory and accuracy are measured by
`detectors.py`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import numpy as np
from detectors_arithmetic import arithmetic
from results import Goal, Table, save

from frametally.demo_clip import ensure_demo_clip
from frametally.errors import Misconfigured
from frametally.opencv import Pixels, cv2
from frametally.settings import load_settings
from frametally_consumer.backends import is_installed
from frametally_consumer.detector import Detector
from frametally_consumer.load import load_detector

CHOICES = [
    ("opencv", "f32"),
    ("onnxruntime", "f32"),
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
]


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
                detectors[f"{backend} {precision}"] = load_detector(settings)
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
    rates = arithmetic()
    if rates is None:
        raise SystemExit("there is no INT8 network; make it with: frametally download-models --int8")
    middle = {choice: statistics.median(each) for choice, each in costs_ms.items()}
    of_core = {choice: rates.network_macs / 1e6 / ms for choice, ms in middle.items()}
    opencv = "opencv f32"
    allowed = rates.fastest_int8_layer / of_core[opencv]
    save(
        name="detectors_cpu",
        title="Detectors, by CPU time",
        about="YOLOv4-tiny at 416x416, resizing and post-processing included. The network takes "
        f"{rates.network_macs / 1e9:.2f} billion multiply-adds a picture. For comparison: a large f32 matrix "
        "product (NumPy's BLAS), and the fastest INT8 convolution of the network, alone. A network whose "
        "every layer were as fast as that one, with nothing before and after, would be so many times as fast "
        f"as OpenCV: {allowed:.2f}. How far INT8 can be ahead depends on the CPU: on one that multiplies "
        "four times as many INT8 as f32 pairs a cycle (AMD Zen 4), 5 times OpenCV cannot be reached.",
        load_before=load_before,
        packages=["numpy", "onnxruntime", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                title="CPU time of a frame",
                note="Medians of rounds that took turns.",
                columns=["what", "CPU ms a frame", "OpenCV's / that", "10^9 multiply-adds a CPU second"],
                rows=[
                    *(
                        [choice, round(ms, 1), round(middle[opencv] / ms, 2), round(of_core[choice], 1)]
                        for choice, ms in middle.items()
                    ),
                    ["f32 matrix product, NumPy", None, None, round(rates.matrix_product, 1)],
                    [
                        "the fastest INT8 convolution",
                        None,
                        round(allowed, 2),
                        round(rates.fastest_int8_layer, 1),
                    ],
                ],
            )
        ],
        goals=[
            Goal(
                what="INT8: of the speed that its fastest layer allows",
                measured=round(of_core["openvino int8"] / rates.fastest_int8_layer, 2),
                at_least=0.7,
            )
        ],
    )


def _frames(clip: Path, count: int) -> list[Pixels]:
    capture = cv2.VideoCapture(str(clip))
    return [np.asarray(capture.read()[1], np.uint8) for _ in range(count)]


if __name__ == "__main__":
    main()
