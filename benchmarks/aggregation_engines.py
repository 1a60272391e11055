"""The compared engines: `python benchmarks/aggregation_engines.py NAME LIST DIGEST` runs one.

All compute the same rows from the segments listed in the file LIST, and write their hash to DIGEST: each
frame once, detections, peak, frames, five frames of evidence, coverage.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

INTERVAL_MS, THRESHOLD = 60_000, 2500
SPLIT_BYTES = 64_000_000

Hits = list[tuple[int, int, str]]
"""`(-boxes, captured_at_ms, image_path)` of frames."""


def rows_of(covered: dict[tuple[str, int], int], hits: dict[tuple[str, str, int], Hits]) -> list[str]:
    """Return the result as sorted lines, on which all variants must agree."""
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
    """Count in a plain loop over lines with msgspec: the least cost of counting each frame once in Python."""
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
    """Run the counting job without tracking, which the others lack."""
    import msgspec

    from frametally_hadoop.job.params import CountParams
    from frametally_hadoop.job.reading import ENTRY_SEPARATOR
    from frametally_hadoop.running.engine import run_job
    from frametally_hadoop.running.outcome import plan_splits

    sizes = [(path, Path(path).stat().st_size) for path in paths]
    splits = plan_splits(sizes, split_bytes=SPLIT_BYTES)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for line in run_job(
            manifest=[ENTRY_SEPARATOR.join(Path(path).as_uri() for path in split) for split in splits],
            params=CountParams(tracking=None),
            runner=runner,
            temporary=Path(temporary),
        ):
            kind = line[2 : line.index(b'"', 2)].decode()
            if kind not in ("count", "coverage"):
                continue
            one = msgspec.json.decode(line.partition(b"\t")[2])
            row = [kind, one["source"]] + ([one["label"]] if kind == "count" else [])
            row += [one["interval_start_ms"], one["frames"]]
            if kind == "count":
                best = [[e["image_path"], e["captured_at_ms"], e["count"]] for e in one["evidence"]]
                row += [one["detections"], one["peak"], best]
            rows.append(json.dumps(row))
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
    """Count with one SQL statement."""
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


def pyspark(paths: list[str]) -> list[str]:
    """Count with DataFrames on two cores."""
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
    "DuckDB": duckdb,
    "PySpark DataFrames": pyspark,
}


if __name__ == "__main__":
    name, listed, digest = sys.argv[1:]
    found = VARIANTS[name](Path(listed).read_text("utf-8").splitlines())
    Path(digest).write_text(hashlib.sha256("\n".join(found).encode()).hexdigest())
