"""How fast the dashboard's API answers over the counts of 100 million detections, at 20 requests a second.

    python benchmarks/dashboard.py --folder FOLDER [--load-only] [--days 365] [--seconds 60]

Loads a year of three cameras and 80 labels into `--folder` (takes minutes; kept between runs), serves it with
`frametally serve` in a separate process, and sends requests to every route except `events`, whose answer does
not end. Frames, pictures and tracks exist for some minutes, which the requests ask for. Requests are sent
when they are due, whether or not earlier ones have been answered, and timed from then. No two charts are
quite the same, so that no answer comes from a cache. `dashboard_indexes.py` measures other indexes.
"""

from __future__ import annotations

import http.client
import random
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import dashboard_data as data
import msgspec
from measuring import serving
from results import ROOT, Cell, Goal, Table, options, save

from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.process.reports import NoProgress

REQUESTS_A_SECOND = 20
ZONES = ("Europe/Berlin", "UTC", "America/New_York", "Asia/Tokyo")
MINUTES_WITH_FRAMES = 40
MINUTES_WITH_TRACKS = 8  # on as many days, all of whose tracks are stored
_MOST_WARM_UP_S = 60
OF_STORE = ("first frame behind a bar", "picture of a frame", "unique objects behind a bar")
_ABOUT = (
    "How long answers take over a year of three cameras, each request timed from when it was due; the client "
    "shares the cores, and no chart is a kept one. One process of `frametally serve` with its own settings."
)

Ask = Callable[[random.Random], str]


def questions(minutes: list[data.Minute], days: int) -> dict[str, Ask]:
    """Return, by measured route, a function that makes a path with a different query each time."""

    def ask(route: str, **given: object) -> str:
        return f"/api/v1/{route}?{urlencode(given, doseq=True)}"

    year = days - 1  # leaves a day for shifting the range

    def over(rng: random.Random, route: str, length: int, **given: object) -> str:
        length = min(length, year)
        first = data.FIRST_DAY_MS + rng.randrange((days - length) * 1440) * data.MINUTE_MS
        span = {"from": first, "to": first + length * data.DAY_MS, "timezone": rng.choice(ZONES)}
        return ask(route, **span, **given)

    def some(rng: random.Random) -> list[str]:
        return rng.sample(data.LABELS[:20], 3)

    def one(rng: random.Random) -> str:
        return rng.choice(data.LABELS)

    def bar(rng: random.Random, among: list[data.Minute]) -> dict[str, object]:
        minute = rng.choice(among)
        source, label = rng.choice(list(minute.boxes))
        start_ms = minute.start_ms
        given = {"source": source, "label": label, "from": start_ms, "to": start_ms + data.MINUTE_MS}
        return {**given, "timezone": rng.choice(ZONES)}

    def picture(rng: random.Random) -> str:
        minute = rng.choice(minutes)
        source, _ = rng.choice(list(minute.boxes))
        return ask("frames/image", path=data.first_picture(minute, source))

    return {
        "chart: a year, all labels, chosen interval": lambda rng: over(rng, "counts", year),
        "chart: a year by days, 3 labels": lambda r: over(r, "counts", year, label=some(r), interval=86_400),
        "chart: a year by hours, 1 label": lambda r: over(r, "counts", year, label=one(r), interval=3600),
        "chart: a month, all labels": lambda rng: over(rng, "counts", 30),
        "chart: a week by hours, 3 labels, each source": lambda rng: over(
            rng, "counts", 7, label=some(rng), interval=3600, by="source"
        ),
        "chart: a day, all labels": lambda rng: over(rng, "counts", 1),
        "heat-map: a year, 1 label": lambda rng: over(rng, "heatmap", year, label=one(rng)),
        "heat-map: a year, all labels": lambda rng: over(rng, "heatmap", year),
        "busiest frames: a year": lambda rng: over(rng, "evidence", year, label=some(rng)),
        "first frame behind a bar": lambda rng: ask("frames", **bar(rng, minutes), limit=1),
        "picture of a frame": picture,
        "unique objects behind a bar": lambda rng: ask("objects", **bar(rng, minutes[:MINUTES_WITH_TRACKS])),
        "labels": lambda _: "/api/v1/labels",
        "sources": lambda _: "/api/v1/sources",
        "models": lambda _: "/api/v1/models",
        "runs": lambda rng: ask("runs", limit=rng.randrange(5, 11)),
        "status": lambda _: "/api/v1/status",
        "export: a month by hours, 3 labels": lambda rng: over(
            rng, "export", 30, label=some(rng), interval=3600, format=rng.choice(["csv", "parquet"])
        ),
    }


def warm_up(port: int, asked: dict[str, Ask]) -> None:
    """Send each request, one after the other, until it is answered, so that one-time reads are done."""
    rng = random.Random(3)  # noqa: S311 - no secret
    deadline_s = time.monotonic() + _MOST_WARM_UP_S
    for ask in asked.values():
        path = ask(rng)
        while (status := _get(port, path)[0]) != 200:
            if time.monotonic() > deadline_s:
                sys.exit(f"{path}: still {status} after {_MOST_WARM_UP_S} s")
            time.sleep(0.2)


