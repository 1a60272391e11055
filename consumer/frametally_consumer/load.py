"""Which detector the settings ask for."""

from __future__ import annotations

from frametally.reports import Progress
from frametally.settings import Settings
from frametally_consumer.detector import Detector
from frametally_consumer.model_files import chosen_model_files
from frametally_consumer.opencv_detector import OpenCvDetector
from frametally_consumer.pixel_detector import PixelDetector


def load_detector(settings: Settings, progress: Progress | None = None) -> Detector:
    """The detector that the settings ask for, ready for use; fetches the default model if it is needed.

    Raises:
        Misconfigured: The model cannot be had, read, or used with these settings.
    """
    if settings.detector == "pixels":
        return PixelDetector(min_confidence=settings.min_confidence)
    return OpenCvDetector(
        chosen_model_files(settings, progress),
        input_width_px=settings.input_width_px,
        input_height_px=settings.input_height_px,
        min_confidence=settings.min_confidence,
        nms_iou=settings.nms_iou,
    )
