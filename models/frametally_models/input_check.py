"""Compares the preparation of an ONNX network's input with others on the footage, which decides.

The file does not say how pixels become its input. A network that expects pixels from 0 to 255 and gets them
from 0 to 1 finds nothing, and one whose red and blue are exchanged loses a part, both without an error. So
does one that was trained on letterboxed pictures and gets a stretched panorama.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np
from msgspec.structs import replace

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Retryable
from frametally.media.manifests import find_record
from frametally.model_records import InputCheck, assignment
from frametally.process.reports import plural
from frametally.records import encode
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_models.catalogue import ModelRecord, chosen_preparation, plausible_records
from frametally_models.detector_agreement import LEAST_CONFIDENCE, agreement
from frametally_models.footage_frames import SampledFootage, SourceFrame, that_show_something
from frametally_models.self_test import draw_picture, read_stop_sign

Make = Callable[[ModelRecord, Settings], YoloDetector]

LEAST_RATIO = 1.11
"""Another preparation must find so many times as much; a wrong one that loses a tenth of the boxes does."""
LEAST_GAIN = 1.5
"""And so much more, in units of the frames' own spread: few boxes differ by chance."""
_ABOUT_EQUAL = 1.05
_STOP_SIGN = "stop sign"


def check_names(detector: YoloDetector, record: ModelRecord) -> None:
    """Check that the network does not take the drawn stop sign for another of its classes.

    Raises:
        Misconfigured: It does, so its class names are in another order.
    """
    if _STOP_SIGN not in detector.model.class_names:
        return
    sign = read_stop_sign(detector.detect([draw_picture()])[0])
    if sign is not None and sign.confidence >= record.stop_sign and sign.label != _STOP_SIGN:
        raise Misconfigured(
            f"{detector.model.name}: it takes the drawn stop sign for a {sign.label} "
            f"({sign.confidence:.2f}), so the class names are in another order; set {ENV_PREFIX}"
            "MODEL_NAMES to the names file that belongs to it"
        )


def check_input(
    detector: YoloDetector,
    setting: str,
    record: ModelRecord,
    make: Make,
    sha256: str,
    footage: SampledFootage,
    settings: Settings,
) -> None:
    """Compare `detector` with other preparations on `footage`, and keep the result in the store.

    A kept result is used again until there are other sources. `make` makes the detector with another record
    or other settings.

    Raises:
        Misconfigured: Another preparation finds much more; the message names it.
    """
    key = keys.input_check_key(detector.model_id)
    try:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            check = find_record(store, key, InputCheck)
            if check is None or check.is_due(footage.sources):
                frames = that_show_something(footage.read())
                if not frames:
                    return
                detectors = _other_detectors(record, make, settings)
                sums = _sums(detector, setting, detectors, frames)
                sources = {*(check.sources if check else ()), *footage.sources}
                check = InputCheck(
                    model=detector.model_id,
                    sha256=sha256,
                    setting=setting,
                    frames=len(frames),
                    sources=sorted(sources | {frame.source for frame in frames}),
                    sums={name: round(sum(of_frames), 2) for name, of_frames in sums.items()},
                    better=better_setting(setting, sums),
                )
                store.put(key, encode(check))
    except Retryable:
        return  # the consumer waits for the store, and asks again
    if check.better:
        raise Misconfigured(_refusal(detector.model.name, check))


def better_setting(setting: str, sums: Mapping[str, Sequence[float]]) -> str:
    """Return the setting that finds much more than `setting`, or "".

    Args:
        setting: The one in use.
        sums: By setting, what it finds in each frame, as `found_twice`; families come first.
    """
    best = max(sums, key=lambda name: sum(sums[name]))
    own, most = sum(sums[setting]), sum(sums[best])
    spread = sum((a - b) ** 2 for a, b in zip(sums[best], sums[setting], strict=True)) ** 0.5
    if most < LEAST_RATIO * own or most - own < LEAST_GAIN * spread or not spread:
        return ""
    return next(name for name, values in sums.items() if sum(values) * _ABOUT_EQUAL >= most)


def _refusal(name: str, check: InputCheck) -> str:
    most = check.sums[check.better]
    equal = [
        other
        for other, total in check.sums.items()
        if other != check.better and total * _ABOUT_EQUAL >= most and total > check.sums[check.setting]
    ]
    about = f" (about the same with {' or '.join(equal)})" if equal else ""
    return (
        f"{name}: in {plural(check.frames, 'frame')} of your footage, the confidences of its boxes add up to "
        f"{check.sums[check.setting]:.1f}, and with another preparation of its input to {most:.1f}{about}; "
        f"set {assignment(check.better)}"
    )


def _sums(
    detector: YoloDetector,
    setting: str,
    other_detectors: Iterable[tuple[str, YoloDetector]],
    frames: Sequence[SourceFrame],
) -> dict[str, list[float]]:
    """Return `found_twice` of each setting.

    Settings that find less than `setting` in every second frame are left out.
    """
    own = found_twice(detector, frames)
    sums = {}
    for name, other in other_detectors:
        half = found_twice(other, frames[::2])
        if sum(half) > sum(own[::2]):
            sums[name] = [0.0] * len(frames)
            sums[name][::2], sums[name][1::2] = half, found_twice(other, frames[1::2])
    return sums | {setting: own}


def _other_detectors(
    record: ModelRecord, make: Make, settings: Settings
) -> Iterator[tuple[str, YoloDetector]]:
    """Yield the network with each other plausible preparation that fits its output, and the setting for it.

    The last one resizes pictures by the other rule.
    """
    tried = {record.preparation}
    for name, other in plausible_records(record.name):
        if other.preparation in tried:
            continue
        try:
            detector = make(other, settings)
        except Misconfigured:
            continue
        tried.add(other.preparation)
        yield name, detector
    is_letterbox = chosen_preparation(record.preparation, settings).resize == "letterbox"
    resize = "stretch" if is_letterbox else "letterbox"
    yield f"{ENV_PREFIX}RESIZE={resize}", make(record, settings.model_copy(update={"resize": resize}))


def found_twice(detector: Detector, frames: Sequence[SourceFrame]) -> list[float]:
    """Return the sum of the confidences of the boxes that each frame and its mirror image have.

    Numbers far beyond what a network expects make it find many boxes, but others in the mirror image.
    """
    sums = []
    for _, picture in frames:
        mirrored = np.ascontiguousarray(picture[:, ::-1])
        boxes, mirror_boxes = detector.detect([picture]), detector.detect([mirrored])
        turned = [replace(box, box=_mirrored(box.box, picture.shape[1])) for box in mirror_boxes[0]]
        least = LEAST_CONFIDENCE
        sums.append(agreement(boxes, [turned], least_confidence_of_other=least).confidence)
    return sums


def _mirrored(box: tuple[float, float, float, float], width_px: int) -> tuple[float, float, float, float]:
    left, top, width, height = box
    return width_px - left - width, top, width, height
