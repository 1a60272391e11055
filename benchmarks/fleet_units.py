"""Measures what one unit of each part costs, at three sizes, on the product's parts and on real servers.

Costs are CPU seconds of this process and its children unless a name says `wall`; the time of a server on this
machine is only in the wall.
"""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import footage
from dashboard_indexes import places
from frame_packs import Bucket, capture_video, kind_of, make_video, new_bucket, read_all
from measuring import FRAMETALLY, SERVICES, running_servers, stored_bytes
from results import ROOT

from frametally import keys
from frametally.adapters.sql.ledger import segments as ledger_listing
from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.files.demo_clip import ensure_demo_clip
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import Coverage, Detection, FrameDetections, IntervalCount, Run, encode
from frametally.settings.access import LogAccess, StoreAccess
from frametally.settings.loading import load_settings
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs

sys.path += [str(ROOT), str(ROOT / "tests" / "servers")]
from postgres_schemas import fresh_schema
from s3_fault_proxy import FaultProxy

DAY_MS, MODEL = 1_772_323_200_000, "fleet"
LABELS = ["car", "person", "bus", "truck", "bicycle"]
FPS, MINUTES, SEGMENT_FRAMES, PARTITIONS = 5, 10, 500, 8
FRAME_BYTES, LOG_PARTITIONS, A_BATCH = 60_000, 32, 500
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

    `per_unit` is between the last two measurements, 0 if they show no growth; `exponent` is their growth
    without `at_start`, where 1 means that twice the units cost twice as much. If it is above 1, a year costs
    more than this line says; three measurements cannot say how much.
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
        footage.put_segment(store, MODEL, partition, offsets[partition], held[partition])
        offsets[partition] += len(held[partition])
        held[partition].clear()

    for number, camera in product(range(MINUTES * 60 * FPS), range(cameras)):
        frame = frame_of(f"camera-{camera:04}", DAY_MS + number * 1000 // FPS, camera)
        partition = zlib.crc32(keys.frame_log_key(frame.source, frame.captured_at_ms)) % PARTITIONS
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
        footage.put_segment(store, MODEL, PARTITIONS, 0, [late])
        costs["job, one frame late"] = cost_of(count)
    sizes = {
        "detections": stored_bytes(folder / "store" / "metadata"),
        "counts": stored_bytes(folder / "store" / "mapreduce-output") // 2,  # two runs of the day
        "tracks": stored_bytes(folder / "store" / "tracks") // 2,
        "index": stored_bytes(folder / "index.sqlite"),
        "ledger": stored_bytes(folder / "ledger.sqlite"),
    }
    return Counted(frames, rows, sizes, costs)


class Indexed(NamedTuple):
    """An index's costs for a number of rows, in wall seconds.

    `publish` is of all days, one after the other, `again` of the last one with one hour of each camera
    changed, as in a round; `year` is the chart of all days and cameras by day, `day` that of one by hours.
    """

    rows: int
    publish: float
    again: float
    year: float
    day: float


def measure_index(folder: Path, days: int) -> dict[str, Indexed]:
    """Publish days of `INDEX_CAMERAS` cameras to an empty index of every kind, and request charts."""
    folder.mkdir()
    measured = {}
    for name, (url, access, _) in places(folder).items():
        of_server = {"URL": url, "USER": access.user, "PASSWORD": access.password.get_secret_value()}
        alias = f"/hadoop-object-counts-fleet-{uuid.uuid4().hex[:6]}" if name == "Elasticsearch" else ""
        empty = fresh_schema(of_server) if name == "PostgreSQL" else nullcontext((url + alias, access))
        with empty as place:
            measured[name] = _measure_index(open_count_index(*place), days)
    return measured


def _measure_index(index: CountIndex, days: int) -> Indexed:
    with closing(index):
        rows, publish = 0, 0.0
        for day in range(days):
            of_day = day_of_rows(day, sequence=1)
            rows += len(of_day[1]) + len(of_day[2])
            publish += cost_of(partial(index.publish, *of_day), time.perf_counter)
        again = cost_of(partial(index.publish, *day_of_rows(days - 1, sequence=2)), time.perf_counter)
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

    def detections(minute: int, label: int) -> int:
        return 1 + (minute * 7 + label + sequence * (minute >= LAST_HOUR)) % 40

    cameras = [f"camera-{camera:04}" for camera in range(INDEX_CAMERAS)]
    of_day = footage.day_of_counts(run, cameras, LABELS[:3], frames=60 * FPS, detections=detections)
    return run, *of_day


def _chart_s(index: CountIndex, query: CountQuery) -> float:
    """Return the time of a chart: the fastest of thirty, so caches are warm."""
    return min(cost_of(lambda: index.histogram(query), time.perf_counter) for _ in range(30))


# The servers.


def poll_s(log: FrameLog, topic: str, messages: int) -> float:
    """Return the seconds for all messages, at the pace of those after the first.

    Joining a group takes seconds, and happens once.
    """
    nothing: Callable[[list[int]], None] = lambda partitions: None  # noqa: E731
    with closing(log.subscribe(topic, "bench", on_assigned=nothing, on_revoked=nothing)) as consumer:
        seen, began_s, first = 0, 0.0, 0
        while seen < messages:
            records = consumer.poll(timeout_s=1.0, max_records=A_BATCH)
            if records and not began_s:
                began_s, first = time.perf_counter(), len(records)
            seen += len(records)
        return (time.perf_counter() - began_s) * messages / max(1, seen - first)


def measure_log(messages: int) -> dict[str, float]:
    """Return the wall seconds to announce and read so many messages on Kafka, and their bytes on its disk."""
    with closing(open_frame_log(running_servers()["KAFKA_URL"], LogAccess())) as log:
        topic = f"fleet-{uuid.uuid4().hex[:8]}"
        log.create_topic(topic, LOG_PARTITIONS)
        batch = [_message(number) for number in range(messages)]

        def publish() -> None:
            for at in range(0, messages, A_BATCH):
                log.publish(topic, batch[at : at + A_BATCH])

        seconds = {
            "publish, wall": cost_of(publish, time.perf_counter),
            "poll, wall": poll_s(log, topic, messages),
        }
    logs = (SERVICES / "kafka" / "data").glob(f"{topic}-*/*.log")
    return {**seconds, "bytes": stored_bytes(*logs)}


def _message(number: int) -> tuple[bytes, bytes]:
    source, at_ms = f"camera-{number % 1000:04}", DAY_MS + number // 1000 * 200
    frame = footage.announcement(source, at_ms, number, jpeg=b"%d" % number)
    return keys.frame_log_key(source, at_ms), encode(frame)


def measure_store(objects: int) -> dict[str, float]:
    """Return the wall seconds to put and get so many frames on the S3 server, one after the other."""
    data = os.urandom(FRAME_BYTES)
    paths = [f"images/fleet/{number}.jpg" for number in range(objects)]
    with closing(open_object_store(*new_bucket())) as store:
        works: dict[str, Callable[[], object]] = {
            "put, wall": lambda: [store.put(path, data, if_absent=True) for path in paths],
            "get, wall": lambda: [store.get(path) for path in paths],
        }
        return {name: cost_of(work, time.perf_counter) for name, work in works.items()}


class Requests(NamedTuple):
    """The stages' requests to S3, by stage and kind such as `produce PUT`, for so many frames.

    `frame_bytes` is the total size of their pictures.
    """

    frames: int
    frame_bytes: int
    calls: Counter[str]


STAGES = {
    "produce": ["--source", "gate", "--start-time", "2026-03-01T08:00:00Z"],
    **{"consume": ["--until-caught-up"], "aggregate": [], "index": []},
}


def count_requests(folder: Path, sample_fps: str) -> Requests:
    """Run all stages on the demo's clip over a real S3 server, and count its requests.

    The pixel detector of the tests stands in for the network: the store gets the same requests.
    """
    clip = str(ensure_demo_clip(load_settings().models_dir.expanduser()))
    calls: Counter[str] = Counter()
    with _counted_bucket() as (url, access, proxy):
        environment = os.environ | {
            "FRAMETALLY_DATA_DIR": str(folder),
            "FRAMETALLY_STORE_URL": url,
            "FRAMETALLY_STORE_ENDPOINT": proxy.url,
            "FRAMETALLY_STORE_ACCESS_KEY": access.access_key,
            "FRAMETALLY_STORE_SECRET_KEY": access.secret_key.get_secret_value(),
            "FRAMETALLY_DETECTOR": "pixels",
            "FRAMETALLY_SAMPLE_FPS": sample_fps,
        }
        for stage, arguments in STAGES.items():
            proxy.calls.clear()
            command = [*FRAMETALLY, stage, *arguments, *([clip] if stage == "produce" else [])]
            subprocess.run(command, env=environment, check=True)
            calls.update(f"{stage} {_kind(call)}" for call in proxy.calls)
        with closing(open_object_store(url, access)) as store:
            sizes = [info.size_bytes for info in store.list("images")]
    return Requests(len(sizes), sum(sizes), calls)


def measure_history(folder: Path, sizes: Sequence[int], of_day: int) -> dict[int, dict[str, float]]:
    """Return the cost of a round with nothing new over so many segments on S3, and its LIST requests.

    Each day has `of_day` segments. Once a day a round lists all, not only the new ones (`all listed`).
    """
    costs: dict[int, dict[str, float]] = {}
    settings = load_settings("hadoop", data_dir=folder, count_objects=False)
    with (
        _counted_bucket() as (url, access, proxy),
        closing(open_object_store(url, access)) as store,
        closing(open_object_store(url, replace(access, endpoint=proxy.url))) as counted,
        closing(open_ledger(settings.ledger_url)) as ledger,
    ):
        works: dict[str, Callable[[ObjectStore], object]] = {
            "planning": lambda place: aggregate(settings=settings, store=place, progress=NoProgress()),
            "ledger": lambda place: ledger.refresh(place, NoProgress()),
        }
        for before, size in pairwise((0, *sizes)):
            with ThreadPoolExecutor(8) as writers:
                list(writers.map(partial(_put_segment, store, of_day=of_day), range(before, size)))
            of_size = costs[size] = {}
            for name, work in works.items():
                again = partial(work, store)
                again()
                of_size[f"{name}, nothing new"] = min(cost_of(again) for _ in range(3))
                with _all_listed():
                    of_size[f"{name}, all listed"] = min(cost_of(again) for _ in range(2))
            proxy.calls.clear()
            for work in works.values():
                work(counted)
            of_size["LIST"] = sum(_kind(call) == "LIST" for call in proxy.calls)
    return costs


def _put_segment(store: ObjectStore, number: int, *, of_day: int) -> None:
    """Write a segment with one frame of one of ten cameras; the partitions take turns."""
    day, turn = divmod(number, of_day)
    frame = frame_of(f"camera-{turn % 10}", DAY_MS + day * 86_400_000 + turn // 10 * 1000, 0)
    footage.put_segment(store, MODEL, number % LOG_PARTITIONS, number // LOG_PARTITIONS, [frame])


@contextmanager
def _all_listed() -> Iterator[None]:
    """Make rounds list all segments, as the first of each day does."""
    with patch.object(ledger_listing, "lists_all", return_value=True):
        yield


def count_camera_calls(folder: Path) -> Requests:
    """Send a minute of a camera in packs to a real S3 server, get each frame, and count the requests."""
    folder.mkdir()
    video = make_video(folder, 1)
    with _counted_bucket() as (url, access, proxy):
        through = Bucket(url, replace(access, endpoint=proxy.url))
        capture_video(video, folder, through, packs=True)
        calls = Counter(f"capture {_kind(call)}" for call in proxy.calls if f"/{keys.IMAGES}/" in call[1])
        proxy.calls.clear()
        with closing(open_object_store(url, access)) as store:
            sizes = [info.size_bytes for info in store.list(keys.IMAGES)]
        read_all(through)
        calls.update(f"consume {_kind(call)}" for call in proxy.calls)
    return Requests(len(sizes), sum(sizes), calls)


@contextmanager
def _counted_bucket() -> Iterator[tuple[str, StoreAccess, FaultProxy]]:
    """Make a bucket on the running S3 server; give its URL, its access, and the proxy that counts calls."""
    url, access = new_bucket()
    with FaultProxy(access.endpoint, lambda method, path: "") as proxy:
        yield url, access, proxy


def _kind(call: tuple[str, str]) -> str:
    return "PUT" if call[0] == "POST" else kind_of(call)
