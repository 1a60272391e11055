"""Detectors of ONNX networks: a user's own, or those of the catalogue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from frametally.errors import Misconfigured
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_consumer.backends.network import Backend, fit
from frametally_consumer.detectors.heads import (
    SCORE_MARGIN,
    EndToEndHead,
    Floats,
    GridHead,
    Head,
    LogitsHead,
    ObjectnessHead,
    ScoresHead,
    SoftmaxHead,
    yolo_cells,
)
from frametally_consumer.detectors.yolo import NO_OBJECT, NetworkModel, YoloDetector
from frametally_consumer.load import open_network
from frametally_models.catalogue import (
    FAMILIES,
    SETTING,
    ModelRecord,
    chosen_preparation,
    common_names,
    named_record,
    record_of_file,
)
from frametally_models.files import OnnxFiles, read_class_names
from frametally_models.footage_frames import SampledFootage
from frametally_models.identity import identified
from frametally_models.input_check import check_input, check_names
from frametally_models.self_test import draw_picture

_MOST_END_TO_END_ROWS = 1000
_MOST_MISSING_NAMES = 100
_WITH_PICTURE_NUMBER = 7
_ROUNDING, _FEW_ROWS = 0.02, 16
_NO_OBJECT = {"", NO_OBJECT, "background", "__background__", "N/A"}
_GAPS_OF_COCO = {0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
"""The numbers of COCO's 91 that have no class."""


def own_detector(
    files: OnnxFiles, backend: Backend, settings: Settings, footage: SampledFootage
) -> YoloDetector:
    """Return the detector of the network in `files`, after its self-test.

    There is no reference for it; the test checks that its output for a picture can be boxes and
    probabilities, and that no other preparation of its input finds more on `footage`.

    Raises:
        Misconfigured: It cannot be read or run, its output does not match the number of class names, its
            input is prepared wrongly, or it cannot be used with these settings.
    """
    setting = f"{ENV_PREFIX}MODEL_WEIGHTS={files.network}"
    if backend == "opencv" or settings.precision == "int8":
        raise Misconfigured(
            f"{setting}: only openvino (in f32 or bf16) or onnxruntime (in f32) can run such a network; "
            f"set {ENV_PREFIX}DETECTOR and {ENV_PREFIX}PRECISION accordingly"
        )
    try:
        data = files.network.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{setting} cannot be read ({error.strerror}); correct the path") from error
    sha256 = hashlib.sha256(data).hexdigest()
    names = read_class_names(files.names)

    def make(record: ModelRecord, settings: Settings) -> YoloDetector:
        return _detector(record, data, sha256, names, str(files.network), backend, settings)

    of_catalogue = record_of_file(sha256) if settings.model_cfg is None else None
    setting = str(settings.model_cfg or "yolo")
    record = of_catalogue or named_record(setting)
    detector = make(record, settings)
    check_names(detector, record)
    if of_catalogue is None:
        check_input(detector, setting, record, make, sha256, footage, settings)
    return detector


