"""Reads a Darknet network file: its classes and weights, and the text for OpenCV to read.

OpenCV silently reads a weights file that is too short or belongs to another network, and then detects
nonsense. So the size is computed here and compared.

OpenCV's output layers also drop boxes below their own threshold (0.2 if a [yolo] section has none), and can
suppress overlaps. Both are switched off, so that only the settings decide.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from frametally.errors import Misconfigured

_WEIGHTLESS = {"shortcut", "maxpool", "upsample", "dropout", "softmax", "cost", "sam", "permute", "avgpool"}
_HEADS = {"yolo", "region"}
_SWITCHED_OFF = {"thresh": "0", "nms_threshold": "0"}
_VERSION = struct.Struct("<3i")
_FLOAT_BYTES = 4

Layer = TypeVar("Layer")


class Section:
    """One `[kind]` section of the file with its `key=value` options."""

    def __init__(self, cfg: Path, kind: str, line: int) -> None:
        self.cfg, self.kind, self.line = cfg, kind, line
        self.options: dict[str, str] = {}

    def text(self) -> str:
        """Return the section's text for OpenCV."""
        options = self.options | (_SWITCHED_OFF if self.kind in _HEADS else {})
        return "".join([f"[{self.kind}]\n", *(f"{key}={value}\n" for key, value in options.items())])

    def error(self, what: str) -> Misconfigured:
        """Return an error with the message `what` about this section, with file and line."""
        return Misconfigured(f"{self.cfg}: [{self.kind}] in line {self.line}: {what}")

    def integers(self, key: str, default: str = "") -> list[int]:
        """Return the whole numbers of `key`. Raises `Misconfigured`."""
        text = self.options.get(key, default)
        try:
            return [int(part) for part in text.split(",") if part.strip()]
        except ValueError as error:
            raise self.error(f"{key}={text} is not a list of whole numbers") from error

    def decimals(self, key: str, default: str = "") -> list[float]:
        """Return the finite numbers of `key`. Raises `Misconfigured`."""
        text = self.options.get(key, default)
        try:
            values = [float(part) for part in text.split(",") if part.strip()]
        except ValueError as error:
            raise self.error(f"{key}={text} is not a list of numbers") from error
        if not np.isfinite(values).all():
            raise self.error(f"{key}={text} is not a list of finite numbers")
        return values

    def integer(self, key: str, default: int) -> int:
        """Return the single non-negative whole number of `key`. Raises `Misconfigured`."""
        values = self.integers(key, str(default))
        if len(values) != 1 or values[0] < 0:
            raise self.error(f"{key}={self.options[key]} is not a single whole number")
        return values[0]

    def earlier(self, key: str, layers: Sequence[Layer]) -> list[Layer]:
        """Return the earlier layers, among `layers`, that `key` names. Raises `Misconfigured`.

        Indices count from the start or, if negative, back from here.
        """
        named = self.integers(key)
        for layer in named:
            if not -len(layers) <= layer < len(layers):
                raise self.error(f"{key}={self.options[key]}: there is no layer {layer} before this one")
        if not named:
            raise self.error(f"{key} does not name a layer")
        return [layers[layer] for layer in named]


class HeadConvolution(NamedTuple):
    """The position in the weights of the linear 1x1 convolution before an output layer: biases, then kernel.

    Attributes:
        first_float: Index of its first number.
        filters: Numbers that it outputs per cell.
        channels: Numbers that it reads per cell.
    """

    first_float: int
    filters: int
    channels: int


class NetworkFacts(NamedTuple):
    """The values that a network's other files must match.

    Attributes:
        classes: Number of classes.
        floats: Number of float32 values in its weights.
        text: The file's text for OpenCV.
        sections: The file, section by section; the first is `[net]`.
        heads: The layer before each output layer; None for anything but a linear 1x1 convolution.
    """

    classes: int
    floats: int
    text: str
    sections: tuple[Section, ...]
    heads: tuple[HeadConvolution | None, ...]


def read_network_facts(cfg: Path) -> NetworkFacts:
    """Return the facts in `cfg`.

    Raises:
        Misconfigured: It cannot be read, or is not a network that detects objects; names the faulty line.
    """
    sections = _read_sections(cfg)
    if not sections or sections[0].kind not in ("net", "network"):
        raise Misconfigured(f"{cfg}: not a Darknet network file: it does not begin with a [net] section")
    channels: list[int] = []  # outputs of each layer
    before = sections[0].integer("channels", 3)  # inputs of the next layer
    floats = 0
    classes: set[int] = set()
    heads: list[HeadConvolution | None] = []
    head: HeadConvolution | None = None  # its convolution, if the next section is an output layer
    for section in sections[1:]:
        layer_before, head = head, None
        if section.kind == "convolutional":
            head = _head_convolution(section, floats, before)
            floats += _convolution_floats(section, before)
            before = section.integer("filters", 1)
        elif section.kind in _HEADS:
            classes.add(_head_classes(section, before))
            heads.append(layer_before)
        elif section.kind in ("route", "scale_channels"):
            before = _routed_channels(section, channels)
        elif section.kind == "reorg":
            before *= section.integer("stride", 1) ** 2
        elif section.kind not in _WEIGHTLESS:
            raise section.error(
                "frametally cannot run such a layer; use a YOLO detector made of convolutional layers"
            )
        channels.append(before)
    if len(classes) != 1:
        finding = f"layers of {sorted(classes)} classes" if classes else "no [yolo] layer"
        raise Misconfigured(
            f"{cfg}: {finding}; all [yolo] layers of a detector must have the same number of classes"
        )
    text = "".join(section.text() for section in sections)
    return NetworkFacts(classes.pop(), floats, text, tuple(sections), tuple(heads))


