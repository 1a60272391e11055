"""ONNX Runtime computes on the requested device, or fails: never silently on the CPU.

No test has a GPU. Its stand-in computes on the CPU, through the same code that a GPU would use.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from tests.kit.errors import one_line

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally.settings.loading import load_settings
from frametally_consumer.backends.network import BATCH_PICTURES, Outputs
from frametally_consumer.backends.onnxruntime import OnnxRuntimeNetwork, try_providers
from frametally_models.darknet_onnx import to_onnx
from frametally_models.files import check_model
from frametally_models.prepare import prepare_detector

CPU, GPU, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
# Part of ONNX Runtime for x86, and useless for networks: it supports none, and the CPU does everything.
AZURE = "AzureExecutionProvider"


Asked = Sequence[tuple[str, dict[str, str]]]


class Part(NamedTuple):
    """ONNX Runtime's report about a part of a network."""

    ep_name: str


class DriverFails(onnxruntime.InferenceSession):
    def _create_inference_session(self, providers: Asked, *rest: Any) -> None:
        if GPU in dict(providers):
            self._fallback_providers = [CPU]
            raise RuntimeError("CUDA failure 35: driver version\nis insufficient")
        super()._create_inference_session(providers, *rest)


class LibraryIsMissing(onnxruntime.InferenceSession):
    def _create_inference_session(self, providers: Asked, *rest: Any) -> None:
        super()._create_inference_session([(CPU, {})], *rest)


class OnGpu(onnxruntime.InferenceSession):
    """Reports that a GPU computes."""

    parts: tuple[Part, ...] = (Part(GPU),)
    asked: dict[str, dict[str, str]]

    def _create_inference_session(self, providers: Asked, *rest: Any) -> None:
        type(self).asked = dict(providers)
        super()._create_inference_session([(CPU, {})], *rest)

    def get_providers(self) -> list[str]:
        return [*self.asked, CPU]

    def get_provider_graph_assignment_info(self) -> tuple[Part, ...]:
        return self.parts


class PartlyOnGpu(OnGpu):
    parts = (Part(GPU), Part(CPU))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], None]:
    """Replace the installed ONNX Runtime with one for GPUs."""

    def do(session: type) -> None:
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, GPU, CPU])
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)

    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "")
    return do


@pytest.fixture
def tiny(write_model: Any) -> bytes:
    return to_onnx(check_model(write_model()), width_px=32, height_px=32)


