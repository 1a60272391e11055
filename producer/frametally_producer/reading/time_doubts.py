"""Collects doubts about the times of a run's media: one line per kind of doubt rather than per file."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from frametally.process.reports import plural
from frametally.rules.times import DAY_S, HOUR_MS, HOUR_S
from frametally.settings.loading import Settings
from frametally_producer.reading.event_time import EventTime, WitnessKind, is_in_future, iso

_DIFFERENCE_MS = 60_000
_ROUNDING_MS = 2000
"""The largest error from whole seconds in a name and in a container together."""
_LENGTH_PART = 50
_ZONES_MS = 26 * HOUR_MS
"""The largest difference between the clocks of two zones."""


class _Doubt(NamedTuple):
    """Two times of one file, in milliseconds since 1970 UTC, and its length, 0 for a picture."""

    path: Path
    source_name: str
    used_ms: int
    other_ms: int
    length_ms: int


class TimeDoubts:
    """The doubts of one run, noted file by file."""

    def __init__(self, settings: Settings) -> None:
        """Start without doubts; `settings` are those that the times are found with."""
        self._pattern = settings.time_pattern
        self._reported: set[object] = set()
        self._begin()

    def note(self, path: Path, source_name: str, event_time: EventTime, length_ms: int) -> None:
        """Note the time found for a new medium of `length_ms`, 0 for a picture."""
        for remark_kind, text in event_time.remarks:
            self.remark(remark_kind, path, text)
        if is_in_future(event_time.at_ms):
            self._future.append((path, event_time.at_ms))
        if not event_time.witnesses:
            return
        used, *rest = event_time.witnesses
        if self._pattern and used.kind != "name":
            self._unmatched.append(path)
        elif event_time.time_source == "container":
            self._same[source_name, used.at_ms].append(path)
        for kind, other_ms in rest:
            if abs(other_ms - used.at_ms) > _DIFFERENCE_MS:
                doubt = _Doubt(path, source_name, used.at_ms, other_ms, length_ms)
                self._differing[used.kind, kind].append(doubt)

    def remark(self, kind: str, path: Path, text: str) -> None:
        """Note a sentence about a file; the first of each kind serves as the example."""
        self._examples.setdefault(kind, (path, text))
        self._numbers[kind] += 1

    def lines(self) -> list[str]:
        """Return a line for each kind of doubt not reported before, and forget the noted times."""
        lines: dict[object, str] = {}
        for kind, (path, text) in self._examples.items():
            more = f" ({self._numbers[kind] - 1} more like this)" if self._numbers[kind] > 1 else ""
            lines[kind] = f"{path}{more}: {text}"
        for (used, other), doubts in self._differing.items():
            lines[used, other] = _differing(used, other, doubts)
        same = [(at_ms, paths) for (_, at_ms), paths in self._same.items() if len(paths) > 1]
        if same:
            at_ms, (first, second, *_) = same[0]
            lines["same"] = (
                f"{sum(len(paths) for _, paths in same)} files state the same start as another of their "
                f"source: {first} and {second} both state {iso(at_ms)}. Cuts and exports of one recording "
                "keep its start, and then only one of them counts; give each its own with --time-pattern or "
                "--start-time"
            )
        if self._unmatched:
            lines["unmatched"] = (
                f"{plural(len(self._unmatched), 'file does', 'files do')} not match --time-pattern "
                f"{self._pattern}, such as {self._unmatched[0]}: frametally used the file's own time"
            )
        if self._future:
            path, at_ms = self._future[0]
            lines["future"] = (
                f"{plural(len(self._future), 'file begins', 'files begin')} in the future, such as {path} at "
                f"{iso(at_ms)}. Check the camera's clock; `frametally retime` corrects the time"
            )
        self._begin()
        reported, self._reported = self._reported, self._reported | lines.keys()
        return [line for kind, line in lines.items() if kind not in reported]

    def _begin(self) -> None:
        self._examples: dict[str, tuple[Path, str]] = {}
        self._numbers: Counter[str] = Counter()
        self._differing: defaultdict[tuple[WitnessKind, WitnessKind], list[_Doubt]] = defaultdict(list)
        self._same: defaultdict[tuple[str, int], list[Path]] = defaultdict(list)
        self._unmatched: list[Path] = []
        self._future: list[tuple[Path, int]] = []


def other_time(event_time: EventTime, length_ms: int) -> str:
    """Return another witness's time of a medium and the likely reason, as a clause, or an empty string."""
    for kind, other_ms in event_time.witnesses[1:]:
        used = event_time.witnesses[0]
        if abs(other_ms - used.at_ms) > _DIFFERENCE_MS:
            doubt = _Doubt(Path(), "", used.at_ms, other_ms, length_ms)
            return f"{_two_times(used.kind, kind, doubt)}{_why(kind, [doubt])}"
    return ""


