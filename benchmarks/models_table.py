"""The models of the catalogue beside YOLOv4-tiny: accuracy, CPU time, and how well lines and zones count.

    python benchmarks/models_table.py --data ../shared/data [--yardstick]

`--data` names a folder with `coco128/{images,labels}` and `vtest/`; cars are those of the demo clip, which is
fetched. `--weights yolox-nano=FILE` names another export of a model's weights, for a machine that cannot
download it; models that are neither there nor downloaded are left out. Detections are kept in `--cache`.
`--yardstick` also follows each preset's boxes with the trackers of PyPI's `trackers`, as `tracking.py` does.

One walker of vtest is not annotated: from frame 74 to 176 he goes out at the top left, where nobody else is.
Boxes there and then (`WALKER_FRAMES`, `WALKER_PX`) are taken out of every model's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
import numpy as np
import unseen_lines
from average_precision import Judged, Truth, ap50, bootstrap, judge
from detectors import labelled_pictures
from idf1 import Boxes
from measuring import in_turns, median_ratio
from results import CACHE, SHARED, Cell, Goal, Table, options, save
from stored_frames import DEFAULT_QUALITY, decoded_frames, stored
from tracking import (
    CLIP_FPS,
    CLIP_FRAMES,
    FPS,
    FRAMES,
    VARIANTS,
    VEHICLES,
    Score,
    detected,
    score_ours,
    scores_of_others,
    true_tracks,
)
from tracking_scenes import LABEL, Seen
from unseen_lines import CLIP_SIZE, RATES, VTEST_SIZE

from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.records import Detection
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.detectors.protocol import Detector
from frametally_models import darknet
from frametally_models.catalogue import CATALOGUE, DEFAULT, FAMILIES, PRESETS
from frametally_models.choice import shaped_px
from frametally_models.detector_agreement import LEAST_IOU, iou
from frametally_models.prepare import prepare_detector
from frametally_traffic.flows.day_columns import DIRECTIONS

COCO_SIZE = (640, 480)
"""The usual size of COCO's pictures."""
LEAST_CONFIDENCE_OF_AP = 0.01
COUNTED = 0.25
SMALL_PX = 32 * 32
IOUS = np.arange(0.5, 0.96, 0.05)
BOOTSTRAP_SAMPLES = 500
SPEED_ROUNDS, SPEED_FRAMES = 5, 8
LINES, ZONES, SEEDS = 60, 40, (53, 54, 55, 56, 57)
"""Random lines and zones in several draws, chosen before anything was measured with them."""
WALKER_FRAMES, WALKER_PX = range(70, 181), (300, 155)
"""Frames, from 0, and the right and lower limits of his feet."""
SQUARE_FRAMES = 795
ON_THE_SQUARE, LOOKED_AT_EVERY = {LABEL, "car", "truck"}, 20
"""Labels of all that vtest shows, by eye, and how often a frame is searched for others."""
Frames = Sequence[Sequence[Seen]]


class Way(NamedTuple):
    """A model: its name in the table, and its input as pixels of area; None for its usual size."""

    name: str
    model: str
    area_px: int | None


WAYS = [
    Way("yolov4-tiny, 416x416 (the default)", DEFAULT, None),
    *(Way(f"{name}: {preset.model}", preset.model, preset.area_px) for name, preset in PRESETS.items()),
]
BALANCED = next(way for way in WAYS if way.name.startswith("balanced"))


class Counted(NamedTuple):
    """Errors of a model's counts at one rate, in percent, as means over all first frames.

    Those by chance, and the zones within 7 %, have a number for each draw.
    """

    crossings: float
    person_s: float
    random_crossings: list[float]
    random_person_s: list[float]
    zones_within: list[float]
    cars: float

    def cells(self) -> list[Cell]:
        """Return its cells of the table; of several draws the mean, the least and the most."""
        return [cell if isinstance(cell, float) else _spread(cell) for cell in self]


