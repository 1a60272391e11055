"""A picture that shows nothing is named after every codec; a night with a lamp, fog and snow are pictures."""

from __future__ import annotations

import json
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.fakes.records import make_announcement, make_frame
from tests.kit.clips import jpeg_of
from tests.kit.scripts import script

from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import Pixels, cv2, decode_pixels
from frametally.records import Detection, FrameAnnouncement, FrameDetections, encode
from frametally.rules.blank_stretches import blank_stretches
from frametally.segments.contents import frame_line
from frametally.segments.stored_frame import picture_digest
from frametally_consumer.worker.pipeline import Loaded, Loading, collect, feed

HEIGHT_PX, WIDTH_PX = 360, 640
PICTURES = 3
Drawing = Callable[[np.random.Generator], NDArray[np.float32]]
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "JPEG alone": ("", {}),
    "H.264, CRF 23": ("libx264", {"crf": "23", "preset": "veryfast"}),
    "H.264, CRF 40": ("libx264", {"crf": "40", "preset": "veryfast"}),
    "H.265, CRF 40": ("libx265", {"crf": "40", "preset": "ultrafast", "x265-params": "log-level=none"}),
    "MJPEG": ("mjpeg", {"qmin": "15", "qmax": "15"}),
}


def flat(bgr: tuple[int, int, int], noise: float = 0, *, clock: bool = False) -> Drawing:
    """One colour with a sensor's noise, optionally with a camera's clock and name in its corners."""

    def draw(rng: np.random.Generator) -> NDArray[np.float32]:
        picture = np.full((HEIGHT_PX, WIDTH_PX, 3), bgr, np.float32)
        picture += rng.normal(0, noise, (HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)
        for text, place in (("2026-05-01 08:00:00", (12, 24)), ("Camera 01", (490, 346))) if clock else ():
            cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
        return picture

    return draw


def street(light: float, offset: float = 0, noise: float = 4) -> Drawing:
    """A street with road, houses, cars and people, at this share of its contrast."""

    def draw(rng: np.random.Generator) -> NDArray[np.float32]:
        picture = np.full((HEIGHT_PX, WIDTH_PX, 3), (150, 130, 120), np.float32)
        cv2.rectangle(picture, (0, 200), (639, 359), (95, 95, 95), -1)
        for left in range(0, 640, 128):
            cv2.rectangle(picture, (left, 60), (left + 90, 199), (70, 90, 140 + left // 8), -1)
        for left, top in ((80, 240), (300, 300), (480, 220)):
            cv2.rectangle(picture, (left, top), (left + 90, top + 40), (200, 200, 210), -1)
        cv2.rectangle(picture, (240, 210), (252, 245), (30, 30, 60), -1)
        picture = picture * light + offset
        return picture + rng.normal(0, noise, (HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)

    return draw


def lamp(radius_px: int, glow: float = 0) -> Drawing:
    """A night with one visible lamp, with or without a glow around it."""

    def draw(rng: np.random.Generator) -> NDArray[np.float32]:
        rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
        away_px2 = (rows - 140) ** 2 + (columns - 380) ** 2
        light = 255.0 * (away_px2 <= radius_px**2) + glow * np.exp(-away_px2 / (72 * radius_px**2))
        noise = rng.normal(0, 4, (HEIGHT_PX, WIDTH_PX, 1))
        return np.repeat(light[..., None], 3, axis=2).astype(np.float32) + noise.astype(np.float32)

    return draw


def snow(rng: np.random.Generator) -> NDArray[np.float32]:
    """An overexposed field with one dark car and a darker sky."""
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 300, np.float32)
    cv2.rectangle(picture, (0, 0), (639, 60), (225, 215, 210), -1)
    cv2.rectangle(picture, (300, 200), (340, 218), (60, 50, 50), -1)
    return picture + rng.normal(0, 3, (HEIGHT_PX, WIDTH_PX, 1)).astype(np.float32)


def bars(rng: np.random.Generator) -> NDArray[np.float32]:
    """Colour bars of a test picture."""
    columns = np.linspace(0, 6.99, WIDTH_PX).astype(int)
    colours = np.array([[(n >> shift & 1) * 190 for shift in range(3)] for n in range(1, 8)], np.float32)
    return np.broadcast_to(colours[columns], (HEIGHT_PX, WIDTH_PX, 3)).astype(np.float32)


BLANK: dict[str, tuple[Drawing, str]] = {
    "black": (flat((0, 0, 0)), "black"),
    "black, noise 8": (flat((0, 0, 0), 8), "black"),
    "black, noise 20": (flat((0, 0, 0), 20), "black"),
    "covered lens, noise 12, clock": (flat((16, 16, 16), 12, clock=True), "black"),
    "street at 2 % of its light": (street(0.02, noise=3), "black"),
    "blue, clock": (flat((255, 0, 0), 1, clock=True), "one_colour"),
    "green": (flat((0, 255, 0)), "one_colour"),
    "grey, noise 12, clock": (flat((90, 90, 90), 12, clock=True), "one_colour"),
    "white": (flat((255, 255, 255), 3), "one_colour"),
    "colour bars": (bars, "one_colour"),
}
SHOWING: dict[str, Drawing] = {
    "street at 12 % of its light": street(0.12),
    "street at 25 % of its light": street(0.25),
    "lamp 3 px wide in the night": lamp(1),
    "lamp 7 px wide with a glow": lamp(3, 30),
    "fog, 10 % contrast": street(0.10, 170, noise=2),
    "overexposed snow with a car": snow,
    "street by day": street(1),
}


def coded(draw: Drawing, codec: str) -> list[Pixels]:
    """Pictures as the consumer sees them, after a camera's codec and the producer's JPEG."""
    rng = np.random.default_rng(7)
    pictures = [np.clip(draw(rng), 0, 255).astype(np.uint8) for _ in range(PICTURES)]
    name, options = CODECS[codec]
    if name:
        pictures = through(pictures, name, options)
    jpegs = [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1] for picture in pictures]
    return [decode_pixels(jpeg.tobytes()) for jpeg in jpegs]


def through(pictures: list[Any], name: str, options: dict[str, str], *, fps: int = 5) -> list[Any]:
    """Return pictures after this codec."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "clip.mkv")
        with av.open(path, "w") as container:
            stream: Any = container.add_stream(name, rate=fps, options=options)
            stream.pix_fmt = "yuvj420p" if name == "mjpeg" else "yuv420p"
            stream.width, stream.height, stream.time_base = WIDTH_PX, HEIGHT_PX, Fraction(1, fps)
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
        with av.open(path) as container:
            return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", BLANK)
def test_a_blank_picture_is_recognised_after_every_codec(name: str, codec: str) -> None:
    draw, reason = BLANK[name]
    assert [blank_reason(picture) for picture in coded(draw, codec)] == [reason] * PICTURES


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", SHOWING)
def test_a_night_with_a_lamp_fog_and_snow_are_pictures_after_every_codec(name: str, codec: str) -> None:
    assert [blank_reason(picture) for picture in coded(SHOWING[name], codec)] == [None] * PICTURES


@pytest.mark.thorough
def test_text_leaks_and_bars_are_blank_but_people_cars_and_lights_are_pictures_anywhere() -> None:
    scenes = script("benchmarks/blank_scenes.py")
    kinds = [*scenes.kinds()]
    assert len(kinds) == 91
    assert [*filter(None, (scenes.wrong(kind, (320, 180), "JPEG") for kind in kinds))] == []


@pytest.mark.parametrize("size_px", [(1, 1), (7, 3), (16, 9), (5, 300), (3000, 8)])
def test_a_picture_of_any_size_can_be_measured(size_px: tuple[int, int]) -> None:
    picture = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    assert blank_reason(picture) == "black"
    assert blank_reason(picture + np.uint8(128)) == "one_colour"


class NothingFound:
    model_id = "nothing-1"

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        return [[] for _ in images]


def digests(pictures: list[Any]) -> list[Stored]:
    """The stored JPEGs of pictures, five a second, in the form for `blank_stretches`."""
    frames = []
    for number, picture in enumerate(pictures):
        data = jpeg_of(picture, quality=90)
        frames.append(Stored(number * 200, picture_digest(announced(number, data).sha256), ""))
    return frames


class Stored(NamedTuple):
    captured_at_ms: int
    picture_digest: str
    shows: str


def announced(number: int, data: bytes) -> FrameAnnouncement:
    return make_announcement(make_frame(number * 200, number), data)


VIDEO_CODECS = {
    "H.264, CRF 23": ("libx264", {"crf": "23", "preset": "veryfast", "g": "10"}),
    "H.264, CRF 38": ("libx264", {"crf": "38", "preset": "veryfast", "g": "10"}),
    "H.264, CRF 38, key frame every 20 s": ("libx264", {"crf": "38", "preset": "veryfast", "g": "100"}),
    "H.265, CRF 28": (
        "libx265",
        {"crf": "28", "preset": "ultrafast", "x265-params": "log-level=none:keyint=10"},
    ),
    "MPEG-4": ("mpeg4", {"qmin": "6", "qmax": "6", "g": "10"}),
    "MJPEG": ("mjpeg", {"qmin": "5", "qmax": "5"}),
}
WORST_CODEC = "H.264, CRF 38, key frame every 20 s"


@pytest.mark.thorough
@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_a_frozen_camera_is_recognised_after_every_codec_of_constant_quality(codec: str) -> None:
    picture = np.clip(street(1)(np.random.default_rng(7)), 0, 255).astype(np.uint8)
    stretches = blank_stretches(digests(through([picture] * 500, *VIDEO_CODECS[codec])))
    assert stretches is not None
    ((from_ms, to_ms, reason),) = stretches
    assert reason == "frozen"
    assert from_ms <= 30_000
    assert to_ms >= 95_000  # the encoder treats the last key frame differently


# The lowest noise is where a codec keeps the least of it; the thorough runs add more noise and night scenes,
# and the longest interval between key frames.
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("light", "noise", "codec"),
    [
        *((1, 1, codec) for codec in VIDEO_CODECS),
        *((light, noise, WORST_CODEC) for light, noise in ((1, 4), (0.15, 2))),
    ],
)
def test_a_still_scene_by_day_or_night_is_never_frozen(light: float, noise: float, codec: str) -> None:
    scene, rng = street(light, noise=0)(np.random.default_rng(7)), np.random.default_rng(8)
    noises = [rng.normal(0, noise, scene.shape[:2]).astype(np.float32)[..., None] for _ in range(16)]
    pictures = [
        np.clip(scene + np.roll(noises[rng.integers(16)], rng.integers(HEIGHT_PX), axis=0), 0, 255).astype(
            np.uint8
        )
        for _ in range(500)
    ]
    assert blank_stretches(digests(through(pictures, *VIDEO_CODECS[codec]))) == []


def test_a_black_frames_line_says_so_and_an_ordinary_line_keeps_its_bytes() -> None:
    lines: list[bytes] = []
    for picture in (flat((0, 0, 0))(np.random.default_rng(7)), street(1)(np.random.default_rng(7))):
        frame = announced(len(lines), b"%d" % len(lines))
        loading: Loading = Future()
        loading.set_result(Loaded(frame, np.clip(picture, 0, 255).astype(np.uint8)))
        (result,) = collect("nothing-1", feed(NothingFound(), deque([loading])))
        assert isinstance(result, FrameDetections)
        assert result.picture_digest == picture_digest(frame.sha256)
        lines.append(frame_line(result))
    assert json.loads(lines[0])["shows"] == "black"
    ordinary = make_frame(200, 1, model="nothing-1")
    assert lines[1] == encode(ordinary)
