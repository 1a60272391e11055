"""Small generated footage, and ports that fail when a test says so."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest
from PIL import Image
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.said import Said
from tests.kit.clips import MakeFile

from frametally.process.reports import Standing
from frametally.records import FrameAnnouncement, MediaManifest, decode, encode
from frametally.rules.pace import Pace
from frametally.settings.loading import Settings, load_settings
from frametally_producer.produce import ProduceReport, produce
from frametally_producer.writing.production import ProduceCall

# 2026-03-04T05:06:07Z
FILE_DATE_S = 1_772_600_767


class Died(BaseException):
    """The error by which tests simulate the death of the process."""


class FailingStore(MemoryStore):
    """Raises `failure` at the n-th put of an image, counted from 1, as often as `fail_at` says."""

    def __init__(self) -> None:
        super().__init__()
        self.fail_at = 0
        self.failure: BaseException = Died("at a put")
        self.image_puts = 0
        self.effects: list[tuple[str, str]] = []

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        if key.startswith("images/"):
            self.image_puts += 1
            if self.image_puts == self.fail_at:
                raise self.failure
        stored = super().put(key, data, if_absent=if_absent, durable=durable)
        self.effects.append(("put", key))
        return stored


class FailingLog(MemoryLog):
    """Raises `failure` at the n-th batch, counted from 1, as `fail_at` says, after half of it is stored."""

    def __init__(self, effects: list[tuple[str, str]]) -> None:
        super().__init__()
        self.fail_at = 0
        self.failure: BaseException = Died("at a batch")
        self.batches = 0
        self.announcements: list[FrameAnnouncement] = []
        self.keys: list[bytes] = []
        self.effects = effects

    def publish(self, topic: str, messages: Any) -> None:
        messages = list(messages)
        self.batches += 1
        failing = self.batches == self.fail_at
        for key, value in messages[: len(messages) // 2] if failing else messages:
            announcement = decode(value, FrameAnnouncement)
            self.announcements.append(announcement)
            self.keys.append(key)
            self.effects.append(("announce", announcement.image_path))
            super().publish(topic, [(key, value)])
        if failing:
            raise self.failure


class Bench:
    """A producer with ports in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FailingStore()
        self.log = FailingLog(self.store.effects)
        self.progress = Said()
        self.overrides: dict[str, object] = {"min_free_disk_mb": 0}
        self.standings: list[Standing] = []

    def settings(self, **overrides: Any) -> Settings:
        return load_settings(data_dir=self.folder / "data", **(self.overrides | overrides))

    def produce(
        self,
        *paths: Path,
        source: str | None = None,
        start_time: str | None = None,
        track: int | None = None,
        pace: Pace | None = None,
        extracted_dir: Path | None = None,
        packs: bool = False,
        receipt: Path | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        **overrides: Any,
    ) -> ProduceReport:
        return produce(
            ProduceCall(
                paths=paths,
                settings=self.settings(**overrides),
                source=source,
                start_time=start_time,
                track=track,
                pace=pace,
                extracted_dir=extracted_dir,
                packs=packs,
                receipt=receipt,
                should_stop=should_stop,
            ),
            store=self.store,
            log=self.log,
            progress=self.progress,
            on_standing=self.standings.append,
        )

    def video(self, name: str = "clip.mp4", *arguments: Any, **options: Any) -> Path:
        """Make a video in the folder, as `encode_video` does; return its path."""
        return encode_video(self._path(name), *arguments, **options)

    def picture(self, name: str = "picture.jpg", **options: Any) -> Path:
        """Make a picture in the folder, as `encode_picture` does; return its path."""
        path = self._path(name)
        path.write_bytes(encode_picture(**options))
        os.utime(path, (FILE_DATE_S, FILE_DATE_S))
        return path

    def _path(self, name: str) -> Path:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def announced(self) -> list[int]:
        """Decode indices, in the order of their announcement."""
        return [announcement.frame_index for announcement in self.log.announcements]

    def manifests(self) -> list[MediaManifest]:
        return [decode(self.store.get(info.key), MediaManifest) for info in self.store.list("media")]

    def manifest_with(self, manifest: MediaManifest, **changes: object) -> MediaManifest:
        """Put a manifest with some fields changed."""
        changed = msgspec.structs.replace(manifest, **changes)
        self.store.put(changed.key, encode(changed))
        return changed


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in list(os.environ):
        if name.startswith("FRAMETALLY_"):
            monkeypatch.delenv(name)
    return Bench(tmp_path)


@pytest.fixture
def make_video(tmp_path: Path) -> MakeFile:
    return Bench(tmp_path).video  # tests of other folders have no bench


@pytest.fixture
def make_picture(bench: Bench) -> MakeFile:
    return bench.picture


def paint(index: int, width_px: int, height_px: int) -> np.ndarray:
    """A picture (height, width, 3) in RGB whose grey shows its index, and whose red quarter marks its first
    corner."""
    picture = np.full((height_px, width_px, 3), 40 + index * 3 % 160, np.uint8)
    picture[: height_px // 2, : width_px // 2] = (255, 0, 0)
    return picture


def encode_video(
    path: Path,
    times_ms: Sequence[int] | int = 10,
    *,
    codec: str = "mpeg4",
    format: str | None = None,
    size_px: tuple[int, int] = (64, 48),
    fps: int = 10,
    noise: bool = False,
    rotation: int | None = None,
    pixel_aspect: Fraction | None = None,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
) -> Path:
    """A video with a frame at each time, or of this many frames at `fps`; its file has a fixed date."""
    if isinstance(times_ms, int):
        times_ms = [1000 * index // fps for index in range(times_ms)]
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size_px
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000 if codec != "mpeg2video" else fps)
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        container.start_encoding()
        for index, time_ms in enumerate(times_ms):
            picture = paint(index, *size_px)
            if noise:  # so that the file is large
                picture += np.random.default_rng(index).integers(0, 40, picture.shape, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = time_ms
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    os.utime(path, (FILE_DATE_S, FILE_DATE_S))
    return path


def encode_picture(
    *,
    format: str = "JPEG",
    size_px: tuple[int, int] = (64, 48),
    index: int = 0,
    taken: str | None = None,
    offset: str | None = None,
    fraction: str | None = None,
    orientation: int | None = None,
) -> bytes:
    """A picture file with the given EXIF."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    details = {0x9003: taken, 0x9011: offset, 0x9291: fraction}
    details = {tag: value for tag, value in details.items() if value is not None}
    if details:
        exif[0x0110] = "a camera"  # Pillow writes no EXIF without a tag at the top
        exif.get_ifd(0x8769).update(details)
    buffer = io.BytesIO()
    Image.fromarray(paint(index, *size_px)).save(
        buffer, format, **({"exif": exif} if exif or details else {})
    )
    return buffer.getvalue()
