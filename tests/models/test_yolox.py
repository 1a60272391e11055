"""YOLOX runs as its authors export it, and wrong preparation is never silent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.kit.clips import jpeg_of
from tests.kit.errors import one_line

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured
from frametally.files.downloads import KnownFile, file_sha256
from frametally.files.opencv import Pixels
from frametally.settings.loading import load_settings
from frametally_cli.checkup.machine import model_rows
from frametally_consumer.detectors.heads import yolo_cells
from frametally_models import catalogue, files
from frametally_models.catalogue import CATALOGUE, COCO_NAMES
from frametally_models.files import ModelFiles
from frametally_models.prepare import prepare_detector
from frametally_models.self_test import draw_picture, read_stop_sign

Load = Callable[..., Any]


@pytest.fixture(scope="session")
def yolox_nano(shared_data: Path) -> Path:
    path = shared_data / "yolox/yolox_nano.onnx"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return path


@pytest.fixture
def load(yolox_nano: Path, model_files: ModelFiles, tmp_path: Path) -> Load:
    def make(
        family: str | None = None,
        *,
        network: Path = yolox_nano,
        rename: Callable[[list[str]], list[str]] = list,
        **more: Any,
    ) -> Any:
        names = tmp_path / "own.names"
        names.write_text("\n".join(rename(model_files.names.read_text().splitlines())))
        chosen = {"model_weights": network, "model_names": names, "data_dir": tmp_path, "model_cfg": family}
        return prepare_detector(load_settings(**{"detector": "openvino", **chosen, **more}))

    return make


def without_stop_sign(names: list[str]) -> list[str]:
    return [name.replace("stop sign", "halt") for name in names]


def stop_sign(detector: Any) -> Any:
    return read_stop_sign(detector.detect([draw_picture()])[0])


@pytest.fixture(scope="session")
def decoded(yolox_nano: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as the exporter's `--decode_in_inference` makes it: boxes in pixels."""
    model = onnx.load(yolox_nano)
    cells = yolo_cells((416, 416))
    constants: dict[str, Any] = {"places": cells[None, :, :2], "sides": cells[None, :, 2:]}
    constants |= {f"at{place}": np.array([place], np.int64) for place in (0, 2, 4, 85)}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.node.extend(
        [
            helper.make_node("Slice", ["output", "at0", "at2", "at2"], ["xy"]),
            helper.make_node("Slice", ["output", "at2", "at4", "at2"], ["wh"]),
            helper.make_node("Slice", ["output", "at4", "at85", "at2"], ["scores"]),
            helper.make_node("Add", ["xy", "places"], ["in_cells"]),
            helper.make_node("Mul", ["in_cells", "sides"], ["centre"]),
            helper.make_node("Exp", ["wh"], ["size_in_cells"]),
            helper.make_node("Mul", ["size_in_cells", "sides"], ["size"]),
            helper.make_node("Concat", ["centre", "size", "scores"], ["decoded"], axis=2),
        ]
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("decoded", TensorProto.FLOAT, [1, 3549, 85]))
    path = tmp_path_factory.mktemp("decoded") / "decoded.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.thorough
def test_yolox_finds_the_same_on_both_back_ends_raw_and_decoded(load: Load, decoded: Path) -> None:
    openvino = load("yolox")
    assert (stop_sign(openvino).label, stop_sign(openvino).confidence) == (
        "stop sign",
        pytest.approx(0.95, abs=0.005),
    )
    for other in (load("yolox", detector="onnxruntime"), load("yolox", network=decoded)):
        for expected, got in zip(
            openvino.detect([draw_picture()])[0], other.detect([draw_picture()])[0], strict=True
        ):
            assert (got.label, got.confidence) == (
                expected.label,
                pytest.approx(expected.confidence, abs=0.005),
            )
            assert got.box == pytest.approx(expected.box, abs=0.5)


@pytest.mark.thorough
def test_stored_frames_reveal_a_wrong_preparation(
    load: Load, decoded: Path, clip_frames: dict[int, Pixels], tmp_path: Path
) -> None:
    onnx_runtime: dict[str, Any] = {"detector": "onnxruntime", "rename": without_stop_sign}
    with pytest.raises(Misconfigured, match="for a YOLOX export, set FRAMETALLY_MODEL_CFG=yolox"):
        load(**onnx_runtime)
    load("yolox-1", **onnx_runtime)  # no footage, so nothing is refused
    store = open_object_store((tmp_path / "store").as_uri())
    for place in list(clip_frames)[:4]:
        data = jpeg_of(clip_frames[place])
        store.put(keys.image_key("a", place * 33, "0123456789ab", place), data)
    for case in ({"family": "yolox-imagenet"}, {"network": decoded}):
        with one_line(Misconfigured, match=r"in 4 frames of .* set FRAMETALLY_MODEL_CFG=yolo(x|-bgr-255)$"):
            load(**case, **onnx_runtime)
    assert load("yolox", **onnx_runtime).model_id


@pytest.mark.thorough
def test_class_names_in_another_order_are_refused(load: Load) -> None:
    with pytest.raises(Misconfigured, match=r"stop sign for a microwave .* names are in another order"):
        load("yolox", rename=lambda names: names[::-1])


@pytest.mark.thorough
def test_a_network_that_labels_the_stop_sign_differently_is_refused_with_a_remedy(load: Load) -> None:
    def moved(names: list[str]) -> list[str]:
        return ["stop sign" if name == "toaster" else f"my {name}" for name in names]

    with pytest.raises(Misconfigured, match="takes the drawn stop sign for a my stop sign"):
        load("yolox", rename=moved)


