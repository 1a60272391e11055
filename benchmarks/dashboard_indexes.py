"""SQLite, PostgreSQL and Elasticsearch as count index of the same year, asked alike, in one run.

    python tests/servers up --option heap_mb=1024 elasticsearch postgres
    set -a; . .services/env; set +a
    python benchmarks/dashboard_indexes.py --folder FOLDER [--load-only] [--days 365] [--seconds 60]

Loads the counts of `dashboard.py` into each (days that are there are not loaded again) and publishes some of
its days anew. Then `frametally serve` over each answers 5 questions a second, timed from when they were due;
the indexes take turns. The servers, the dashboard and the client share this machine's cores. Before each
turn, all minutes, hours and evidence of the index are read once: while the servers load theirs, SQLite's
file, which is loaded first, can leave the system's cache, and a chart of three weeks reads 11 MB of it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import dashboard
import msgspec
from dashboard_data import (
    DAY_MS,
    FIRST_DAY_MS,
    MODEL,
    counts_of,
    coverage_of,
    day_of_boxes,
    load_index,
    run_of,
)
from results import ROOT, Cell, Goal, Table, save

from frametally.opening import open_count_index
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.rules.times import HOUR_MS
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr

A_SECOND = 5
DAYS_ANEW = 3
MOST_MS = 100


class Place:
    """An index: how this process and the dashboard reach it."""

    def __init__(self, url: str, values: Mapping[str, str]) -> None:
        """Log in with `values`, as the tests' servers provide them, without their prefix."""
        self._url = url
        ca_file = values.get("CA_FILE", "")
        self._access = ServerAccess(
            user=values.get("USER", ""),
            password=SecretStr(values.get("PASSWORD", "")),
            ca_file=Path(ca_file) if ca_file else None,
        )
        given = {name: values.get(name, "") for name in ("USER", "PASSWORD", "CA_FILE")}
        self.env = {"FRAMETALLY_INDEX_URL": url} | {
            f"FRAMETALLY_INDEX_{name}": value for name, value in given.items() if value
        }

    def open(self) -> CountIndex:
        """Open the index, creating it if it is missing."""
        return open_count_index(self._url, self._access)


def places(folder: Path) -> dict[str, Place]:
    """Return SQLite's file in the folder, and the servers that the environment names."""
    found = {"SQLite": Place(f"sqlite:///{folder / 'index.sqlite'}", {})}
    for name, server in (("PostgreSQL", "POSTGRES"), ("Elasticsearch", "ELASTICSEARCH")):
        prefix = f"FRAMETALLY_TEST_{server}_"
        values = {
            key.removeprefix(prefix): value for key, value in os.environ.items() if key.startswith(prefix)
        }
        if "URL" in values:
            found[name] = Place(values["URL"], values)
    return found


class Publication(NamedTuple):
    """Median seconds to republish a day, with different counts in all hours, or in one."""

    day_s: float
    hour_s: float


def publication_s(index: CountIndex, days: int) -> Publication:
    """Republish some days with all their minutes, hours and evidence."""
    took: list[list[float]] = []
    began = int(time.time())
    for number in range(min(DAYS_ANEW, days)):
        day_ms, boxes = FIRST_DAY_MS + number * DAY_MS, day_of_boxes(number)
        counts, coverage = [*counts_of(boxes, day_ms)], [*coverage_of(boxes, day_ms)]
        took.append([])
        for sequence, hours in ((began, range(24)), (began + 1, range(12, 13))):
            run_id = f"{sequence:06d}-0123456789abcdef"
            run = msgspec.structs.replace(run_of(day_ms, tracked=False), sequence=sequence, run_id=run_id)
            counts = [
                msgspec.structs.replace(count, frames=count.frames + sequence % 1000 + 1)
                if (count.interval_start_ms - day_ms) // HOUR_MS in hours
                else count
                for count in counts
            ]
            began_s = time.perf_counter()
            index.publish(run, counts, coverage)
            took[-1].append(time.perf_counter() - began_s)
    return Publication(*map(statistics.median, zip(*took, strict=True)))


def read_all(index: CountIndex, days: int) -> None:
    """Read all minutes, hours and evidence, a day at a time, to warm the caches."""
    for number in range(days):
        day_ms = FIRST_DAY_MS + number * DAY_MS
        for interval_s in (60, 3600):
            of_day = CountQuery(MODEL, 60, interval_s, from_ms=day_ms, to_ms=day_ms + DAY_MS)
            index.histogram(of_day)
        index.evidence(of_day)


