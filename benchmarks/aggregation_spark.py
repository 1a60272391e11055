"""How fast Spark counts beside the `local` runner: `frametally aggregate` with the settings that it has.

    python benchmarks/aggregation_spark.py --data FOLDER --rounds 0   # only makes the segments
    python benchmarks/aggregation_spark.py --data FOLDER

Run it with a Python that has pyspark (`make .venv-spark/ready`). Both must publish the same bytes, or nothing
is written.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from aggregation_data import write_segments
from aggregation_rounds import Measured, clear
from measuring import FRAMETALLY
from results import Cell, Goal, Table, options, save

FRAMES, FRAMES_PER_SEGMENT = 2_000_000, 500
LOCAL, SPARK, START = "`local`, 2 cores", "`spark`, 2 executors of one core", "`spark`, a job over no segment"
_SUBREAPER = 36  # a constant of Linux's prctl
CLUSTER = "local-cluster[2,1,1024]"
_START = """
from frametally.settings.loading import load_settings
from frametally_hadoop.running.spark import try_spark
try_spark(load_settings())
"""


def main() -> None:
    """Measure, and write benchmarks/results/aggregation-spark.json."""
    asked = options(__doc__, frames=FRAMES, rounds=1, data=Path)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (asked.data or Path(temporary)).absolute() / f"tracked-{asked.frames}"
        if not (folder / "ready").exists():
            write_segments(folder / "store", asked.frames, FRAMES_PER_SEGMENT)
            (folder / "ready").touch()
        if asked.rounds:
            write(asked.frames, measure(folder, asked.rounds), asked.rounds)


def measure(folder: Path, rounds: int) -> dict[str, Measured]:
    """Measure each on the same segments, in turns. Raises `SystemExit` if one fails or the bytes differ."""
    # Spark's processes outlive their parent: this process inherits them all, and so knows what each used.
    if ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("this kernel cannot tell what Spark's processes use")
    os.environ |= {"FRAMETALLY_DATA_DIR": str(folder), "FRAMETALLY_SPARK_MASTER": CLUSTER}
    measured = {name: Measured() for name in (LOCAL, SPARK, START)}
    digests = set()
    for _ in range(rounds):
        for name, runner in ((LOCAL, "local"), (SPARK, "spark")):
            clear(folder)
            measured[name].run([*FRAMETALLY, "aggregate", "--runner", runner], with_orphans=True)
            digests.add(digest_of(folder))
            if len(digests) > 1:
                raise SystemExit(f"{name} published other bytes")
        measured[START].run([sys.executable, "-c", _START], with_orphans=True)
    return measured


def digest_of(folder: Path) -> str:
    """Return a hash over everything that was published."""
    digest = hashlib.sha256()
    for name in ("mapreduce-output", "tracks", "hours"):
        for path in sorted((folder / "store" / name).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def write(frames: int, took: dict[str, Measured], rounds: int) -> None:
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
