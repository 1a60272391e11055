"""Finds the time at which a medium was recorded, and reads times without a zone.

The first of these sources that has a time is used: the user's start time, the file's path by the user's
pattern, the medium's metadata, the file's modification date.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from frametally.errors import Misconfigured, Poison
from frametally.records import TimeSource
from frametally.rules.time_patterns import time_pattern
from frametally.rules.times import EPOCH, FIRST_MS, MILLISECOND, NEXT_MS, is_ahead
from frametally.settings.loading import Settings
from frametally_producer.reading.repeated_hours import earlier_namesake, second_hour_reason
from frametally_producer.reading.time_statements import StatementKind, TimeStatement, is_set

_EDIT = (
    "it has no EXIF DateTimeOriginal, so frametally used its EXIF DateTime, which may be the date of an edit;"
    " for a better time, give --time-pattern"
)
_UTC_CONTAINER = (
    "in UTC, so --timezone had no effect; if the camera wrote local time there, as GoPro, DJI and many dash "
    "cams do, add --container-time local"
)


class Remark(NamedTuple):
    """Something to report about a medium's time.

    Attributes:
        kind: `naive` (it had no zone), `twice` or `skipped` (clocks repeat or skip its hour), `edit` (it may
            be that of an edit), `utc` (the zone had no effect on it), or `file_time`.
        text: One sentence about it, without the medium's name.
    """

    kind: Literal["naive", "first_hour", "second_hour", "skipped", "edit", "utc", "file_time"]
    text: str


WitnessKind = Literal["name"] | StatementKind
"""The kinds of witnesses of a medium's time, in words for messages."""


class Witness(NamedTuple):
    """A statement of when a medium begins: its kind, and the time in milliseconds since 1970 UTC."""

    kind: WitnessKind
    at_ms: int


class EventTime(NamedTuple):
    """When a medium begins, in milliseconds since 1970 UTC, with the source of the time and remarks.

    Attributes:
        witnesses: All statements of the time, the one used first; empty if the time is the user's or the
            file's date.
    """

    at_ms: int
    time_source: TimeSource
    remarks: tuple[Remark, ...] = ()
    witnesses: tuple[Witness, ...] = ()


class TimeClues(NamedTuple):
    """The sources of a medium's time.

    Attributes:
        path: The file, which is matched against the time pattern.
        statements: What the file states, the most trusted first.
        kept_in: Whether the statements are a picture's (EXIF and the like) or a container's.
        modified_ns: The file's modification date, nanoseconds since 1970 UTC.
        duration_ms: Length of a video; 0 for a picture.
        is_on_disk: Whether there is a file at `path`, and not only its name.
    """

    path: Path
    statements: Sequence[TimeStatement]
    kept_in: Literal["exif", "container"]
    modified_ns: int
    duration_ms: int
    is_on_disk: bool = True


