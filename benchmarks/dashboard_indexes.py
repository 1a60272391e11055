"""SQLite, PostgreSQL and Elasticsearch as count index of the same year, asked alike, in one run.

    python tests/servers up --option heap_mb=1024 elasticsearch postgres
    python benchmarks/dashboard_indexes.py --folder FOLDER [--load-only] [--days 365] [--seconds 60]

Loads the counts of `dashboard.py` into each; days that are there are not loaded again. Then `frametally
serve` over each answers 5 questions a second, timed from when they were due; the indexes take turns. The
servers, the dashboard and the client share this machine's cores. Before each turn, all minutes, hours and
evidence of the index are read once: while the servers load theirs, SQLite's file, which is loaded first, can
leave the system's cache, and a chart of three weeks reads 11 MB of it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import dashboard
from dashboard_data import DAY_MS, FIRST_DAY_MS, MODEL, load_index
from measuring import p95_ms, running_servers, serving
from results import ROOT, Cell, Goal, Table, options, save

from frametally.adapters_by_url import open_count_index
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr

A_SECOND = 5
MOST_MS = 100


class Place(NamedTuple):
    """The address of an index, how this process logs in there, and the dashboard's settings for it."""

    url: str
    access: ServerAccess
    env: dict[str, str]

    def open(self) -> CountIndex:
        """Open the index, creating it if it is missing."""
        return open_count_index(self.url, self.access)


def places(folder: Path) -> dict[str, Place]:
    """Return SQLite's file in the folder, and the running servers."""
    servers = running_servers()
    url = f"sqlite:///{folder / 'index.sqlite'}"
    found = {"SQLite": Place(url, ServerAccess(), {"FRAMETALLY_INDEX_URL": url})}
    for name, server in (("PostgreSQL", "POSTGRES"), ("Elasticsearch", "ELASTICSEARCH")):
        names = ("URL", "USER", "PASSWORD", "CA_FILE")
        given = {of: servers[f"{server}_{of}"] for of in names if servers.get(f"{server}_{of}")}
        if given:
            ca_file = Path(given["CA_FILE"]) if "CA_FILE" in given else None
            password = SecretStr(given.get("PASSWORD", ""))
            access = ServerAccess(user=given.get("USER", ""), password=password, ca_file=ca_file)
            env = {f"FRAMETALLY_INDEX_{of}": value for of, value in given.items()}
            found[name] = Place(given["URL"], access, env)
    return found


def read_all(index: CountIndex, days: int) -> None:
    """Read all minutes, hours and evidence, a day at a time, to warm the caches."""
    for number in range(days):
        day_ms = FIRST_DAY_MS + number * DAY_MS
        for interval_s in (60, 3600):
            of_day = CountQuery(MODEL, 60, interval_s, from_ms=day_ms, to_ms=day_ms + DAY_MS)
            index.histogram(of_day)
        index.evidence(of_day)


def main() -> None:
    """Load, measure, save."""
    chosen = options(
        __doc__, folder=ROOT / ".benchmark-indexes", load_only=False, days=365, seconds=60.0, rounds=2
    )
    folder: Path = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    indexes = places(folder)
    for name, place in indexes.items():
        with closing(place.open()) as index:
            loaded = load_index(index, days=chosen.days)
        print(name, "is loaded", flush=True)
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
            with serving(folder, env=place.env) as (_, port):
                dashboard.warm_up(port, asked)
                dashboard.measure(port, asked, seconds=10, per_s=A_SECOND)
                answers = dashboard.measure(port, asked, seconds=chosen.seconds, per_s=A_SECOND)
            for kind, seconds in answers.items():
                took[name][kind] += seconds
            print(name, max(p95_ms(seconds) for seconds in answers.values()), "ms", flush=True)
    save_all(took, f"{loaded.detections:,} detections in {loaded.counts:,} rows of counts")


def save_all(took: dict[str, dict[str, list[float]]], size: str) -> None:
    """Write the tables and the goals."""
    names = [*took]
    rows: list[list[Cell]] = []
    for kind in sorted(took[names[0]]):
        p95s = [round(p95_ms(took[name][kind]), 1) for name in names]
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
    heap_mb = running_servers().get("ELASTICSEARCH_HEAP_MB", "?")
    print(*rows, sep="\n")
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
            )
        ],
        goals=[
            Goal(
                f"p95 of the slowest kind of chart, {name} (ms)",
                dashboard.slowest_chart(rows, 2 + len(names) + place),
                at_most=MOST_MS,
            )
            for place, name in enumerate(names)
        ],
    )


if __name__ == "__main__":
    main()
