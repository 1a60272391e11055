"""How many workers, and how many threads each: the consumer alone, on frames that are in the store already.

python benchmarks/detectors_workers.py --precision int8
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from end_to_end import repeated
from end_to_end_run import run_producer
from results import Goal, Table, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.opening import open_frame_log
from frametally.ports.frame_log import consumer_group
from frametally.process.reports import NoProgress
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.supervisor import consume_with_workers
from frametally_models.prepare import prepare_detector

_WARM_FRAMES = 100
"""Frames before the clock starts, by which time every worker is running."""


def main() -> None:
    """Measure all, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precision", choices=["f32", "bf16", "int8"], default="int8")
    parser.add_argument("--frames", type=int, default=720)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    all_cores = sorted(os.sched_getaffinity(0))
    counts = sorted({1, 2, len(all_cores)} & set(range(1, len(all_cores) + 1)))
    speeds: dict[tuple[int, int, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        produced = Path(scratch) / "produced"
        clip, frames = repeated(
            ensure_demo_clip(load_settings().models_dir.expanduser()),
            Path(scratch) / "long.mp4",
            options.frames,
        )
        run_producer(clip, load_settings(data_dir=produced, sample_fps="all"))
        settings = load_settings(
            data_dir=Path(scratch) / "work", detector="openvino", precision=options.precision, batch_frames=20
        )
        model = prepare_detector(settings).model_id
        for _ in range(options.rounds):
            for cores in counts:
                os.sched_setaffinity(0, all_cores[:cores])
                for workers, threads in variants(cores):
                    shutil.rmtree(settings.data_dir, ignore_errors=True)
                    shutil.copytree(produced, settings.data_dir)
                    own = settings.model_copy(update={"detector_threads": threads})
                    fps = _fps(own, workers, model, frames)
                    print(f"{cores} cores, {workers} workers with {threads} threads: {fps:.1f} fps")
                    speeds.setdefault((cores, workers, threads), []).append(fps)
        os.sched_setaffinity(0, all_cores)
    _save(options.precision, frames, speeds)


def variants(cores: int) -> list[tuple[int, int]]:
    """Return the numbers of workers and threads to compare on so many cores."""
    candidates = [(1, cores), (2, max(1, cores // 2)), (2, cores), (cores, 1), (1, 2 * cores)]
    return list(dict.fromkeys(candidates))


def _fps(settings: Settings, workers: int, model: str, frames: int) -> float:
    """Return the frames a second from when `_WARM_FRAMES` are committed to the end."""
    seen: list[tuple[float, int]] = []
    over = threading.Event()

    def watch() -> None:
        with closing(open_frame_log(settings.log_url)) as log:
            while not over.is_set():
                done = sum(log.committed(settings.topic, consumer_group(model)).values())
                if done >= _WARM_FRAMES and (not seen or seen[-1][1] != done):
                    seen.append((time.perf_counter(), done))
                over.wait(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    ended = consume_with_workers(workers, settings=settings, progress=NoProgress(), until_caught_up=True)
    time.sleep(0.1)
    over.set()
    watcher.join()
    if ended.report.frames != frames:
        raise SystemExit(f"{frames} frames, and {ended.report.frames} were detected")
    (start_s, first), (end_s, last) = seen[0], seen[-1]
    return (last - first) / (end_s - start_s)


def _save(precision: str, frames: int, speeds: dict[tuple[int, int, int], list[float]]) -> None:
    rows = [[*variant, round(statistics.median(fps), 1)] for variant, fps in speeds.items()]
    goals = []
    for cores in sorted({variant[0] for variant in speeds}):
        best = max(statistics.median(fps) for variant, fps in speeds.items() if variant[0] == cores)
        default = statistics.median(speeds[cores, 1, cores])
        goals.append(Goal(f"{cores} cores: the default / the best", round(default / best, 3), at_least=0.95))
    save(
        name="detectors_workers",
        title="Workers and threads",
        about=f"The consumer alone, OpenVINO {precision}, on {frames} stored frames of the traffic clip: the "
        "default is one worker whose network has a thread for each core. With `--workers N` each has twice "
        "its part of the cores, at most all.",
        packages=["numpy", "opencv-python-headless", "openvino"],
        tables=[
            Table(
                "Frames a second by workers and threads",
                ["cores", "workers", "threads of each", "frames/s"],
                rows,
                "From the hundredth frame on, so that loading is not in it; medians of rounds that took "
                "turns.",
            )
        ],
        goals=goals,
    )


if __name__ == "__main__":
    main()
