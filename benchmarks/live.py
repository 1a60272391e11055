"""What is live: how late frames are seen, how many may watch them, and what a stream costs.

    python benchmarks/live.py [--seconds 20] [--rounds 2] [--precision bf16]

Everything runs in separate processes on the embedded parts of this machine: the source of frames, the
consumer, the dashboard and the viewers share its cores.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from live_frames import SOURCE, frames_of
from live_viewers import FRAMES_PER_S, JPEG_BYTES, SLOW_S
from playback import cpu_s, listening, serving
from results import Cell, Goal, Table, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.opening import open_frame_log, open_object_store
from frametally.ports.frame_log import FrameLog, consumer_group
from frametally.ports.object_store import ObjectStore
from frametally.segments.contents import list_segments
from frametally.settings.loading import load_settings
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed
from frametally_models.prepare import prepare_detector
from frametally_videos.catalogue.catalogue_rows import VideoQuestion
from frametally_videos.opening import open_video_catalogue

FOLDER = Path(__file__).parent
FAST, SLOW, DEAD = 175, 20, 5
TWO_FRAMES_MS = 2000 / FRAMES_PER_S
MOST_OVER_MS, LEAST_OF_ALONE, MOST_MEMORY_MB = 120, 0.9, 50
LEAST_VIEWERS, LEAST_OF_BARE, MOST_PRICE = 500, 0.7, 1.1
MINUTE_S = 60
START_TIME = "2026-03-01T10:00:00Z"
Seen = dict[str, dict[str, Any]]


def main() -> None:
    """Measure, and write benchmarks/results/live.json."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--seconds", type=float, default=20.0, help="of each measurement with viewers")
    asked.add_argument("--rounds", type=int, default=2, help="of a minute of video each, in turns")
    asked.add_argument("--precision", default="f32", help="of the detector, as FRAMETALLY_PRECISION")
    chosen = asked.parse_args()
    load_before = os.getloadavg()[0]
    os.environ["FRAMETALLY_PRECISION"] = chosen.precision
    with tempfile.TemporaryDirectory() as made:
        tables, goals = [], []
        for table, some in (
            capture_to_drawn(Path(made, "drawn"), chosen.seconds),
            many_viewers(Path(made, "watched"), chosen.seconds),
            price_for_counting(Path(made), chosen.rounds),
        ):
            tables.append(table)
            goals += some
    save(
        name="live",
        title="What is live",
        about="From the capture of a frame to its viewer, with detection in between, beside detection alone; "
        f"{FAST + SLOW + DEAD} viewers of whom {SLOW} take a second for each frame and {DEAD} acknowledge "
        "none, beside one who is alone, and beside `websockets.broadcast` to as many; and the CPU time of a "
        "video that is streamed, beside that of the same video as a batch.",
        load_before=load_before,
        packages=["uvicorn", "starlette", "websockets", "openvino"],
        tables=tables,
        goals=goals,
    )


def capture_to_drawn(folder: Path, seconds: float) -> tuple[Table, list[Goal]]:
    """Measure frames from capture through `frametally consume --live` to a single viewer."""
    alone_ms = detection_ms(round(seconds * FRAMES_PER_S))
    asked = add_camera(folder)
    with (
        serving(sys.executable, folder, "--alone") as (_, port),
        running(sys.executable, "-m", "frametally", "consume", "--live", "--data-dir", str(folder)),
        running(sys.executable, str(FOLDER / "live_frames.py"), "announced", str(folder)),
    ):
        watch(port, asked, 5.0, 1)  # until the detector is loaded and caught up
        seen = watch(port, asked, seconds, 1)["fast"]
    beside = {name: round(quantile(alone_ms, part), 1) for name, part in (("p50", 0.5), ("p95", 0.95))}
    table = Table(
        title="From capture to viewer",
        columns=["what", "frames/s", "p50 (ms)", "p95 (ms)"],
        rows=[
            ["capture to viewer", seen["frames_per_s"], seen["p50_ms"], seen["p95_ms"]],
            [
                f"detection alone, {load_settings().precision}, at the same pace",
                float(FRAMES_PER_S),
                beside["p50"],
                beside["p95"],
            ],
        ],
        note="A frame is captured when its pixels are there: then it is encoded, stored, announced, read, "
        "detected, told, read by the dashboard and sent.",
    )
    over_ms = round(seen["p95_ms"] - beside["p95"], 1)
    return table, [
        Goal(what="capture to viewer over detection alone, p95 (ms)", measured=over_ms, at_most=MOST_OVER_MS)
    ]


