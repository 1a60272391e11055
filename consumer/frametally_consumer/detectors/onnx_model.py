"""Detectors of a user's own ONNX network."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally.settings.stages import ENV_PREFIX, Settings
from frametally_consumer.backends.network import Network
from frametally_consumer.backends.network_input import DECODE_RULE, RESIZE_RULES, Resize, fit
from frametally_consumer.detectors.boxes import CONFIDENCE_STEPS, POSTPROCESSING_VERSION, to_steps
from frametally_consumer.detectors.choice import Backend
from frametally_consumer.detectors.protocol import make_model_id
from frametally_consumer.detectors.runners import run_network
from frametally_consumer.detectors.self_test import draw_picture
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_consumer.models.files import read_class_names
from frametally_consumer.models.onnx_heads import check_rows, recognise


def load_onnx(path: Path, backend: Backend, settings: Settings) -> YoloDetector:
    """The detector of the network at `path`, after its self-test.

    There is no reference for it; the test sees that its answer to a picture can be boxes and probabilities.

    Raises:
        Misconfigured: It cannot be read or run, its output is no YOLO head of as many classes as there are
            names, or it cannot be used with these settings.
    """
    path = path.expanduser()
    setting = f"{ENV_PREFIX}MODEL_ONNX={path}"
    if settings.model_names is None:
        raise Misconfigured(
            f"{setting}: its class names are missing; set {ENV_PREFIX}MODEL_NAMES, one a line"
        )
    if backend == "opencv" or settings.precision == "int8":
        raise Misconfigured(
            f"{setting}: such a network is run by openvino (in f32 or bf16) or onnxruntime (in f32); set "
            f"{ENV_PREFIX}DETECTOR and {ENV_PREFIX}PRECISION so"
        )
    class_names = read_class_names(settings.model_names.expanduser())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{setting}: cannot be read ({error.strerror}); correct the path") from error
    size_px = _input_px(data, settings, setting)
    resize: Resize = "letterbox" if settings.resize == "auto" else settings.resize
    network = run_network(data, backend, settings, name=str(path), input_px=size_px)

    picture = fit(draw_picture(), width_px=size_px[0], height_px=size_px[1], resize=resize).picture
    head = recognise(
        _output_shapes(network, picture), classes=len(class_names), size_px=size_px, name=str(path)
    )
    detector = YoloDetector(
        network,
        head,
        model_id=make_model_id(
            name=path.stem,
            backend=backend,
            precision=settings.precision,
            ingredients={
                "onnx_sha256": hashlib.sha256(data).hexdigest(),
                "class_names": class_names,
                "input_px": size_px,
                "resize": RESIZE_RULES[resize],
                "decode": DECODE_RULE,
                "min_confidence_e4": int(to_steps(settings.min_confidence, CONFIDENCE_STEPS)),
                "nms_iou": settings.nms_iou,
                "postprocessing": POSTPROCESSING_VERSION,
                "head": head.name,
            },
        ),
        name=str(path),
        class_names=class_names,
        input_width_px=size_px[0],
        input_height_px=size_px[1],
        resize=resize,
        min_confidence=settings.min_confidence,
        nms_iou=settings.nms_iou,
    )
    check_rows(detector.all_rows(draw_picture()), name=str(path))
    return detector


def _input_px(data: bytes, settings: Settings, setting: str) -> tuple[int, int]:
    """Width and height of the network's input: the file's own if it states one, else the settings'."""
    try:
        inputs = _inputs(onnx.load_model_from_string(data).graph)
    except DecodeError as error:
        raise Misconfigured(f"{setting}: no ONNX file, or one that is cut short; get it again") from error
    asked = (settings.input_width_px, settings.input_height_px)
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][1] not in (0, 3):
        raise Misconfigured(
            f"{setting}: its inputs {inputs} are not one picture, 1 x 3 x height x width; use a YOLO network"
        )
    _, _, height_px, width_px = inputs[0]
    if not (height_px and width_px):  # any size will do
        return asked
    is_set = {"input_width_px", "input_height_px"} & settings.model_fields_set
    if is_set and asked != (width_px, height_px):
        raise Misconfigured(
            f"{ENV_PREFIX}INPUT_WIDTH_PX={asked[0]} and {ENV_PREFIX}INPUT_HEIGHT_PX={asked[1]}: {setting} "
            f"takes {width_px}x{height_px}; leave them empty, or export it for another size"
        )
    return width_px, height_px


def _inputs(graph: onnx.GraphProto) -> list[list[int]]:
    """The shape of each input that is no constant; 0 for a dimension that is not fixed."""
    constants = {tensor.name for tensor in graph.initializer}
    return [
        [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in graph.input
        if value.name not in constants
    ]


def _output_shapes(network: Network, picture: Pixels) -> list[tuple[int, ...]]:
    answer: Future[list[tuple[int, ...]]] = Future()
    network.start(picture, lambda outputs: answer.set_result([output.shape for output in outputs]))
    return answer.result()
