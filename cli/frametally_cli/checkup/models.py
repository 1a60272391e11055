"""The files of the detector's model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from frametally.files.downloads import KnownFile, file_sha256
from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_cli.checkup.findings import Finding


def model_rows(settings: Settings, model_files: Callable[[], Sequence[KnownFile]]) -> Iterator[Finding]:
    """Look whether the files of the detector's model are there, with the right sha256."""
    if settings.detector == "pixels":
        yield Finding("model", "pixels", "needs no files")
        return
    try:
        files = model_files()
    except ImportError:
        yield Finding("model", settings.detector, "not looked for", "the consumer is not installed")
        return
    own = {
        name: path
        for name in ("model_onnx", "model_cfg", "model_weights", "model_names")
        if isinstance(path := getattr(settings, name, None), Path)
    }
    for name, path in own.items():
        variable = f"{ENV_PREFIX}{name.upper()}"
        try:
            yield Finding("model", str(path), f"sha256 {file_sha256(path.expanduser())}", variable)
        except OSError as error:
            yield Finding("model", str(path), error.strerror or str(error), variable, f"correct {variable}")
    for file in () if own else files:
        path = settings.models_dir.expanduser() / file.name
        remedy = "run `frametally download-models`"
        try:
            found = file_sha256(path)
        except OSError as error:
            yield Finding("model", str(path), error.strerror or str(error), remedy=remedy)
            continue
        right = found == file.sha256
        value = f"sha256 {found}" + ("" if right else f", expected {file.sha256}")
        yield Finding("model", str(path), value, remedy="" if right else remedy)
