"""Stores converted networks next to the weights that they were made from.

Each network has one or two files and a card, all named after the weights' sha256, 8 hex digits of the cfg's,
the input's size and the converter's version. The card is written last and contains the sha256 of the others,
so that unfinished or changed files are noticed and never used.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from frametally.errors import Misconfigured
from frametally.files.downloads import file_sha256
from frametally.files.replacing import replace_file
from frametally.process.reports import Progress
from frametally.records import NOT_JSON
from frametally.settings.loading import Settings
from frametally_consumer.backends.network import Backend
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_consumer.load import network_detector
from frametally_models import self_test
from frametally_models.darknet import darknet_head, network_model, reference_detector
from frametally_models.darknet_onnx import CONVERTER_VERSION, to_onnx
from frametally_models.files import CheckedModel

CARD_VERSION = 1


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The calibration of an INT8 network: its pictures, and its results on them.

    Attributes:
        sha256: Digest of the pictures' pixels, how they were used, and the version of the code.
        found_again: Share of the f32 network's detections on them that the INT8 network also finds.
    """

    frames: int
    sha256: str
    found_again: float


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a converted network.

    Attributes:
        files: sha256 of each of its files, by the file's name.
        self_test: Its expected results for the self-test's picture.
        calibration: The calibration of an INT8 network.
    """

    v: int
    files: dict[str, str]
    self_test: self_test.Expected
    calibration: Calibration | None = None


def converted_detector(
    model: CheckedModel, backend: Backend, settings: Settings, progress: Progress
) -> YoloDetector:
    """Return the self-tested model on `openvino` or `onnxruntime`, converting it if necessary.

    Raises:
        Misconfigured: The model cannot be converted or run, or its detections differ from the reference's.
    """
    darknet_head(model, settings)  # check before creating anything
    network_of = int8_network if settings.precision == "int8" else onnx_network
    network, card = network_of(model, settings, progress)
    detector = detector_of(model, network, card, backend, settings)
    self_test.check(
        detector.all_rows(self_test.draw_picture()),
        card.self_test,
        self_test.TOLERANCES[settings.precision],
        name=f"{model.files.weights} on {backend} in {settings.precision}",
        remedy="set FRAMETALLY_DETECTOR=opencv, which is the reference",
    )
    return detector


def detector_of(
    model: CheckedModel, network: bytes | Path, card: Card | None, backend: Backend, settings: Settings
) -> YoloDetector:
    """Return the detector that runs `network`, which was made of `model`, before any test.

    Raises:
        Misconfigured: It cannot be run, or its `[yolo]` layers cannot be read.
    """
    head = darknet_head(model, settings)
    precision: str = settings.precision
    ingredients: dict[str, object] = {"head": head.name, "converter": CONVERTER_VERSION}
    if card is not None and card.calibration is not None:
        precision = f"int8-{card.calibration.sha256[:8]}"
        ingredients["files"] = card.files
    return network_detector(
        network_model(model, network, backend, head, settings, precision=precision, ingredients=ingredients),
        settings,
    )


def network_path(model: CheckedModel, settings: Settings) -> Path:
    """Return the path of the model's ONNX network; its INT8 network and the cards have the same stem."""
    digests = f"{hashlib.sha256(model.weights).hexdigest()}-{file_sha256(model.files.cfg)[:8]}"
    weights = model.files.weights
    size_px = "x".join(map(str, settings.input_px))
    return weights.with_name(f"{weights.stem}-{digests}-{size_px}-v{CONVERTER_VERSION}.onnx")


def onnx_network(model: CheckedModel, settings: Settings, progress: Progress) -> tuple[bytes, Card]:
    """Return the model's ONNX file as bytes, and its card; make them if they are not stored.

    Raises:
        Misconfigured: A layer of the model cannot be converted, or the reference cannot run the model.
    """
    path = network_path(model, settings)
    card_path = path.with_suffix(".json")
    card = read_card(card_path, progress)
    if card is not None:
        with contextlib.suppress(OSError):
            network = path.read_bytes()
            if hashlib.sha256(network).hexdigest() == card.files.get(path.name):
                return network, card
        progress.say(f"{path} does not match its model card; converting {model.files.weights.name} again")
    width_px, height_px = settings.input_px
    network = to_onnx(model, width_px=width_px, height_px=height_px)
    rows = reference_detector(model, settings).all_rows(self_test.draw_picture())
    files = {path.name: hashlib.sha256(network).hexdigest()}
    card = Card(v=CARD_VERSION, files=files, self_test=self_test.expect(rows))
    try:
        keep({path: network}, card_path, card)
    except OSError as error:
        progress.say(
            f"{path.parent} cannot be written to ({error.strerror}); {model.files.weights.name} is converted "
            "again at every start"
        )
    return network, card


def int8_files(model: CheckedModel, settings: Settings) -> tuple[Path, Path, Path]:
    """Return the paths of the model's INT8 network: its `.xml`, its `.bin` and its card."""
    onnx = network_path(model, settings)
    xml, weights, card = (onnx.with_name(f"{onnx.stem}-int8.{kind}") for kind in ("xml", "bin", "json"))
    return xml, weights, card


def int8_network(model: CheckedModel, settings: Settings, progress: Progress) -> tuple[Path, Card]:
    """Return the model's INT8 network with its card, as made by `frametally download-models --int8`.

    Raises:
        Misconfigured: There is none, it is damaged, or another version made it.
    """
    xml, weights, card_path = int8_files(model, settings)
    card = read_card(card_path, progress)
    remedy = "make it with: frametally download-models --int8"
    if card is None:
        stem = f"{model.files.weights.stem}-{hashlib.sha256(model.weights).hexdigest()}-"
        others = sorted(path.name for path in xml.parent.glob("*-int8.json") if path.name.startswith(stem))
        other_note = f"; {others[-1]} was made for another version, cfg or input size" if others else ""
        raise Misconfigured(
            f"FRAMETALLY_PRECISION=int8: the INT8 network {xml} does not exist{other_note}; {remedy}"
        )
    for path in (xml, weights):
        if not path.is_file() or file_sha256(path) != card.files.get(path.name):
            raise Misconfigured(f"{path} is damaged: it does not match its model card; {remedy}")
    return xml, card


def read_card(path: Path, progress: Progress) -> Card | None:
    """Return the card at `path`, or None if there is no usable one."""
    try:
        card = msgspec.json.decode(path.read_bytes(), type=Card)
    except FileNotFoundError:
        return None
    except (OSError, *NOT_JSON) as error:
        progress.say(f"{path} cannot be read ({error})")
        return None
    if card.v != CARD_VERSION or card.self_test.picture_version != self_test.PICTURE_VERSION:
        return None
    return card


def keep(files: Mapping[Path, bytes], card_path: Path, card: Card) -> None:
    """Write `files`, then their card, each atomically; the earlier files are invalid until the end.

    Raises `OSError`.
    """
    card_path.unlink(missing_ok=True)
    for path, data in (*files.items(), (card_path, msgspec.json.encode(card))):
        replace_file(path, data)
