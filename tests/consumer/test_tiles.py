"""Tiles detect small objects in a large picture, and no object twice, in any order of their results."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels, cv2
from frametally.settings.loading import load_settings
from frametally_consumer.backends.network import AS_DARKNET, Outputs, complete
from frametally_consumer.detectors import tiles
from frametally_consumer.detectors.heads import DecodedHead
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_models.identity import identified

SMALL_PX = 12


class Blobs:
    """A network that finds white patches, if they are of `SMALL_PX` or more in its input; the last first."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[Outputs], Any], Outputs]] = []

    def start(self, picture: Pixels, read: Callable[[Outputs], Any]) -> Future[Any]:
        height_px, width_px = picture.shape[:2]
        _, _, table, _ = cv2.connectedComponentsWithStats((picture[..., 0] > 128).astype(np.uint8))
        rows = [
            [
                (left + width / 2) / width_px,
                (top + height / 2) / height_px,
                width / width_px,
                height / height_px,
                1,
                1,
            ]
            for left, top, width, height, _ in table[1:]
            if min(width, height) >= SMALL_PX
        ]
        future: Future[Any] = Future()
        self.waiting.append((future, read, [np.array(rows, np.float32).reshape(-1, 6)]))
        return future

    def answer(self) -> None:
        while self.waiting:
            complete(*self.waiting.pop())


def model(counts: tuple[int, int] = (2, 2)) -> NetworkModel:
    return NetworkModel(
        name="blobs",
        backend="onnxruntime",
        network=b"",
        head=DecodedHead(1),
        class_names=["blob"],
        input_px=(416, 416),
        preparation=AS_DARKNET,
        min_confidence=0.1,
        nms_iou=0.45,
        tiles=counts,
    )


def street(
    *boxes: tuple[int, int, int, int], size_px: tuple[int, int] = (1920, 1080)
) -> npt.NDArray[np.uint8]:
    picture = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    for left, top, width, height in boxes:
        picture[top : top + height, left : left + width] = 255
    return picture


def boxes_of(picture: Pixels, counts: tuple[int, int] = (2, 2), **more: Any) -> list[tuple[float, ...]]:
    network = Blobs()
    future = YoloDetector(network, model(counts)).start(picture, **more)
    network.answer()
    return sorted(detection.box for detection in future.result(0))


def test_a_tile_shows_objects_too_small_for_the_whole_picture() -> None:
    picture = street((200, 100, 40, 40))
    assert boxes_of(picture, (1, 1)) == []
    ((left, top, width, height),) = boxes_of(picture)
    assert (left, top, width, height) == pytest.approx((200, 100, 40, 40), abs=4)


@pytest.mark.parametrize("left", [840, 860, 900, 940, 980, 1020, 1050])
def test_an_object_on_a_border_of_tiles_is_one(left: int) -> None:
    for width in (60, 150, 300):
        ((found, _, as_wide, _),) = boxes_of(street((left, 500, width, 60)))
        assert (found, as_wide) == pytest.approx((left, width), abs=8)


def test_a_smaller_picture_is_analysed_once_by_its_stored_size() -> None:
    picture = street((200, 100, 40, 40), size_px=(1280, 720))
    assert boxes_of(picture) == boxes_of(picture, (1, 1))
    half = cv2.resize(street((200, 100, 40, 40)), (960, 540), interpolation=cv2.INTER_AREA)
    ((left, *_),) = boxes_of(np.asarray(half, np.uint8), frame_px=(1920, 1080))
    assert left == pytest.approx(200, abs=4)


def test_a_frame_is_decoded_as_large_as_its_tiles_need() -> None:
    assert tiles.least_px((1, 1), (416, 416)) == (416, 416)
    assert tiles.least_px((2, 2), (640, 352)) == (1152, 634)
    assert YoloDetector(Blobs(), model((2, 1))).least_px == (749, 416)


def test_an_error_in_one_tile_fails_the_picture() -> None:
    network = Blobs()
    future = YoloDetector(network, model()).start(street())
    waiting, read, _ = network.waiting[2]
    network.waiting[2] = (waiting, read, [np.full((1, 6), np.nan, np.float32)])
    network.answer()
    with pytest.raises(Misconfigured, match="not finite"):
        future.result(0)


def test_tiles_are_part_of_the_model_id_and_no_tiles_leave_it_unchanged() -> None:
    def model_id(counts: tuple[int, int]) -> str:
        made = identified(model(counts), settings=load_settings(), precision="f32", ingredients={})
        return made.model_id

    assert len({model_id(counts) for counts in ((1, 1), (2, 1), (1, 2), (2, 2))}) == 4
    assert model_id((1, 1)) == "blobs-onnxruntime-f32-e05a5849"


def test_confidences_are_written_on_the_models_scale_which_is_part_of_its_id() -> None:
    network, made = Blobs(), model((1, 1))._replace(class_names=["car"], scale=(("car", 0.6),))
    rows = np.array([[0.5, 0.5, 0.2, 0.2, 1, 0.6]], np.float32)
    future = YoloDetector(network, made).start(street())
    waiting, read, _ = network.waiting[0]
    complete(waiting, read, [rows])
    assert [box.confidence for box in future.result(0)] == [0.4]
    ids = {
        identified(some, settings=load_settings(), precision="f32", ingredients={}).model_id
        for some in (made, made._replace(scale=()))
    }
    assert len(ids) == 2


def test_the_input_size_determines_the_number_of_tiles() -> None:
    settings = load_settings(input_size_px="640x352+3x2")
    assert (settings.input_px, settings.tiles) == ((640, 352), (3, 2))
    assert load_settings().tiles == (1, 1)
    with pytest.raises(Misconfigured, match=r"perhaps with tiles: 544x416\+2x2"):
        load_settings(input_size_px="640x352+2")