def detection_ms(frames: int) -> list[float]:
    """Return the time to detect each frame when it is due."""
    settings = load_settings()
    detector = prepare_detector(settings)
    pixels = frames_of(ensure_demo_clip(settings.models_dir.expanduser()))
    detector.detect(pixels[:1])
    took_ms = []
    for number in range(frames):
        begun_s = time.perf_counter()
        detector.detect([pixels[number % len(pixels)]])
        took_s = time.perf_counter() - begun_s
        took_ms.append(1000 * took_s)
        time.sleep(max(0.0, 1 / FRAMES_PER_S - took_s))
    return took_ms


def many_viewers(folder: Path, seconds: float) -> tuple[Table, list[Goal]]:
    """Measure results watched by one viewer, by many (some slow or dead), and from a bare server."""
    asked = add_camera(folder)
    everybody = FAST + SLOW + DEAD
    with (
        serving(sys.executable, folder, "--alone") as (process, port),
        running(sys.executable, str(FOLDER / "live_frames.py"), "results", str(folder)),
    ):
        watch(port, asked, 1.0, 1)
        alone = watch(port, asked, seconds, 1)["fast"]
        before_mb = memory_mb(process)
        Path(f"/proc/{process}/clear_refs").write_text("5", "ascii")  # resets the peak
        many, used_s = costing(process, port, asked, seconds, FAST, SLOW, DEAD)
        grown_mb = memory_mb(process, "VmHWM") - before_mb
        all_fast, fast_used_s = costing(process, port, asked, seconds, everybody)
    bare_command = (sys.executable, str(FOLDER / "live_viewers.py"), "bare")
    with listening(*bare_command) as (process, port):
        bare, bare_used_s = costing(process, port, "", seconds, everybody)
    fast, slow = many["fast"], many["slow"]
    sent = {"ours": sent_of(all_fast, seconds), "bare": sent_of(bare, seconds)}
    each_ms = 1000 * fast_used_s / sent["ours"]
    bare_ms = 1000 * bare_used_s / sent["bare"]
    many_ms = 1000 * used_s / sent_of(many, seconds)
    rows: list[list[Cell]] = [
        _row("one alone", alone),
        _row(f"{FAST} fast, beside {SLOW} slow and {DEAD} dead", fast, many_ms),
        _row(f"{SLOW} slow, {SLOW_S:g} s a frame", slow),
        _row(f"{everybody} fast", all_fast["fast"], each_ms),
        _row(f"{everybody} fast, `websockets.broadcast`", bare["fast"], bare_ms),
    ]
    table = Table(
        title=f"Viewers of one camera: {FRAMES_PER_S} frames a second of {JPEG_BYTES // 1000} kB",
        columns=[
            "who",
            "frames/s each",
            "least",
            "p50 (ms)",
            "p95 (ms)",
            "longest (ms)",
            "CPU a frame sent (ms)",
        ],
        rows=rows,
        note="Milliseconds from the moment at which a picture was there until it was at the viewer. The "
        "viewers take CPU, too, of the same cores.",
    )
    return table, [
        Goal(
            what="frames of the fast, against one alone (times)",
            measured=round(fast["frames_per_s"] / alone["frames_per_s"], 3),
            at_least=LEAST_OF_ALONE,
        ),
        Goal(
            what="oldest picture of the fast, over p95 of one alone (ms)",
            measured=round(fast["most_ms"] - alone["p95_ms"], 1),
            at_most=TWO_FRAMES_MS,
        ),
        Goal(
            what="oldest picture that a slow one draws, over its own pauses and p95 of one alone (ms)",
            measured=round(slow["drawn_most_ms"] - 2000 * SLOW_S - alone["p95_ms"], 1),
            at_most=TWO_FRAMES_MS,
        ),
        Goal(
            what=f"memory of {everybody} viewers (MB)",
            measured=round(grown_mb, 1),
            at_most=MOST_MEMORY_MB,
        ),
        Goal(
            what=f"viewers a core at {FRAMES_PER_S} frames/s",
            measured=round(1000 / (FRAMES_PER_S * each_ms)),
            at_least=LEAST_VIEWERS,
        ),
        Goal(
            what="viewers a core, against `websockets.broadcast` (times)",
            measured=round(bare_ms / each_ms, 2),
            at_least=LEAST_OF_BARE,
        ),
    ]


