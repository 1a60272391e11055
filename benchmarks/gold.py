"""What it takes to load a day of three cameras into the gold tables, beside indexing the same day.

    python benchmarks/gold.py [--rounds 5] [--url postgresql://host/database]

Both read the same part files from a store of files, and write into empty tables: SQLite, or, with `--url`
(with its user, and FRAMETALLY_GOLD_PASSWORD), schemas of their own in that PostgreSQL. Rounds take
turns; medians are compared. Also how long a load takes that finds nothing new.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import msgspec
from dashboard_data import FIRST_DAY_MS, counts_of, coverage_of, day_of_boxes, run_of
from results import Goal, Table, save
from sqlalchemy import create_engine, make_url, text

from frametally.opening import open_count_index, open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.settings.access import ServerAccess
from frametally.settings.loading import load_settings
from frametally_gold.book import Gold
from frametally_gold.loading import load_gold
from frametally_gold.settings import GoldSettings
from frametally_search.indexer import index_runs

MOST = 1.2


def main() -> None:
    """Measure, and write benchmarks/results/gold-<database>.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    access = load_settings().part(GoldSettings).gold_access
    wall_s: dict[str, list[float]] = {"index": [], "gold": [], "gold again": []}
    cpu_s: dict[str, list[float]] = {name: [] for name in wall_s}
    rows = 0

    def take(name: str, action: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        wall_s[name].append(time.perf_counter() - wall)
        cpu_s[name].append(time.process_time() - cpu)

    with tempfile.TemporaryDirectory() as folder, closing(_store(Path(folder))) as store:
        for _ in range(options.rounds):
            with _places(options.url, access) as (index_url, gold_url):
                with closing(open_count_index(index_url, access)) as index:
                    take("index", partial(index_runs, store=store, index=index, progress=NoProgress()))
                with closing(Gold(gold_url, access)) as gold:
                    for name in ("gold", "gold again"):
                        take(name, partial(load_gold, store=store, gold=gold, progress=NoProgress()))
                    rows = sum(one.rows for one in gold.loads().values())
    wall, cpu = ({name: statistics.median(times) for name, times in of.items()} for of in (wall_s, cpu_s))
    database = "PostgreSQL" if options.url else "SQLite"
    save(
        name=f"gold-{database.lower()}",
        title=f"Gold tables, {database}",
        about=f"A day of three cameras, {rows} rows of gold, loaded beside indexing the same part files into "
        "the same kind of database, taking turns; medians.",
        load_before=load,
        packages=["sqlalchemy", "psycopg"],
        tables=[
            Table(
                title=f"One day of three cameras, {database}",
                columns=["what", "wall s", "CPU s"],
                rows=[[name, round(wall[name], 3), round(cpu[name], 3)] for name in wall],
                note="CPU is that of our process, without a server's.",
            )
        ],
        goals=[
            Goal(
                what=f"gold / index, wall time, {database}",
                measured=round(wall["gold"] / wall["index"], 2),
                at_most=MOST,
            )
        ],
    )


def _store(folder: Path) -> ObjectStore:
    """Make a store with the run of a day."""
    store = open_object_store((folder / "store").as_uri())
    day_ms, boxes = FIRST_DAY_MS, day_of_boxes(0)
    run = run_of(day_ms, tracked=False)
    records = [
        *((["count", one.source, one.label, one.interval_start_ms], one) for one in counts_of(boxes, day_ms)),
        *((["coverage", one.source, one.interval_start_ms], one) for one in coverage_of(boxes, day_ms)),
    ]
    data = b"".join(msgspec.json.encode(key) + b"\t" + encode(record) + b"\n" for key, record in records)
    store.put(f"{run.prefix}/{run.parts[0]}", data)
    store.put(run.key, encode(run))
    return store


@contextmanager
def _places(url: str, access: ServerAccess) -> Iterator[tuple[str, str]]:
    """URLs of an empty index and of empty gold tables."""
    if not url:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/index.sqlite", f"sqlite:///{folder}/gold.sqlite"
        return
    name = f"benchmark_{secrets.token_hex(4)}"
    server = make_url(url).set(
        drivername="postgresql+psycopg",
        username=access.user or None,
        password=access.password.get_secret_value() or None,
    )
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    schemas = [f"{name}_index", f"{name}_gold"]
    with engine.connect() as connection:
        for schema in schemas:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        try:
            index_url, gold_url = (f"{url}?options=-csearch_path%3D{schema}" for schema in schemas)
            yield index_url, gold_url
        finally:
            for schema in schemas:
                connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


if __name__ == "__main__":
    main()
