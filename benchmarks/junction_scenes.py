"""Generates junctions of four legs with known movements and speeds.

Cars, trucks and buses go through on two lanes a leg: straight on, turning, turning round. They stop at red
and queue. A camera 12 to 18 m above the ground sees each as the box around its eight corners, jittering,
sometimes missing or with a wrong label, and not while another vehicle hides most of it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import footage
import numpy as np
from numpy.typing import NDArray

from frametally.records import Detection, FrameDetections
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.geometry.speed import BINS_PER_KM_H
from frametally_traffic.records import Drawing, DrawnCalibration, DrawnLine, Point, Side

Array = NDArray[np.float64]

WIDTH_PX, HEIGHT_PX = 1280, 720
SOURCE, MODEL = "junction", "truth"
SECONDS = 105
STEP_S = 0.1
LANE_M = 3.5
LEG_M, STOP_M, FAR_M = 13.0, 16.0, 75.0
"""Distances from the middle of the junction to the legs' lines, the stops at red, and the roads' ends."""
GREEN_S, PHASE_S = 13.0, 17.0
"""The legs have green in turn, from the second phase on, so that vehicles never collide."""
FOCAL = 0.7
SIZES_M = {"car": (4.4, 1.8, 1.5), "truck": (8.0, 2.4, 3.2), "bus": (11.0, 2.5, 3.0)}
SIDES: tuple[Side, ...] = ("S", "E", "N", "W")
TOWARDS = {"S": (0.0, -1.0), "E": (1.0, 0.0), "N": (0.0, 1.0), "W": (-1.0, 0.0)}
"""Directions from the middle of the junction to a leg: x to the east, y to the north."""
HIDDEN = 0.6
"""The hidden fraction of a vehicle above which it is not seen."""


class Vehicle(NamedTuple):
    """A vehicle that goes through, from the side of one leg to that of another.

    `way` has the points of its way in metres, shape (n, 2), a tenth of a metre apart; `places_m` its distance
    along it, one value per `STEP_S` from `since_s`, when it appears at the end of the road.
    """

    label: str
    from_leg: str
    to_leg: str
    way: Array
    places_m: list[float]
    since_s: float

    def at(self, now_s: float) -> tuple[Array, Array] | None:
        """Return its middle and its heading, each of shape (2,); None if it is not there."""
        step = (now_s - self.since_s) / STEP_S
        if not 0 <= step <= len(self.places_m) - 1:
            return None
        along = round(10 * float(np.interp(step, range(len(self.places_m)), self.places_m)))
        if not 5 <= along < len(self.way) - 6:
            return None
        heading = self.way[along + 5] - self.way[along - 5]
        return self.way[along], heading / np.hypot(*heading)

    def came_s(self) -> float:
        """Return when its middle reaches the line of its first leg."""
        step = np.interp(FAR_M - LEG_M, self.places_m, range(len(self.places_m)))
        return self.since_s + float(step) * STEP_S

    def metres_between(self, from_s: float, to_s: float) -> float:
        """Return the length of its way between two moments."""
        steps = [(second - self.since_s) / STEP_S for second in (from_s, to_s)]
        first, last = np.interp(steps, range(len(self.places_m)), self.places_m)
        return float(last - first)


class Junction(NamedTuple):
    """A scene: vehicles that go through from leg to leg, a detector's view, legs, and a calibration.

    `feet` has, for each vehicle, `(now_s, x, y)`, the foot points of its true boxes in the picture.
    """

    vehicles: list[Vehicle]
    frames: list[FrameDetections]
    drawing: Drawing
    feet: list[list[tuple[float, float, float]]]
    began_ms: int

    @property
    def movements(self) -> Counter[tuple[str, str]]:
        """The number of vehicles by first and last leg."""
        return Counter((vehicle.from_leg, vehicle.to_leg) for vehicle in self.vehicles)


def junction(seed: int, fps: float, began_ms: int) -> Junction:
    """Return the scene for a seed: always the same vehicles, and at each rate the same boxes."""
    rng = random.Random(seed)  # noqa: S311
    view = _camera(rng)
    vehicles = _traffic(rng)
    drawing = _drawing(view, rng)
    feet: list[list[tuple[float, float, float]]] = [[] for _ in vehicles]
    frames = list(_filmed(vehicles, view, rng, fps, began_ms, feet))
    return Junction(vehicles, frames, drawing, feet, began_ms)


def _camera(rng: random.Random) -> Array:
    """Return the matrix from `(x, y, z, 1)` in metres to `(x_px * depth, y_px * depth, depth)`."""
    from_m = np.array([rng.uniform(-12, 12), -rng.uniform(34, 40), rng.uniform(20, 26)])
    ahead = np.array([0.0, -3.0, 0.0]) - from_m
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, (0, 0, 1))
    right /= np.linalg.norm(right)
    turned = np.array([right, -np.cross(right, ahead), ahead])
    lens = np.array([[FOCAL * WIDTH_PX, 0, WIDTH_PX / 2], [0, FOCAL * WIDTH_PX, HEIGHT_PX / 2], [0, 0, 1]])
    return np.asarray(lens @ turned @ np.column_stack([np.eye(3), -from_m]))


def _seen(view: Array, places: Sequence[Sequence[float]] | Array) -> Array:
    """Return the picture positions of places on or above the ground; shape (n, 2)."""
    given = np.asarray(places, dtype=np.float64)
    xyz = np.zeros((len(given), 3))
    xyz[:, : given.shape[1]] = given
    shown = np.column_stack([xyz, np.ones(len(xyz))]) @ view.T
    return np.asarray(shown[:, :2] / shown[:, 2:])


def _drawing(view: Array, rng: random.Random) -> Drawing:
    middle = _seen(view, [(0, 0)])[0]
    lines = []
    for side in SIDES:
        out, across = np.array(TOWARDS[side]), np.array(TOWARDS[side][::-1])
        ends = _seen(view, LEG_M * out + np.array([[-6.5], [6.5]]) * across)
        (ax, ay), (bx, by) = ends.tolist()
        is_right = (bx - ax) * (middle[1] - ay) - (by - ay) * (middle[0] - ax) > 0
        lines.append(
            DrawnLine(
                name=side,
                points=tuple((min(max(x, 0.0), WIDTH_PX), min(max(y, 0.0), HEIGHT_PX)) for x, y in ends),
                inward="to_right" if is_right else "to_left",
                side=side,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
            )
        )
    metres = ((-6, -13), (6, -13), (18, -6), (18, 6), (6, 30), (-6, 30), (-18, 6), (-18, -6))
    points: tuple[Point, ...] = tuple(
        (round(x + rng.gauss(0, 1), 1), round(y + rng.gauss(0, 1), 1)) for x, y in _seen(view, metres)
    )
    ground = DrawnCalibration(
        name="ground", points=points, metres=metres, width_px=WIDTH_PX, height_px=HEIGHT_PX
    )
    return Drawing(source=SOURCE, revision=1, lines=tuple(lines), calibrations=(ground,))


def _way(from_leg: str, to_leg: str) -> Array:
    """Return the way between legs: straight lanes joined by a curve; a vehicle turning round keeps left."""
    came, goes = np.array(TOWARDS[from_leg]), np.array(TOWARDS[to_leg])
    in_lane = LANE_M / 2 * np.array([-came[1], came[0]])  # on the right-hand side of arriving vehicles
    out_lane = LANE_M / 2 * np.array([goes[1], -goes[0]])
    if from_leg == to_leg:
        turns = np.linspace(0, np.pi, 20)
        curve = [
            2.0 * came + np.cos(turn) * in_lane - LANE_M / 2 * np.sin(turn) * came for turn in turns.tolist()
        ]
    else:
        start, end = 8.0 * came + in_lane, 8.0 * goes + out_lane
        bend = (start + end) / 2 if (came == -goes).all() else in_lane + out_lane
        parts = np.linspace(0, 1, 20)[:, None]
        curve = list((1 - parts) ** 2 * start + 2 * parts * (1 - parts) * bend + parts**2 * end)
    points = np.array([FAR_M * came + in_lane, *curve, FAR_M * goes + out_lane])
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    every = np.arange(0, lengths[-1], 0.1)
    return np.column_stack([np.interp(every, lengths, points[:, axis]) for axis in (0, 1)])


def _is_green(side: str, now_s: float) -> bool:
    phase, since_s = divmod(now_s, PHASE_S)
    return phase == 1 + SIDES.index(side) and since_s < GREEN_S


def _traffic(rng: random.Random) -> list[Vehicle]:
    """Return the vehicles that arrive, wait at red, and leave; those of one leg keep their distance."""
    found = []
    for number, side in enumerate(SIDES):
        before: Vehicle | None = None
        green_s = PHASE_S * (1 + number)
        speed = rng.uniform(9, 14)
        queues = rng.random() < 0.5
        there_s = green_s - (FAR_M - STOP_M) / speed
        if queues:
            times = sorted(rng.uniform(0, green_s - 8) for _ in range(5))
        else:
            times = [there_s + 1 + 2.5 * place + rng.uniform(0, 0.5) for place in range(4)]
        for since_s in times:
            others = [other for other in SIDES if other != side]
            to_leg = side if rng.random() < 0.15 else rng.choice(others)
            if not queues:
                to_leg = SIDES[(number + 2) % 4]
            label = rng.choices(["car", "truck", "bus"], [16, 2, 1])[0]
            way = _way(side, to_leg)
            is_straight = to_leg == SIDES[(number + 2) % 4]
            own = speed if is_straight else rng.uniform(4.5, 7)
            places = _driven(side, own, since_s, len(way) / 10, before)
            before = Vehicle(label, side, to_leg, way, places, since_s)
            if since_s + len(places) * STEP_S < SECONDS:
                found.append(before)
    return found


def _driven(side: str, speed: float, since_s: float, length_m: float, before: Vehicle | None) -> list[float]:
    """Return the distance driven by step: at its own speed, behind another vehicle, or waiting at red."""
    stop_m = FAR_M - STOP_M
    places, now = [0.0], speed
    while places[-1] < length_m and len(places) < 3000:
        at, now_s = places[-1], since_s + (len(places) - 1) * STEP_S
        free_m = length_m
        if at < stop_m and not _is_green(side, now_s + (stop_m - at) / max(speed, 1)):
            free_m = stop_m - at
        if before is not None and (there := (now_s - before.since_s) / STEP_S) < len(before.places_m):
            length = (SIZES_M[before.label][0] + 8.0) / 1.0
            ahead = float(np.interp(there, range(len(before.places_m)), before.places_m))
            if ahead < FAR_M + 15:  # beyond, they part
                free_m = min(free_m, ahead - length - at)
        wanted = min(speed, max(0.0, (2 * 3.0 * max(free_m - 0.5, 0.0)) ** 0.5))
        now = min(wanted, now + 2.5 * STEP_S)
        places.append(at + now * STEP_S)
    return places


def _filmed(
    vehicles: Sequence[Vehicle],
    view: Array,
    rng: random.Random,
    fps: float,
    began_ms: int,
    feet: Sequence[list[tuple[float, float, float]]],
) -> Iterator[FrameDetections]:
    for number in range(int(SECONDS * fps)):
        now_s = number / fps
        shown: list[tuple[str, Array]] = []
        for vehicle, of_vehicle in zip(vehicles, feet, strict=True):
            at = vehicle.at(now_s)
            box = None if at is None else _box(vehicle.label, *at, view)
            if box is not None:
                shown.append((vehicle.label, box))
                of_vehicle.append((now_s, float(box[0] + box[2]) / 2, float(box[3])))
        # The vehicle nearest to the camera, lowest in the picture, hides the others.
        shown.sort(key=lambda seen: -seen[1][3])
        detections = [
            _detection(label, box, rng)
            for place, (label, box) in enumerate(shown)
            if rng.random() >= 0.06 and _hidden(box, [other for _, other in shown[:place]]) <= HIDDEN
        ]
        found = [detection for detection in detections if detection is not None]
        at_ms = began_ms + round(1000 * now_s)
        yield footage.frame(MODEL, SOURCE, at_ms, number, found, size=(WIDTH_PX, HEIGHT_PX))


def _box(label: str, place: Array, heading: Array, view: Array) -> Array | None:
    """Return a vehicle's left, top, right and bottom in the picture; None if less than half is in view."""
    length, width, height = SIZES_M[label]
    across = np.array([-heading[1], heading[0]])
    corners = [
        (*(place + a * length / 2 * heading + b * width / 2 * across), z)
        for a in (-1, 1)
        for b in (-1, 1)
        for z in (0.0, height)
    ]
    pixels = np.column_stack([corners, np.ones(8)]) @ view.T
    if pixels[:, 2].min() < 1:
        return None
    xy = pixels[:, :2] / pixels[:, 2:]
    whole = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
    inside = np.clip(whole, 0, [WIDTH_PX, HEIGHT_PX] * 2)
    return inside if _area(inside) >= 0.5 * _area(whole) else None


