"""Detectors of a user's own ONNX network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from frametally.errors import Misconfigured
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_consumer.backends.network import Backend, Resize, fit
from frametally_consumer.detectors.boxes import MIN_CONFIDENCE, NMS_IOU
from frametally_consumer.detectors.heads import (
    SCORE_MARGIN,
    EndToEndHead,
    Floats,
    Head,
    ObjectnessHead,
    ScoresHead,
)
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_consumer.load import open_network
from frametally_models.files import read_class_names
from frametally_models.identity import identified
from frametally_models.self_test import draw_picture

_MOST_END_TO_END_ROWS = 1000


def own_detector(path: Path, backend: Backend, settings: Settings) -> YoloDetector:
    """Return the detector of the network at `path`, after its self-test.

    There is no reference for it; the test sees that its answer to a picture can be boxes and probabilities.

    Raises:
        Misconfigured: It cannot be read or run, its output is not a YOLO head of as many classes as there are
            names, or it cannot be used with these settings.
    """
    path = path.expanduser()
    setting = f"{ENV_PREFIX}MODEL_WEIGHTS={path}"
    if settings.model_names is None:
        raise Misconfigured(
            f"{setting}: its class names are missing; set {ENV_PREFIX}MODEL_NAMES to a file with one name "
            "per line"
        )
    if backend == "opencv" or settings.precision == "int8":
        raise Misconfigured(
            f"{setting}: only openvino (in f32 or bf16) or onnxruntime (in f32) can run such a network; "
            f"set {ENV_PREFIX}DETECTOR and {ENV_PREFIX}PRECISION accordingly"
        )
    class_names = read_class_names(settings.model_names.expanduser())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{setting} cannot be read ({error.strerror}); correct the path") from error
    input_px = _input_px(data, settings, setting)
    resize: Resize = "letterbox" if settings.resize == "auto" else settings.resize
    network = open_network(data, backend, settings, name=str(path), input_px=input_px)

    picture = fit(draw_picture(), width_px=input_px[0], height_px=input_px[1], resize=resize).picture
    shapes = network.start(picture, lambda outputs: [output.shape for output in outputs]).result()
    head = _recognised(shapes, classes=len(class_names), input_px=input_px, name=str(path))
    model = identified(
        NetworkModel(
            name=str(path),
            backend=backend,
            network=data,
            head=head,
            class_names=class_names,
            input_px=input_px,
            resize=resize,
            min_confidence=MIN_CONFIDENCE,
            nms_iou=NMS_IOU,
        ),
        settings=settings,
        precision=settings.precision,
        ingredients={"onnx_sha256": hashlib.sha256(data).hexdigest(), "head": head.name},
    )
    detector = YoloDetector(network, model)
    _check_rows(detector.all_rows(draw_picture()), name=str(path))
    return detector


def _input_px(data: bytes, settings: Settings, setting: str) -> tuple[int, int]:
    """Width and height of the network's input: the file's own if it states one, else the settings'."""
    try:
        graph = onnx.load_model_from_string(data).graph
    except DecodeError as error:
        raise Misconfigured(f"{setting} is not an ONNX file, or is cut short; download it again") from error
    constants = {tensor.name for tensor in graph.initializer}
    # 0 for a dimension that is not fixed.
    inputs = [
        [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in graph.input
        if value.name not in constants
    ]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][1] not in (0, 3):
        raise Misconfigured(
            f"{setting}: its inputs {inputs} are not one picture of 1 x 3 x height x width; use a YOLO "
            "network"
        )
    given_px = settings.input_px
    _, _, height_px, width_px = inputs[0]
    if not (height_px and width_px):  # any size will do
        return given_px
    if "input_size_px" in settings.model_fields_set and given_px != (width_px, height_px):
        raise Misconfigured(
            f"{ENV_PREFIX}INPUT_SIZE_PX={settings.input_size_px}: "
            f"{setting} takes {width_px}x{height_px}; leave it empty, or export the network for another "
            "size"
        )
    return width_px, height_px


def _recognised(
    shapes: Sequence[tuple[int, ...]], *, classes: int, input_px: tuple[int, int], name: str
) -> Head:
    """Return the head that has such outputs. Raises `Misconfigured` if none is known, or several."""
    cells = sum((input_px[0] // stride) * (input_px[1] // stride) for stride in (8, 16, 32))
    heads: list[Head] = []
    for output, shape in enumerate(shapes):
        if len(shape) != 3 or shape[0] != 1:
            continue
        _, rows, columns = shape
        # With one class a row of v5 has 6 numbers, too; it has three rows a cell.
        if columns == 6 and rows <= _MOST_END_TO_END_ROWS and rows != 3 * cells:
            heads.append(EndToEndHead(output, input_px, classes))
        elif columns == 5 + classes:
            heads.append(ObjectnessHead(output, input_px, classes))
        elif rows == 4 + classes:
            heads.append(ScoresHead(output, input_px, classes))
    if len(heads) == 1:
        return heads[0]
    listed_shapes = ", ".join("x".join(map(str, shape)) for shape in shapes)
    raise Misconfigured(
        f"{name}: its outputs ({listed_shapes}) do not match a YOLO head of {classes} classes: expected 1 "
        f"x boxes x {5 + classes} (v5, v7), 1 x {4 + classes} x boxes (v8 to v11) or 1 x boxes x 6 (v10); "
        "use the names file that belongs to it, or export it as docs/models.md says"
    )


def _check_rows(rows: Floats, *, name: str) -> None:
    """Raise `Misconfigured` unless `rows`, all of a picture, can be boxes and probabilities."""
    scores = rows[:, 4:]
    if scores.size and not (scores.min() >= -SCORE_MARGIN and scores.max() <= 1 + SCORE_MARGIN):
        raise Misconfigured(
            f"{name}: its scores go from {scores.min():.3g} to {scores.max():.3g}, so they are not "
            "probabilities; export it with its detection head, as docs/models.md says"
        )
    # As parts of the input: a box that was a part already is now less than a pixel.
    if len(rows) and np.abs(rows[:, :4]).max() < 0.05:
        raise Misconfigured(
            f"{name}: its boxes are not in pixels of the network's input; export it with pixel coordinates"
        )
