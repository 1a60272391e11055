"""Whether any measure separates a frozen picture that is encoded again from a scene in which nothing moves.

    python benchmarks/frozen_footage.py --data ../shared/data

`--data` names a folder with `vtest/vtest.avi`; the demo clip is fetched. Pictures are repeated, with and
without noise, by day and at night, encoded with x264, and stored as JPEGs as a producer stores them. Beside
them stand the least moving parts of both clips, whose real frames follow each other in any order, and their
mean with the noise of a sensor.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from results import Cell, Goal, Table, save
from stored_frames import DEFAULT_QUALITY, decoded_frames, stored
from tracking import CLIP_FRAMES

from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.rules.blank_stretches import blank_stretches

VTEST_FRAMES = 795
FRAMES, FPS, LOOKED_AT = 800, 5, slice(250, 550)
REGION_PX, REGION_FRAMES = (192, 112), 48
NIGHT = 0.12
"""Of the light by day."""
KINDS = {"white": (1.0, 3.0), "film": (2.0,)}
SENSOR = (1.0, 0.4)
BIT_RATE = 150_000
ENCODINGS: dict[str, dict[str, str]] = {
    "CRF 18": {"crf": "18"},
    "CRF 28": {"crf": "28"},
    "CRF 28, denoised": {"crf": "28", "x264-params": "nr=1000"},
    "CRF 35": {"crf": "35"},
    "150 kbit/s": {"x264-params": "vbv-maxrate=150:vbv-bufsize=150:nal-hrd=cbr"},
}
CONSTANT = "150 kbit/s"
FROZEN, FROZEN_CONSTANT = "frozen, CRF", "frozen, constant bit rate"
WITH_NOISE, STILL = "frozen with noise", "still scene"


class Filmed(NamedTuple):
    """A frame as the rule of blank stretches reads it."""

    captured_at_ms: int
    picture_digest: str
    shows: str


class Measures(NamedTuple):
    """What the rule says of footage, and what could be measured of it instead."""

    frozen_from_s: float | None
    equal_part: float
    median_change: float
    growth: float


def still_region(frames: Sequence[Pixels]) -> list[Pixels]:
    """Return the part of the picture, and the stretch of frames, that moves least and is not plain."""
    (width, height), best = REGION_PX, (256, 0, 0, 0)
    for first in range(0, len(frames) - REGION_FRAMES, REGION_FRAMES // 2):
        smooth = np.stack([cv2.GaussianBlur(f, (9, 9), 0) for f in frames[first : first + REGION_FRAMES : 6]])
        moved = (smooth.max(axis=0).astype(np.int16) - smooth.min(axis=0)).max(axis=2)
        for top in range(0, moved.shape[0] - height + 1, 16):
            for left in range(0, moved.shape[1] - width + 1, 16):
                if frames[first][top : top + height, left : left + width].std() >= 20:
                    most = int(moved[top : top + height, left : left + width].max())
                    best = min(best, (most, first, top, left))
    _, first, top, left = best
    return [frame[top : top + height, left : left + width] for frame in frames[first : first + REGION_FRAMES]]


def noisy(picture: Pixels, kind: str, strength: float, random: np.random.Generator) -> Pixels:
    """Return a picture with white noise, film grain, or the shot and read noise of a sensor."""
    light = picture.astype(np.float32)
    noise = random.normal(0, 1, (*picture.shape[:2], 1)).astype(np.float32)
    if kind == "film":
        noise = cv2.GaussianBlur(noise, (3, 3), 0)[..., None] * 2.5
    elif kind == "sensor":
        noise = noise * np.sqrt(0.3 + light.mean(axis=2, keepdims=True) / 64)
    return np.clip(light + strength * noise, 0, 255).astype(np.uint8)


def in_any_order(pictures: Sequence[Pixels], random: np.random.Generator) -> list[Pixels]:
    """Return as many frames as are encoded, each one of these pictures."""
    return [pictures[int(place)] for place in random.integers(len(pictures), size=FRAMES)]


def scenes(clips: Sequence[Sequence[Pixels]]) -> Iterator[tuple[str, list[Pixels]]]:
    """Yield each scene with its kind."""
    random = np.random.default_rng(1)

    def with_noise(picture: Pixels, kind: str, strength: float) -> list[Pixels]:
        return in_any_order([noisy(picture, kind, strength, random) for _ in range(REGION_FRAMES)], random)

    for frames in clips:
        height_px, width_px = (side // 4 * 2 for side in frames[100].shape[:2])
        smaller = cv2.resize(frames[100], (width_px, height_px), interpolation=cv2.INTER_AREA)
        picture = np.asarray(smaller, np.uint8)
        yield FROZEN, [picture] * FRAMES
        yield FROZEN, [(picture * NIGHT).astype(np.uint8)] * FRAMES
        for kind, strengths in KINDS.items():
            for strength in strengths:
                yield WITH_NOISE, with_noise(picture, kind, strength)
        region = still_region(frames)
        mean = np.mean(np.stack(region), axis=0)
        yield STILL, in_any_order(region, random)
        yield STILL, with_noise(mean.astype(np.uint8), "sensor", SENSOR[0])
        for strength in SENSOR:
            yield STILL, with_noise((mean * NIGHT).astype(np.uint8), "sensor", strength)


def encoded(pictures: Sequence[Pixels], name: str) -> list[Pixels]:
    """Return the frames after encoding and decoding; a key frame comes every ten seconds."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        options = {"preset": "veryfast", "g": str(10 * FPS)} | ENCODINGS[name]
        stream: Any = output.add_stream("libx264", rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        stream.time_base, stream.thread_count = Fraction(1, FPS), 1
        if name == CONSTANT:
            stream.bit_rate = BIT_RATE
        for picture in pictures:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as video:
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in video.decode(video=0)]


