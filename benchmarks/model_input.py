"""Checks the rule for the input of an own network against networks whose right preparation is known.

    python benchmarks/model_input.py --data ../shared/data

`--data` names a folder with `vtest/vtest.avi` and `yolox/yolox_nano.onnx`; the demo clip and YOLOv4-tiny are
fetched. YOLOX-nano is made to expect each preparation, and given each, on two videos by day and by night: for
all its classes, for people and for vehicles only. Then YOLOX-nano, trained on letterboxed pictures, and
YOLOv4-tiny, trained on stretched ones, get both on pictures of three shapes. Files whose outputs have the
wrong shape are refused before that; see `tests/models/test_onnx_models.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from results import SHARED, Cell, Goal, Table, options, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels, cv2
from frametally.process.reports import NoProgress
from frametally.records import Detection
from frametally.settings.loading import load_settings
from frametally_consumer.backends.network import Outputs, Preparation, Resize, as_blob, read_now
from frametally_consumer.detectors.heads import GridHead
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_models.calibration_frames import evenly
from frametally_models.catalogue import FAMILIES, named_record
from frametally_models.files import chosen_model_files, read_class_names
from frametally_models.footage_frames import LEAST_FRAMES, SampledFootage, SourceFrame
from frametally_models.input_check import better_setting, found_twice
from frametally_models.prepare import prepare_detector

T = TypeVar("T")
SETTINGS = tuple(
    f"yolox-{change}" for change in ("bgr-255", "rgb-255", "rgb-1", "bgr-1", "imagenet", "pm1", "means")
)
LABELS: dict[str, tuple[str, ...]] = {"all": (), "people": ("person",), "vehicles": ("car", "bus", "truck")}
INPUT_PX = (416, 416)
LOST = 0.1
ACCEPTED, NOTHING_TO_FIND = "accepted", "nothing to find"
LEAST_FOUND = 4.0
"""With a smaller sum of confidences over all frames, nothing of the kind is there, and no pair is judged."""
LIGHT, NOISE = 0.12, 2.5
"""The part of the light by day, and the noise in levels, at night."""
RESIZE_RULES: tuple[Resize, ...] = ("letterbox", "stretch")


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


def at_night(frames: Sequence[SourceFrame]) -> list[SourceFrame]:
    """Return the frames with little light and much noise."""
    noise = np.random.default_rng(1)
    return [
        SourceFrame(
            source,
            np.asarray(np.clip(picture * LIGHT + noise.normal(0, NOISE, picture.shape), 0, 255), np.uint8),
        )
        for source, picture in frames
    ]


def in_shape(frames: Sequence[SourceFrame], shape: str) -> list[SourceFrame]:
    """Return the frames whole, or cut to a panorama of 4 x 1 or a portrait of 1 x 2."""
    cut = []
    for source, picture in frames:
        height_px, width_px = picture.shape[:2]
        if shape == "panorama":
            picture = picture[height_px // 4 :][: width_px // 4]
        elif shape == "portrait":
            picture = picture[:, width_px // 3 :][:, : height_px // 2]
        cut.append(SourceFrame(source, np.ascontiguousarray(picture)))
    return cut


def preparation_pairs(
    footage: str, frames: Sequence[SourceFrame], network: Path, names: Sequence[str]
) -> Iterator[list[Cell]]:
    """Yield a row for each pair: footage, labels, expected, given, the part that it finds, the verdict."""
    threads = onnxruntime.SessionOptions()
    threads.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(network), threads, providers=["CPUExecutionProvider"])
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
                verdict = better_setting(given, sums) or ACCEPTED
                if sum(sums[expected]) < LEAST_FOUND:
                    verdict = NOTHING_TO_FIND
                yield [footage, kind, expected, given, round(part, 2), verdict]


def resize_pairs(
    footage: str, frames: Sequence[SourceFrame], network: Path, names: Path
) -> Iterator[list[Cell]]:
    """Yield such a row for each network, shape and rule, with the part of what the better rule finds."""
    nothing = SampledFootage((), lambda: iter(()))
    own = {"model_weights": network, "model_cfg": "yolox", "model_names": names}
    networks: dict[str, tuple[Resize, dict[str, Any]]] = {
        "YOLOX-nano": ("letterbox", own),
        "YOLOv4-tiny": ("stretch", {}),
    }
    for name, (trained, values) in networks.items():
        detectors = {
            rule: prepare_detector(
                load_settings("consumer", detector="onnxruntime", resize=rule, **values), footage=nothing
            )
            for rule in RESIZE_RULES
        }
        for shape in ("whole", "panorama", "portrait"):
            cut = in_shape(frames, shape)
            sums = {str(rule): found_twice(detector, cut) for rule, detector in detectors.items()}
            for given in RESIZE_RULES:
                part = sum(sums[given]) / max(*map(sum, sums.values()), 1e-9)
                verdict = better_setting(given, sums) or ACCEPTED
                yield [f"{footage}, {shape}", name, trained, given, round(part, 2), verdict]


def loses(row: list[Cell]) -> bool:
    """Return whether a pair is accepted although it loses more than `LOST`."""
    return row[5] == ACCEPTED and float(row[4] or 0) < 1 - LOST


def main() -> None:
    """Check all pairs, and save the totals with each pair that is accepted and loses much."""
    args = options(__doc__, data=SHARED)
    network = args.data / "yolox/yolox_nano.onnx"
    names = chosen_model_files(load_settings("consumer"), NoProgress()).names
    with tempfile.TemporaryDirectory() as folder:
        videos = args.data / "vtest/vtest.avi", ensure_demo_clip(Path(folder))
        by_day = {video.stem: frames_of(video) for video in videos}
    footage = by_day | {f"{name}, night": at_night(frames) for name, frames in by_day.items()}
    of_preparation = [
        row
        for name, frames in footage.items()
        for row in preparation_pairs(name, frames, network, read_class_names(names))
    ]
    of_resize = [row for name, frames in by_day.items() for row in resize_pairs(name, frames, network, names)]
    judged = [row for row in of_preparation if row[5] != NOTHING_TO_FIND]
    lost = [row for row in judged + of_resize if loses(row)]
    right = [row for row in judged if row[2] == row[3] and row[5] != ACCEPTED]
    columns = ["footage", "classes or network", "expects", "is given", "part found", "verdict"]
    what_loses = f"accepted, and lose more than {LOST:.0%}"
    totals: list[list[Cell]] = [
        [kind, len(rows), sum(row[5] != ACCEPTED for row in rows), sum(map(loses, rows))]
        for kind, rows in (("preparations", judged), ("rules of resizing", of_resize))
    ]
    save(
        name="model_input",
        title="The test of an own network's input",
        about=f"{LEAST_FRAMES} frames each of vtest.avi and the demo clip; night is {LIGHT:.0%} of the light "
        f"with noise of {NOISE} levels. A pair is what a network expects and what it is given.",
        packages=["numpy", "onnxruntime", "opencv-python-headless"],
        tables=[
            Table("Pairs", ["pairs of", "pairs", "refused", what_loses], totals),
            Table("Pairs that are accepted and lose more than that", columns, lost),
            Table("Right preparations that are refused", columns, right),
            Table("Rules of resizing", columns, of_resize, "The part is of what the better rule finds."),
        ],
        goals=[
            Goal(what_loses, len(lost), at_most=0),
            Goal("right preparations that are refused", len(right), at_most=0),
        ],
    )


if __name__ == "__main__":
    main()
