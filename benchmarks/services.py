"""How fast the real servers are beside the embedded parts, through the same ports, in one run.

    make services-up SERVICES="kafka s3 elasticsearch postgres hadoop"
    python benchmarks/services.py --spark .venv-spark/bin/python

Each row is frametally's own call (`publish`, `poll`, `put`, `get`, `histogram`), not the server's. The
servers are on this machine: there is no network between, and they share its cores with the client.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import footage
from aggregation_data import write_segments
from results import ROOT, Cell, Table, save

from frametally.books.runs import current_runs
from frametally.files.demo_clip import ensure_demo_clip
from frametally.opening import open_count_index, open_frame_log, open_object_store
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.records import Coverage, Evidence, FrameAnnouncement, IntervalCount, Run, encode
from frametally.settings.access import LogAccess, ServerAccess, StoreAccess
from frametally.settings.fields import SecretStr
from frametally_cli.bucket import set_up_store

MESSAGES, PARTITIONS, A_BATCH = 20_000, 6, 500
OBJECTS, OBJECT_BYTES = 400, 60_000
SOURCES, LABELS, MINUTES = 3, 10, 1440
DAY_MS, DAY = 1_772_323_200_000, "2026-03-01"
MODEL = f"bench-{uuid.uuid4().hex[:8]}"  # distinct from an earlier run in the index
ROUNDS, QUERIES = 3, 30
SERVICES = Path(os.environ.get("FRAMETALLY_SERVICES_DIR", ROOT / ".services"))


def main() -> None:
    """Measure the available servers, and save the results."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--spark", type=Path, help="a Python with pyspark")
    options.add_argument("--frames", type=int, default=200_000, help="frames to count, with 3.5 boxes each")
    asked = options.parse_args()
    servers = running_servers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        tables = [
            Table(
                "Log, store and index",
                ["what", "embedded", "real", "real, to embedded"],
                [*_log_rows(folder, servers), *_store_rows(folder, servers), *_index_rows(folder, servers)],
                f"Medians of {ROUNDS} rounds in which both took turns.",
            ),
            Table(
                "What an hour of footage takes",
                ["what", "bytes a frame", "MB an hour at 5 frames/s"],
                _size_rows(folder, servers),
                "From the traffic clip (854x480, busy) by `frametally run`, interval 1 s; Kafka: from "
                "the messages above. Frames are most of it, and grow with their pixels.",
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
        title="Embedded parts and real servers",
        about="The same calls on the embedded parts (SQLite, files) and on the real servers (Kafka 4.3 with "
        "idempotent producers and acks=all, SeaweedFS 4.48 by obstore, PostgreSQL 15, Elasticsearch 8.19 "
        "with security), all on this machine.",
        packages=["elasticsearch", "kafka-python", "mrjob", "obstore", "psycopg", "sqlalchemy"],
        tables=tables,
        goals=[],
    )


def running_servers() -> dict[str, str]:
    """Return the running servers' settings from `make services-up`, by name."""
    path = SERVICES / "env"
    lines = shlex.split(path.read_text("utf-8"), comments=True) if path.is_file() else []
    return {
        key.removeprefix("FRAMETALLY_TEST_"): value for key, value in (line.split("=", 1) for line in lines)
    }


def _rate(work: Callable[[], object], units: int) -> float:
    began_s = time.perf_counter()
    work()
    return units / (time.perf_counter() - began_s)


def _row(what: str, embedded: list[float], real: list[float]) -> list[Cell]:
    ours, theirs = statistics.median(embedded), statistics.median(real)
    return [what, round(ours), round(theirs), theirs / ours]


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
    frames = len(list((data_dir / "store" / "images").rglob("*.jpg")))
    sizes = {
        "store: frames (`images/`)": _bytes(data_dir / "store" / "images") / frames,
        "store: detections (`metadata/`)": _bytes(data_dir / "store" / "metadata") / frames,
        "store: counts (`mapreduce-output/`)": _bytes(data_dir / "store" / "mapreduce-output") / frames,
        "store: tracks (`tracks/`)": sum(_bytes(data_dir / "store" / top) for top in ("tracks", "hours"))
        / frames,
        "log, SQLite": _bytes(data_dir / "log.sqlite") / frames,
        "index, SQLite": _bytes(data_dir / "index.sqlite") / frames,
        "ledger, SQLite": _bytes(data_dir / "ledger.sqlite") / frames,
    }
    topics = [path for topic in _topics for path in (SERVICES / "kafka" / "data").glob(f"{topic}-*")]
    if "KAFKA_URL" in servers and topics:
        logs = [file for topic in topics for file in topic.glob("*.log")]
        sizes["log, Kafka"] = sum(file.stat().st_size for file in logs) / (ROUNDS * MESSAGES)
    return [[what, round(each), each * 5 * 3600 / 1e6] for what, each in sizes.items()]


def _bytes(*paths: Path) -> int:
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(file.stat().st_size for file in files if file.is_file())


# The log.

_topics: list[str] = []  # the topics of this run


def _log_rows(folder: Path, servers: dict[str, str]) -> list[list[Cell]]:
    if "KAFKA_URL" not in servers:
        return []
    announced = [
        encode(
            FrameAnnouncement(
                image_path=f"images/gate/2026-03-01/{DAY_MS + n * 200}-abababababab-{n}.jpg",
                source="gate",
                frame_index=n,
                captured_at_ms=DAY_MS + n * 200,
                time_source="start_time",
                width_px=854,
                height_px=480,
                bytes=60_000,
                sha256="ab" * 32,
                media="cd" * 32,
            )
        )
        for n in range(MESSAGES)
    ]
    messages = [(b"gate-%d" % (n // 25), value) for n, value in enumerate(announced)]
    urls = {"embedded": f"sqlite:///{folder / 'log.sqlite'}", "real": servers["KAFKA_URL"]}
    published: dict[str, list[float]] = {name: [] for name in urls}
    polled: dict[str, list[float]] = {name: [] for name in urls}
    for _ in range(ROUNDS):
        for name, url in urls.items():
            with closing(open_frame_log(url, LogAccess())) as log:
                topic = f"bench-{uuid.uuid4().hex[:8]}"
                _topics.append(topic)
                log.create_topic(topic, PARTITIONS)
                published[name].append(_rate(lambda: _publish(log, topic, messages), MESSAGES))  # noqa: B023
                polled[name].append(_poll_rate(log, topic))
    return [
        _row(f"publish, {len(announced[0])} B messages, {A_BATCH} a call, messages/s", *published.values()),
        _row("poll and commit, messages/s", *polled.values()),
    ]


def _publish(log: FrameLog, topic: str, messages: list[tuple[bytes, bytes]]) -> None:
    for at in range(0, len(messages), A_BATCH):
        log.publish(topic, messages[at : at + A_BATCH])


def _poll_rate(log: FrameLog, topic: str) -> float:
    """Measure from the first message: joining a group takes seconds, and happens once."""
    nothing: Callable[[list[int]], None] = lambda partitions: None  # noqa: E731
    with closing(log.subscribe(topic, "bench", on_assigned=nothing, on_revoked=nothing)) as consumer:
        seen, began_s, first = 0, 0.0, 0
        while seen < MESSAGES:
            records = consumer.poll(timeout_s=1.0, max_records=A_BATCH)
            if records and not began_s:
                began_s, first = time.perf_counter(), len(records)
            seen += len(records)
            for partition, offset in {record.partition: record.offset for record in records}.items():
                consumer.commit(partition, offset + 1)
        return (seen - first) / (time.perf_counter() - began_s)


# The store.


def _store_rows(folder: Path, servers: dict[str, str]) -> list[list[Cell]]:
    if "S3_URL" not in servers:
        return []
    access = StoreAccess(
        endpoint=servers["S3_URL"],
        access_key=servers["S3_ACCESS_KEY"],
        secret_key=SecretStr(servers["S3_SECRET_KEY"]),
    )
    bucket = f"s3://bench-{uuid.uuid4().hex[:8]}"
    set_up_store(bucket, access)
    data = os.urandom(OBJECT_BYTES)
    put: dict[str, list[float]] = {"embedded": [], "real": []}
    get: dict[str, list[float]] = {"embedded": [], "real": []}
    with (
        closing(open_object_store(f"file://{folder / 'store'}")) as files,
        closing(open_object_store(bucket, access)) as s3,
    ):
        for number in range(ROUNDS):
            for name, store in (("embedded", files), ("real", s3)):
                keys = [f"images/gate/2026-03-01/{number}-{n}.jpg" for n in range(OBJECTS)]
                put[name].append(_rate(lambda: _put(store, keys, data), OBJECTS))  # noqa: B023
                get[name].append(_rate(lambda: [store.get(key) for key in keys], OBJECTS))  # noqa: B023
    kilobytes = OBJECT_BYTES // 1000
    return [
        _row(f"put if absent, {kilobytes} kB, one after the other, objects/s", *put.values()),
        _row(f"get, {kilobytes} kB, one after the other, objects/s", *get.values()),
    ]


def _put(store: ObjectStore, keys: list[str], data: bytes) -> None:
    for key in keys:
        store.put(key, data, if_absent=True)


# The index.


def _index_rows(folder: Path, servers: dict[str, str]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for title, url, access in _real_indexes(servers):
        published: dict[str, list[float]] = {"embedded": [], "real": []}
        asked: dict[str, list[float]] = {"embedded": [], "real": []}
        with (
            closing(open_count_index(f"sqlite:///{folder / f'{title}.sqlite'}")) as embedded,
            closing(open_count_index(url, access)) as real,
        ):
            for sequence in range(1, ROUNDS + 1):
                for name, index in (("embedded", embedded), ("real", real)):
                    run, counts, coverage = _day(sequence)
                    documents = len(counts) + len(coverage)
                    publish: Callable[[], object] = lambda: _publish_day(index, run, counts, coverage)  # noqa: B023, E731
                    published[name].append(_rate(publish, documents))
                    asked[name].append(_rate(lambda: _ask(index), QUERIES))  # noqa: B023
        documents = SOURCES * MINUTES * (LABELS + 1)
        rows += [
            _row(f"{title}: publish a day of {documents:,} rows, rows/s", *published.values()),
            _row(f"{title}: chart of a day by hours, queries/s", *asked.values()),
        ]
    return rows


def _publish_day(index: CountIndex, run: Run, counts: list[IntervalCount], coverage: list[Coverage]) -> None:
    if not index.publish(run, counts, coverage):
        raise SystemExit(f"{index.url} had this run already, so nothing was measured")


def _real_indexes(servers: dict[str, str]) -> Iterator[tuple[str, str, ServerAccess]]:
    for title, name in (("PostgreSQL", "POSTGRES"), ("Elasticsearch", "ELASTICSEARCH")):
        if f"{name}_URL" in servers:
            password = SecretStr(servers[f"{name}_PASSWORD"])
            url = servers[f"{name}_URL"]
            if name == "ELASTICSEARCH":
                url += f"/hadoop-object-counts-bench-{uuid.uuid4().hex[:6]}"
            yield title, url, ServerAccess(user=servers[f"{name}_USER"], password=password)


def _day(sequence: int) -> tuple[Run, list[IntervalCount], list[Coverage]]:
    run = footage.run(MODEL, DAY, sequence, frames=SOURCES * MINUTES * 300)
    counts, coverage = [], []
    for source in range(SOURCES):
        for minute in range(MINUTES):
            at = {"source": f"gate-{source}", "interval_start_ms": DAY_MS + minute * 60_000, "interval_s": 60}
            coverage.append(Coverage(model=MODEL, frames=300, **at))  # type: ignore[arg-type]
            for label in range(LABELS):
                seen = Evidence(
                    image_path=f"images/{source}/{minute}.jpg", captured_at_ms=DAY_MS, count=label + 1
                )
                counts.append(
                    IntervalCount(
                        model=MODEL,
                        label=f"label-{label}",
                        frames=300,
                        detections=sequence + label * minute,
                        peak=label + 1,
                        objects=label,
                        evidence=[seen],
                        **at,  # type: ignore[arg-type]
                    )
                )
    return run, counts, coverage


def _ask(index: CountIndex) -> None:
    for _ in range(QUERIES):
        index.histogram(CountQuery(MODEL, 60, 3600))


# The engines.


def _engine_rows(folder: Path, servers: dict[str, str], frames: int, spark: Path | None) -> list[list[Cell]]:
    write_segments(folder / "footage" / "store", frames, 500)
    engines: dict[str, tuple[Path, dict[str, str]]] = {
        "inline": (Path(sys.executable), {}),
        "local": (Path(sys.executable), {}),
    }
    if spark is not None:
        engines["spark"] = spark, {}
    if "HADOOP_BIN" in servers:
        engines["hadoop"] = (
            Path(sys.executable),
            {"HADOOP_HOME": servers["HADOOP_FOLDER"], "FRAMETALLY_HADOOP_PYTHON": sys.executable},
        )
    took: dict[str, float] = {}
    wrote: dict[str, dict[str, bytes]] = {}
    for engine, (python, env) in engines.items():
        with _copy(folder / "footage", folder / engine) as data_dir:
            began_s = time.perf_counter()
            subprocess.run(
                [python, "-m", "frametally", "aggregate", "--runner", engine, "--data-dir", data_dir],
                env=os.environ | env | {"FRAMETALLY_COUNT_OBJECTS": "false"},
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
