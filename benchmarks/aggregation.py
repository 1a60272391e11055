"""How fast detections become counts: the counting job beside plain loops and other engines.

`python benchmarks/aggregation.py --engines /path/to/python` runs it; that Python has polars==2.1.0,
duckdb==2.0.0 and msgspec (they are no part of the project), or is left out. `--spark /path/to/python` has
pyspark. All variants must give the same rows, or nothing is written: each frame once, detections, peak,
frames, five frames of evidence, coverage. Each variant is a process of its own, and rounds take turns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

SEED, SOURCES, INTERVAL_MS, THRESHOLD = 7, 4, 60_000, 2500
START_MS = 1_772_323_200_000
LABELS = ["car", "person", "bus", "truck", "bicycle"]

Hits = list[tuple[int, int, str]]
"""`(-boxes, captured_at_ms, image_path)` of frames."""


def write_segments(folder: Path, frames: int, frames_per_segment: int) -> list[Path]:
    """Segments of `frames` frames with 3.5 boxes each, 1 in 200 twice; the same bytes every time."""
    from frametally import keys
    from frametally.records import Detection, FrameDetections
    from frametally.segments import encode_segment

    rng = random.Random(SEED)  # noqa: S311
    folder.mkdir(parents=True)
    paths, batch, offset = [], [], 0

    def flush() -> None:
        nonlocal offset
        data = encode_segment(
            model="bench",
            log_id="log",
            topic="frames",
            partition=0,
            first_offset=offset,
            next_offset=offset + len(batch),
            frames=batch,
            dead_letters=[],
        )
        paths.append(folder / f"frames-0-{offset:020d}.jsonl")
        paths[-1].write_bytes(data)
        offset += len(batch)
        batch.clear()

    for number in range(frames):
        source = f"gate-{number % SOURCES}"
        at_ms = START_MS + number // SOURCES * 200
        boxes = [
            Detection(
                label=rng.choices(LABELS, [8, 4, 1, 2, 1])[0],
                confidence=rng.randrange(1000, 10_000) / 10_000,
                box=(rng.randrange(6000) / 10, rng.randrange(4000) / 10, 30.5, 40.0),
            )
            for _ in range(rng.randrange(8))
        ]
        frame = FrameDetections(
            image_path=keys.image_key(source, at_ms, "ab" * 32, number),
            source=source,
            frame_index=number,
            captured_at_ms=at_ms,
            time_source="start_time",
            width_px=640,
            height_px=480,
            media="ab" * 32,
            model="bench",
            detections=boxes,
        )
        batch.append(frame)
        if number % 200 == 0:
            batch.append(frame)
        if len(batch) >= frames_per_segment:
            flush()
    if batch:
        flush()
    return paths


def rows_of(covered: dict[tuple[str, int], int], hits: dict[tuple[str, str, int], Hits]) -> list[str]:
    """The result as sorted lines, which all variants must agree on."""
    import heapq

    rows = [json.dumps(["coverage", source, start, n]) for (source, start), n in covered.items()]
    for (source, label, start), found in hits.items():
        best = [[path, at, -n] for n, at, path in heapq.nsmallest(5, found)]
        detections, peak = -sum(hit[0] for hit in found), -min(found)[0]
        rows.append(
            json.dumps(["count", source, label, start, covered[source, start], detections, peak, best])
        )
    return sorted(rows)


def plain(paths: list[str]) -> list[str]:
    """A loop over lines with msgspec: the least that counting each frame once costs in Python."""
    import msgspec

    detection = msgspec.defstruct("Detection", [("label", str), ("confidence", float)], gc=False)
    fields = [("image_path", str), ("source", str), ("captured_at_ms", int), ("detections", list[detection])]
    frame_type = msgspec.defstruct("Frame", fields, gc=False)
    decode = msgspec.json.Decoder(frame_type).decode
    kept: dict[str, tuple[bytes, Any]] = {}
    for path in paths:
        for line in Path(path).read_bytes().split(b"\n")[1:-1]:
            frame = decode(line)
            other = kept.get(frame.image_path)
            if other is None or line < other[0]:
                kept[frame.image_path] = line, frame
    covered: defaultdict[tuple[str, int], int] = defaultdict(int)
    hits: defaultdict[tuple[str, str, int], Hits] = defaultdict(list)
    for _, frame in kept.values():
        start = frame.captured_at_ms // INTERVAL_MS * INTERVAL_MS
        covered[frame.source, start] += 1
        tally: dict[str, int] = {}
        for one in frame.detections:
            if round(one.confidence * 10_000) >= THRESHOLD:
                tally[one.label] = tally.get(one.label, 0) + 1
        for label, n in tally.items():
            hits[frame.source, label, start].append((-n, frame.captured_at_ms, frame.image_path))
    return rows_of(covered, hits)


def job(paths: list[str], runner: str) -> list[str]:
    """The counting job, without tracking (the others have none)."""
    from frametally_hadoop.engine import run_job
    from frametally_hadoop.params import CountParams

    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for line in run_job(
            manifest=[Path(path).as_uri() for path in paths],
            params=CountParams(tracking=None),
            runner=runner,
            temporary=Path(temporary),
        ):
            kind, *_ = json.loads(line.partition(b"\t")[0])
            if kind not in ("count", "coverage"):
                continue
            one = json.loads(line.partition(b"\t")[2])
            row = [kind, one["source"]] + ([one["label"]] if kind == "count" else [])
            row += [one["interval_start_ms"], one["frames"]]
            if kind == "count":
                best = [[e["image_path"], e["captured_at_ms"], e["count"]] for e in one["evidence"]]
                row += [one["detections"], one["peak"], best]
            rows.append(json.dumps(row))
    return sorted(rows)


def naive(paths: list[str]) -> list[str]:
    """As mrjob's tutorial has it: JSON everywhere, a pair per frame, the standard library."""
    import warnings

    warnings.simplefilter("ignore")
    from naive_mrjob import NaiveCounts

    rows = []
    with NaiveCounts(["-r", "inline", "--no-conf", *paths]).make_runner() as engine:
        engine.run()
        for _, (kind, value) in NaiveCounts([]).parse_output(engine.cat_output()):
            rows.append(json.dumps([kind, *value]))
    return sorted(rows)


