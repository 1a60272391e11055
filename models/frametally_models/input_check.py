"""Tests that an ONNX network gets its input as in training, which its file does not describe.

A network that expects pixels from 0 to 255 and gets them from 0 to 1 finds nothing, without an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice

from frametally import keys
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.files.opencv import Pixels, decode_image
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectMissing
from frametally.process.reports import plural
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_models.calibration_frames import thinned
from frametally_models.catalogue import SETTING, ModelRecord, plausible_records
from frametally_models.detector_agreement import LEAST_CONFIDENCE
from frametally_models.self_test import draw_picture, read_stop_sign

Make = Callable[[ModelRecord], YoloDetector]

_STOP_SIGN = "stop sign"
_FRAMES, _MOST_KEYS = 4, 256
_LITTLE = 0.5
"""Confidence sum per picture below which other preparations are tried; they must find this much more."""


def check_input(detector: YoloDetector, record: ModelRecord, make: Make, settings: Settings) -> None:
    """Check that `detector` finds what it should; `make` makes the detector with another record.

    If the classes include a stop sign, it must find the drawn one. Otherwise it must find something in that
    picture and some of the store's frames, provided that another preparation does.

    Raises:
        Misconfigured: It does not; the message names the setting to change.
    """
    if _STOP_SIGN in detector.model.class_names:
        _check_stop_sign(detector, record, make)
        return
    pictures = [draw_picture(), *_stored_frames(settings)]
    little = _LITTLE * len(pictures)
    own = _confidence_sum(detector, pictures)
    if own >= little:
        return
    sums = {name: _confidence_sum(other, pictures) for name, other in _other_detectors(record, make)}
    best = max(sums, key=lambda name: sums[name], default="")
    if best and sums[best] >= own + little:
        raise Misconfigured(
            f"{detector.model.name}: in {plural(len(pictures), 'test picture')} it finds next to nothing "
            f"(confidences sum up to {own:.1f}), but with another preparation of its input to "
            f"{sums[best]:.1f}; set {SETTING}={best}"
        )


def _check_stop_sign(detector: YoloDetector, record: ModelRecord, make: Make) -> None:
    confidence, label = _stop_sign(detector)
    if label == _STOP_SIGN and confidence >= record.stop_sign:
        return
    name = detector.model.name
    if confidence >= record.stop_sign:
        raise Misconfigured(
            f"{name}: it takes the drawn stop sign for a {label} ({confidence:.2f}), so the class names are "
            f"in another order; set {ENV_PREFIX}MODEL_NAMES to the names file that belongs to it"
        )
    for other_name, other in _other_detectors(record, make):
        better, label = _stop_sign(other)
        if better >= record.stop_sign and label == _STOP_SIGN:
            raise Misconfigured(
                f"{name}: it finds the drawn stop sign with confidence {confidence:.2f}, but with "
                f"{better:.2f} if its input is prepared in another way; set {SETTING}={other_name}"
            )
    raise Misconfigured(
        f"{name}: it does not find the drawn stop sign (confidence {confidence:.2f}), however its input is "
        f"prepared; set {ENV_PREFIX}MODEL_NAMES to its own names, or, if its pictures had other stop signs, "
        "write another name for that class there"
    )


def _stop_sign(detector: YoloDetector) -> tuple[float, str]:
    sign = read_stop_sign(detector.detect([draw_picture()])[0])
    return (0.0, "") if sign is None else (sign.confidence, sign.label)


def _other_detectors(record: ModelRecord, make: Make) -> Iterator[tuple[str, YoloDetector]]:
    """Yield the network with each other plausible preparation, and its name, if its output fits."""
    tried = {record.preparation}
    for name, other in plausible_records(record.name):
        if other.preparation in tried:
            continue
        try:
            detector = make(other)
        except Misconfigured:
            continue
        tried.add(other.preparation)
        yield name, detector


def _confidence_sum(detector: YoloDetector, pictures: Sequence[Pixels]) -> float:
    """Return the sum of the confidences that would be counted."""
    return sum(
        detection.confidence
        for detections in detector.detect(pictures)
        for detection in detections
        if detection.confidence >= LEAST_CONFIDENCE
    )


def _stored_frames(settings: Settings) -> Iterator[Pixels]:
    """Yield a few of the store's first frames; none while the store is unavailable."""
    try:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            names = (info.key for info in islice(store.list(keys.IMAGES), _MOST_KEYS))
            for key in thinned(names, _FRAMES):
                yield decode_image(store.get(key), settings.max_image_megapixels * 1_000_000)
    except (ObjectMissing, Poison, Retryable):
        return
