"""Cameras over a plane, with the true positions of ground points, and boxes that move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.traffic.flow_rule import FootPoint

from frametally_hadoop.job.following import TrackedBox
from frametally_hadoop.job.paths import foot_path
from frametally_traffic.calibration.fitting import GroundPoint

Array = NDArray[np.float64]
WIDTH_PX, HEIGHT_PX = 1280, 720
CAR_M = 1.5
STEP_MS = 100


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; the ground has x to the right, y away from it and z upwards, in metres.

    Attributes:
        matrix: From `(x, y, z, 1)` to `(x_px * depth, y_px * depth, depth)`; shape (3, 4).
        middle_m: Distance of the middle of the scene; `width_m`, `length_m`: of the scene.
    """

    matrix: Array
    middle_m: float
    width_m: float
    length_m: float

    def seen(self, x_m: float, y_m: float, z_m: float = 0.0) -> tuple[float, float]:
        """The pixel of a point."""
        x, y, depth = self.matrix @ (x_m, y_m, z_m, 1)
        return float(x / depth), float(y / depth)


def camera(rng: np.random.Generator) -> Camera:
    """A camera 3 to 12 m above a scene 20 to 70 m away, tilted slightly to the side."""
    middle_m, above_m = rng.uniform(20, 70), rng.uniform(3, 12)
    width_m, length_m = rng.uniform(4, 18), rng.uniform(8, 30)
    down, roll = np.arctan2(above_m, middle_m), rng.uniform(-0.05, 0.05)
    # Rows: right, down and forwards of the camera.
    turned = np.array(
        [[1, 0, 0], [0, -np.sin(down), -np.cos(down)], [0, np.cos(down), -np.sin(down)]], dtype=np.float64
    )
    rolled = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    turned = rolled @ turned
    focal = rng.uniform(0.4, 0.9) * WIDTH_PX * middle_m / max(width_m, 15)
    lens = np.array([[focal, 0, WIDTH_PX / 2], [0, focal, HEIGHT_PX / 2], [0, 0, 1]])
    moved = np.column_stack([np.eye(3), np.array([0, 0, -above_m])])
    return Camera(lens @ turned @ moved, middle_m, width_m, length_m)


def ground_points(of: Camera, rng: np.random.Generator, number: int, noise_px: float) -> list[GroundPoint]:
    """Points set by a person: near the scene's corners, the others within, each with some noise."""
    corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    inside = [tuple(rng.uniform(-0.5, 0.5, 2)) for _ in range(number - 4)]
    points = []
    for x_part, y_part in [*corners, *inside]:
        x_m = of.width_m * (x_part + rng.uniform(-0.05, 0.05))
        y_m = of.middle_m + of.length_m * (y_part + rng.uniform(-0.05, 0.05))
        x, y = np.array(of.seen(x_m, y_m)) + rng.normal(0, noise_px, 2)
        points.append(GroundPoint(float(x), float(y), x_m, y_m))
    return points


def drive(
    of: Camera,
    rng: np.random.Generator,
    speed_m_s: float,
    noise_px: float = 1.0,
    place: tuple[float, float] = (0.0, 0.0),
    direction: float = 0.0,
    step_ms: int = STEP_MS,
) -> list[FootPoint]:
    """The path, as stored, of a car through a place of the scene, while it is in the picture."""
    times_s = np.arange(-20_000 // step_ms, 20_000 // step_ms) * step_ms / 1000
    x_m = place[0] + speed_m_s * np.sin(direction) * times_s
    y_m = of.middle_m + place[1] + speed_m_s * np.cos(direction) * times_s
    feet, tops = (
        of.matrix @ np.vstack([x_m, y_m, np.full_like(x_m, z_m), np.ones_like(x_m)]) for z_m in (0, CAR_M)
    )
    x, y, top = np.vstack([feet[:2] / feet[2], tops[1] / tops[2]]) + rng.normal(0, noise_px, (3, len(x_m)))
    is_seen = (feet[2] > 0) & (x >= 0) & (x < WIDTH_PX) & (y >= 0) & (y < HEIGHT_PX)
    height = np.maximum(2.0, y - top)
    sides = np.vstack([1000 * times_s, x - height / 2, y - height, height])[:, is_seen]
    return stored([_box(round(ms), *box) for ms, *box in sides.T.tolist()])


def stored(boxes: list[TrackedBox]) -> list[FootPoint]:
    """The path of boxes, as stored, in pixels."""
    path = foot_path(boxes, -3_600_000, 3_600_000) if boxes else []
    return [FootPoint(p.time_ms, p.x / 10, p.y / 10, p.height / 10, p.boxes) for p in path]


def _box(time_ms: int, left: float, top: float, side: float) -> TrackedBox:
    tenths = [round(10 * value) for value in (left, top, side, side)]
    return TrackedBox(time_ms, 9000, *tenths, True, None, "car")  # type: ignore[arg-type, call-arg]
