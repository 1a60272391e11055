"""How fast detections become counts: the counting job beside plain loops and other engines.

    python benchmarks/aggregation.py --engines /path/to/python --spark /path/to/python
    python benchmarks/aggregation.py ... --frames 2000000

`--engines` is a Python with duckdb==2.0.0 and msgspec (not dependencies of the project),
`--spark` one with pyspark; missing ones are left out. All variants must give the same rows, or nothing is
written. Each file of results is from one run, so all that is compared was measured side by side.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aggregation_data import apart, write_segments
from aggregation_engines import VARIANTS
from aggregation_rounds import Measured, measure_engines
from results import ROOT, Cell, Goal, Table, options, save

BASE_FRAMES = 200_000
FRAMES_PER_SEGMENT = 500
PLAIN, INLINE, LOCAL = "plain msgspec loop", "frametally, inline", "frametally, local"
SPARK = "PySpark DataFrames"
ABOUT = (
    "Each variant is a process of its own, start-up included, and gives the same rows: each frame once, "
    "detections, peak, five frames of evidence, coverage. Without tracking, which the others do not have. "
    "CPU seconds are the whole process's, children included: on a machine with other work they say more than "
    "wall seconds. DuckDB 2.0.0 and PySpark 4.3.0 use all cores, in environments of their own."
)
LOCAL_PAYS_FROM_MB = 500


class Size(NamedTuple):
    """The measurements for a number of frames; `mapper` is the map side alone."""

    frames: int
    megabytes: float
    engines: dict[str, Measured]
    mapper: Measured


def main() -> None:
    """Measure, and write benchmarks/results/aggregation.json, and aggregation-<frames>.json."""
    asked = options(__doc__, engines=str, spark=str, frames=int, rounds=5, data=Path)
    pythons = dict.fromkeys(list(VARIANTS)[:3], sys.executable)
    if asked.engines:
        pythons["DuckDB"] = asked.engines
    if asked.spark:
        pythons[SPARK] = asked.spark
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.data or Path(temporary)
        base = measure(folder, BASE_FRAMES, pythons, asked.rounds)
        write("aggregation", base, asked.rounds)
        if asked.frames:
            size = measure(folder, asked.frames, pythons, asked.rounds)
            write(f"aggregation-{asked.frames}", size, asked.rounds, *compare(base, size))


def measure(folder: Path, frames: int, pythons: dict[str, str], rounds: int) -> Size:
    """Measure all variants over `frames` frames; write their segments to `folder` if they are missing."""
    store = folder / str(frames)
    if not (store / "ready").exists():
        apart(write_segments, store, frames, FRAMES_PER_SEGMENT)
        (store / "ready").touch()
    paths = sorted(store.rglob("*.jsonl"))
    mapper = Measured()
    with tempfile.TemporaryDirectory() as temporary:
        manifest = Path(temporary) / "manifest"
        manifest.write_text("".join(f"{path.as_uri()}\n" for path in paths), "utf-8")
        command = [sys.executable, str(ROOT / "hadoop" / "mapper.py"), "--params", '{"tracking": null}']
        mapper.run(command, stdin=manifest)
    engines = measure_engines(pythons, paths, rounds)
    return Size(frames, sum(path.stat().st_size for path in paths) / 1e6, engines, mapper)


def write(
    name: str, size: Size, rounds: int, tables: Sequence[Table] = (), goals: Sequence[Goal] = ()
) -> None:
    """Write the results of one size; `tables` and `goals` are those in addition to every size's."""
    plain_s = size.engines[PLAIN].cpu_s
    save(
        name=name,
        title=f"Counting {size.frames:,} frames",
        about=(
            f"{size.frames:,} generated frames with 3.5 boxes each and 1 in 200 of them twice, in "
            f"segments of {FRAMES_PER_SEGMENT} frames, {size.megabytes:.0f} MB. {ABOUT}"
        ),
        packages=["mrjob", "msgspec"],
        tables=[
            Table(
                "Engines",
                ["variant", "wall s", "MB/s (wall)", "CPU s", "CPU, to the plain loop", "peak MB"],
                [row_of(one, found, plain_s, size.megabytes) for one, found in size.engines.items()],
                f"{rounds} rounds that took turns. The peak is that of the largest process.",
            ),
            *tables,
        ],
        goals=[*goals_of(size), *goals],
    )


def compare(base: Size, size: Size) -> tuple[list[Table], list[Goal]]:
    """Compare a larger size with a smaller one of the same run."""
    factor = size.frames / base.frames
    times = [(name, base.engines[name].cpu_s, size.engines[name].cpu_s) for name in (PLAIN, INLINE, LOCAL)]
    growth = {name: math.log(after / before, factor) for name, before, after in times}
    tables = [
        Table(
            "Growth",
            ["variant", f"CPU s, {base.frames:,} frames", f"CPU s, {size.frames:,}", "exponent"],
            [[name, before, after, growth[name]] for name, before, after in times],
            "With ten times the frames the time is ten to the exponent as much; start-up is in it.",
        ),
        Table(
            "One mapper",
            ["MB read", "CPU s", "peak MB"],
            [[one.megabytes, one.mapper.cpu_s, round(one.mapper.peak_mb)] for one in (base, size)],
            "`hadoop/mapper.py` over all segments in one process. It holds 64 MB of lines at most.",
        ),
    ]
    goals = [
        Goal("exponent of the growth of inline's CPU time", growth[INLINE], at_most=1.05),
        Goal(
            f"a mapper's peak memory to that with 1/{factor:g} of the input",
            size.mapper.peak_mb / base.mapper.peak_mb,
            at_most=1.2,
        ),
    ]
    return tables, goals


def goals_of(size: Size) -> list[Goal]:
    """Return the goals, as far as they were measured."""
    of = size.engines
    plain = of[INLINE].cpu_s / of[PLAIN].cpu_s
    goals = [Goal("CPU time of frametally inline to that of the plain loop", plain, at_most=1.4)]
    if size.megabytes >= LOCAL_PAYS_FROM_MB:
        ratio = of[LOCAL].wall_s / of[INLINE].wall_s
        goals.append(Goal("wall time of frametally local to that of inline", ratio, at_most=1.0))
    for name in (INLINE, LOCAL) if SPARK in of else ():
        ratio = of[name].wall_s / of[SPARK].wall_s
        goals.append(Goal(f"wall time of {name} to that of PySpark", ratio, at_most=1.0))
    return goals


def row_of(name: str, one: Measured, plain_s: float, megabytes: float) -> list[Cell]:
    """Return a variant's row of the table."""
    # A Java process does Spark's work, and is not counted here.
    own = (None, None, None) if name == SPARK else (one.cpu_s, one.cpu_s / plain_s, round(one.peak_mb))
    return [name, one.wall_s, megabytes / one.wall_s, *own]


if __name__ == "__main__":
    main()
