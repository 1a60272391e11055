"""How fast Spark counts beside the `local` runner: `frametally aggregate` with the settings that it has.

    python benchmarks/aggregation_spark.py --data FOLDER --rounds 0   # makes the segments alone
    python benchmarks/aggregation_spark.py --data FOLDER

Run it with a Python that has pyspark (`make .venv-spark/ready`). Both must publish the same bytes, or nothing
is written.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from aggregation_data import apart, write_segments
from aggregation_rounds import Measured, clear
from results import Cell, Goal, Table, save

FRAMES, FRAMES_PER_SEGMENT = 2_000_000, 500
LOCAL, SPARK, START = "`local`, 2 cores", "`spark`, 2 executors of one core", "`spark`, a job over no segment"
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
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.data or Path(temporary)).absolute() / f"tracked-{options.frames}"
        if not (folder / "ready").exists():
            apart(write_segments, folder / "store", options.frames, FRAMES_PER_SEGMENT)
            (folder / "ready").touch()
        if options.rounds:
            write(options.frames, measure(folder, options.rounds), options.rounds, load)


def measure(folder: Path, rounds: int) -> dict[str, Measured]:
    """Each over the same segments, in turns. Raises `SystemExit`: one failed, or the bytes differ."""
    measured = {LOCAL: Measured(), SPARK: Measured(), START: Measured()}
    digests = set()
    here = str(Path(__file__).resolve().parent)
    for _ in range(rounds):
        for name, runner in ((LOCAL, "local"), (SPARK, "spark")):
            clear(folder)
            script = _COUNT.format(here=here, folder=str(folder), runner=runner, CLUSTER=CLUSTER)
            measured[name].run([sys.executable, "-c", script])
            digests.add(digest_of(folder))
            if len(digests) > 1:
                raise SystemExit(f"{name} published other bytes")
        measured[START].run([sys.executable, "-c", _START.format(folder=str(folder), CLUSTER=CLUSTER)])
    return measured


def digest_of(folder: Path) -> str:
    """Return a hash over all that was published."""
    digest = hashlib.sha256()
    for name in ("mapreduce-output", "tracks"):
        for path in sorted((folder / "store" / name).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def write(frames: int, measured: dict[str, Measured], rounds: int, load: float) -> None:
    """Write the result."""
    rows: list[list[Cell]] = [
        [name, one.wall_s, round(frames / one.wall_s / 2), measured[LOCAL].wall_s / one.wall_s]
        for name, one in measured.items()
        if name != START
    ]
    rows.append([START, measured[START].wall_s, None, None])
    save(
        name="aggregation-spark",
        title="Counting on Spark",
        about=(
            f"`frametally aggregate` over {frames:,} generated frames of four cameras, 3.5 boxes each, in "
            f"segments of {FRAMES_PER_SEGMENT} frames, with tracking and publication, from planning to the "
            "last run pointer. Each is a process of its own, start-up included. Spark is a cluster of two "
            f"executors with one core each on the same machine (`{CLUSTER}`); the driver plans, the tasks "
            "read the store, count and publish. Both publish the same bytes."
        ),
        load_before=load,
        packages=["mrjob", "msgspec", "pyspark"],
        tables=[
            Table(
                title="Runners",
                columns=["runner", "wall s", "frames/s of one core", "to `local`"],
                rows=rows,
                note=f"Rounds that took turns: {rounds}. The last row is how long Spark takes to start.",
            )
        ],
        goals=[
            Goal(
                what="frames a second of one core on Spark, to those of `local`",
                measured=measured[LOCAL].wall_s / measured[SPARK].wall_s,
                at_least=0.8,
            )
        ],
    )


if __name__ == "__main__":
    main()
