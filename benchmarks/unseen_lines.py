"""Measures lines and zones that nothing was tuned for: errors for pedestrians and for a queue of cars.

Pedestrians have published tracks, so each line and zone has a true number. The demo clip has none, so its
numbers are by eye: a row of pixels of all 360 frames, one below the other, shows each vehicle once, where it
crosses that row. The rows 300, 320, 340, 360, 380, 400 and 420 were inspected. Five vehicles of the left lane
cross each; of the right lane six cross 320 and 340 (the last is a van, nearly hidden, in the last twenty
frames), five 360 and 420. Rows crossed in the first or last frames are left out.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from math import hypot
from pathlib import Path

import footage
from idf1 import Boxes
from results import Cell, Goal, Table
from stored_frames import DEFAULT_QUALITY
from tracking import CLIP_FPS, FPS
from tracking_scenes import Seen

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_paths
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections
from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate
from frametally_hadoop.planning.plan import ALL_DAYS
from frametally_traffic.flows.day_columns import DIRECTIONS, FlowColumns
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.geometry.crossings import FLICKER_PART, tenths

Points = tuple[tuple[float, float], ...]
NOON_MS = 1_772_366_400_000
DAY_START_MS = NOON_MS // DAY_MS * DAY_MS
RATES = (10, 5)
CLIP_SIZE, VTEST_SIZE = (854, 480), (768, 576)

Way = dict[str, int]


CLIP_BY_EYE = {325: 11, 330: 11, 335: 11, 340: 11, 360: 10, 365: 10, 370: 10, 375: 10, 430: 10, 440: 10}
RETURN_LINES = range(280, 441, 10)
"""No vehicle drives back, so this needs no truth by eye."""
WIDTH, HEIGHT = VTEST_SIZE
LINES: dict[str, Points] = {
    **{f"y{part}": ((0, HEIGHT * part / 100), (WIDTH, HEIGHT * part / 100)) for part in (35, 45, 55, 65)},
    **{
        f"x{part}": ((WIDTH * part / 100, 0), (WIDTH * part / 100, HEIGHT))
        for part in (15, 30, 40, 60, 70, 85)
    },
    "falling": ((0, 0), (WIDTH, HEIGHT)),
    "rising": ((0, HEIGHT), (WIDTH, 0)),
    "slanted": ((0, 150), (WIDTH, 420)),
    "steep": ((100, HEIGHT), (500, 0)),
}
ZONES: dict[str, tuple[float, float, float, float]] = {
    "nearly all": (0.02, 0.02, 0.98, 0.98),
    "left": (0.05, 0.3, 0.4, 0.9),
    "middle": (0.3, 0.25, 0.7, 0.75),
    "right": (0.6, 0.2, 0.95, 0.7),
    "top": (0.1, 0.1, 0.9, 0.4),
    "bottom": (0.1, 0.55, 0.9, 0.95),
}
"""Left, top, right and bottom, as fractions of the picture."""
RANDOM_LINES, RANDOM_ZONES = 200, 100
LEAST_ZONE_S = 25
"""The least person-seconds of a random zone."""


def crossed(truth: Boxes, line: Points) -> Way:
    """Count annotated walkers' crossings of a line, clear of it before or after, as the rule requires."""
    (ax, ay), (bx, by) = line
    ways: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
    for number in sorted(truth):
        for identity, (left, top, width, height) in truth[number]:
            x, y = left + width / 2, top + height
            off = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / hypot(bx - ax, by - ay)
            ways[identity].append((1 if off > 0 else -1, abs(off) > height / FLICKER_PART))
    found: Counter[str] = Counter(dict.fromkeys(DIRECTIONS, 0))
    for way in ways.values():
        # The beginning, the clear places and the end give the sides; anything between is flicker.
        sides: list[tuple[int, bool]] = []
        for side, is_clear in [way[0], *(place for place in way if place[1]), way[-1]]:
            if sides and sides[-1][0] == side:
                sides[-1] = (side, sides[-1][1] or is_clear)
            else:
                sides.append((side, is_clear))
        for (_, was_clear), (side, is_clear) in pairwise(sides):
            if was_clear or is_clear:
                found["to_right" if side > 0 else "to_left"] += 1
    return dict(found)


