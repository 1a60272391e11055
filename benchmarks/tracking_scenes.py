"""Frames as the tracker reads them, and generated scenes with known objects."""

from __future__ import annotations

import random
from typing import NamedTuple

from idf1 import Box

LABEL = "person"
SPEED_BOXES, SPEED_FRAMES = 10, 3000


class Seen(NamedTuple):
    """A box as the tracker reads it."""

    label: str
    confidence: float
    box: Box


class Shown(NamedTuple):
    """A frame as the tracker reads it."""

    captured_at_ms: int
    image_path: str
    detections: list[Seen]
    source: str = "vtest"
    model: str = "tiny"
    width_px: int = 768
    height_px: int = 576


def busy_frames() -> list[list[Seen]]:
    """Return frames of ten people who walk to and fro, each in a lane, with a jitter of a pixel."""
    rng = random.Random(1)  # noqa: S311
    frames = []
    for number in range(SPEED_FRAMES):
        there = abs(number % 400 - 200) * 2.5
        boxes = []
        for lane in range(SPEED_BOXES):
            left, top = 40 + there + rng.gauss(0, 1) + 15 * lane, 20 + 50 * lane + rng.gauss(0, 1)
            confidence = rng.choice([0.65, 0.75, 0.85, 0.95])
            boxes.append(Seen(LABEL, confidence, (round(left, 1), round(top, 1), 30.0, 70.0)))
        frames.append(boxes)
    return frames


def generated(seed: int, fps: float) -> tuple[list[Shown], int]:
    """Generate 20 s of six people crossing, some behind a pillar, with a fifth of the boxes missing."""
    rng = random.Random(seed)  # noqa: S311
    people = [
        (rng.choice([-1, 1]), 40 + 85 * lane, rng.uniform(40, 80), rng.uniform(0, 6)) for lane in range(6)
    ]
    pillar = rng.uniform(250, 500)
    frames = []
    for number in range(int(20 * fps)):
        now_s = number / fps
        boxes = []
        for direction, top, speed, since_s in people:
            gone = (now_s - since_s) * speed
            x = gone - 15 if direction > 0 else 783 - gone
            left, right = max(0.0, x - 15), min(768.0, x + 15)
            if now_s < since_s or right - left < 8 or abs(x - pillar) < 30 or rng.random() < 0.2:
                continue
            box = (round(left, 1), round(top + rng.gauss(0, 0.5), 1), round(right - left, 1), 70.0)
            boxes.append(Seen(LABEL, rng.choice([0.72, 0.8, 0.95]), box))
        frames.append(Shown(round(now_s * 1000), f"{number:05d}", boxes))
    return frames, len(people)
