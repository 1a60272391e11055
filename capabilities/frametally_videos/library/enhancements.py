"""Checks and normalizes the options of a video's enhancement."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import get_args, get_type_hints

import msgspec

from frametally_videos.media_records import Enhancement
from frametally_videos.upload_refusals import FieldRefused

_LEAST_AND_MOST: dict[str, tuple[float, float]] = {
    "brightness": (-1.0, 1.0),
    "contrast": (0.0, 4.0),
    "gamma": (0.1, 10.0),
    "saturation": (0.0, 3.0),
    "denoise": (0.0, 1.0),
    "sharpen": (0.0, 1.0),
    "local_contrast": (0.0, 1.0),
    "fps": (1.0, 120.0),
}
_DEINTERLACING: tuple[str, ...] = get_args(get_type_hints(Enhancement)["deinterlace"])
_FIELDS = msgspec.structs.fields(Enhancement)
ENHANCEMENT_FIELDS = tuple(field.name for field in _FIELDS)
# Created before any threads start; see `records.decode`.
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_enhancement(fields: Mapping[str, object]) -> Enhancement:
    """Return the enhancement for fields whose values are numbers, or texts of numbers as in a query.

    Equivalent values give equal records: values that change nothing are left out.

    Raises:
        FieldRefused: A value is not valid, or the field does not exist.
    """
    values: dict[str, object] = {}
    for name, value in fields.items():
        if name not in ENHANCEMENT_FIELDS:
            raise FieldRefused(
                name[:80], f"There is no field {name[:80]!r}.", f"Use one of {', '.join(ENHANCEMENT_FIELDS)}."
            )
        if value is None:
            continue
        read = _choice(value) if name == "deinterlace" else _number(name, value)
        if read != next(field.default for field in _FIELDS if field.name == name):
            values[name] = read
    return msgspec.convert(values, Enhancement)


def enhancement_options(enhancement: Enhancement) -> str:
    """Return a checked enhancement as the options of a job, in the same form for equivalent values.

    Raises:
        FieldRefused: A number is not valid.
    """
    return msgspec.json.encode(read_enhancement(msgspec.structs.asdict(enhancement)), order="sorted").decode()


def enhancement_of(options: str) -> Enhancement:
    """Return the enhancement in a job's options.

    Raises:
        FieldRefused: They are not an object, or a field is not valid.
    """
    try:
        raw = _objects.decode(options or "{}")
        fields = {name: msgspec.json.decode(value) for name, value in raw.items()}
    except (msgspec.DecodeError, RecursionError) as error:
        raise FieldRefused(
            "options", f"It is not a JSON object: {str(error)[:200]}.", 'Give {"brightness": 0.1, ...}.'
        ) from error
    return read_enhancement(fields)


def _number(field: str, value: object) -> float:
    least, most = _LEAST_AND_MOST[field]
    number = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if not least <= number <= most:  # or it is NaN
        raise FieldRefused(
            field,
            f"{value!r:.40} is not a number from {least:g} to {most:g}.",
            "Give such a number, or leave it out.",
        )
    return number + 0.0  # turns -0 into 0


def _choice(value: object) -> str:
    if value not in _DEINTERLACING:
        raise FieldRefused(
            "deinterlace",
            f"{value!r:.40} is not one of the possible values.",
            f"Choose one of {', '.join(_DEINTERLACING)}.",
        )
    return str(value)