def measure(
    port: int, asked: dict[str, Ask], *, seconds: float, per_s: float = REQUESTS_A_SECOND
) -> dict[str, list[float]]:
    """Return the seconds from when each request was due to the end of its answer, by route."""
    rng = random.Random(7)  # noqa: S311 - no secret
    took: dict[str, list[float]] = defaultdict(list)
    failed: list[str] = []

    def get(name: str, path: str, due_s: float) -> None:
        try:
            status, body = _get(port, path)
        except OSError as error:
            failed.append(f"{path}: {error}")
            return
        took[name].append(time.perf_counter() - due_s)
        if status != 200:
            failed.append(f"{path}: {status} {body[:300]!r}")

    order: list[str] = []
    began_s = time.perf_counter() + 0.5
    threads = []
    for number in range(int(seconds * per_s)):
        if not order:
            order = list(asked)
            rng.shuffle(order)
        name = order.pop()
        due_s = began_s + number / per_s
        time.sleep(max(0.0, due_s - time.perf_counter()))
        thread = threading.Thread(target=get, args=(name, asked[name](rng), due_s))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    if failed:
        sys.exit(f"{len(failed)} of {len(threads)} requests failed, such as {failed[0]}")
    return took


def _get(port: int, path: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def load(folder: Path, days: int) -> tuple[data.Loaded, list[data.Minute], int]:
    """Create the requested data that is missing."""
    step = days * 1440 // (MINUTES_WITH_FRAMES + 1)
    wanted = range(step, step * MINUTES_WITH_FRAMES + 1, step)
    tracked = sorted({minute // 1440 for minute in wanted[:MINUTES_WITH_TRACKS]})
    with closing(open_count_index(f"sqlite:///{folder / 'index.sqlite'}")) as index:
        loaded = data.load_index(index, days=days, tracked=tracked)
    note = folder / "minutes.json"
    if note.exists():
        found = [data.Minute(start, boxes) for start, boxes in _read_minutes(note)]
    else:
        with closing(open_object_store((folder / "store").as_uri())) as store:
            found = data.put_segments(store, wanted)
            with closing(open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")) as ledger:
                ledger.refresh(store, NoProgress())
        note.write_bytes(
            msgspec.json.encode(
                [[one.start_ms, [[*key, n] for key, n in one.boxes.items()]] for one in found]
            )
        )
    with closing(open_object_store((folder / "store").as_uri())) as store:
        size, tracks = data.put_pictures(store, found), data.put_tracks(store, tracked)
    print(f"pictures of {size} bytes, {tracks} tracks a day")
    return loaded, found, data.widen_ledger(folder / "ledger.sqlite", days=days)


def _read_minutes(note: Path) -> Iterator[tuple[int, dict[tuple[str, str], int]]]:
    for start_ms, boxes in msgspec.json.decode(note.read_bytes()):
        yield start_ms, {(source, label): number for source, label, number in boxes}


def percentiles(took: dict[str, list[float]]) -> list[list[Cell]]:
    """Return, by route, the number of requests and percentiles in milliseconds."""
    rows: list[list[Cell]] = []
    for name, seconds in sorted(took.items()):
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        rows.append([name, len(seconds), *(round(cuts[k - 1] * 1000, 1) for k in (50, 95, 99))])
    return rows


def slowest_chart(rows: list[list[Cell]], column: int) -> float:
    """Return the greatest number in a column of the rows of charts."""
    return max(float(row[column] or 0) for row in rows if str(row[0]).startswith(("chart", "heat-map")))


def main() -> None:
    """Load, measure, save."""
    chosen = options(__doc__, folder=ROOT / ".benchmark-dashboard", load_only=False, days=365, seconds=60.0)
    folder: Path = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    loaded, minutes, parts = load(folder, chosen.days)
    print(f"{loaded.counts} rows of counts, {loaded.coverage} of coverage, {loaded.detections} detections")
    if chosen.load_only:
        return
    asked = questions(minutes, chosen.days)
    with serving(folder) as (_, port):
        warm_up(port, asked)
        measure(port, asked, seconds=10)
        took = measure(port, asked, seconds=chosen.seconds)
    note = (
        f"{loaded.detections:,} detections in {loaded.counts:,} rows of counts and {loaded.coverage:,} of "
        f"coverage, {len(data.SOURCES)} sources, {len(data.LABELS)} labels, {chosen.days} days of minutes; a "
        f"ledger of {parts:,} parts of segments. {REQUESTS_A_SECOND} requests a second in all."
    )
    rows = percentiles(took)
    print(*rows, sep="\n")
    first_frame = next(float(row[3] or 0) for row in rows if str(row[0]).startswith("first frame"))
    columns = ["asked", "requests", "p50 (ms)", "p95 (ms)", "p99 (ms)"]
    save(
        name="dashboard",
        title="The dashboard's API",
        about=_ABOUT,
        packages=["flask", "uvicorn", "sqlalchemy", "msgspec"],
        tables=[Table("SQL index (SQLite)", columns, rows, note)],
        goals=[
            Goal("p95 of the slowest kind of chart (ms)", slowest_chart(rows, 3), at_most=100),
            Goal("p95 of the first frame behind a bar (ms)", first_frame, at_most=200),
        ],
    )


if __name__ == "__main__":
    main()
