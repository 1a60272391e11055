"""The baseline: a consumer as it is often written, one image at a time through OpenCV.

It reads each video frame, writes it as a JPEG, reads it again, detects with OpenCV's `DetectionModel`, and
appends a JSON line. It has no threads, log or guarantees.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from frametally.files.opencv import Pixels, cv2

_SIZE_PX = (416, 416)
_MIN_CONFIDENCE, _NMS_IOU = 0.1, 0.45


class OpenCvDetector:
    """YOLOv4-tiny on OpenCV's own detection model."""

    def __init__(self, models: Path) -> None:
        """Load the network from the folder of models."""
        self._model = cv2.dnn.DetectionModel(
            str(models / "yolov4-tiny.weights"), str(models / "yolov4-tiny.cfg")
        )
        self._model.setInputParams(size=_SIZE_PX, scale=1 / 255, swapRB=True)
        self._names = (models / "coco.names").read_text("utf-8").split("\n")

    def detect(self, image: Pixels) -> list[dict[str, object]]:
        """Return the objects in one image, with boxes in its pixels."""
        found = self._model.detect(image, _MIN_CONFIDENCE, _NMS_IOU)
        return [
            {
                "label": self._names[label],
                "confidence": round(float(confidence), 4),
                "box": list(map(int, box)),
            }
            for label, confidence, box in zip(*found, strict=True)
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
