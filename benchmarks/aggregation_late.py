"""What a late segment costs, and a first count: `frametally aggregate` beside all of it, and beside DuckDB.

    python benchmarks/aggregation_late.py --engines /path/to/python
    python benchmarks/aggregation_late.py --engines /path/to/python --frames 2000000 --without-objects

`--engines` is a Python with duckdb==2.0.0. The day is counted from nothing, then again with one late segment
of one camera, then whole (`--all`), with and without objects. The last two counts must publish the same
bytes, or nothing is written. DuckDB does not count objects.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import footage
import msgspec
from aggregation_data import MODEL, START_MS, apart, frames_of, write_segments
from aggregation_rounds import Measured, clear
from results import Goal, Table, options, save

from frametally import keys

FRAMES, FRAMES_PER_SEGMENT = 200_000, 500
NOTHING, LATE, WHOLE = "from nothing", "with a late segment", "with it, --all"
OBJECTS, LINES = "objects", "no objects"
DUCKDB = ("DuckDB", NOTHING)
WAYS = {OBJECTS: True, LINES: False}


Step = tuple[str, str]
"""A way of counting, and a round."""


def late_segment(folder: Path, frames: int) -> Path:
    """Write a segment of 100 s of one camera, 100 ms after frames that it has; return its path."""
    wanted = [frame for frame in frames_of(FRAMES_PER_SEGMENT * 4) if frame.source == "gate-1"]
    found = []
    for number, frame in enumerate(wanted[:FRAMES_PER_SEGMENT]):
        at_ms = START_MS + 1_800_100 + number * 200
        path = keys.image_key(frame.source, at_ms, "cd" * 32, number)
        found.append(msgspec.structs.replace(frame, captured_at_ms=at_ms, image_path=path, media="cd" * 32))
    offset = frames * 2
    key, data = footage.segment(MODEL, 1, offset, found)
    segment = folder / "store" / key
    segment.write_bytes(data)
    return segment


def published(folder: Path) -> str:
    """Return a hash of the part files and tracks of each day's last run."""
    digest = hashlib.sha256()
    for top in ("mapreduce-output", "tracks", "hours"):
        runs = {path.parent for path in (folder / "store" / top).rglob("part-*")}
        last = {run.parent: run for run in sorted(runs)}
        for run in sorted(last.values()):
            for path in sorted(run.glob("pa*-*")):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Measure, and write benchmarks/results/aggregation_late.json."""
    asked = options(__doc__, engines=str, frames=FRAMES, without_objects=False, rounds=3, data=Path)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as in an installation, which is compiled once
    ways = {name: way for name, way in WAYS.items() if name != OBJECTS or not asked.without_objects}
    steps = [(name, step) for name in ways for step in (NOTHING, LATE, WHOLE)]
    found = {step: Measured() for step in [*steps, *([DUCKDB] if asked.engines else [])]}
    with tempfile.TemporaryDirectory() as temporary:
        place = asked.data or Path(temporary)
        for _ in range(asked.rounds):
            for name in ways:
                measure(name, place, asked, found)
    write(asked, found)


def measure(name: str, place: Path, asked: Namespace, found: dict[Step, Measured]) -> None:
    """Measure one round of one way: count from nothing, with a late segment, and whole.

    Raises `SystemExit` if the last two publish different bytes.
    """
    folder = place / f"late-{asked.frames}"
    if not (folder / "ready").exists():
        apart(write_segments, folder / "store", asked.frames, FRAMES_PER_SEGMENT)
        (folder / "ready").touch()
    os.environ["FRAMETALLY_COUNT_OBJECTS"] = str(WAYS[name])
    command = [sys.executable, "-m", "frametally", "aggregate", "--data-dir", str(folder)]
    clear(folder)
    found[name, NOTHING].run(command)
    if asked.engines and not WAYS[name]:
        listed = place / "list"
        segments = sorted((folder / "store" / "metadata").rglob("*.jsonl"))
        listed.write_text("\n".join(map(str, segments)), "utf-8")
        engines = str(Path(__file__).resolve().with_name("aggregation_engines.py"))
        found[DUCKDB].run([asked.engines, engines, "DuckDB", str(listed), str(place / "digest")])
    late = late_segment(folder, asked.frames)
    try:
        found[name, LATE].run(command)
        digest = published(folder)
        found[name, WHOLE].run([*command, "--all"])
        if digest != published(folder):
            raise SystemExit(f"{name}: a round and a whole count give other bytes")
    finally:
        late.unlink()


def write(asked: Namespace, found: dict[Step, Measured]) -> None:
    """Write the results."""

    def wall_ratio(what: str, step: Step, beside: Step, at_most: float) -> Goal:
        return Goal(what, found[step].wall_s / found[beside].wall_s, at_most=at_most)

    goals: list[Goal] = []
    if asked.engines and (OBJECTS, NOTHING) in found:
        for round_, at_most in ((NOTHING, 8.0), (LATE, 1.0)):
            what = f"wall time {round_}, objects (the default settings), to DuckDB's first count without"
            goals.append(wall_ratio(what, (OBJECTS, round_), DUCKDB, at_most))
    for name, step in found:
        if step == LATE:
            whole, ratio = (name, WHOLE), f"wall time with a late segment to --all, {name}"
            goals.append(wall_ratio(ratio, (name, step), whole, 0.5))
            what = f"wall seconds with a late segment, {name}"
            goals.append(Goal(what, found[name, step].wall_s, at_most=1.0))
    save(
        name="aggregation_late" + (f"-{asked.frames}" if asked.frames != FRAMES else ""),
        title=f"A day of {asked.frames:,} frames counted again with one late segment",
        about=(
            f"{asked.frames:,} generated frames of four cameras at 5 a second, in segments of "
            f"{FRAMES_PER_SEGMENT} frames; then one of {FRAMES_PER_SEGMENT} frames of one camera. "
            "`frametally aggregate`, inline, start-up, planning and publishing included. A round keeps the "
            "hours that nothing has changed; `--all` counts all from segments, to the same bytes. DuckDB "
            "2.0.0 counts the same lines without objects, on all cores."
        ),
        packages=["mrjob", "msgspec"],
        tables=[
            Table(
                "Rounds",
                ["counted", "round", "wall s", "CPU s", "peak MB"],
                [[*step, one.wall_s, one.cpu_s, round(one.peak_mb)] for step, one in found.items()],
                f"Medians of {asked.rounds} rounds that took turns.",
            )
        ],
        goals=goals,
    )


if __name__ == "__main__":
    main()
