"""What brightening dark frames (`FRAMETALLY_BRIGHTEN_DARK_FRAMES`) changes on simulated nights.

    python benchmarks/dark_frames.py --data ../shared/data

Each picture of coco128 gets a share of its light, noise, and JPEG's losses. `--weights` as in
`models_table.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from average_precision import ap50, judge
from detectors import labelled_pictures
from models_table import (
    BALANCED,
    COCO_SIZE,
    COUNTED,
    LEAST_CONFIDENCE_OF_AP,
    WAYS,
    detector_of,
    is_here,
    shares,
)
from results import SHARED, Cell, Goal, Table, options, save
from stored_frames import stored

from frametally.files.opencv import Pixels
from frametally_consumer.backends.network import brightened

LIGHTS, NOISE, JPEG_QUALITY = (0.12, 0.25), 2.5, 90


def main() -> None:
    """Measure all, and write the result."""
    asked = options(__doc__, data=SHARED, weights=[])
    weights = dict(entry.split("=", 1) for entry in asked.weights)
    pictures, truths = labelled_pictures(asked.data / "coco128")
    nights = {
        light: [at_night(picture, light, seed) for seed, picture in enumerate(pictures)] for light in LIGHTS
    }
    rows: list[list[Cell]] = []
    goals = [Goal("pictures by day that are changed", changed(pictures), at_most=0)]
    for way in (WAYS[0], BALANCED):
        if way.model not in weights and not is_here(way.model):
            continue
        detector = detector_of(way, weights, COCO_SIZE, LEAST_CONFIDENCE_OF_AP)
        for light, dark in nights.items():
            points = {}
            for name, shown in (("as they are", dark), ("brightened", [*map(brightened, dark)])):
                found = detector.detect(shown)
                counted = [[box for box in boxes if box.confidence >= COUNTED] for boxes in found]
                of_counted = judge(truths, counted)
                recall = shares(of_counted)[0]
                precision = shares(of_counted, [len(boxes) for boxes in counted])[0]
                points[name] = ap50(judge(truths, found))
                rows.append(
                    [way.name, light, name, *(round(n, 1) for n in (points[name], recall, precision))]
                )
            gain = points["brightened"] - points["as they are"]
            goals.append(Goal(f"{way.name}, {light} of the light: AP50 gained", round(gain, 1), at_least=0))
    save(
        name="dark_frames",
        title="Dark frames",
        about="coco128 with a share of its light, normal noise with a deviation of "
        f"{NOISE} of 255, and JPEG of quality {JPEG_QUALITY}: a simulation, not footage of a night.",
        packages=["numpy", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                "Simulated nights",
                ["model", "light", "dark pictures", "AP50", "recall, %", "precision, %"],
                rows,
                "Recall and precision from 0.25 on, where counting begins.",
            )
        ],
        goals=goals,
    )


def at_night(picture: Pixels, light: float, seed: int) -> Pixels:
    """Return a picture with that share of its light."""
    noise = np.random.default_rng(seed).normal(0, NOISE, picture.shape)
    return stored(np.clip(picture * light + noise, 0, 255).round().astype(np.uint8), JPEG_QUALITY)


def changed(pictures: Sequence[Pixels]) -> int:
    """Return how many of the pictures brightening changes."""
    return sum(brightened(picture) is not picture for picture in pictures)


if __name__ == "__main__":
    main()
