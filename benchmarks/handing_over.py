"""How many more frames a second are possible if the detector gets pixels from memory, not from the store.

    python benchmarks/handing_over.py

frametally does not hand pixels over. This measures what it would save if the way through memory cost nothing.
Make the INT8 network first: `frametally download-models --int8`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import av
import numpy as np
from end_to_end import middle, repeated, some_frames
from end_to_end_run import Ran, consume_all, run_both
from end_to_end_stages import END_TO_END_STAGES, PARTS_OF_STAGES, Cost, stage_costs
from results import Cell, Goal, Table, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.records import FrameAnnouncement
from frametally.settings.loading import Settings, load_settings
from frametally_consumer import load as backends

_LEAST_RATIO = 1.2
_TILES = [1, 4]
_CLIP_FPS, _DEFAULT_FPS = 30, 5
_MOSAIC_FRAMES = 30
_CONSUMER_STAGES = ["fetch", "verify and decode JPEG", "detect", "write segments"]


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    clip = ensure_demo_clip(load_settings().models_dir.expanduser())
    runs: dict[str, list[Ran]] = {"today's": [], "from memory": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def settings(name: str) -> Settings:
            return load_settings(
                data_dir=folder / name, detector="openvino", precision="int8", sample_fps="all"
            )

        footage = [clip if tiles == 1 else mosaic(clip, folder / f"{tiles}.mp4", tiles) for tiles in _TILES]
        costs: dict[str, list[list[Cost]]] = {}
        for number in range(options.rounds):
            for path in footage:
                height_px, width_px, _ = some_frames(path, 1)[0].shape
                costs.setdefault(f"{width_px}x{height_px}", []).append(
                    stage_costs(
                        path,
                        settings("stages"),
                        folder / f"costs-{width_px}-{number}",
                        cores=backends.cores(),
                        rounds=1,
                        stages=[*END_TO_END_STAGES, *PARTS_OF_STAGES],
                        libraries=False,
                    )
                )
        by_size = {size: {one.stage: one.own_ms for one in middle(rounds)} for size, rounds in costs.items()}
        # The consumer reads a mosaic at the clip's size; a real frame of that size has no more cars.
        for stages in by_size.values():
            stages["detect"] = next(iter(by_size.values()))["detect"]
        long_clip, frames = repeated(clip, folder / "long.mp4", options.frames)
        for number in range(options.rounds):
            for name, consumer in (("today's", consume_all), ("from memory", consume_from_memory)):
                runs[name].append(run_both(long_clip, settings(f"{consumer.__name__}-{number}"), consumer))
                print(name, runs[name][-1])
    if any(run.frames != frames for each in runs.values() for run in each):
        raise SystemExit(f"{frames} frames, and not all are in segments")
    _save(by_size, runs, frames, load_before)


def mosaic(clip: Path, path: Path, tiles: int) -> Path:
    """Write frames of the clip, each tiled `tiles` times both ways, as H.264 with as many bits a pixel."""
    pictures = some_frames(clip, _MOSAIC_FRAMES)
    with av.open(str(clip)) as container:
        bit_rate = container.bit_rate
    short = path.with_suffix(".short.mp4")
    with av.open(str(short), "w") as out:
        stream: Any = out.add_stream("libx264", rate=_CLIP_FPS, options={"bf": "0", "preset": "ultrafast"})
        stream.height, stream.width = (tiles * side_px for side_px in pictures[0].shape[:2])
        stream.pix_fmt, stream.bit_rate = "yuv420p", tiles**2 * bit_rate
        for picture in pictures:
            large = np.tile(picture, (tiles, tiles, 1))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(large, format="bgr24")))
        out.mux(stream.encode(None))
    return repeated(short, path, 4 * _MOSAIC_FRAMES)[0]


def consume_from_memory(clip: Path, settings: Settings, go: Event, produced: Event, line: Connection) -> None:
    """Consume with the first frame's pixels for all frames: no fetch, no checksum, no decoding."""
    from frametally_consumer.worker import pipeline

    module: Any = pipeline
    read = module.read_frame
    images: list[Pixels] = []

    def from_memory(store: Any, frame: FrameAnnouncement, **options: Any) -> Pixels:
        if not images:
            images.append(read(store, frame, **options))
        return images[0]

    module.read_frame = from_memory
    consume_all(clip, settings, go, produced, line)


def bounds(stages: dict[str, float], *, decoded_frames: float, detect_ms: float) -> tuple[float, ...]:
    """Return the CPU of all stages, and how many times today's frames a second they allow without some.

    Returns:
        The sum in ms a frame; the ratio for pixels of the stored JPEG, which the producer decodes instead of
        the consumer; the ratio for pixels from before the JPEG.
    """
    sum_ms = sum(ms for stage, ms in stages.items() if stage not in ("detect", *PARTS_OF_STAGES))
    sum_ms += detect_ms + (decoded_frames - 1) * stages["decode the video"]
    fetch_ms = stages["fetch"]
    stored = sum_ms / (sum_ms - fetch_ms - stages["verify"])
    return sum_ms, stored, sum_ms / (sum_ms - fetch_ms - stages["verify and decode JPEG"])