def _detector(
    record: ModelRecord,
    data: bytes,
    sha256: str,
    names: tuple[str, ...],
    name: str,
    backend: Backend,
    settings: Settings,
) -> YoloDetector:
    """Return the detector of the network `data` with the input and output given by `record`.

    Raises:
        Misconfigured: Its output does not match.
    """
    sized, input_px = _sized(data, record, settings, f"{ENV_PREFIX}MODEL_WEIGHTS={name}")
    names = tuple(NO_OBJECT if label in _NO_OBJECT else label for label in names)
    if record.family != "yolo":
        names = common_names(names)
    model = NetworkModel(
        name=name,
        backend=backend,
        network=sized,
        head=GridHead(0, input_px, len(names)),  # replaced once its outputs are known
        class_names=names,
        input_px=input_px,
        tiles=settings.tiles,
        preparation=chosen_preparation(record.preparation, settings),
        min_confidence=record.min_confidence,
        scale=record.scale,
        nms_iou=record.nms_iou,
    )
    picture = fit(draw_picture(), input_px=input_px, preparation=model.preparation).picture
    try:
        network = open_network(model, settings)
        outputs = network.start(picture, lambda outputs: [output.copy() for output in outputs]).result()
        head, names = _recognised(outputs, record, names=names, input_px=input_px, name=name)
        if sized is not data and isinstance(head, ObjectnessHead | ScoresHead):
            boxes = max(outputs[head.output].shape)
            if boxes % len(yolo_cells(input_px)):
                raise Misconfigured(f"{name}: it returns {boxes} boxes at any size")
    except Misconfigured as error:
        if sized is data:
            raise
        raise Misconfigured(
            f"{ENV_PREFIX}INPUT_SIZE_PX={settings.input_size_px}: {name} takes only the size of its export; "
            "leave it empty, or export the network for this or any size"
        ) from error
    ingredients = {"onnx_sha256": sha256, "head": head.name}
    model = model._replace(head=head, class_names=names)
    detector = YoloDetector(
        network,
        identified(model, settings=settings, precision=settings.precision, ingredients=ingredients),
    )
    _check_rows(detector.all_rows(draw_picture()), head, name=name)
    return detector


def _sized(
    data: bytes, record: ModelRecord, settings: Settings, setting: str
) -> tuple[bytes, tuple[int, int]]:
    """Return the network with a fixed input size, and that width and height.

    The size is that of the settings if they give one; otherwise of the file, of the record, or the default.
    """
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise Misconfigured(f"{setting} is not an ONNX file, or is cut short; download it again") from error
    graph = model.graph
    if not graph.node:
        raise Misconfigured(f"{setting} is not an ONNX file, or is cut short; download it again")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        raise Misconfigured(
            f"{setting}: its weights are in a second file; export it as one file (external_data=False), or "
            "save it as one with onnx.save(onnx.load(FILE), FILE)"
        )
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    # 0 for a dimension that is not fixed.
    shapes = [[side.dim_value for side in value.type.tensor_type.shape.dim] for value in inputs]
    if len(inputs) == 1 and len(shapes[0]) == 4 and shapes[0][1] not in (0, 3) and shapes[0][3] == 3:
        raise Misconfigured(
            f"{setting}: its input {shapes[0]} has the channels last; export it with 1 x 3 x height x width"
        )
    if len(inputs) != 1 or len(shapes[0]) != 4 or shapes[0][1] not in (0, 3):
        raise Misconfigured(
            f"{setting}: its inputs {shapes} are not one picture of 1 x 3 x height x width (any if 0); "
            "export it without its post-processing, or use another network"
        )
    if (kind := inputs[0].type.tensor_type.elem_type) != onnx.TensorProto.FLOAT:
        kind_name = onnx.TensorProto.DataType.Name(kind).lower()
        raise Misconfigured(
            f"{setting}: its input is {kind_name}, not 32-bit floats; export it in f32, without half=True"
        )
    pictures, _, height_px, width_px = shapes[0]
    if pictures > 1:
        raise Misconfigured(
            f"{setting}: it takes {pictures} pictures at a time; export it for 1, or any number"
        )
    is_open = not (height_px and width_px)
    given_px = settings.input_px
    if "input_size_px" not in settings.model_fields_set:
        given_px = record.input_px or given_px if is_open else (width_px, height_px)
    if is_open or given_px == (width_px, height_px):
        return data, given_px
    for side, side_px in zip(inputs[0].type.tensor_type.shape.dim[:1:-1], given_px, strict=True):
        side.dim_value = side_px
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    return bytes(model.SerializeToString()), given_px


