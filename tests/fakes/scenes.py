"""Scenes with countable objects, as pictures (height, width, 3), RGB, and typical defects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from tests.fakes.footage import Picture

SIZE_PX = (320, 240)


def street(frames: int, size_px: tuple[int, int] = SIZE_PX, *, noise: float = 2.0) -> Iterator[Picture]:
    """A street of walls and windows by day with a moving car and the camera's noise."""
    width_px, height_px = size_px
    draw = np.random.default_rng(1)
    ground = np.full((height_px, width_px), 120, np.uint8)
    for _ in range(150):
        left, top = int(draw.integers(0, width_px)), int(draw.integers(0, height_px))
        right, bottom = (one + int(draw.integers(6, 36)) for one in (left, top))
        cv2.rectangle(ground, (left, top), (right, bottom), int(draw.integers(40, 230)), -1)
    for index in range(frames):
        picture = np.repeat(ground[:, :, None], 3, axis=2)
        left = index * 5 % width_px
        cv2.rectangle(picture, (left, height_px // 2), (left + 60, height_px // 2 + 30), (200, 40, 40), -1)
        yield with_noise(picture, index, noise)


def standing(frames: int) -> Iterator[Picture]:
    """The empty street of a wall camera: nothing changes except noise."""
    first = next(street(1, noise=0))
    for index in range(frames):
        yield with_noise(first, index, 2.0)


def night(frames: int) -> Iterator[Picture]:
    """The street at night: lamps, lit windows, the lights of a car."""
    for index, picture in enumerate(street(frames, noise=0)):
        dim = (picture * 0.2).astype(np.uint8)
        for at in range(20, SIZE_PX[0], 50):
            cv2.circle(dim, (at, 40), 9, (250, 240, 200), -1)
        left = index * 5 % SIZE_PX[0]
        cv2.circle(dim, (left, SIZE_PX[1] // 2), 8, (255, 255, 240), -1)
        yield with_noise(dim, index, 2.0)


def with_noise(picture: Picture, seed: int, level: float) -> Picture:
    """A picture with this many levels of camera noise."""
    noise = np.random.default_rng(seed).normal(0, level, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def black(frames: int) -> Iterator[Picture]:
    for _ in range(frames):
        yield np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)


def dark(frames: int) -> Iterator[Picture]:
    """The street by starlight, with one lamp."""
    for picture in street(frames, noise=0):
        dim = (picture * 0.06).astype(np.uint8)
        cv2.circle(dim, (60, 60), 28, (90, 90, 80), -1)
        yield dim


def blurred(frames: int) -> Iterator[Picture]:
    for picture in street(frames, noise=0):
        yield np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8)


def frozen(pictures: Iterable[Picture], *, moving: int, still: int) -> Iterator[Picture]:
    """This many moving pictures, then the last one repeated."""
    for index, picture in enumerate(pictures):
        if index < moving:
            yield picture
            last = picture
    for _ in range(still):
        yield last


def twice(pictures: Iterable[Picture]) -> Iterator[Picture]:
    for picture in pictures:
        yield picture
        yield picture


def blocky(frames: int) -> Iterator[Picture]:
    """The street after an earlier encoding with far too few bits."""
    for picture in street(frames):
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 4])
        yield np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
