"""What a late segment costs: `frametally aggregate` of a day that is counted already, beside all of it.

    python benchmarks/aggregation_late.py --engines /path/to/python

`--engines` is a Python with duckdb==2.0.0. The day is counted from nothing, then again with one late segment
of one camera, then whole (`--all`), with objects and without. The last two must publish the same bytes, or
nothing is written.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import msgspec
from aggregation_data import LOG_ID, MODEL, START_MS, TOPIC, apart, frames_of, write_segments
from aggregation_rounds import Measured, clear
from results import Goal, Table, save

from frametally import keys
from frametally.segments.contents import encode_segment

FRAMES, FRAMES_PER_SEGMENT = 200_000, 500
NOTHING, LATE, WHOLE, DUCKDB = "from nothing", "with a late segment", "with it, --all", "DuckDB, with it"
OBJECTS = {"objects": True, "no objects": False}


def count(folder: Path, *, objects: bool, recount: bool) -> None:
    """`frametally aggregate` in this process.

    Raises:
        SystemExit: Not all was counted.
    """
    from frametally.opening import open_object_store
    from frametally.process.reports import NoProgress
    from frametally.settings.loading import Settings
    from frametally_hadoop.driver import aggregate
    from frametally_hadoop.planning.counting_steps import DaySelection

    report = aggregate(
        settings=Settings(data_dir=folder, count_objects=objects).resolved(),
        store=open_object_store((folder / "store").as_uri()),
        progress=NoProgress(),
        selection=DaySelection(recount=recount),
    )
    if report.skipped or not report.runs:
        raise SystemExit(f"not all was counted: {report}")


def late_segment(folder: Path, frames: int) -> Path:
    """Write a segment of a minute and 40 s of one camera, 100 ms behind frames that it has, and name it."""
    wanted = [frame for frame in frames_of(FRAMES_PER_SEGMENT * 4) if frame.source == "gate-1"]
    found = []
    for number, frame in enumerate(wanted[:FRAMES_PER_SEGMENT]):
        at_ms = START_MS + 1_800_100 + number * 200
        path = keys.image_key(frame.source, at_ms, "cd" * 32, number)
        found.append(msgspec.structs.replace(frame, captured_at_ms=at_ms, image_path=path, media="cd" * 32))
    offset = frames * 2
    data = encode_segment(
        model=MODEL,
        log_id=LOG_ID,
        topic=TOPIC,
        partition=1,
        first_offset=offset,
        next_offset=offset + len(found),
        frames=found,
        dead_letters=[],
    )
    path = folder / "store" / keys.segment_key(MODEL, LOG_ID, TOPIC, 1, offset)
    path.write_bytes(data)
    return path


def published(folder: Path) -> str:
    """A hash of the part files of the last run of each day, and of its tracks."""
    digest = hashlib.sha256()
    for top in ("mapreduce-output", "tracks"):
        runs = {path.parent for path in (folder / "store" / top).rglob("part-*")}
        last = {run.parent: run for run in sorted(runs)}
        for run in sorted(last.values()):
            for path in sorted(run.glob("pa*-*")):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Measure, and write benchmarks/results/aggregation_late.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engines", help="a Python that has duckdb")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder to keep the generated segments in")
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--objects", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        count(options.count, objects=options.objects, recount=options.all)
        return
    load = os.getloadavg()[0]
    script = Path(__file__).resolve()
    found = {(how, step): Measured() for how in OBJECTS for step in (NOTHING, LATE, WHOLE)}
    duckdb = Measured()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.data or Path(temporary)) / f"late-{FRAMES}"
        if not (folder / "ready").exists():
            apart(write_segments, folder / "store", FRAMES, FRAMES_PER_SEGMENT)
            (folder / "ready").touch()
        for _ in range(options.rounds):
            for how, objects in OBJECTS.items():
                command = [sys.executable, str(script), "--count", str(folder)]
                command += ["--objects"] if objects else []
                clear(folder)
                found[how, NOTHING].run(command)
                late = late_segment(folder, FRAMES)
                try:
                    found[how, LATE].run(command)
                    kept = published(folder)
                    found[how, WHOLE].run([*command, "--all"])
                    if kept != published(folder):
                        raise SystemExit(f"{how}: a round and a whole count give other bytes")
                    if options.engines and not objects:
                        listed = Path(temporary) / "list"
                        paths = sorted((folder / "store").rglob("*.jsonl"))
                        listed.write_text("\n".join(map(str, paths)), "utf-8")
                        engines = str(script.with_name("aggregation_engines.py"))
                        digest = str(Path(temporary) / "digest")
                        duckdb.run([options.engines, engines, "DuckDB", str(listed), digest])
                finally:
                    late.unlink()
    rows = [[how, step, one.wall_s, one.cpu_s, round(one.peak_mb)] for (how, step), one in found.items()]
    goals = [
        Goal(
            what=f"CPU time with a late segment to that of --all, {how}",
            measured=found[how, LATE].cpu_s / found[how, WHOLE].cpu_s,
            at_most=0.35,
        )
        for how in OBJECTS
    ]
    goals += [
        Goal(what=f"wall seconds with a late segment, {how}", measured=found[how, LATE].wall_s, at_most=1.0)
        for how in OBJECTS
    ]
    if options.engines:
        rows.append(["no objects", DUCKDB, duckdb.wall_s, duckdb.cpu_s, round(duckdb.peak_mb)])
        ratio = found["no objects", LATE].wall_s / duckdb.wall_s
        goals.append(Goal(what="wall time with a late segment to DuckDB's", measured=ratio, at_most=0.7))
    save(
        name="aggregation_late",
        title="A day counted again with one late segment",
        about=(
            f"{FRAMES:,} generated frames of four cameras over 2 h 47 min, in segments of "
            f"{FRAMES_PER_SEGMENT} frames; then one of {FRAMES_PER_SEGMENT} frames of one camera. "
            "`frametally aggregate`, inline, start-up, planning and publishing included. A round keeps the "
            "hours that nothing has changed; "
            "`--all` counts all from segments, to the same bytes."
        ),
        load_before=load,
        packages=["mrjob", "msgspec"],
        tables=[
            Table(
                title="Rounds",
                columns=["counted", "round", "wall s", "CPU s", "peak MB"],
                rows=rows,
                note=f"Medians of {options.rounds} rounds that took turns.",
            )
        ],
        goals=goals,
    )


if __name__ == "__main__":
    main()
