"""Makes a model's INT8 network once, on a machine with NNCF; only OpenVINO runs the result."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels
from frametally.process.reports import Progress
from frametally.settings.loading import Settings
from frametally_consumer.backends.network import AS_DARKNET, as_blob, fit
from frametally_consumer.backends.openvino_runtime import ov
from frametally_consumer.detectors.heads import Floats
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_models import self_test
from frametally_models.calibration_frames import calibration_frames, evenly
from frametally_models.catalogue import chosen_preparation
from frametally_models.converted import (
    CARD_VERSION,
    Calibration,
    Card,
    detector_of,
    int8_files,
    keep,
    onnx_network,
)
from frametally_models.darknet import darknet_head
from frametally_models.darknet_onnx import CONVERTER_VERSION
from frametally_models.detector_agreement import LEAST_CONFIDENCE, agreement
from frametally_models.files import CheckedModel, ModelFiles, check_model, refuse_int8

LEAST_FOUND_AGAIN = 0.95
"""The least share of f32's detections on the calibration frames that an INT8 network must find."""

_COMPARED_FRAMES = 100
_RECIPE = "mixed-f32-heads-shared-ranges-2"


class MadeInt8(NamedTuple):
    """A newly made INT8 network."""

    path: Path
    frames: int
    found_again: float


def prepare_int8(
    files: ModelFiles, settings: Settings, progress: Progress, *, folder: Path | None = None
) -> MadeInt8:
    """Make the INT8 network of a Darknet model, calibrated on pictures of `folder` or else of the store.

    Raises:
        Misconfigured: As for `make_int8`; or there are no frames, or the model's files do not match.
    """
    refuse_int8(settings)
    model = check_model(files)
    darknet_head(model, settings)
    _nncf()  # fail before looking for frames
    return make_int8(model, calibration_frames(settings, progress, folder), settings, progress)


def make_int8(
    model: CheckedModel, frames: Iterable[Pixels], settings: Settings, progress: Progress
) -> MadeInt8:
    """Calibrate the model on `frames`, compare it with f32, and store it next to the weights.

    Keeps each frame, (height, width, 3) uint8 BGR, in memory only at the network's input size.

    Raises:
        Misconfigured: NNCF is not installed, the folder cannot be written, or the INT8 network finds too few
            of the objects that the f32 one finds.
    """
    nncf = _nncf()
    pictures = [_network_picture(frame, settings) for frame in frames]
    network, _ = onnx_network(model, settings, progress)
    done = itertools.cycle(range(1, len(pictures) + 1))

    def counted_blob(picture: Pixels) -> Floats:
        progress.update(next(done), len(pictures), "calibrating")
        return as_blob(picture)

    with _quiet():
        read = ov.Core().read_model(network)
        quantized = nncf.quantize(
            read,
            nncf.Dataset(pictures, counted_blob),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(pictures),
            # These do almost no work, but in INT8 they cause a quarter of all lost detections.
            ignored_scope=nncf.IgnoredScope(names=_last_convolutions(read)),
        )
        share_quantizers(quantized)
    xml, weights, card_path = int8_files(model, settings)
    with tempfile.TemporaryDirectory(prefix="frametally-int8-") as folder:
        made = Path(folder) / "network.xml"
        ov.save_model(quantized, made, compress_to_fp16=False)
        files = {xml: made.read_bytes(), weights: made.with_suffix(".bin").read_bytes()}
        # The network itself marks its INT8 parts; its other parts, like the f32 network, run in f32.
        in_f32 = settings.model_copy(update={"precision": "f32"})
        f32 = detector_of(model, network, None, "openvino", in_f32)
        int8 = detector_of(model, made, None, "openvino", in_f32)
        share = _found_again(f32, int8, pictures, model, progress)
        rows = int8.all_rows(self_test.draw_picture())
    card = Card(
        v=CARD_VERSION,
        files={path.name: hashlib.sha256(data).hexdigest() for path, data in files.items()},
        self_test=self_test.expect(rows),
        calibration=Calibration(
            frames=len(pictures),
            sha256=_digest(pictures, f"{nncf.__version__} {ov.__version__} {CONVERTER_VERSION} {_RECIPE}"),
            found_again=share,
        ),
    )
    try:
        keep(files, card_path, card)
    except OSError as error:
        raise Misconfigured(
            f"{xml.parent}: the INT8 network cannot be written ({error.strerror}); free some space, or "
            "give this user permission to write there"
        ) from error
    return MadeInt8(xml, len(pictures), share)


