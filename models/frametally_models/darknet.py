"""Detectors of Darknet networks: the reference on OpenCV, and the part that all back-ends share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from frametally.files.downloads import file_sha256
from frametally.files.opencv import cv2
from frametally.settings.loading import Settings
from frametally_consumer.backends.network import AS_DARKNET, Backend
from frametally_consumer.backends.opencv import DarknetNetwork
from frametally_consumer.detectors.boxes import MIN_CONFIDENCE, NMS_IOU
from frametally_consumer.detectors.heads import DarknetHead, DecodedHead, Floats, Head, YoloLayer
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_consumer.load import network_detector
from frametally_models.catalogue import chosen_preparation
from frametally_models.darknet_cfg import HeadConvolution, NetworkFacts, Section, weights_header_bytes
from frametally_models.files import CheckedModel, is_default
from frametally_models.identity import identified
from frametally_models.self_test import check_stop_sign, draw_picture


def reference_detector(model: CheckedModel, settings: Settings) -> YoloDetector:
    """Return the model on OpenCV, the reference for all other back-ends.

    Raises:
        Misconfigured: OpenCV cannot run it, its numbers are not finite, or, for YOLOv4-tiny at its own size,
            they are not the known ones.
    """
    network = DarknetNetwork(model.files.cfg, model.facts.text, model.weights)
    detector = network_detector(
        network_model(model, network, "opencv", DecodedHead(model.facts.classes), settings), settings
    )
    # Other models have no known results; but every layer must fit the one before.
    rows = detector.all_rows(draw_picture())
    if is_default(model) and detector.model.input_px == (416, 416):
        check_stop_sign(
            rows,
            name=f"{model.files.weights} on opencv {cv2.__version__}",
            remedy="install opencv-python-headless as in locks/all.lock",
        )
    return detector


def network_model(
    model: CheckedModel,
    network: bytes | Path | DarknetNetwork,
    backend: Backend,
    head: Head,
    settings: Settings,
    *,
    precision: str = "f32",
    ingredients: Mapping[str, object] | None = None,
) -> NetworkModel:
    """Return the consumer's parts of the Darknet model `model`, as `network` on `backend`.

    Uses the settings' input size, resize rule, thresholds and devices; `precision` and `ingredients`, in
    addition to the model's own files, are as for `identified`.
    """
    return identified(
        NetworkModel(
            name=str(model.files.weights),
            backend=backend,
            network=network,
            head=head,
            class_names=model.class_names,
            input_px=settings.input_px,
            tiles=settings.tiles,
            preparation=chosen_preparation(AS_DARKNET, settings),
            min_confidence=MIN_CONFIDENCE,
            nms_iou=NMS_IOU,
        ),
        settings=settings,
        precision=precision,
        ingredients={
            "cfg_sha256": file_sha256(model.files.cfg),
            "weights_sha256": hashlib.sha256(model.weights).hexdigest(),
            **(ingredients or {}),
        },
    )


def darknet_head(model: CheckedModel, settings: Settings) -> DarknetHead:
    """Return the head of the converted network of `model`.

    Raises:
        Misconfigured: An output layer cannot be read, or only by OpenCV.
    """
    floats = np.frombuffer(model.weights, "<f4", offset=weights_header_bytes(model.weights))
    layers = []
    for section, convolution in _output_layers(model.facts):
        anchors_px = _anchors_px(section)
        boxes, channels = len(anchors_px), convolution.channels
        numbers = floats[convolution.first_float :][: convolution.filters * (1 + channels)].copy()
        bias, kernel = np.split(numbers, [convolution.filters])
        by_box = kernel.reshape(boxes, -1, channels).transpose(0, 2, 1)
        scale_x_y = section.decimals("scale_x_y", "1")[0]
        layers.append(YoloLayer(anchors_px, scale_x_y, np.ascontiguousarray(by_box), bias.reshape(boxes, -1)))
    return DarknetHead(layers, settings.input_px)


def _output_layers(facts: NetworkFacts) -> Iterator[tuple[Section, HeadConvolution]]:
    sections = (section for section in facts.sections if section.kind in ("yolo", "region"))
    for section, convolution in zip(sections, facts.heads, strict=True):
        if section.kind == "region" or section.integer("new_coords", 0) or convolution is None:
            raise section.error(
                "only OpenCV can read such an output; set FRAMETALLY_DETECTOR=opencv for this network"
            )
        yield section, convolution


def _anchors_px(section: Section) -> Floats:
    count = section.integer("num", 1)
    anchors = np.array(section.decimals("anchors"), np.float32)
    mask = section.integers("mask") or list(range(count))
    if len(anchors) != 2 * count or not all(0 <= box < count for box in mask):
        raise section.error(
            f"num={count} boxes with mask={section.options.get('mask', '')} do not match the "
            f"{len(anchors)} numbers in anchors; each box needs two anchors"
        )
    return anchors.reshape(-1, 2)[mask]