class Scored(NamedTuple):
    """A model's scores on coco128, with a 95 % interval where there are three numbers."""

    ap50: tuple[float, float, float]
    ap: float
    small_ap50: float
    small_recall: tuple[float, float, float]
    recall: tuple[float, float, float]
    precision: tuple[float, float, float]


def main() -> None:
    """Measure all, and write the result."""
    asked = options(__doc__, data=SHARED, weights=[], cache=CACHE, yardstick=False)
    asked.cache.mkdir(parents=True, exist_ok=True)
    weights = dict(entry.split("=", 1) for entry in asked.weights)
    ways = [way for way in WAYS if way.model in weights or is_here(way.model)]
    clip_path = ensure_demo_clip(asked.cache)
    costs_ms = _costs_ms(ways, weights, list(decoded_frames(clip_path, SPEED_FRAMES)))
    pictures, truths = labelled_pictures(asked.data / "coco128")
    scores = {way.name: _scored(way, weights, pictures, truths, asked.cache) for way in ways}
    square_path = asked.data / "vtest" / "vtest.avi"
    absent = {way.name: _absent_share(way, weights, square_path) for way in ways}
    truth = true_tracks(square_path.with_name("tracks_first_400_frames.csv"))
    counts: dict[tuple[str, int], Counted] = {}
    followed: list[list[Cell]] = []
    for way in ways:
        square = _without_walker(_seen(way, weights, square_path, asked.cache, VTEST_SIZE))
        clip = _seen(way, weights, clip_path, asked.cache, CLIP_SIZE)
        counts |= {(way.name, rate): _counts(square, clip, truth, rate) for rate in RATES}
        if asked.yardstick:
            followed += _followed(way, square, truth, asked.cache)
    _save(ways, costs_ms, scores, absent, counts, followed)


def is_here(model: str) -> bool:
    """Return whether the files of the model are downloaded."""
    folder = load_settings().models_dir.expanduser()
    return all((folder / file.name).is_file() for file in CATALOGUE[model].files)


def _settings(way: Way, weights: Mapping[str, str], picture_px: tuple[int, int]) -> Settings:
    more: dict[str, Any] = {"detector": "openvino", "detector_threads": 1}
    if way.area_px is not None:
        more["input_size_px"] = "x".join(map(str, shaped_px(way.area_px, picture_px)))
    if way.model in weights:
        names = load_settings().models_dir.expanduser() / "coco.names"
        return load_settings(model_weights=weights[way.model], model_names=names, model_cfg="yolox", **more)
    return load_settings(model_weights=way.model, **more)


def _costs_ms(
    ways: Sequence[Way], weights: Mapping[str, str], frames: list[Pixels]
) -> dict[str, list[float]]:
    """Return the CPU time of a frame of the clip, in rounds in which the models take turns."""
    detectors = {way.name: prepare_detector(_settings(way, weights, CLIP_SIZE)) for way in ways}
    works = {name: partial(detector.detect, frames) for name, detector in detectors.items()}
    took = in_turns(works, SPEED_ROUNDS, clock=time.process_time)
    return {name: [1000 * each_s / len(frames) for each_s in seconds] for name, seconds in took.items()}


def detector_of(way: Way, weights: Mapping[str, str], picture_px: tuple[int, int], least: float) -> Detector:
    """Return the detector with boxes from the confidence `least`."""
    settings = _settings(way, weights, picture_px)
    with patch.object(darknet, "MIN_CONFIDENCE", least), patch.dict(CATALOGUE), patch.dict(FAMILIES):
        for records in (CATALOGUE, FAMILIES):
            records.update({name: replace(record, min_confidence=least) for name, record in records.items()})
        return prepare_detector(settings)


