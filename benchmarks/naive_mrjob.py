"""The counting job as in mrjob's tutorial, for comparison only."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any

from mrjob.job import MRJob

INTERVAL_MS, THRESHOLD = 60_000, 2500


class NaiveCounts(MRJob):  # type: ignore[misc]
    """Takes lines of segments and yields counts and coverage, with JSON between all steps."""

    def mapper(self, _: None, line: str) -> Iterator[tuple[Any, Any]]:
        """Yield one pair per frame."""
        frame = json.loads(line)
        if "image_path" in frame:
            start = frame["captured_at_ms"] // INTERVAL_MS * INTERVAL_MS
            yield (frame["source"], start), frame

    def reducer(self, key: list[Any], frames: Iterable[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
        """Count each frame once."""
        source, start = key
        kept = {frame["image_path"]: frame for frame in frames}
        hits: dict[str, list[tuple[int, int, str]]] = {}
        for frame in kept.values():
            tally: dict[str, int] = {}
            for one in frame["detections"]:
                if round(one["confidence"] * 10_000) >= THRESHOLD:
                    tally[one["label"]] = tally.get(one["label"], 0) + 1
            for label, n in tally.items():
                hits.setdefault(label, []).append((-n, frame["captured_at_ms"], frame["image_path"]))
        yield None, ("coverage", (source, start, len(kept)))
        for label, found in hits.items():
            best = [[path, at, -n] for n, at, path in heapq.nsmallest(5, found)]
            detections, peak = -sum(hit[0] for hit in found), -min(found)[0]
            yield None, ("count", (source, label, start, len(kept), detections, peak, best))
