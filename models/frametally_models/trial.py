"""Compares two detectors on the same pictures: their detections, and the CPU time that each takes."""

from __future__ import annotations

import html
import statistics
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from frametally import keys
from frametally.errors import Poison
from frametally.files.jpeg_header import jpeg_size_px
from frametally.files.opencv import Pixels, cv2, decode_pixels, reduction_for
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import Detection
from frametally.rules.counted_boxes import CountedBoxes
from frametally_consumer.detectors.protocol import Detector, least_px, start
from frametally_models.calibration_frames import thinned
from frametally_models.detector_agreement import agreement
from frametally_models.self_test import draw_picture

_SPEED_ROUNDS, _SPEED_PICTURES = 3, 8
_COLOURS = ((255, 140, 0), (0, 140, 255))  # blue-green-red: blue for the present model, orange for the other
_SHEET = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:sans-serif;margin:2em}}img{{max-width:100%}}</style>
<h1>{title}</h1><p>Blue: {present}. Orange: {other}.</p>"""


class TriedFrame(NamedTuple):
    """The counted boxes of both detectors in a stored frame, and how many of them only one detector has."""

    key: str
    present: list[Detection]
    other: list[Detection]
    apart: int


class Trial(NamedTuple):
    """The result of a comparison.

    Attributes:
        frames: The compared frames.
        cpu_s: CPU time of the present detector and of the other one.
        skipped: Unreadable frames.
    """

    frames: list[TriedFrame]
    cpu_s: tuple[float, float]
    skipped: list[Skipped]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return, by label, how many boxes each detector counts, the commonest label first."""
        present = Counter(box.label for frame in self.frames for box in frame.present)
        other = Counter(box.label for frame in self.frames for box in frame.other)
        return {label: (present[label], other[label]) for label, _ in (present + other).most_common()}

    def most_apart(self, number: int) -> list[TriedFrame]:
        """Return at most `number` frames, those in which the detectors differ most."""
        ordered = sorted(self.frames, key=lambda frame: (-frame.apart, frame.key))
        return [frame for frame in ordered[:number] if frame.apart]


def sampled_keys(store: ObjectStore, sources: Iterable[str], wanted: int) -> list[str]:
    """Return the keys of up to `wanted` stored frames of sources (slugs), evenly spread."""
    return thinned((info.key for slug in sources for info in store.list(f"{keys.IMAGES}/{slug}")), wanted)


def compare_detectors(
    present: Detector,
    other: Detector,
    store: ObjectStore,
    frame_keys: Sequence[str],
    counted: CountedBoxes,
    *,
    max_pixels: int,
    progress: Progress,
) -> Trial:
    """Run both detectors alternately on stored frames.

    Raises:
        Misconfigured: A detector cannot work.
        Retryable: The store is unavailable.
    """
    counts = counted.rule()
    tried: list[TriedFrame] = []
    skipped: list[Skipped] = []
    cpu_s = [0.0, 0.0]
    for number, key in enumerate(frame_keys):
        progress.update(number, len(frame_keys), key)
        boxes: list[list[Detection]] = []
        try:
            pictures = [_decoded(store.get(key), detector, max_pixels) for detector in (present, other)]
        except (ObjectMissing, Poison) as error:
            skipped.append(Skipped(key, str(error)))
            continue
        for place, (detector, (picture, frame_px)) in enumerate(zip((present, other), pictures, strict=True)):
            began_s = time.process_time()
            detections = start(detector, picture, frame_px=frame_px).result()
            cpu_s[place] += time.process_time() - began_s
            boxes.append([box for box in detections if counts(box)])
        again = agreement([boxes[0]], [boxes[1]]).found
        tried.append(TriedFrame(key, boxes[0], boxes[1], len(boxes[0]) + len(boxes[1]) - 2 * again))
    return Trial(tried, (cpu_s[0], cpu_s[1]), skipped)


def speeds_ms(detectors: Mapping[str, Detector]) -> dict[str, float]:
    """Return the CPU milliseconds that each detector takes for a picture; they take turns."""
    picture = draw_picture()
    rounds: dict[str, list[float]] = {name: [] for name in detectors}
    for detector in detectors.values():
        detector.detect([picture])  # the first call takes longer
    for _ in range(_SPEED_ROUNDS):
        for name, detector in detectors.items():
            began_s = time.process_time()
            detector.detect([picture] * _SPEED_PICTURES)
            rounds[name].append(1000 * (time.process_time() - began_s) / _SPEED_PICTURES)
    return {name: statistics.median(times) for name, times in rounds.items()}


def sheet(
    store: ObjectStore, frames: Iterable[TriedFrame], *, title: str, present: str, other: str
) -> Iterator[bytes]:
    """Yield a self-contained HTML page with those frames and the boxes of both detectors."""
    names = {"title": title, "present": present, "other": other}
    yield _SHEET.format(**{name: html.escape(text) for name, text in names.items()}).encode()
    for frame in frames:
        picture = decode_pixels(store.get(frame.key))
        for colour, boxes, width_px in zip(_COLOURS, (frame.present, frame.other), (4, 2), strict=True):
            for left, top, width, height in (box.box for box in boxes):
                corner = (round(left + width), round(top + height))
                cv2.rectangle(picture, (round(left), round(top)), corner, colour, width_px)
        jpeg = b64encode(cv2.imencode(".jpg", picture)[1].tobytes())
        counts = f"{present}: {len(frame.present)}, {other}: {len(frame.other)}"
        yield f"<h2>{html.escape(frame.key)}</h2><p>{html.escape(counts)}</p>".encode()
        yield b'<img alt="" src="data:image/jpeg;base64,' + jpeg + b'">'


def _decoded(data: bytes, detector: Detector, max_pixels: int) -> tuple[Pixels, tuple[int, int]]:
    """Return a stored frame as a consumer decodes it for the detector, with its width and height."""
    width_px, height_px = jpeg_size_px(data)
    if width_px * height_px > max_pixels:
        raise Poison(f"it has {width_px}x{height_px} pixels; at most {max_pixels} are allowed")
    picture = decode_pixels(data, reduction_for(width_px, height_px, least_px(detector)))
    return picture, (width_px, height_px)
