"""Checks the rule for pictures that show nothing against 91 kinds of drawn picture at four sizes.

`python benchmarks/blank_scenes.py` prints each kind that gets the wrong answer, after JPEG alone and after
H.264 and H.265 at a low quality. `tests/consumer/test_blank_pictures.py` draws the same kinds.

Logos on a dark picture have a table of their own, with lit things that stay. It states the answers, and by
how many levels the parts that differ from the rest change over 30 pictures. A rule that learnt what stays the
same would take both for a logo, and so lose the quiet nights of a camera that sees a lit sign.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from frametally.files.blank_pictures import MOST_SPREAD, blank_reason
from frametally.files.opencv import Pixels, cv2, decode_pixels
from frametally.rules.blank_stretches import Blank

SIZES_PX = [(320, 180), (640, 360), (1280, 720), (1920, 1080)]
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "JPEG": ("", {}),
    "H.264, CRF 38": ("libx264", {"crf": "38", "preset": "veryfast"}),
    "H.265, CRF 38": ("libx265", {"crf": "38", "preset": "ultrafast", "x265-params": "log-level=none"}),
}
Picture = NDArray[np.float32]
Drawing = Callable[[Picture, float], None]
"""Draws on a picture of shape (height, width, 3), whose pixels are this many of a picture 640 pixels wide."""


class Kind(NamedTuple):
    """A kind of picture: its ground in BGR with noise of a standard deviation, what is drawn, the answer."""

    name: str
    ground: tuple[int, int, int]
    noise: float
    drawings: Sequence[Drawing]
    reason: Blank | None

    def picture(self, width_px: int, height_px: int, rng: np.random.Generator) -> Pixels:
        """Return one picture of this kind."""
        picture = np.full((height_px, width_px, 3), self.ground, np.float32)
        for drawing in self.drawings:
            drawing(picture, width_px / 640)
        noise = rng.normal(0, self.noise, (height_px, width_px, 1)).astype(np.float32)
        return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def _text(words: str, x: int, y: int, size: float = 0.7) -> Drawing:
    def draw(picture: Picture, scale: float) -> None:
        place = round(x * scale), round(y * scale)
        thick = max(1, round(2 * size * scale / 0.7))
        cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, size * scale, (255, 255, 255), thick)

    return draw


def _box(x: int, y: int, width: int, height: int, level: int) -> Drawing:
    def draw(picture: Picture, scale: float) -> None:
        left, top, right, bottom = (round(side * scale) for side in (x, y, x + width, y + height))
        cv2.rectangle(picture, (left, top), (right, bottom), (level, level, level), -1)

    return draw


def _lights(y: int, places: Sequence[int], radius: float) -> Drawing:
    def draw(picture: Picture, scale: float) -> None:
        for x in places:
            centre = round(x * scale), round(y * scale)
            cv2.circle(picture, centre, max(1, round(radius * scale)), (235, 245, 255), -1)

    return draw


def _leak(levels: float, *, is_down: bool = False) -> Drawing:
    def draw(picture: Picture, _: float) -> None:
        ramp = levels * np.linspace(1, 0, picture.shape[0 if is_down else 1]) ** 1.5
        picture += ramp[:, None, None] if is_down else ramp[None, :, None]

    return draw


def _bars(picture: Picture, _: float) -> None:
    colours = np.array([[(n >> shift & 1) * 190 for shift in range(3)] for n in range(7, 0, -1)], np.float32)
    picture[:] = colours[np.linspace(0, 6.99, picture.shape[1]).astype(int)]


def _lower_bars(picture: Picture, _: float) -> None:
    height_px = len(picture)
    picture[height_px * 2 // 3 : height_px * 3 // 4] = picture[0, ::-1]
    picture[height_px * 3 // 4 :] = 16


def _street(light: float, offset: float = 0) -> Drawing:
    def draw(picture: Picture, scale: float) -> None:
        picture[:] = (150, 130, 120)
        _box(0, 200, 640, 160, 95)(picture, scale)
        for left in range(0, 640, 128):
            _box(left, 60, 90, 140, 90 + left // 16)(picture, scale)
        for left, top in ((80, 240), (300, 300), (480, 220)):
            _box(left, top, 90, 40, 205)(picture, scale)
        picture *= light
        picture += offset

    return draw


_CLOCKS: dict[str, Sequence[Drawing]] = {
    "": (),
    ", clock": (_text("2026-05-01 08:00:00", 12, 24),),
    ", clock lower": (_text("2026-05-01 08:00:00", 12, 62),),
    ", clock and name": (_text("2026-05-01 08:00:00", 12, 24), _text("Camera 01", 490, 346)),
}
_MOVING_CLOCKS = [
    ("2026-05-01 08:11:59", 12, 24, 0.7),
    ("2026-05-01 08 11 59", 12, 24, 0.7),
    ("08:00", 12, 24, 0.7),
    ("08 00", 12, 24, 0.7),
    ("01/05/26 08:00:00", 420, 346, 0.7),
    ("08:00:00", 231, 117, 0.7),
    ("08:00:00", 487, 203, 0.7),
    ("08:00:00", 180, 200, 2.0),
    ("BUS STATION 3", 12, 346, 0.7),
    ("ACME", 560, 30, 0.7),
]
"""Clocks that run, blink or wander over the picture, and names: the words, their place and their size."""
_GROUNDS: list[tuple[str, tuple[int, int, int], float, Blank]] = [
    ("black", (0, 0, 0), 0, "black"),
    ("black, noise 8", (0, 0, 0), 8, "black"),
    ("black, noise 20", (0, 0, 0), 20, "black"),
    ("covered lens", (16, 16, 16), 12, "black"),
    ("blue", (255, 0, 0), 1, "one_colour"),
    ("green", (0, 255, 0), 0, "one_colour"),
    ("grey", (90, 90, 90), 12, "one_colour"),
    ("white", (255, 255, 255), 3, "one_colour"),
]
_NIGHT, _THERMAL, _SNOW = (
    ("night", (6, 6, 6), 4.0, 240),
    ("thermal", (90, 90, 90), 4.0, 140),
    ("snow", (250, 250, 250), 3.0, 60),
)
_PAIRS = [place + off for place in (60, 140, 300, 420, 500) for off in (0, 14)]


def kinds() -> Iterator[Kind]:
    """Yield the 91 kinds."""
    for (name, bgr, noise, reason), (clock, drawings) in product(_GROUNDS, _CLOCKS.items()):
        yield Kind(name + clock, bgr, noise, drawings, reason)
    for words, x, y, size in _MOVING_CLOCKS:
        name = f"covered lens, {words} at {x}, {y}"
        yield Kind(name, (16, 16, 16), 12, [_text(words, x, y, size)], "black")
    for words, size in (("NO SIGNAL", 1.3), ("VIDEO LOSS", 0.8)):
        yield Kind(words, (200, 0, 0), 1, [_text(words, 200, 190, size)], "one_colour")
        yield Kind(f"{words} on black", (0, 0, 0), 1, [_text(words, 200, 190, size)], "black")
    yield Kind("colour bars", (0, 0, 0), 0, [_bars], "one_colour")
    yield Kind("two rows of bars", (0, 0, 0), 2, [_bars, _lower_bars], "one_colour")
    for levels, is_down in product((14, 40), (False, True)):
        yield Kind(f"leak {levels} {is_down}", (4, 4, 4), 4, [_leak(levels, is_down=is_down)], "black")
    for (name, bgr, noise, level), place in product((_NIGHT, _THERMAL, _SNOW), ("top", "middle", "bottom")):
        y = {"top": 4, "middle": 160, "bottom": 324}[place]
        yield Kind(f"{name}, person, {place}", bgr, noise, [_box(300, y, 16, 32, level)], None)
        yield Kind(f"{name}, car, {place}", bgr, noise, [_box(300, y, 100, 34, level)], None)
    night, bgr, noise, level = _NIGHT
    for count, y in product((1, 3, 5), (18, 150)):
        lights = [_lights(y, _PAIRS[: 2 * count], 2.5)]
        yield Kind(f"{night}, {count} cars far away, y {y}", bgr, noise, lights, None)
    people = [_box(x, 100, 10, 28, level) for x in range(100, 500, 70)]
    windows = [_box(x, 100, 12, 18, 230) for x in range(100, 500, 40)]
    for name, drawings in {
        "lamp": [_lights(140, [380], 2)],
        "lamp and clock": [*_CLOCKS[", clock"], _lights(140, [380], 3)],
        "six people": people,
        "lit windows": windows,
        "a person and a clock": [*_CLOCKS[", clock"], *people[:1]],
        "street at 12 % of its light": [_street(0.12)],
        "street at 25 % of its light": [_street(0.25)],
        "street in fog": [_street(0.12, 160)],
        "street by day": [_street(1)],
        "street by day with a clock": [_street(1), *_CLOCKS[", clock"]],
    }.items():
        yield Kind(name, bgr, noise, drawings, None)
    yield from _bands()


def _ring(picture: Picture, scale: float) -> None:
    centre, radius = (round(610 * scale), round(30 * scale)), round(14 * scale)
    cv2.circle(picture, centre, radius, (230, 230, 230), max(1, round(3 * scale)))


def _horizon(picture: Picture, scale: float) -> None:
    corners = np.array([(0, 0), (640, 0), (640, 20), (0, 34)]) * scale
    cv2.fillPoly(picture, [np.rint(corners).astype(np.int32)], (40, 40, 40))


def _bands() -> Iterator[Kind]:
    """Yield bands behind a clock, and edges of night scenes that look similar."""
    clock, bgr, noise = _CLOCKS[", clock"], (16, 16, 16), 12
    grey = _box(0, 0, 640, 32, 40)
    for colour, band in (("black", _box(0, 0, 640, 32, 0)), ("grey", grey)):
        yield Kind(f"covered lens, {colour} band and clock", bgr, noise, [band, *clock], "black")
    scenes: dict[str, Sequence[Drawing]] = {
        "sky and clock": [_horizon],
        "roofs and clock": [_box(x, 0, 100, 12 + x // 32, 40 + x // 16) for x in range(0, 640, 100)],
        "band, clock and person": [grey, _box(300, 160, 16, 32, 240)],
    }
    for name, drawings in scenes.items():
        yield Kind(f"night, {name}", bgr, noise, [*drawings, *clock], None)


def still_things() -> Iterator[Kind]:
    """Yield a covered lens with each logo, and nights with a lit thing that stays."""
    logos: dict[str, Sequence[Drawing]] = {
        "ring": [_ring],
        "box": [_box(590, 10, 40, 24, 220)],
        "ring and clock": [_ring, *_CLOCKS[", clock"]],
    }
    for name, drawings in logos.items():
        yield Kind(f"logo, {name}", (16, 16, 16), 12, drawings, "black")
    lit: dict[str, Sequence[Drawing]] = {
        "sign": [_box(590, 10, 40, 24, 220)],
        "street lamp": [_lights(30, [600], 6)],
        "windows": [_box(x, 8, 12, 18, 230) for x in range(420, 620, 40)],
        "door": [_box(300, 6, 30, 60, 180)],
    }
    for name, drawings in lit.items():
        yield Kind(f"lit {name}", (16, 16, 16), 12, drawings, None)


def clip_through(pictures: Sequence[Pixels], codec: str) -> list[Pixels]:
    """Return pictures, five a second, after a camera's codec and the producer's JPEG."""
    name, options = CODECS[codec]
    if name:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "clip.mkv")
            with av.open(path, "w") as container:
                stream: Any = container.add_stream(name, rate=5, options=options)
                stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, 5)
                stream.height, stream.width = pictures[0].shape[:2]
                for number, picture in enumerate(pictures):
                    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                    frame.pts = number
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            with av.open(path) as container:
                decoded = container.decode(video=0)
                pictures = [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in decoded]
    jpegs = (cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1] for picture in pictures)
    return [decode_pixels(jpeg.tobytes()) for jpeg in jpegs]


def change_levels(pictures: Sequence[Pixels]) -> int:
    """Return by how much the parts that differ from the rest change, at most, in levels of 255."""
    parts = np.stack(
        [cv2.resize(each, (16, 9), interpolation=cv2.INTER_AREA).max(axis=2) for each in pictures]
    )
    differs = np.abs(parts.mean(axis=0) - np.median(parts)) > MOST_SPREAD // 2
    return int(np.ptp(parts, axis=0)[differs].max())


def wrong(kind: Kind, size_px: tuple[int, int], codec: str) -> str:
    """Return what is wrong with the answer for a kind, empty if it is right."""
    answer = blank_reason(*clip_through([kind.picture(*size_px, np.random.default_rng(7))], codec))
    words = "{} at {}x{} after {}: {}, not {}"
    return "" if answer == kind.reason else words.format(kind.name, *size_px, codec, answer, kind.reason)


def main() -> None:
    """Print each wrong answer, and how many there are."""
    every = [wrong(*case) for case in product(kinds(), SIZES_PX, CODECS)]
    print(*filter(None, every), f"{sum(map(bool, every))} of {len(every)} answers are wrong", sep="\n")
    for kind, codec in product(still_things(), CODECS):
        rng = np.random.default_rng(7)
        film = clip_through([kind.picture(640, 360, rng) for _ in range(30)], codec)
        shown = sum(blank_reason(picture) is None for picture in film)
        print(f"{kind.name}, {codec}: {shown} of 30 show something, {change_levels(film)} levels of change")


if __name__ == "__main__":
    main()
