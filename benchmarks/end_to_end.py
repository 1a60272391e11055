"""From a video file to segments of detections, on the embedded parts, beside what the cores could do.

    python benchmarks/end_to_end.py --precision int8

The demo's traffic clip, every frame, repeated to at least 1,500 of them. The INT8 network must have been made
before: `frametally download-models --int8`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import av
import numpy as np
from baseline import OpenCvDetector, consume_one_by_one, detector_share
from end_to_end_run import Ran, run_both
from end_to_end_stages import Cost, stage_costs
from results import Cell, Goal, Table, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels, cv2
from frametally.settings.loading import load_settings
from frametally_consumer import load as backends

_MOST_MB = 600


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precision", choices=["f32", "bf16", "int8"], default="int8")
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--baseline-frames", type=int, default=100)
    options = parser.parse_args()
    cores = backends.cores()
    models = load_settings().models_dir.expanduser()
    clip = ensure_demo_clip(models)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        long_clip, frames = repeated(clip, folder / "long.mp4", options.frames)
        runs, costs = [], []
        for number in range(options.rounds):
            settings = load_settings(
                data_dir=folder / f"run-{number}",
                detector="openvino",
                precision=options.precision,
                sample_fps="all",
            )
            runs.append(run_both(long_clip, settings))
            print(runs[-1])
            # The bound is measured next to each run, as the machine's speed varies.
            costs.append(stage_costs(clip, settings, folder / f"costs-{number}", cores=cores, rounds=1))
        detector = OpenCvDetector(
            models / "yolov4-tiny.cfg", models / "yolov4-tiny.weights", models / "coco.names"
        )
        bare_fps, share = detector_share(detector, some_frames(clip, 20), rounds=3)
        slow_fps = consume_one_by_one(
            long_clip, folder / "baseline", detector, frames=options.baseline_frames
        )
    if any(run.frames != frames for run in runs):
        raise SystemExit(f"{frames} frames, and not all are in segments")
    _save(options.precision, frames, cores, runs, costs, (bare_fps, share, slow_fps))


def repeated(clip: Path, path: Path, least_frames: int) -> tuple[Path, int]:
    """Repeat `clip` in one video, packet by packet without encoding, to at least that many frames."""
    frames = 0
    with av.open(str(path), "w") as out:
        target = None
        offset = 0
        while frames < least_frames:
            with av.open(str(clip)) as container:
                stream = container.streams.video[0]
                target = target or out.add_stream_from_template(stream)
                end = 0
                for packet in container.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = target
                    out.mux(packet)
                    frames += 1
                offset += end
    return path, frames


def some_frames(clip: Path, count: int) -> list[Pixels]:
    """Return the first frames of a video."""
    capture = cv2.VideoCapture(str(clip))
    return [np.asarray(capture.read()[1], np.uint8) for _ in range(count)]


def middle(costs: list[list[Cost]]) -> list[Cost]:
    """Return each stage's cost: the medians of the rounds."""
    stages = []
    for rounds in zip(*costs, strict=True):
        bare = [one.library_ms for one in rounds if one.library_ms is not None]
        ratios = [one.ratio for one in rounds if one.ratio is not None]
        stages.append(
            Cost(
                rounds[0].stage,
                rounds[0].library,
                statistics.median(one.own_ms for one in rounds),
                statistics.median(bare) if bare else None,
                statistics.median(ratios) if ratios else None,
            )
        )
    return stages


def stages_table(stages: list[Cost], *, of: str = "") -> Table:
    """Return a table of the stages `of` some frames, with the cost of each and of all."""
    rows: list[list[Cell]] = [
        [
            one.stage,
            one.library,
            round(one.own_ms, 3),
            None if one.library_ms is None else round(one.library_ms, 3),
            None if one.ratio is None else round(one.ratio, 2),
        ]
        for one in stages
    ]
    return Table(
        f"What the stages cost, {of}" if of else "What the stages cost",
        ["stage", "library call", "ms", "library, ms", "ratio"],
        [*rows, ["all", "", round(sum(one.own_ms for one in stages), 3), None, None]],
        "CPU milliseconds of a frame with all cores busy, beside the bare library call.",
    )


