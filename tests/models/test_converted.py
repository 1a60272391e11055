"""Converted files next to the weights are used only if they match, and never give nonsense."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests.fakes.said import Said
from tests.kit.errors import one_line

from frametally.errors import Misconfigured
from frametally.files.opencv import cv2
from frametally.settings.loading import load_settings
from frametally_consumer.backends import opencv as opencv_backend
from frametally_consumer.backends.network import as_blob
from frametally_models import converted, self_test
from frametally_models.files import ModelFiles, check_model
from frametally_models.prepare import prepare_detector

WriteModel = Callable[..., ModelFiles]


def settings_of(files: ModelFiles, **more: Any) -> Any:
    return load_settings(
        **{
            "detector": "openvino",
            "model_cfg": files.cfg,
            "model_weights": files.weights,
            "model_names": files.names,
            "input_size_px": "64x64",
        }
        | more
    )


def kept(files: ModelFiles, pattern: str = "*.onnx") -> list[Path]:
    return sorted(files.weights.parent.glob(pattern))


def test_the_converted_networks_name_holds_weights_cfg_size_and_version(write_model: WriteModel) -> None:
    files = write_model()
    prepare_detector(settings_of(files))
    weights = hashlib.sha256(files.weights.read_bytes()).hexdigest()
    cfg = hashlib.sha256(files.cfg.read_bytes()).hexdigest()[:8]
    assert [path.name for path in kept(files)] == [f"tiny-{weights}-{cfg}-64x64-v2.onnx"]
    prepare_detector(settings_of(files, input_size_px="96x64"))
    assert len(kept(files)) == 2


def test_a_stored_network_is_reused(write_model: WriteModel, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_model()
    model_id = prepare_detector(settings_of(files)).model_id
    monkeypatch.setattr(converted, "to_onnx", None)
    assert prepare_detector(settings_of(files)).model_id == model_id
    assert prepare_detector(settings_of(files, detector="onnxruntime")).model_id != model_id


def spoil_bytes(path: Path, card: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def cut_short(path: Path, card: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def remove_network(path: Path, card: Path) -> None:
    path.unlink()


def spoil_card(path: Path, card: Path) -> None:
    card.write_text("{")


def card_of_another_version(path: Path, card: Path) -> None:
    read = msgspec.json.decode(card.read_bytes(), type=converted.Card)
    card.write_bytes(msgspec.json.encode(msgspec.structs.replace(read, v=0)))


def network_of_another_model(path: Path, card: Path) -> None:
    path.write_bytes(b"another network")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "spoil",
    [spoil_bytes, cut_short, remove_network, spoil_card, card_of_another_version, network_of_another_model],
)
def test_a_damaged_conversion_is_made_again(write_model: WriteModel, spoil: Any) -> None:
    files = write_model()
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    before = prepare_detector(settings_of(files)).detect([image])
    (path,), (card,) = kept(files), kept(files, "*.json")
    good = path.read_bytes(), card.read_bytes()
    spoil(path, card)
    assert prepare_detector(settings_of(files)).detect([image]) == before
    assert (path.read_bytes(), card.read_bytes()) == good


def test_an_unwritable_folder_costs_time_and_a_line(
    write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_model()

    def refuse(*arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(converted, "keep", refuse)
    said = Said()
    prepare_detector(settings_of(files), said)
    assert said.lines == [
        f"{files.weights.parent} cannot be written to (Permission denied); tiny.weights is converted again "
        "at every start"
    ]


@pytest.mark.thorough
def test_the_self_test_notices_a_network_that_detects_something_else(
    model_files: ModelFiles, tmp_path: Path, has_bf16: bool
) -> None:
    """As if the cache held a network with other weights and a matching card."""
    folder = tmp_path / "models"
    folder.mkdir()
    files = ModelFiles(*(folder / path.name for path in model_files))
    for source, copy in zip(model_files, files, strict=True):
        copy.symlink_to(source)
    settings = settings_of(files, input_size_px="416x416")
    prepare_detector(settings)
    (path,), (card_path,) = kept(files), kept(files, "*.json")
    card = msgspec.json.decode(card_path.read_bytes(), type=converted.Card)
    for precision in ("f32", "bf16") if has_bf16 else ("f32",):
        for change in (channels_swapped, a_layer_of_noise, a_layer_of_nothing):
            network = onnx.load_model_from_string(path.read_bytes())
            change(network)
            data = network.SerializeToString()
            model = check_model(files)
            used = settings.model_copy(update={"precision": precision})
            detector = converted.detector_of(model, data, card, "openvino", used)
            with pytest.raises(Misconfigured, match="self-test did not find the objects that it should"):
                self_test.check(
                    detector.all_rows(self_test.draw_picture()),
                    card.self_test,
                    self_test.TOLERANCES["int8"],  # the widest
                    name="x",
                    remedy="y",
                )


def weights_of(network: onnx.ModelProto, place: int) -> tuple[Any, Any]:
    kernels = [tensor for tensor in network.graph.initializer if len(tensor.dims) == 4]
    return kernels[place], numpy_helper.to_array(kernels[place])


def channels_swapped(network: onnx.ModelProto) -> None:
    tensor, values = weights_of(network, 0)
    tensor.CopyFrom(numpy_helper.from_array(values[:, ::-1].copy(), tensor.name))


def a_layer_of_noise(network: onnx.ModelProto) -> None:
    tensor, values = weights_of(network, 9)
    noise = np.random.default_rng(0).normal(0, values.std(), values.shape).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(noise, tensor.name))


def a_layer_of_nothing(network: onnx.ModelProto) -> None:
    tensor, values = weights_of(network, 5)
    tensor.CopyFrom(numpy_helper.from_array(values * 0, tensor.name))


@pytest.mark.thorough
def test_the_test_picture_is_the_same_everywhere_and_has_a_known_object(model_files: ModelFiles) -> None:
    picture = self_test.draw_picture()
    assert (picture.shape, picture.dtype) == ((480, 640, 3), np.uint8)
    detector = prepare_detector(load_settings(models_dir=model_files.cfg.parent, detector="opencv"))
    (found,) = (one for one in detector.detect([picture])[0] if one.confidence > 0.5)
    assert found.label == "stop sign"
    assert found.confidence > 0.95
    assert found.box == pytest.approx((390, 54, 180, 180), abs=6)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "spoil",
    [lambda blob: blob[:, ::-1], lambda blob: blob[..., ::-1], lambda blob: blob * 255],
    ids=["colours swapped", "mirrored", "not scaled"],
)
def test_the_reference_is_refused_unless_it_finds_the_stop_sign(
    model_files: ModelFiles, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    monkeypatch.setattr(
        opencv_backend, "as_blob", lambda picture: np.ascontiguousarray(spoil(as_blob(picture)))
    )
    settings = load_settings(models_dir=model_files.cfg.parent, detector="opencv")
    with pytest.raises(Misconfigured, match=r"yolov4-tiny.weights on opencv .* the stop sign as it should"):
        prepare_detector(settings)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_opencv_has_one_thread_after_the_first_start_as_after_any_other(
    write_model: WriteModel, backend: str
) -> None:
    settings = settings_of(write_model(), detector=backend, detector_threads=3)
    threads_before = cv2.getNumThreads()
    try:
        for _ in ("converted now", "kept"):
            prepare_detector(settings)
            assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(threads_before)


def test_a_missing_int8_network_is_reported_with_the_command_that_makes_it(write_model: WriteModel) -> None:
    files = write_model()
    with one_line(Misconfigured, match=r"the INT8 network .* does not exist.*download-models --int8"):
        prepare_detector(settings_of(files, precision="int8"))


def test_an_int8_network_of_another_version_or_size_is_named(write_model: WriteModel) -> None:
    files = write_model()
    digest = hashlib.sha256(files.weights.read_bytes()).hexdigest()
    old = f"tiny-{digest}-00000000-64x64-v0-int8.json"
    (files.weights.parent / old).write_text("{}")
    with pytest.raises(
        Misconfigured, match=f"{old} was made for another version, cfg or input size; make it with"
    ):
        prepare_detector(settings_of(files, precision="int8"))


def test_a_card_that_is_not_text_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(b'{"v":"\xff"}')
    said: list[str] = []
    progress = SimpleNamespace(say=said.append)
    assert converted.read_card(tmp_path / "card.json", progress) is None
    assert ["cannot be read" in line for line in said] == [True]


def test_a_damaged_int8_network_is_refused(write_model: WriteModel) -> None:
    files = write_model()
    prepare_detector(settings_of(files))
    (card_path,) = kept(files, "*.json")
    card = msgspec.json.decode(card_path.read_bytes(), type=converted.Card)
    xml, weights, int8_card = converted.int8_files(check_model(files), settings_of(files))
    data = {xml: b"<net/>", weights: b"1"}
    calibration = converted.Calibration(frames=10, sha256="0" * 64, found_again=1.0)
    digests = {path.name: hashlib.sha256(value).hexdigest() for path, value in data.items()}
    converted.keep(data, int8_card, msgspec.structs.replace(card, files=digests, calibration=calibration))
    weights.write_bytes(b"2")
    with pytest.raises(Misconfigured, match=r"int8.bin is damaged: .*download-models --int8"):
        prepare_detector(settings_of(files, precision="int8"))