@pytest.mark.thorough
def test_yolox_runs_at_another_size_than_that_of_its_export(load: Load) -> None:
    wide = [load("yolox", detector=name, input_size_px="640x480") for name in ("openvino", "onnxruntime")]
    assert wide[0].model.input_px == (640, 480)
    assert (
        wide[0].model_id.split("-")[-1]
        == wide[1].model_id.split("-")[-1]
        != load("yolox").model_id.split("-")[-1]
    )
    # A sign that is small or large in the input is found with less confidence.
    for detector in (*wide, load("yolox", input_size_px="192x192"), load("yolox", input_size_px="1280x736")):
        assert stop_sign(detector).label == "stop sign"


@pytest.mark.thorough
def test_the_model_id_covers_what_changes_a_box_and_names_have_one_spelling(load: Load) -> None:
    plain = load("yolox")
    assert load("yolox-rgb").model_id != plain.model_id
    assert load("yolox", resize="stretch").model_id != plain.model_id
    modern = {"motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv", "aeroplane": "airplane"}
    other = load("yolox", rename=lambda names: [modern.get(name, name) for name in names])
    assert other.model.class_names == plain.model.class_names
    assert other.model_id == plain.model_id


@pytest.mark.thorough
def test_a_catalogue_model_is_used_by_its_name(
    yolox_nano: Path, model_files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The authors' own export is a different file with the same weights.
    record = CATALOGUE["yolox-nano"]
    (weights, names) = record.files
    here = KnownFile(name=weights.name, sha256=file_sha256(yolox_nano), size_bytes=yolox_nano.stat().st_size)
    changed = replace(record, files=(here, names))
    monkeypatch.setitem(CATALOGUE, "yolox-nano", changed)
    (tmp_path / weights.name).write_bytes(yolox_nano.read_bytes())
    (tmp_path / COCO_NAMES.name).write_bytes(model_files.names.read_bytes())
    settings = load_settings(
        detector="onnxruntime", model_weights="yolox-nano", models_dir=tmp_path, data_dir=tmp_path
    )
    assert stop_sign(prepare_detector(settings)).confidence > 0.9
    rows = list(model_rows(settings, lambda: changed.files))
    assert [row.good for row in rows] == [True, True, True]
    assert rows[-1].value == "passes its self-test"
    by_path = load_settings(
        detector="onnxruntime",
        model_weights=tmp_path / weights.name,
        model_names=tmp_path / COCO_NAMES.name,
        data_dir=tmp_path,
    )
    assert prepare_detector(by_path).model_id == prepare_detector(settings).model_id


@pytest.mark.thorough
def test_doctor_tries_an_onnx_network(yolox_nano: Path, model_files: ModelFiles, tmp_path: Path) -> None:
    settings = load_settings(
        detector="onnxruntime",
        model_weights=yolox_nano,
        model_names=model_files.names,
        model_cfg="yolox",
        data_dir=tmp_path,
    )
    rows = list(model_rows(settings, lambda: ()))
    assert [row.good for row in rows] == [True, True, True]
    assert rows[-1].value.endswith("its input is not tested yet: there is no footage")


def test_an_unknown_family_or_model_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"=yolo-x: .* \(yolo, yolox, rtdetr, rfdetr\), .*leave it empty"):
        catalogue.named_record("yolo-x")
    with pytest.raises(Misconfigured, match=r"=yolox-xl: .* to yolov4-tiny, yolox-nano, yolox-tiny, yolox-s"):
        files.chosen_model_files(load_settings(model_weights="yolox-xl", models_dir=tmp_path))


def test_the_default_model_has_a_name_too(model_files: ModelFiles) -> None:
    settings = load_settings(model_weights="yolov4-tiny", models_dir=model_files.cfg.parent)
    assert files.chosen_model_files(settings) == model_files


def test_each_catalogue_model_states_its_licence_and_its_bytes() -> None:
    for record in CATALOGUE.values():
        assert record.licence
        assert all(len(file.sha256) == 64 and file.size_bytes and file.upstream_urls for file in record.files)


def test_int8_is_refused_with_the_measured_figures_or_with_none() -> None:
    results = Path(__file__).resolve().parents[2] / "benchmarks/results/int8_models.json"
    rows = json.loads(results.read_text())["tables"][0]["rows"]
    measured = {
        name: ""
        if is_worth_it == "yes"
        else f"its AP50 in INT8 is {int8} instead of {f32}, in {ratio} of the time"
        for name, f32, int8, _, _, ratio, is_worth_it in rows
    }
    assert measured
    for name, record in CATALOGUE.items():
        if record.family != "darknet":
            assert record.int8 == measured.get(name, "its accuracy in INT8 has not been measured")


@pytest.mark.parametrize(
    ("name", "why"),
    [("yolox-nano", "AP50 in INT8 is 28.5 instead of 49.1"), ("yolox-s", "not been measured")],
)
def test_int8_is_refused_with_its_figure_before_anything_is_downloaded(
    name: str, why: str, tmp_path: Path
) -> None:
    settings = load_settings(
        detector="openvino", precision="int8", model_weights=name, models_dir=tmp_path, data_dir=tmp_path
    )
    for ask in (prepare_detector, files.refuse_int8):
        with one_line(Misconfigured, match=rf"{name}: frametally refuses INT8, .*{why}"):
            ask(settings)
    assert not list(tmp_path.iterdir())