def _found_again(
    f32: YoloDetector, int8: YoloDetector, pictures: Sequence[Pixels], model: CheckedModel, progress: Progress
) -> float:
    # Compare at the network's input size: the networks see no more of a frame, and the overlap of two boxes
    # is the same fraction at any size.
    compared = [pictures[place] for place in evenly(len(pictures), _COMPARED_FRAMES)]
    progress.say(f"comparing INT8 with f32 on {len(compared)} frames")
    result = agreement(f32.detect(compared), int8.detect(compared))
    more = "calibrate on more frames of your own footage (--calibration-dir), or keep f32 or bf16"
    weights = model.files.weights
    if not result.sought:
        raise Misconfigured(
            f"{weights}: the network finds nothing in the calibration frames, so frametally cannot assess "
            f"its accuracy in INT8; {more}"
        )
    if result.share < LEAST_FOUND_AGAIN:
        raise Misconfigured(
            f"{weights}: in INT8 it finds {result.found} of the {result.sought} objects that it finds "
            f"in f32 (confidence {LEAST_CONFIDENCE} and more), less than {LEAST_FOUND_AGAIN:.0%}; {more}"
        )
    return result.share


def _last_convolutions(network: ov.Model) -> list[str]:
    """Return the names of the convolutions that make the objectness, the network's even-numbered outputs."""
    names = []
    for output in network.outputs[::2]:
        node = output.get_node()
        while node.get_type_name() != "Convolution":
            node = node.input_value(0).get_node()
        names.append(node.get_friendly_name())
    return names


def _network_picture(frame: Pixels, settings: Settings) -> Pixels:
    return fit(
        frame, input_px=settings.input_px, preparation=chosen_preparation(AS_DARKNET, settings)
    ).picture


def _digest(pictures: Sequence[Pixels], versions: str) -> str:
    digest = hashlib.sha256(versions.encode())
    for picture in pictures:
        digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()


def share_quantizers(network: ov.Model) -> int:
    """Make slices share the INT8 numbers of their layer's other reader; return how many do now.

    If one reader takes a whole layer and another a part, NNCF rounds each to INT8 with its own range, so the
    layer has to output f32 numbers for both: 5 % of the time in the stages of YOLOv4-tiny. The whole's range
    contains the part's.

    Args:
        network: Changed in place.
    """
    shared = 0
    for node in network.get_ordered_ops():
        if node.get_type_name() != "Slice":
            continue
        wholes = _quantizers(node.input_value(0))
        parts = _quantizers(node.output(0))
        if len(wholes) != 1 or len(parts) != 1 or len(node.output(0).get_target_inputs()) != 1:
            continue
        for reader in parts[0].output(0).get_target_inputs():
            reader.replace_source_output(node.output(0))
        node.input(0).replace_source_output(wholes[0].output(0))
        shared += 1
    network.validate_nodes_and_infer_types()
    return shared


def _quantizers(value: ov.Output) -> list[ov.Node]:
    """Return the INT8 quantizers that read `value`."""
    readers = (reader.get_node() for reader in value.get_target_inputs())
    return [node for node in readers if node.get_type_name() == "FakeQuantize"]


def _nncf() -> Any:
    # This variable stops NNCF from reporting its use over the network; OpenVINO's telemetry package is
    # already out of reach, as `openvino_runtime` was imported.
    os.environ["NNCF_CI"] = "1"
    try:
        with _quiet():
            import nncf
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"frametally makes an INT8 network with NNCF, but {error.name} is not installed here: run pip "
            "install 'frametally[int8]', in a checkout with --require-hashes -r locks/int8.lock"
        ) from error
    nncf.set_log_level(logging.ERROR)
    return nncf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress NNCF's own progress bars and messages, which would mix with ours."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
