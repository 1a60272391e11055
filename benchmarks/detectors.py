"""Every back-end and precision that is installed: speed, memory, accuracy, agreement with the reference.

    python benchmarks/detectors.py --data ../shared/data
    python benchmarks/detectors.py --workers      # the consumer alone, by workers and threads
    python benchmarks/detectors.py --providers    # ONNX Runtime's, with batches; needs an NVIDIA GPU

`--data` names a folder with `coco128/{images,labels}` and `vtest/vtest.avi`. The INT8 network must have been
made on the demo clip before: `frametally download-models --int8 --data-dir EMPTY`.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from average_precision import Truth, ap50, bootstrap, judge
from end_to_end import repeated
from measuring import FRAMETALLY, Name, in_turns, median_ratio, memory_mb
from results import SHARED, Cell, Goal, Table, options, save
from stored_frames import decoded_frames

from frametally.adapters_by_url import open_frame_log
from frametally.errors import Misconfigured
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels, cv2
from frametally.ports.frame_log import consumer_group
from frametally.process.reports import NoProgress
from frametally.records import Detection
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.backends.network import BATCH_PICTURES
from frametally_consumer.backends.onnxruntime import CPU, CUDA, TENSORRT, OnnxRuntimeNetwork
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_consumer.load import threads
from frametally_consumer.supervisor import consume_with_workers
from frametally_models import darknet
from frametally_models.calibration_frames import MOST_FRAMES, evenly
from frametally_models.detector_agreement import LEAST_CONFIDENCE, Agreement, agreement, iou
from frametally_models.prepare import prepare_detector, prepare_model

CHOICES = [
    *(("opencv", "f32"), ("onnxruntime", "f32")),
    *(("openvino", precision) for precision in ("f32", "bf16", "int8")),
]
REFERENCE = "opencv f32"
LEAST_CONFIDENCE_OF_AP = 0.01
BOOTSTRAP_SAMPLES = 1000

BATCHES = {CPU: (1, BATCH_PICTURES), CUDA: (1, 4, 8, 16, 32), TENSORRT: (1, 4, 8, 16, 32)}
ON_CPU = (CPU, 1)
# The tolerances of 32-bit floats on every back-end (tests/consumer/test_back_ends.py).
MOST_PX, MOST_CONFIDENCE = 0.6, 0.005
SURE = 0.1 + 2 * MOST_CONFIDENCE

Choice = tuple[str, int]
Found = Sequence[Sequence[Detection]]


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
    asked = options(__doc__, data=SHARED, rounds=7, frames=60, providers=False, workers=False)
    if asked.workers:
        measure_workers("int8", asked.frames, asked.rounds)
        return
    if asked.providers:
        measure_providers(asked.rounds, asked.frames)
        return
    choices = _available()
    detectors = {choice: prepare_detector(settings_of(choice)) for choice in choices}
    clip = [*decoded_frames(ensure_demo_clip(load_settings().models_dir.expanduser()))]
    some = clip[:: max(1, len(clip) // asked.frames)]
    # Slow detectors get fewer frames: a round should be short compared with disturbances.
    slow = {choice for choice in choices if "int8" not in choice and "bf16" not in choice}
    speeds = frame_rates(detectors, some, asked.rounds, slow=slow)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        memory = dict(zip(choices, pool.map(_peak_memory_mb, choices), strict=True))
    scores = _accuracy(choices, asked.data / "coco128")
    calibrated = set(evenly(len(clip), MOST_FRAMES))
    unseen = [frame for place, frame in enumerate(clip) if place not in calibrated]
    vtest = [*decoded_frames(asked.data / "vtest" / "vtest.avi")][::4]
    again = {
        "the clip's other frames": _found_again(detectors, unseen),
        "vtest.avi": _found_again(detectors, vtest),
    }
    _save(choices, speeds, memory, scores, again, (len(unseen), len(vtest)))


def _available() -> list[str]:
    choices = []
    for backend, precision in CHOICES:
        choice = f"{backend} {precision}"
        try:
            prepare_detector(settings_of(choice))
        except Misconfigured as error:
            print(f"{choice}: {error}")
        else:
            choices.append(choice)
    return choices


def frame_rates(
    detectors: Mapping[Name, Detector], frames: list[Pixels], rounds: int, *, slow: Collection[Name]
) -> dict[Name, list[float]]:
    """Return each detector's frames a second in each round; in a round they take turns.

    Detectors in `slow` get every third frame.
    """
    of_each = {name: frames[::3] if name in slow else frames for name in detectors}
    works = {name: partial(detector.detect, of_each[name]) for name, detector in detectors.items()}
    took = in_turns(works, rounds)
    return {name: [len(of_each[name]) / each_s for each_s in seconds] for name, seconds in took.items()}


def _peak_memory_mb(choice: str) -> float:
    """Return the peak memory of this process after it has detected with only this detector."""
    detector = prepare_detector(settings_of(choice))
    frame = np.random.default_rng(0).integers(0, 256, (480, 854, 3), dtype=np.uint8)
    for _ in range(10):
        detector.detect([frame] * 16)
    return round(memory_mb(), 1)


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
    found = {choice: detector.detect(frames) for choice, detector in detectors.items()}
    expected = found[REFERENCE]
    return {
        choice: (
            agreement(expected, got),
            agreement(expected, got, least_confidence_of_other=LEAST_CONFIDENCE),
        )
        for choice, got in found.items()
    }


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
        return median_ratio(speeds[choice], speeds[other])

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
        finds = {where: round(100 * of["openvino int8"][0].share, 2) for where, of in again.items()}
        goals = [
            Goal("INT8 speed / OpenCV DNN", ratio("openvino int8", REFERENCE) or 0, at_least=5),
            Goal("INT8 speed / OpenVINO f32", ratio("openvino int8", "openvino f32") or 0, at_least=3),
            Goal("INT8 loss of AP50, points", round(-scores["openvino int8"].difference, 2), at_most=1),
            *(Goal(f"INT8 finds again on {where}, %", share, at_least=98) for where, share in finds.items()),
        ]
    save(
        name="detectors",
        title="Detectors",
        about="YOLOv4-tiny at its input size of 416x416 on every back-end and precision. The reference is "
        "OpenCV DNN. All use as many threads as there are cores.",
        by_cpu=True,
        packages=["numpy", "opencv-python-headless", "openvino", "onnxruntime"],
        tables=tables,
        goals=goals,
    )


class Distance(NamedTuple):
    """The distance between the boxes of two detectors; `lost` are those without a counterpart."""

    boxes: int
    lost: int
    px: float
    confidence: float


def measure_providers(rounds: int, number: int) -> None:
    """Measure ONNX Runtime's providers and print the result; write it if there is a GPU."""
    detectors, starts_s = _providers()
    clip = [*decoded_frames(ensure_demo_clip(load_settings().models_dir.expanduser()))]
    frames = clip[:: max(1, len(clip) // number)]
    found = {choice: detector.detect(frames) for choice, detector in detectors.items()}
    distances = {choice: distance(found[ON_CPU], other) for choice, other in found.items()}
    slow = [choice for choice in detectors if choice[0] == CPU]
    speeds = frame_rates(detectors, frames, rounds, slow=slow)
    table = _provider_table(speeds, distances, starts_s)
    print(table.columns, *table.rows, sep="\n")
    if all(provider == CPU for provider, _ in found):
        print("no provider for a GPU works here: no result is written")
        return
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    gpu = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("\n")[0]
    save(
        name="detectors_gpu",
        title=f"Detector on a GPU ({gpu})",
        about="YOLOv4-tiny at its input size of 416x416 on ONNX Runtime, in 32-bit floats: each execution "
        "provider with batches of several sizes, in turns on the same frames.",
        packages=["numpy", "opencv-python-headless", "onnxruntime-gpu"],
        tables=[table],
        goals=_provider_goals(speeds, distances),
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


def _providers() -> tuple[dict[Choice, YoloDetector], dict[Choice, float]]:
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


def _provider_table(
    speeds: dict[Choice, list[float]], distances: dict[Choice, Distance], starts_s: dict[Choice, float]
) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{provider.removesuffix('ExecutionProvider')}, batches of {batch}",
            round(statistics.median(each), 1),
            median_ratio(each, speeds[ON_CPU]),
            round(starts_s[provider, batch], 1),
            *distances[provider, batch],
        ]
        for (provider, batch), each in speeds.items()
    ]
    return Table(
        "Providers and batches",
        [
            *("provider", "frames/s", "/ CPU", "start, s", "boxes", "lost", "farthest edge, px"),
            "confidence, most",
        ],
        rows,
        "The median of the rounds; a ratio is the median of the rounds' ratios. Decoding is not in it, "
        "resizing and post-processing are. Boxes are compared with those of the CPU, one picture at a time.",
    )


def _provider_goals(speeds: dict[Choice, list[float]], distances: dict[Choice, Distance]) -> list[Goal]:
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
                median_ratio(speeds[provider, BATCH_PICTURES], speeds[provider, 1]),
                at_least=1,
            )
            for provider in sorted({provider for provider, _ in on_gpu})
        ),
    ]


