"""What a new line costs: seconds until it is counted over a month of three busy cameras, and from then on.

    python benchmarks/lines.py [--days 30]

Cameras and vehicles are those of `track_storage.py`, which says what tracks take and what the job does, too;
so are the days of paths, in a store of files. What is drawn is counted as the page counts it
(`counting.published_days.flows_for`): when it is new, and again when its days are kept.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aggregation_rounds
import track_storage
from results import Cell, Goal, Table, save

from frametally import keys
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.records import PathFile, Run
from frametally.rules.path_columns import PathColumns, encode_paths
from frametally.rules.times import DAY_MS
from frametally_traffic.counting.published_days import flows_for
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import Drawn, DrawnCalibration, DrawnLine, DrawnZone

WIDTH_PX, HEIGHT_PX = track_storage.WIDTH_PX, track_storage.HEIGHT_PX
SOURCES = [f"cam-{number}" for number in range(track_storage.CAMERAS)]
FIRST_DAY_MS = track_storage.NOON_MS - track_storage.NOON_MS % DAY_MS
INTERVAL_S = 60


def line(name: str, *points: tuple[float, float], inward: str | None = None) -> DrawnLine:
    """A line over the cameras' pictures."""
    return DrawnLine(name=name, points=points, inward=inward, width_px=WIDTH_PX, height_px=HEIGHT_PX)  # type: ignore[arg-type]


ROAD = ((200.0, 400.0), (1720.0, 400.0), (1720.0, 600.0), (200.0, 600.0))
NEAR, FAR = line("near", *ROAD[:1:-1]), line("far", *ROAD[:2])
ZONE = DrawnZone(name="between", points=ROAD, width_px=WIDTH_PX, height_px=HEIGHT_PX)
GROUND = DrawnCalibration(
    name="ground",
    points=ROAD,
    metres=((0.0, 40.0), (12.0, 40.0), (12.0, 0.0), (0.0, 0.0)),
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
)
DRAWINGS: dict[str, tuple[Drawn, ...]] = {
    "a line": (NEAR,),
    "two lines": (NEAR, FAR),
    "a line of three points": (line("bent", (200.0, 300.0), (900.0, 500.0), (1700.0, 320.0)),),
    "two legs of a junction and a zone": (
        line("near", *NEAR.points, inward="to_left"),
        line("far", *FAR.points, inward="to_right"),
        ZONE,
    ),
}
WITH_SPEEDS = (*DRAWINGS["two legs of a junction and a zone"], GROUND)


class Seconds:
    """Of the wall and of CPU."""

    wall_s = cpu_s = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add what passes."""
        wall_s, cpu_s = time.monotonic(), time.process_time()
        yield
        self.wall_s += time.monotonic() - wall_s
        self.cpu_s += time.process_time() - cpu_s


def put_days(store: ObjectStore, day: PathColumns, days: int) -> list[Run]:
    """Put one day of paths as many days of every camera; returns their runs."""
    runs = []
    for start_ms in range(FIRST_DAY_MS, FIRST_DAY_MS + days * DAY_MS, DAY_MS):
        name = keys.utc_day(start_ms)
        run_id = f"000001-{'0' * 16}"
        prefix = keys.run_folder(track_storage.MODEL, "0" * 8, INTERVAL_S, name, run_id)
        files = []
        for number, source in enumerate(SOURCES):
            data = encode_paths(day._replace(source=source, day_start_ms=start_ms))
            files.append(PathFile(source=source, name=f"paths-{number:05d}", crc32=zlib.crc32(data)))
            store.put(f"{keys.tracks_folder(prefix)}/{files[-1].name}", data)
        runs.append(
            Run(
                run_id=run_id,
                sequence=1,
                model=track_storage.MODEL,
                params="0" * 8,
                interval_s=INTERVAL_S,
                day=name,
                prefix=prefix,
                parts=[],
                inputs_sha256="0" * 64,
                frames=0,
                duplicates_dropped=0,
                paths=files,
            )
        )
    return runs


def count(store: ObjectStore, runs: list[Run], shapes: tuple[Drawn, ...], kept: Path) -> tuple[Seconds, int]:
    """Count what is drawn over every camera; seconds, and crossings."""
    for source in SOURCES:
        change_drawing(store, source, lambda drawing: with_shapes(drawing, shapes))
    found, seconds = 0, Seconds()
    with seconds.measured():
        for source in SOURCES:
            for flows in flows_for(
                store,
                track_storage.MODEL,
                INTERVAL_S,
                source,
                [run.day for run in runs],
                runs=runs,
                media=[],
                folder=kept,
            ):
                found += len(flows.columns["crossing_time"])
    return seconds, found


def main() -> None:
    """Measure, and write benchmarks/results/lines.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--days", type=int, default=30)
    days = parser.parse_args().days
    load = os.getloadavg()[0]
    rows: list[list[Cell]] = []
    a_year = 365 / days
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        track_storage.CAMERAS = 1
        track_storage.write_segments(folder / "store")
        aggregation_rounds.count(folder)
        day = track_storage.camera_day(folder)
        store = open_object_store((folder / "days").as_uri())
        runs = put_days(store, day, days)
        count(store, runs[:3], DRAWINGS["a line"], folder / "warm")
        for name, shapes in DRAWINGS.items():
            new, crossings = count(store, runs, shapes, folder / name)
            kept, again = count(store, runs, shapes, folder / name)
            if crossings != again:
                raise SystemExit(f"{name}: {crossings} crossings, and {again} where they were kept")
            size = sum(path.stat().st_size for path in (folder / name).iterdir())
            seconds = [new.cpu_s, new.wall_s, new.wall_s * a_year, kept.wall_s * a_year]
            rows.append(
                [name, *(round(one, 2) for one in seconds), round(size * a_year / len(SOURCES) / 1e6)]
            )
        speeds, _ = count(store, runs[:1], WITH_SPEEDS, folder / "speeds")
        paths_mb = len(encode_paths(day)) * 365 / 1e6
    tracks, points = (len(day.columns[name]) for name in ("points", "x"))
    save(
        name="lines",
        title="A new line",
        about=(
            f"{len(SOURCES)} cameras of generated vehicles, {tracks:,} tracks and {points:,} points of paths "
            f"a camera-day ({round(paths_mb)} MB a camera-year), in a store of files on this machine's disk; "
            "one process, as the page has it."
        ),
        load_before=load,
        packages=["numpy"],
        tables=[
            Table(
                title="Seconds until it is counted",
                note=(
                    f"Measured over {days} days of all cameras, for a year as many times as that. *Kept*: "
                    "asked again. With a calibration the speed of every visit is counted, too: "
                    f"{speeds.cpu_s / len(SOURCES):.1f} s of CPU a camera-day, once."
                ),
                columns=[
                    "what is drawn",
                    "a month, CPU s",
                    "a month, s",
                    "a year, s",
                    "kept, a year, s",
                    "kept, MB a camera-year",
                ],
                rows=rows,
            )
        ],
        goals=[
            Goal(what="a line over a month of three cameras, s", measured=float(rows[0][2] or 0), at_most=2),
            Goal(what="a line over a year of three cameras, s", measured=float(rows[0][3] or 0), at_most=20),
        ],
    )


if __name__ == "__main__":
    main()
