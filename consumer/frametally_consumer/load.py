"""Which detector the settings ask for."""

from __future__ import annotations

from frametally.errors import Misconfigured
from frametally.files.opencv import cv2
from frametally.process.reports import NoProgress, Progress
from frametally.settings.stages import Settings
from frametally_consumer.detectors.choice import Backend, chosen_backend
from frametally_consumer.detectors.darknet_model import reference_detector
from frametally_consumer.detectors.pixel import PixelDetector
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.models.files import check_model, chosen_model_files


def load_detector(settings: Settings, progress: Progress | None = None) -> Detector:
    """The detector that the settings ask for, ready for use; fetches the default model if it is needed.

    Raises:
        Misconfigured: The model cannot be had, read, or used with these settings.
    """
    progress = progress or NoProgress()
    if settings.detector == "pixels":
        return PixelDetector(min_confidence=settings.min_confidence)
    backend = chosen_backend(settings, progress)
    if settings.precision != "f32" and backend != "openvino":
        raise Misconfigured(
            f"FRAMETALLY_PRECISION={settings.precision}: {backend} computes in f32 alone; set "
            "FRAMETALLY_DETECTOR=openvino, or the precision to f32"
        )
    detector = _load(backend, settings, progress)
    if backend != "opencv":
        # It only resizes then, and its threads cost more than they bring. After loading: a conversion runs
        # the reference, which sets them too.
        cv2.setNumThreads(1)
    return detector


def _load(backend: Backend, settings: Settings, progress: Progress) -> Detector:
    # Imported here: a machine without these packages can run the reference.
    if settings.model_onnx is not None:
        from frametally_consumer.detectors.onnx_model import load_onnx

        return load_onnx(settings.model_onnx, backend, settings)
    model = check_model(chosen_model_files(settings, progress))
    if backend == "opencv":
        return reference_detector(model, settings)
    from frametally_consumer.converting.converted import load_converted

    return load_converted(model, backend, settings, progress)
