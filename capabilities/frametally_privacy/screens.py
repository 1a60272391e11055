"""Changes pictures by the privacy policy before they are stored, and detects their objects before that."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import Pixels, decode_image, decode_pixels, jpeg_size_px, reduction_for
from frametally.media.manifests import find_record
from frametally.media.screening import ScreenNote, ScreensPart, with_note
from frametally.ports.object_store import ObjectStore
from frametally.records import AutoDetector, Detection
from frametally.segments.stored_frame import picture_digest
from frametally.settings.loading import Settings
from frametally_consumer.detectors.boxes import COLOURS, is_confident
from frametally_consumer.detectors.protocol import Detector, least_px, start
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_models.catalogue import CATALOGUE, PRESETS
from frametally_models.choice import CatalogueChoice, record_named
from frametally_models.prepare import prepare_detector
from frametally_privacy.blurring import LABELS, RECIPE, Span, blurred, masked, spans_to_blur
from frametally_privacy.erasure_records import erased_ranges
from frametally_privacy.policy import Originals, PrivacyPolicy, PrivacyRule, read_policy
from frametally_producer.reading.pixels import encode_jpeg

READ_EVERY_S = 10.0
"""How long a process follows a policy before it reads it again."""


_FAINT_PART = 0.5
"""Boxes are blurred from this part of the model's least confidence.

An object near that confidence is in one frame of a video and not in the next; a weaker box of it is in both.
"""


class _Look(NamedTuple):
    """What a model detects in a picture, in its pixels.

    Attributes:
        detections: As the consumer detects them.
        to_blur: The detections, and weaker ones.
    """

    model_id: str
    image: Pixels
    detections: list[Detection]
    to_blur: list[Detection]


class SharedDetector:
    """A detector that threads share."""

    def __init__(self, detector: Detector) -> None:
        """Take the detector, which nothing else uses."""
        self.model_id, self.labels, self._min_confidence = detector.model_id, set(COLOURS), 0.0
        if isinstance(detector, YoloDetector):
            self.labels, self._min_confidence = set(detector.model.class_names), detector.model.min_confidence
            detector = detector.with_faint(self._min_confidence * _FAINT_PART)
        self._detector = detector
        self._lock = threading.Lock()

    def look(self, jpeg: bytes) -> _Look:
        """Return what the consumer detects in a frame, decoded as it does, and weaker boxes."""
        frame_px = jpeg_size_px(jpeg)
        image = decode_pixels(jpeg, reduction_for(*frame_px, least_px(self._detector)))
        with self._lock:
            started = start(self._detector, image, frame_px=frame_px)
        boxes = started.result()
        detections = [box for box in boxes if is_confident(box.confidence, self._min_confidence)]
        return _Look(self.model_id, image, detections, boxes)


class PolicyScreen:
    """Follows one rule of the policy; see `Screen`."""

    def __init__(
        self, rule: PrivacyRule, settings: Settings, detector_of: Callable[[str], SharedDetector]
    ) -> None:
        """Load nothing yet; `detector_of` returns a model by its name, "" for the one in use."""
        self._rule, self._settings, self._detector_of = rule, settings, detector_of
        self.originals: Originals = rule.originals

    @property
    def _detectors(self) -> list[SharedDetector]:
        """The models of the rule. Raises `Misconfigured` if one cannot be used, or finds nothing to blur."""
        names = ["", *([self._rule.model] if self._rule.model else [])] if self._rule.blur else []
        detectors = [self._detector_of(name) for name in names]
        check_labels(self._rule, detectors)
        return detectors

    @property
    def note(self) -> str:
        """What it does, and by which policy and version. Raises `Misconfigured` if a model cannot be used."""
        models = " and ".join(detector.model_id for detector in self._detectors)
        by = f" by recipe {RECIPE} with {models}" if models else ""
        return f"privacy policy {self._rule.version}: {self._rule.words}{by}"

    def frame(self, jpeg: bytes) -> bytes:
        """Return the JPEG to store; see `Screen.frame`."""
        pixels = decode_image(jpeg, self._settings.max_image_megapixels * 1_000_000)
        if self._rule.masks:
            jpeg = self._encoded(masked(pixels, self._rule.masks))
        if not self._rule.blur:
            return with_note(jpeg, ScreenNote(screened=self.note))
        if self._rule.masks:
            pixels = decode_pixels(jpeg)
        looks = self._looks(jpeg)
        note = ScreenNote(
            screened=self.note,
            model=looks[0].model_id,
            detections=tuple(looks[0].detections),
            shows=blank_reason(looks[0].image) or msgspec.UNSET,
            picture_digest=picture_digest(hashlib.sha256(jpeg).hexdigest()),
        )
        return with_note(self._encoded(blurred(pixels, _spans_in(pixels, looks))), note)

    def picture(self, pixels: Pixels) -> Pixels:
        """Return a picture to store; see `Screen.picture`."""
        return next(self.pictures([pixels]))

    def pictures(self, film: Iterable[Pixels]) -> Iterator[Pixels]:
        """Yield pictures of a film to store; see `Screen.pictures`.

        The models look at the JPEG that each frame would be, so that both are blurred at the same places.
        """
        earlier_spans: list[Span] = []
        picture: Pixels | None = None
        spans: list[Span] = []
        for pixels in film:
            next_spans = self._spans(pixels)
            if picture is not None:
                yield blurred(picture, [*earlier_spans, *spans, *next_spans])
            earlier_spans, spans = spans, next_spans
            picture = masked(pixels, self._rule.masks)
        if picture is not None:
            yield blurred(picture, [*earlier_spans, *spans])

    def _spans(self, pixels: Pixels) -> list[Span]:
        """Return the parts of a film's picture to blur."""
        if not self._rule.blur:
            return []
        jpeg = self._encoded(pixels)
        if self._rule.masks:
            jpeg = self._encoded(masked(decode_pixels(jpeg), self._rule.masks))
        return _spans_in(pixels, self._looks(jpeg))

    def _looks(self, jpeg: bytes) -> list[_Look]:
        """Return what each model detects in a frame, as the consumer does, and weaker boxes."""
        return [detector.look(jpeg) for detector in self._detectors]

    def _encoded(self, pixels: Pixels) -> bytes:
        return encode_jpeg(pixels, self._settings.jpeg_quality)