_SQL = """
with f as (select distinct on (image_path) *
           from read_json({files}, format='newline_delimited', columns={columns})
           where image_path is not null),
cov as (select source, captured_at_ms // {i} * {i} as start, count(*) as frames from f group by all),
hit as (select source, captured_at_ms // {i} * {i} as start, image_path, captured_at_ms, d.label as label,
               count(*) as n
        from (select *, unnest(detections) as d from f) where round(d.confidence * 10000) >= {t} group by all)
select hit.source, hit.label, hit.start, any_value(cov.frames), sum(n)::bigint, max(n),
       list([image_path, captured_at_ms::varchar, n::varchar]
            order by n desc, captured_at_ms, image_path)[1:5]
from hit join cov on hit.source = cov.source and hit.start = cov.start
group by hit.source, hit.label, hit.start
union all select source, null, start, frames, null, null, null from cov
"""


def duckdb(paths: list[str]) -> list[str]:
    """One SQL statement."""
    import duckdb as engine

    columns = (
        "{image_path: 'VARCHAR', source: 'VARCHAR', captured_at_ms: 'BIGINT',"
        " detections: 'STRUCT(label VARCHAR, confidence DOUBLE)[]'}"
    )
    statement = _SQL.format(files=repr(paths), columns=columns, i=INTERVAL_MS, t=THRESHOLD)
    rows = []
    for source, label, start, frames, detections, peak, best in engine.sql(statement).fetchall():
        if label is None:
            rows.append(json.dumps(["coverage", source, start, frames]))
        else:
            shown = [[path, int(at), int(n)] for path, at, n in best]
            rows.append(json.dumps(["count", source, label, start, frames, detections, peak, shown]))
    return sorted(rows)


