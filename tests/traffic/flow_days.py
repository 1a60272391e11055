"""Days of paths for tests of flows: moving objects, split into hours as by the job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from frametally.rules.path_columns import POINT_COLUMNS, TRACK_COLUMNS, Began, Ended, PathColumns, code_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.geometry.foot_paths import FootPath

DAY = 1_767_225_600_000
MODEL, SOURCE = "tiny-1", "gate"


class Someone(NamedTuple):
    """An object, with its path at event times."""

    label: str
    path: FootPath
    began: Began = "border"
    ended: Ended = "border"


def goer(label: str, *feet: tuple[int, float, float], height_px: int = 40) -> Someone:
    """An object seen at `(ms since DAY, x, y)`, in pixels, box for box."""
    return Someone(
        label,
        FootPath(
            tuple(DAY + ms for ms, _, _ in feet),
            tuple(round(x * 10) for _, x, _ in feet),
            tuple(round(y * 10) for _, _, y in feet),
            (height_px * 10,) * len(feet),
            (1,) * len(feet),
        ),
    )


def path_files(everyone: Iterable[Someone], source: str = SOURCE) -> dict[int, PathColumns]:
    """The files of paths, by start of the day: adjacent hours share the step across their border."""
    tracks: defaultdict[int, defaultdict[int, list[tuple[Someone, FootPath]]]]
    tracks = defaultdict(lambda: defaultdict(list))
    for someone in everyone:
        times = someone.path.time_ms
        for hour_ms in sorted({ms - ms % HOUR_MS for ms in times}):
            own = [at for at, ms in enumerate(times) if hour_ms <= ms < hour_ms + HOUR_MS]
            cut = slice(max(own[0] - 1, 0), own[-1] + 2)
            piece = FootPath(*(column[cut] for column in someone.path))
            tracks[hour_ms - hour_ms % DAY_MS][hour_ms].append((someone, piece))
    return {day_ms: _day(day_ms, hours, source) for day_ms, hours in tracks.items()}


def _day(day_ms: int, hours: dict[int, list[tuple[Someone, FootPath]]], source: str) -> PathColumns:
    labels = sorted({someone.label for tracks in hours.values() for someone, _ in tracks})
    columns: dict[str, list[int]] = {name: [] for name in (*TRACK_COLUMNS, *POINT_COLUMNS)}
    for hour_ms in sorted(hours):
        for number, (someone, piece) in enumerate(hours[hour_ms]):
            is_counted = someone.path.time_ms[0] >= hour_ms
            goes_on = someone.path.time_ms[-1] >= hour_ms + HOUR_MS
            first_ms = min(ms for ms in piece.time_ms if ms >= hour_ms)
            values = {
                "hour": (hour_ms - day_ms) // HOUR_MS,
                "number": number,
                "label": labels.index(someone.label),
                "is_counted": int(is_counted),
                "began": code_of(someone.began if is_counted else "hour", Began),
                "ended": code_of("hour" if goes_on else someone.ended, Ended),
                "first_seen": first_ms - hour_ms,
                "points": len(piece.time_ms),
            }
            for name, value in values.items():
                columns[name].append(value)
            columns["time"] += [ms - hour_ms for ms in piece.time_ms]
            for name, column in zip(("x", "y", "height"), piece[1:4], strict=True):
                columns[name] += column
            columns["boxes"] += [1, *piece.boxes[1:]]
    return PathColumns(MODEL, source, day_ms, tuple(labels), columns)
