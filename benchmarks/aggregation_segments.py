"""What many small segments cost: `frametally aggregate` over 10,000 of them, and over one with their lines.

This includes planning, counting and publishing. Both must publish the same bytes, or nothing is written.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from aggregation_data import apart, write_as_one, write_segments
from aggregation_rounds import Measured, clear, count
from results import Goal, Table, save

FRAMES_PER_SEGMENT = 180
MANY, ONE, AGAIN = "many segments", "one segment", "many again, with nothing new"


def generate(many: Path, one: Path, segments: int) -> None:
    """Write `segments` segments to `many`, and one with their lines to `one`."""
    frames = segments * FRAMES_PER_SEGMENT * 200 // 201  # one in 200 comes twice
    write_as_one(one / "store", write_segments(many / "store", frames, FRAMES_PER_SEGMENT))
    (one / "ready").touch()


def published(folder: Path) -> list[bytes]:
    """Return the part files by day."""
    return [path.read_bytes() for path in sorted((folder / "store" / "mapreduce-output").rglob("part-*"))]


def main() -> None:
    """Measure, and write benchmarks/results/aggregation-segments.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder to keep the generated segments in")
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        count(options.count, may_be_up_to_date=True, count_objects=False)
        return
    load = os.getloadavg()[0]
    found = {name: Measured() for name in (MANY, AGAIN, ONE)}
    with tempfile.TemporaryDirectory() as temporary:
        place = options.data or Path(temporary)
        many, one = place / f"many-{options.segments}", place / f"one-{options.segments}"
        if not (one / "ready").exists():
            apart(generate, many, one, options.segments)
        sizes = [path.stat().st_size for path in sorted((many / "store").rglob("*.jsonl"))]
        for _ in range(options.rounds):
            for folder, names in ((many, (MANY, AGAIN)), (one, (ONE,))):
                clear(folder)
                for name in names:
                    found[name].run([sys.executable, str(Path(__file__).resolve()), "--count", str(folder)])
        if published(many) != published(one) or not published(many):
            raise SystemExit("many segments and one give other counts")
    save(
        name="aggregation-segments",
        title="Many small segments",
        about=(
            f"{len(sizes):,} segments of {sum(sizes) / len(sizes) / 1000:.0f} kB, {sum(sizes) / 1e6:.0f} MB, "
            "and one with the same lines: `frametally aggregate`, inline and without tracking, from an empty "
            "data folder, start-up and publishing included. Both publish the same bytes. Then again, "
            "with nothing new."
        ),
        load_before=load,
        packages=["mrjob", "msgspec"],
        tables=[
            Table(
                title="Aggregations",
                columns=["input", "wall s", "CPU s", "peak MB"],
                rows=[[name, one.wall_s, one.cpu_s, round(one.peak_mb)] for name, one in found.items()],
                note=f"Medians of {options.rounds} rounds that took turns.",
            )
        ],
        goals=[
            Goal(
                what="CPU time of many small segments to that of one",
                measured=found[MANY].cpu_s / found[ONE].cpu_s,
                at_most=1.3,
            ),
            Goal(
                what="wall time of many small segments to that of one",
                measured=found[MANY].wall_s / found[ONE].wall_s,
                at_most=1.3,
            ),
        ],
    )


if __name__ == "__main__":
    main()
