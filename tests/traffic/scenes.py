"""Random scenes of boxes that pass a line, with the truth: speeds, gaps, dark stretches, sizes, drop-outs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from tests.traffic.junction import START_MS, STEP_MS
from tests.web.conftest import Place

from frametally import keys
from frametally.records import Detection, FrameDetections
from frametally.rules.places import Size
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine, DrawnZone

WIDTH_PX, HEIGHT_PX = 640, 360
SECONDS = 60
BOX_PX = (40, 30)
_LANE_PX = 40


class Passer(NamedTuple):
    """An object that crosses the picture from left to right.

    Attributes:
        label: Class name.
        lane: Its row of the picture: no two at one time are in one.
        since_ms: When its box is just left of the picture.
        px_s: Its speed.
    """

    label: str
    lane: int
    since_ms: int
    px_s: float

    def at(self, time_ms: int) -> tuple[float, float, float, float] | None:
        """Return the part of its box that is in the picture."""
        left = (time_ms - self.since_ms) / 1000 * self.px_s - BOX_PX[0]
        first, last = max(left, 0.0), min(left + BOX_PX[0], float(WIDTH_PX))
        if last - first < 4:
            return None
        return round(first, 1), 30.0 + _LANE_PX * self.lane, round(last - first, 1), float(BOX_PX[1])

    def passes_ms(self, x_px: float) -> int:
        """Return when its middle passes a place."""
        return self.since_ms + round((x_px + BOX_PX[0] / 2) / self.px_s * 1000)


class Scene(NamedTuple):
    """The footage of some objects.

    Attributes:
        gaps_ms: Times without footage.
        seen: Part of the boxes that the detector finds.
        dark_ms: Times in which the picture is black.
        sizes: The picture's size from each time on.
    """

    name: str
    passers: tuple[Passer, ...]
    gaps_ms: tuple[tuple[int, int], ...]
    seen: float
    line_px: int
    dark_ms: tuple[tuple[int, int], ...] = ()
    sizes: tuple[tuple[int, Size], ...] = ()

    @property
    def has_one_shape(self) -> bool:
        """Return whether the drawing fits all its pictures."""
        return all(size[0] * HEIGHT_PX == size[1] * WIDTH_PX for _, size in self.sizes)

    @property
    def passed(self) -> Counter[str]:
        """The number of each label that passes the line while there is footage."""
        moments = [(one.label, one.passes_ms(self.line_px)) for one in self.passers]
        end_ms = START_MS + SECONDS * 1000
        return Counter(label for label, ms in moments if ms < end_ms and not self.is_gap(ms))

    def seen_of(self, label: str, least_frames: int) -> int:
        """How many of a label are in the picture in at least so many frames that show something."""
        times_ms = range(START_MS, START_MS + SECONDS * 1000, STEP_MS)
        moments = [ms for ms in times_ms if not self.is_gap(ms)]
        frames = [sum(one.at(ms) is not None for ms in moments) for one in self.passers if one.label == label]
        return sum(number >= least_frames for number in frames)

    def is_gap(self, time_ms: int) -> bool:
        """Return whether nothing can be seen at a moment."""
        return any(start_ms <= time_ms < end_ms for start_ms, end_ms in self.gaps_ms + self.dark_ms)

    def frames(self, random: Random, model: str) -> list[FrameDetections]:
        """Return its frames, as a detector sees them."""
        medium = hashlib.sha256(self.name.encode()).hexdigest()
        made = []
        for number in range(SECONDS * 1000 // STEP_MS):
            time_ms = START_MS + number * STEP_MS
            is_dark = any(start_ms <= time_ms < end_ms for start_ms, end_ms in self.dark_ms)
            if self.is_gap(time_ms) and not is_dark:
                continue
            *_, size = (_PX, *(size for from_ms, size in self.sizes if from_ms <= time_ms))
            boxes = [
                Detection(label=one.label, confidence=0.9, box=_scaled(box, size))
                for one in self.passers
                if (box := one.at(time_ms)) and random.random() < self.seen and not is_dark
            ]
            picture: dict[str, Any] = {"shows": "black"} if is_dark else {}
            made.append(
                FrameDetections(
                    image_path=keys.image_key(self.name, time_ms, medium, number),
                    source=self.name,
                    frame_index=number,
                    captured_at_ms=time_ms,
                    time_source="start_time",
                    width_px=size[0],
                    height_px=size[1],
                    media=medium,
                    model=model,
                    detections=boxes,
                    picture_digest=f"{number:04d}",
                    **picture,
                )
            )
        return made

    def draw(self, place: Place) -> None:
        """Draw a line across all lanes, and a zone behind it."""
        across = DrawnLine(name="line", points=((self.line_px, HEIGHT_PX - 1), (self.line_px, 1)), **_SIZE)
        right = min(self.line_px + 150, WIDTH_PX)
        zone = DrawnZone(
            name="zone",
            points=((self.line_px, 1), (right, 1), (right, HEIGHT_PX - 1), (self.line_px, HEIGHT_PX - 1)),
            **_SIZE,
        )
        change_drawing(place.store, self.name, lambda before: with_shapes(before, (across, zone)))


_PX: Size = (WIDTH_PX, HEIGHT_PX)


def _scaled(box: Sequence[float], size: Size) -> tuple[float, float, float, float]:
    by_x, by_y = size[0] / WIDTH_PX, size[1] / HEIGHT_PX
    left, top, width, height = box
    return round(left * by_x, 1), round(top * by_y, 1), round(width * by_x, 1), round(height * by_y, 1)


_SIZE: Any = {"width_px": WIDTH_PX, "height_px": HEIGHT_PX}


def random_scene(number: int) -> Scene:
    """Return a scene by its number: the same number gives the same scene.

    A label has one speed; in every fourth scene it has two.
    """
    random = Random(number)  # noqa: S311
    speeds = {label: random.choice((40, 60, 80, 120, 140, 160, 200, 260, 400)) for label in ("car", "bus")}
    others = (
        {label: random.choice((40, 80, 140, 260, 400)) for label in speeds} if number % 4 == 3 else speeds
    )
    passers = []
    for lane in range(random.randint(1, 6)):
        since_ms = START_MS + random.randint(-3_000, 20_000)
        label = random.choice(("car", "car", "bus"))
        while since_ms < START_MS + SECONDS * 1000:
            px_s = random.choice((speeds, others))[label] * random.uniform(0.95, 1.05)
            passers.append(Passer(label, lane, since_ms, px_s))
            since_ms += round((WIDTH_PX + 200) / px_s * 1000) + random.randint(4_000, 20_000)
    gaps = []
    for _ in range(random.choice((0, 0, 1, 2))):
        start_ms = START_MS + random.randint(5_000, 45_000)
        gaps.append((start_ms, start_ms + random.randint(4_000, 12_000)))
    seen = random.choice((1.0, 1.0, 1.0, 0.95, 0.8, 0.5))
    line_px = random.choice((6, 120, 320, 320, 500, 634))
    dark = []
    for length_ms in random.choice(((), (), (), (15_000,), (2_000, 12_000), (25_000,))):
        start_ms = START_MS + random.randint(0, 40_000)
        dark.append((start_ms, start_ms + length_ms))
    sizes = [
        (START_MS + random.randint(0, SECONDS * 1000), random.choice(((1280, 720), (320, 180), (960, 540))))
        for _ in range(random.choice((0, 0, 1, 3)))
    ]
    if number % 7 == 5:
        sizes.append((START_MS + random.randint(20_000, 50_000), (480, 360)))
    return Scene(
        f"scene-{number}", tuple(passers), tuple(gaps), seen, line_px, tuple(dark), tuple(sorted(sizes))
    )


def fast(name: str, widths: float) -> Scene:
    """Four objects that move this many widths of their box per frame."""
    px_s = widths * BOX_PX[0] * 1000 / STEP_MS
    cars = tuple(Passer("car", lane, START_MS + 6_000 * lane, px_s) for lane in range(4))
    return Scene(name, cars, (), 1.0, 320)
