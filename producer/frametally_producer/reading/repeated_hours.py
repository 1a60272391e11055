"""Decides which of two hours a time without a zone is in, on the night when clocks go back.

The decision depends on the file and its folder alone, so files may be produced in any order and in any parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from frametally.rules.time_patterns import NamedBy, time_pattern

_NEAR_PART = 4
"""A time belongs to an hour if it is within this part of the clocks' change (a quarter of an hour)."""


def second_hour_reason(
    first_ms: int,
    second_ms: int,
    *,
    clocks: Iterable[tuple[str, Sequence[int]]],
    earlier_name: Callable[[], str],
) -> str:
    """Return why a file began at `second_ms`, as a clause; empty if it began at `first_ms`.

    `clocks` are names of other clocks, such as the file's date, each with the times in ms at which the file
    may have begun by it. If they agree on an hour, they decide. If not, the second of two files with the same
    time is in the second hour; `earlier_name` returns the name of the first one, or empty.
    """
    near_ms = (second_ms - first_ms) // _NEAR_PART
    votes: dict[bool, str] = {}
    for name, starts_ms in clocks:
        off_first, off_second = (
            min(abs(start_ms - begin_ms) for start_ms in starts_ms) for begin_ms in (first_ms, second_ms)
        )
        if off_first != off_second and min(off_first, off_second) <= near_ms:
            votes[off_second < off_first] = name
    if len(votes) == 1:
        return f", as {votes[True]} shows" if True in votes else ""
    name = earlier_name()
    return f", because {name} states the same time" if name else ""


def earlier_namesake(path: Path, pattern: str, named_by: NamedBy) -> str:
    """Return the first file of the folder with the same ending, source and time in its name, if not `path`.

    A recorder that finds a name taken appends something to it, such as `_1`.
    """
    try:
        changed_ns = path.parent.stat().st_mtime_ns
        stems = _stems(path.parent, changed_ns, pattern, path.suffix.lower()).get(named_by, ())
    except OSError:
        return ""
    return "" if not stems or stems[0] == path.stem else stems[0] + path.suffix


@lru_cache(maxsize=16)
def _stems(folder: Path, changed_ns: int, pattern: str, suffix: str) -> dict[NamedBy, Sequence[str]]:
    """Return the names with an ending in a folder, without it and sorted, by what they state."""
    matcher = time_pattern(pattern)
    stems: dict[NamedBy, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() == suffix and (match := matcher.match(path) if matcher else None):
            stems.setdefault(match, []).append(path.stem)
    return {match: sorted(of_match) for match, of_match in stems.items()}
