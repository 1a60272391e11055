"""Stretches of the traffic clip, stored with and without a policy, and what their pictures still show."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from tests.kit.consuming import consume_all

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.files.opencv import Pixels, decode_pixels
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StagePorts
from frametally.process.reports import NoProgress
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate
from frametally_models.prepare import prepare_detector
from frametally_privacy.blurring import spans_to_blur
from frametally_privacy.policy import PrivacyRule, set_rule
from frametally_producer.produce import ProduceReport, produce
from frametally_producer.writing.production import ProduceCall

BLUR = PrivacyRule(blur=True)
CORNER = ((0.0, 0.0), (0.25, 0.0), (0.25, 0.25), (0.0, 0.25))


class Said(NoProgress):
    """A `Progress` that remembers its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[StagePorts]:
    chosen = Settings(data_dir=folder, **{"sample_fps": "all", **settings}).resolved()
    with (
        closing(open_object_store(chosen.store_url, chosen.store_access)) as store,
        closing(open_frame_log(chosen.log_url, chosen.log_access, lease_s=chosen.lease_s)) as log,
    ):
        yield StagePorts(chosen, store, log)


@cache
def traffic_frames(clip: Path, frames: int, step: int = 30) -> tuple[Pixels, ...]:
    """Return every `step`-th frame of the clip."""
    with av.open(str(clip)) as container:
        decoded = (np.asarray(f.to_ndarray(format="bgr24"), np.uint8) for f in container.decode(video=0))
        return tuple(pixels for number, pixels in enumerate(decoded) if number % step == 0)[:frames]


def write_pictures(folder: Path, pictures: tuple[Pixels, ...]) -> Path:
    """Write pictures a second apart, whose names have their times."""
    folder.mkdir()
    for number, pixels in enumerate(pictures):
        cv2.imwrite(str(folder / f"gate_2026-03-01T08-00-{number:02d}.png"), pixels)
    return folder


def produce_there(ports: StagePorts, *paths: Path, **call: Any) -> ProduceReport:
    call = {"source": "gate", "settings": ports.settings, **call}
    return produce(ProduceCall(paths=paths, **call), store=ports.store, log=ports.log, progress=NoProgress())


def counted(ports: StagePorts, said: Said | None = None) -> dict[str, bytes]:
    """Detect and count; return the lines of segments and the day's parts, by the names of their files."""
    detector = prepare_detector(ports.settings)
    consume_all(ports.settings, ports.store, ports.log, detector, progress=said or Said())
    assert not aggregate(settings=ports.settings, store=ports.store, progress=NoProgress()).skipped
    lines = {
        info.key.rpartition("/")[2]: ports.store.get(info.key).partition(b"\n")[2]
        for info in ports.store.list(f"metadata/model={detector.model_id}")
    }
    parts = [info.key for info in ports.store.list("mapreduce-output") if "/part-" in info.key]
    return lines | {key.rpartition("/")[2]: ports.store.get(key) for key in parts}


def images(store: ObjectStore) -> dict[str, bytes]:
    return {info.key: store.get(info.key) for info in store.list("images")}


def stored_pictures(folder: Path) -> Iterator[tuple[str, Pixels]]:
    """Yield every picture that can be decoded from any object of a folder, also inside packs and videos."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for start in _starts(data):
            try:
                yield f"{path}@{start}", decode_pixels(data[start:])
            except Exception:  # noqa: S112 - three bytes by chance
                continue
        if data[4:8] == b"ftyp":
            with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
                file.write(data)
                file.flush()
                with av.open(file.name) as container:
                    for number, frame in enumerate(container.decode(video=0)):
                        yield f"{path}#{number}", np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _starts(data: bytes) -> Iterator[int]:
    start = data.find(b"\xff\xd8\xff")
    while start >= 0:
        yield start
        start = data.find(b"\xff\xd8\xff", start + 1)


def distance(one: Pixels, other: Pixels) -> float:
    """Return the mean difference of two pictures' channels."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def legible_spans(plain: Pixels, stored: Pixels, detections: Any) -> list[tuple[int, int, int, int]]:
    """Return the parts to blur in which a stored picture still has the fine detail of the plain one."""
    height_px, width_px = plain.shape[:2]
    legible, judged = [], 0
    for left, top, right, bottom in spans_to_blur(detections, width_px, height_px):
        inner = (slice(top + 4, bottom - 4), slice(left + 4, right - 4))
        before, after = _detail(plain[inner]), _detail(stored[inner])
        if min(before.shape) < 16 or before.var() < 50:  # 16 colours of so few pixels are much of its detail
            continue
        judged += 1
        # The detail that is left: 0.45 or more of a sharp part that is encoded again, 0.03 of a blurred one.
        if (before * after).mean() / (before**2).mean() > 0.2:
            legible.append((left, top, right, bottom))
    assert judged, "the picture has nothing to blur"
    return legible


def _detail(pixels: Pixels) -> Any:
    if not pixels.size:
        return np.zeros((0, 0))
    detail = cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.CV_64F)
    return detail - detail.mean()


def ruled(folder: Path, rule: PrivacyRule = BLUR) -> Path:
    """Set a rule in a folder, as another process would."""
    with opened(folder) as ports:
        set_rule(ports.store, rule)
    return folder
