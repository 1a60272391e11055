"""What planning costs beside an earlier version: CPU time of both, at the same time, on the same segments.

    python benchmarks/planning_before.py --before PYTHON --checkout DIR [--segments 100000] [--data DIR]

`--before` is the Python of the earlier version, and `--checkout` its checkout, whose own
`benchmarks/planning_scale.py` makes its books and plans. Wall time would show what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aggregation_rounds import Measured, clear
from results import ROOT, Goal, Table, save

COLD, WARM = "planning from nothing: no ledger, no notes", "planning, nothing new"
GENERATE = (
    "import pathlib, sys; sys.path.insert(0, sys.argv[1]); import planning_scale; "
    "planning_scale.fill_ledger = lambda *_: None; "  # both begin without a ledger
    "planning_scale.generate(pathlib.Path(sys.argv[2]), int(sys.argv[3]))"
)


class Version:
    """A version's Python, checkout and books."""

    def __init__(self, python: str, checkout: Path, folder: Path, segments: int) -> None:
        """Make the books, unless they are there."""
        benchmarks = checkout / "benchmarks"
        self.folder = folder
        self.planning = [python, str(benchmarks / "planning_scale.py"), "--plan", str(folder)]
        self.measured = {COLD: Measured(), WARM: Measured()}
        if not (folder / "ready").exists():
            command = [python, "-c", GENERATE, str(benchmarks), str(folder), str(segments)]
            subprocess.run(command, check=True)

    def forget(self) -> None:
        """Delete its notes, also those that it shared in the store, its ledger and its runs."""
        clear(self.folder)
        shutil.rmtree(self.folder / "store/segment-notes", ignore_errors=True)
        for pattern in ("manifests-*", "segments-*"):
            for path in self.folder.glob(pattern):
                path.unlink()


def run_both(versions: Sequence[Version], step: str) -> None:
    """Measure a round of both at the same time: what else the machine does changes CPU time too."""
    with ThreadPoolExecutor(len(versions)) as pool:
        list(pool.map(lambda version: version.measured[step].run(version.planning), versions))


def main() -> None:
    """Measure both versions, and write benchmarks/results/planning_before.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--before", required=True, help="the Python of the earlier version")
    parser.add_argument("--checkout", required=True, type=Path, help="the checkout of the earlier version")
    parser.add_argument("--segments", type=int, default=100_000)
    parser.add_argument("--cold-rounds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", type=Path, help="folder to keep the generated books in")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as in an installation, which is compiled once
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        place = (options.data or Path(temporary)).resolve()
        versions = [
            Version(python, checkout, place / f"{name}-{options.segments}", options.segments)
            for name, python, checkout in (
                ("old", options.before, options.checkout.resolve()),
                ("new", sys.executable, ROOT),
            )
        ]
        for _ in range(options.cold_rounds):
            for version in versions:
                version.forget()
            run_both(versions, COLD)
        for version in versions:
            Measured().run([*version.planning, "--publish"])
        for _ in range(options.rounds):
            run_both(versions, WARM)
    before, now = both = [version.measured for version in versions]
    save(
        name="planning_before",
        title="Planning beside the version before hour files",
        about=(
            f"{options.segments:,} segments of 10 frames in a store of files, and their manifests; start-up "
            "included. Both versions run at the same time: commit 258f95b4, which had notes of the segments "
            "beside its ledger, and this one, which plans from the ledger."
        ),
        load_before=load,
        packages=["msgspec"],
        tables=[
            Table(
                title="CPU time",
                columns=["", "before: CPU s", "now: CPU s", "before: peak MB", "now: peak MB"],
                rows=[
                    [step, before[step].cpu_s, now[step].cpu_s, *(round(of[step].peak_mb) for of in both)]
                    for step in (COLD, WARM)
                ],
                note=f"Medians of {options.cold_rounds} and {options.rounds} rounds.",
            )
        ],
        goals=[
            Goal(what=f"CPU time, {step}", measured=now[step].cpu_s / before[step].cpu_s, at_most=1.05)
            for step in (COLD, WARM)
        ],
    )


if __name__ == "__main__":
    main()
