"""Tracks boxes with PyPI's `trackers`, in an environment of its own: JSON in, JSON out.

`tracking.py --yardstick` makes that environment and calls this. Each tracker has its defaults, and keeps a
lost track for 3 s, as frametally does; none looks at the pictures.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from inspect import signature
from typing import Any

import numpy as np
import supervision as sv
import trackers

_LOST_FRAMES = 90
"""Of 30 a second, by which `trackers` states the length of its buffer at every rate."""


def tracked(
    tracker_name: str, frames: Sequence[Sequence[Sequence[float]]], fps: float
) -> tuple[list[list[list[float]]], float]:
    """Return by frame `[id, left, top, width, height]`, and the seconds that tracking took.

    Args:
        tracker_name: A class of `trackers`.
        frames: By frame, `[confidence, left, top, width, height]` of each box.
        fps: Frames per second.
    """
    made = getattr(trackers, tracker_name)
    wanted: dict[str, Any] = {"lost_track_buffer": _LOST_FRAMES, "frame_rate": fps, "enable_cmc": False}
    tracker = made(**{name: wanted[name] for name in wanted if name in signature(made).parameters})
    every = []
    for boxes in frames:
        rows = np.array(boxes, dtype=float).reshape(-1, 5)
        corners = np.column_stack([rows[:, 1:3], rows[:, 1:3] + rows[:, 3:5]])
        classes = np.zeros(len(rows), dtype=int)
        every.append(sv.Detections(xyxy=corners, confidence=rows[:, 0], class_id=classes))
    began_s = time.process_time()
    results = [tracker.update(detections) for detections in every]
    passed_s = time.process_time() - began_s
    return [
        [
            [int(number), float(left), float(top), float(right - left), float(bottom - top)]
            for (left, top, right, bottom), number in zip(
                result.xyxy, () if result.tracker_id is None else result.tracker_id, strict=False
            )
            if number >= 0
        ]
        for result in results
    ], passed_s


def main() -> None:
    """Read `{"runs": [{"tracker": ..., "frames": ..., "fps": ...}]}` and print the tracks of each run."""
    runs = [tracked(run["tracker"], run["frames"], run["fps"]) for run in json.load(sys.stdin)["runs"]]
    answer = [{"tracks": tracks, "seconds": seconds} for tracks, seconds in runs]
    json.dump({"version": version("trackers"), "runs": answer}, sys.stdout)


if __name__ == "__main__":
    main()
