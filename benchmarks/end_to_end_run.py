"""Runs a producer and a consumer, each in a separate process, on the embedded parts."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from frametally.settings.loading import Settings

FIRST_LOOK_FRAMES = 500
_MIB = 1024 * 1024


class Ran(NamedTuple):
    """One run from video file to segments.

    Attributes:
        wall_s: From the signal `go`, when both processes are loaded, to the end of the last segment.
        frames: Frames in segments.
        producer_cpu_s: CPU seconds of the producer since then.
        consumer_cpu_s: CPU seconds of the consumer since then.
        first_mb: The consumer's memory after 500 frames.
        last_mb: The consumer's memory at the end.
        peak_mb: The consumer's peak memory, loading included.
        by_thread_s: The consumer's CPU seconds by its threads' work.
        idle_s: Seconds of all cores in which nothing ran, by the kernel's count.
        others_s: Seconds of all cores in which other processes or machines on this hardware ran.
    """

    wall_s: float
    frames: int
    producer_cpu_s: float
    consumer_cpu_s: float
    first_mb: float
    last_mb: float
    peak_mb: float
    by_thread_s: dict[str, float]
    idle_s: float
    others_s: float


def run_both(clip: Path, settings: Settings, consumer: Callable[..., None] | None = None) -> Ran:
    """Send every frame of `clip` through the data folder of `settings` and the detector.

    `consumer`, if given, replaces `consume_all` and is called with its arguments.
    """
    context = multiprocessing.get_context("spawn")
    go, produced = context.Event(), context.Event()
    lines, processes = [], []
    for target in (consumer or consume_all, _produce):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(clip, settings, go, produced, theirs))
        process.start()
        theirs.close()
        lines.append(ours)
        processes.append(process)
    try:
        for line in lines:
            line.recv()  # loaded
        start_s, cores_before = time.perf_counter(), _cores_s()
        go.set()
        producer_cpu_s, *_ = lines[1].recv()
        frames, consumer_cpu_s, *looks = lines[0].recv()
        wall_s = time.perf_counter() - start_s
        busy_s, idle_s = (now - before for now, before in zip(_cores_s(), cores_before, strict=True))
    finally:
        for process in processes:
            process.join(10)
            process.kill()
    others_s = max(0.0, busy_s - producer_cpu_s - consumer_cpu_s)
    return Ran(wall_s, frames, producer_cpu_s, consumer_cpu_s, *looks, idle_s, others_s)


class Produced(NamedTuple):
    """One run of the producer alone; the fields are those of `Ran`."""

    wall_s: float
    cpu_s: float
    first_mb: float
    last_mb: float
    peak_mb: float
    idle_s: float
    others_s: float


def run_producer(clip: Path, settings: Settings) -> Produced:
    """Send every frame of `clip` into the data folder of `settings`, once the producer is loaded."""
    context = multiprocessing.get_context("spawn")
    go, produced = context.Event(), context.Event()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_produce, args=(clip, settings, go, produced, theirs))
    process.start()
    theirs.close()
    try:
        ours.recv()
        start_s, cores_before = time.perf_counter(), _cores_s()
        go.set()
        cpu_s, *looks = ours.recv()
        wall_s = time.perf_counter() - start_s
        busy_s, idle_s = (now - before for now, before in zip(_cores_s(), cores_before, strict=True))
        return Produced(wall_s, cpu_s, *looks, idle_s, max(0.0, busy_s - cpu_s))
    finally:
        process.join(10)
        process.kill()


def _produce(clip: Path, settings: Settings, go: Event, produced: Event, line: Connection) -> None:
    from frametally.opening import open_frame_log, open_object_store
    from frametally_producer.produce import produce
    from frametally_producer.writing.production import ProduceCall

    looking = _Looking()
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        line.send("loaded")
        go.wait()
        before_s = time.process_time()
        produce(
            ProduceCall(paths=[clip], settings=settings, source="Traffic", start_time="2026-01-01T08:00:00Z"),
            store=store,
            log=log,
            progress=looking,
        )
        produced.set()
        line.send((time.process_time() - before_s, looking.first_mb, _rss_mb(), _peak_mb()))


class _Looking:
    """Observes the process's memory while it works."""

    def __init__(self) -> None:
        self.first_mb = 0.0

    def update(self, done: int, total: int | None, note: str = "") -> None:
        if not self.first_mb and done >= FIRST_LOOK_FRAMES:
            self.first_mb = _rss_mb()

    def say(self, line: str) -> None:
        print(line)


class _LookingAtThreads(_Looking):
    """Also observes its threads."""

    def __init__(self) -> None:
        super().__init__()
        self.by_thread_s: dict[str, float] = {}

    def update(self, done: int, total: int | None, note: str = "") -> None:
        super().update(done, total, note)
        seconds = _cpu_by_thread()
        if "feeding" in seconds:  # not before the threads work
            self.by_thread_s = seconds


def consume_all(clip: Path, settings: Settings, go: Event, produced: Event, line: Connection) -> None:
    """Consume until everything produced is in segments, from the signal `go`; report through `line`."""
    from frametally.opening import open_frame_log, open_object_store
    from frametally_consumer.worker.loop import consume
    from frametally_models.prepare import prepare_detector

    looking = _LookingAtThreads()
    detector = prepare_detector(settings)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        log.create_topic(settings.topic, settings.log_partitions)
        line.send("loaded")
        go.wait()
        before_s, threads_before = time.process_time(), _cpu_by_thread()
        while not any(log.end_offsets(settings.topic).values()):
            time.sleep(0.01)
        frames = 0
        while True:
            last = produced.is_set()
            report = consume(
                settings=settings,
                store=store,
                log=log,
                detector=detector,
                progress=looking,
                until_caught_up=True,
            )
            frames += report.frames
            if last:
                break
        by_thread_s = {
            name: seconds - threads_before.get(name, 0.0) for name, seconds in looking.by_thread_s.items()
        }
        cpu_s = time.process_time() - before_s
        line.send((frames, cpu_s, looking.first_mb, _rss_mb(), _peak_mb(), by_thread_s))


def _rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MIB


def _peak_mb() -> float:
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def _cores_s() -> tuple[float, float]:
    """Return the seconds that all cores together have been busy (or used by the hypervisor), and idle."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, idle, waiting, irq, softirq, steal = fields
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq + steal) / tick, (idle + waiting) / tick


def _cpu_by_thread() -> dict[str, float]:
    """Return CPU seconds of this process's living threads by name; unnamed ones are OpenVINO's."""
    names = {thread.native_id: thread.name.partition("_")[0] for thread in threading.enumerate()}
    seconds: dict[str, float] = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        name = names.get(int(task.name), "network")
        ticks = int(fields[11]) + int(fields[12])
        seconds[name] = seconds.get(name, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return seconds
