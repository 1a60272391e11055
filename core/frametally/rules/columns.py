"""Stores integers as columns in one file that numpy reads without a copy: the format of paths and flows.

The first line is JSON: the file's subject, then the name, type and length of each column in order. The
columns follow, as little-endian integers of the smallest type that holds all their values. Types are those of
Python's `array`. The same numbers give the same bytes everywhere.

Standard library only, because a cluster's tasks read it.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from frametally.errors import Poison
from frametally.rules.times import RECORD_VERSION

_TYPES = "BbHhIiq"
_IS_SWAPPED = sys.byteorder == "big"


def encode_columns(about: Mapping[str, Any], columns: Mapping[str, Sequence[int]]) -> bytes:
    """Return the bytes of a file with its subject, as JSON, and its columns in order.

    Raises:
        ValueError: No type holds all values of a column.
    """
    arrays = {name: _smallest(column) for name, column in columns.items()}
    head = {
        "v": RECORD_VERSION,
        **about,
        "columns": [[name, column.typecode, len(column)] for name, column in arrays.items()],
    }
    if _IS_SWAPPED:
        for column in arrays.values():
            column.byteswap()
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return b"\n".join([text, b"".join(column.tobytes() for column in arrays.values())])


def decode_columns(data: bytes, kind: str) -> tuple[dict[str, Any], dict[str, array[int]]]:
    """Return the subject and the columns, by name, of a file from `encode_columns`.

    Args:
        data: The file's bytes.
        kind: What it should contain, for error messages, such as `paths`.

    Raises:
        Poison: It is not such a file, has another version, or is truncated.
    """
    text, _, body = data.partition(b"\n")
    try:
        head = json.loads(text)
        if head.pop("v") != RECORD_VERSION:
            raise Poison(
                f"{kind} of another version, but this version of frametally reads version "
                f"{RECORD_VERSION}: upgrade frametally"
            )
        columns: dict[str, array[int]] = {}
        position = 0
        for name, typecode, length in head.pop("columns"):
            column = columns[name] = array(typecode)
            column.frombytes(memoryview(body)[position : position + length * column.itemsize])
            position += length * column.itemsize
            if _IS_SWAPPED:
                column.byteswap()
            if len(column) != length:
                raise Poison("cut short")
        if position != len(body):
            raise Poison("its columns have different lengths")
        return head, columns
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Poison(f"not a valid {kind} file: {error!r}") from error


class PackedColumn(array):  # type: ignore[type-arg]  # the stub has one, the class has none
    """A column of the smallest type that holds all its values, as in a file."""


def packed(least: int, most: int, make: Callable[[str], Iterable[int] | bytes]) -> PackedColumn:
    """Return a column with values from `least` to `most`.

    Args:
        least: The smallest value; 0 if there are none.
        most: The largest value.
        make: Returns the values, or their bytes, for a type code of Python's `array`.

    Raises:
        ValueError: No type holds them.
    """
    for typecode in _TYPES:
        low, high = _range_of(typecode)
        if low <= least and most <= high:
            return PackedColumn(typecode, make(typecode))
    raise ValueError(f"no column type can store {least} to {most}")


def joined(columns: Sequence[Sequence[int]]) -> PackedColumn:
    """Return the concatenated columns as one, of the smallest type that covers their types."""
    arrays = [column if isinstance(column, array) else _smallest(column) for column in columns]
    ranges = [_range_of(column.typecode) for column in arrays]

    def make(typecode: str) -> bytes:
        return b"".join(
            (column if column.typecode == typecode else array(typecode, column)).tobytes()
            for column in arrays
        )

    return packed(min(least for least, _ in ranges), max(most for _, most in ranges), make)


def _range_of(typecode: str) -> tuple[int, int]:
    bits = 8 * array(typecode).itemsize
    least = 0 if typecode.isupper() else -(1 << bits - 1)
    return least, least + (1 << bits) - 1


def _smallest(values: Sequence[int]) -> array[int]:
    if isinstance(values, PackedColumn):
        return values
    return packed(min(values, default=0), max(values, default=0), lambda _: values)
