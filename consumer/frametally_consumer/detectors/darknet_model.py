"""Detectors of Darknet networks: the same around every back-end."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from frametally.files.downloads import file_sha256
from frametally.files.opencv import cv2
from frametally.settings.stages import Settings
from frametally_consumer.backends.network import Network
from frametally_consumer.backends.network_input import DECODE_RULE, RESIZE_RULES, Resize
from frametally_consumer.backends.opencv import OpenCvNetwork
from frametally_consumer.detectors.boxes import CONFIDENCE_STEPS, POSTPROCESSING_VERSION, to_steps
from frametally_consumer.detectors.choice import threads
from frametally_consumer.detectors.protocol import make_model_id
from frametally_consumer.detectors.self_test import check_stop_sign, draw_picture
from frametally_consumer.detectors.yolo import YoloDetector
from frametally_consumer.models.files import CheckedModel, is_default
from frametally_consumer.models.heads import DarknetHead, DecodedHead, Head


def reference_detector(model: CheckedModel, settings: Settings) -> YoloDetector:
    """The model on OpenCV: what all other back-ends are compared with.

    Raises:
        Misconfigured: OpenCV cannot run it, or its numbers are not finite; of YOLOv4-tiny at its own size:
            they are not those that it is known for.
    """
    detector = _detector(
        model,
        OpenCvNetwork(model, threads=threads(settings)),
        DecodedHead(model.facts.classes),
        settings,
        precision="f32",
        more={},
    )
    # Of other models nothing is known to compare with; but every layer must fit the one before.
    rows = detector.all_rows(draw_picture())
    if is_default(model) and (settings.input_width_px, settings.input_height_px) == (416, 416):
        check_stop_sign(
            rows,
            name=f"{model.files.weights} on opencv {cv2.__version__}",
            remedy="install opencv-python-headless as in requirements.lock",
        )
    return detector


def converted_detector(
    model: CheckedModel,
    network: Network,
    settings: Settings,
    *,
    precision: str,
    made_by: Mapping[str, object],
) -> YoloDetector:
    """The model on a back-end that runs the converted network.

    Args:
        model: The model.
        network: It, converted.
        settings: Input size and thresholds.
        precision: As in the model id.
        made_by: Versions and hashes of what the conversion depends on.

    Raises:
        Misconfigured: Its `[yolo]` layers cannot be read.
    """
    head = DarknetHead(
        model.facts,
        model.weights,
        width_px=settings.input_width_px,
        height_px=settings.input_height_px,
    )
    return _detector(
        model, network, head, settings, precision=precision, more={"head": head.name} | dict(made_by)
    )


def _detector(
    model: CheckedModel,
    network: Network,
    head: Head,
    settings: Settings,
    *,
    precision: str,
    more: Mapping[str, object],
) -> YoloDetector:
    resize: Resize = "stretch" if settings.resize == "auto" else settings.resize
    model_id = make_model_id(
        name=model.files.weights.stem,
        backend=network.backend,
        precision=precision,
        ingredients={
            "cfg_sha256": file_sha256(model.files.cfg),
            "weights_sha256": hashlib.sha256(model.weights).hexdigest(),
            "class_names": model.class_names,
            "input_px": [settings.input_width_px, settings.input_height_px],
            "resize": RESIZE_RULES[resize],
            "decode": DECODE_RULE,
            "min_confidence_e4": int(to_steps(settings.min_confidence, CONFIDENCE_STEPS)),
            "nms_iou": settings.nms_iou,
            "postprocessing": POSTPROCESSING_VERSION,
            **more,
        },
    )
    return YoloDetector(
        network,
        head,
        model_id=model_id,
        name=str(model.files.weights),
        class_names=model.class_names,
        input_width_px=settings.input_width_px,
        input_height_px=settings.input_height_px,
        resize=resize,
        min_confidence=settings.min_confidence,
        nms_iou=settings.nms_iou,
    )
