"""The settings with which a number was counted, as its run records them; its proof uses the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from frametally.ports.count_index import CountIndex
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.overlaps import OverlapWinner
from frametally.rules.times import is_day_in_range


class CountedWith(NamedTuple):
    """Settings that days were counted with: their hash, and their values, None if no run recorded them."""

    params: str
    settings: dict[str, Any] | None

    @property
    def words(self) -> str:
        """The settings on one line."""
        if self.settings is None:
            return f"not recorded (hash {self.params})"
        return "; ".join(_words(name, value) for name, value in self.settings.items())

    def counted_boxes(self) -> CountedBoxes | None:
        """Return which boxes were counted; None where it was not recorded."""
        if self.settings is None or "min_confidence" not in self.settings:
            return None  # lines and zones may have the rules' version alone, over a day that 0.2.0 counted
        return CountedBoxes.from_limits(
            min_confidence=self.settings["min_confidence"],
            min_side_px=self.settings["min_box_side_px"],
            labels=",".join(self.settings["labels"]),
        )


class SettingsByDay:
    """The settings that the days of a model and a stored interval were counted with."""

    def __init__(self, index: CountIndex, model: str, base_interval_s: int) -> None:
        self._days = [day for day in index.counted_days(model) if day.base_interval_s == base_interval_s]

    def between(self, from_ms: int | None, to_ms: int | None) -> list[CountedWith]:
        """Return the settings of the UTC days that `[from_ms, to_ms)` touches, each once, by day."""
        days = sorted([day for day in self._days if is_day_in_range(day.day_ms, from_ms, to_ms)])
        return [_read(*settings) for settings in dict.fromkeys((day.params, day.settings) for day in days)]

    def counted_boxes_at(self, time_ms: int, otherwise: CountedBoxes) -> CountedBoxes:
        """Return which boxes were counted on the UTC day of a time; `otherwise` where it is not recorded."""
        boxes = [day.counted_boxes() for day in self.between(time_ms, time_ms + 1)]
        return next(filter(None, boxes), otherwise)

    def overlaps_at(self, time_ms: int, otherwise: OverlapWinner) -> OverlapWinner:
        """Return which of overlapping media counted on that day; `otherwise` where it is not recorded."""
        for day in self.between(time_ms, time_ms + 1):
            recorded: OverlapWinner | None = (day.settings or {}).get("overlaps")
            return recorded or otherwise
        return otherwise

    def track_gap_ms_at(self, time_ms: int) -> int | None:
        """Return how long a track lived on without a box on that day; None where it is not recorded."""
        for counted in self.between(time_ms, time_ms + 1):
            tracking = (counted.settings or {}).get("tracking")
            return round(tracking["gap_s"] * 1000) if tracking else None
        return None


def _read(params: str, settings: str) -> CountedWith:
    return CountedWith(params, msgspec.json.decode(settings) if settings else None)


def counted_with(params: str, settings: Mapping[str, Any]) -> CountedWith:
    """Return the settings of a run, by `Run.params` and `Run.settings`."""
    return CountedWith(params, dict(settings) or None)


def _words(name: str, value: Any) -> str:
    if isinstance(value, dict) and value:
        return f"{name} (" + ", ".join(_words(*item) for item in value.items()) + ")"
    if isinstance(value, list | dict):
        # The empty list of labels to count alone means all of them; every other list is what it has.
        return f"{name} " + ("+".join(map(str, value)) or ("all" if name == "labels" else "none"))
    return f"{name} {_value(value)}"


def _value(value: Any) -> str:
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