def _recognised(
    outputs: Sequence[Floats],
    record: ModelRecord,
    *,
    names: tuple[str, ...],
    input_px: tuple[int, int],
    name: str,
) -> tuple[Head, tuple[str, ...]]:
    """Return the head of `record` that fits the outputs, and the names of its classes.

    Raises:
        Misconfigured: No head of this family fits, or several do.
    """
    heads = _heads(outputs, record.family, names, input_px)
    if len(heads) == 1:
        return heads[0]
    shapes = ", ".join("x".join(map(str, output.shape)) for output in outputs)
    families = [
        key
        for key, other in FAMILIES.items()
        if other.family != record.family and _heads(outputs, other.family, names, input_px)
    ]
    if families:
        raise Misconfigured(
            f"{name}: its outputs ({shapes}) belong to another family; set {SETTING} to "
            f"{' or '.join(families)}, whichever it is (docs/models.md)"
        )
    classes = len(names)
    if (other_classes := _other_classes(outputs, record, classes, input_px)) is not None:
        raise Misconfigured(
            f"{name}: it has {other_classes} classes, and the names file {classes} names; set {ENV_PREFIX}"
            "MODEL_NAMES to its own names, one per line, with `-` for the background and for unused classes"
        )
    if fault := _fault_of_detr(outputs):
        raise Misconfigured(f"{name}: {fault}; export it without its post-processing")
    cells = len(yolo_cells(input_px))
    if any(output.shape[-1] == _WITH_PICTURE_NUMBER and max(output.shape) % cells for output in outputs):
        raise Misconfigured(
            f"{name}: the rows of its output ({shapes}) have 7 numbers, perhaps the picture's first; "
            "export it with 1 x boxes x 6: left, top, right, bottom, score, class"
        )
    raise Misconfigured(
        f"{name}: its outputs ({shapes}) do not match a YOLO head of {classes} classes: expected 1 x boxes x "
        f"{5 + classes}, 1 x {4 + classes} x boxes or 1 x boxes x 6 (end to end), nor a "
        f"DETR head: 1 x boxes x 4 (0 to 1) and 1 x boxes x {classes} (logits); use the names file that "
        f"belongs to it, with `-` for unused classes, or export it as docs/models.md says"
    )


def _other_classes(
    outputs: Sequence[Floats], record: ModelRecord, classes: int, input_px: tuple[int, int]
) -> int | None:
    """Return the network's number of classes if only that is wrong; None if anything else is."""
    is_yolo, cells = record.family == "yolo", len(yolo_cells(input_px))
    if record.family != "detr" and not any(max(output.shape) % cells == 0 for output in outputs):
        return None
    # With one class fewer, an output of scores with its sides exchanged would also match.
    matching = []
    for other in range(1, classes + _MOST_MISSING_NAMES):
        heads = [head for head, _ in _heads(outputs, record.family, ("x",) * other, input_px)]
        may_be_exchanged = is_yolo and other < classes and max(outputs[0].shape) == cells
        if len(heads) == 1 and not (may_be_exchanged and isinstance(heads[0], ObjectnessHead)):
            matching.append(other)
    return min(matching, key=lambda other: abs(other - classes), default=None)


def _heads(
    outputs: Sequence[Floats], family: str, names: tuple[str, ...], input_px: tuple[int, int]
) -> list[tuple[Head, tuple[str, ...]]]:
    cells, classes = len(yolo_cells(input_px)), len(names)
    heads: list[Head] = []
    if family == "detr":
        return _detr_heads(outputs, names, input_px)
    for place, output in enumerate(outputs):
        if output.ndim != 3 or output.shape[0] != 1:
            continue
        _, rows, columns = output.shape
        if family == "yolox":
            if (rows, columns) == (cells, 5 + classes):
                # In cells, positions are near 0; in pixels, as in some exports, they are anywhere. Sizes are
                # logarithms, and those of a box smaller than its cell are negative.
                is_raw = np.ptp(output[0, :, 0]) < input_px[0] / 2 and output[0, :, 2:4].min() < 0
                heads.append((GridHead if is_raw else ObjectnessHead)(place, input_px, classes))
        # With one class, a row with objectness also has 6 numbers, but then there are three rows a cell.
        elif columns == 6 and rows <= _MOST_END_TO_END_ROWS and rows != 3 * cells:
            heads.append(EndToEndHead(place, input_px, classes))
        elif columns == 5 + classes:
            heads.append(ObjectnessHead(place, input_px, classes))
        elif rows == 4 + classes:
            heads.append(ScoresHead(place, input_px, classes))
    return [(head, names) for head in heads]