def p95_ms(seconds: list[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return round(statistics.quantiles(seconds, n=100, method="inclusive")[94] * 1000, 1)


def main() -> None:
    """Load, measure, save."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--folder", type=Path, default=ROOT / ".benchmark-indexes")
    options.add_argument("--load-only", action="store_true")
    options.add_argument("--days", type=int, default=365, help="fewer, to try it out")
    options.add_argument("--seconds", type=float, default=60, help="of each round and index")
    options.add_argument("--rounds", type=int, default=2, help="in which the indexes take turns")
    chosen = options.parse_args()
    folder: Path = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    indexes = places(folder)
    anew_s: dict[str, Publication] = {}
    for name, place in indexes.items():
        with closing(place.open()) as index:
            loaded = load_index(index, days=chosen.days)
            if not chosen.load_only:
                anew_s[name] = publication_s(index, chosen.days)
        print(name, "is loaded", anew_s.get(name, ""), flush=True)
    if chosen.load_only:
        return
    asked = {
        name: ask
        for name, ask in dashboard.questions([], chosen.days).items()
        if name not in dashboard.OF_STORE
    }
    took: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in indexes}
    for _ in range(chosen.rounds):
        for name, place in indexes.items():
            with closing(place.open()) as index:
                read_all(index, chosen.days)
            with dashboard.serving(folder, place.env) as port:
                dashboard.warm_up(port, asked)
                dashboard.measure(port, asked, seconds=10, per_s=A_SECOND)
                answers = dashboard.measure(port, asked, seconds=chosen.seconds, per_s=A_SECOND)
            for kind, seconds in answers.items():
                took[name][kind] += seconds
            print(name, max(p95_ms(seconds) for seconds in answers.values()), "ms", flush=True)
    save_all(took, anew_s, f"{loaded.detections:,} detections in {loaded.counts:,} rows of counts")


def save_all(took: dict[str, dict[str, list[float]]], anew_s: dict[str, Publication], size: str) -> None:
    """Write the tables and the goals."""
    names = [*took]
    rows: list[list[Cell]] = []
    for kind in sorted(took[names[0]]):
        p95s = [p95_ms(took[name][kind]) for name in names]
        medians = [round(statistics.median(took[name][kind]) * 1000, 1) for name in names]
        ratios = [round(value / p95s[0], 2) for value in p95s[1:]]
        rows.append([kind, len(took[names[0]][kind]), *medians, *p95s, *ratios])
    columns = [
        "asked",
        "requests of each",
        *(f"{name}, p50 (ms)" for name in names),
        *(f"{name}, p95 (ms)" for name in names),
        *(f"p95, {name} to {names[0]}" for name in names[1:]),
    ]
    heap_mb = os.environ.get("FRAMETALLY_TEST_ELASTICSEARCH_HEAP_MB", "?")
    first_p95 = 2 + len(names)
    slowest = {
        name: max(float(row[first_p95 + place] or 0) for row in rows if _is_chart(row))
        for place, name in enumerate(names)
    }
    for row in rows:
        print(*row, sep=" | ")
    save(
        name="dashboard_indexes",
        title="The dashboard over each count index",
        about=(__doc__ or "").rpartition("\n\n")[2].replace("\n", " ").strip(),
        packages=["elasticsearch", "psycopg", "sqlalchemy", "flask", "uvicorn"],
        tables=[
            Table(
                f"{A_SECOND} questions a second",
                columns,
                rows,
                f"{size}. Elasticsearch has one shard and a heap of {heap_mb} MB.",
            ),
            Table(
                "A day published again",
                [
                    "index",
                    "all hours changed, s",
                    f"to {names[0]}",
                    "one hour changed, s",
                    f"to {names[0]}",
                    "one hour to all",
                ],
                [
                    [
                        name,
                        round(of.day_s, 2),
                        round(of.day_s / anew_s[names[0]].day_s, 2),
                        round(of.hour_s, 2),
                        round(of.hour_s / anew_s[names[0]].hour_s, 2),
                        round(of.hour_s / of.day_s, 2),
                    ]
                    for name, of in anew_s.items()
                ],
                f"Medians of {DAYS_ANEW} days.",
            ),
        ],
        goals=[
            Goal(f"p95 of the slowest kind of chart, {name} (ms)", value, at_most=MOST_MS)
            for name, value in slowest.items()
        ],
    )


def _is_chart(row: list[Cell]) -> bool:
    return str(row[0]).startswith(("chart", "heat-map"))


if __name__ == "__main__":
    main()
