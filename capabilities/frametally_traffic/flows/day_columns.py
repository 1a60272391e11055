"""Encodes and decodes the flows of one source and UTC day, as columns.

`rules.columns` defines the file format. Times are milliseconds since the start of the day; a stay may begin
before the day or end after it. Standard library only.
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
"""A visit that crosses a leg but does not both enter and leave; a visit that crosses no leg."""

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
NOT_MEASURED = "not_measured"
"""Takes the place of the direction for crossings that are not measured."""
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

- `time`: when it happened;
- `line`, `label`: index in the file's `lines` and `labels`;
- `direction`: index in `DIRECTIONS`;
- `missing`: 0 if measured, else 1 plus the index in `CROSSINGS_MISSING`;
- `before`, `after`: milliseconds since the point of the path before it and until the one after it: its proof;
- `hour`, `number`: the visit's first track: its hour since the start of the day (-24 to 23), and its number
  in that hour.
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
"""One value per stay that overlaps the day or ends as the day begins, by time, zone, hour, number:

- `from`, `to`: its start and end, as far as the adjacent days show them;
- `zone`: index in the file's `zones`;
- `came`, `went`: index in `CAME` and `WENT`;
- `label`, `hour`, `number`: as for crossings.
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
"""One value per visit whose time is in the day, by time, hour, number; except visits that cross no leg while
neither a leg nor a calibration is valid:

- `time`: with a movement, when it crossed the first leg; else the time of its first counted box;
- `hour`, `number`, `label`: as for crossings;
- `outcome`: 0 with a movement, else 1 plus the index in `NO_MOVEMENTS`; without legs, 2;
- `from_leg`, `to_leg`: indexes in `lines`; 0 without a movement;
- `came`, `went`: when it entered over the one and left over the other; 0 without a movement;
- `speed`, `error`: in tenths of a km/h, with its standard error; 0 where not measured;
- `speed_missing`: 0 where measured, else 1 plus the index in `SPEEDS_MISSING`; `NO_CALIBRATION` without a
  calibration.
"""

CROSSING_ORDER = ("time", "line", "hour", "number", "direction")
STAY_ORDER = ("from", "zone", "hour", "number")
VISIT_ORDER = ("time", "hour", "number")
"""The columns that rows are sorted by, without the first word; the rest of the row breaks ties."""

NO_CALIBRATION = 1 + len(SPEEDS_MISSING)


class FlowColumns(NamedTuple):
    """The flows of one source's objects on one day.

    Attributes:
        labels: Labels that occur, sorted.
        lines: Names of the lines valid on that day, sorted; legs are lines.
        legs: The lines of `lines` that are legs of a junction.
        zones: Names of the zones valid on that day, sorted.
        columns: The columns named in `CROSSING_COLUMNS`, `STAY_COLUMNS` and `VISIT_COLUMNS`.
        unfit: Times (from, to; event time) in which the counts of a line or zone are unknown, with its kind
            (`line`, `zone`) and name: some pictures differ in shape from the one under it.
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
    """Return flows as the bytes of a file."""
    about = flows._asdict()
    del about["columns"]
    if not flows.unfit:  # nearly always
        del about["unfit"]
    names = (*CROSSING_COLUMNS, *STAY_COLUMNS, *VISIT_COLUMNS)
    return encode_columns(about, {name: flows.columns[name] for name in names})


def decode_flows(data: bytes) -> FlowColumns:
    """Read a file of flows.

    Raises:
        Poison: It is not a file of flows, has another version, or is truncated.
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