def polars(paths: list[str]) -> list[str]:
    """Lazy frames with a schema, on the streaming engine."""
    import polars as pl

    box = pl.Struct({"label": pl.String, "confidence": pl.Float64})
    schema = {
        "image_path": pl.String,
        "source": pl.String,
        "captured_at_ms": pl.Int64,
        "detections": pl.List(box),
    }
    frames = (
        pl.scan_ndjson(paths, schema=schema)
        .filter(pl.col("image_path").is_not_null())
        .unique("image_path")
        .with_columns(start=pl.col("captured_at_ms") // INTERVAL_MS * INTERVAL_MS)
    )
    frames = frames.collect(engine="streaming").lazy()
    coverage = frames.group_by("source", "start").agg(frames=pl.len())
    counts = (
        frames.explode("detections")
        .unnest("detections")
        .filter((pl.col("confidence") * 10_000).round() >= THRESHOLD)
        .group_by("source", "label", "start", "captured_at_ms", "image_path")
        .agg(n=pl.len())
        .sort(["n", "captured_at_ms", "image_path"], descending=[True, False, False])
        .group_by("source", "label", "start", maintain_order=True)
        .agg(
            detections=pl.col("n").sum(),
            peak=pl.col("n").max(),
            best=pl.struct("image_path", "captured_at_ms", "n").head(5),
        )
        .join(coverage, on=["source", "start"])
    )
    found, covered = pl.collect_all([counts, coverage])
    rows = [json.dumps(["coverage", *row]) for row in covered.iter_rows()]
    for source, label, start, detections, peak, best, seen in found.iter_rows():
        shown = [[one["image_path"], one["captured_at_ms"], one["n"]] for one in best]
        rows.append(json.dumps(["count", source, label, start, seen, detections, peak, shown]))
    return sorted(rows)


def pyspark(paths: list[str]) -> list[str]:
    """DataFrames on two cores."""
    from pyspark.sql import SparkSession, Window
    from pyspark.sql import functions as f

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    schema = (
        "image_path string, source string, captured_at_ms bigint, "
        "detections array<struct<label: string, confidence: double>>"
    )
    frames = (
        spark.read.schema(schema)
        .json(paths)
        .where("image_path is not null")
        .dropDuplicates(["image_path"])
        .withColumn("start", f.expr(f"captured_at_ms div {INTERVAL_MS} * {INTERVAL_MS}"))
        .cache()
    )
    coverage = frames.groupBy("source", "start").agg(f.count("*").alias("frames"))
    hits = (
        frames.select("source", "start", "captured_at_ms", "image_path", f.explode("detections").alias("d"))
        .where(f"round(d.confidence * 10000) >= {THRESHOLD}")
        .groupBy("source", "d.label", "start", "captured_at_ms", "image_path")
        .agg(f.count("*").alias("n"))
    )
    bar = Window.partitionBy("source", "label", "start")
    order = bar.orderBy(f.desc("n"), "captured_at_ms", "image_path")
    counts = (
        hits.withColumn("place", f.row_number().over(order))
        .groupBy("source", "label", "start")
        .agg(
            f.sum("n").alias("detections"),
            f.max("n").alias("peak"),
            f.array_sort(
                f.collect_list(
                    f.when(f.col("place") <= 5, f.struct("place", "image_path", "captured_at_ms", "n"))
                )
            ).alias("best"),
        )
        .join(coverage, ["source", "start"])
    )
    rows = [json.dumps(["coverage", one.source, one.start, one.frames]) for one in coverage.collect()]
    for one in counts.collect():
        shown = [[best.image_path, best.captured_at_ms, best.n] for best in one.best]
        rows.append(
            json.dumps(
                ["count", one.source, one.label, one.start, one.frames, one.detections, one.peak, shown]
            )
        )
    return sorted(rows)


VARIANTS = {
    "plain msgspec loop": plain,
    "frametally, inline": lambda paths: job(paths, "inline"),
    "frametally, local": lambda paths: job(paths, "local"),
    "naive mrjob, inline": naive,
    "DuckDB": duckdb,
    "Polars": polars,
    "PySpark DataFrames": pyspark,
}


class Measured:
    """The rounds of one variant."""

    def __init__(self) -> None:
        """None yet."""
        self.wall_s: list[float] = []
        self.cpu_s: list[float] = []
        self.peak_mb = 0.0
        self.digest = ""


def run_once(python: str, name: str, paths: list[Path], into: Measured) -> None:
    """One round in a process of its own; wall and CPU seconds are those of the whole process."""
    with tempfile.TemporaryDirectory() as temporary:
        listed, digest = Path(temporary) / "list", Path(temporary) / "digest"
        listed.write_text("\n".join(map(str, paths)))
        command = [python, str(Path(__file__).resolve()), "--variant", name, str(listed), str(digest)]
        started_s = time.monotonic()
        log = Path(temporary) / "log"
        with log.open("wb") as sink:
            child = os.posix_spawn(
                python,
                command,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, sink.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, sink.fileno(), 2),
                ],
            )
            _, status, usage = os.wait4(child, 0)
        if status:
            raise SystemExit(f"{name} failed:\n{log.read_text()[-3000:]}")
        into.wall_s.append(time.monotonic() - started_s)
        into.cpu_s.append(usage.ru_utime + usage.ru_stime)
        into.peak_mb = max(into.peak_mb, usage.ru_maxrss / 1024)
        into.digest = digest.read_text()


