"""Large JPEGs are decoded at a reduced scale: the boxes are those of the whole frame, within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_announcement, make_frame
from tests.kit.clips import jpeg_of

from frametally import keys
from frametally.files.opencv import Pixels
from frametally.records import Detection, FrameAnnouncement
from frametally.segments.stored_frame import decoded_bytes, read_frame
from frametally.settings.loading import load_settings
from frametally_consumer.backends.network import Backend
from frametally_consumer.detectors.protocol import least_px, start
from frametally_consumer.load import is_installed
from frametally_models.detector_agreement import agreement, iou
from frametally_models.files import ModelFiles
from frametally_models.prepare import prepare_detector

SIZE_PX = 224  # at twice this size it is still within the clip's 854x480
FOUND_AGAIN = 0.9
"""Of the detections of one with a confidence of 0.25 or more: the share that the other also has."""
SHIFT, BIAS = 0.05, 0.025
"""How far the edges of boxes of 0.5 and more move, as a share of the side: the median without and with its
sign. A box moves by chance; they may not all move in one direction."""


def announced(store: MemoryStore, number: int, picture: Pixels) -> FrameAnnouncement:
    data = jpeg_of(picture, quality=90)
    path = keys.image_key("cam", 1_000 * number, "ab" * 32, number)
    store.put(path, data)
    return make_announcement(
        make_frame(1_000 * number, number, size_px=(picture.shape[1], picture.shape[0])), data
    )


def found(detector: Any, store: MemoryStore, frame: FrameAnnouncement, *, reduced: bool) -> list[Detection]:
    picture = read_frame(
        store, frame, max_pixels=10_000_000, least_px=least_px(detector) if reduced else None
    )
    assert picture.shape[:2] == ((240, 427) if reduced else (480, 854))
    return start(detector, picture, frame_px=(frame.width_px, frame.height_px)).result()


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["opencv", "openvino", "onnxruntime"])
def test_on_real_frames_the_boxes_match_those_of_the_whole_frame(
    model_files: ModelFiles, clip_frames: dict[int, Pixels], tmp_path: Path, backend: Backend
) -> None:
    if not is_installed(backend):
        pytest.skip(f"{backend} is not installed")
    detector = prepare_detector(
        load_settings(
            models_dir=model_files.cfg.parent,
            data_dir=tmp_path,
            detector=backend,
            input_size_px=f"{SIZE_PX}x{SIZE_PX}",
        )
    )
    store = MemoryStore()
    frames = [announced(store, *numbered) for numbered in clip_frames.items()]
    whole = [found(detector, store, frame, reduced=False) for frame in frames]
    reduced = [found(detector, store, frame, reduced=True) for frame in frames]
    assert agreement(whole, reduced).sought > 30
    assert agreement(whole, reduced).share >= FOUND_AGAIN
    assert agreement(reduced, whole).share >= FOUND_AGAIN
    moves = np.concatenate(
        [moved(one, every) for each, every in zip(whole, reduced, strict=True) for one in each]
    )
    assert len(moves) > 15
    assert np.median(np.abs(moves)) <= SHIFT
    assert np.abs(np.median(moves, axis=0)).max() <= BIAS


def moved(one: Detection, others: list[Detection]) -> np.ndarray:
    """(n, 4): how far the left, top, right and bottom of a sure box moved, as a share of its side; n is 0 or
    1."""
    same = [other for other in others if other.label == one.label and iou(one.box, other.box) >= 0.5]
    if one.confidence < 0.5 or not same:
        return np.empty((0, 4))
    edges = np.array([one.box, max(same, key=lambda other: iou(one.box, other.box)).box])
    size = edges[0, 2:].copy()
    edges[:, 2:] += edges[:, :2]
    return (edges[1] - edges[0])[np.newaxis] / np.tile(size, 2)


def test_only_large_enough_frames_are_reduced_and_the_memory_estimate_follows() -> None:
    store = MemoryStore()
    frame = announced(store, 1, np.full((1080, 1921, 3), 77, np.uint8))
    for least, size_px in [
        (None, (1921, 1080)),
        ((961, 540), (1921, 1080)),
        ((960, 541), (1921, 1080)),
        ((960, 540), (961, 540)),
        ((416, 416), (961, 540)),
        ((416, 270), (481, 270)),
        ((240, 135), (241, 135)),
        ((32, 32), (241, 135)),
    ]:
        picture = read_frame(store, frame, max_pixels=10_000_000, least_px=least)
        assert picture.shape[1::-1] == size_px
        assert abs(int(picture[50, 50, 0]) - 77) <= 1
        reckoned = decoded_bytes(frame, max_pixels=10_000_000, least_px=least)
        assert reckoned == picture.nbytes + frame.bytes


@pytest.mark.thorough
def test_the_rule_is_part_of_the_model_id(
    model_files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(models_dir=model_files.cfg.parent, data_dir=tmp_path, detector="opencv")
    before = prepare_detector(settings).model_id
    monkeypatch.setattr("frametally_models.identity.DECODE_RULE", "another")
    assert prepare_detector(settings).model_id != before
