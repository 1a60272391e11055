"""What the counting job's tasks are told of zones."""

from collections.abc import Mapping
from typing import Any

from frametally.rules.places import ZoneShape
from frametally_traffic.tasks.zones import ZoneWork


def work_of(day: int, zones: Mapping[str, tuple[ZoneShape, ...]]) -> list[Any]:
    return ZoneWork(frozenset({day}), zones).fields()
