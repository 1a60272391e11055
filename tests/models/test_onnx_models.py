"""A user's ONNX network: each head is recognised by its shape, and any other is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.kit.errors import one_line

from frametally.errors import Misconfigured
from frametally.records import Detection
from frametally.settings.loading import load_settings
from frametally_models.catalogue import FAMILIES
from frametally_models.prepare import prepare_detector

Load = Callable[..., Any]
SIZE = 96  # cells: 144 + 36 + 9
CELLS = 189
NAMES = ("cat", "dog", "bird")

# One object: centre (48, 36), 24 wide, 12 high, in pixels of the input, a dog with 0.9.
OBJECT = (48.0, 36.0, 24.0, 12.0)


def v5(classes: int = 3) -> npt.NDArray[np.float32]:
    rows = np.zeros((1, 3 * CELLS, 5 + classes), np.float32)
    rows[0, :, :4] = np.random.default_rng(0).uniform(10, 80, (3 * CELLS, 4))
    rows[0, 7] = [*OBJECT, 0.95, *np.eye(classes, dtype=np.float32)[classes // 2] * (0.9 / 0.95)]
    return rows


def v8(classes: int = 3) -> npt.NDArray[np.float32]:
    rows = np.zeros((1, 4 + classes, CELLS), np.float32)
    rows[0, :4] = np.random.default_rng(0).uniform(10, 80, (4, CELLS))
    rows[0, :, 7] = [*OBJECT, *np.eye(classes, dtype=np.float32)[classes // 2] * 0.9]
    return rows


def v10(classes: int = 3) -> npt.NDArray[np.float32]:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [36, 30, 60, 42, 0.9, classes // 2]
    return rows


def yolox(classes: int = 3) -> npt.NDArray[np.float32]:
    """Raw: the object's centre is in the middle of the cell of 8 pixels at column 5, row 4, or near there."""
    rows = np.zeros((1, CELLS, 5 + classes), np.float32)
    rows[0, :, 2:4] = -0.5
    cell = 4 * (SIZE // 8) + 5
    rows[0, cell] = [48 / 8 - 5, 36 / 8 - 4, np.log(24 / 8), np.log(12 / 8), 0.95, *np.zeros(classes)]
    rows[0, cell, 5 + classes // 2] = 0.9 / 0.95
    return rows


def detr(classes: int = 3, columns: int = 0) -> list[npt.NDArray[np.float32]]:
    """Boxes and logits: of the object, the class in the middle."""
    boxes = np.random.default_rng(0).uniform(0.2, 0.8, (1, 30, 4)).astype(np.float32)
    boxes[0, 7] = np.array(OBJECT, np.float32) / SIZE
    logits = np.full((1, 30, columns or classes), -9, np.float32)
    logits[0, 7, classes // 2] = np.log(0.9 / 0.1)
    return [logits, boxes]


def corners(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same boxes as left, top, right, bottom, in rows of a network that has them as centre and size."""
    other = rows.copy()
    other[..., :2], other[..., 2:4] = rows[..., :2] - rows[..., 2:4] / 2, rows[..., :2] + rows[..., 2:4] / 2
    return other


def in_parts(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same boxes in parts of the input instead of its pixels."""
    return np.concatenate([rows[..., :4] / SIZE, rows[..., 4:]], axis=2)


def write_onnx(
    path: Path,
    outputs: list[npt.NDArray[np.float32]],
    *,
    shape: tuple[int | str, ...] = (1, 3, SIZE, SIZE),
    scale: float = 0.0,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """A network that answers with `outputs` + `scale` times the picture's mean, its third channel tripled."""
    nodes = [helper.make_node("Mul", ["images", "channels"], ["weighted"])]
    nodes.append(helper.make_node("ReduceMean", ["weighted"], ["mean"], keepdims=0))
    weights = np.array([1, 1, 3], np.float32).reshape(1, 3, 1, 1)
    constants = [numpy_helper.from_array(np.float32(scale), "scale")]
    constants.append(numpy_helper.from_array(weights, "channels"))
    nodes.append(helper.make_node("Mul", ["mean", "scale"], ["shift"]))
    infos = []
    for place, output in enumerate(outputs):
        constants.append(numpy_helper.from_array(output, f"rows{place}"))
        nodes.append(helper.make_node("Add", [f"rows{place}", "shift"], [f"output{place}"]))
        infos.append(helper.make_tensor_value_info(f"output{place}", TensorProto.FLOAT, output.shape))
    picture = helper.make_tensor_value_info("images", kind, shape)
    graph = helper.make_graph(nodes, "yolo", [picture], infos, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def make(outputs: Any, *, detector: str = "openvino", names: Any = NAMES, **more: Any) -> Any:
        written = {key: more.pop(key) for key in ("shape", "scale", "kind") if key in more}
        path = outputs if isinstance(outputs, Path) else write_onnx(tmp_path / "own.onnx", outputs, **written)
        names_path = tmp_path / "own.names"
        names_path.write_text("\n".join(names))
        return prepare_detector(
            load_settings(
                detector=detector, model_weights=path, model_names=names_path, data_dir=tmp_path, **more
            )
        )

    return make


def picture(width_px: int, height_px: int) -> Any:
    return np.zeros((height_px, width_px, 3), np.uint8)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("head", [v5, v8, v10], ids=["v5 and v7", "v8 to v11", "v10"])
def test_each_head_is_recognised_and_read(load: Load, head: Load, classes: int, backend: str) -> None:
    detector = load([head(classes)], detector=backend, names=NAMES[:classes])
    expected = Detection(label=NAMES[classes // 2], confidence=0.9, box=(36.0, 30.0, 24.0, 12.0))
    assert detector.detect([picture(SIZE, SIZE)]) == [[expected]]


@pytest.mark.thorough
@pytest.mark.parametrize("head", [v5, v8, v10])
def test_letterbox_is_the_rule_and_boxes_come_out_in_the_pictures_pixels(load: Load, head: Load) -> None:
    # 192x96 is in the input at half its size, 24 pixels from the top.
    (found,) = load([head()]).detect([picture(192, 96)])[0]
    assert found.box == (72.0, 12.0, 48.0, 24.0)
    (found,) = load([head()], resize="stretch").detect([picture(192, 96)])[0]
    assert found.box == (72.0, 30.0, 48.0, 12.0)


@pytest.mark.thorough
def test_the_model_id_contains_resize_rule_file_and_names(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(FAMILIES, "yolo", replace(FAMILIES["yolo"], min_confidence=0.2))
        other_confidence = load([v8()]).model_id
    ids = {
        other_confidence,
        load([v8()]).model_id,
        load([v8()], resize="stretch").model_id,
        load([v8() * 1.0001]).model_id,
        load([v8()], names=("a", "b", "c")).model_id,
        load([v5()]).model_id,
        load([v8()], detector="onnxruntime").model_id,
    }
    assert len(ids) == 7
    assert load([v8()], resize="letterbox").model_id == load([v8()]).model_id
    assert all(model_id.startswith("own-o") for model_id in ids)


def test_a_network_for_any_size_uses_the_settings(load: Load) -> None:
    for backend in ("openvino", "onnxruntime"):
        detector = load(
            [v8()], detector=backend, shape=(1, 3, "height", "width"), input_size_px=f"{SIZE}x{SIZE}"
        )
        assert [found.box for found in detector.detect([picture(SIZE, SIZE)])[0]] == [
            (36.0, 30.0, 24.0, 12.0)
        ]


def test_a_size_other_than_the_networks_is_refused(load: Load) -> None:
    with pytest.raises(Misconfigured, match=r"INPUT_SIZE_PX=64x64: .* takes only the size of its export"):
        load([v8()], input_size_px="64x64")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "outputs",
    [
        [v8().transpose(0, 2, 1).copy()],
        [np.zeros((1, 3, 12, 12, 8), np.float32)],
        [v8()[0]],
        [v8(), v8()],
        [np.zeros((1, 1000), np.float32)],
    ],
    ids=["transposed", "raw grids", "no batch", "two heads", "a classifier"],
)
def test_an_unknown_head_is_refused_with_its_shapes(load: Load, outputs: Any) -> None:
    with one_line(Misconfigured, match=r"own.onnx: its outputs \(\d.*\) do not match a YOLO head of 3"):
        load(outputs)


def test_a_second_output_that_is_not_a_head_does_not_matter(load: Load) -> None:
    assert load([np.zeros((1, 32, 24, 24), np.float32), v8()]).detect([picture(SIZE, SIZE)])[0]


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ([v8() * np.float32(5)], "its scores go from 0 to 4.5, so they are not probabilities"),
        ([np.concatenate([v8()[:, :4] / SIZE, v8()[:, 4:]], axis=1)], "boxes are not in pixels"),
        ([v10() * np.array([1, 1, 1, 1, 1, 9], np.float32)], "class 9, but there are only 3 class names"),
        ([v8() * np.float32("nan")], "numbers that are not finite"),
    ],
    ids=["logits", "normalised", "unknown class", "not finite"],
)
def test_impossible_answers_are_refused_at_start(load: Load, outputs: Any, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        load(outputs)


def test_a_file_that_is_not_a_network_is_refused(load: Load, tmp_path: Path) -> None:
    whole = write_onnx(tmp_path / "whole.onnx", [v8()]).read_bytes()
    no_network = "is not an ONNX file"
    for name, data, fault in (
        ("cut", whole[:-100], no_network),
        ("text", b"hello", no_network),
        ("empty", b"", no_network),
    ):
        (tmp_path / f"{name}.onnx").write_bytes(data)
        with one_line(Misconfigured, match=rf"MODEL_WEIGHTS=.*{name}\.onnx:? {fault}"):
            load(tmp_path / f"{name}.onnx")
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(tmp_path / "missing.onnx")


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_network_that_a_back_end_cannot_run_is_refused_in_one_line(
    load: Load, tmp_path: Path, backend: str
) -> None:
    path = write_onnx(tmp_path / "odd.onnx", [v8()])
    odd = onnx.load(path)
    odd.graph.node[0].op_type = "Nonsense"
    onnx.save(odd, path)
    with one_line(Misconfigured, match=r"odd.onnx: O.* cannot run this network \("):
        load(path, detector=backend)


def test_the_message_names_what_an_onnx_network_lacks(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "own.onnx", [v8()])
    with pytest.raises(Misconfigured, match="its class names are missing; set FRAMETALLY_MODEL_NAMES"):
        prepare_detector(load_settings(detector="openvino", model_weights=path))


@pytest.mark.parametrize("more", [{"detector": "opencv"}, {"precision": "int8"}])
def test_an_onnx_network_runs_on_two_back_ends(load: Load, more: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=r"only openvino \(in f32 or bf16\) or onnxruntime"):
        load([v8()], **more)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_detr_head_is_read_once_its_family_is_named(load: Load, backend: str) -> None:
    with pytest.raises(Misconfigured, match=r"another family; set FRAMETALLY_MODEL_CFG to rtdetr or rfdetr"):
        load(detr(), detector=backend)
    expected = Detection(label="dog", confidence=0.9, box=(36.0, 30.0, 24.0, 12.0))
    for outputs in (detr(), detr()[::-1]):
        assert load(outputs, detector=backend, model_cfg="rtdetr").detect([picture(SIZE, SIZE)]) == [
            [expected]
        ]
    assert load(detr(), model_cfg="rtdetr").model_id != load(detr(), model_cfg="rfdetr").model_id


@pytest.mark.thorough
def test_background_classes_and_cocos_unused_numbers_are_left_out(load: Load) -> None:
    detector = load(detr(), names=("cat", "-", "dog"), model_cfg="rtdetr")
    assert detector.model.class_names == ("cat", "dog")
    assert detector.detect([picture(SIZE, SIZE)]) == [[]]
    # COCO's number 13 is its 12th class, because number 12 is unused.
    coco = load(detr(26, columns=91), names=[f"class {place}" for place in range(80)], model_cfg="rfdetr")
    assert [found.label for found in coco.detect([picture(SIZE, SIZE)])[0]] == ["class 11"]
    with pytest.raises(
        Misconfigured, match=r"has 4 classes, and the names file 3 names; .*with `-` for the background"
    ):
        load(detr(4), model_cfg="rtdetr")
    four = load(detr(4), names=(*NAMES, "cow"), model_cfg="rtdetr").detect([picture(SIZE, SIZE)])[0]
    assert [found.label for found in four] == ["bird"]


def test_a_detr_network_with_a_class_for_no_object_is_read_with_a_softmax(load: Load) -> None:
    logits, boxes = detr(4)
    logits[0, :, :] = [3, 2, 1, 6]  # by a sigmoid, each of them would be an object
    logits[0, 7] = [0, np.log(9), -20, -20]
    detector = load([logits, boxes], names=(*NAMES, "-"), model_cfg="rtdetr")
    [[found]] = detector.detect([picture(SIZE, SIZE)])
    assert (found.label, found.confidence) == ("dog", pytest.approx(0.9, abs=1e-3))


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("family", ["yolox", "yolox-rgb-1", "rfdetr", "rtdetr", "rtdetr-pm1", "rtdetr-means"])
def test_a_network_gets_the_values_that_its_family_states(load: Load, family: str, backend: str) -> None:
    outputs = detr() if "detr" in family else [yolox()]
    scale = {"yolox": 0.0001, "yolox-rgb-1": 0.02, "rtdetr-means": 0.001}.get(family, 0.03)
    detector = load(outputs, detector=backend, model_cfg=family, scale=scale)
    image = np.random.default_rng(1).integers(0, [50, 90, 255], (SIZE, SIZE, 3), np.uint8)
    values = image[..., ::-1] / 255.0
    if family == "yolox":
        values = image.astype(np.float64)
    if family == "rtdetr-pm1":
        values = 2 * values - 1
    if family == "rtdetr-means":
        values = image - np.array([103.939, 116.779, 123.68])
    if family == "rfdetr":
        values = (values - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    shift = (values * [1, 1, 3]).mean() * scale
    found = detector.detect([image])[0][0]
    if "detr" in family:
        expected = 1 / (1 + np.exp(-(np.log(9) + shift)))
    else:
        expected = (0.95 + shift) * (0.9 / 0.95 + shift)
    assert found.confidence == pytest.approx(expected, abs=2e-4)


def test_half_precision_and_a_second_input_are_refused_by_name(load: Load, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"its input is float16, not 32-bit floats; export it in f32"):
        load([v8()], kind=TensorProto.FLOAT16)
    path = write_onnx(tmp_path / "two.onnx", [v8()])
    two = onnx.load(path)
    two.graph.input.append(helper.make_tensor_value_info("sizes", TensorProto.INT64, [1, 2]))
    onnx.save(two, path)
    with pytest.raises(
        Misconfigured, match=r"inputs \[.*\] are not one picture .* without its post-processing"
    ):
        load(path)


def test_a_family_has_its_own_letterbox(load: Load) -> None:
    # 192x96 is at the top of the input, at half its size.
    (found,) = load([yolox()], model_cfg="yolox").detect([picture(192, 96)])[0]
    assert found.box == (72.0, 60.0, 48.0, 24.0)


FIRST_HOUR: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "YOLO with a background class": (
        lambda: [v8(4)],
        {},
        r"it has 4 classes, and the names file 3 names; .* with `-` for the background",
    ),
    "DETR with a background class": (
        lambda: detr(4),
        {"model_cfg": "rtdetr"},
        r"it has 4 classes, and the names file 3 names; .* with `-` for the background",
    ),
    "a name too many": (
        lambda: [v5(2)],
        {},
        r"it has 2 classes, and the names file 3 names; set FRAMETALLY_MODEL_NAMES to its own names",
    ),
    "the picture's number first": (
        lambda: [np.zeros((1, 300, 7), np.float32)],
        {},
        r"have 7 numbers, perhaps the picture's first; export it with 1 x boxes x 6",
    ),
    "class before score": (
        lambda: [v10()[..., [0, 1, 2, 3, 5, 4]]],
        {},
        r"class 0.9, which is not a whole number; export it with the columns left, top",
    ),
    "91 classes": (
        lambda: [v8(91)],
        {"names": [f"class {place}" for place in range(80)]},
        r"it has 91 classes, and the names file 80 names; set FRAMETALLY_MODEL_NAMES to its own names",
    ),
    "a DETR head": (detr, {}, r"set FRAMETALLY_MODEL_CFG to rtdetr or rfdetr"),
    "raw YOLOX": (
        lambda: [yolox()],
        {"model_cfg": "yolo"},
        r"for a YOLOX export, set FRAMETALLY_MODEL_CFG=yolox",
    ),
    "a misspelt family": (
        lambda: [yolox()],
        {"model_cfg": "yolo-x"},
        r"set it to its family \(yolo, yolox, rtdetr",
    ),
    "half precision": (lambda: [v8()], {"kind": TensorProto.FLOAT16}, r"export it in f32, without half=True"),
    "an input of one channel": (
        lambda: [v8()],
        {"shape": (1, 1, SIZE, SIZE)},
        r"not one picture of 1 x 3 x height",
    ),
    "an open size, another one set": (
        lambda: [v8()],
        {"input_size_px": "64x64"},
        r"INPUT_SIZE_PX=64x64: .* leave it empty, or export the network for this or any size",
    ),
    "channels last": (
        lambda: [v8()],
        {"shape": (1, SIZE, SIZE, 3)},
        r"export it with 1 x 3 x height x width",
    ),
    "whole numbers": (
        lambda: [v8()],
        {"kind": TensorProto.UINT8},
        r"is uint8, not 32-bit floats; export it in f32",
    ),
    "four pictures at a time": (
        lambda: [np.repeat(v8(), 4, axis=0)],
        {"shape": (4, 3, SIZE, SIZE)},
        r"takes 4 pictures at a time; export it for 1, or any number",
    ),
    "v5 with corners": (
        lambda: [corners(v5())],
        {},
        r"left, top, right, bottom, not centre and size; export",
    ),
    "v8 with corners": (
        lambda: [corners(v8().transpose(0, 2, 1)).transpose(0, 2, 1).copy()],
        {},
        r"left, top, right, bottom, not centre and size; export",
    ),
    "DETR with corners": (
        lambda: [detr()[0], corners(detr()[1] * 0.5 + 0.1).clip(0, 1)],
        {"model_cfg": "rtdetr"},
        r"left, top, right, bottom, not centre and size; export",
    ),
    "v10 with centres": (
        lambda: [np.concatenate([np.tile(np.float32(OBJECT), (1, 300, 1)), v10()[..., 4:]], axis=2)],
        {},
        r"not left, top, right, bottom, as some end before they begin; export",
    ),
    "v8 in parts": (
        lambda: [in_parts(v8().transpose(0, 2, 1)).transpose(0, 2, 1).copy()],
        {},
        r"boxes are not in pixels of the network's input; .* export it with pixel coordinates",
    ),
    "decoded YOLOX in parts": (
        lambda: [in_parts(v5()[:, :CELLS])],
        {"model_cfg": "yolox"},
        r"boxes are not in pixels of the network's input; .* export it with pixel coordinates",
    ),
    "DETR in pixels": (
        lambda: [detr()[0], detr()[1] * SIZE],
        {"model_cfg": "rtdetr"},
        r"boxes are not parts of the picture \(0 to 1\); export it without its post-processing",
    ),
    "DETR with probabilities": (
        lambda: [1 / (1 + np.exp(-detr()[0])), detr()[1]],
        {"model_cfg": "rtdetr"},
        r"scores are probabilities, not logits; export it without its post-processing",
    ),
    "YOLO with logits": (lambda: [v5() * 9], {}, r"not probabilities; export it with its detection head"),
    "another back-end": (
        lambda: [v8()],
        {"detector": "opencv"},
        r"set FRAMETALLY_DETECTOR and FRAMETALLY_PRECISION",
    ),
}


@pytest.mark.parametrize(("outputs", "more", "says"), FIRST_HOUR.values(), ids=FIRST_HOUR)
def test_each_refusal_in_the_first_hour_is_one_line_that_names_what_to_change(
    load: Load, outputs: Callable[[], Any], more: dict[str, Any], says: str
) -> None:
    with one_line(Misconfigured, match=says):
        load(outputs(), **more)


def test_weights_in_a_second_file_are_refused_with_the_remedy(load: Load, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "own.onnx", [v8()])
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(Misconfigured, match=r"weights are in a second file; export it as one file"):
        load(path)


@pytest.mark.parametrize("name", ["-", "background"])
@pytest.mark.parametrize("head", [v5, v8, v10, yolox])
def test_a_background_class_is_never_detected(load: Load, head: Load, name: str) -> None:
    more = {"model_cfg": "yolox"} if head is yolox else {}
    assert load([head()], names=("cat", name, "bird"), **more).detect([picture(SIZE, SIZE)]) == [[]]


def test_open_height_width_and_batch_need_no_setting(load: Load) -> None:
    shape = ("batch", 3, "height", "width")
    assert load([v8()], shape=shape, input_size_px=f"{SIZE}x{SIZE}").detect([picture(SIZE, SIZE)])[0]
