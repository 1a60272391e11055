"""Measures what one unit of each part costs, at three sizes, on the product's parts and on real servers.

Costs are CPU seconds of this process and its children unless a name says `wall`; the time of a server on this
machine is only in the wall.
"""

from __future__ import annotations

import math
import resource
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import footage
from results import ROOT
from services import running_servers

from frametally import keys
from frametally.opening import open_count_index, open_ledger, open_object_store
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import Coverage, Detection, Evidence, FrameDetections, IntervalCount, Run
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr
from frametally.settings.loading import load_settings
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs

sys.path += [str(ROOT), str(ROOT / "tests" / "servers")]
from postgres_schemas import fresh_schema

DAY_MS, MODEL = 1_772_323_200_000, "fleet"
LABELS = ["car", "person", "bus", "truck", "bicycle"]
FPS, MINUTES, SEGMENT_FRAMES, PARTITIONS = 5, 10, 500, 8
INDEX_CAMERAS = 4
LAST_HOUR = 23 * 60
"""The minute of a day from which a later round has different counts."""
MOST_BOXES = 7


class Point(NamedTuple):
    """One measurement: a number of units and their cost."""

    units: int
    cost: float


class Line(NamedTuple):
    """A cost's growth: `at_start + per_unit * units`.

    Attributes:
        at_start: The cost before the first unit, such as a start-up.
        per_unit: Cost per unit between the last two measurements; 0 if they show no growth.
        exponent: The growth of these without `at_start`; 1 means that twice the units cost twice as much. If
            it is above 1, a year costs more than this line says; three measurements cannot say how much.
        largest: The last measurement.
    """

    at_start: float
    per_unit: float
    exponent: float
    largest: Point

    def at(self, units: float) -> float:
        """Extrapolate the cost to so many units."""
        return self.at_start + self.per_unit * units

    def units_within(self, cost: float) -> float:
        """Return how many units cost that much; infinity if there is no growth."""
        return max(0.0, cost - self.at_start) / self.per_unit if self.per_unit else math.inf


def line_of(points: Sequence[Point]) -> Line:
    """Fit a line through three measurements, the smallest first.

    The first two give the cost at the start; the last two, without it, the exponent.
    """
    small, middle, large = points
    slope = (middle.cost - small.cost) / (middle.units - small.units)
    at_start = min(max(0.0, small.cost - slope * small.units), 0.9 * min(small.cost, middle.cost))
    per_unit = max(0.0, (large.cost - middle.cost) / (large.units - middle.units))
    grown = math.log(max(1e-9, large.cost - at_start) / max(1e-9, middle.cost - at_start))
    return Line(at_start, per_unit, grown / math.log(large.units / middle.units), large)