def _area(box: Array) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


def _hidden(box: Array, nearer: Sequence[Array]) -> float:
    """Return the largest fraction of a box that one nearer box hides."""
    shared = (
        _area(np.concatenate([np.maximum(box[:2], one[:2]), np.minimum(box[2:], one[2:])])) for one in nearer
    )
    return max(shared, default=0.0) / _area(box)


def _detection(label: str, box: Array, rng: random.Random) -> Detection | None:
    """Return a detector's result: the box jitters by a pixel and a hundredth of its height."""
    sigma = 1 + 0.01 * float(box[3] - box[1])
    left, top, right, bottom = (float(side) + rng.gauss(0, sigma) for side in box)
    left, top = max(left, 0.0), max(top, 0.0)
    right, bottom = min(right, WIDTH_PX), min(bottom, HEIGHT_PX)
    if right - left < 10 or bottom - top < 8:
        return None
    said = "truck" if label == "car" and rng.random() < 0.05 else label
    confidence = rng.choice([0.45, 0.62, 0.78, 0.9])
    sides = (round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1))
    return Detection(label=said, confidence=confidence, box=sides)


def movements_of(flows: FlowColumns) -> Counter[tuple[str, str]]:
    """Return the counted vehicles by first and last leg."""
    columns = (flows.columns[f"visit_{name}"] for name in ("from_leg", "to_leg", "outcome"))
    return Counter(
        (flows.lines[from_leg], flows.lines[to_leg])
        for from_leg, to_leg, outcome in zip(*columns, strict=True)
        if outcome == 0
    )


