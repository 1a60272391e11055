"""What an hour of footage takes of each store, and how fast each engine counts, in one run.

    make services-up SERVICES="kafka hadoop"
    python benchmarks/services.py --spark .venv-spark/bin/python

The servers are on this machine: there is no network between, and they share its cores with the client.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from aggregation_data import write_segments
from fleet_units import measure_log
from measuring import running_servers, stored_bytes
from results import ROOT, Cell, Table, options, save

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs
from frametally.files.demo_clip import ensure_demo_clip

MESSAGES = 20_000


def main() -> None:
    """Measure the available servers, and save the results."""
    asked = options(__doc__, spark=Path, frames=200_000)
    servers = running_servers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        tables = [
            Table(
                "What an hour of footage takes",
                ["what", "bytes a frame", "MB an hour at 5 frames/s"],
                _size_rows(folder, servers),
                "From the traffic clip (854x480, busy) by `frametally run`, interval 1 s; Kafka: from "
                "announcements alone. Frames are most of it, and grow with their pixels.",
            ),
            Table(
                f"Counting {asked.frames * 3.5 / 1e6:g} M detections on every engine",
                ["engine", "wall s", "detections/s", "wall, to inline"],
                _engine_rows(folder, servers, asked.frames, asked.spark),
                "One run each of `frametally aggregate`, tracking off, start-up included; all wrote the "
                "same bytes. YARN starts a container for each task: it pays from some gigabytes on, and for "
                "several machines.",
            ),
        ]
    save(
        name="services",
        title="Sizes of stored footage, and engines",
        about="The embedded parts (SQLite, files), Kafka 4.3, and each engine of `frametally aggregate`, on "
        "one machine.",
        packages=["kafka-python", "mrjob", "obstore", "sqlalchemy"],
        tables=tables,
    )


# Sizes.


def _size_rows(folder: Path, servers: dict[str, str]) -> list[list[Cell]]:
    clip = ensure_demo_clip(ROOT / "demo-data")
    for command in (["run", clip, "--no-serve", "--interval", "1"], ["status"]):
        subprocess.run(
            [sys.executable, "-m", "frametally", *command],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    data_dir = folder / "frametally-data"
    store = data_dir / "store"
    places = {
        "store: frames (`images/`)": [store / "images"],
        "store: detections (`metadata/`)": [store / "metadata"],
        "store: counts (`mapreduce-output/`)": [store / "mapreduce-output"],
        "store: tracks (`tracks/`)": [store / "tracks", store / "hours"],
        **{f"{name}, SQLite": [data_dir / f"{name}.sqlite"] for name in ("log", "index", "ledger")},
    }
    frames = len(list((store / "images").rglob("*.jpg")))
    sizes = {what: stored_bytes(*paths) / frames for what, paths in places.items()}
    if "KAFKA_URL" in servers:
        sizes["log, Kafka"] = measure_log(MESSAGES)["bytes"] / MESSAGES
    return [[what, round(each), each * 5 * 3600 / 1e6] for what, each in sizes.items()]


# The engines.


def _engine_rows(folder: Path, servers: dict[str, str], frames: int, spark: Path | None) -> list[list[Cell]]:
    write_segments(folder / "footage" / "store", frames, 500)
    pythons = dict.fromkeys(["inline", "local"], Path(sys.executable))
    env = os.environ | {"FRAMETALLY_COUNT_OBJECTS": "false"}
    if spark is not None:
        pythons["spark"] = spark
    if "HADOOP_BIN" in servers:
        pythons["hadoop"] = Path(sys.executable)
        env |= {"HADOOP_HOME": servers["HADOOP_FOLDER"], "FRAMETALLY_HADOOP_PYTHON": sys.executable}
    took: dict[str, float] = {}
    wrote: dict[str, dict[str, bytes]] = {}
    for engine, python in pythons.items():
        with _copy(folder / "footage", folder / engine) as data_dir:
            began_s = time.perf_counter()
            subprocess.run(
                [python, "-m", "frametally", "aggregate", "--runner", engine, "--data-dir", data_dir],
                env=env,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            took[engine] = time.perf_counter() - began_s
            with closing(open_object_store(f"file://{data_dir}/store")) as store:
                wrote[engine] = {
                    f"{run.day}/{part}": store.get(f"{run.prefix}/{part}")
                    for run in current_runs(store)
                    for part in run.parts
                }
        if wrote[engine] != wrote["inline"]:
            raise SystemExit(f"{engine} wrote other bytes than inline")
    return [
        [engine, round(wall_s, 1), round(frames * 3.5 / wall_s), wall_s / took["inline"]]
        for engine, wall_s in took.items()
    ]


@contextmanager
def _copy(footage: Path, data_dir: Path) -> Iterator[Path]:
    shutil.copytree(footage, data_dir)
    try:
        yield data_dir
    finally:
        shutil.rmtree(data_dir)


if __name__ == "__main__":
    main()
