"""Quality reports: the checks of a published run, as data beside its part files.

`_quality.json` in a run's folder says of each check whether it passed. It is put before the run pointer, and
is not part of the run: what it is compared with (manifests above all) may change while its counts do
not. The counting job's `audit` module makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import find_record
from frametally.ports.object_store import ObjectStore
from frametally.records import Run, SealedRecord
from frametally.rules.places import is_of_places


class QualityCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check.

    Attributes:
        name: What should be so.
        passed: Whether it is; None where that is unknown, `details` say why.
        count: How many things are not as they should be, or are unknown.
        details: The first of them, one line each.
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
        set_aside: The first of them.
        checks: Every check, in a fixed order.
        frames_by_source: Frames covered, by source; empty where an older frametally made it.
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
        """The checks that did not pass; unknown results are not among them."""
        return [check for check in self.checks if check.passed is False]


def read_quality(store: ObjectStore, run: Run) -> QualityReport | None:
    """Return the quality report of a run, None where an older frametally made none.

    That of a day is of its zones, too: it is the report of the run of whole pictures.

    Raises:
        Poison: It cannot be read; the message names it.
    """
    if run.zone_parts is not None and is_of_places(run.model):
        return None
    return find_record(store, keys.quality_key(run.prefix), QualityReport)


def read_reports(store: ObjectStore, runs: Iterable[Run]) -> tuple[list[QualityReport], list[str]]:
    """Return the reports of those runs that have one, in their order, and why others cannot be read."""
    reports: list[QualityReport] = []
    problems: list[str] = []
    for run in runs:
        try:
            report = read_quality(store, run)
        except Poison as error:
            problems.append(str(error))
            continue
        if report is not None:
            reports.append(report)
    return reports, problems