def _spans_in(pixels: Pixels, looks: list[_Look]) -> list[Span]:
    height_px, width_px = pixels.shape[:2]
    return spans_to_blur((box for look in looks for box in look.to_blur), width_px, height_px)


class StorePolicy:
    """The policy of a store in this process, with the models that its rules need."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._lock, self._preparing = threading.Lock(), threading.Lock()
        self._read_at_s = float("-inf")
        self._policy, self._is_set = PrivacyPolicy(), False
        self._screens: dict[PrivacyRule, PolicyScreen] = {}
        self._detectors: dict[str, SharedDetector] = {}

    def screen(self, settings: Settings, store: ObjectStore, source: str) -> PolicyScreen | None:
        """Return the screen of a source; see `screen_of`."""
        with self._lock:
            if time.monotonic() - self._read_at_s >= READ_EVERY_S:
                try:
                    policy = read_policy(store)
                except Poison as error:
                    self._is_set = True
                    raise Misconfigured(str(error)) from error
                if self._is_set and not policy.version:
                    raise Misconfigured(
                        f"{keys.PRIVACY_POLICY} is gone: no picture is stored until you restore it from a "
                        "backup, or run `frametally privacy set` again; to store pictures as they are, start "
                        "this process again"
                    )
                self._policy, self._is_set = policy, policy.version > 0
                self._read_at_s = time.monotonic()
            rule = self._policy.rule_for(source)
            if rule is None:
                return None
            if rule not in self._screens:
                self._screens[rule] = PolicyScreen(rule, settings, partial(self._detector, settings, store))
            return self._screens[rule]

    def check(self, rule: PrivacyRule, settings: Settings, store: ObjectStore) -> None:
        """Raise `Misconfigured` if a rule could not be followed on this machine."""
        PolicyScreen(rule, settings, partial(self._detector, settings, store)).note  # noqa: B018

    def _detector(self, settings: Settings, store: ObjectStore, name: str) -> SharedDetector:
        with self._preparing:
            if name not in self._detectors:
                chosen = model_settings(name, settings, store)
                self._detectors[name] = SharedDetector(prepare_detector(chosen))
            return self._detectors[name]


_policies: WeakKeyDictionary[ObjectStore, StorePolicy] = WeakKeyDictionary()
_policies_lock = threading.Lock()


def screen(settings: Settings, store: ObjectStore, source: str) -> PolicyScreen | None:
    """Return what changes the pictures of a source; see `screen_of`, whose hook it is."""
    with _policies_lock:
        policy = _policies.setdefault(store, StorePolicy())
    return policy.screen(settings, store, source)


SCREENS = ScreensPart(screen, erased_ranges, frozenset({keys.PRIVACY_POLICY, keys.AUTO_DETECTOR}))


def model_settings(name: str, settings: Settings, store: ObjectStore) -> Settings:
    """Return the settings with the model of that name; "" leaves the one in use.

    The store's choice of a back-end is read from `store`, since a job's process cannot open another one.

    Raises:
        Misconfigured: There is no such model.
    """
    if settings.detector == "auto" and (record := find_record(store, keys.AUTO_DETECTOR, AutoDetector)):
        settings = settings.model_copy(update={"detector": record.backend})
    if not name:
        return settings
    settings = settings.model_copy(update={"precision": "f32"})
    if settings.detector == "pixels":
        settings = settings.model_copy(update={"detector": "auto"})
    if name in CATALOGUE or name in PRESETS:
        return CatalogueChoice(record_named(name)[0], "").settings(settings)
    path = Path(name)
    if path.suffix != ".onnx" or not path.is_file():
        raise Misconfigured(
            f"--model {name}: neither a model of the catalogue (`frametally models list`) nor an ONNX file "
            "on this machine"
        )
    own = {"model_weights": path, "model_cfg": None, "model_names": path.with_suffix(".names")}
    return settings.model_copy(update=own)


def check_labels(rule: PrivacyRule, detectors: list[SharedDetector]) -> None:
    """Check that a rule's own model, or else the one in use, finds something to blur.

    Raises:
        Misconfigured: It does not.
    """
    if rule.blur and not {label.lower() for label in detectors[-1].labels} & LABELS:
        labels = ", ".join(sorted(detectors[-1].labels)[:5])
        raise Misconfigured(
            f"{detectors[-1].model_id} finds neither persons nor vehicles (it finds {labels}), so it cannot "
            "blur heads and plates: name another model with `frametally privacy set --blur --model`"
        )