def own_network(path: Path, *, batch: int | str, answers: int | str) -> bytes:
    """An exported network that returns half of each value, for the first picture or for each."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [number, 3, 32, 32])
        for name, number in (("images", batch), ("halves", answers))
    ]
    nodes = [helper.make_node("Mul", ["images", "half"], ["all"])]
    constants = [onnx.numpy_helper.from_array(np.array(0.5, np.float32), "half")]
    if answers == 1:
        constants.append(onnx.numpy_helper.from_array(np.array([0]), "first"))
        nodes.append(helper.make_node("Gather", ["all", "first"], ["halves"], axis=0))
    else:
        nodes.append(helper.make_node("Identity", ["all"], ["halves"]))
    graph = helper.make_graph(nodes, "own", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def network_of(data: bytes, batch: int = 1, providers: tuple[str, ...] = (CPU,)) -> OnnxRuntimeNetwork:
    return OnnxRuntimeNetwork(data, name="own", providers=providers, threads=1, batch=batch)


def copied(outputs: Outputs) -> list[np.ndarray]:
    return [output.copy() for output in outputs]


def pictures(number: int) -> list[Pixels]:
    return list(np.random.default_rng(number).integers(0, 256, (number, 32, 32, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("session", "line"),
    [
        (
            DriverFails,
            rf"own: .* \(CUDA failure 35: driver version is insufficient\); .* leave the failing one out "
            rf"of .*={GPU},{CPU}",
        ),
        (
            LibraryIsMissing,
            rf"PROVIDERS={GPU},{CPU}: .* cannot load {GPU} here.*; install .*, or leave it out",
        ),
    ],
)
def test_a_provider_that_cannot_be_loaded_is_refused_and_never_replaced_by_the_cpu(
    session: type, line: str, tiny: bytes, install: Callable[[type], None], capsys: pytest.CaptureFixture[str]
) -> None:
    install(session)
    network_of(tiny)
    with one_line(Misconfigured, match=line):
        network_of(tiny, providers=(GPU, CPU))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("providers", [(AZURE,), (AZURE, CPU)])
def test_a_provider_that_leaves_everything_to_the_cpu_is_refused(
    providers: tuple[str, ...], tiny: bytes
) -> None:
    if AZURE not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no such provider")
    with pytest.raises(Misconfigured, match=rf"{providers[0]}.*: all of own would run on the CPU; set it to"):
        network_of(tiny, providers=providers)


def test_the_cpu_runs_a_part_of_a_network_only_if_it_is_a_listed_provider(
    tiny: bytes, install: Callable[[type], None]
) -> None:
    install(PartlyOnGpu)
    with pytest.raises(Misconfigured, match=f"a part of own would run on the CPU; add {CPU} to allow that"):
        network_of(tiny, providers=(GPU,))
    assert network_of(tiny, providers=(GPU, CPU)).start(pictures(1)[0], len).result() == 2


def test_a_gpu_keeps_32_bit_floats_and_chooses_algorithms_without_measuring(
    tiny: bytes, install: Callable[[type], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(OnGpu)
    engines = tmp_path / "engines"
    OnnxRuntimeNetwork(tiny, name="own", providers=[TENSORRT, GPU], threads=1, engines=engines)
    assert OnGpu.asked[GPU] == {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    assert OnGpu.asked[TENSORRT]["trt_engine_cache_path"] == str(engines)
    assert engines.is_dir()
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.parametrize("number", [1, 7, 8, 21])
def test_a_picture_has_the_same_outputs_alone_and_in_any_batch(tiny: bytes, number: int) -> None:
    alone, together = network_of(tiny), network_of(tiny, batch=8)
    some = pictures(number)
    expected = [alone.start(picture, copied).result() for picture in some]
    got = [future.result() for future in [together.start(picture, copied) for picture in some]]
    again = [together.start(picture, copied).result() for picture in some[::-1]][::-1]
    for one, other, third in zip(expected, got, again, strict=True):
        for values, in_batch, in_another in zip(one, other, third, strict=True):
            assert in_batch.shape == values.shape
            assert np.allclose(in_batch, values, rtol=1e-5, atol=1e-5)
            assert in_batch.tobytes() == in_another.tobytes()


def test_a_picture_that_waits_for_its_batch_may_be_overwritten(tiny: bytes) -> None:
    together = network_of(tiny, batch=8)
    buffer = np.empty((32, 32, 3), np.uint8)
    futures = []
    for picture in pictures(20):
        buffer[:] = picture
        futures.append(together.start(buffer, copied))
    buffer[:] = 0
    for picture, future in zip(pictures(20), futures, strict=True):
        expected = together.start(picture, copied).result()
        assert all(map(np.array_equal, future.result(), expected))


def test_a_failing_batch_fails_each_of_its_pictures_and_the_next_batch_runs(
    tiny: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = network_of(tiny, batch=4)
    with monkeypatch.context() as broken:
        broken.setattr(together._session, "run", lambda *arguments: 1 // 0)
        futures = [together.start(picture, copied) for picture in pictures(10)]
        for future in futures:
            with pytest.raises(Misconfigured, match="own: ONNX Runtime cannot run this network"):
                future.result(timeout=60)
    assert len(together.start(pictures(1)[0], copied).result()) == 2


def test_an_error_in_one_picture_fails_only_that_picture(tiny: bytes) -> None:
    together = network_of(tiny, batch=4)

    def read(outputs: Outputs) -> int:
        raise ValueError("this one")

    futures = [
        together.start(picture, read if place == 2 else len) for place, picture in enumerate(pictures(6))
    ]
    assert [future.exception() is not None for future in futures] == [place == 2 for place in range(6)]


def test_at_most_three_batches_are_in_progress_however_slow_the_network_is(tiny: bytes) -> None:
    together = network_of(tiny, batch=4)
    go, started = threading.Event(), threading.Semaphore(0)

    def read(outputs: Outputs) -> None:
        go.wait()

    def feed() -> None:
        for picture in pictures(30):
            futures.append(together.start(picture, read))
            started.release()

    futures: list[Any] = []
    feeding = threading.Thread(target=feed)
    feeding.start()
    for _ in range(12):
        started.acquire()
    try:
        assert not started.acquire(timeout=0.1)
    finally:
        go.set()
        feeding.join()
    assert [future.result() for future in futures] == [None] * 30


def test_ones_own_network_runs_in_batches_if_its_batch_size_is_open(tmp_path: Path) -> None:
    some = pictures(5)
    for batch, in_batches in (("n", True), (1, False)):
        network = network_of(own_network(tmp_path, batch=batch, answers=batch), batch=4)
        assert network._batch == (4 if in_batches else 1)
        for picture in some:
            [halves] = network.start(picture, copied).result()
            assert halves[0, :, 3, 4] == pytest.approx(picture[3, 4, ::-1] / 510)


def test_a_network_that_answers_for_one_picture_of_a_batch_is_refused(tmp_path: Path) -> None:
    network = network_of(own_network(tmp_path, batch="n", answers=1), batch=4)
    with pytest.raises(Misconfigured, match=r"own: .*\(1, 3, 32, 32\).* for 4 pictures; export it again"):
        network.start(pictures(1)[0], copied).result()


def detector_on(providers: str, write_model: Any, tmp_path: Path) -> Any:
    files = write_model()
    return prepare_detector(
        load_settings(
            detector="onnxruntime",
            execution_providers=providers,
            model_cfg=files.cfg,
            model_weights=files.weights,
            model_names=files.names,
            input_size_px="32x32",
            data_dir=tmp_path / "data",
            models_dir=tmp_path / "models",
        )
    )


def test_the_model_id_names_the_provider_and_is_unchanged_on_the_cpu(
    write_model: Any, tmp_path: Path, install: Callable[[type], None]
) -> None:
    on_cpu = detector_on(CPU, write_model, tmp_path)
    install(OnGpu)
    on_gpu = detector_on(GPU, write_model, tmp_path)
    assert on_cpu.model_id == "tiny-onnxruntime-f32-91cd28a8"
    assert on_gpu.model_id.startswith("tiny-onnxruntime-cuda-f32-")
    both = detector_on(f"{TENSORRT}, {GPU}", write_model, tmp_path)
    assert both.model_id.startswith("tiny-onnxruntime-tensorrt-cuda-f32-")
    assert on_gpu._network._batch == BATCH_PICTURES
    assert on_cpu._network._batch == 1
    some = pictures(2 * BATCH_PICTURES + 3)
    assert on_gpu.detect(some) == on_cpu.detect(some)


@pytest.mark.parametrize("detector", ["auto", "opencv", "openvino"])
def test_a_detector_that_would_not_use_the_gpu_is_refused_before_the_store_records_it(
    detector: str, tmp_path: Path
) -> None:
    settings = load_settings(detector=detector, execution_providers=GPU, data_dir=tmp_path)
    with pytest.raises(
        Misconfigured, match=rf"={GPU}: FRAMETALLY_DETECTOR={detector} would compute on the CPU; set"
    ):
        prepare_detector(settings)
    assert open_object_store(settings.store_url).head(keys.AUTO_DETECTOR) is None


def test_trying_providers_runs_a_network_on_each_and_names_them_all(install: Callable[[type], None]) -> None:
    assert try_providers([CPU]) == onnxruntime.get_available_providers()
    install(LibraryIsMissing)
    with pytest.raises(Misconfigured, match=f"cannot load {GPU} here"):
        try_providers([GPU])


@pytest.mark.thorough
def test_no_command_imports_a_network_runtime_at_startup() -> None:
    look = (
        "import sys, frametally_cli.main, frametally_cli.commands.doctor, frametally_models.prepare;"
        "sys.exit(' '.join({'onnx', 'onnxruntime', 'openvino'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "\n")
