"""What a worker tells when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.process.reports import Skipped
from frametally_consumer.worker.assigned import Batch

_MOST_LISTED = 1000
"""Dead letters that a report lists; they are all in the segments."""


class ConsumeReport(NamedTuple):
    """What one call of `consume` did.

    Attributes:
        model: The detector's model id.
        frames: Messages that became detections, in segments that this worker wrote.
        segments_written: Segments that this worker put.
        segments_adopted: Segments of other workers that it went on after.
        dead_letters: The first thousand that it set aside in its segments.
        stopped: Partitions that cannot go on, each with its reason.
        dead_letters_unlisted: How many more it set aside.
        unfinished: It was told to stop and left threads behind that could not finish in time.
    """

    model: str
    frames: int
    segments_written: int
    segments_adopted: int
    dead_letters: list[Skipped]
    stopped: list[Skipped]
    dead_letters_unlisted: int = 0
    unfinished: bool = False


class ConsumerTally:
    """What a worker has done so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.frames = self.segments_written = self.segments_adopted = 0
        self.dead_letters: list[Skipped] = []
        self.dead_letters_unlisted = 0

    def count(self, partition: int, batch: Batch) -> None:
        """A segment was written."""
        self.segments_written += 1
        self.frames += len(batch.frames)
        for letter in batch.dead_letters:
            if len(self.dead_letters) < _MOST_LISTED:
                name = letter.image_path or f"message {partition}:{letter.offset}"
                self.dead_letters.append(Skipped(name, letter.reason))
            else:
                self.dead_letters_unlisted += 1

    def report(self, *, model: str, stopped: list[Skipped], unfinished: bool) -> ConsumeReport:
        """All of it."""
        return ConsumeReport(
            model,
            self.frames,
            self.segments_written,
            self.segments_adopted,
            self.dead_letters,
            stopped,
            self.dead_letters_unlisted,
            unfinished,
        )


def add_up(reports: Sequence[ConsumeReport]) -> ConsumeReport:
    """What several workers of one group did together."""
    stopped = {item.name: item for report in reports for item in report.stopped}
    return ConsumeReport(
        model=reports[0].model if reports else "",
        frames=sum(report.frames for report in reports),
        segments_written=sum(report.segments_written for report in reports),
        segments_adopted=sum(report.segments_adopted for report in reports),
        dead_letters=[item for report in reports for item in report.dead_letters],
        stopped=list(stopped.values()),
        dead_letters_unlisted=sum(report.dead_letters_unlisted for report in reports),
        unfinished=any(report.unfinished for report in reports),
    )
