"""At which of its confidences a model is as dependable as YOLOv4-tiny is where counting and tracking begin.

    python benchmarks/model_thresholds.py --model yolox_nano.onnx --video ../shared/data/vtest/vtest.avi

Settings name two confidences: from 0.25 on a box is counted, from 0.6 on it can begin a track. They were
chosen for YOLOv4-tiny, and another network's 0.6 may be another promise. Footage that no table reports has no
truth, so this compares how steady boxes are: whether the frames before and after, a tenth of a second away,
have a box of that label there (IoU 0.5). What is there stays; most false boxes do not (a stone that looks
like a person does). Of each model, it takes the `NEAREST` boxes around a confidence.

By default, of vtest.avi the frames 401 to 795: docs/models.md and docs/lines.md report the first 400.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from results import SHARED, options
from stored_frames import decoded_frames, stored

from frametally.files.opencv import Pixels
from frametally.records import Detection
from frametally.settings.loading import Settings, load_settings
from frametally_models.detector_agreement import iou
from frametally_models.prepare import prepare_detector

NEAREST = 200
COUNTED, TRACKED = 0.25, 0.6


def main() -> None:
    """Print both confidences of each model, for all the footage and for two halves of it."""
    video, sizes = SHARED / "vtest" / "vtest.avi", ["416x416", "640x480"]
    asked = options(__doc__, video=video, first=400, frames=395, model=Path, sizes=sizes)
    frames = decoded_frames(asked.video, asked.first + asked.frames)
    pictures = [stored(picture) for picture in islice(frames, asked.first, None)]
    reference = steadiness(pictures, load_settings(detector="openvino"))
    levels = {threshold: share_at(reference, threshold) for threshold in (COUNTED, TRACKED)}
    print("YOLOv4-tiny:", {threshold: round(share, 3) for threshold, share in levels.items()})
    for size in asked.sizes:
        names = load_settings().models_dir.expanduser() / "coco.names"
        own = {"model_weights": asked.model, "model_names": names, "model_cfg": "yolox"}
        settings = load_settings(detector="openvino", input_size_px=size, **own)
        boxes = steadiness(pictures, settings)
        halves = [boxes[boxes[:, 2] % 2 == part] for part in (0, 1)]
        for threshold, share in levels.items():
            values = [same_share(part, share) for part in (boxes, *halves)]
            print(f"{size}: {threshold} of YOLOv4-tiny is " + ", ".join(f"{value:.2f}" for value in values))


def steadiness(pictures: Sequence[Pixels], settings: Settings) -> npt.NDArray[np.float64]:
    """Return (n, 3): each box's confidence, whether it is steady, and its frame's group of 20 frames."""
    frames = prepare_detector(settings).detect(pictures)
    return np.array(
        [
            (box.confidence, _is_in(box, frames[place - 1]) and _is_in(box, frames[place + 1]), place // 20)
            for place in range(1, len(frames) - 1)
            for box in frames[place]
        ],
        np.float64,
    )


def share_at(boxes: npt.NDArray[np.float64], confidence: float) -> float:
    """Return the share of steady boxes around a confidence, 0 to 1."""
    nearest = np.argsort(np.abs(boxes[:, 0] - confidence), kind="stable")[:NEAREST]
    return float(boxes[nearest, 1].mean())


def same_share(boxes: npt.NDArray[np.float64], share: float) -> float:
    """Return the least confidence, in steps of 0.01, from which that share is steady."""
    steps = np.arange(0.1, 0.96, 0.01)
    # Shares rise with confidence except by chance, so use the lowest non-decreasing curve above them.
    shares = np.maximum.accumulate([share_at(boxes, step) for step in steps])
    return float(steps[min(int(np.searchsorted(shares, share)), len(steps) - 1)])


def _is_in(box: Detection, others: Sequence[Detection]) -> bool:
    return any(other.label == box.label and iou(other.box, box.box) >= 0.5 for other in others)


if __name__ == "__main__":
    main()