def _save(
    precision: str,
    frames: int,
    cores: int,
    runs: list[Ran],
    costs: list[list[Cost]],
    baseline: tuple[float, float, float],
) -> None:
    speeds = [run.frames / run.wall_s for run in runs]
    bounds = [1000 * cores / sum(one.own_ms for one in each) for each in costs]
    shares = [speed / bound for speed, bound in zip(speeds, bounds, strict=True)]
    # Time that other processes used was not available.
    ours = [1 - run.others_s / (cores * run.wall_s) for run in runs]
    own_shares = [share / part for share, part in zip(shares, ours, strict=True)]
    stages = middle(costs)
    sum_ms = sum(one.own_ms for one in stages)
    bare_fps, detector_part, slow_fps = baseline
    spent_ms = [1000 * (run.producer_cpu_s + run.consumer_cpu_s) / run.frames for run in runs]
    by_thread = {
        name: statistics.median(1000 * run.by_thread_s.get(name, 0.0) / run.frames for run in runs)
        for name in runs[0].by_thread_s
    }
    tables = [
        Table(
            "Frames a second",
            ["what", "frames/s, or part"],
            [
                [f"video file to segments, OpenVINO {precision}", round(statistics.median(speeds), 1)],
                ["the bound", round(statistics.median(bounds), 1)],
                ["of the bound", round(statistics.median(shares), 3)],
                [
                    "of the bound, of the cores' time that others left",
                    round(statistics.median(own_shares), 3),
                ],
                ["one image at a time, OpenCV f32", round(slow_fps, 1)],
                ["the bare network, OpenCV f32", round(bare_fps, 1)],
            ],
            "The bound is cores divided by the sum of the stages' CPU seconds a frame; each run is "
            "compared with the costs that were taken right after it. The one-image-at-a-time consumer and "
            "the bare network are OpenCV's, from `benchmarks/baseline.py`.",
        ),
        stages_table(stages),
        Table(
            "Where the rest goes",
            ["part", "ms a frame"],
            [
                ["stages", round(sum_ms, 2)],
                ["other CPU of these two processes", round(statistics.median(spent_ms) - sum_ms, 2)],
                *(
                    [what, round(statistics.median(1000 * seconds(run) / run.frames for run in runs), 2)]
                    for what, seconds in (
                        ("other processes", lambda run: run.others_s),
                        ("idle", lambda run: run.idle_s),
                    )
                ),
                *([f"consumer: {name}", round(ms, 2)] for name, ms in sorted(by_thread.items())),
            ],
            "Of the cores' time in a run: what the stages account for, what else was spent (the loop, "
            "the threads, two processes in each other's caches), what other processes took (by the kernel's "
            "count, the hypervisor's share included), and what was left idle. Then the consumer's CPU by "
            "what its threads do: reading and decoding is `loading`, resizing `feeding`, the network and its "
            "post-processing `network`.",
        ),
        Table(
            "The consumer's memory",
            ["when", "MB"],
            [
                ["after 500 frames", round(statistics.median(run.first_mb for run in runs), 1)],
                [f"at the end, {frames:,} frames", round(statistics.median(run.last_mb for run in runs), 1)],
                ["the most, loading included", round(max(run.peak_mb for run in runs), 1)],
            ],
        ),
    ]
    goals = [
        Goal("frames a second / the bound", round(statistics.median(shares), 3), at_least=0.9),
        *(
            Goal(f"{one.stage} / its library call", round(one.ratio, 2), at_most=1.2)
            for one in stages
            if one.ratio is not None
        ),
        Goal("baseline: its detector / bare OpenCV DNN", round(detector_part, 3), at_least=0.95),
        Goal("consumer's memory, MB", round(max(run.peak_mb for run in runs), 1), at_most=_MOST_MB),
        Goal(
            "consumer's memory at the end / after 500 frames",
            round(max(run.last_mb / run.first_mb for run in runs), 3),
            at_most=1.1,
        ),
    ]
    save(
        name="end_to_end",
        title="From video to segments",
        about=f"The traffic clip (854x480, 30 frames a second), repeated to {frames:,} frames, all of them "
        "taken: a producer and a consumer, a process each, on the embedded parts, from the start of the "
        "first to the last segment. Loading libraries and network is not in it.",
        by_cpu=True,
        packages=["av", "numpy", "obstore", "opencv-python-headless", "openvino"],
        tables=tables,
        goals=goals,
    )


if __name__ == "__main__":
    main()