def _differing(used: WitnessKind, other: WitnessKind, doubts: list[_Doubt]) -> str:
    leave = ". To use the other time, leave out --time-pattern" if used == "name" else ""
    return (
        f"{plural(len(doubts), 'file states', 'files state')} two times more than a minute apart. In "
        f"{doubts[0].path}, {_two_times(used, other, doubts[0])}{_why(other, doubts)}{leave}"
    )


def _two_times(used: WitnessKind, other: WitnessKind, doubt: _Doubt) -> str:
    difference_ms = doubt.other_ms - doubt.used_ms
    order = "later" if difference_ms > 0 else "earlier"
    return (
        f"the {used} says {iso(doubt.used_ms)}, which frametally used, and the {other} says "
        f"{iso(doubt.other_ms)}, {_spell(abs(difference_ms))} {order}"
    )


def _why(other: WitnessKind, doubts: list[_Doubt]) -> str:
    """Return the recognized reasons for the differences, each with its number of files."""
    starts = Counter((doubt.source_name, doubt.other_ms) for doubt in doubts)
    reasons: Counter[str] = Counter()
    for doubt in doubts:
        difference_ms = doubt.other_ms - doubt.used_ms
        if doubt.length_ms and _is_near(difference_ms - doubt.length_ms, doubt.length_ms):
            reasons[f"the difference is the clip's own length: the {other} states the end"] += 1
        elif _is_whole_hours(difference_ms) or _is_whole_hours(difference_ms - doubt.length_ms):
            reasons["the difference is whole hours: check the time zone (--timezone)"] += 1
        elif starts[doubt.source_name, doubt.other_ms] > 1:
            reasons[f"the {other} states the same time as another file's: cuts or exports"] += 1
    parts = [
        f". In {'each' if number == len(doubts) else number} of them, {reason}"
        if len(doubts) > 1
        else f"; {reason}"
        for reason, number in reasons.items()
    ]
    return "".join(parts)


def _is_near(rest_ms: int, length_ms: int) -> bool:
    return abs(rest_ms) <= max(_ROUNDING_MS, length_ms // _LENGTH_PART)


def _is_whole_hours(difference_ms: int) -> bool:
    hours = round(difference_ms / HOUR_MS)
    within = abs(difference_ms) <= _ZONES_MS + _ROUNDING_MS
    return bool(hours) and within and abs(difference_ms - hours * HOUR_MS) <= _ROUNDING_MS


def _spell(time_ms: int) -> str:
    """Return a length of time in its two largest units, rounded: `32 days 7 h`, `1 min 30 s`."""
    unit_s = next((unit for most, unit in ((DAY_S, HOUR_S), (HOUR_S, 60)) if time_ms >= most * 1000), 1)
    minutes, seconds = divmod(round(time_ms / 1000 / unit_s) * unit_s, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "day", "days"), (hours, "h", "h"), (minutes, "min", "min"), (seconds, "s", "s"))
    return " ".join(plural(*part) for part in parts if part[0])
