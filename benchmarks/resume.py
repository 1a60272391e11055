"""What a producer that was stopped near the end of a long video costs when it goes on.

    python benchmarks/resume.py

A generated video (H.264, 30 frames/s, a minute that repeats) is produced whole; then produced once more,
stopped at nine tenths, and gone on with.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from end_to_end import repeated
from results import Cell, Goal, Table, save

from frametally.opening import open_frame_log, open_object_store
from frametally.process.reports import NoProgress
from frametally.settings.loading import load_settings
from frametally_producer.produce import produce
from frametally_producer.reading.footage import open_medium
from frametally_producer.reading.video_file import open_video
from frametally_producer.writing.production import ProduceCall

FPS = 30
STOP_AT = 0.9


def encode_minute(path: Path, size_px: tuple[int, int]) -> None:
    """Write a minute of moving noise, with a key frame every 250 frames."""
    width_px, height_px = size_px
    noise = np.random.default_rng(1).integers(0, 256, (height_px, 2 * width_px, 3), np.uint8) // 4 + 96
    noise = np.kron(noise[::8, ::8], np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "g": "250"})
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        for at in range(60 * FPS):
            left = at * 2 % width_px
            picture = np.ascontiguousarray(noise[:height_px, left : left + width_px])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def decode_s(video: Path) -> float:
    """Return the seconds to decode all of it and do nothing else."""
    began_s = time.perf_counter()
    with open_medium(video) as file, open_video(file, max_pixels=100_000_000) as opened:
        for _ in opened.frames():
            pass
    return time.perf_counter() - began_s


def produce_s(video: Path, data_dir: Path, stop_at_frames: int | None = None) -> tuple[float, int]:
    """Return the seconds that a call takes, and its number of announced frames; it may be stopped early."""
    settings = load_settings(data_dir=data_dir, min_free_disk_mb=0)
    done = [0]

    class Counting(NoProgress):
        def update(self, at: int, total: int | None, note: str = "") -> None:
            done[0] = at

    began_s = time.perf_counter()
    report = produce(
        ProduceCall(
            paths=[video],
            settings=settings,
            start_time="2026-05-01T06:00:00Z",
            should_stop=lambda: stop_at_frames is not None and done[0] >= stop_at_frames,
        ),
        store=open_object_store(settings.store_url),
        log=open_frame_log(settings.log_url),
        progress=Counting(),
    )
    return time.perf_counter() - began_s, report.frames_announced


def main() -> None:
    """Measure, and write benchmarks/results/resume.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--size", default="640x360")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    width_px, height_px = (int(side) for side in options.size.split("x"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        encode_minute(folder / "minute.mp4", (width_px, height_px))
        video, frames = repeated(folder / "minute.mp4", folder / "long.mp4", options.minutes * 60 * FPS)
        time.sleep(3)  # the producer does not remember a file as new as this
        decoding_s = decode_s(video)
        whole_s, stored = produce_s(video, folder / "whole")
        first_s, first = produce_s(video, folder / "stopped", round(stored * STOP_AT))
        rest_s, rest = produce_s(video, folder / "stopped")
    if first + rest != stored:
        raise SystemExit(f"{first} and {rest} frames were announced, {stored} are wanted")
    rows: list[list[Cell]] = [
        ["decoding alone", round(decoding_s, 1), frames, round(frames / decoding_s)],
        ["produced whole", round(whole_s, 1), stored, round(frames / whole_s)],
        [f"stopped at {STOP_AT:.0%}", round(first_s, 1), first, None],
        ["gone on with", round(rest_s, 1), rest, None],
    ]
    save(
        name="resume",
        title="Going on with a long video",
        about=f"{options.minutes} minutes of {options.size}, H.264, {FPS} frames/s, {frames:,} frames, of "
        f"which {stored:,} are stored (5 a second, the default): produced whole; and stopped at nine tenths "
        "and gone on with, which decodes from the start and encodes and announces only what is missing.",
        load_before=load_before,
        packages=["av", "obstore", "opencv-python-headless"],
        tables=[
            Table(
                title="Seconds",
                columns=["what", "wall s", "frames", "decoded frames/s"],
                rows=rows,
            )
        ],
        goals=[Goal(what="going on / producing it whole", measured=round(rest_s / whole_s, 2), at_most=1.0)],
    )


if __name__ == "__main__":
    main()
