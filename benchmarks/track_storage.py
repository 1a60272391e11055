"""What tracks cost: the job's seconds, bytes a camera-year, and the seconds until a new line is counted.

    python benchmarks/track_storage.py [--beside CHECKOUT]

A camera over a road sees 10,000 vehicles a day, at 5 frames a second; some wait at a light, and one box in
ten has another label. `--beside` names a checkout of another version, with its environment in `.venv`: both
count the same segments, in turn. This does not decide how lines will be counted: here a line is crossed where
it cuts the path of foot points, nothing more.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
from aggregation_rounds import Measured, clear, count
from results import Cell, Goal, Table, save

from frametally import keys
from frametally.opening import open_object_store
from frametally.records import Detection, FrameDetections
from frametally.segments.contents import encode_segment

if TYPE_CHECKING:  # the other version, which only counts, lacks them
    from frametally.rules.path_columns import PathColumns

WIDTH_PX, HEIGHT_PX, FPS = 1920, 1080, 5
VEHICLES_A_DAY, CAMERAS, HOURS = 10_000, 3, 2
NOON_MS = 1_772_366_400_000
MODEL, FRAMES_PER_SEGMENT = "bench", 3000
DAYS, LINES = 30, (((0.0, 6000.0), (19_200.0, 6000.0)), ((9600.0, 0.0), (9600.0, 10_800.0)))


class Vehicle(NamedTuple):
    """A vehicle that comes down the picture, grows, and may wait."""

    since_s: float
    lane: float
    speed: float
    waits_s: float
    label: str

    def box_at(self, now_s: float, rng: random.Random) -> tuple[float, float, float, float] | None:
        """Return its box as a detector sees it; None if it is not there."""
        gone = (now_s - self.since_s) * self.speed
        stop = 0.55
        if gone > stop:
            gone = max(stop, gone - self.waits_s * self.speed)
        if not 0 <= gone < 1:
            return None
        foot, height = 250 + 900 * gone * gone, 30 + 220 * gone * gone
        left = WIDTH_PX * (0.5 + (self.lane - 0.5) * (0.2 + gone)) + rng.gauss(0, 0.012 * height)
        top, width = foot - height + rng.gauss(0, 0.02 * height), 1.3 * height + rng.gauss(0, 0.02 * height)
        right, bottom = min(left + width, WIDTH_PX), min(foot + rng.gauss(0, 0.02 * height), HEIGHT_PX)
        left, top = max(left, 0.0), max(top, 0.0)
        if right - left < 10 or bottom - top < 10:
            return None
        return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)


def footage(camera: int) -> Iterator[FrameDetections]:
    """Yield the frames of one camera."""
    rng = random.Random(camera)  # noqa: S311
    waiting = [
        Vehicle(
            rng.uniform(0, HOURS * 3600),
            rng.choice([0.1, 0.35, 0.65, 0.9]),
            1 / rng.uniform(8, 15),
            rng.choice([0, 0, rng.uniform(5, 40)]),
            rng.choices(["car", "truck", "bus"], [8, 2, 1])[0],
        )
        for _ in range(VEHICLES_A_DAY * HOURS // 24)
    ]
    waiting.sort(reverse=True)
    there: list[Vehicle] = []
    source = f"cam-{camera}"
    for number in range(HOURS * 3600 * FPS):
        now_s = number / FPS
        while waiting and waiting[-1].since_s <= now_s:
            there.append(waiting.pop())
        there = [one for one in there if now_s < one.since_s + one.waits_s + 1 / one.speed]
        boxes = [
            Detection(
                label=one.label if rng.random() < 0.9 else rng.choice(["car", "truck"]),
                confidence=rng.randrange(4500, 9800) / 10_000,
                box=box,
            )
            for one in there
            if (box := one.box_at(now_s, rng)) and rng.random() < 0.93
        ]
        at_ms = NOON_MS + number * 1000 // FPS
        yield FrameDetections(
            image_path=keys.image_key(source, at_ms, "ab" * 32, number),
            source=source,
            frame_index=number,
            captured_at_ms=at_ms,
            time_source="start_time",
            width_px=WIDTH_PX,
            height_px=HEIGHT_PX,
            media="ab" * 32,
            model=MODEL,
            detections=boxes,
        )


def write_segments(store: Path) -> tuple[int, int]:
    """Write all segments; return their numbers of frames and boxes."""
    offset = boxes = 0
    for camera in range(CAMERAS):
        of_camera = footage(camera)
        while frames := list(itertools.islice(of_camera, FRAMES_PER_SEGMENT)):
            data = encode_segment(
                model=MODEL,
                log_id="log",
                topic="frames",
                partition=0,
                first_offset=offset,
                next_offset=offset + len(frames),
                frames=frames,
                dead_letters=[],
            )
            path = store / keys.segment_key(MODEL, "log", "frames", 0, offset)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            offset += len(frames)
            boxes += sum(len(frame.detections) for frame in frames)
    return offset, boxes


def job(folder: Path, pythons: dict[str, Path], rounds: int) -> dict[str, tuple[Measured, dict[str, int]]]:
    """Return, by version, the rounds and the bytes of its tracks by kind of file. Keeps the last counts."""
    found = {name: (Measured(), dict[str, int]()) for name in pythons}
    for _ in range(rounds):
        for name, python in pythons.items():
            clear(folder)
            found[name][0].run([str(python), str(Path(__file__).resolve()), "--count", str(folder)])
            found[name][1].update(_track_bytes(folder / "store"))
    return found


def _track_bytes(store: Path) -> dict[str, int]:
    """Return bytes by kind of line in hour files, or by an older version's kind of file: `part`, `paths`."""
    sizes = Counter[str]()
    for path in (store / "tracks").rglob("pa*-*"):
        sizes[path.name.partition("-")[0]] += path.stat().st_size
    for path in (store / "hours").rglob("*.jsonl"):
        for line in path.read_bytes().splitlines(keepends=True):
            kind = {b'["trac': "part", b'["path': "paths"}.get(line[:6])
            if kind is not None:
                sizes[kind] += len(line)
    return dict(sizes)


