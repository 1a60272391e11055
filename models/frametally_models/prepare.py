"""Turns the settings into a tested detector before the consumer starts."""

from __future__ import annotations

from frametally.errors import Misconfigured
from frametally.process.reports import NoProgress, Progress
from frametally.settings.loading import Settings
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_consumer.load import chosen_backend, load_detector
from frametally_models.darknet import reference_detector
from frametally_models.files import check_model, chosen_model_files, chosen_onnx_files, refuse_int8
from frametally_models.footage_frames import SampledFootage, stored_footage


def prepare_detector(
    settings: Settings, progress: Progress | None = None, footage: SampledFootage | None = None
) -> Detector:
    """Return the tested detector that the settings ask for.

    Makes missing files: it downloads the default model and converts a Darknet network for the back-end. It
    tests a user's ONNX network on `footage`, by default on the store's frames.

    Raises:
        Misconfigured: The model is unavailable, unreadable, or unusable with these settings.
    """
    if settings.detector == "pixels":
        return load_detector(settings)
    progress = progress or NoProgress()
    backend = chosen_backend(settings, progress)
    if settings.precision != "f32" and backend != "openvino":
        raise Misconfigured(
            f"FRAMETALLY_PRECISION={settings.precision}: {backend} computes only in f32; set "
            "FRAMETALLY_DETECTOR=openvino, or the precision to f32"
        )
    # Imported here because a machine without `onnx` can run the reference.
    if settings.precision == "int8" and settings.model_onnx is None:
        refuse_int8(settings)
    if (files := chosen_onnx_files(settings, progress)) is not None:
        from frametally_models.own_onnx import own_detector

        return own_detector(files, backend, settings, footage or stored_footage(settings))
    model = check_model(chosen_model_files(settings, progress))
    if backend == "opencv":
        return reference_detector(model, settings)
    from frametally_models.converted import converted_detector

    return converted_detector(model, backend, settings, progress)


def prepare_model(settings: Settings, progress: Progress) -> NetworkModel | None:
    """Return the model for worker processes after testing its detector; None for `pixels`.

    Raises:
        Misconfigured: As for `prepare_detector`.
    """
    detector = prepare_detector(settings, progress)
    return detector.model if isinstance(detector, YoloDetector) else None
