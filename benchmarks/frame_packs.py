"""What a camera-day is to a bucket: objects, bytes, requests and their price, as single frames and in packs.

Both of files, which `frametally produce` stores, and of a live camera, whose frames come as they are.

    make services-up SERVICES=s3
    python benchmarks/frame_packs.py

A video of some minutes is produced into a real S3 server, and sent as a camera's; then it is read frame by
frame as the consumer does, packed and forgotten. A proxy before the server counts every request. A minute
takes as many as any other, so a day is 1,440 times a minute.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from measuring import running_servers
from results import ROOT, Cell, Goal, Table, options, save

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.media.forgetting import forget, targets_in
from frametally.media.manifests import list_manifests
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

FPS, START, START_MS = 5, "2026-03-01T08:00:00Z", 1_772_352_000_000
MINUTES_A_DAY, CAMERAS, DAYS = 1440, 1000, 365
FORMS = (
    *("single", "packs", "camera, single", "camera, packs"),
    *("camera, single, then packed", "camera, packs, then packed"),
)
STEPS = {"pack": "`frametally pack`"}
"""Steps that are named otherwise in tables."""
DOLLARS = {"PUT": 5e-6, "LIST": 5e-6, "POST": 5e-6, "GET": 4e-7, "HEAD": 4e-7, "DELETE": 0.0}
"""List prices of a request to S3 Standard in us-east-1."""


class Bucket(NamedTuple):
    """An empty prefix of a bucket, reached through the proxy or directly."""

    url: str
    access: StoreAccess


class Taken(NamedTuple):
    """What frames take in one form: each step's requests by kind, objects, and bytes."""

    steps: dict[str, Counter[str]]
    objects: int
    size: int


def new_bucket() -> Bucket:
    """Make a bucket on the running S3 server."""
    servers = running_servers()
    secret = SecretStr(servers["S3_SECRET_KEY"])
    access = StoreAccess(endpoint=servers["S3_URL"], access_key=servers["S3_ACCESS_KEY"], secret_key=secret)
    url = f"s3://bench-{uuid.uuid4().hex[:8]}"
    set_up_store(url, access)
    return Bucket(url, access)


def main() -> None:
    """Measure, and save the results."""
    minutes = options(__doc__, minutes=5).minutes
    url, direct = new_bucket()
    taken: list[Taken] = []
    with tempfile.TemporaryDirectory() as name, FaultProxy(direct.endpoint, lambda method, path: "") as proxy:
        video = make_video(Path(name), minutes)
        counted = dataclasses.replace(direct, endpoint=proxy.url)
        for form in FORMS:
            work = capture_video if "camera" in form else produce_video
            store = partial(work, video, Path(name), packs="packs" in form)
            taken.append(count_requests(store, proxy, empty_prefix(url, counted), form))
    single, packs, camera, camera_packs, merged, merged_packs = taken
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
                day_rows(single, packs, days),
                "`read` gets every frame once, in the order of the log; a deletion is free.",
            ),
            Table(
                "What a day of a live camera takes",
                ["what", "single", "packs of 2 s", "packs, to single"],
                day_rows(camera, camera_packs, days),
                "`produce` has the requests for frames alone, not those for manifests.",
            ),
            Table(
                "What `frametally pack` takes for a camera-day, and what it leaves",
                ["what", "of single frames", "of packs of 2 s", "packs, to single"],
                [*request_rows(["pack"], merged, merged_packs, days), *size_rows(merged, merged_packs, days)],
            ),
        ],
        goals=goals(single, packs, camera, camera_packs),
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