def measured(pictures: Sequence[Pixels]) -> Measures:
    """Return the rule's answer for all frames, and measures of those from 50 s on."""
    as_stored = [stored(picture, DEFAULT_QUALITY) for picture in pictures]
    frames = [
        Filmed(number * 1000 // FPS, hashlib.sha256(picture.tobytes()).hexdigest(), "")
        for number, picture in enumerate(as_stored)
    ]
    gray = np.stack([cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in as_stored[LOOKED_AT]])
    light = gray.astype(np.int16)
    changes = np.abs(np.diff(light, axis=0)).mean(axis=(1, 2))

    def square(step: int) -> float:
        return float(np.mean((light[step:] - light[:-step]).astype(np.float32) ** 2))

    stretches = blank_stretches(frames)
    return Measures(
        stretches[0][0] / 1000 if stretches else None,
        float((changes == 0).mean()),
        float(np.median(changes)),
        square(10) / square(1) if square(1) else 0.0,
    )


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "frametally-benchmarks")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    clips = [
        [*decoded_frames(options.data / "vtest" / "vtest.avi", VTEST_FRAMES)],
        [*decoded_frames(ensure_demo_clip(options.cache), CLIP_FRAMES)],
    ]
    of_kind: dict[str, list[Measures]] = {FROZEN: [], FROZEN_CONSTANT: [], WITH_NOISE: [], STILL: []}
    for scene, pictures in scenes(clips):
        for name in ENCODINGS:
            kind = FROZEN_CONSTANT if (scene, name) == (FROZEN, CONSTANT) else scene
            of_kind[kind].append(measured(encoded(pictures, name)))

    def span(values: Sequence[float], digits: int) -> str:
        return f"{min(values):.{digits}f} to {max(values):.{digits}f}"

    rows: list[list[Cell]] = []
    for kind, every in of_kind.items():
        frozen_s = [one.frozen_from_s for one in every if one.frozen_from_s is not None]
        rows.append(
            [
                kind,
                f"{len(frozen_s)} of {len(every)}",
                max(frozen_s, default=None),
                span([100 * one.equal_part for one in every], 0),
                span([one.median_change for one in every], 3),
                span([one.growth for one in every], 1),
            ]
        )
    save(
        name="frozen_footage",
        title="Frozen pictures that are encoded again, and still scenes",
        about=f"{FRAMES} frames at {FPS} a second of each scene, encoded in {len(ENCODINGS)} ways with x264; "
        f"vtest.avi and the demo clip. Night is {NIGHT:.0%} of the light. The measures are of frames "
        f"{LOOKED_AT.start} to {LOOKED_AT.stop}.",
        packages=["av", "numpy", "opencv-python-headless"],
        tables=[
            Table(
                title="By kind of footage",
                columns=[
                    *(
                        "footage",
                        "called frozen",
                        "at the latest from, s",
                        "frames equal to the one before, %",
                    ),
                    *(
                        "median change to the next frame, levels",
                        "mean square change over 10 frames / over 1",
                    ),
                ],
                rows=rows,
                note="Levels are of 255. A measure that separates the last two kinds would have ranges that "
                "do not overlap.",
            )
        ],
        goals=[
            Goal(
                what="still scenes called frozen",
                measured=sum(one.frozen_from_s is not None for one in of_kind[STILL]),
                at_most=0,
            )
        ],
    )


if __name__ == "__main__":
    main()
