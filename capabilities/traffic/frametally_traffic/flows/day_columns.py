"""The flows of one source and UTC day, as columns.

`rules.columns` has the file's form. Times are milliseconds since the day began and may lie outside it: of
stays that began before it or go on after it. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from frametally.errors import Poison
from frametally.rules.columns import decode_columns, encode_columns
from frametally_traffic.geometry.crossings import CrossingMissing, Direction
from frametally_traffic.geometry.speed import NotMeasured
from frametally_traffic.geometry.zones import Came, Went

NoMovement = Literal["unassigned", "never_at_a_leg"]
"""A visit that crosses a leg but has no pair of crossings; a visit that crosses no leg."""

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
NOT_MEASURED = "not_measured"
"""Stands where a direction does, for crossings whose direction is not counted."""
CROSSINGS_MISSING: tuple[CrossingMissing, ...] = get_args(CrossingMissing)
CAME: tuple[Came, ...] = get_args(Came)
WENT: tuple[Went, ...] = get_args(Went)
NO_MOVEMENTS: tuple[NoMovement, ...] = get_args(NoMovement)
SPEEDS_MISSING: tuple[NotMeasured, ...] = get_args(NotMeasured)

CROSSING_COLUMNS = (
    "crossing_time",
    "crossing_line",
    "crossing_label",
    "crossing_direction",
    "crossing_missing",
    "crossing_before",
    "crossing_after",
    "crossing_hour",
    "crossing_number",
)
"""One value per crossing within the day, by time, line, hour, number, direction:

- `time`: when;
- `line`, `label`: index in the file's `lines` and `labels`;
- `direction`: index in `DIRECTIONS`;
- `missing`: 0 where it is measured, else 1 plus the index in `CROSSINGS_MISSING`;
- `before`, `after`: milliseconds from the point of the path before it, and to the point after it: its proof;
- `hour`, `number`: the visit, by its first track: the hour since the day began (-24 to 23), and the track's
  number in it.
"""

STAY_COLUMNS = (
    "stay_from",
    "stay_to",
    "stay_zone",
    "stay_label",
    "stay_came",
    "stay_went",
    "stay_hour",
    "stay_number",
)
"""One value per stay that overlaps the day, or that ends as it begins, by time, zone, hour, number:

- `from`, `to`: from when to when, as far as the day before and the day after know it;
- `zone`: index in the file's `zones`;
- `came`, `went`: index in `CAME` and `WENT`;
- `label`, `hour`, `number`: as of crossings.
"""

VISIT_COLUMNS = (
    "visit_time",
    "visit_hour",
    "visit_number",
    "visit_label",
    "visit_from_leg",
    "visit_to_leg",
    "visit_outcome",
    "visit_came",
    "visit_went",
    "visit_speed",
    "visit_error",
    "visit_speed_missing",
)
"""One value per visit whose time is in the day, by time, hour, number; without visits that no shape needs (at
no leg, while neither a leg nor a calibration is valid):

- `time`: of its movement, when it came over a leg; of others, when its first counted box was seen;
- `hour`, `number`, `label`: as of crossings;
- `outcome`: 0 with a movement, else 1 plus the index in `NO_MOVEMENTS`; without legs, 2;
- `from_leg`, `to_leg`: indexes in `lines`; 0 without a movement;
- `came`, `went`: when it came over the one and went over the other; 0 without a movement;
- `speed`, `error`: in tenths of a km/h, with its standard error; 0 where not measured;
- `speed_missing`: 0 where measured, else 1 plus the index in `SPEEDS_MISSING`; where nothing is calibrated,
  `NO_CALIBRATION`.
"""

CROSSING_ORDER = ("time", "line", "hour", "number", "direction")
STAY_ORDER = ("from", "zone", "hour", "number")
VISIT_ORDER = ("time", "hour", "number")
"""By which of their columns rows stand, without the first word; the rest of a row decides between equals."""

NO_CALIBRATION = 1 + len(SPEEDS_MISSING)


class FlowColumns(NamedTuple):
    """The flows of one source's objects on one day.

    Attributes:
        labels: Labels that occur, sorted.
        lines: Names of the lines that held on that day, sorted; legs are lines.
        legs: Those of `lines` that are legs of a junction.
        zones: Names of its zones, sorted.
        columns: By the names of `CROSSING_COLUMNS`, `STAY_COLUMNS` and `VISIT_COLUMNS`.
        unfit: Times (from, to; event time) in which some pictures have another shape than the one under a
            line or zone, with its kind (`line`, `zone`) and name: there, nobody knows its counts.
    """

    model: str
    source: str
    day_start_ms: int
    labels: tuple[str, ...]
    lines: tuple[str, ...]
    legs: tuple[str, ...]
    zones: tuple[str, ...]
    columns: Mapping[str, Sequence[int]]
    unfit: tuple[tuple[str, str, int, int], ...] = ()


def encode_flows(flows: FlowColumns) -> bytes:
    """Return the file's bytes."""
    about = flows._asdict()
    del about["columns"]
    if not flows.unfit:  # of nearly all days
        del about["unfit"]
    names = (*CROSSING_COLUMNS, *STAY_COLUMNS, *VISIT_COLUMNS)
    return encode_columns(about, {name: flows.columns[name] for name in names})


def decode_flows(data: bytes) -> FlowColumns:
    """Read such a file.

    Raises:
            Poison: It is not a file of flows, has another version, or is cut short.
    """
    about, columns = decode_columns(data, "flows")
    try:
        for names in (CROSSING_COLUMNS, STAY_COLUMNS, VISIT_COLUMNS):
            if len({len(columns[name]) for name in names}) > 1:
                raise Poison("its columns have different lengths")
        for name in ("labels", "lines", "legs", "zones"):
            about[name] = tuple(about[name])
        about["unfit"] = tuple(map(tuple, about.get("unfit", ())))
        return FlowColumns(**about, columns=columns)
    except (TypeError, KeyError) as error:
        raise Poison(f"not a valid flows file: {error!r}") from error
