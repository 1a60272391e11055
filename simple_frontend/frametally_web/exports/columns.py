"""The columns of an export: their names, kinds and meanings. Every format is made of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["instant", "local", "text", "whole", "real"]
"""A moment with its offset; what local clocks show, without one; a text; a whole number; any number."""


class Column(NamedTuple):
    """One column; null stands where nothing was filmed, or where the thing was not measured."""

    name: str
    kind: Kind
    meaning: str


DIFFERENCES = ("detections", "mean_per_frame", "peak", "objects")

_MEASURED = (
    Column("coverage", "text", "footage; no footage; or filmed, not analysed (not yet, or never readable)"),
    Column("frames_analysed", "whole", "frames that were analysed in the interval"),
    Column("detections", "whole", "boxes, summed over these frames"),
    Column("mean_per_frame", "real", "detections / frames analysed"),
    Column("peak", "whole", "most boxes in one frame"),
    Column("objects", "whole", "unique objects, each where it was first seen"),
    Column("objects_missing", "text", "why objects are not known: not_tracked, too_slow or too_weak"),
)
_FILMED_S = Column("covered_s", "real", "seconds with footage, summed over sources")

COLUMNS = (
    Column("interval_start", "instant", "start of the interval, ISO 8601 with the offset from UTC"),
    Column("interval_end", "instant", "its end, not included"),
    Column("source", "text", "slug of the source; of several that are added up, joined by ;"),
    Column("label", "text", "class name"),
    *_MEASURED,
    Column("time_source", "text", "file_time: the time is only a file's date"),
    Column("tracked_detections", "whole", "those of the detections that lie in tracks"),
    _FILMED_S,
    Column("start_local", "local", "start of the interval as clocks of the time zone show it"),
    Column("end_local", "local", "its end, not included"),
    Column("utc_offset", "text", "by which these clocks are ahead of UTC at the start"),
    Column("source_name", "text", "the source as its owner wrote it"),
)

ZONE_COLUMN = Column("zone", "text", "name of the zone that is counted within")
"""What counts within a zone have, too."""

OTHER_COLUMNS = (
    Column("compared_with", "text", "what the row is compared with"),
    Column("other_start", "instant", "start of the interval there that lies beside it"),
    Column("other_start_local", "local", "the same as clocks of the time zone show it"),
    *(Column(f"other_{name}", kind, f"the same there: {meaning}") for name, kind, meaning in _MEASURED),
    Column("other_covered_s", "real", f"the same there: {_FILMED_S.meaning}"),
    *(
        Column(f"difference_{name}", kind, f"{name} here minus {name} there; null where one of them is")
        for name, kind, _ in _MEASURED
        if name in DIFFERENCES
    ),
)
"""What a comparison adds."""

MOST_NAMED = 20
"""So many sources that are added up are named in each row; of more, how many more there are."""
