"""What is found out about a video, beside the commands that find out as much: processor time, in turns.

    python benchmarks/describing.py [--megabytes 1000] [--seconds 60] [--rounds 5]

Metadata, of which every packet is counted, beside `ffprobe -show_format -show_streams -count_packets`; what
they tell of the frames is held to be the same. Counting frames beside decoding them all. The checks of the
pictures beside decoding alone, of a video whose frames are all looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from processor_time import Took, beside
from results import Cell, Goal, Table, save

FPS, SIZE = 30, "854x480"
_FFMPEG = ("ffmpeg", "-v", "error", "-nostdin", "-y")
_OURS = """
import sys
from frametally_producer.reading.video_file import open_video
path = sys.argv[1]
def opened(file):
    return open_video(file, max_pixels=50_000_000)
"""
_RECORD = """
from frametally_videos.records import VideoFacts, VideoFields, VideoRecord
facts = VideoFacts(container="mp4", content_type="video/mp4", codec="h264", width_px=854, height_px=480,
    fps=30.0, duration_s=60.0, frames=None, has_sound=True, plays_in_browsers=True)
record = VideoRecord(id="00000000-0000-4000-8000-000000000001", sha256="0" * 64, size_bytes=1, name="a",
    file_name="a.mp4", source="a", source_name="a", fields=VideoFields(), facts=facts, uploaded_at_ms=0)
"""
METADATA = (
    _OURS
    + _RECORD
    + """
from frametally_videos.describing.video_metadata import describe
with open(path, "rb") as file, opened(file) as video:
    print(describe(video, record, sampling="1").pictures[0].frames_counted)
"""
)
START = (
    _OURS
    + _RECORD
    + "import frametally_videos.describing.video_metadata, frametally_videos.describing.video_checks"
)
COUNT = (
    _OURS
    + """
from frametally_videos.describing.packets import count_packets
with open(path, "rb") as file, opened(file) as video:
    print(count_packets(video.container, [video.stream])[video.stream.index].frames)
"""
)
DECODE = (
    _OURS
    + """
with open(path, "rb") as file, opened(file) as video:
    print(sum(1 for _ in video.frames()))
"""
)
CHECKS = (
    _OURS
    + _RECORD
    + """
from frametally_videos.describing.picture_pass import looks
from frametally_videos.describing.video_checks import check_video
from frametally_videos.describing.packets import found_times
with open(path, "rb") as file, opened(file) as video:
    times = found_times(video)
with open(path, "rb") as file, opened(file) as video:
    found = list(looks(video, frames=times.frames))
check_video(record, times, found)
print(len(found))
"""
)


def make_videos(folder: Path, megabytes: int, seconds: int) -> tuple[Path, Path]:
    """Make one of so many seconds, and a large one of copies of it; H.264 with AAC, moving, with noise."""
    short, large = folder / "short.mp4", folder / "large.mp4"
    pictures = ["-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r={FPS}"]
    sound = ["-f", "lavfi", "-i", "sine=f=440:b=4:r=48000", "-ac", "2", "-c:a", "aac"]
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-g", str(2 * FPS), "-pix_fmt", "yuv420p"]
    noise = ["-vf", "noise=alls=4:allf=t", "-t", str(seconds)]
    _run([*_FFMPEG, *pictures, *sound, *noise, *coded, str(short)])
    times = max(1, megabytes * 1_000_000 // short.stat().st_size)
    copied = ["-stream_loop", str(times - 1), "-i", str(short), "-c", "copy", "-movflags", "+faststart"]
    _run([*_FFMPEG, *copied, str(large)])
    return short, large


def ours(program: str, path: Path) -> list[str]:
    """The command that runs a program of ours about a file."""
    return [sys.executable, "-P", "-c", program, str(path)]


def measured(command: Sequence[str]) -> Took:
    """Run a command; what it and all that it started took."""
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = _run(command)
    wall_s, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Took(used_s, wall_s, said)


def probed_frames(said: str) -> str:
    """How many packets of pictures ffprobe has counted."""
    streams = json.loads(said)["streams"]
    return next(str(one["nb_read_packets"]) for one in streams if one["codec_type"] == "video")


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def main() -> None:
    """Measure, in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        short, large = make_videos(Path(name), asked.megabytes, asked.seconds)
        probe = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-count_packets"]
        probe += ["-of", "json"]
        pairs = {
            "metadata, beside ffprobe that counts packets": (
                large, ours(METADATA, large), [*probe, str(large)]
            ),
            "frames counted, beside decoding them": (short, ours(COUNT, short), ours(DECODE, short)),
            "checks of all pictures, beside decoding them": (short, ours(CHECKS, short), ours(DECODE, short)),
            "of each of ours: its imports, beside `ffprobe -version`": (
                short, ours(START, short), ["ffprobe", "-version"]
            ),
        }  # fmt: skip
        took: dict[str, tuple[list[Took], list[Took]]] = {what: ([], []) for what in pairs}
        for number in range(asked.rounds):
            for what, (_, mine, theirs) in pairs.items():
                both = [(0, mine), (1, theirs)]
                for side, command in both if number % 2 else both[::-1]:
                    took[what][side].append(measured(command))
                print(what, *(f"{side[-1].cpu_s:.2f} s" for side in took[what]), flush=True)
        metadata, counted, checks, _ = took.values()
        if metadata[0][0].said != probed_frames(metadata[1][0].said):
            raise SystemExit("ffprobe has counted other frames than we have")
        if not counted[0][0].said == counted[1][0].said == checks[1][0].said:
            raise SystemExit("other frames were decoded than counted")
        rows: list[list[Cell]] = [
            [what, round(path.stat().st_size / 1e6), *beside(*took[what])]
            for what, (path, _, _) in pairs.items()
        ]
    save(
        name="describing",
        title="What is found out about a video, beside ffprobe and decoding",
        about=f"H.264 of {SIZE} at {FPS} frames a second with AAC in MP4, {asked.seconds} s of it and as "
        f"many copies of that as fill {asked.megabytes} MB; {asked.rounds} rounds in turns, each command in "
        "a process of its own, ours with all that they import.",
        load_before=load_before,
        packages=["av", "numpy", "opencv-python-headless"],
        tables=[
            Table(
                title="Processor time",
                columns=[
                    *("what", "MB", "ours, CPU s", "beside, CPU s", "ratio, median", "least", "most"),
                    *("ours, wall s", "beside, wall s"),
                ],
                rows=rows,
            )
        ],
        goals=[
            Goal(what="metadata, CPU beside ffprobe's", measured=float(rows[0][4] or 0), at_most=1.3),
            Goal(what="counted frames, CPU beside decoding", measured=float(rows[1][4] or 0), at_most=1.0),
        ],
    )


if __name__ == "__main__":
    main()