def _scored(
    way: Way,
    weights: Mapping[str, str],
    pictures: Sequence[Pixels],
    truths: Sequence[Sequence[Truth]],
    cache: Path,
) -> Scored:
    detector = detector_of(way, weights, COCO_SIZE, LEAST_CONFIDENCE_OF_AP)
    path = cache / f"coco128-{detector.model_id}.json"
    if not path.exists():
        path.write_bytes(msgspec.json.encode(detector.detect(list(pictures))))
    found = msgspec.json.decode(path.read_bytes(), type=list[list[Detection]])
    judged = judge(truths, found)
    counted = [[box for box in boxes if box.confidence >= COUNTED] for boxes in found]
    of_counted = judge(truths, counted)
    small = [[item for item in there if item.box[2] * item.box[3] < SMALL_PX] for there in truths]
    # A box of a large object is not false for small ones, and a large box is not one of theirs.
    large = [[item for item in there if item.box[2] * item.box[3] >= SMALL_PX] for there in truths]
    rest = [
        [
            box
            for box in boxes
            if _is_on(box, near) or (box.box[2] * box.box[3] < SMALL_PX and not _is_on(box, far))
        ]
        for boxes, near, far in zip(found, small, large, strict=True)
    ]
    of_small = judge(small, counted)
    samples = bootstrap([judged], pictures=len(pictures), samples=BOOTSTRAP_SAMPLES)[:, 0]
    return Scored(
        (ap50(judged), *np.percentile(samples, [2.5, 97.5])),
        float(np.mean([ap50(judge(truths, found, least_iou=float(least))) for least in IOUS])),
        ap50(judge(small, rest)),
        shares(of_small),
        shares(of_counted),
        shares(of_counted, [len(boxes) for boxes in counted]),
    )


def _is_on(box: Detection, objects: Sequence[Truth]) -> bool:
    return any(item.label == box.label and iou(item.box, box.box) >= LEAST_IOU for item in objects)


def shares(judged: Mapping[str, Judged], boxes: Sequence[int] | None = None) -> tuple[float, float, float]:
    """Return true boxes as a share of the objects, or of all boxes, in points, with a 95 % interval."""
    every = np.sum([one.objects for one in judged.values()], axis=0) if boxes is None else np.array(boxes)
    true, random = np.zeros(len(every)), np.random.default_rng(0)
    for one in judged.values():
        np.add.at(true, one.picture[one.is_true], 1)
    samples = []
    for _ in range(BOOTSTRAP_SAMPLES):
        chosen = random.integers(0, len(every), len(every))
        samples.append(true[chosen].sum() / max(1.0, every[chosen].sum()))
    low, high = np.percentile(samples, [2.5, 97.5])
    return 100 * float(true.sum() / every.sum()), 100 * float(low), 100 * float(high)