def iso(at_ms: int) -> str:
    """Return an event time for people: ISO 8601, UTC, to the millisecond."""
    return (EPOCH + at_ms * MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def checked_ms(at_ms: int) -> int:
    """Return `at_ms` if it is in the years 1000 to 9999. Raises `Poison` if it is not."""
    if not FIRST_MS <= at_ms < NEXT_MS:
        raise Poison(f"its time ({at_ms} ms since 1970) is outside the years 1000 to 9999; give --start-time")
    return at_ms


def parse_start_time(text: str) -> datetime.datetime:
    """Return the time in `--start-time`, naive if it has no offset. Raises `Misconfigured`."""
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise Misconfigured(
            f"--start-time {text!r} is not an ISO 8601 time; write it like 2026-05-01T08:00:00+02:00"
        ) from error


def is_in_future(at_ms: int) -> bool:
    """Return whether an event time is more than a day ahead of this machine's clock."""
    return is_ahead(at_ms, int(time.time() * 1000))


def find_event_time(
    clues: TimeClues, *, settings: Settings, start_time: datetime.datetime | None = None
) -> EventTime:
    """Return the medium's time from the first source that has one. Raises `Poison` if there is none."""
    if start_time is not None:
        at_ms, remarks = _in_zone(start_time, settings)
        return EventTime(checked_ms(at_ms), "start_time", remarks)
    pattern = time_pattern(settings.time_pattern)
    path_names = pattern.match(clues.path) if pattern else None
    stated: list[tuple[WitnessKind, TimeSource, datetime.datetime]] = []
    if path_names is not None:
        stated.append(("name", "file_name", path_names.moment))
    for statement in clues.statements:
        if statement.moment is not None and is_set(statement):
            moment = statement.moment
            is_local = settings.container_time == "local" and statement.kind == "container"
            moment = moment.replace(tzinfo=None) if is_local and not moment.utcoffset() else moment
            stated.append((statement.kind, clues.kept_in, moment))
    if stated:
        length_ms = clues.duration_ms
        by_date_ms = clues.modified_ns // 1_000_000 - length_ms
        clocks: list[tuple[str, Sequence[int]]] = [("its file's date", (by_date_ms,))]
        for kind, _, moment in stated:
            if moment.tzinfo is not None:  # it may be the start or the end
                at_ms, _ = _in_zone(moment, settings)
                clocks.append((f"its {kind}", (at_ms, at_ms - length_ms)))

        def why_second(first_ms: int, second_ms: int) -> str:
            def earlier_name() -> str:
                if path_names is None or not clues.is_on_disk:
                    return ""
                return earlier_namesake(clues.path, settings.time_pattern, path_names)

            return second_hour_reason(first_ms, second_ms, clocks=clocks, earlier_name=earlier_name)

        read = [
            (kind, time_source, *_in_zone(moment, settings, why_second))
            for kind, time_source, moment in stated
        ]
        witnesses = tuple(Witness(kind, at_ms) for kind, _, at_ms, _ in read)
        kind, time_source, at_ms, remarks = read[0]
        if kind == "EXIF DateTime":
            remarks = (*remarks, Remark("edit", _EDIT))
        if kind == "container" and stated[0][2].tzinfo is not None and settings.timezone != "UTC":
            remarks = (*remarks, Remark("utc", f"its container states {iso(at_ms)}, {_UTC_CONTAINER}"))
        return EventTime(checked_ms(at_ms), time_source, remarks, witnesses)
    unmatched = f" (which does not match --time-pattern {settings.time_pattern})" if pattern else ""
    nothing = f"neither the file nor its name contains a time{unmatched}"
    if clues.statements:
        kind, text, _ = clues.statements[0]
        nothing = f"its {kind} says {text!r}, which frametally cannot use as a time{unmatched}"
    if not settings.file_time:
        raise Poison(
            f"{nothing}, and the file's date may not be used; give a --time-pattern that matches its name, "
            "give --start-time (for one video only), or allow the file's date"
        )
    at_ms = checked_ms(clues.modified_ns // 1_000_000 - clues.duration_ms)
    minus = " minus its length" if clues.duration_ms else ""
    text = (
        f"{nothing}: frametally used the file's modification date{minus}, {iso(at_ms)}; for a better time, "
        "give --time-pattern or, for one video, --start-time; to refuse this one, add --no-file-time"
    )
    return EventTime(at_ms, "file_time", (Remark("file_time", text),))


def _in_zone(
    moment: datetime.datetime, settings: Settings, why_second: Callable[[int, int], str] = lambda *_: ""
) -> tuple[int, tuple[Remark, ...]]:
    """Return a moment in milliseconds since 1970 UTC; a naive one is read in the deployment's zone.

    In a repeated hour, the second is used if `why_second` returns a reason for that, given both times, else
    the first. In a skipped one, the time moves forward by the gap (as with `fold=0` in PEP 495).
    """
    offset = moment.utcoffset()
    remarks: list[Remark] = []
    if offset is None:
        zone = settings.tzinfo()
        offset, other = (
            zone.utcoffset(moment.replace(tzinfo=zone, fold=fold)) or datetime.timedelta() for fold in (0, 1)
        )
        local = moment.isoformat(sep=" ")
        name = settings.timezone
        remarks.append(
            Remark("naive", f"its time {local} has no time zone and was read in {name} (--timezone)")
        )
        if offset > other:
            as_utc_ms = (moment.replace(tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
            reason = why_second(as_utc_ms - offset // MILLISECOND, as_utc_ms - other // MILLISECOND)
            used, offset, unused = ("second", other, offset) if reason else ("first", offset, other)
            retimed = moment.replace(tzinfo=datetime.timezone(unused)).isoformat()
            text = (
                f"{local} occurs twice in {name}; frametally used the {used}{reason}; if that is wrong, run "
                f"`frametally retime FILE --start-time {retimed}`"
            )
            remarks.append(Remark("second_hour" if reason else "first_hour", text))
        elif offset < other:
            moved = (moment + (other - offset)).isoformat(sep=" ")
            remarks.append(
                Remark(
                    "skipped",
                    f"{local} does not exist in {name}, because clocks skip it; frametally used {moved}",
                )
            )
    at_ms = (moment.replace(tzinfo=datetime.UTC) - EPOCH - offset) // MILLISECOND
    return at_ms, tuple(remarks)
