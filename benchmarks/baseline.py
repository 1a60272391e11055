"""The baseline: a consumer as it is often written, one image at a time through OpenCV.

It reads each video frame, writes it as a JPEG, reads it again, detects with OpenCV's DNN module, suppresses
with `cv2.dnn.NMSBoxes` and appends a JSON line. It has no threads, log or guarantees. Its detector is not
slowed down: `detector_share` measures which fraction of the bare network's speed it reaches.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from frametally.files.opencv import Pixels, cv2

_SIZE_PX = (416, 416)
_MIN_CONFIDENCE, _NMS_IOU = 0.1, 0.45


class OpenCvDetector:
    """YOLOv4-tiny on OpenCV's DNN module, used the common way."""

    def __init__(self, cfg: Path, weights: Path, names: Path) -> None:
        """Load the network."""
        self._network = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
        self._outputs = self._network.getUnconnectedOutLayersNames()
        self._names = names.read_text("utf-8").split("\n")

    def forward(self, image: Pixels) -> Sequence[np.ndarray]:
        """Run the bare network on an image; return its raw rows."""
        self._network.setInput(cv2.dnn.blobFromImage(image, 1 / 255, _SIZE_PX, swapRB=True, crop=False))
        answer: Sequence[np.ndarray] = self._network.forward(self._outputs)
        return answer

    def detect(self, image: Pixels) -> list[dict[str, object]]:
        """Return the objects in one image, with boxes in its pixels."""
        height_px, width_px = image.shape[:2]
        rows = np.concatenate(self.forward(image))
        classes = rows[:, 5:].argmax(axis=1)
        scores = rows[np.arange(len(rows)), 5 + classes]
        sure = scores >= _MIN_CONFIDENCE
        rows, classes, scores = rows[sure], classes[sure], scores[sure]
        size = rows[:, 2:4] * (width_px, height_px)
        corner = rows[:, :2] * (width_px, height_px) - size / 2
        boxes = np.concatenate([corner, size], axis=1)
        kept = cv2.dnn.NMSBoxesBatched(
            boxes.tolist(), scores.tolist(), classes.tolist(), _MIN_CONFIDENCE, _NMS_IOU
        )
        return [
            {
                "label": self._names[classes[at]],
                "confidence": round(float(scores[at]), 4),
                "box": boxes[at].round(1).tolist(),
            }
            for at in np.asarray(kept, int).ravel()
        ]


def consume_one_by_one(clip: Path, folder: Path, detector: OpenCvDetector, *, frames: int) -> float:
    """Process a video file into lines of detections, one image at a time; return frames a second."""
    folder.mkdir(parents=True)
    capture = cv2.VideoCapture(str(clip))
    start_s = time.perf_counter()
    done = 0
    with (folder / "detections.jsonl").open("w", encoding="utf-8") as lines:
        while done < frames:
            there, frame = capture.read()
            if not there:
                break
            path = folder / f"{done:06d}.jpg"
            cv2.imwrite(str(path), frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
            image = np.asarray(cv2.imread(str(path)), np.uint8)
            lines.write(json.dumps({"frame": path.name, "detections": detector.detect(image)}) + "\n")
            done += 1
    return done / (time.perf_counter() - start_s)


def detector_share(detector: OpenCvDetector, images: Sequence[Pixels], *, rounds: int) -> tuple[float, float]:
    """Return the bare network's frames a second, and the detector's share of its speed by CPU time."""
    bare_fps, shares = [], []
    for number in range(rounds + 1):
        wall_s, bare_cpu_s, own_cpu_s = 0.0, 0.0, 0.0
        for image in images:  # in turns, so that disturbances affect both
            start_s, start_cpu_s = time.perf_counter(), time.process_time()
            detector.forward(image)
            wall_s += time.perf_counter() - start_s
            middle_cpu_s = time.process_time()
            detector.detect(image)
            bare_cpu_s += middle_cpu_s - start_cpu_s
            own_cpu_s += time.process_time() - middle_cpu_s
        if number:  # the first round warms up
            bare_fps.append(len(images) / wall_s)
            shares.append(bare_cpu_s / own_cpu_s)
    return statistics.median(bare_fps), statistics.median(shares)