def _seen(
    way: Way, weights: Mapping[str, str], video: Path, cache: Path, size_px: tuple[int, int]
) -> list[list[Seen]]:
    """Return the boxes of people or vehicles in the counted frames, as in the pipeline."""
    is_clip = size_px == CLIP_SIZE
    labels = VEHICLES if is_clip else (LABEL,)
    step, number = (CLIP_FPS // max(RATES), CLIP_FRAMES) if is_clip else (1, FRAMES)
    detector = prepare_detector(_settings(way, weights, size_px))
    path = cache / f"{video.stem}-{detector.model_id}-{step}.json"
    return detected(video, path, number, labels, detector=detector, step=step)


def _absent_share(way: Way, weights: Mapping[str, str], square: Path) -> float:
    """Return the share of the square's counted boxes, in percent, whose label nothing there has."""
    detector = prepare_detector(_settings(way, weights, VTEST_SIZE))
    shown = [
        stored(picture, DEFAULT_QUALITY)
        for picture in islice(decoded_frames(square, SQUARE_FRAMES), 0, None, LOOKED_AT_EVERY)
    ]
    boxes = [box for frame in detector.detect(shown) for box in frame if box.confidence >= COUNTED]
    return 100 * sum(box.label not in ON_THE_SQUARE for box in boxes) / len(boxes)


def _without_walker(frames: Frames) -> list[list[Seen]]:
    """Leave out the boxes of the walker who is not annotated."""

    def is_walker(place: int, box: Sequence[float]) -> bool:
        left, top, width, height = box
        is_there = left + width / 2 < WALKER_PX[0] and top + height < WALKER_PX[1]
        return place in WALKER_FRAMES and is_there

    return [[seen for seen in frame if not is_walker(place, seen.box)] for place, frame in enumerate(frames)]


def _counts(square: Frames, clip: Frames, truth: Boxes, rate: int) -> Counted:
    draws = [(unseen_lines.LINES, unseen_lines.ZONES)]
    draws += [unseen_lines.at_random(truth, lines=LINES, zones=ZONES, seed=seed) for seed in SEEDS]
    # All draws are counted together: tracking takes most of the time.
    lines = {f"{draw} {name}": line for draw, (one, _) in enumerate(draws) for name, line in one.items()}
    zones = {f"{draw} {name}": zone for draw, (_, one) in enumerate(draws) for name, zone in one.items()}
    true_ways = {name: unseen_lines.crossed(truth, line) for name, line in lines.items()}
    true_s = {name: unseen_lines.seconds_in(truth, zone) for name, zone in zones.items()}
    starts = [unseen_lines.square_of(square, rate, start, lines, zones) for start in range(FPS // rate)]
    crossings: list[float] = []
    person_s: list[float] = []
    within: list[float] = []
    for draw in range(len(draws)):
        of_draw = {name: way for name, way in true_ways.items() if name.startswith(f"{draw} ")}
        every = sum(way[name] for way in of_draw.values() for name in DIRECTIONS)
        off = [unseen_lines.off_of(ways, of_draw) / every for ways, _ in starts]
        errors = [
            abs(occupied[zone] / true - 1)
            for _, occupied in starts
            for zone, true in true_s.items()
            if zone.startswith(f"{draw} ")
        ]
        crossings.append(100 * statistics.mean(off))
        person_s.append(100 * statistics.mean(errors))
        within.append(sum(error <= 0.07 for error in errors) / len(starts))
    cars = [
        unseen_lines.cars_off(unseen_lines.clip_ways(clip, rate, start))
        for start in range(0, CLIP_FPS // rate, CLIP_FPS // max(RATES))
    ]
    cars_off = 100 * statistics.mean(cars) / sum(unseen_lines.CLIP_BY_EYE.values())
    return Counted(
        round(crossings[0], 1), round(person_s[0], 1), crossings[1:], person_s[1:], within[1:],
        round(cars_off, 1),
    )  # fmt: skip


def _spread(numbers: Sequence[float]) -> str:
    return f"{statistics.mean(numbers):.1f} ({min(numbers):.1f} to {max(numbers):.1f})"


def _followed(way: Way, square: Frames, truth: Boxes, cache: Path) -> list[list[Cell]]:
    """Return a row per tracker that followed the model's boxes of the square."""
    steps = [FPS // rate for rate in RATES]
    shipped = [score_ours([list(frame) for frame in square], truth, step, VARIANTS[0]) for step in steps]
    scores: dict[str, list[Score]] = {"frametally": shipped, **scores_of_others(cache, square, truth, steps)}
    return [
        [way.name, name, *(f"{one.visits} / {one.window_error:.0%} / {one.idf1:.2f}" for one in of_tracker)]
        for name, of_tracker in scores.items()
    ]


def _save(
    ways: Sequence[Way],
    costs_ms: Mapping[str, list[float]],
    scores: Mapping[str, Scored],
    absent: Mapping[str, float],
    counts: Mapping[tuple[str, int], Counted],
    followed: list[list[Cell]],
) -> None:
    usual, balanced = ways[0].name, BALANCED.name

    def ratio(name: str) -> float:
        return median_ratio(costs_ms[name], costs_ms[usual])

    def with_interval(numbers: tuple[float, float, float]) -> str:
        return f"{numbers[0]:.1f} ({numbers[1]:.1f} to {numbers[2]:.1f})"

    of_balanced = [counts[balanced, rate] for rate in RATES]
    save(
        name="models_table",
        title="Models by name",
        about="The presets of `frametally models` beside the default, on OpenVINO in f32, one thread. "
        "Accuracy is on coco128 (the first 128 pictures of COCO's val2017, which no network was trained on), "
        "crossings and person-seconds on the first 400 frames of vtest.avi, without a walker who is not "
        "annotated, and on the demo clip. A preset that is not in the table could not be downloaded on the "
        "machine that measured. Thresholds are the defaults of the settings.",
        packages=["numpy", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                "Accuracy and CPU time",
                [
                    *("model", "AP50", "AP50:95", "AP50, small", "recall, %", "precision, %"),
                    *("recall of small, %", "absent labels, %", "CPU ms", "CPU / default"),
                ],
                [
                    [
                        way.name,
                        with_interval((score := scores[way.name]).ap50),
                        round(score.ap, 1),
                        round(score.small_ap50, 1),
                        with_interval(score.recall),
                        with_interval(score.precision),
                        with_interval(score.small_recall),
                        round(absent[way.name], 1),
                        round(statistics.median(costs_ms[way.name]), 1),
                        ratio(way.name),
                    ]
                    for way in ways
                ],
                "AP in points; 95 % intervals by a bootstrap over pictures. Small: less than 32x32 "
                "pixels. Recall and precision from 0.25 on, where counting begins. Absent labels: of the "
                f"boxes from 0.25 on in every {LOOKED_AT_EVERY}th frame of vtest.avi, those of anything but "
                f"{', '.join(sorted(ON_THE_SQUARE))}: nothing else is there. CPU time of a frame of the "
                "clip, the median of rounds in which the models took turns; compare the ratios.",
            ),
            Table(
                "Lines and zones",
                [
                    *("model", "fps", "crossings off", "person-seconds off", "crossings off, by chance"),
                    *("person-seconds off, by chance", f"zones within 7 %, of {ZONES}"),
                    "cars' crossings off",
                ],
                [[way.name, rate, *counts[way.name, rate].cells()] for way in ways for rate in RATES],
                "Errors in percent of the true crossings, and the mean error of person-seconds, each "
                "the mean over the frames that can be the first. Lines and zones by hand: docs/lines.md; "
                f"{LINES} lines and {ZONES} zones are by chance, in {len(SEEDS)} draws: the mean, and the "
                "least and the most of a draw. Cars: ten lines over the demo clip, by eye.",
            ),
            *(
                [
                    Table(
                        "Trackers on each preset's boxes",
                        ["model", "tracker", *(f"{rate} fps" for rate in RATES)],
                        followed,
                        "Visits of 10 people / mean error of the windows / IDF1, as in *Unique objects*.",
                    )
                ]
                if followed
                else ()
            ),
        ],
        goals=[
            Goal("balanced: CPU time / default", ratio(balanced), at_most=1),
            Goal(
                "balanced: recall of small objects / default",
                round(scores[balanced].small_recall[0] / scores[usual].small_recall[0], 2),
                at_least=2,
            ),
            *(
                Goal(
                    f"balanced, {rate} fps: crossings off by chance, mean of draws, %",
                    round(statistics.mean(of_rate.random_crossings), 1),
                    at_most=most,
                )
                for rate, of_rate, most in zip(RATES, of_balanced, (5, 7), strict=True)
            ),
            *(
                Goal(
                    f"balanced, {rate} fps: zones within 7 %, mean of draws, of {ZONES}",
                    round(statistics.mean(of_rate.zones_within), 1),
                    at_least=least,
                )
                for rate, of_rate, least in zip(RATES, of_balanced, (36, 34), strict=True)
            ),
            *(
                Goal(
                    f"balanced, {rate} fps: cars' crossings off, over the default's, points",
                    round(of_rate.cars - counts[usual, rate].cars, 1),
                    at_most=0,
                )
                for rate, of_rate in zip(RATES, of_balanced, strict=True)
            ),
        ],
    )


if __name__ == "__main__":
    main()