def _detr_heads(
    outputs: Sequence[Floats], names: tuple[str, ...], input_px: tuple[int, int]
) -> list[tuple[Head, tuple[str, ...]]]:
    heads: list[tuple[Head, tuple[str, ...]]] = []
    for boxes, output in enumerate(outputs):
        for place, logits in enumerate(outputs):
            if place == boxes or output.ndim != 3 or logits.ndim != 3 or output.shape[2] != 4:
                continue
            if output.min() < 0 or output.max() > 1 + SCORE_MARGIN or logits.min() >= 0:
                continue  # pixels, or probabilities
            if (logits.shape[2], len(names)) == (91, 80):
                numbers, labels = sorted({*range(91)} - _GAPS_OF_COCO), names
            elif logits.shape[2] == len(names):
                numbers = [number for number, name in enumerate(names) if name != NO_OBJECT]
                labels = tuple(names[number] for number in numbers)
            else:
                continue
            # A sigmoid for each class needs no class for "no object"; most of a picture has no object.
            is_softmax = names[-1] == NO_OBJECT and np.mean(logits[0].argmax(axis=1) == len(names) - 1) > 0.5
            kind = SoftmaxHead if is_softmax else LogitsHead
            heads.append((kind(place, input_px, len(labels), boxes, numbers), labels))
    return heads


def _fault_of_detr(outputs: Sequence[Floats]) -> str:
    """Return why boxes and scores of the right shapes cannot be a DETR head, or ""."""
    for boxes in outputs:
        for scores in outputs:
            if (
                scores is boxes
                or boxes.ndim != 3
                or boxes.shape[2] != 4
                or scores.shape[:2] != boxes.shape[:2]
            ):
                continue
            if boxes.min() < 0 or boxes.max() > 1 + SCORE_MARGIN:
                return "its boxes are not parts of the picture (0 to 1)"
            if scores.min() >= 0:
                return "its scores are probabilities, not logits"
    return ""


def _check_rows(rows: Floats, head: Head, *, name: str) -> None:
    """Raise `Misconfigured` unless `rows`, all of a picture, can be boxes and probabilities."""
    scores = rows[:, 4:]
    if scores.size and not (scores.min() >= -SCORE_MARGIN and scores.max() <= 1 + SCORE_MARGIN):
        raise Misconfigured(
            f"{name}: its scores go from {scores.min():.3g} to {scores.max():.3g}, so they are not "
            "probabilities; export it with its detection head, as docs/models.md says"
        )
    # Compare as fractions of the input: boxes given as fractions are now less than a pixel.
    if len(rows) and np.abs(rows[:, :4]).max() < 0.05:
        raise Misconfigured(
            f"{name}: its boxes are not in pixels of the network's input; for a YOLOX export, set "
            f"{SETTING}=yolox, for another, export it with pixel coordinates"
        )
    is_corners = isinstance(head, EndToEndHead)
    if is_corners and len(rows) and rows[:, 2:4].min() < -_ROUNDING:
        raise Misconfigured(
            f"{name}: its boxes are not left, top, right, bottom, as some end before they begin; export it "
            "as docs/models.md says"
        )
    # Many boxes of a picture are nearer to its far sides than they are large, unless these are corners.
    if not is_corners and len(rows) > _FEW_ROWS and (rows[:, 2:4] >= rows[:, :2]).all():
        raise Misconfigured(
            f"{name}: its boxes are left, top, right, bottom, not centre and size; export it as "
            "docs/models.md says"
        )