def camera_day(folder: Path) -> PathColumns:
    """Return one camera's day of paths, repeating the counted hours."""
    from frametally.books.runs import current_runs, read_paths
    from frametally.rules.path_columns import POINT_COLUMNS, TRACK_COLUMNS

    store = open_object_store((folder / "store").as_uri())
    [run] = current_runs(store)
    [paths] = read_paths(store, run, {"cam-0"})
    times = 24 // HOURS
    columns = {name: list(paths.columns[name]) * times for name in (*TRACK_COLUMNS, *POINT_COLUMNS)}
    tracks = len(paths.columns["hour"])
    columns["hour"] = [hour % HOURS + n // tracks * HOURS for n, hour in enumerate(columns["hour"])]
    return paths._replace(columns=columns)


def crossings(points: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
    """Return how often the paths cross the lines, either way."""
    total = 0
    x, y = x.astype(np.float64), y.astype(np.float64)
    is_step = np.ones(len(x), dtype=bool)
    is_step[np.cumsum(points) - 1] = False
    for (ax, ay), (bx, by) in LINES:
        side = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) >= 0
        at = np.flatnonzero((side[:-1] != side[1:]) & is_step[:-1])
        from_x, from_y, to_x, to_y = x[at], y[at], x[at + 1], y[at + 1]
        first = (to_x - from_x) * (ay - from_y) - (to_y - from_y) * (ax - from_x)
        last = (to_x - from_x) * (by - from_y) - (to_y - from_y) * (bx - from_x)
        total += int(((first >= 0) != (last >= 0)).sum())
    return total


def crossings_without_numpy(points: Sequence[int], x: Sequence[int], y: Sequence[int]) -> int:
    """Return the same as `crossings`, using the standard library."""
    total, first = 0, 0
    for length in points:
        xs, ys = x[first : first + length], y[first : first + length]
        first += length
        for (ax, ay), (bx, by) in LINES:
            along_x, along_y = bx - ax, by - ay
            sides = [along_x * (b - ay) - along_y * (a - ax) >= 0 for a, b in zip(xs, ys, strict=True)]
            for at, (one, other) in enumerate(itertools.pairwise(sides)):
                if one != other:
                    dx, dy = xs[at + 1] - xs[at], ys[at + 1] - ys[at]
                    before = dx * (ay - ys[at]) - dy * (ax - xs[at])
                    total += (before >= 0) != (dx * (by - ys[at]) - dy * (bx - xs[at]) >= 0)
    return total


class Form(NamedTuple):
    """One way to store a camera's day of paths."""

    name: str
    write: Callable[[Path], object]
    crossings: Callable[[Path], int]


def forms(day: PathColumns) -> list[Form]:
    """Return the compared forms."""
    from frametally.rules.path_columns import POINT_COLUMNS, TRACK_COLUMNS, decode_paths, encode_paths

    columns = {name: np.asarray(column) for name, column in day.columns.items()}
    lines = [{"id": str(number), "path": path} for number, path in enumerate(day.paths())]

    class Line(msgspec.Struct):
        id: str
        path: list[tuple[int, float, float, float]]

    def write_parquet(path: Path) -> None:
        of_points = arrow.table({name: columns[name].astype(np.int32) for name in POINT_COLUMNS})
        of_tracks = arrow.table({name: columns[name].astype(np.int32) for name in TRACK_COLUMNS})
        parquet.write_table(of_points, path, compression="zstd")
        parquet.write_table(of_tracks, f"{path}.tracks", compression="zstd")

    def read_parquet(path: Path) -> int:
        points = parquet.read_table(f"{path}.tracks", columns=["points"], use_threads=False)["points"]
        places = parquet.read_table(path, columns=["x", "y"], use_threads=False)
        return crossings(points.to_numpy(), places["x"].to_numpy(), places["y"].to_numpy())

    def read_lines(path: Path) -> int:
        decoder = msgspec.json.Decoder(Line)
        paths = [decoder.decode(line).path for line in path.read_bytes().splitlines()]
        places = np.array([place for path in paths for place in path]) * 10
        return crossings(np.array([len(path) for path in paths]), places[:, 1], places[:, 2])

    def read_columns(path: Path) -> int:
        of = decode_paths(path.read_bytes()).columns
        return crossings(np.asarray(of["points"]), np.asarray(of["x"]), np.asarray(of["y"]))

    def read_plainly(path: Path) -> int:
        of = decode_paths(path.read_bytes()).columns
        return crossings_without_numpy(of["points"], of["x"], of["y"])

    def write_columns(path: Path) -> None:
        path.write_bytes(encode_paths(day))

    return [
        Form("columns (as shipped), numpy", write_columns, read_columns),
        Form("columns (as shipped), standard library alone", write_columns, read_plainly),
        Form("Parquet (zstd, two files), pyarrow and numpy", write_parquet, read_parquet),
        Form(
            "JSON Lines, msgspec and numpy",
            lambda path: path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines)),
            read_lines,
        ),
    ]