def _row(who: str, seen: dict[str, Any], each_ms: float | None = None) -> list[Cell]:
    figures = [seen[name] for name in ("frames_per_s", "least_per_s", "p50_ms", "p95_ms", "most_ms")]
    return [who, *figures, None if each_ms is None else round(each_ms, 3)]


def price_for_counting(folder: Path, rounds: int) -> tuple[Table, list[Goal]]:
    """Measure the CPU time of a streamed minute and of the same minute as a batch, in turns."""
    minute = folder / "minute.mp4"
    lengthen(ensure_demo_clip(load_settings().models_dir.expanduser()), minute)
    took: dict[str, list[tuple[float, float]]] = {"stream": [], "batch": []}
    for number in range(rounds):
        for kind, one in (("batch", batch_cpu_s), ("stream", stream_cpu_s)):
            took[kind].append(one(minute, folder / f"{kind}-{number}"))
    made, detected = (
        {kind: statistics.median(pair[at] for pair in pairs) for kind, pairs in took.items()} for at in (0, 1)
    )
    in_all = {kind: made[kind] + detected[kind] for kind in took}
    titles = {
        "stream": "streamed: `frametally live work`, `frametally consume --live`",
        "batch": "batch: `frametally produce`, `frametally consume`",
    }
    table = Table(
        title=f"CPU time of a minute of video, {FRAMES_PER_S} frames a second of it",
        columns=["how", "frames (CPU s)", "detection (CPU s)", "in all (CPU s)"],
        rows=[
            [titles[kind], round(made[kind], 2), round(detected[kind], 2), round(in_all[kind], 2)]
            for kind in took
        ],
        note="Whole processes, with their start.",
    )
    price = round(in_all["stream"] / in_all["batch"], 2)
    return table, [
        Goal(what="a stream's CPU, against the batch's (times)", measured=price, at_most=MOST_PRICE)
    ]


def lengthen(clip: Path, minute: Path) -> None:
    """Repeat a clip to the length of a minute, without re-encoding."""
    with av.open(str(minute), "w") as target:
        stream, begun = None, Fraction(0)
        while begun < MINUTE_S:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                assert video.duration is not None  # noqa: S101
                assert video.time_base is not None  # noqa: S101
                shift = round(begun / video.time_base)
                for packet in source.demux(video):
                    if packet.pts is None or packet.dts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    target.mux(packet)
                begun += video.duration * video.time_base


