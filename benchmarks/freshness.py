"""How long it takes from a frame on the log to its count in the dashboard's answer, all running by itself.

    python benchmarks/freshness.py [--rounds 3] [--every 15s]

A consumer, `frametally aggregate --every 15s` and a dashboard run side by side on the embedded parts, each in
a separate process, with the settings of `frametally demo`. Each round produces the demo clip again, and polls
the progress of the log and the dashboard five times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from dashboard import serving
from results import Cell, Goal, Table, save

from frametally.files.demo_clip import ensure_demo_clip
from frametally.opening import open_frame_log
from frametally.ports.frame_log import FrameLog
from frametally.settings.loading import load_settings

LOOK_EVERY_S = 0.2
STEP_S = 5
PATIENCE_S = 300
MOST_S = 60
_ABOUT = (
    "The demo's traffic clip is produced once a round while a consumer, `frametally aggregate "
    "--every {every}` and the dashboard run side by side on the embedded parts, with the demo's settings. "
    "From the moment at which a frame is on the log to the first answer of `/api/v1/counts` that has it, "
    "looked at five times a second. In between lie the frames before it, the consumer's batch (5 s at most), "
    "the wait for the next round ({every} at most), counting and indexing; all of them share the cores."
)


class Round(NamedTuple):
    """One production of the clip; seconds from the log to the count, for its first frame and its last."""

    frames: int
    first_s: float
    last_s: float


def main() -> None:
    """Measure, and write benchmarks/results/freshness.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", default="15s")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    clip = ensure_demo_clip(load_settings().models_dir.expanduser())
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        env = {"FRAMETALLY_DATA_DIR": str(data_dir), "FRAMETALLY_INTERVAL_S": "1"}
        produce("warm-up", again(clip, folder, 0), env).wait()  # so that there is a log to read
        settings = load_settings(data_dir=data_dir)
        with (
            running(env, "consume"),
            running(env, "aggregate", "--every", options.every),
            serving(data_dir, env) as port,
            closing(open_frame_log(settings.log_url)) as log,
        ):
            before = on_log(log, settings.topic)
            wait_for(lambda: in_chart(port, "warm-up") == before)
            rounds = []
            for number in range(1, options.rounds + 1):
                time.sleep(number * STEP_S)
                medium = again(clip, folder, number)
                rounds.append(
                    measure(f"round-{number}", medium, env, port, lambda: on_log(log, settings.topic))
                )
    rows: list[list[Cell]] = [
        [number, one.frames, round(one.first_s, 1), round(one.last_s, 1)]
        for number, one in enumerate(rounds, start=1)
    ]
    save(
        name="freshness",
        title="From the log to the chart",
        about=_ABOUT.format(every=options.every),
        load_before=load,
        packages=["mrjob", "opencv-python-headless"],
        tables=[
            Table(
                title="Seconds until a frame is counted",
                columns=["round", "frames", "first frame, s", "last frame, s"],
                rows=[
                    *rows,
                    [
                        "median",
                        None,
                        round(statistics.median(one.first_s for one in rounds), 1),
                        round(statistics.median(one.last_s for one in rounds), 1),
                    ],
                ],
                note=f"Each time the clip comes {STEP_S} s later than before, seen from the job's last "
                "round: how long a frame waits for the next one is chance.",
            )
        ],
        goals=[
            Goal(
                what=f"seconds from the log to the count, `--every {options.every}`, the longest",
                measured=round(max(max(one.first_s, one.last_s) for one in rounds), 1),
                at_most=MOST_S,
            )
        ],
    )


def measure(source: str, clip: Path, env: dict[str, str], port: int, announced: Callable[[], int]) -> Round:
    """Produce the clip as `source`, and watch it appear in the chart."""
    before = announced()
    with produce(source, clip, env) as producer:
        wait_for(lambda: announced() > before)
        first_began_s = time.monotonic()
        last_began_s = first_began_s
        frames, first_s = announced() - before, None
        while producer.poll() is None or in_chart(port, source) < frames:
            if (now := announced() - before) > frames:
                frames, last_began_s = now, time.monotonic()
            if first_s is None and in_chart(port, source):
                first_s = time.monotonic() - first_began_s
            if time.monotonic() - last_began_s > PATIENCE_S:
                raise SystemExit(f"{source}: {in_chart(port, source)} of {frames} frames are in the chart")
            time.sleep(LOOK_EVERY_S)
        last_s = time.monotonic() - last_began_s
    return Round(frames, last_s if first_s is None else first_s, last_s)


def again(clip: Path, folder: str, number: int) -> Path:
    """Return the clip with an empty MP4 box at its end, which makes it another medium."""
    path = Path(folder) / f"{number}{clip.suffix}"
    path.write_bytes(clip.read_bytes() + (12).to_bytes(4, "big") + b"free" + number.to_bytes(4, "big"))
    return path


def produce(source: str, clip: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a producer."""
    options = ["--source", source, "--start-time", "2026-01-01T08:00:00Z", str(clip)]
    return start(env, "produce", *options)


@contextmanager
def running(env: dict[str, str], *arguments: str) -> Iterator[None]:
    """Run a command until the block ends."""
    with start(env, *arguments) as process:
        try:
            yield
        finally:
            process.terminate()


def start(env: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Start `frametally ...` in a separate process."""
    command = [sys.executable, "-m", "frametally", *arguments]
    return subprocess.Popen(command, env=os.environ | env, stdout=subprocess.DEVNULL)


def on_log(log: FrameLog, topic: str) -> int:
    """Return the number of announcements so far."""
    return sum(log.end_offsets(topic).values())


def in_chart(port: int, source: str) -> int:
    """Return the number of the source's frames covered by the dashboard's answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/counts?source={source}") as answer:
        return int(json.load(answer)["frames"])


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until `is_so` is true. Raises `SystemExit` after some minutes."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline_s:
            raise SystemExit("nothing came into the chart")
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main()
