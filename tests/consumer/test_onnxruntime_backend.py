"""ONNX Runtime computes on what was asked for, or not at all: never on the CPU without a word."""

from __future__ import annotations

from typing import Any

import onnxruntime
import pytest

from frametally.errors import Misconfigured
from frametally_consumer.backends.onnxruntime import OnnxRuntimeNetwork
from frametally_models.darknet_onnx import to_onnx
from frametally_models.files import check_model

CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"


class DriverFails(onnxruntime.InferenceSession):
    def _create_inference_session(self, providers: list[str], *rest: Any) -> None:
        if GPU in providers:
            self._fallback_providers = [CPU]
            raise RuntimeError("CUDA failure 35: driver version\nis insufficient")
        super()._create_inference_session(providers, *rest)


class LibraryIsMissing(onnxruntime.InferenceSession):
    def _create_inference_session(self, providers: list[str], *rest: Any) -> None:
        super()._create_inference_session([name for name in providers if name != GPU], *rest)


@pytest.mark.parametrize(
    ("session", "line"),
    [
        (
            DriverFails,
            rf"own: .* \(CUDA failure 35: driver version is insufficient\); .* leave the failing one out "
            rf"of .*={GPU},{CPU}",
        ),
        (LibraryIsMissing, rf"PROVIDERS={GPU},{CPU}: .* cannot load {GPU} here; install .*, or leave it out"),
    ],
)
def test_a_provider_that_cannot_be_loaded_is_refused_and_never_replaced_by_the_cpu(
    session: type,
    line: str,
    write_model: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = to_onnx(check_model(write_model()), width_px=32, height_px=32)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [GPU, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    OnnxRuntimeNetwork(network, name="own", providers=[CPU], threads=1)
    with pytest.raises(Misconfigured, match=line) as error:
        OnnxRuntimeNetwork(network, name="own", providers=[GPU, CPU], threads=1)
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""