def weights_header_bytes(data: bytes) -> int:
    """Return the length of a weights file's header; `data` has at least its first 12 bytes."""
    major, minor, _revision = _VERSION.unpack_from(data)
    # The header's last number, the count of training pictures, grew from 4 to 8 bytes with version 0.2.
    return _VERSION.size + (8 if major * 10 + minor >= 2 else 4)


def read_weights(weights: Path, facts: NetworkFacts, cfg: Path) -> bytes:
    """Return the bytes of `weights`, which must be as many finite numbers as the network of `cfg` needs.

    Raises:
        Misconfigured: They are not, or the file cannot be read.
    """
    try:
        data = weights.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"{weights} cannot be read ({error.strerror}): give a file that this user can read"
        ) from error
    if len(data) < _VERSION.size:
        raise Misconfigured(
            f"{weights}: only {len(data)} bytes, so it is not a Darknet weights file; download it again"
        )
    header_bytes = weights_header_bytes(data)
    expected_bytes = header_bytes + facts.floats * _FLOAT_BYTES
    if len(data) != expected_bytes:
        what = "cut short" if len(data) < expected_bytes else "too long"
        raise Misconfigured(
            f"{weights}: {what}, or made for another network: it has {len(data):,} bytes, but {cfg.name} "
            f"needs {expected_bytes:,}; download it again, or use the cfg that belongs to it"
        )
    # OpenCV's output layers write NaN as a score of 0, so such a class would never be found.
    if not np.isfinite(np.frombuffer(data, "<f4", offset=header_bytes)).all():
        raise Misconfigured(f"{weights} is damaged: not all its numbers are finite; download it again")
    return data


def _read_sections(cfg: Path) -> list[Section]:
    try:
        text = cfg.read_text("utf-8-sig", errors="replace")
    except OSError as error:
        raise Misconfigured(
            f"{cfg} cannot be read ({error.strerror}): give a file that this user can read"
        ) from error
    sections: list[Section] = []
    for number, raw_line in enumerate(text.splitlines(), start=1):
        line = raw_line.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(cfg, line[1:-1], number))
            continue
        key, equals, value = line.partition("=")
        if not equals or not sections:
            raise Misconfigured(f"{cfg}: line {number} is neither [section] nor key=value: {line[:60]!r}")
        sections[-1].options[key.strip()] = value.partition("#")[0].strip()
    return sections


def _convolution_floats(section: Section, channels_in: int) -> int:
    filters, size = section.integer("filters", 1), section.integer("size", 1)
    groups = section.integer("groups", 1)
    if section.integer("dilation", 1) != 1:  # OpenCV ignores it
        raise section.error(
            f"frametally cannot run dilation={section.options['dilation']}; use another network"
        )
    if not filters or not size or not groups or channels_in % groups:
        raise section.error(
            f"filters={filters}, size={size}, groups={groups} do not match {channels_in} channels"
        )
    # Each filter has one bias; with batch normalisation also a scale, a mean and a variance.
    per_filter = 4 if section.integer("batch_normalize", 0) else 1
    return filters * (per_filter + channels_in // groups * size * size)


def _head_convolution(section: Section, first_float: int, channels: int) -> HeadConvolution | None:
    usual = {"batch_normalize": 0, "size": 1, "stride": 1, "groups": 1, "padding": 0}
    if section.options.get("activation", "linear") != "linear" or any(
        section.integer(key, value) != value for key, value in usual.items()
    ):
        return None
    return HeadConvolution(first_float, section.integer("filters", 1), channels)


def _head_classes(section: Section, channels_in: int) -> int:
    classes = section.integer("classes", 20)
    boxes = len(section.integers("mask")) or section.integer("num", 1)
    # Each box has 4 coordinates, objectness and the classes.
    if channels_in != boxes * (5 + classes):
        raise section.error(
            f"{boxes} boxes of {classes} classes need filters={boxes * (5 + classes)} in the layer before, "
            f"but it has {channels_in}"
        )
    return classes


def _routed_channels(section: Section, channels: list[int]) -> int:
    total = sum(section.earlier("layers" if section.kind == "route" else "from", channels))
    groups = section.integer("groups", 1)
    if not total or not groups or total % groups:
        raise section.error(f"{total} channels in {groups} groups")
    return total // groups
