"""Detections depend only on the image and the model, and the model's id identifies it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.kit.errors import one_line

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels, cv2
from frametally.records import Detection
from frametally.settings.loading import load_settings
from frametally_consumer import load
from frametally_consumer.backends.network import Preparation, brightened, fit
from frametally_consumer.detectors.boxes import CONFIDENCE_STEPS, PIXEL_STEPS
from frametally_consumer.detectors.protocol import Detector, make_model_id
from frametally_models import darknet
from frametally_models.darknet import reference_detector
from frametally_models.files import ModelFiles, check_model
from frametally_models.prepare import prepare_detector

WriteModel = Callable[..., ModelFiles]

SETTINGS: dict[str, Any] = {"input_size_px": "64x64"}


@pytest.fixture(autouse=True)
def weak_boxes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(darknet, "MIN_CONFIDENCE", 0.05)


def detector_of(files: ModelFiles, **settings: Any) -> Detector:
    return reference_detector(check_model(files), load_settings(**SETTINGS | settings))


def noise(seed: int, *, width_px: int = 80, height_px: int = 60) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def as_bytes(found: list[list[Detection]]) -> bytes:
    return msgspec.json.encode(found)


@pytest.fixture(scope="module")
def yolov4_tiny(model_files: ModelFiles) -> Detector:
    return prepare_detector(load_settings(models_dir=model_files.cfg.parent, detector="opencv"))


def test_the_same_model_and_settings_have_one_id_wherever_the_files_are(write_model: WriteModel) -> None:
    here, there = write_model(folder="here"), write_model(folder="there", names="cat\r\ndog\n\n")
    assert detector_of(here).model_id == detector_of(there).model_id
    assert re.fullmatch(r"tiny-opencv-f32-[0-9a-f]{8}", detector_of(here).model_id)


def test_everything_that_changes_a_detection_changes_the_id(
    write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = write_model()
    weights = plain.weights.read_bytes()
    others = {
        "weights": write_model(folder="1", weights=weights[:-4] + struct.pack("<f", 0.125)),
        "cfg": write_model(folder="2", cfg=plain.cfg.read_text().replace("10,14", "11,14")),
        "names": write_model(folder="3", names="dog\ncat\n"),
    }
    sizes = ("96x64", "64x96")
    ids = [detector_of(plain).model_id]
    ids += [detector_of(files).model_id for files in others.values()]
    ids += [detector_of(plain, input_size_px=size).model_id for size in sizes]
    ids.append(detector_of(plain, track_groups="pet=cat+dog").model_id)
    ids.append(detector_of(plain, brighten_dark_frames=True).model_id)
    for name, value in (("MIN_CONFIDENCE", 0.06), ("NMS_IOU", 0.46)):
        with monkeypatch.context() as patch:
            patch.setattr(darknet, name, value)
            ids.append(detector_of(plain).model_id)
    assert len(set(ids)) == 1 + len(others) + len(sizes) + 4


@pytest.mark.thorough
def test_settings_that_change_no_detection_do_not_change_the_id(yolov4_tiny: Detector) -> None:
    # A literal, so that a changed rule shows up as a different model.
    assert yolov4_tiny.model_id == "yolov4-tiny-opencv-f32-e57867ad"


def test_groups_of_other_labels_do_not_change_the_id(write_model: WriteModel) -> None:
    plain = write_model()
    assert detector_of(plain, track_groups="").model_id == detector_of(plain).model_id


@pytest.mark.parametrize("name", ["../Ünïcode Model/x", "a" * 300, "///", "Best_v2.1"])
def test_a_model_id_is_safe_in_keys(name: str) -> None:
    model_id = make_model_id(name=name, backend="opencv", precision="f32", ingredients={})
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,80}", model_id)


@pytest.mark.thorough
def test_other_images_in_a_call_change_nothing(write_model: WriteModel) -> None:
    detector = detector_of(write_model())
    images = [noise(seed, width_px=40 + 8 * seed) for seed in range(5)]
    together = detector.detect(images)
    assert sum(map(len, together)) > 0
    assert as_bytes(together) == as_bytes([detector.detect([image])[0] for image in images])
    assert as_bytes(together) == as_bytes(detector.detect(images[::-1])[::-1])


@pytest.mark.thorough
def test_the_boxes_match_the_plain_network_with_opencvs_own_suppression(
    yolov4_tiny: Detector, model_files: ModelFiles, clip_frames: dict[int, Pixels]
) -> None:
    network = cv2.dnn.readNetFromDarknet(str(model_files.cfg), str(model_files.weights))
    names = model_files.names.read_text().split("\n")
    least = 0.25
    for image in clip_frames.values():
        network.setInput(cv2.dnn.blobFromImage(image, 1 / 255, (416, 416), swapRB=True))
        rows = np.concatenate(network.forward(network.getUnconnectedOutLayersNames()))
        expected = []
        for place, name in enumerate(names):
            of_class = [row for row in rows if row[5:].argmax() == place and row[5 + place] >= least]
            scores = [float(row[5 + place]) for row in of_class]
            boxes = [
                (float(x - w / 2) * 854, float(y - h / 2) * 480, float(w) * 854, float(h) * 480)
                for x, y, w, h in (row[:4] for row in of_class)
            ]
            kept = cv2.dnn.NMSBoxes(boxes, scores, least, 0.45)
            expected += [(-scores[i], name, boxes[i]) for i in kept]
        got = [found for found in yolov4_tiny.detect([image])[0] if found.confidence >= least]
        assert len(got) == len(expected) > 0
        for found, (minus_score, name, box) in zip(got, sorted(expected), strict=True):
            assert found.label == name
            assert found.confidence == pytest.approx(-minus_score, abs=1e-4)
            left, top, width, height = box
            edges = np.clip([left, top, left + width, top + height], 0, [854, 480, 854, 480])
            left, top, width, height = found.box
            assert [left, top, left + width, top + height] == pytest.approx(edges.tolist(), abs=0.06)


@pytest.mark.thorough
def test_boxes_down_to_the_lowest_confidence_are_written(
    yolov4_tiny: Detector, clip_frames: dict[int, Pixels]
) -> None:
    # OpenCV drops confidences below 0.2 unless told otherwise.
    confidences = [
        found.confidence for frame in yolov4_tiny.detect([*clip_frames.values()]) for found in frame
    ]
    assert 0.1 <= min(confidences) < 0.12


@pytest.mark.thorough
def test_written_numbers_are_whole_tenths_and_ten_thousandths_inside_the_frame(
    yolov4_tiny: Detector, clip_frames: dict[int, Pixels]
) -> None:
    for image, found in zip(
        clip_frames.values(), yolov4_tiny.detect(list(clip_frames.values())), strict=True
    ):
        assert found
        for detection in found:
            left, top, width, height = detection.box
            assert all(value == round(value * PIXEL_STEPS) / PIXEL_STEPS for value in detection.box)
            assert detection.confidence == round(detection.confidence * CONFIDENCE_STEPS) / CONFIDENCE_STEPS
            assert left + width <= image.shape[1] + 1e-9 and top + height <= image.shape[0] + 1e-9


def test_weights_that_make_the_network_overflow_are_refused_at_once(write_model: WriteModel) -> None:
    whole = write_model().weights.read_bytes()
    values = np.frombuffer(whole, np.float32, offset=20).copy()
    values[-14 * 4 :] = 1e30
    with pytest.raises(Misconfigured, match=r"tiny\.weights: the network returned numbers that are not"):
        detector_of(write_model(weights=whole[:20] + values.tobytes()))


def test_a_network_that_opencv_cannot_run_is_refused_in_one_line(write_model: WriteModel) -> None:
    files = write_model()
    files.cfg.write_text(files.cfg.read_text().replace("activation=leaky", "activation=nonsense"))
    with one_line(Misconfigured, match=r"tiny\.cfg: OpenCV cannot run this network \(.*nonsense"):
        detector_of(files)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
    ids=["grey", "four channels", "no rows", "floats"],
)
@pytest.mark.parametrize("which", ["opencv", "pixels"])
def test_an_array_that_is_not_an_image_is_refused_with_its_shape(
    write_model: WriteModel, which: str, image: Any
) -> None:
    detector = (
        detector_of(write_model())
        if which == "opencv"
        else prepare_detector(load_settings(detector="pixels"))
    )
    with pytest.raises(ValueError, match=r"expected an image \(height, width, 3\) of uint8, got \("):
        detector.detect([image])


def test_the_pixel_detector_finds_bright_patches_by_their_colour() -> None:
    detector = prepare_detector(load_settings(detector="pixels"))
    image = np.full((48, 64, 3), 20, dtype=np.uint8)
    image[5:20, 5:30] = (255, 0, 0)  # blue
    image[25:40, 30:60] = 250
    image[25:28, 5:8] = (0, 0, 200)  # red
    image[44:46, 2:20] = 255  # too low
    image[30:34, 6:20] = (0, 255, 255)  # yellow has two strong channels
    assert detector.detect([image, image[:20]]) == [
        [
            Detection(label="blue", confidence=1.0, box=(5.0, 5.0, 25.0, 15.0)),
            Detection(label="red", confidence=1.0, box=(5.0, 25.0, 3.0, 3.0)),
            Detection(label="white", confidence=1.0, box=(6.0, 30.0, 14.0, 4.0)),
            Detection(label="white", confidence=1.0, box=(30.0, 25.0, 30.0, 15.0)),
        ],
        [Detection(label="blue", confidence=1.0, box=(5.0, 5.0, 25.0, 15.0))],
    ]


def test_two_confidences_of_the_pixel_detector_are_two_models(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[10:30, 10] = image[10, 10:30] = 255
    image[10:13, 10:30] = 255
    low = prepare_detector(load_settings(detector="pixels"))
    monkeypatch.setattr(load, "MIN_CONFIDENCE", 0.5)
    high = prepare_detector(load_settings(detector="pixels"))
    assert low.model_id != high.model_id
    assert (len(low.detect([image])[0]), len(high.detect([image])[0])) == (1, 0)


def test_the_pixel_detector_survives_jpeg() -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[8:24, 8:32] = (0, 0, 255)
    stored = cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_COLOR)
    (found,) = prepare_detector(load_settings(detector="pixels")).detect([np.asarray(stored, np.uint8)])[0]
    assert found.label == "red"
    assert found.box == pytest.approx((8, 8, 24, 16), abs=2)


def test_only_dark_pictures_are_brightened_and_nearly_black_ones_stay_black() -> None:
    def lit(lights: int) -> Pixels:
        picture = np.full((60, 80, 3), 2, np.uint8)
        picture[20:40, 20:60] = lights
        return picture

    dark = brightened(lit(40))
    assert (dark.max(), dark.min()) == (255, 13)
    for lights in (128, 255, 15):
        assert brightened(picture := lit(lights)) is picture
    for brightens, lights in ((False, 40), (True, 255)):
        preparation = Preparation("stretch", brightens_dark=brightens)
        assert fit(lit(40), input_px=(80, 60), preparation=preparation).picture.max() == lights
