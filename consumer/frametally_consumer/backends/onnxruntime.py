"""The back-end for machines without OpenVINO: ONNX networks run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally_consumer.backends.network import Outputs, as_blob


class OnnxRuntimeNetwork:
    """An ONNX network in 32-bit floats, one picture at a time."""

    def __init__(self, network: bytes, *, name: str, providers: Sequence[str], threads: int) -> None:
        """Load the ONNX file `network`, which error lines call `name`.

        Of ONNX Runtime's execution `providers` the first that can run an operation runs it.

        Raises `Misconfigured`: a provider is not in the installed ONNX Runtime or cannot be loaded here, or
        it cannot read the network.
        """
        self._name = name
        setting = f"FRAMETALLY_EXECUTION_PROVIDERS={','.join(providers)}"
        self._remedy = "use another"
        if set(providers) != {"CPUExecutionProvider"}:
            self._remedy += f", or leave the failing one out of {setting}"
        available = onnxruntime.get_available_providers()
        missing = [provider for provider in providers if provider not in available]
        if missing or not providers:
            raise Misconfigured(
                f"{setting}: the installed ONNX Runtime has {', '.join(available)}; choose from these, or "
                f"install a build that has {missing or 'more'}"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # its lines do not name the file; ours do
        # Threads that wait without sleeping would take the cores from decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            # Without its fallback: a provider that fails, now or later, would become the CPU.
            self._session = onnxruntime.InferenceSession(
                network, options, providers=list(providers), enable_fallback=0
            )
        except Exception as error:  # its errors share no base but this
            raise self._cannot(error) from error
        # One whose libraries are not there is left out without an error.
        absent = [provider for provider in providers if provider not in self._session.get_providers()]
        if absent:
            raise Misconfigured(
                f"{setting}: ONNX Runtime cannot load {', '.join(absent)} here; install the driver and the "
                "libraries that it needs, or leave it out"
            )
        self._inputs = [node.name for node in self._session.get_inputs()]

    def start(self, picture: Pixels, then: Callable[[Outputs], None]) -> None:
        """Do as `Network.start` says; `then` is called before the return."""
        try:
            outputs = self._session.run(None, dict.fromkeys(self._inputs, as_blob(picture)))
        except Exception as error:  # as above
            raise self._cannot(error) from error
        then([np.asarray(output, dtype=np.float32) for output in outputs])

    def _cannot(self, error: Exception) -> Misconfigured:
        reason = " ".join(str(error).split())[:300]
        return Misconfigured(f"{self._name}: ONNX Runtime cannot run this network ({reason}); {self._remedy}")