def seconds_in(truth: Boxes, zone: tuple[float, float, float, float]) -> float:
    """Return the annotated walkers' person-seconds in a rectangle."""
    left, top, right, bottom = zone
    return (
        sum(
            left * WIDTH <= x + width / 2 <= right * WIDTH and top * HEIGHT <= y + height <= bottom * HEIGHT
            for number in truth
            for _, (x, y, width, height) in truth[number]
        )
        / FPS
    )


def at_random(
    truth: Boxes, *, lines: int = RANDOM_LINES, zones: int = RANDOM_ZONES, seed: int = 1
) -> tuple[dict[str, Points], dict[str, tuple[float, float, float, float]]]:
    """Return random lines from border to border, and random zones."""
    chance = random.Random(seed)  # noqa: S311

    def at_border() -> tuple[float, float]:
        part = chance.random()
        return chance.choice(
            [(part * WIDTH, 0.0), (part * WIDTH, HEIGHT), (0.0, part * HEIGHT), (WIDTH, part * HEIGHT)]
        )

    random_lines: dict[str, Points] = {}
    while len(random_lines) < lines:
        start, end = at_border(), at_border()
        if hypot(end[0] - start[0], end[1] - start[1]) > WIDTH / 2:
            random_lines[f"line {len(random_lines)}"] = (start, end)
    random_zones: dict[str, tuple[float, float, float, float]] = {}
    while len(random_zones) < zones:
        left, top = chance.uniform(0.02, 0.7), chance.uniform(0.02, 0.7)
        right, bottom = (min(0.98, near + chance.uniform(0.2, 0.7)) for near in (left, top))
        if seconds_in(truth, zone := (left, top, right, bottom)) >= LEAST_ZONE_S:
            random_zones[f"zone {len(random_zones)}"] = zone
    return random_lines, random_zones