def measure_form(form: Form, folder: Path) -> tuple[list[Cell], int, float]:
    """Return the row of a form, its crossings in a day, and seconds for two lines over a camera-day."""
    folder.mkdir()
    began_s = time.process_time()
    for day in range(DAYS):
        form.write(folder / str(day))
    written_s = time.process_time() - began_s
    size = sum(path.stat().st_size for path in folder.iterdir())
    began_s = time.process_time()
    found = [form.crossings(folder / str(day)) for day in range(DAYS)]
    passed_s = (time.process_time() - began_s) / DAYS
    shutil.rmtree(folder)
    row: list[Cell] = [
        form.name,
        round(365 * size / DAYS / 1e6),
        round(365 * written_s / DAYS, 1),
        round(3 * 30 * passed_s, 2),
        round(3 * 365 * passed_s, 1),
    ]
    return row, sum(found), passed_s


def main() -> None:
    """Measure, and write benchmarks/results/track-storage.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--beside", type=Path, help="checkout of another version, with its .venv")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        count(options.count)
        return
    load = os.getloadavg()[0]
    pythons = {"this version": Path(sys.executable)}
    if options.beside:
        pythons = {"the version before": options.beside.absolute() / ".venv/bin/python", **pythons}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frames, boxes = write_segments(folder / "store")
        counted = job(folder, pythons, options.rounds)
        day = camera_day(folder)
        tracks, points = (len(day.columns[name]) for name in ("points", "x"))
        measured = [measure_form(form, folder / "forms") for form in forms(day)]
    if len({found for _, found, _ in measured}) > 1:
        raise SystemExit(f"the forms do not agree: {[found for _, found, _ in measured]}")
    a_year = 24 * 365 / HOURS / CAMERAS / 1e6
    table: list[list[Cell]] = [
        [
            name,
            round(rounds.cpu_s, 2),
            round(rounds.wall_s, 2),
            *(round(sizes.get(kind, 0) * a_year) for kind in ("part", "paths")),
            round(sum(sizes.values()) * a_year),
        ]
        for name, (rounds, sizes) in counted.items()
    ]
    save(
        name="track-storage",
        title="Tracks",
        about=(
            f"{CAMERAS} cameras, {HOURS} hours each, at {FPS} frames a second: {frames:,} frames with "
            f"{boxes:,} boxes of generated vehicles, {VEHICLES_A_DAY:,} a day and camera. `frametally "
            "aggregate`, with tracking, on the `inline` runner; a camera's day of paths, in several forms."
        ),
        load_before=load,
        packages=["numpy", "pyarrow", "msgspec"],
        tables=[
            Table(
                title="The job and the store",
                note="Seconds of the whole aggregation, the median of rounds that take turns.",
                columns=[
                    "version",
                    "CPU s",
                    "s",
                    "lines of tracks, MB a camera-year",
                    "paths, MB a camera-year",
                    "together, MB a camera-year",
                ],
                rows=table,
            ),
            Table(
                title="Two new lines over stored paths",
                note=(
                    f"A camera's day has {tracks:,} tracks and {points:,} points. Measured over {DAYS} days, "
                    "read from the disk's cache; seconds of CPU for a month and a year of three cameras."
                ),
                columns=["form", "MB a camera-year", "to write, CPU s", "a month, CPU s", "a year, CPU s"],
                rows=[row for row, _, _ in measured],
            ),
        ],
        goals=[
            Goal(
                what="two lines over a month of three cameras, CPU s",
                measured=round(90 * measured[0][2], 2),
                at_most=2,
            ),
            Goal(
                what="two lines over a year of three cameras, CPU s",
                measured=round(1095 * measured[0][2], 2),
                at_most=20,
            ),
        ],
    )


if __name__ == "__main__":
    main()
