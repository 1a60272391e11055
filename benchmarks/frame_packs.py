"""What a camera-day is to a bucket: objects, bytes, requests and their price, as single frames and in packs.

Both of files, which `frametally produce` stores, and of a live camera, whose frames come as they are.

    make services-up SERVICES=s3
    PYTHONPATH=.:tests/servers python benchmarks/frame_packs.py

A video of some minutes is produced into a real S3 server, and sent as a camera's; then it is read frame by
frame as the consumer does, packed and forgotten. A proxy before the server counts every request. A minute
takes as many as any other, so a day is 1,440 times a minute.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from results import ROOT, Cell, Goal, Table, save

from frametally import keys
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.media.forgetting import forget, targets_in
from frametally.media.manifests import list_manifests
from frametally.opening import open_frame_log, open_object_store
from frametally.packs.packed_store import plain_of
from frametally.packs.packing import pack_pictures
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience
from frametally.settings.access import StoreAccess
from frametally.settings.fields import SecretStr
from frametally.settings.loading import Settings
from frametally_cli.bucket import set_up_store
from frametally_live.cameras.frame_upload import Sender
from frametally_live.cameras.minutes import Minutes
from frametally_live.cameras.spool import Spool
from frametally_live.cameras.stream_clock import CaptureTime
from frametally_producer.produce import produce
from frametally_producer.writing.production import ProduceCall

sys.path.append(str(ROOT / "tests" / "servers"))
from s3_fault_proxy import FaultProxy
from serving.needs import server

FPS, START, START_MS = 5, "2026-03-01T08:00:00Z", 1_772_352_000_000
MINUTES_A_DAY, CAMERAS, DAYS = 1440, 1000, 365
ROUNDS = 3
FORMS = (
    *("single", "packs", "camera, single", "camera, packs"),
    *("camera, single, then packed", "camera, packs, then packed"),
)
DOLLARS = {"PUT": 5e-6, "LIST": 5e-6, "POST": 5e-6, "GET": 4e-7, "HEAD": 4e-7, "DELETE": 0.0}
"""List prices of a request to S3 Standard in us-east-1."""


class Bucket(NamedTuple):
    """An empty prefix of a bucket, reached through the proxy or directly."""

    url: str
    access: StoreAccess


def main() -> None:
    """Measure, and save the results."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=int, default=5, help="length of the video")
    minutes = options.parse_args().minutes
    values = server("s3")
    direct = StoreAccess(
        endpoint=values["URL"], access_key=values["ACCESS_KEY"], secret_key=SecretStr(values["SECRET_KEY"])
    )
    set_up_store("s3://frametally-packs", direct)
    steps: dict[str, dict[str, Counter[str]]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as name, FaultProxy(values["URL"], lambda method, path: "") as proxy:
        video = make_video(Path(name), minutes)
        counted = dataclasses.replace(direct, endpoint=proxy.url)
        for form in FORMS:
            work = capture_video if "camera" in form else produce_video
            store = partial(work, video, Path(name), packs="packs" in form)
            steps[form], sizes[form] = count_requests(store, proxy, counted, form)
        paces = measure_paces(video, Path(name), direct)
    days = MINUTES_A_DAY / minutes
    save(
        name="frame_packs",
        title="Frames in packs, on S3",
        about=f"{minutes} minutes of the traffic clip (854x480, {FPS} frames/s) on SeaweedFS 4.48, as an "
        "object per frame and as an object per minute. A proxy counts the requests. "
        "Prices: S3 Standard, us-east-1.",
        packages=["obstore", "opencv-python-headless", "av"],
        tables=[
            Table(
                "What a camera-day takes",
                ["what", "single", "packs", "packs, to single"],
                day_rows(steps, sizes, days, FORMS[:2]),
                "`read` gets every frame once, in the order of the log; a deletion is free.",
            ),
            Table(
                "What a day of a live camera takes",
                ["what", "single", "packs of 2 s", "packs, to single"],
                day_rows(steps, sizes, days, FORMS[2:4]),
                "`produce` has the requests for frames alone, not those for manifests.",
            ),
            Table(
                "What `frametally pack` takes for a camera-day, and what it leaves",
                ["what", "of single frames", "of packs of 2 s", "packs, to single"],
                merge_rows(steps, sizes, days),
            ),
            Table(
                "Pace on this machine's S3",
                ["what", "single", "packs", "packs, to single"],
                [row(what, *both) for what, both in paces.items()],
                f"Medians of {ROUNDS} rounds in which both took turns, without the proxy.",
            ),
        ],
        goals=goals(steps, sizes),
    )


def make_video(folder: Path, minutes: int) -> Path:
    """Repeat the traffic clip's frames for so many minutes; return the video."""
    with av.open(str(ensure_demo_clip(ROOT / "demo-data"))) as clip:
        frames = [frame.to_ndarray(format="yuv420p") for frame in clip.decode(video=0)]
    path = folder / "gate.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "18"})
        stream.height, stream.width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
        stream.pix_fmt = "yuv420p"
        for picture in islice(cycle(frames), minutes * 60 * FPS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())
    return path


@contextmanager
def opened(bucket: Bucket) -> Iterator[ObjectStore]:
    """Open the store like a process that has just started."""
    store = open_object_store(bucket.url, bucket.access)
    try:
        yield store
    finally:
        store.close()


def new_bucket(access: StoreAccess) -> Bucket:
    """Return an empty prefix."""
    return Bucket(f"s3://frametally-packs/{uuid.uuid4().hex}", access)


def produce_video(video: Path, folder: Path, bucket: Bucket, *, packs: bool) -> None:
    """Produce the video with a separate log."""
    data_dir = folder / uuid.uuid4().hex
    settings = Settings(data_dir=data_dir, store_url=bucket.url, min_free_disk_mb=0).resolved()
    log = open_frame_log(f"sqlite:///{data_dir}/log.sqlite")
    with opened(bucket) as store:
        call = ProduceCall(paths=[video], settings=settings, start_time=START, packs=packs)
        report = produce(call, store=store, log=log, progress=NoProgress())
    log.close()
    if report.skipped:
        raise SystemExit(str(report.skipped))


def pixels_of(frame: av.VideoFrame) -> Pixels:
    """Return a frame's pixels in the order blue, green, red."""
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def capture_video(video: Path, folder: Path, bucket: Bucket, *, packs: bool) -> None:
    """Send the video's frames as a camera's, each minute a medium; all are waiting on disk already."""
    data_dir = folder / uuid.uuid4().hex
    settings = Settings(
        data_dir=data_dir, store_url=bucket.url, min_free_disk_mb=0, sample_fps="all"
    ).resolved()
    spool = Spool(data_dir / "live", most_mb=10_000, why_full=lambda: "")
    minutes = Minutes(
        source="gate",
        source_name="gate",
        settings=settings,
        spool=spool,
        session_ms=START_MS,
        told_until_ms=None,
    )
    with av.open(str(video)) as clip:
        for number, frame in enumerate(clip.decode(video=0)):
            captured = CaptureTime(START_MS + number * 1000 // FPS, "arrival")
            minutes.add(captured, Fraction(number, FPS), partial(pixels_of, frame))
    minutes.end()
    log = open_frame_log(f"sqlite:///{data_dir}/log.sqlite")
    with opened(bucket) as store:
        sender = Sender(
            spool,
            source="gate",
            settings=settings,
            store=store,
            log=log,
            patience=Patience(print, lambda: False),
            on_resumed=lambda minutes: None,
            on_sent=lambda announcement, is_new: None,
            packs=packs,
        )
        sender.start()
        sender.finish()
    log.close()
    if sender.failure is not None:
        raise sender.failure


def read_all(bucket: Bucket) -> None:
    """Get every frame once, as the consumer does."""
    with opened(bucket) as store:
        for manifest_key in list(frame_keys(store)):
            store.get(manifest_key)


def frame_keys(store: ObjectStore) -> list[str]:
    """Return the keys of all frames by event time."""
    return [info.key for info in store.list(keys.IMAGES)]


def count_requests(
    store_frames: Callable[[Bucket], None], proxy: FaultProxy, access: StoreAccess, form: str
) -> tuple[dict[str, Counter[str]], tuple[int, int]]:
    """Return each step's requests by kind, and the number of objects and bytes of the frames.

    `frametally pack` is a preceding step in forms that have one. A camera's manifests are left out, as their
    number depends on the clock.
    """
    bucket, folder = new_bucket(access), f"/{keys.IMAGES}/" if "camera" in form else ""
    steps: dict[str, Counter[str]] = {}

    def step(name: str, work: Callable[[], object]) -> None:
        proxy.calls.clear()
        work()
        calls = [call for call in proxy.calls if name != "produce" or folder in call[1]]
        steps[name] = Counter(map(kind_of, calls))

    step("produce", lambda: store_frames(bucket))
    if "then" in form:
        with opened(bucket) as store:
            in_an_hour_ms = int(time.time() * 1000) + 2 * 3_600_000
            step(
                "pack", lambda: pack_pictures(store, keys.IMAGES, now_ms=in_an_hour_ms, progress=NoProgress())
            )
    with opened(bucket) as store:
        infos = list(plain_of(store).list(keys.IMAGES))
        names = frame_keys(store)
    size = len(infos), sum(info.size_bytes for info in infos)
    with opened(bucket) as store:
        step("list", lambda: frame_keys(store))
    with opened(bucket) as store:
        step("read", lambda: [store.get(key) for key in names])
    with opened(bucket) as store:
        step("proof of a frame", lambda: store.get(names[-1]))
    with opened(bucket) as store:
        targets = targets_in(list(list_manifests(store)), from_ms=None, to_ms=None)
        step("forget", lambda: forget(store, targets, delete_images=True, progress=NoProgress()))
    return steps, size


def kind_of(call: tuple[str, str]) -> str:
    """Return the kind of a request for its price."""
    method, path = call
    query = path.partition("?")[2]
    if method == "POST" and "delete" in query:
        return "DELETE"
    return "LIST" if method == "GET" and "list-type" in query else method


def measure_paces(video: Path, folder: Path, access: StoreAccess) -> dict[str, tuple[float, float]]:
    """Return the seconds of producing and of reading, for both forms."""
    seconds: dict[tuple[str, bool], list[float]] = {}
    for _ in range(ROUNDS):
        for packs in (False, True):
            bucket = new_bucket(access)
            works: dict[str, Callable[[], None]] = {
                "produce (s)": partial(produce_video, video, folder, bucket, packs=packs),
                "read every frame (s)": partial(read_all, bucket),
            }
            for what, work in works.items():
                began_s = time.perf_counter()
                work()
                seconds.setdefault((what, packs), []).append(time.perf_counter() - began_s)
    whats = dict.fromkeys(what for what, _ in seconds)
    return {
        what: (statistics.median(seconds[what, False]), statistics.median(seconds[what, True]))
        for what in whats
    }


def dollars(requests: Counter[str]) -> float:
    """Return the price of requests."""
    return sum(DOLLARS[kind] * number for kind, number in requests.items())


def row(what: str, single: float, packs: float) -> list[Cell]:
    """Return a row of a table."""
    return [what, round(single, 4), round(packs, 4), round(packs / single, 5) if single else None]


def day_rows(
    steps: dict[str, dict[str, Counter[str]]],
    sizes: dict[str, tuple[int, int]],
    days: float,
    forms: tuple[str, ...],
) -> list[list[Cell]]:
    """Return the rows of a camera-day in two forms."""
    single, packs = (steps[form] for form in forms)
    rows = size_rows(sizes, days, forms)
    for name in ("produce", "list", "read", "forget"):
        for kind in sorted(single[name].keys() | packs[name].keys()):
            rows.append(row(f"{name}: {kind}", single[name][kind] * days, packs[name][kind] * days))
    a_year = days * DAYS * CAMERAS
    for name in ("produce", "read"):
        rows.append(
            row(
                f"{name}, {CAMERAS} cameras, a year ($)",
                dollars(single[name]) * a_year,
                dollars(packs[name]) * a_year,
            )
        )
    proofs = [steps[form]["proof of a frame"].total() for form in forms]
    return [*rows, row("proof of a frame, cold: requests", *proofs)]


def size_rows(sizes: dict[str, tuple[int, int]], days: float, forms: tuple[str, ...]) -> list[list[Cell]]:
    """Return the rows of objects and bytes."""
    (objects, size), (packs, packs_size) = (sizes[form] for form in forms)
    return [
        row("objects", objects * days, packs * days),
        row("GB", size * days / 1e9, packs_size * days / 1e9),
    ]


def merge_rows(
    steps: dict[str, dict[str, Counter[str]]], sizes: dict[str, tuple[int, int]], days: float
) -> list[list[Cell]]:
    """Return the rows of `frametally pack`."""
    forms = FORMS[4:]
    single, packs = (steps[form]["pack"] for form in forms)
    a_year = days * DAYS * CAMERAS
    return [
        *(
            row(f"`frametally pack`: {kind}", single[kind] * days, packs[kind] * days)
            for kind in sorted(single | packs)
        ),
        row(
            f"`frametally pack`, {CAMERAS} cameras, a year ($)",
            dollars(single) * a_year,
            dollars(packs) * a_year,
        ),
        *size_rows(sizes, days, forms),
    ]


def goals(steps: dict[str, dict[str, Counter[str]]], sizes: dict[str, tuple[int, int]]) -> list[Goal]:
    """Return the goals for packs."""
    single, packs = steps["single"]["produce"], steps["packs"]["produce"]
    cameras = steps["camera, single"], steps["camera, packs"]
    objects = [sizes[form][0] for form in FORMS[2:4]]
    prices = [dollars(camera["produce"]) for camera in cameras]
    deletions = [steps[form]["forget"].total() for form in FORMS[:2]]
    return [
        Goal("objects, to single", sizes["packs"][0] / sizes["single"][0], at_most=0.01),
        Goal("price of producing, to single", dollars(packs) / dollars(single), at_most=0.02),
        Goal("bytes, to single", sizes["packs"][1] / sizes["single"][1], at_most=1.01),
        Goal("forgetting: requests, to single", deletions[1] / deletions[0], at_most=0.05),
        Goal("a camera's objects, to single", objects[1] / objects[0], at_most=0.11),
        Goal("a camera's price, to single", prices[1] / prices[0], at_most=0.15),
    ]


if __name__ == "__main__":
    main()
