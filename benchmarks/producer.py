"""The producer alone: how fast it stores and announces every frame of a video, and how fast it could.

    python benchmarks/producer.py

The demo's traffic clip, repeated to at least 1,500 frames, as it is and shrunk to 640 pixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from end_to_end import middle, repeated, stages_table
from end_to_end_run import Produced, run_producer
from end_to_end_stages import PRODUCER_STAGES, Cost, stage_costs
from results import Cell, Goal, Table, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings
from frametally_consumer import load as backends

SIDES_PX = [0, 640]
_LEAST_FPS = 250
"""More than the fastest detector takes in on the same cores."""


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    cores = backends.cores()
    clip = ensure_demo_clip(load_settings().models_dir.expanduser())
    rows: list[list[Cell]] = []
    runs: list[Produced] = []
    tables: list[Table] = []
    ratios: dict[str, float] = {}
    goals = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        long_clip, frames = repeated(clip, folder / "long.mp4", options.frames)
        for side_px in SIDES_PX:
            speeds, cpu_ms, bounds, busy = [], [], [], []
            all_costs: list[list[Cost]] = []
            stages = PRODUCER_STAGES if side_px else [one for one in PRODUCER_STAGES if one != "shrink"]
            for number in range(options.rounds):
                settings = load_settings(
                    data_dir=folder / f"{side_px}-{number}",
                    sample_fps="all",
                    max_side_px=side_px,
                    detector="pixels",
                )
                ran = run_producer(long_clip, settings)
                costs = stage_costs(
                    clip,
                    settings,
                    folder / f"costs-{side_px}-{number}",
                    cores=cores,
                    rounds=1,
                    stages=stages,
                )
                runs.append(ran)
                all_costs.append(costs)
                speeds.append(frames / ran.wall_s)
                cpu_ms.append(1000 * ran.cpu_s / frames)
                bounds.append(1000 * cores / sum(one.own_ms for one in costs))
                busy.append((ran.cpu_s + ran.others_s) / ran.wall_s)
            what = f"longest side {side_px} px" if side_px else "as it is, 854x480"
            rows.append(
                [
                    what,
                    round(statistics.median(speeds), 1),
                    round(statistics.median(cpu_ms), 2),
                    round(statistics.median(bounds), 1),
                    round(
                        statistics.median(speed / bound for speed, bound in zip(speeds, bounds, strict=True)),
                        2,
                    ),
                    round(statistics.median(busy), 2),
                ]
            )
            costs_ms = middle(all_costs)
            tables.append(stages_table(costs_ms, of=what))
            ratios = {one.stage: one.ratio for one in costs_ms if one.ratio is not None} | ratios
            goals.append(
                Goal(
                    what=f"frames/s, {what}",
                    measured=round(statistics.median(speeds), 1),
                    at_least=_LEAST_FPS,
                )
            )
    goals += [
        Goal(what=f"{stage} / its library call", measured=round(ratio, 2), at_most=1.2)
        for stage, ratio in ratios.items()
    ]
    goals.append(
        Goal(
            what="memory at the end / after 500 frames",
            measured=round(max(ran.last_mb / ran.first_mb for ran in runs), 3),
            at_most=1.1,
        )
    )
    save(
        name="producer",
        title="The producer alone",
        about=f"{frames:,} frames of the traffic clip, every one: decoding and conversion in one thread; "
        "shrinking, encoding, hashing and putting in two more; announcements in batches of a hundred. From "
        "its start to its end on the embedded parts, loading of libraries left out.",
        load_before=load_before,
        packages=["av", "obstore", "opencv-python-headless"],
        tables=[
            Table(
                title="Frames a second",
                note="The bound is cores divided by the CPU seconds of its stages alone with all cores busy; "
                "cores busy includes other processes of the machine.",
                columns=["frames", "frames/s", "CPU ms a frame", "the bound", "of the bound", "cores busy"],
                rows=rows,
            ),
            *tables,
            Table(
                title="The producer's memory",
                columns=["when", "MB"],
                rows=[
                    ["after 500 frames", round(statistics.median(ran.first_mb for ran in runs), 1)],
                    [
                        f"at the end, {frames:,} frames",
                        round(statistics.median(ran.last_mb for ran in runs), 1),
                    ],
                    ["the most, loading included", round(max(ran.peak_mb for ran in runs), 1)],
                ],
            ),
        ],
        goals=goals,
    )


if __name__ == "__main__":
    main()