def cpu_s() -> float:
    """Return the CPU seconds of this process and of the children that it waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cost_of(work: Callable[[], object], clock: Callable[[], float] = cpu_s) -> float:
    """Return the cost of `work`."""
    began = clock()
    work()
    return clock() - began


# Footage.


def write_footage(store: ObjectStore, cameras: int) -> int:
    """Write the segments of ten minutes of so many cameras; return their number of frames.

    Each camera sees one to seven objects that drive through its picture, 3.5 boxes a frame on average.
    """
    held: list[list[FrameDetections]] = [[] for _ in range(PARTITIONS)]
    offsets = [0] * PARTITIONS

    def flush(partition: int) -> None:
        put_segment(store, partition, offsets[partition], held[partition])
        offsets[partition] += len(held[partition])
        held[partition].clear()

    for number in range(MINUTES * 60 * FPS):
        for camera in range(cameras):
            frame = frame_of(f"camera-{camera:04}", DAY_MS + number * 1000 // FPS, camera)
            key = keys.frame_log_key(frame.source, frame.captured_at_ms)
            partition = zlib.crc32(key) % PARTITIONS
            held[partition].append(frame)
            if len(held[partition]) == SEGMENT_FRAMES:
                flush(partition)
    for partition in range(PARTITIONS):
        if held[partition]:
            flush(partition)
    return sum(offsets)


def frame_of(source: str, at_ms: int, seed: int) -> FrameDetections:
    """Return a frame with the objects at their positions at that time."""
    minute, step = divmod((at_ms - DAY_MS) * FPS // 1000, 60 * FPS)
    boxes = [
        Detection(
            label=LABELS[(seed + lane) % len(LABELS)],
            confidence=0.9,
            box=(float(step * 2 % 560), 20.0 + 60 * lane, 64.0, 40.0),
        )
        for lane in range((seed + minute) % MOST_BOXES + 1 if (seed + minute) % 8 else 0)
    ]
    return footage.frame(MODEL, source, at_ms, at_ms * FPS // 1000 % 10_000_000, boxes)


def put_segment(store: ObjectStore, partition: int, offset: int, frames: Sequence[FrameDetections]) -> None:
    """Write a segment as the consumer does."""
    key, body = footage.segment(MODEL, partition, offset, frames)
    store.put(key, body, durable=False)


# The job, the ledger, the index and the page.


class Counted(NamedTuple):
    """The costs of one size of footage after detection."""

    frames: int
    rows: int
    stored_bytes: dict[str, int]
    costs: dict[str, float]


def measure_counting(folder: Path, cameras: int, *, tracking: bool) -> Counted:
    """Count ten minutes of so many cameras, and add them to ledger and index."""
    settings = load_settings("hadoop", data_dir=folder, count_objects=tracking)
    costs: dict[str, float] = {}
    with closing(open_object_store(settings.store_url)) as store:
        frames = write_footage(store, cameras)

        def count() -> None:
            aggregate(settings=settings, store=store, progress=NoProgress())

        costs["job"] = cost_of(count)
        with closing(open_ledger(settings.ledger_url)) as ledger:
            costs["ledger"] = cost_of(lambda: ledger.refresh(store, NoProgress()))
        with closing(open_count_index(settings.index_url)) as index:
            rows = index_runs(store=store, index=index, progress=NoProgress()).documents
        late = frame_of("camera-0000", DAY_MS + MINUTES * 60_000, 0)
        put_segment(store, PARTITIONS, 0, [late])
        costs["job, one frame late"] = cost_of(count)
    sizes = {
        "detections": _bytes(folder / "store" / "metadata"),
        "counts": _bytes(folder / "store" / "mapreduce-output") // 2,  # two runs of the day
        "tracks": _bytes(folder / "store" / "tracks") // 2,
        "index": _bytes(folder / "index.sqlite"),
        "ledger": _bytes(folder / "ledger.sqlite"),
    }
    return Counted(frames, rows, sizes, costs)


class Indexed(NamedTuple):
    """An index's costs for a number of rows, in wall seconds.

    Attributes:
        rows: Their final number.
        publish: Publishing all days, one after the other.
        again: Republishing the last day with one hour of each camera changed, as in a round.
        year: The chart of all days by day, of all cameras.
        day: The chart of one day by hours, of one camera.
    """

    rows: int
    publish: float
    again: float
    year: float
    day: float


def measure_index(folder: Path, days: int) -> dict[str, Indexed]:
    """Publish days of `INDEX_CAMERAS` cameras to an empty index of every kind, and request charts."""
    folder.mkdir()
    servers = running_servers()
    measured = {"SQLite": _measure_index(open_count_index(f"sqlite:///{folder / 'index.sqlite'}"), days)}
    if "POSTGRES_URL" in servers:
        values = {name: servers[f"POSTGRES_{name}"] for name in ("URL", "USER", "PASSWORD")}
        with fresh_schema(values) as place:
            measured["PostgreSQL"] = _measure_index(open_count_index(*place), days)
    if "ELASTICSEARCH_URL" in servers:
        password = SecretStr(servers["ELASTICSEARCH_PASSWORD"])
        access = ServerAccess(user=servers["ELASTICSEARCH_USER"], password=password)
        url = f"{servers['ELASTICSEARCH_URL']}/hadoop-object-counts-fleet-{uuid.uuid4().hex[:6]}"
        measured["Elasticsearch"] = _measure_index(open_count_index(url, access), days)
    return measured


def _measure_index(index: CountIndex, days: int) -> Indexed:
    with closing(index):
        publish = again = 0.0
        rows = 0
        for day in range(days):
            run, counts, coverage = day_of_rows(day, sequence=1)
            rows += len(counts) + len(coverage)
            publish += cost_of(lambda: index.publish(run, counts, coverage), time.perf_counter)  # noqa: B023
        run, counts, coverage = day_of_rows(days - 1, sequence=2)
        again = cost_of(lambda: index.publish(run, counts, coverage), time.perf_counter)
        last_ms = DAY_MS + (days - 1) * 86_400_000
        year = CountQuery(MODEL, 60, 86_400)
        day_of_one = CountQuery(
            MODEL, 60, 3600, sources=("camera-0001",), from_ms=last_ms, to_ms=last_ms + 86_400_000
        )
        return Indexed(rows, publish, again, _chart_s(index, year), _chart_s(index, day_of_one))


def day_of_rows(day: int, *, sequence: int) -> tuple[Run, list[IntervalCount], list[Coverage]]:
    """Return a day of counts for each minute, with three labels per camera and minute."""
    day_ms = DAY_MS + day * 86_400_000
    run = footage.run(MODEL, keys.utc_day(day_ms), sequence, frames=INDEX_CAMERAS * 1440 * 60 * FPS)
    counts, coverage = [], []
    for camera in range(INDEX_CAMERAS):
        source = f"camera-{camera:04}"
        for minute in range(1440):
            at_ms = day_ms + minute * 60_000
            of_minute = {"model": MODEL, "source": source, "interval_start_ms": at_ms, "interval_s": 60}
            coverage.append(Coverage(frames=60 * FPS, **of_minute))  # type: ignore[arg-type]
            for number, label in enumerate(LABELS[:3]):
                detections = 1 + (minute * 7 + number + sequence * (minute >= LAST_HOUR)) % 40
                seen = Evidence(
                    image_path=keys.image_key(source, at_ms, "ab" * 32, minute), captured_at_ms=at_ms, count=1
                )
                counts.append(
                    IntervalCount(
                        label=label,
                        frames=60 * FPS,
                        detections=detections,
                        peak=1,
                        objects=detections,
                        evidence=[seen],
                        **of_minute,  # type: ignore[arg-type]
                    )
                )
    return run, counts, coverage


def _chart_s(index: CountIndex, query: CountQuery) -> float:
    """Return the time of a chart: the fastest of thirty, so caches are warm."""
    return min(cost_of(lambda: index.histogram(query), time.perf_counter) for _ in range(30))


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