def empty_prefix(url: str, access: StoreAccess) -> Bucket:
    """Return an empty prefix of a bucket."""
    return Bucket(f"{url}/{uuid.uuid4().hex}", access)


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
    store_frames: Callable[[Bucket], None], proxy: FaultProxy, bucket: Bucket, form: str
) -> Taken:
    """Return what the frames take, step by step.

    `frametally pack` is a preceding step in forms that have one. A camera's manifests are left out, as their
    number depends on the clock.
    """
    folder = f"/{keys.IMAGES}/" if "camera" in form else ""
    steps: dict[str, Counter[str]] = {}

    def step(name: str, work: Callable[[ObjectStore], object]) -> None:
        with opened(bucket) as store:
            proxy.calls.clear()
            work(store)
            calls = [call for call in proxy.calls if name != "produce" or folder in call[1]]
            steps[name] = Counter(map(kind_of, calls))

    step("produce", lambda _: store_frames(bucket))
    if "then" in form:
        later_ms = int(time.time() * 1000) + 2 * 3_600_000
        step("pack", lambda store: pack_pictures(store, keys.IMAGES, now_ms=later_ms, progress=NoProgress()))
    with opened(bucket) as store:
        infos = list(plain_of(store).list(keys.IMAGES))
        names = frame_keys(store)
    step("list", frame_keys)
    step("read", lambda store: [store.get(key) for key in names])
    step("proof of a frame", lambda store: store.get(names[-1]))
    with opened(bucket) as store:
        targets = targets_in(list(list_manifests(store)), from_ms=None, to_ms=None)
        proxy.calls.clear()
        forget(store, targets, delete_images=True, progress=NoProgress())
        steps["forget"] = Counter(map(kind_of, proxy.calls))
    return Taken(steps, len(infos), sum(info.size_bytes for info in infos))


def kind_of(call: tuple[str, str]) -> str:
    """Return the kind of a request for its price."""
    method, path = call
    query = path.partition("?")[2]
    if method == "POST" and "delete" in query:
        return "DELETE"
    return "LIST" if method == "GET" and "list-type" in query else method


def dollars(requests: Counter[str]) -> float:
    """Return the price of requests."""
    return sum(DOLLARS[kind] * number for kind, number in requests.items())


def row(what: str, single: float, packs: float) -> list[Cell]:
    """Return a row of a table."""
    return [what, round(single, 4), round(packs, 4), round(packs / single, 5) if single else None]


def request_rows(names: Sequence[str], single: Taken, packs: Taken, days: float) -> list[list[Cell]]:
    """Return the rows of a camera-day's requests in these steps."""
    rows = []
    for name in names:
        ours, theirs, what = single.steps[name], packs.steps[name], STEPS.get(name, name)
        rows += [
            row(f"{what}: {kind}", ours[kind] * days, theirs[kind] * days) for kind in sorted(ours | theirs)
        ]
    for name in (name for name in names if name in ("produce", "read", "pack")):
        usd = (dollars(taken.steps[name]) * days * DAYS * CAMERAS for taken in (single, packs))
        rows.append(row(f"{STEPS.get(name, name)}, {CAMERAS} cameras, a year ($)", *usd))
    return rows


def day_rows(single: Taken, packs: Taken, days: float) -> list[list[Cell]]:
    """Return the rows of a camera-day in two forms."""
    proofs = [taken.steps["proof of a frame"].total() for taken in (single, packs)]
    return [
        *size_rows(single, packs, days),
        *request_rows(["produce", "list", "read", "forget"], single, packs, days),
        row("proof of a frame, cold: requests", *proofs),
    ]


def size_rows(single: Taken, packs: Taken, days: float) -> list[list[Cell]]:
    """Return the rows of objects and bytes."""
    return [
        row("objects", single.objects * days, packs.objects * days),
        row("GB", single.size * days / 1e9, packs.size * days / 1e9),
    ]


def goals(single: Taken, packs: Taken, camera: Taken, camera_packs: Taken) -> list[Goal]:
    """Return the goals for packs."""

    def price_ratio(ours: Taken, theirs: Taken) -> float:
        return dollars(ours.steps["produce"]) / dollars(theirs.steps["produce"])

    deletions = packs.steps["forget"].total() / single.steps["forget"].total()
    return [
        Goal("objects, to single", packs.objects / single.objects, at_most=0.01),
        Goal("price of producing, to single", price_ratio(packs, single), at_most=0.02),
        Goal("bytes, to single", packs.size / single.size, at_most=1.01),
        Goal("forgetting: requests, to single", deletions, at_most=0.05),
        Goal("a camera's objects, to single", camera_packs.objects / camera.objects, at_most=0.11),
        Goal("a camera's price, to single", price_ratio(camera_packs, camera), at_most=0.15),
    ]


if __name__ == "__main__":
    main()