def measure(
    frames: int, frames_per_segment: int, pythons: dict[str, str], rounds: int
) -> tuple[dict[str, Measured], int]:
    """Every variant over the same segments, in rounds that take turns; and the bytes of the segments."""
    found = {name: Measured() for name in pythons}
    with tempfile.TemporaryDirectory() as temporary:
        paths = write_segments(Path(temporary) / "metadata", frames, frames_per_segment)
        size = sum(path.stat().st_size for path in paths)
        for _ in range(rounds):
            for name, python in pythons.items():
                run_once(python, name, paths, found[name])
    digests = {name: one.digest for name, one in found.items()}
    if len(set(digests.values())) > 1:
        raise SystemExit(f"the variants do not agree: {digests}")
    return found, size


def main() -> None:
    """Measure, and write benchmarks/results/aggregation.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", nargs=3, metavar=("NAME", "LIST", "DIGEST"))
    parser.add_argument("--engines", help="a Python that has polars, duckdb and msgspec")
    parser.add_argument("--spark", help="a Python that has pyspark")
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.variant:
        name, listed, digest = options.variant
        rows = VARIANTS[name](Path(listed).read_text().split("\n"))
        Path(digest).write_text(hashlib.sha256("\n".join(rows).encode()).hexdigest())
        return
    from results import Cell, Goal, Table, save

    load = os.getloadavg()[0]
    pythons = dict.fromkeys(list(VARIANTS)[:4], sys.executable)
    if options.engines:
        pythons |= dict.fromkeys(("DuckDB", "Polars"), options.engines)
    if options.spark:
        pythons["PySpark DataFrames"] = options.spark
    found, size = measure(options.frames, 500, pythons, options.rounds)
    plain_s = statistics.median(found["plain msgspec loop"].cpu_s)
    rows: list[list[Cell]] = []
    for name, one in found.items():
        wall_s, cpu_s = statistics.median(one.wall_s), statistics.median(one.cpu_s)
        # Spark's work is done by a process of Java's, which is not counted here.
        own = (None, None, None) if "Spark" in name else (cpu_s, cpu_s / plain_s, round(one.peak_mb))
        rows.append([name, wall_s, size / wall_s / 1e6, *own])
    small, small_size = measure(
        options.frames // 4, 200, {"frametally, inline": sys.executable}, options.rounds
    )
    large, large_size = measure(
        options.frames // 4, 10**9, {"frametally, inline": sys.executable}, options.rounds
    )
    cost = [statistics.median(one["frametally, inline"].cpu_s) for one in (small, large)]
    goals = [
        Goal(
            what="CPU time of frametally inline to that of the plain loop",
            measured=statistics.median(found["frametally, inline"].cpu_s) / plain_s,
            at_most=1.4,
        ),
        Goal(
            what="CPU time of segments of 0.1 MB to one file of the same frames",
            measured=cost[0] / cost[1],
            at_most=1.3,
        ),
    ]
    if options.engines:
        goals.append(
            Goal(
                what="wall time of frametally inline to that of Polars",
                measured=statistics.median(found["frametally, inline"].wall_s)
                / statistics.median(found["Polars"].wall_s),
                at_most=1.0,
            )
        )
    save(
        name="aggregation",
        title="Counting",
        about=(
            f"{options.frames:,} generated frames with 3.5 boxes each and 1 in 200 of them twice, in "
            f"segments of 500 frames, {size / 1e6:.0f} MB. Each variant is a process of its own, start-up "
            "included, and gives the same rows: each frame once, detections, peak, five frames of evidence, "
            "coverage. "
            "Without tracking, which the others do not have. CPU seconds are the whole process's, children "
            "included: on a machine with other work they say more than wall seconds. Polars 2.1.0, DuckDB "
            "2.0.0 and PySpark 4.3.0 use all cores, the first two and the last in environments of their own."
        ),
        load_before=load,
        packages=["mrjob", "msgspec"],
        tables=[
            Table(
                title="Engines",
                columns=["variant", "wall s", "MB/s (wall)", "CPU s", "CPU, to the plain loop", "peak MB"],
                rows=rows,
                note=f"Medians of {options.rounds} rounds that took turns.",
            ),
            Table(
                title="Many small segments",
                columns=["frames a segment", "MB", "CPU s"],
                rows=[[200, small_size / 1e6, cost[0]], ["all in one", large_size / 1e6, cost[1]]],
            ),
        ],
        goals=goals,
    )


if __name__ == "__main__":
    main()
