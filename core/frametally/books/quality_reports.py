"""Reads quality reports: the checks of a published run, stored next to its part files.

`_quality.json` in a run's folder has the result of each check. The counting job's `audit` module puts it
before the run pointer. It is not part of the run: the data that the checks compare with, above all manifests,
may change while the counts do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec

from frametally import keys
from frametally.checkup.findings import Finding
from frametally.errors import Poison
from frametally.media.manifests import find_record
from frametally.ports.object_store import ObjectStore
from frametally.records import Run, SealedRecord
from frametally.rules.counted_boxes import FRAMES_FOR_A_DETECTION
from frametally.rules.places import is_of_places

NOTHING_DETECTED = (
    "nothing was detected; if the frames show objects, check the model with `frametally doctor`"
)


class QualityCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check.

    Attributes:
        name: The condition that should hold.
        passed: Whether it holds, or None if that is unknown; `details` has the reason.
        count: How many things violate it or are unknown.
        details: The first of these things, one line each.
    """

    name: str
    passed: bool | None
    count: int = 0
    details: list[str] = []


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A line that could not be read and is in no count; its segment's header is line 1."""

    segment: str
    line: int


class QualityReport(SealedRecord, frozen=True, kw_only=True):
    """The checks of one run (`_quality.json` in its folder); the first five fields are as in `Run`.

    Attributes:
        detections: Boxes counted.
        duplicates_dropped: Lines that repeated a frame.
        lines_dead: Lines of the run's segments that could not be read.
        set_aside: The first of these lines.
        checks: Every check, in a fixed order.
        frames_by_source: Frames covered, by source.
    """

    run_id: str
    model: str
    params: str
    interval_s: int
    day: str
    frames: int
    detections: int
    duplicates_dropped: int
    lines_dead: int
    set_aside: list[SetAside]
    checks: list[QualityCheck]
    frames_by_source: dict[str, int] = msgspec.field(default_factory=dict)
    settings: dict[str, Any] = msgspec.field(default_factory=dict)

    remedy: ClassVar[str] = "run `frametally aggregate --all` for its day to rebuild it"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.quality_key(
            keys.run_folder(self.model, self.params, self.interval_s, self.day, self.run_id)
        )

    @property
    def failed(self) -> list[QualityCheck]:
        """The checks that failed, without unknown results."""
        return [check for check in self.checks if check.passed is False]

    @property
    def findings(self) -> list[Finding]:
        """What you should know: each failed check, by its name, and that many frames have no detection."""
        findings = [
            _notice(check.name, f"failed for {self.day} ({check.count})", check.details, check.count)
            for check in self.failed
        ]
        if self.frames >= FRAMES_FOR_A_DETECTION and not (self.detections or is_of_places(self.model)):
            findings.append(_notice(self.day, NOTHING_DETECTED))
        return findings


def _notice(name: str, value: str, details: Sequence[str] = (), number: int = 1) -> Finding:
    note, remedy = next(iter(details), ""), "see `frametally quality`"
    return Finding("quality", name, value, note, remedy, "/books", number, "notice")


def read_quality(store: ObjectStore, run: Run) -> QualityReport | None:
    """Return the quality report of a run, or None if it has none.

    A day's report is stored with the run of whole pictures and covers the day's zones as well.

    Raises:
        Poison: The report cannot be read; the message names it.
    """
    if run.zone_parts is not None and is_of_places(run.model):
        return None
    return find_record(store, keys.quality_key(run.prefix), QualityReport)


def read_reports(store: ObjectStore, runs: Iterable[Run]) -> tuple[list[QualityReport], list[Finding]]:
    """Return the existing reports of runs, in their order, and those that cannot be read."""
    reports: list[QualityReport] = []
    damaged: list[Finding] = []
    for run in runs:
        try:
            report = read_quality(store, run)
        except Poison as error:
            damaged.append(Finding("quality", "", error.detail, "", error.remedy, severity="broken"))
            continue
        if report is not None:
            reports.append(report)
    return reports, damaged
