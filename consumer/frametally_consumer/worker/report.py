"""Collects the result of a worker for its report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from frametally.process.meters import METERS
from frametally.process.reports import Skipped
from frametally_consumer.worker.assigned import Batch

_MOST_LISTED = 1000
"""Most dead letters that a report lists; the segments have them all."""


@dataclass
class ConsumeReport:
    """The result of one call of `consume`.

    Attributes:
        frames: Analysed frames in segments that this worker wrote.
        segments_adopted: Segments of other workers after which it continued.
        dead_letters: The first thousand dead letters in its segments.
        dead_letters_unlisted: How many more dead letters it has.
        lost: Messages that the log removed before they were read.
        unfinished: Whether it was stopped and left threads behind that could not finish in time.
    """

    model: str
    frames: int = 0
    segments_written: int = 0
    segments_adopted: int = 0
    dead_letters: list[Skipped] = field(default_factory=list)
    stopped: list[Skipped] = field(default_factory=list)
    lost: list[Skipped] = field(default_factory=list)
    dead_letters_unlisted: int = 0
    unfinished: bool = False

    def count(self, partition: int, batch: Batch) -> None:
        """Add a segment that was written."""
        self.segments_written += 1
        self.frames += len(batch.frames)
        for letter in batch.dead_letters:
            METERS.set_aside(letter.cause or letter.stage)
        self.set_aside(
            Skipped(letter.image_path or f"message {partition}:{letter.offset}", letter.reason)
            for letter in batch.dead_letters
        )

    def set_aside(self, letters: Iterable[Skipped]) -> None:
        """List dead letters up to the maximum, and count the others."""
        for letter in letters:
            if len(self.dead_letters) < _MOST_LISTED:
                self.dead_letters.append(letter)
            else:
                self.dead_letters_unlisted += 1


def add_up(reports: Sequence[ConsumeReport]) -> ConsumeReport:
    """Return the sum of the reports of several workers of one group."""
    total = ConsumeReport(reports[0].model if reports else "")
    for report in reports:
        total.frames += report.frames
        total.segments_written += report.segments_written
        total.segments_adopted += report.segments_adopted
        total.set_aside(report.dead_letters)
        total.stopped = [*{item.name: item for item in total.stopped + report.stopped}.values()]
        total.lost += report.lost
        total.dead_letters_unlisted += report.dead_letters_unlisted
        total.unfinished |= report.unfinished
    return total
