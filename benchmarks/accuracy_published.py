"""Accuracy checks whose answers are known: published ground truth, and a clip that was labelled at the desk.

    python benchmarks/accuracy_published.py --data ../shared/data

`--data` names a folder with `vtest/vtest.avi`, `vtest/tracks_first_400_frames.csv` and
`coco128/{images,labels}`. `labels/traffic_cars.csv` has the cars in every 12th frame of the demo's clip,
which are numbered from 0. They were entered at the desk: each car of which 24 pixels in width and 12 in
height are visible, and no vans. Boxes are YOLOv4-tiny's at the default threshold. Each check draws anew, 500
times.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from accuracy_truth import COLUMNS, NOTE, row_of, run_checks
from detectors import labelled_pictures
from results import Cell, Goal, Table, save
from stored_frames import decoded_frames, stored
from tracking import FRAMES, true_tracks

from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.records import Detection
from frametally.settings.loading import load_settings
from frametally_accuracy.rules.drawing import Numbers
from frametally_models import darknet
from frametally_models.prepare import prepare_detector

DRAWS = 500
NEAR = 0.15
LEAST = 0.05
CARS = Path(__file__).resolve().parent / "labels" / "traffic_cars.csv"


class Place(NamedTuple):
    """Footage whose truth is known.

    Attributes:
        name: The name of the footage and what is counted in it.
        label: The detector's label.
        truth: The true number by frame.
        boxes: The detector's boxes by frame.
        sizes: Numbers of answered frames after which a check is evaluated.
    """

    name: str
    label: str
    truth: Sequence[int]
    boxes: Sequence[Sequence[Detection]]
    sizes: tuple[int, ...]


def main() -> None:
    """Check all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    rows: list[list[Cell]] = []
    goals = []
    for place in _places(options.data):
        truth = np.array(place.truth, dtype=float)[:, None]
        model, doubts = _counts(place)
        seeds = [f"{place.name}/{number}" for number in range(DRAWS)]
        (checks,) = run_checks(truth, model, doubts, seeds=seeds, sizes=place.sizes)
        for size in place.sizes:
            row = row_of(checks, size)
            per_unit = f"{truth.mean():.2f} ({model.mean():.2f})"
            rows.append([place.name, len(truth), size, per_unit, *row])
            goals += _goals(place.name, size, row)
    save(
        name="accuracy_published",
        title="Accuracy checks with known answers",
        about="Persons in the first 400 frames of vtest.avi, by the published tracks; persons in the "
        "128 pictures of coco128, by its labels; and cars in 30 frames of the demo's clip, by boxes that "
        "were drawn at the desk. 500 checks each. Boxes are YOLOv4-tiny's at the default threshold.",
        load_before=load_before,
        packages=["numpy", "opencv-python-headless"],
        tables=[
            Table(
                title="Footage with known answers",
                columns=["footage", "frames", "frames answered", "objects a frame (counted)", *COLUMNS],
                rows=rows,
                note=NOTE,
            )
        ],
        goals=goals,
    )


def _goals(name: str, size: int, row: list[Cell]) -> list[Goal]:
    held, always = row[1], row[3]
    if not isinstance(held, float) or not isinstance(always, float):
        return []
    of = f"{name}, {size} frames of {DRAWS} draws"
    return [
        Goal(what=f"{of}: truth in the fixed interval, %", measured=held, at_least=94, at_most=97),
        Goal(what=f"{of}: truth in the interval at will, %", measured=always, at_least=95),
    ]


def _places(data: Path) -> list[Place]:
    with patch.object(darknet, "MIN_CONFIDENCE", LEAST):
        detector = prepare_detector(load_settings())
    tracks = true_tracks(data / "vtest" / "tracks_first_400_frames.csv")
    video = _frames(data / "vtest" / "vtest.avi", range(FRAMES))
    walkers = [len(tracks[number]) for number in range(FRAMES)]
    pictures, truths = labelled_pictures(data / "coco128")
    persons = [sum(one.label == "person" for one in there) for there in truths]
    with CARS.open(newline="", encoding="utf-8") as file:
        cars = Counter(int(row["frame"]) for row in csv.DictReader(file))
    clip = _frames(ensure_demo_clip(load_settings().models_dir.expanduser()), cars)
    return [
        Place("vtest.avi, persons", "person", walkers, detector.detect(video), (50, 100, 200)),
        Place(
            "coco128, persons",
            "person",
            persons,
            [detector.detect([one])[0] for one in pictures],
            (40, 60, 100),
        ),
        Place("traffic clip, cars", "car", [*cars.values()], detector.detect(clip), (21, 28)),
    ]


def _frames(path: Path, numbers: Iterable[int]) -> list[Pixels]:
    """Return a video's frames as stored, by their numbers from 0, in ascending order."""
    wanted = [*numbers]
    frames = [*decoded_frames(path, wanted[-1] + 1)]
    return [stored(frames[number]) for number in wanted]


def _counts(place: Place) -> tuple[Numbers, Numbers]:
    """Return the counts and the numbers of boxes near the threshold, shape (frames, 1)."""
    least = load_settings().count_min_confidence
    confidences = [
        np.array([one.confidence for one in boxes if one.label == place.label]) for boxes in place.boxes
    ]
    counts = [[float((some >= least).sum())] for some in confidences]
    doubts = [[float((np.abs(some - least) < NEAR).sum())] for some in confidences]
    return np.array(counts), np.array(doubts)


if __name__ == "__main__":
    main()