_WARM_FRAMES = 100
"""Frames before the clock starts, by which time every worker is running."""


def measure_workers(precision: str, number: int, rounds: int) -> None:
    """Measure the consumer alone by workers and threads, on stored frames; write the result."""
    all_cores = sorted(os.sched_getaffinity(0))
    counts = sorted({1, 2, len(all_cores)} & set(range(1, len(all_cores) + 1)))
    speeds: dict[tuple[int, int, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        produced = Path(scratch) / "produced"
        clip, frames = repeated(
            ensure_demo_clip(load_settings().models_dir.expanduser()), Path(scratch) / "long.mp4", number
        )
        start = ["--source", "Traffic", "--start-time", "2026-01-01T08:00:00Z", "--data-dir", str(produced)]
        env = os.environ | {"FRAMETALLY_SAMPLE_FPS": "all"}
        subprocess.run([*FRAMETALLY, "produce", clip, *start], env=env, check=True)
        settings = load_settings(
            data_dir=Path(scratch) / "work", detector="openvino", precision=precision, batch_frames=20
        )
        model, prepared = prepare_detector(settings).model_id, prepare_model(settings, NoProgress())
        for _ in range(rounds):
            for cores in counts:
                os.sched_setaffinity(0, all_cores[:cores])
                for workers, threads in variants(cores):
                    shutil.rmtree(settings.data_dir, ignore_errors=True)
                    shutil.copytree(produced, settings.data_dir)
                    own = settings.model_copy(update={"detector_threads": threads})
                    fps = _fps(own, workers, model, prepared, frames)
                    print(f"{cores} cores, {workers} workers with {threads} threads: {fps:.1f} fps")
                    speeds.setdefault((cores, workers, threads), []).append(fps)
        os.sched_setaffinity(0, all_cores)
    _save_workers(precision, frames, speeds)


def variants(cores: int) -> list[tuple[int, int]]:
    """Return the numbers of workers and threads to compare on so many cores."""
    candidates = [(1, cores), (2, max(1, cores // 2)), (2, cores), (cores, 1), (1, 2 * cores)]
    return list(dict.fromkeys(candidates))


def _fps(settings: Settings, workers: int, model: str, prepared: NetworkModel | None, frames: int) -> float:
    """Return the frames a second from when `_WARM_FRAMES` are committed to the end."""
    seen: list[tuple[float, int]] = []
    over = threading.Event()

    def watch() -> None:
        with closing(open_frame_log(settings.log_url)) as log:
            while not over.is_set():
                done = sum(log.committed(settings.topic, consumer_group(model)).values())
                if done >= _WARM_FRAMES and (not seen or seen[-1][1] != done):
                    seen.append((time.perf_counter(), done))
                over.wait(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    ended = consume_with_workers(
        workers, settings=settings, model=prepared, progress=NoProgress(), until_caught_up=True
    )
    time.sleep(0.1)
    over.set()
    watcher.join()
    if ended.report.frames != frames:
        raise SystemExit(f"{frames} frames, and {ended.report.frames} were detected")
    (start_s, first), (end_s, last) = seen[0], seen[-1]
    return (last - first) / (end_s - start_s)


def _save_workers(precision: str, frames: int, speeds: dict[tuple[int, int, int], list[float]]) -> None:
    rows: list[list[Cell]] = [[*variant, round(statistics.median(fps), 1)] for variant, fps in speeds.items()]
    goals = []
    for cores in sorted({variant[0] for variant in speeds}):
        best = max(statistics.median(fps) for variant, fps in speeds.items() if variant[0] == cores)
        default = statistics.median(speeds[cores, 1, cores])
        goals.append(Goal(f"{cores} cores: the default / the best", round(default / best, 3), at_least=0.95))
    save(
        name="detectors_workers",
        title="Workers and threads",
        about=f"The consumer alone, OpenVINO {precision}, on {frames} stored frames of the traffic clip: the "
        "default is one worker whose network has a thread for each core. With `--workers N` each has twice "
        "its part of the cores, at most all.",
        packages=["numpy", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                "Frames a second by workers and threads",
                ["cores", "workers", "threads of each", "frames/s"],
                rows,
                "From the hundredth frame on, so that loading is not in it; medians of rounds that took "
                "turns.",
            )
        ],
        goals=goals,
    )


if __name__ == "__main__":
    main()
