"""What the counting job's tasks are told of zones."""

from collections.abc import Mapping

from frametally.rules.places import ZoneShape
from frametally_traffic.tasks.zones import ZoneWork


def work_of(day: int, zones: Mapping[str, tuple[ZoneShape, ...]]) -> str:
    return ZoneWork(frozenset({day}), zones).to_json()
