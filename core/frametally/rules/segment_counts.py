"""The counts of one segment in its header, so that the counting job need not read its lines.

A cell is `[interval_start_ms, frames, repeats, folder, labels]`: the distinct frames, the lines that repeated
one, the folder of the pictures, and by label the boxes and the `[boxes, file name]` of the frames that show
most. All labels are in it: which are counted is the job's to say. Standard library only.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from frametally.rules.counted_boxes import COUNTING_VERSION, CountedBoxes, DetectedBox
from frametally.rules.evidence import MOST_EVIDENCE
from frametally.rules.once import one_line_per_frame

MOST_PX = 1_000_000
"""Longest side of a frame, and the farthest that a box may reach from its corner."""

_SLOT_MS = 5000
"""Frames of a source and slot share a partition of the log."""

Hit = tuple[int, int, str]
"""`(-boxes, captured_at_ms, image_path)` of a frame that shows a label."""


class BoxedFrame(Protocol):
    """The counts of a frame."""

    @property
    def image_path(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def captured_at_ms(self) -> int: ...  # noqa: D102
    @property
    def detections(self) -> Iterable[DetectedBox]: ...  # noqa: D102


class SegmentCounting(NamedTuple):
    """How a segment is counted: seconds of an interval, and the limits of `CountedBoxes`."""

    interval_s: int
    min_confidence: int
    min_side: int

    def header_fields(self, sources: Mapping[str, Any]) -> dict[str, Any]:
        """Return the contents of a header, with `sources` as `count_source` gives them."""
        return {"counting_version": COUNTING_VERSION, **self._asdict(), "sources": sources}


def counting_of(counts: Mapping[str, Any] | None) -> SegmentCounting | None:
    """Return how a header's counts were counted; None without any, or by another version of the rules."""
    if not counts or counts.get("counting_version") != COUNTING_VERSION:
        return None
    try:
        return SegmentCounting(*(int(counts[name]) for name in SegmentCounting._fields))
    except (KeyError, TypeError, ValueError):
        return None


def count_source(
    frames: Iterable[tuple[bytes, BoxedFrame]], counting: SegmentCounting
) -> dict[str, Any] | None:
    """Return the counts of one source's lines and their frames, which are sorted by time.

    Besides its cells a source has `stretches`: first and last times of its frames in slots that follow each
    other. None where the job would set a line aside, or may.
    """
    pairs = list(frames)
    frame_of = dict(pairs)
    if not all(_is_plain(line, frame) for line, frame in frame_of.items()):
        return None
    line_of = one_line_per_frame((frame.image_path, line) for line, frame in pairs)
    lines = Counter(_start(frame, counting) for _, frame in pairs)
    distinct: dict[int, list[BoxedFrame]] = {}
    for line in line_of.values():
        distinct.setdefault(_start(frame_of[line], counting), []).append(frame_of[line])
    cells = []
    for start_ms, of_cell in sorted(distinct.items()):
        folders = {frame.image_path.rpartition("/")[0] for frame in of_cell}
        if len(folders) > 1:
            return None
        labels = _labels(of_cell, counting)
        cells.append([start_ms, len(of_cell), lines[start_ms] - len(of_cell), folders.pop(), labels])
    return {"stretches": _stretches(frame.captured_at_ms for _, frame in pairs), "cells": cells}


def _start(frame: BoxedFrame, counting: SegmentCounting) -> int:
    return frame.captured_at_ms - frame.captured_at_ms % (counting.interval_s * 1000)


def _is_plain(line: bytes, frame: BoxedFrame) -> bool:
    folder, _, name = frame.image_path.rpartition("/")
    return (
        b"\t" not in line
        and b"\r" not in line
        and folder.startswith(f"images/{frame.source}/")
        and name.startswith(f"{frame.captured_at_ms}-")
        and name.count("-") == 2 + (frame.captured_at_ms < 0)
        and all(
            0 <= box.confidence <= 1
            and all(-MOST_PX <= side <= MOST_PX for side in box.box)
            and min(box.box[2:]) > 0
            for box in frame.detections
        )
    )


def _labels(frames: Iterable[BoxedFrame], counting: SegmentCounting) -> dict[str, Any]:
    hits, _ = hits_by_label(frames, CountedBoxes(counting.min_confidence, counting.min_side))
    return {
        label: [
            -sum(hit[0] for hit in of_label),
            [
                [-boxes, path.rpartition("/")[2]]
                for boxes, _, path in heapq.nsmallest(MOST_EVIDENCE, of_label)
            ],
        ]
        for label, of_label in sorted(hits.items())
    }


def hits_by_label(frames: Iterable[BoxedFrame], boxes: CountedBoxes) -> tuple[dict[str, list[Hit]], int]:
    """Return by label the hit of each frame that has some, to sort best first.

    And the boxes of all frames, summed frame by frame: publication compares the two sums.
    """
    counts = boxes.rule()
    hits: dict[str, list[Hit]] = {}
    detections = 0
    for frame in frames:
        tally: dict[str, int] = {}
        for detection in filter(counts, frame.detections):
            label = detection.label
            tally[label] = tally[label] - 1 if label in tally else -1
        time_ms, image_path = frame.captured_at_ms, frame.image_path
        for label, count in tally.items():
            detections -= count
            if label in hits:
                hits[label].append((count, time_ms, image_path))
            else:
                hits[label] = [(count, time_ms, image_path)]
    return hits, detections


def best_hits(folder: str, best: Iterable[tuple[int, str]]) -> Iterator[Hit]:
    """Yield the hits that a cell has of a label."""
    for boxes, name in best:
        yield -boxes, int(name.rsplit("-", 2)[0]), f"{folder}/{name}"


def _stretches(times: Iterable[int]) -> list[list[int]]:
    stretches: list[list[int]] = []
    for time_ms in times:
        if stretches and time_ms // _SLOT_MS - stretches[-1][1] // _SLOT_MS <= 1:
            stretches[-1][1] = time_ms
        else:
            stretches.append([time_ms, time_ms])
    return stretches
