"""Explains in words why a number changed, for the command line, the API and the page."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable

from frametally.books.history import HistoryChange
from frametally.history_records import HistoryReason
from frametally.process.reports import plural
from frametally.rules.times import local_time

NO_PARTS = "frametally no longer has the part files of this run."


def reason_words(change: HistoryChange, name_of: Callable[[str], str], zone: datetime.tzinfo) -> list[str]:
    """Return one sentence for each reason of a change; `name_of` returns the display name of a source."""
    return [_words(reason, change, name_of, zone) for reason in change.reasons]


def _words(
    reason: HistoryReason, change: HistoryChange, name_of: Callable[[str], str], zone: datetime.tzinfo
) -> str:
    name = f"“{reason.name.rpartition('/')[2]}”" if reason.name else "a recording"
    since = "" if reason.from_ms is None else f" from {_moment(reason.from_ms, zone)}"
    until = "" if reason.to_ms is None else f" to {_moment(reason.to_ms, zone)}"
    match reason.kind:
        case "first":
            return f"frametally counted the day for the first time{_frames(change, name_of)}."
        case "earlier":
            return "frametally did not record reasons for the runs up to this one."
        case "lost":
            return (
                "frametally no longer has the part files of the run before this one, so it cannot say what "
                "changed."
            )
        case "footage":
            event = "Late footage arrived" if change.is_late else "More footage arrived"
            return f"{event}{_frames(change, name_of)}{_when(change, zone)}."
        case "forget":
            return (
                f"Someone deleted footage of {name_of(reason.source)} from the counts: {name}{since}{until}."
            )
        case "retime" if reason.after:
            return f"Someone moved {name} to this time."
        case "retime":
            return f"Someone moved {name} to another time."
        case "rename-source" if reason.after:
            return f"Someone moved {name} here from {name_of(reason.source)}."
        case "rename-source":
            return f"Someone moved {name} from {name_of(reason.source)} to another source."
        case "overlap" if reason.media:
            return f"Another recording from {name_of(reason.source)} counts{since}{until} instead."
        case "overlap":
            return "A recording counts again, because no other recording covers the same time any more."
        case "settings" if reason.setting == "counting_version":
            return (
                f"frametally was upgraded: its counting rules changed from version {reason.before} "
                f"to {reason.after}."
            )
        case "settings":
            return f"The setting {reason.setting} changed from {reason.before} to {reason.after}."
        case "upgrade":
            return f"frametally was upgraded from {reason.before} to {reason.after}."
        case _:
            if change.before == change.after and not change.frames_came and not change.frames_gone:
                return "frametally counted the day again, and nothing changed."
            return "The stored detections changed: segments were restored, removed or damaged."


def _frames(change: HistoryChange, name_of: Callable[[str], str]) -> str:
    count = sum(change.frames_came.values())
    if not count:
        return ""
    return f": {plural(count, 'frame', form=',')} of {_listed(map(name_of, change.frames_came))}"


def _when(change: HistoryChange, zone: datetime.tzinfo) -> str:
    if change.from_ms is None or change.to_ms is None:
        return ""
    return f", from {_moment(change.from_ms, zone)} to {_moment(change.to_ms, zone)}"


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _moment(time_ms: int, zone: datetime.tzinfo) -> str:
    moment = local_time(time_ms, zone)
    return moment.strftime("%Y-%m-%d %H:%M" + (":%S" if moment.second else ""))