def speeds_of(
    scene: Junction, flows: FlowColumns, reach_px: tuple[float, float, float, float]
) -> Iterator[tuple[float, float, float, bool]]:
    """Yield each measured visit's speed, its error, the true speed, and whether the vehicle kept that speed.

    Speeds are in km/h. The true one is the mean while its foot points are within a calibration's reach. A
    visit belongs to the vehicle with its movement that reached the leg at the nearest time.
    """
    left, top, right, bottom = reach_px
    names = ("outcome", "from_leg", "to_leg", "came", "speed", "error", "speed_missing")
    for outcome, from_leg, to_leg, came_ms, speed, error, missing in zip(
        *(flows.columns[f"visit_{name}"] for name in names), strict=True
    ):
        if outcome or missing:
            continue
        came_s = (flows.day_start_ms + came_ms - scene.began_ms) / 1000
        legs = flows.lines[from_leg], flows.lines[to_leg]
        near = [
            (abs(vehicle.came_s() - came_s), number)
            for number, vehicle in enumerate(scene.vehicles)
            if (vehicle.from_leg, vehicle.to_leg) == legs
        ]
        if not near:
            continue
        number = min(near)[1]
        vehicle = scene.vehicles[number]
        within = [now_s for now_s, x, y in scene.feet[number] if left <= x <= right and top <= y <= bottom]
        first_s, last_s = within[0], within[-1]
        steps = [vehicle.metres_between(now_s, now_s + STEP_S) for now_s in within[:-1]]
        true = 3.6 * vehicle.metres_between(first_s, last_s) / (last_s - first_s)
        yield speed / BINS_PER_KM_H, error / BINS_PER_KM_H, true, min(steps) >= 0.9 * max(steps)
