"""The settings of a catalogue model, which `frametally models` tries and writes into `.env`."""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.files.dotenv_text import change_env_file, read_env_file
from frametally.files.jpeg_header import jpeg_size_px
from frametally.media.manifests import by_source, list_manifests
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.settings.loading import ENV_PREFIX, Settings, component_folder
from frametally_models.catalogue import CATALOGUE, DEFAULT, PRESETS, ModelRecord

STRIDE_PX = 32
"""The sides of an input are multiples of this number."""


class CatalogueChoice(NamedTuple):
    """A catalogue model with its input size, such as `480x352+2x2`; empty for its usual one."""

    name: str
    size_px: str

    @property
    def record(self) -> ModelRecord:
        """The model's record in the catalogue."""
        return CATALOGUE[self.name]

    def settings(self, settings: Settings) -> Settings:
        """Return the settings with this model instead of theirs."""
        usual_px = self.record.input_px or settings.input_px
        return settings.model_copy(
            update={
                "model_weights": Path(self.name),
                "model_cfg": None,
                "model_names": None,
                "input_size_px": self.size_px or "x".join(map(str, usual_px)),
            }
        )

    def variables(self) -> dict[str, str]:
        """Return the environment variables of those settings, empty for a default."""
        return {
            f"{ENV_PREFIX}MODEL_WEIGHTS": "" if self.name == DEFAULT else self.name,
            f"{ENV_PREFIX}MODEL_CFG": "",
            f"{ENV_PREFIX}MODEL_NAMES": "",
            f"{ENV_PREFIX}INPUT_SIZE_PX": self.size_px,
        }


def record_named(name: str) -> tuple[str, ModelRecord]:
    """Return the name and record of the catalogue model that a name or a preset refers to.

    Raises:
        Misconfigured: There is none.
    """
    model = PRESETS[name].model if name in PRESETS else name
    if model not in CATALOGUE:
        raise Misconfigured(
            f"{name}: there is no such model; use {', '.join([*CATALOGUE, *PRESETS])}, or set "
            f"{ENV_PREFIX}MODEL_WEIGHTS to your own network"
        )
    return model, CATALOGUE[model]


def chosen(name: str, size: str | None, tiles: str | None, store: ObjectStore | None) -> CatalogueChoice:
    """Return the model or preset `name` at a size: `WxH`, or `auto` for the shape of the store's pictures.

    Without a size, a preset uses that shape, and a model its usual size.

    Raises:
        Misconfigured: There is no such model, or no footage for `auto`.
    """
    model, record = record_named(name)
    preset = PRESETS.get(name)
    usual_px = record.input_px or (416, 416)
    size_px = size or ("auto" if preset else "")
    if size_px == "auto":
        picture_px = None if store is None else usual_picture_px(store)
        if picture_px is None:
            raise Misconfigured(
                "there is no footage yet whose shape the input could have: run `frametally produce` first, "
                "or give --size WIDTHxHEIGHT"
            )
        size_px = "x".join(map(str, shaped_px(preset.area_px if preset else math.prod(usual_px), picture_px)))
    if tiles:
        size_px = f"{size_px or 'x'.join(map(str, usual_px))}+{tiles}"
    return CatalogueChoice(model, size_px)


def shaped_px(area_px: int, picture_px: tuple[int, int]) -> tuple[int, int]:
    """Return an input size of about that many pixels in a picture's shape, in multiples of the stride."""
    scale = math.sqrt(area_px / math.prod(picture_px)) / STRIDE_PX
    width_px, height_px = (STRIDE_PX * max(1, round(side_px * scale)) for side_px in picture_px)
    return width_px, height_px


def usual_picture_px(store: ObjectStore) -> tuple[int, int] | None:
    """Return the commonest width and height of the sources' pictures; the largest of equally common ones.

    None if there are no pictures.
    """
    sizes = Counter[tuple[int, int]]()
    for source in by_source(list_manifests(store)):
        for info in store.list(f"{keys.IMAGES}/{source}"):
            try:
                sizes[jpeg_size_px(store.get(info.key))] += 1
            except (ObjectMissing, Poison):
                continue
            break
    return max(sizes, key=lambda size: (sizes[size], math.prod(size)), default=None)


def write_choice(choice: CatalogueChoice) -> Path:
    """Write the choice into the current folder's `.env`, and return its path.

    Raises:
        Misconfigured: The environment or the component's own `.env` has other values, which would win.
        OSError: It cannot be written.
    """
    values = choice.variables()
    folder = component_folder("consumer")
    places = [("the environment", {name.upper(): value for name, value in os.environ.items()})]
    if folder is not None and folder != Path.cwd():
        places.append((str(folder / ".env"), read_env_file(folder / ".env")))
    for place, variables in places:
        for name, value in values.items():
            if variables.get(name) and variables[name] != value:
                raise Misconfigured(
                    f"{place} sets {name}={variables[name]}, which wins over .env; remove it there"
                )
    path = Path(".env").absolute()
    change_env_file(path, values)
    return path
