"""How fast Spark counts beside the `local` runner: `frametally aggregate` with the settings that it has.

    python benchmarks/aggregation_spark.py --data FOLDER --rounds 0   # only makes the segments
    python benchmarks/aggregation_spark.py --data FOLDER

Run it with a Python that has pyspark (`make .venv-spark/ready`). Both must publish the same bytes, or nothing
is written.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from aggregation_data import write_segments
from aggregation_rounds import clear
from results import Cell, Goal, Table, save

FRAMES, FRAMES_PER_SEGMENT = 2_000_000, 500
LOCAL, SPARK, START = "`local`, 2 cores", "`spark`, 2 executors of one core", "`spark`, a job over no segment"
_SUBREAPER = 36  # a constant of Linux's prctl
CLUSTER = "local-cluster[2,1,1024]"
_COUNT = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from aggregation_rounds import count
count(Path({folder!r}), runner={runner!r}, spark_master={CLUSTER!r})
"""
_START = """
from frametally.settings.loading import Settings
from frametally_hadoop.running.spark import try_spark
try_spark(Settings(data_dir={folder!r}, spark_master={CLUSTER!r}).resolved())
"""


def main() -> None:
    """Measure, and write benchmarks/results/aggregation-spark.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder to keep the generated segments in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.data or Path(temporary)).absolute() / f"tracked-{options.frames}"
        if not (folder / "ready").exists():
            write_segments(folder / "store", options.frames, FRAMES_PER_SEGMENT)
            (folder / "ready").touch()
        if options.rounds:
            write(options.frames, measure(folder, options.rounds), options.rounds)


class Took(NamedTuple):
    """Seconds of one process: wall time, and CPU time with all processes that it started."""

    wall_s: float
    cpu_s: float


def take(script: str) -> Took:
    """Run a script in a separate process. Raises `SystemExit` if it fails.

    Spark's processes outlive their parent: in the end this process inherits them all, and so knows what each
    used.
    """
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run([sys.executable, "-c", script], stderr=log, check=False)
        wall_s = time.monotonic() - began_s
        log.seek(0)
        if done.returncode:
            raise SystemExit(log.read()[-3000:])
    with suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(folder: Path, rounds: int) -> dict[str, Took]:
    """Measure each on the same segments, in turns. Raises `SystemExit` if one fails or the bytes differ."""
    if ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("this kernel cannot tell what Spark's processes use")
    measured: dict[str, list[Took]] = {LOCAL: [], SPARK: [], START: []}
    digests = set()
    here = str(Path(__file__).resolve().parent)
    for _ in range(rounds):
        for name, runner in ((LOCAL, "local"), (SPARK, "spark")):
            clear(folder)
            script = _COUNT.format(here=here, folder=str(folder), runner=runner, CLUSTER=CLUSTER)
            measured[name].append(take(script))
            digests.add(digest_of(folder))
            if len(digests) > 1:
                raise SystemExit(f"{name} published other bytes")
        measured[START].append(take(_START.format(folder=str(folder), CLUSTER=CLUSTER)))
    return {name: Took(*map(statistics.median, zip(*taken, strict=True))) for name, taken in measured.items()}


def digest_of(folder: Path) -> str:
    """Return a hash over everything that was published."""
    digest = hashlib.sha256()
    for name in ("mapreduce-output", "tracks", "hours"):
        for path in sorted((folder / "store" / name).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def write(frames: int, took: dict[str, Took], rounds: int) -> None:
    """Write the result."""
    local, spark, start = took[LOCAL], took[SPARK], took[START]
    rows: list[list[Cell]] = [
        [name, one.wall_s, one.cpu_s, round(frames / one.cpu_s), local.cpu_s / one.cpu_s]
        for name, one in ((LOCAL, local), (SPARK, spark))
    ]
    save(
        name="aggregation-spark",
        title="Counting on Spark",
        about=(
            f"`frametally aggregate` over {frames:,} generated frames of four cameras, 3.5 boxes each, in "
            f"segments of {FRAMES_PER_SEGMENT} frames, with tracking and publication, from planning to the "
            "last run pointer. Each is a process of its own, start-up included. Spark is a cluster of two "
            f"executors with one core each on the same machine (`{CLUSTER}`); the driver plans, the tasks "
            "read the store, count and publish. Both publish the same bytes. CPU seconds are those of all "
            "processes, Java's included: on a machine with other work they say more than wall seconds."
        ),
        packages=["mrjob", "msgspec", "pyspark"],
        tables=[
            Table(
                "Runners",
                ["runner", "wall s", "CPU s", "frames a second of one core", "to `local`"],
                [*rows, [START, start.wall_s, start.cpu_s, None, None]],
                f"Rounds that took turns: {rounds}. The last row is the start of such a cluster.",
            )
        ],
        goals=[
            Goal(
                "frames a second of one core on Spark, to those of `local`",
                local.cpu_s / spark.cpu_s,
                at_least=0.8,
            )
        ],
    )


if __name__ == "__main__":
    main()