def batch_cpu_s(minute: Path, folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of making frames, and of detecting in them."""
    options = ["--source", SOURCE, "--start-time", START_TIME, "--sample-fps", str(FRAMES_PER_S)]
    made = frametally(folder, "produce", *options, str(minute))
    return spent_s(made), spent_s(frametally(folder, "consume", "--until-caught-up"))


def stream_cpu_s(minute: Path, folder: Path) -> tuple[float, float]:
    """Return the same for a stream at the video's own pace, up to its last result."""
    options = ["--source", SOURCE, "--start-time", START_TIME]
    spent_s(frametally(folder, "upload", *options, str(minute)))
    settings = load_settings(data_dir=folder)
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        video_id = catalogue.videos(VideoQuestion()).rows[0].record.id
    consumer = frametally(folder, "consume", "--live")
    worker = frametally(folder, "live", "work")
    spent_s(frametally(folder, "stream", video_id))
    worker.send_signal(signal.SIGTERM)
    made_s = spent_s(worker)
    with (
        closing(open_frame_log(settings.log_url)) as log,
        closing(open_object_store(settings.store_url)) as store,
    ):
        while not is_drained(log, store, settings.live_topic):
            time.sleep(0.2)
    consumer.send_signal(signal.SIGTERM)
    return made_s, spent_s(consumer)


def is_drained(log: FrameLog, store: ObjectStore, topic: str) -> bool:
    """Return whether everything announced on the live topic is in segments."""
    models = {key.split("/")[1].removeprefix("model=") for key in list_segments(store)}
    ends = {partition: end for partition, end in log.end_offsets(topic).items() if end}
    groups = [consumer_group(model, live=True) for model in models]
    return any(ends.items() <= log.committed(topic, group).items() for group in groups)


def frametally(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start `frametally ...` in a separate process."""
    return subprocess.Popen(
        [sys.executable, "-m", "frametally", *arguments, "--data-dir", str(folder)],
        env=os.environ | {"FRAMETALLY_SAMPLE_FPS": str(FRAMES_PER_S)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def spent_s(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU time of a process that ends, and of the children it waited for."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 130):
        raise SystemExit(f"a command ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def add_camera(folder: Path) -> str:
    """Add the camera whose frames `live_frames.py` shows; return the viewers' query."""
    with closing(LiveBook(load_settings(data_dir=folder).catalogue_url)) as feeds:
        feeds.put_camera(Feed(str(uuid.uuid4()), "camera", SOURCE, SOURCE))
    return f"source={SOURCE}"


@contextmanager
def running(*command: str) -> Iterator[int]:
    """Run a command until the block ends; give its process ID."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def watch(port: int, asked: str, seconds: float, *kinds: int) -> Seen:
    """Run so many fast, slow and dead viewers in a separate process; return what they saw."""
    return finished(started_viewers(port, asked, seconds, *kinds))


def costing(process: int, port: int, asked: str, seconds: float, *kinds: int) -> tuple[Seen, float]:
    """Do as `watch`; also return the server's CPU seconds, without those in which viewers connected."""
    viewers = started_viewers(port, asked, seconds, *kinds)
    time.sleep(_COMES_S)
    begun_s, before_s = time.monotonic(), cpu_s(process)
    time.sleep(seconds / 2)
    rate = (cpu_s(process) - before_s) / (time.monotonic() - begun_s)
    return finished(viewers), rate * seconds


_COMES_S = 5.0


def started_viewers(
    port: int, asked: str, seconds: float, fast: int, slow: int = 0, dead: int = 0
) -> subprocess.Popen[str]:
    """Start a process of viewers."""
    url = f"ws://127.0.0.1:{port}/ws/stream?{asked}"
    numbers = map(str, (seconds, fast, slow, dead))
    command = [sys.executable, str(FOLDER / "live_viewers.py"), "watch", url, *numbers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finished(viewers: subprocess.Popen[str]) -> Seen:
    """Return what the viewers saw."""
    said, _ = viewers.communicate()
    if viewers.returncode:
        raise SystemExit("the viewers failed")
    seen: Seen = json.loads(said)
    return seen


def sent_of(seen: Seen, seconds: float) -> float:
    """Return the total number of frames that viewers got."""
    return seconds * sum(float(one["viewers"] * one["frames_per_s"]) for one in seen.values())


def memory_mb(process: int, which: str = "VmRSS") -> float:
    """Return a process's memory in megabytes; with `VmHWM`, its peak."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(which)).split()[1]) * 1024 / 1e6


def quantile(values: Sequence[float], part: float) -> float:
    """Return a quantile of some values."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


if __name__ == "__main__":
    main()
