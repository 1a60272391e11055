"""What is made of a video, beside the `ffmpeg` command that makes the same: processor time, in turns.

    python benchmarks/derivatives.py [--seconds 60] [--copied-minutes 20] [--rounds 5]

Ours is a whole attempt of a worker at a job: its process is started, the store is handed to it, the video is
made, sent to the store and recorded; what that takes of the worker itself counts, too. The command reads a
file and writes one, with the same encoder, preset, filters, sound and order of boxes. Then one frame is asked
for as the page asks, as it is and enhanced, both at once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import av
from processor_time import Took, beside
from results import Cell, Goal, Table, save

from frametally import keys
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.settings.loading import Settings, load_settings
from frametally_videos.catalogue.catalogue_rows import JobKind
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.jobs.attempt import Attempt
from frametally_videos.library.enhancements import enhancement_options
from frametally_videos.library.video_looks import frame_picture
from frametally_videos.media_records import Enhancement
from frametally_videos.opening import open_video_catalogue
from frametally_videos.records import VideoFacts, VideoFields, VideoRecord

FPS, SIZE = 30, "854x480"
BRIGHTER = Enhancement(brightness=0.05, contrast=1.2)
LOOKS = 20
_FFMPEG = ("ffmpeg", "-v", "error", "-nostdin", "-y")
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-g", str(2 * FPS), "-pix_fmt", "yuv420p")
_AAC = ("-c:a", "aac", "-aac_coder", "fast", "-b:a", "128k")
_FASTSTART = ("-movflags", "+faststart")
_BT709 = "scale=out_color_matrix=bt709:out_range=tv"
_LUMINANCE = "16.5+219*pow(clip(1.2*((val-16)/219-0.5)+0.5+0.05,0,1),1)"
_COLOUR = "clip(128.5+1*(val-128),16,240)"
_BRIGHTER = f"lutyuv=y='{_LUMINANCE}':u='{_COLOUR}':v='{_COLOUR}'"


class Case(NamedTuple):
    """Something that is made.

    Attributes:
        what: In words.
        original: Its file.
        kind: Of the job.
        options: Of the job.
        arguments: What the command is told between its input and its output.
    """

    what: str
    original: Path
    kind: JobKind
    options: str
    arguments: Sequence[str]


def make_originals(folder: Path, seconds: int, copied_minutes: int) -> tuple[Path, Path, Path]:
    """Make three: MPEG-4 with AC-3 in Matroska, H.264 with AAC in MP4, a long one of that in Matroska."""
    h264, mpeg4, long = folder / "h264.mp4", folder / "mpeg4.mkv", folder / "long.mkv"
    pictures = ["-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r={FPS}"]
    sound = ["-f", "lavfi", "-i", "sine=f=440:b=4:r=48000"]
    noise = ["-vf", f"{_BT709},noise=alls=4:allf=t", "-t", str(seconds), "-ac", "2"]
    tagged = ["-colorspace", "bt709", "-color_range", "tv"]
    _run([*_FFMPEG, *pictures, *sound, *noise, *tagged, *_X264, *_AAC, *_FASTSTART, str(h264)])
    worse = ["-c:v", "mpeg4", "-q:v", "4", "-c:a", "ac3", "-b:a", "192k"]
    _run([*_FFMPEG, "-i", str(h264), *worse, str(mpeg4)])
    times = str(max(1, copied_minutes * 60 // seconds) - 1)
    _run([*_FFMPEG, "-stream_loop", times, "-i", str(h264), "-c", "copy", str(long)])
    return mpeg4, h264, long


def cases(folder: Path, seconds: int, copied_minutes: int) -> list[Case]:
    """What is made of which, and the command that does."""
    mpeg4, h264, long = make_originals(folder, seconds, copied_minutes)
    return [
        Case(
            "transcode: MPEG-4 with AC-3 to H.264 with AAC",
            mpeg4,
            "playable",
            "",
            [*_X264, "-vf", _BT709, *_AAC, *_FASTSTART],
        ),
        Case(
            "enhance: brightness and contrast, AAC copied",
            h264,
            "enhance",
            enhancement_options(BRIGHTER),
            [*_X264, "-vf", f"{_BT709},{_BRIGHTER}", "-c:a", "copy", *_FASTSTART],
        ),
        Case(
            f"remux: {copied_minutes} min of H.264 with AAC, from Matroska",
            long,
            "playable",
            "",
            ["-c", "copy", *_FASTSTART],
        ),
    ]


def measured(action: Callable[[], object]) -> Took:
    """Do it, and say what it took; nothing else may go on in this process meanwhile."""
    began_cpu_s, began_s = _cpu_s(), time.perf_counter()
    action()
    return Took(_cpu_s() - began_cpu_s, time.perf_counter() - began_s)


class Worker:
    """A store and a catalogue, and an attempt at a job at a time."""

    def __init__(self, settings: Settings, store: ObjectStore, catalogue: VideoCatalogue) -> None:
        """Keep them; whoever opened them closes them."""
        self.settings = settings
        self._store = store
        self._catalogue = catalogue
        self._videos = 0

    def receive(self, case: Case) -> VideoRecord:
        """Put its original into the store as a new video."""
        self._videos += 1
        data = case.original.read_bytes()
        record = VideoRecord(
            id=f"00000000-0000-4000-8000-{self._videos:012d}",
            sha256=hashlib.sha256(data + bytes(self._videos)).hexdigest(),
            size_bytes=len(data),
            name=case.what,
            file_name=case.original.name,
            source="gate",
            source_name="gate",
            fields=VideoFields(),
            facts=_facts(case.original),
            uploaded_at_ms=0,
        )
        self._store.put(keys.original_key(record.id), data)
        self._store.put(record.key, encode(record))
        self._catalogue.put_video(record, "1")
        self._catalogue.queue(record.id, case.kind, case.options)
        return record

    def do(self, kind: JobKind) -> tuple[Took, str]:
        """Do the job that waits; return what it took, and the key of what it has made."""
        job = self._catalogue.claim("benchmark", kinds=[kind], lease_s=600.0)
        if job is None:
            raise SystemExit(f"no job waits: {kind}")
        attempt = Attempt(
            job,
            settings=self.settings,
            store=self._store,
            renew=lambda progress: self._catalogue.renew(job, lease_s=600.0, progress=progress),
            keep=lambda: True,
            say=print,
        )
        ends = []
        took = measured(lambda: ends.append(attempt.run(lambda: False)))
        end = ends[0]
        if end is None or end.end != "done":
            raise SystemExit(f"{kind}: {end}")
        self._catalogue.end(job, "done")
        return took, end.artifacts[0].key

    def file(self, key: str) -> Path:
        """Where an object lies."""
        return Path(self.settings.store_url.removeprefix("file://"), key)


def compare(worker: Worker, chosen: Sequence[Case], rounds: int, folder: Path) -> list[list[Cell]]:
    """Make all, in turns; a row each: medians of both, and of the ratios of rounds."""
    ours: dict[str, list[Took]] = {case.what: [] for case in chosen}
    theirs: dict[str, list[Took]] = {case.what: [] for case in chosen}
    made = folder / "made.mp4"
    for number in range(rounds):
        for case in chosen:
            command = [*_FFMPEG, "-i", str(case.original), *case.arguments, str(made)]

            def by_command(case: Case = case, command: list[str] = command) -> None:
                theirs[case.what].append(measured(lambda: _run(command)))

            if number % 2:
                by_command()
            record = worker.receive(case)
            took, key = worker.do(case.kind)
            ours[case.what].append(took)
            if not number % 2:
                by_command()
            _check_alike(worker.file(key), made)
            shutil.rmtree(worker.file(keys.video_folder(record.id)))
            print(case.what, ours[case.what][-1], theirs[case.what][-1], flush=True)
    return [[case.what, *beside(ours[case.what], theirs[case.what])] for case in chosen]


def before_and_after(worker: Worker, case: Case, times: int) -> list[Cell]:
    """Ask for a frame twice at once, as it is and enhanced; a row of seconds."""
    record = worker.receive(case)
    key = keys.original_key(record.id)
    length_s = record.facts.duration_s or 0.0
    took = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(times):
            at_s = length_s * (number + 0.5) / times

            def both(at_s: float = at_s) -> None:
                asked = [
                    pool.submit(frame_picture, worker.settings, key, at_s, wanted)
                    for wanted in (Enhancement(), BRIGHTER)
                ]
                for one in asked:
                    one.result()

            took.append(measured(both))
    walls_s, cpus_s = [one.wall_s for one in took], [one.cpu_s for one in took]
    p95_s = sorted(walls_s)[min(times - 1, int(times * 0.95))]
    return [
        f"a frame of {SIZE}, as it is and enhanced, both at once",
        round(statistics.median(walls_s), 3),
        round(p95_s, 3),
        round(statistics.median(cpus_s), 3),
    ]


def start_s(module: str) -> list[Cell]:
    """What it takes to start a process that imports `module` and does nothing: a row, medians of five."""
    command = [sys.executable, "-P", "-c", f"import {module}"]
    took = [measured(lambda: _run(command)) for _ in range(5)]
    return [
        f"`import {module}`",
        round(statistics.median(one.wall_s for one in took), 3),
        None,
        round(statistics.median(one.cpu_s for one in took), 3),
    ]


def _facts(path: Path) -> VideoFacts:
    with av.open(str(path)) as container:
        pictures = container.streams.video[0]
        is_mp4 = path.suffix == ".mp4"
        return VideoFacts(
            container="mp4" if is_mp4 else "matroska",
            content_type="video/mp4" if is_mp4 else "video/x-matroska",
            codec=pictures.codec_context.codec.canonical_name,
            width_px=pictures.codec_context.width,
            height_px=pictures.codec_context.height,
            fps=float(FPS),
            duration_s=(container.duration or 0) / 1_000_000,
            frames=None,
            has_sound=True,
            plays_in_browsers=is_mp4,
        )


def _check_alike(ours: Path, theirs: Path) -> None:
    """End it all where the two do not hold the same frames and the same codes."""
    told = [_told(path) for path in (ours, theirs)]
    if told[0] != told[1]:
        raise SystemExit(f"not the same: ours {told[0]}, the command's {told[1]}")


def _told(path: Path) -> list[tuple[str, int]]:
    with av.open(str(path)) as container:
        pictures, sound = container.streams.video[0], container.streams.audio[0]
        return [
            (pictures.codec_context.codec.canonical_name, pictures.frames),
            (sound.codec_context.codec.canonical_name, sound.codec_context.channels),
        ]


def _cpu_s() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def main() -> None:
    """Measure, in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--copied-minutes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = load_settings(
            "producer", data_dir=folder / "data", video_encoders="libx264", min_free_disk_mb=0
        )
        chosen = cases(folder, asked.seconds, asked.copied_minutes)
        with (
            closing(open_object_store(settings.store_url)) as store,
            closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
        ):
            worker = Worker(settings, store, catalogue)
            rows = compare(worker, chosen, asked.rounds, folder)
            look = before_and_after(worker, chosen[1], LOOKS)
        starts = [start_s(f"frametally_producer.{module}.__main__") for module in ("jobs", "describing")]
    transcode, enhance, remux = rows
    save(
        name="derivatives",
        title="What is made of a video, beside the ffmpeg command",
        about=f"{asked.seconds} s of {SIZE} at {FPS} frames a second with sound, {asked.rounds} rounds in "
        "turns. Ours is a worker's attempt at the job: start of its process, the store handed to it, the "
        "video made, sent to the store and recorded; processor time of both processes. The command has the "
        "same encoder, preset, quality, filters and sound; it reads a file and writes one.",
        load_before=load_before,
        packages=["av", "numpy", "opencv-python-headless"],
        tables=[
            Table(
                title="Making a video",
                columns=[
                    *("what", "ours, CPU s", "ffmpeg, CPU s", "ratio, median", "least", "most"),
                    *("ours, wall s", "ffmpeg, wall s"),
                ],
                rows=rows,
            ),
            Table(
                title="Before and after, and what a process costs before it does anything",
                columns=["what", "wall s, median", "wall s, p95", "CPU s, median"],
                rows=[look, *starts],
            ),
        ],
        goals=[
            Goal(what="transcode, CPU beside ffmpeg's", measured=float(transcode[3] or 0), at_most=1.1),
            Goal(what="enhance, CPU beside ffmpeg's", measured=float(enhance[3] or 0), at_most=1.1),
            Goal(what="received to playable by remux, CPU", measured=float(remux[3] or 0), at_most=1.3),
            Goal(what="a frame before and after, p95, s", measured=float(look[2] or 0), at_most=1.0),
        ],
    )


if __name__ == "__main__":
    main()
