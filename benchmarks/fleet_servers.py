"""Measures Kafka and S3 for a fleet: seconds of messages and objects, and every S3 request by kind."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from fleet_units import DAY_MS, cost_of, frame_of, put_segment
from frame_packs import Bucket, capture_video, make_video, read_all
from results import ROOT
from services import running_servers

from frametally import keys
from frametally.adapters.sql.ledger import segments as ledger_listing
from frametally.files.demo_clip import ensure_demo_clip
from frametally.opening import open_frame_log, open_ledger, open_object_store
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import FrameAnnouncement, encode
from frametally.settings.access import LogAccess, StoreAccess
from frametally.settings.fields import SecretStr
from frametally.settings.loading import load_settings
from frametally_cli.bucket import set_up_store
from frametally_cli.main import main as run_command
from frametally_hadoop.driver import aggregate

sys.path.append(str(ROOT / "tests" / "servers"))
from s3_fault_proxy import FaultProxy

FRAME_BYTES, A_BATCH = 60_000, 500
PARTITIONS = 32


def measure_log(messages: int) -> dict[str, float]:
    """Return the wall seconds to announce and read so many messages on Kafka, and their bytes on its disk."""
    with closing(open_frame_log(running_servers()["KAFKA_URL"], LogAccess())) as log:
        topic = f"fleet-{uuid.uuid4().hex[:8]}"
        log.create_topic(topic, 32)
        batch = [_message(number) for number in range(messages)]
        publish = cost_of(lambda: _publish(log, topic, batch), time.perf_counter)
        poll = _poll_s(log, topic, messages)
    data = Path(os.environ.get("FRAMETALLY_SERVICES_DIR", ROOT / ".services")) / "kafka" / "data"
    stored = sum(file.stat().st_size for file in data.glob(f"{topic}-*/*.log"))
    return {"publish, wall": publish, "poll, wall": poll, "bytes": stored}


def _message(number: int) -> tuple[bytes, bytes]:
    source, at_ms = f"camera-{number % 1000:04}", DAY_MS + number // 1000 * 200
    frame = FrameAnnouncement(
        image_path=keys.image_key(source, at_ms, "ab" * 32, number),
        source=source,
        frame_index=number,
        captured_at_ms=at_ms,
        time_source="start_time",
        width_px=854,
        height_px=480,
        bytes=FRAME_BYTES,
        sha256=f"{number:064x}",
        media=f"{number % 1000:064x}",
    )
    return keys.frame_log_key(source, at_ms), encode(frame)


def _publish(log: FrameLog, topic: str, batch: Sequence[tuple[bytes, bytes]]) -> None:
    for first in range(0, len(batch), A_BATCH):
        log.publish(topic, batch[first : first + A_BATCH])


def _poll_s(log: FrameLog, topic: str, messages: int) -> float:
    """Return the seconds for all messages from the first, at the pace of the messages after it."""
    ignore: Callable[[list[int]], None] = lambda partitions: None  # noqa: E731
    with closing(log.subscribe(topic, "fleet", on_assigned=ignore, on_revoked=ignore)) as consumer:
        polled = first = 0
        began_s = 0.0
        while polled < messages:
            records = consumer.poll(timeout_s=1.0, max_records=A_BATCH)
            if records and not began_s:
                began_s, first = time.perf_counter(), len(records)
            polled += len(records)
        return (time.perf_counter() - began_s) * messages / max(1, messages - first)


@contextmanager
def bucket() -> Iterator[tuple[str, StoreAccess]]:
    """Make a bucket on the running S3 server; give its URL and access."""
    servers = running_servers()
    access = StoreAccess(
        endpoint=servers["S3_URL"],
        access_key=servers["S3_ACCESS_KEY"],
        secret_key=SecretStr(servers["S3_SECRET_KEY"]),
    )
    url = f"s3://fleet-{uuid.uuid4().hex[:8]}"
    set_up_store(url, access)
    yield url, access


def measure_store(objects: int) -> dict[str, float]:
    """Return the wall seconds to put and get so many frames on the S3 server, one after the other."""
    data = os.urandom(FRAME_BYTES)
    paths = [f"images/fleet/{number}.jpg" for number in range(objects)]
    with bucket() as (url, access), closing(open_object_store(url, access)) as store:
        return {
            "put, wall": cost_of(
                lambda: [store.put(path, data, if_absent=True) for path in paths], time.perf_counter
            ),
            "get, wall": cost_of(lambda: [store.get(path) for path in paths], time.perf_counter),
        }


class Requests(NamedTuple):
    """The stages' requests to S3, by stage and kind such as `produce PUT`, for some frames.

    Attributes:
        frames: The number of frames that went through the stages.
        frame_bytes: The total size of their pictures.
    """

    frames: int
    frame_bytes: int
    calls: Counter[str]


STAGES = {
    "produce": ["--source", "gate", "--start-time", "2026-03-01T08:00:00Z"],
    "consume": ["--until-caught-up"],
    "aggregate": [],
    "index": [],
}


def count_requests(folder: Path, sample_fps: str) -> Requests:
    """Run all stages on the demo's clip over a real S3 server, and count its requests.

    The pixel detector of the tests stands in for the network: the store gets the same requests.
    """
    clip = str(ensure_demo_clip(load_settings().models_dir.expanduser()))
    calls: Counter[str] = Counter()
    with _counted_bucket() as (url, access, proxy):
        environment = {
            "FRAMETALLY_DATA_DIR": str(folder),
            "FRAMETALLY_STORE_URL": url,
            "FRAMETALLY_STORE_ENDPOINT": proxy.url,
            "FRAMETALLY_STORE_ACCESS_KEY": access.access_key,
            "FRAMETALLY_STORE_SECRET_KEY": access.secret_key.get_secret_value(),
            "FRAMETALLY_DETECTOR": "pixels",
            "FRAMETALLY_SAMPLE_FPS": sample_fps,
        }
        before = dict(os.environ)
        os.environ |= environment
        try:
            for stage, arguments in STAGES.items():
                proxy.calls.clear()
                if run_command([stage, *arguments, *([clip] if stage == "produce" else [])]):
                    raise SystemExit(f"{stage} failed")
                calls.update(f"{stage} {_kind(method, path)}" for method, path in proxy.calls)
        finally:
            os.environ.clear()
            os.environ |= before
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
            of_size["LIST"] = sum(_kind(*call) == "LIST" for call in proxy.calls)
    return costs


def _put_segment(store: ObjectStore, number: int, *, of_day: int) -> None:
    """Write a segment with one frame of one of ten cameras; the partitions take turns."""
    day, turn = divmod(number, of_day)
    frame = frame_of(f"camera-{turn % 10}", DAY_MS + day * 86_400_000 + turn // 10 * 1000, 0)
    put_segment(store, number % PARTITIONS, number // PARTITIONS, [frame])


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
        calls = Counter(f"capture {_kind(*call)}" for call in proxy.calls if f"/{keys.IMAGES}/" in call[1])
        proxy.calls.clear()
        with closing(open_object_store(url, access)) as store:
            sizes = [info.size_bytes for info in store.list(keys.IMAGES)]
        read_all(through)
        calls.update(f"consume {_kind(*call)}" for call in proxy.calls)
    return Requests(len(sizes), sum(sizes), calls)


@contextmanager
def _counted_bucket() -> Iterator[tuple[str, StoreAccess, FaultProxy]]:
    """Make a bucket on the running S3 server; give its URL, its access, and the proxy that counts calls."""
    with bucket() as (url, access), FaultProxy(access.endpoint, lambda method, path: "") as proxy:
        yield url, access, proxy


def _kind(method: str, path: str) -> str:
    return "LIST" if method == "GET" and "list-type=2" in path else "PUT" if method == "POST" else method
