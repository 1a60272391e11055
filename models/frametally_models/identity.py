"""Makes the id of a model, which contains a digest of everything that changes a detection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from frametally.rules.counted_boxes import label_groups
from frametally.settings.loading import Settings
from frametally_consumer.backends.network import (
    BATCH_PICTURES,
    BRIGHTENING_RULE,
    DECODE_RULE,
    RESIZE_RULES,
    Preparation,
)
from frametally_consumer.detectors.boxes import (
    CONFIDENCE_STEPS,
    GROUP_NMS_IOU,
    POSTPROCESSING_VERSION,
    to_steps,
)
from frametally_consumer.detectors.confidence import COUNTED, TRACKED
from frametally_consumer.detectors.protocol import make_model_id
from frametally_consumer.detectors.tiles import TILE_RULE
from frametally_consumer.detectors.yolo import NetworkModel


def identified(
    model: NetworkModel, *, settings: Settings, precision: str, ingredients: Mapping[str, object]
) -> NetworkModel:
    """Return `model` with its groups and its id; `ingredients` are JSON values: hashes of files, versions.

    Of the settings, only the groups of labels that it detects and ONNX Runtime's devices matter: the id names
    devices other than the CPU.

    Raises:
        Misconfigured: The groups cannot be read.
    """
    known = [set(model.class_names).intersection(labels) for _, labels in label_groups(settings.track_groups)]
    groups = sorted(sorted(labels) for labels in known if len(labels) > 1)
    # Models that do not brighten keep the ids that they had before there was a rule for dark pictures.
    preparation = model.preparation._replace(brightens_dark=False)
    devices = settings.devices if model.backend == "onnxruntime" else []
    on_devices: dict[str, object] = {"batch_pictures": BATCH_PICTURES} if devices else {}
    model_id = make_model_id(
        name=Path(model.name).stem,
        backend=model.backend,
        precision="-".join([*devices, precision]),
        ingredients={
            "class_names": model.class_names,
            "input_px": model.input_px,
            "resize": RESIZE_RULES[preparation.resize],
            "decode": DECODE_RULE,
            "min_confidence_e4": int(to_steps(model.min_confidence, CONFIDENCE_STEPS)),
            "nms_iou": model.nms_iou,
            "postprocessing": POSTPROCESSING_VERSION,
            **({"groups": [GROUP_NMS_IOU, groups]} if groups else {}),
            **({} if preparation == Preparation(preparation.resize) else {"preparation": preparation[:-1]}),
            **({"brightening": BRIGHTENING_RULE} if model.preparation.brightens_dark else {}),
            **({"scale": [COUNTED, TRACKED, model.scale]} if model.scale else {}),
            **({} if model.tiles == (1, 1) else {"tiles": [TILE_RULE, *model.tiles]}),
            **on_devices,
            **ingredients,
        },
    )
    return model._replace(model_id=model_id, groups=groups)
