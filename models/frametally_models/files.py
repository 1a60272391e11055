"""The files of a model: downloaded for a catalogue model, or a user's own, checked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.files.downloads import ensure_files, file_sha256
from frametally.process.reports import Progress
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_models.catalogue import CATALOGUE, DEFAULT, YOLOV4_TINY_CFG, YOLOV4_TINY_WEIGHTS
from frametally_models.darknet_cfg import NetworkFacts, read_network_facts, read_weights


class ModelFiles(NamedTuple):
    """The paths of a model's files."""

    cfg: Path
    weights: Path
    names: Path


class OnnxFiles(NamedTuple):
    """The paths of an ONNX network and its class names."""

    network: Path
    names: Path


class CheckedModel(NamedTuple):
    """A model whose files match each other."""

    files: ModelFiles
    facts: NetworkFacts
    class_names: tuple[str, ...]
    weights: bytes


def chosen_model_files(settings: Settings, progress: Progress | None = None) -> ModelFiles:
    """Return the files that the settings name, with YOLOv4-tiny's for the rest, downloaded if needed.

    Raises:
        Misconfigured: A file does not exist, or a default file is unavailable.
    """
    own: list[Path | None] = []
    for setting_name in ("model_cfg", "model_weights", "model_names"):
        path = getattr(settings, setting_name)
        path = None if str(path) == DEFAULT else path
        own.append(path and path.expanduser())
        if path is not None and not path.expanduser().is_file():
            raise Misconfigured(
                f"{ENV_PREFIX}{setting_name.upper()}={path.expanduser()}: this file does not exist; "
                f"correct the path, leave the setting empty to use YOLOv4-tiny's, or set {ENV_PREFIX}"
                f"MODEL_WEIGHTS to {', '.join(CATALOGUE)}"
            )
    needed = [default for path, default in zip(own, CATALOGUE[DEFAULT].files, strict=True) if path is None]
    folder = settings.models_dir.expanduser()
    fetched = iter(ensure_files(needed, folder, folder_name=f"{ENV_PREFIX}MODELS_DIR", progress=progress))
    return ModelFiles(*(path or next(fetched) for path in own))


def chosen_onnx_files(settings: Settings, progress: Progress) -> OnnxFiles | None:
    """Return the ONNX network that the settings name, by its path or its name in the catalogue.

    A catalogue model is downloaded if needed; None if the settings name a Darknet network.

    Raises:
        Misconfigured: A user's network has no class names, or a catalogue model is unavailable.
    """
    record = CATALOGUE.get(str(settings.model_weights))
    names, network = settings.model_names and settings.model_names.expanduser(), settings.model_onnx
    if record is not None and record.family != "darknet":
        needed, folder = record.files[: 1 if names else 2], settings.models_dir.expanduser()
        fetched = ensure_files(needed, folder, folder_name=f"{ENV_PREFIX}MODELS_DIR", progress=progress)
        return OnnxFiles(fetched[0], names or fetched[1])
    if network is None:
        return None
    if names is None:
        raise Misconfigured(
            f"{ENV_PREFIX}MODEL_WEIGHTS={network}: its class names are missing; set {ENV_PREFIX}MODEL_NAMES "
            "to a file with one name per line"
        )
    return OnnxFiles(network.expanduser(), names)


def refuse_int8(settings: Settings) -> None:
    """Check that frametally makes INT8 networks of the model in `settings`.

    Raises:
        Misconfigured: It does not; the message has the measured accuracy, if any.
    """
    record = CATALOGUE.get(str(settings.model_weights))
    if record is not None and record.int8:
        raise Misconfigured(
            f"{ENV_PREFIX}MODEL_WEIGHTS={settings.model_weights}: frametally refuses INT8, because "
            f"{record.int8}; set {ENV_PREFIX}PRECISION to f32 or bf16, or choose {DEFAULT}"
        )
    if settings.model_onnx is not None:
        raise Misconfigured(
            f"{ENV_PREFIX}MODEL_WEIGHTS={settings.model_onnx}: frametally makes INT8 networks only from "
            "Darknet models; leave it empty, or quantise your network with its own tools"
        )


def check_model(files: ModelFiles) -> CheckedModel:
    """Return the model after checking that its files match each other.

    Raises:
        Misconfigured: A file cannot be read, is truncated, or belongs to another model.
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
    """Return whether network and weights are YOLOv4-tiny's, wherever the files are."""
    return (
        file_sha256(model.files.cfg) == YOLOV4_TINY_CFG.sha256
        and hashlib.sha256(model.weights).hexdigest() == YOLOV4_TINY_WEIGHTS.sha256
    )


def read_class_names(names: Path) -> tuple[str, ...]:
    """Return the stripped lines of a names file, ignoring empty lines at its end.

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
