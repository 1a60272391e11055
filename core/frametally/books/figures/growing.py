"""Counters of what the books have: they only grow, whatever is restarted, forgotten or put back.

The books say how much there is; a counter says how much there ever was. What is added to the books is added
here; what is taken out of them (`frametally forget`) is not. The sums lie in a file of the data folder, which
all processes there share.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from frametally.books.status import Status
from frametally.files.replacing import replace_file
from frametally.files.work_lock import locked

FILE = "metrics.json"
OTHERS = "other"
MOST_SOURCES = 200
"""Sources that have a label of their own: the first that came; those after them are one, `OTHERS`."""

_LONG_AGO_MS = 600_000
"""No reading is kept for so long: one that is older is newer, and the clock was set back."""

_LOG = logging.getLogger(__name__)


class Sums(msgspec.Struct):
    """What was added so far.

    Attributes:
        as_of_ms: The reading that was added last.
        seen: What that had, by counter and key.
        grown: What was added in all, by counter and label.
        sources: Sources with a label of their own.
    """

    as_of_ms: int = 0
    seen: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    grown: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    sources: list[str] = msgspec.field(default_factory=list)


class GrowingSums:
    """The sums of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        """Read nothing yet."""
        self._file = data_dir / FILE
        self._sums = Sums()
        self._said = False

    def advance(self, status: Status, as_of_ms: int) -> Sums:
        """Add what a reading of the books has more than the one before; return all sums.

        One that another process has overtaken adds nothing. In a folder that cannot be written sums are
        those of this process.
        """
        try:
            handle = os.open(self._file.parent, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self._cannot(error)
            _add(self._sums, status, as_of_ms)
            return self._sums
        with locked(handle, look_every_s=0.02, on_held=lambda: None):
            found = self._read()
            if found is not None:
                self._sums = found
            if _add(self._sums, status, as_of_ms):
                self._write()
        return self._sums

    def _read(self) -> Sums | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Sums)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            self._cannot(error)
            return None

    def _write(self) -> None:
        try:
            replace_file(self._file, msgspec.json.encode(self._sums))
        except OSError as error:
            self._cannot(error)

    def _cannot(self, error: Exception) -> None:
        if not self._said:
            self._said = True
            _LOG.warning("%s: counters begin anew with each start: %s", self._file, error)


def label_of(sums: Sums, source: str) -> str:
    """Return the label that a source has: its own, or `OTHERS`."""
    return source if source in sums.sources else OTHERS


def _add(sums: Sums, status: Status, as_of_ms: int) -> bool:
    """Add a reading that is newer than the last; return whether it was."""
    if sums.as_of_ms - _LONG_AGO_MS < as_of_ms <= sums.as_of_ms:
        return False
    sums.as_of_ms = as_of_ms
    for line in status.sources:
        if line.source not in sums.sources and len(sums.sources) < MOST_SOURCES:
            sums.sources.append(line.source)
        label = label_of(sums, line.source)
        # Another model detects the same frames once more; what was announced does not depend on it.
        of_model = f"{status.model} {line.source}"
        _grow(sums, "announced", line.source, label, line.announced)
        _grow(sums, "detected", of_model, label, line.detected)
        _grow(sums, "counted", of_model, label, line.counted)
        _grow(sums, "indexed", of_model, label, line.indexed)
    for reason, frames in status.dead_letters.items():
        _grow(sums, "dead", f"{status.model} {reason}", reason, frames)
    gone = sums.seen.get("dead", {}).keys() - {f"{status.model} {reason}" for reason in status.dead_letters}
    for key in gone:  # they were mended: what dies of it again is new
        if key.startswith(f"{status.model} "):
            sums.seen["dead"][key] = 0
    return True


def _grow(sums: Sums, counter: str, key: str, label: str, now: int) -> None:
    seen = sums.seen.setdefault(counter, {})
    grown = sums.grown.setdefault(counter, {})
    grown[label] = grown.get(label, 0) + max(now - seen.get(key, 0), 0)
    seen[key] = now
