"""Measures whether footage tells how a network's input must be prepared, in pairs of expected and given.

Lets YOLOX-nano expect each preparation, gives it each, and asks the rule of `frametally_models.input_check`
for each setting: for all its classes, for people and for vehicles only, on each video.

    python benchmarks/model_input.py VIDEO... --network yolox_nano.onnx --names coco.names
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime

from frametally.files.opencv import Pixels, cv2
from frametally.records import Detection
from frametally_consumer.backends.network import Outputs, Preparation, as_blob, read_now
from frametally_consumer.detectors.heads import GridHead
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_models.calibration_frames import evenly
from frametally_models.catalogue import FAMILIES, named_record
from frametally_models.footage_frames import LEAST_FRAMES, SourceFrame
from frametally_models.input_check import better_setting, found_twice

T = TypeVar("T")
SETTINGS = tuple(
    f"yolox-{change}" for change in ("bgr-255", "rgb-255", "rgb-1", "bgr-1", "imagenet", "pm1", "means")
)
LABELS: dict[str, tuple[str, ...]] = {"all": (), "people": ("person",), "vehicles": ("car", "bus", "truck")}
INPUT_PX = (416, 416)
LOST = 0.1


class Expecting:
    """A network that expects `expected`, around one that expects 0 to 255 in blue-green-red."""

    def __init__(
        self, session: onnxruntime.InferenceSession, expected: Preparation, given: Preparation
    ) -> None:
        self._session, self._expected, self._given = session, expected, given

    def start(self, picture: Pixels, read: Callable[[Outputs], T]) -> Future[T]:
        """Implement `Network.start`."""
        expected = self._expected
        mean, deviation = (
            np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (expected.mean, expected.std)
        )
        blob = (as_blob(picture, self._given) * deviation + mean) * np.float32(255 / expected.brightest)
        blob = np.ascontiguousarray(blob if expected.order == "bgr" else blob[:, ::-1])
        return read_now(read, self._session.run(None, {self._session.get_inputs()[0].name: blob}))


class Labelled:
    """A detector of some labels only; it looks at each picture once for all sets of labels."""

    model_id = ""

    def __init__(
        self, detector: YoloDetector, labels: tuple[str, ...], seen: dict[bytes, list[Detection]]
    ) -> None:
        self._detector, self._labels, self._seen = detector, labels, seen

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """Implement `Detector.detect`."""
        found = []
        for image in images:
            key = image.tobytes()
            if key not in self._seen:
                self._seen[key] = self._detector.detect([image])[0]
            found.append([box for box in self._seen[key] if not self._labels or box.label in self._labels])
        return found


def frames_of(video: Path) -> list[SourceFrame]:
    """Return frames of a video, evenly spread."""
    capture = cv2.VideoCapture(str(video))
    frames = []
    for place in evenly(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), LEAST_FRAMES):
        capture.set(cv2.CAP_PROP_POS_FRAMES, place)
        frames.append(SourceFrame(video.stem, np.asarray(capture.read()[1], np.uint8)))
    return frames


def pairs(video: Path, network: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each pair: video, labels, expected, given, the part that it finds, the verdict."""
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    frames = frames_of(video)
    for expected in SETTINGS:
        found: dict[str, dict[str, list[float]]] = {kind: {} for kind in LABELS}
        for given in SETTINGS:
            preparation = named_record(given).preparation
            model = NetworkModel(
                name=given,
                backend="onnxruntime",
                network=b"",
                head=GridHead(0, INPUT_PX, len(names)),
                class_names=names,
                input_px=INPUT_PX,
                preparation=preparation,
                min_confidence=FAMILIES["yolox"].min_confidence,
                nms_iou=FAMILIES["yolox"].nms_iou,
            )
            wrapped = Expecting(session, named_record(expected).preparation, preparation)
            seen: dict[bytes, list[Detection]] = {}
            for kind, labels in LABELS.items():
                detector = Labelled(YoloDetector(wrapped, model), labels, seen)
                found[kind][given] = found_twice(detector, frames)
        for kind, sums in found.items():
            for given in SETTINGS:
                part = sum(sums[given]) / max(sum(sums[expected]), 1e-9)
                verdict = better_setting(given, sums) or "accepted"
                yield video.stem, kind, expected, given, f"{part:.2f}", verdict


def main() -> None:
    """Print the pairs and the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--names", type=Path, required=True)
    args = parser.parse_args()
    names = args.names.read_text("utf-8").strip().split("\n")
    rows = []
    for video in args.videos:
        for row in pairs(video, args.network, names):
            rows.append(row)
            print("  ".join(row), flush=True)
    lost = [row for row in rows if row[5] == "accepted" and float(row[4]) < 1 - LOST]
    right = [row for row in rows if row[2] == row[3] and row[5] != "accepted"]
    print(f"{len(rows)} pairs; accepted that lose more than {LOST:.0%}: {len(lost)}")
    print(f"right ones refused: {len(right)}")


if __name__ == "__main__":
    main()