def _save(
    by_size: dict[str, dict[str, float]], runs: dict[str, list[Ran]], frames: int, load_before: float
) -> None:
    sizes = list(by_size)
    shares: list[list[Cell]] = []
    for stage in [*END_TO_END_STAGES, *PARTS_OF_STAGES]:
        row: list[Cell] = [f"of which {stage}" if stage in PARTS_OF_STAGES else stage]
        for size in sizes:
            ms = by_size[size][stage]
            row += [round(ms, 3), round(ms / sum(by_size[size][one] for one in END_TO_END_STAGES), 3)]
        shares.append(row)
    at_most: list[list[Cell]] = []
    for size, stages in by_size.items():
        for fps in (_CLIP_FPS, _DEFAULT_FPS):
            decoded = _CLIP_FPS / fps
            sum_ms, *ours = bounds(stages, decoded_frames=decoded, detect_ms=stages["detect"])
            _, *free = bounds(stages, decoded_frames=decoded, detect_ms=0)
            at_most.append(
                [
                    f"{size}, {fps} of {_CLIP_FPS} frames/s",
                    round(sum_ms, 2),
                    *(round(r, 3) for r in (*ours, *free)),
                ]
            )
    speeds = {name: [run.frames / run.wall_s for run in each] for name, each in runs.items()}
    cpu_ms = {
        name: [1000 * (run.producer_cpu_s + run.consumer_cpu_s) / run.frames for run in each]
        for name, each in runs.items()
    }
    cheaper = statistics.median(
        today / ours for today, ours in zip(cpu_ms["today's"], cpu_ms["from memory"], strict=True)
    )
    clip_stages = by_size[sizes[0]]
    _, stored, raw = bounds(clip_stages, decoded_frames=1, detect_ms=clip_stages["detect"])
    save(
        name="handing_over",
        title="Handing pixels over in memory: what it could bring",
        about="The consumer fetches each stored frame, verifies and decodes it. This measures how much "
        "faster one machine could be at most if pixels went through memory to the detector; the way "
        "through memory is taken to cost nothing. The producer still stores every frame, because people see "
        "it behind a bar. Pixels of the stored JPEG save fetching and verifying; decoding only moves to the "
        "producer. Pixels from before the JPEG save decoding too, but the detector then sees another picture "
        "than people do. The detector takes most of the CPU, so neither makes the clip 1.2 times as fast, "
        "and frametally does not do it.",
        by_cpu=True,
        load_before=load_before,
        packages=["av", "numpy", "obstore", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                title="CPU of each stage",
                note="Milliseconds of a frame and share of all, with all cores busy, every frame of the "
                "video taken. The larger frames are mosaics of the clip, as a video that is quick to decode. "
                "The consumer reads them at a quarter of their sides, so the detector's cost is the clip's.",
                columns=["stage", *(column for size in sizes for column in (f"{size}, ms", "share"))],
                rows=shares,
            ),
            Table(
                title="Frames a second, at most, by how much of today's",
                note="The CPU of all stages, divided by the same without the saved ones. The last two "
                "columns take a detector that needs no CPU at all; a GPU comes near that. A frame before its "
                "JPEG has all its pixels: to make it smaller for the detector is not counted.",
                columns=[
                    "footage",
                    "today, ms",
                    "pixels of the stored JPEG",
                    "pixels from before it",
                    "of the stored JPEG, detector for nothing",
                    "from before it, detector for nothing",
                ],
                rows=at_most,
            ),
            Table(
                title="The whole pipeline",
                note=f"{frames:,} frames of the clip, {sizes[0]}, in turns. `from memory` gives the detector "
                "the first frame's pixels again and again: no fetch, no checksum, no decoding.",
                columns=["consumer", "frames/s", "CPU ms a frame"],
                rows=[
                    [
                        name,
                        round(statistics.median(speeds[name]), 1),
                        round(statistics.median(cpu_ms[name]), 2),
                    ]
                    for name in runs
                ],
            ),
        ],
        goals=[
            Goal(
                what="pixels of the stored JPEG: frames a second, at most / today's",
                measured=round(stored, 3),
                at_least=_LEAST_RATIO,
            ),
            Goal(
                what="pixels from before it: frames a second, at most / today's",
                measured=round(raw, 3),
                at_least=_LEAST_RATIO,
            ),
            Goal(
                what="pixels from memory at no cost: today's CPU / measured CPU",
                measured=round(cheaper, 3),
                at_least=_LEAST_RATIO,
            ),
        ],
    )


if __name__ == "__main__":
    main()