def _random_table(boxes: Mapping[str, Sequence[Sequence[Seen]]], truth: Boxes) -> Table:
    lines, zones = at_random(truth)
    true_ways = {name: crossed(truth, line) for name, line in lines.items()}
    true_s = {name: seconds_in(truth, zone) for name, zone in zones.items()}
    every = sum(way[name] for way in true_ways.values() for name in DIRECTIONS)
    rows: list[list[Cell]] = []
    phases = [(rate, start) for rate in RATES for start in range(FPS // rate)]
    for (rate, start), (name, square) in product(phases, boxes.items()):
        ways, occupied = square_of(square, rate, start, lines, zones)
        errors = [occupied[zone] / true - 1 for zone, true in true_s.items()]
        off = off_of(ways, true_ways)
        within = sum(abs(error) <= 0.07 for error in errors)
        rows.append(
            [
                *(rate, start, name, every, off, f"{off / every:.1%}"),
                *(f"{statistics.mean(map(abs, errors)):.1%}", f"{min(errors):+.1%}", f"{max(errors):+.1%}"),
                f"{within} of {len(zones)}",
            ]
        )
    return Table(
        "Random lines and zones",
        [
            *("fps", "first frame", "boxes", "true", "off", "error"),
            *("person-seconds, mean error", "lowest", "highest", "zones within 7 %"),
        ],
        rows,
        f"{RANDOM_LINES} lines from border to border, {RANDOM_ZONES} zones; boxes found in frames that "
        f"were stored as JPEGs of this quality ({DEFAULT_QUALITY} is the default), and in decoded frames.",
    )


def tables_and_goals(
    clip: Sequence[Sequence[Seen]],
    square: Sequence[Sequence[Seen]],
    truth: Boxes,
    others: Mapping[str, Sequence[Sequence[Seen]]],
) -> tuple[list[Table], list[Goal]]:
    """Return the page's tables and goals; `others` are boxes of the square found in other ways."""
    true_ways = {name: crossed(truth, line) for name, line in LINES.items()}
    true_s = {name: seconds_in(truth, zone) for name, zone in ZONES.items()}
    annotated = [[Seen("person", 0.95, box) for _, box in truth[number]] for number in sorted(truth)]
    crossings: list[list[Cell]] = []
    seconds: dict[str, list[Cell]] = {name: [name, f"{true_s[name]:.0f}"] for name in ZONES}
    every = sum(way[name] for way in true_ways.values() for name in DIRECTIONS)
    goals: list[Goal] = []
    for (what, short, boxes), rate in product(
        (("annotated boxes", "the rule alone", annotated), ("detector's boxes", "pedestrians", square)), RATES
    ):
        ways, occupied = square_of(boxes, rate)
        off, missing = off_of(ways, true_ways), sum(way["not_measured"] for way in ways.values())
        crossings.append([f"pedestrians, {what}", rate, every, off, f"{off / every:.1%}", missing])
        errors = {name: occupied[name] / true - 1 for name, true in true_s.items()}
        for name, error in errors.items():
            seconds[name].append(f"{error:+.1%}")
        worst = round(max(map(abs, errors.values())), 3)
        goals += [
            Goal(f"{short}, {rate} fps: crossings off", round(off / every, 3), at_most=0.05),
            Goal(f"{short}, {rate} fps: person-seconds off", worst, at_most=0.07),
        ]
    cars = sum(CLIP_BY_EYE.values())
    for rate in RATES:
        ways = clip_ways(clip, rate)
        off, back = cars_off(ways), sum(way["to_left"] for way in ways.values())
        missing = sum(ways[f"{y}"]["not_measured"] for y in CLIP_BY_EYE)
        crossings.append(["cars, by eye", rate, cars, off, f"{off / cars:.1%}", missing])
        goals += [
            Goal(f"cars, {rate} fps: returns that nobody made", back, at_most=0),
            Goal(f"cars, {rate} fps: crossings off", round(off / cars, 3), at_most=0.05),
        ]
    by_boxes = (f"{what}, {rate} fps" for what in ("annotated", "detected") for rate in RATES)
    return [
        Table(
            "Lines that nothing was chosen for",
            ["what", "fps", "true", "off", "error", "not measured"],
            crossings,
            f"{len(LINES)} lines over the square and {len(CLIP_BY_EYE)} over the demo clip; *off* is "
            "the sum of absolute errors over lines and directions.",
        ),
        _every_start(clip, square, true_ways),
        Table(
            "Person-seconds in zones that nothing was chosen for",
            ["zone", "true", *by_boxes],
            [*seconds.values()],
            "Against the published tracks. With annotated boxes, what is left is the rule's own error.",
        ),
        _random_table(others, truth),
    ], goals


def _every_start(
    clip: Sequence[Sequence[Seen]], square: Sequence[Sequence[Seen]], true_ways: dict[str, Way]
) -> Table:
    """Measure the effect of luck: the same footage at the same rates, from each of its first frames."""
    people = sum(way[name] for way in true_ways.values() for name in DIRECTIONS)
    rows: list[list[Cell]] = []
    for rate in RATES:
        ways = [square_of(square, rate, start)[0] for start in range(FPS // rate)]
        rows.append(
            ["pedestrians", rate, *_off_by_start([off_of(way, true_ways) for way in ways], people), "-"]
        )
    for rate in RATES:
        ways = [clip_ways(clip, rate, start) for start in range(CLIP_FPS // rate)]
        offs = [cars_off(way) for way in ways]
        back = sum(line["to_left"] for way in ways for line in way.values())
        rows.append(["cars", rate, *_off_by_start(offs, sum(CLIP_BY_EYE.values())), back])
    return Table(
        "The same lines, from other frames on",
        ["what", "fps", "off", "error of all", "returns"],
        rows,
        "One crossing is 0.6 or 1 %, so which frames are taken decides much. *Off* is by the first frame "
        "that is taken; *returns* are those of all starts, that nobody made.",
    )


def _off_by_start(offs: Sequence[int], every: int) -> tuple[str, str]:
    return ", ".join(map(str, offs)), f"{sum(offs) / len(offs) / every:.1%}"


def off_of(ways: dict[str, Way], true_ways: dict[str, Way]) -> int:
    """Return the number of surplus or missing crossings, over lines and directions."""
    return sum(abs(ways[name][way] - true[way]) for name, true in true_ways.items() for way in DIRECTIONS)


def cars_off(ways: dict[str, Way]) -> int:
    """Return the number of surplus or missing oncoming cars, over the clip's lines."""
    return sum(abs(ways[f"{y}"]["to_right"] - true) for y, true in CLIP_BY_EYE.items())


def square_of(
    boxes: Sequence[Sequence[Seen]],
    rate: int,
    start: int = 0,
    lines: dict[str, Points] = LINES,
    rectangles: dict[str, tuple[float, float, float, float]] = ZONES,
) -> tuple[dict[str, Way], dict[str, float]]:
    """Return crossings of the lines and person-seconds in the zones, at that rate, from that frame."""
    zones = []
    for name, (left, top, right, bottom) in rectangles.items():
        (x, until_x), (y, until_y) = (left * WIDTH, right * WIDTH), (top * HEIGHT, bottom * HEIGHT)
        zones.append(ZoneShape(name, tuple(tenths([(x, y), (until_x, y), (until_x, until_y), (x, until_y)]))))
    flows = counted(
        shown(boxes, FPS, 1, VTEST_SIZE)[start :: FPS // rate], of_lines(lines)._replace(zones=tuple(zones))
    )
    seconds = dict.fromkeys(rectangles, 0.0)
    columns = (flows.columns[f"stay_{name}"] for name in ("from", "to", "zone"))
    for from_ms, to_ms, zone in zip(*columns, strict=True):
        seconds[flows.zones[zone]] += (to_ms - from_ms) / 1000
    return ways_of(flows), seconds


def clip_ways(clip: Sequence[Sequence[Seen]], rate: int, start: int = 0) -> dict[str, Way]:
    """Return crossings of the clip's inspected rows, at that rate, from that frame."""
    rows = sorted({*CLIP_BY_EYE, *RETURN_LINES})
    lines = {f"{y}": ((0.0, float(y)), (float(CLIP_SIZE[0]), float(y))) for y in rows}
    return ways_of(counted(shown(clip, CLIP_FPS, 1, CLIP_SIZE)[start :: CLIP_FPS // rate], of_lines(lines)))


def counted(frames: Sequence[FrameDetections], shapes: Shapes) -> FlowColumns:
    """Return the day's flows of frames from the counting job."""
    model, source = frames[0].model, frames[0].source
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = open_object_store((folder / "store").as_uri())
        store.put(*footage.segment(model, 0, 0, frames), if_absent=True)
        settings = Settings(data_dir=folder).resolved()
        aggregate(settings=settings, store=store, progress=NoProgress(), runner=None, selection=ALL_DAYS)
        files = [
            paths for run in current_runs(store) if run.model == model for paths in read_paths(store, run)
        ]
    return flows_of_day(files, shapes, model=model, source=source, day_start_ms=DAY_START_MS)


def shown(
    boxes: Sequence[Sequence[Seen]], fps: int, step: int, size: tuple[int, int]
) -> list[FrameDetections]:
    """Return every `step`th frame of a video, as a worker stores it."""
    frames = []
    for number in range(0, len(boxes), step):
        detections = [Detection(label=it.label, confidence=it.confidence, box=it.box) for it in boxes[number]]
        at_ms = NOON_MS + number * 1000 // fps
        frames.append(footage.frame("truth", "video", at_ms, number, detections, size=size))
    return frames


def of_lines(lines: Mapping[str, tuple[tuple[float, float], ...]]) -> Shapes:
    """Return lines on a stored frame's size."""
    return Shapes(lines=tuple(LineShape(name, tuple(tenths(points))) for name, points in lines.items()))


def ways_of(flows: FlowColumns) -> dict[str, Way]:
    """Return, by line, crossings in each direction, and those that were not measured."""
    found: dict[str, Way] = {line: dict.fromkeys((*DIRECTIONS, "not_measured"), 0) for line in flows.lines}
    columns = (flows.columns[f"crossing_{name}"] for name in ("line", "direction", "missing"))
    for line, direction, missing in zip(*columns, strict=True):
        found[flows.lines[line]]["not_measured" if missing else DIRECTIONS[direction]] += 1
    return found
