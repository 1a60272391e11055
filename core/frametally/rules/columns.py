"""Whole numbers as columns in one file, which numpy reads without a copy: the form of paths and flows.

The first line is JSON: what the file is of, and name, type and length of each column in their order. Then
come the columns, little-endian whole numbers of the smallest type that holds all of them. Types are those of
Python's `array`. The same numbers are the same bytes everywhere.

Standard library only: a cluster's tasks read it, too.
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
    """Return a file's bytes: its subject, as JSON, and its columns in their order.

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
    """Read such a file: its subject, and its columns by name.

    Args:
        data: The file's bytes.
        kind: What it should hold, for errors: `paths`.

    Raises:
        Poison: It is not such a file, of another version, or cut short.
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
    """A column of the smallest type that holds all of its values, as a file has it."""


def packed(least: int, most: int, make: Callable[[str], Iterable[int] | bytes]) -> PackedColumn:
    """Return a column whose values are `least` to `most`.

    Args:
        least: The least of its values; 0 where it has none.
        most: The greatest.
        make: Given the type, as Python's `array` names it, returns the values, or their bytes.

    Raises:
        ValueError: No type holds them.
    """
    for typecode in _TYPES:
        low, high = _range_of(typecode)
        if low <= least and most <= high:
            return PackedColumn(typecode, make(typecode))
    raise ValueError(f"no column type can store {least} to {most}")


def joined(columns: Sequence[Sequence[int]]) -> PackedColumn:
    """Return columns behind each other as one, of the smallest type that holds what their types do."""
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
