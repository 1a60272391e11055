"""Runs in an environment of its own: PyPI's `trackers` over the boxes in a JSON file, tracks out as JSON.

`tracking.py --yardstick` makes that environment and calls this.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker


def run(frames: list[list[list[float]]], fps: float) -> tuple[list[list[list[float]]], float]:
    """By frame `[id, left, top, width, height]`, and seconds, for frames of `[confidence, left, ...]`."""
    tracker = ByteTrackTracker(frame_rate=fps, lost_track_buffer=90)  # 90 of 30 a second: 3 s, as ours
    found = []
    prepared = []
    for boxes in frames:
        values = np.array(boxes, dtype=float).reshape(-1, 5)
        corners = np.column_stack([values[:, 1:3], values[:, 1:3] + values[:, 3:5]])
        prepared.append(
            sv.Detections(xyxy=corners, confidence=values[:, 0], class_id=np.zeros(len(values), dtype=int))
        )
    began = time.process_time()
    for detections in prepared:
        tracked = tracker.update(detections)
        found.append((tracked.xyxy, tracked.tracker_id))
    seconds = time.process_time() - began
    return [
        [
            [int(number), float(x), float(y), float(right - x), float(bottom - y)]
            for (x, y, right, bottom), number in zip(
                boxes, numbers if numbers is not None else [], strict=True
            )
            if number >= 0
        ]
        for boxes, numbers in found
    ], seconds


def main() -> None:
    """Standard input: `{"runs": [{"frames": ..., "fps": ...}]}`; standard output: what came of each."""
    runs = json.load(sys.stdin)["runs"]
    results = [run(each["frames"], each["fps"]) for each in runs]
    json.dump(
        {
            "version": version("trackers"),
            "runs": [{"tracks": tracks, "seconds": seconds} for tracks, seconds in results],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
