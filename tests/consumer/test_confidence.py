"""Each model's default thresholds have the same effect as YOLOv4-tiny's; its confidences stay unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from frametally.settings.loading import Settings
from frametally_consumer.detectors.confidence import COUNTED, TRACKED, scaled
from frametally_models.catalogue import CATALOGUE, DEFAULT

NAMES = ("person", "car", "truck")
SCALE = (("car", 0.6), ("truck", 0.6), ("bus", 0.6))


def test_a_vehicles_confidence_is_scaled_to_fit_the_default_of_tracking() -> None:
    own = np.array([[0.25, 0.25, 0.25], [0.6, 0.6, 0.1], [0.9, 1.0, 0.425]], np.float32)
    written = scaled(own, NAMES, SCALE)
    assert written == pytest.approx(
        np.array([[0.25, 0.25, 0.25], [0.6, 0.4, 0.1], [0.9, 1.0, 0.325]]), abs=1e-6
    )
    assert own[1, 1] == np.float32(0.6)  # the network's result is not changed


def test_scaling_does_not_reorder_two_boxes_of_a_label() -> None:
    own = np.random.default_rng(0).random((1000, 3), np.float32)
    assert (np.argsort(scaled(own, NAMES, SCALE), axis=0) == np.argsort(own, axis=0)).all()


def test_the_scale_follows_the_default_settings_and_yolov4_tiny_has_none() -> None:
    thresholds = Settings.model_fields["track_label_confidence"].default
    assert thresholds == ",".join(["*=0.6", *(f"{label}={value}" for label, value in TRACKED.items())])
    assert Settings.model_fields["count_min_confidence"].default == COUNTED
    assert CATALOGUE[DEFAULT].scale == ()
    for name in CATALOGUE.keys() - {DEFAULT}:
        assert CATALOGUE[name].scale == tuple((label, 0.6) for label in TRACKED)
