"""From a video file to segments of detections, on the embedded parts, beside what the cores could do.

    python benchmarks/end_to_end.py --precision int8

The demo's traffic clip, every frame, repeated to at least 1,500 of them. The INT8 network must have been made
before: `frametally download-models --int8`.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

import av
from baseline import OpenCvDetector, consume_one_by_one
from end_to_end_stages import Cost, stage_costs
from measuring import median_ratio, memory_mb
from results import Cell, Goal, Table, options, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import Settings, load_settings
from frametally_consumer import load as backends

_FIRST_LOOK_FRAMES, _MOST_MB = 500, 600


class Ran(NamedTuple):
    """One run from video file to segments, and the consumer's memory after 500 frames, at the end, at most.

    `wall_s` is from the signal `go`, when both processes are loaded, to the end of the last segment.
    """

    wall_s: float
    frames: int
    first_mb: float
    last_mb: float
    peak_mb: float


def main() -> None:
    """Measure all, and write the result."""
    asked = options(__doc__, precision="int8", frames=1500, rounds=1, baseline_frames=100)
    cores = backends.cores()
    models = load_settings().models_dir.expanduser()
    clip = ensure_demo_clip(models)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        long_clip, frames = repeated(clip, folder / "long.mp4", asked.frames)
        runs, costs = [], []
        for number in range(asked.rounds):
            place, of_all = folder / f"run-{number}", {"detector": "openvino", "sample_fps": "all"}
            settings = load_settings(data_dir=place, precision=asked.precision, **of_all)
            runs.append(run_both(long_clip, settings))
            print(runs[-1])
            # The bound is measured next to each run, as the machine's speed varies.
            costs.append(stage_costs(clip, settings, folder / f"costs-{number}", cores=cores))
        detector = OpenCvDetector(models)
        slow_fps = consume_one_by_one(long_clip, folder / "baseline", detector, frames=asked.baseline_frames)
    if any(run.frames != frames for run in runs):
        raise SystemExit(f"{frames} frames, and not all are in segments")
    _save(asked.precision, frames, cores, runs, costs, slow_fps)


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


def run_both(clip: Path, settings: Settings) -> Ran:
    """Send every frame of `clip` through the data folder of `settings` and the detector."""
    context = multiprocessing.get_context("spawn")
    go, produced = context.Event(), context.Event()
    lines, processes = [], []
    for target in (_consume, _produce):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(clip, settings, go, produced, theirs))
        process.start()
        theirs.close()
        lines.append(ours)
        processes.append(process)
    try:
        for line in lines:
            line.recv()  # loaded
        start_s = time.perf_counter()
        go.set()
        frames, *looks = lines[0].recv()
        return Ran(time.perf_counter() - start_s, frames, *looks)
    finally:
        for process in processes:
            process.join(10)
            process.kill()


class _Looking:
    """Observes the process's memory while it works."""

    def __init__(self) -> None:
        self.first_mb = 0.0

    def update(self, done: int, total: int | None, note: str = "") -> None:
        if not self.first_mb and done >= _FIRST_LOOK_FRAMES:
            self.first_mb = memory_mb(what="VmRSS")

    def say(self, line: str) -> None:
        print(line)


def _produce(clip: Path, settings: Settings, go: Event, produced: Event, line: Connection) -> None:
    from frametally.adapters_by_url import open_frame_log, open_object_store
    from frametally_producer.produce import produce
    from frametally_producer.writing.production import ProduceCall

    call = ProduceCall(paths=[clip], settings=settings, source="Traffic", start_time="2026-01-01T08:00:00Z")
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        line.send("loaded")
        go.wait()
        produce(call, store=store, log=log, progress=_Looking())
        produced.set()


def _consume(clip: Path, settings: Settings, go: Event, produced: Event, line: Connection) -> None:
    """Consume until everything produced is in segments, from the signal `go`; report through `line`."""
    from frametally.adapters_by_url import open_frame_log, open_object_store
    from frametally_consumer.worker.loop import consume
    from frametally_models.prepare import prepare_detector

    looking = _Looking()
    detector = prepare_detector(settings)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        log.create_topic(settings.topic, settings.log_partitions)
        line.send("loaded")
        go.wait()
        while not any(log.end_offsets(settings.topic).values()):
            time.sleep(0.01)
        frames, is_last = 0, False
        while not is_last:
            is_last = produced.is_set()
            report = consume(
                settings=settings,
                store=store,
                log=log,
                detector=detector,
                progress=looking,
                until_caught_up=True,
            )
            frames += report.frames
        line.send((frames, looking.first_mb, memory_mb(what="VmRSS"), memory_mb()))


def _save(
    precision: str, frames: int, cores: int, runs: list[Ran], costs: list[list[Cost]], slow_fps: float
) -> None:
    speeds = [run.frames / run.wall_s for run in runs]
    bounds = [1000 * cores / sum(one.own_ms for one in each) for each in costs]
    share = round(statistics.median(speed / bound for speed, bound in zip(speeds, bounds, strict=True)), 3)
    stages = [_row_of(rounds) for rounds in zip(*costs, strict=True)]
    first_mb, last_mb = (statistics.median(sizes) for sizes in zip(*(run[2:4] for run in runs), strict=True))
    peak_mb = round(max(run.peak_mb for run in runs), 1)
    tables = [
        Table(
            "Frames a second",
            ["what", "frames/s, or part"],
            [
                [f"video file to segments, OpenVINO {precision}", round(statistics.median(speeds), 1)],
                ["the bound", round(statistics.median(bounds), 1)],
                ["of the bound", share],
                ["one image at a time, OpenCV f32", round(slow_fps, 1)],
            ],
            "The bound is cores divided by the sum of the stages' CPU seconds a frame; each run is "
            "compared with the costs that were taken right after it. The one-image-at-a-time consumer "
            "is that of `benchmarks/baseline.py`.",
        ),
        Table(
            "What the stages cost",
            ["stage", "library call", "ms", "library, ms", "ratio"],
            [*stages, ["all", "", round(sum(float(row[2] or 0) for row in stages), 3), None, None]],
            "CPU milliseconds of a frame with all cores busy, beside the bare library call.",
        ),
        Table(
            "The consumer's memory",
            ["when", "MB"],
            [
                [f"after {_FIRST_LOOK_FRAMES} frames", round(first_mb, 1)],
                [f"at the end, {frames:,} frames", round(last_mb, 1)],
                ["the most, loading included", peak_mb],
            ],
        ),
    ]
    growth = round(max(run.last_mb / run.first_mb for run in runs), 3)
    goals = [
        Goal("frames a second / the bound", share, at_least=0.9),
        *(Goal(f"{row[0]} / its library call", float(row[4]), at_most=1.2) for row in stages if row[4]),
        Goal("consumer's memory, MB", peak_mb, at_most=_MOST_MB),
        Goal("consumer's memory at the end / after 500 frames", growth, at_most=1.1),
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


def _row_of(rounds: Sequence[Cost]) -> list[Cell]:
    """Return a stage's row: the medians of its costs, and of the rounds' ratios."""
    row: list[Cell] = [*rounds[0][:2], round(statistics.median(one.own_ms for one in rounds), 3)]
    bare = [(one.own_ms, one.library_ms) for one in rounds if one.library_ms is not None]
    if not bare:
        return [*row, None, None]
    own_ms, library_ms = zip(*bare, strict=True)
    return [*row, round(statistics.median(library_ms), 3), median_ratio(own_ms, library_ms)]


if __name__ == "__main__":
    main()
