"""How a run's hours are packed: as arrays, which a database reads faster than rows."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

import msgspec

from frametally.rules.times import HOUR_MS

_UNKNOWN = -1


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """One entry for each hour, label and source that has counts; machine integers, little-endian.

    Attributes:
        labels: What `label` numbers.
        sources: What `source` numbers.
        hour: uint8, hour of the UTC day.
        label: uint16.
        source: uint16.
        detections: int32, or int64 where one needs it.
        peak: The same.
        objects: The same; -1 for None.
    """

    labels: list[str]
    sources: list[str]
    hour: bytes
    label: bytes
    source: bytes
    detections: bytes
    peak: bytes
    objects: bytes


def pack(rows: Iterable[tuple[str, str, int, int, int, int | None]]) -> bytes:
    """The cells of a run: rows of label, source, start of the hour, detections, peak and objects."""
    labels: dict[str, int] = {}
    sources: dict[str, int] = {}
    hours, of_label, of_source = array("B"), array("H"), array("H")
    detections, peaks, objects = array("q"), array("q"), array("q")
    for label, source, start_ms, boxes, peak, unique in rows:
        hours.append(start_ms // HOUR_MS % 24)
        of_label.append(labels.setdefault(label, len(labels)))
        of_source.append(sources.setdefault(source, len(sources)))
        detections.append(boxes)
        peaks.append(peak)
        objects.append(_UNKNOWN if unique is None else unique)
    narrow = (_narrow(one) for one in (detections, peaks, objects))
    columns = [_little_endian(one) for one in (hours, of_label, of_source, *narrow)]
    return msgspec.msgpack.encode(Packed([*labels], [*sources], *columns))


def _narrow(column: array[int]) -> array[int]:
    return array("i", column) if max(column, default=0) < 2**31 else column


def _little_endian(column: array[int]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()
