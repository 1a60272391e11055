"""The matrix from picture to ground: fitted, and by how much it changes with its points.

Places are arrays of shape (n, 2), float64: x, y in pixels of the picture, or in metres on the ground.
HZ is Hartley & Zisserman, Multiple View Geometry in Computer Vision, 2nd edition, 2004.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

_ROUNDS = 30
_SMALL = 1e-6
_SMALL_PX = 0.01


def homography(pixels: Array, metres: Array) -> Array:
    """Return the 3x3 matrix from picture to ground: the normalised direct linear transformation.

    HZ, algorithm 4.2: both sets are moved to their centre and scaled to a mean distance of 2^1/2; the matrix
    is the right singular vector of the smallest singular value.
    """
    to_pixels, to_metres = _normalising(pixels), _normalising(metres)
    shown, laid = with_ones(pixels) @ to_pixels.T, mapped(to_metres, metres)
    none = np.zeros_like(shown)
    rows = np.vstack(
        [
            np.hstack([shown, none, -laid[:, :1] * shown]),
            np.hstack([none, shown, -laid[:, 1:] * shown]),
        ]
    )
    matrix = np.linalg.svd(rows)[2][8].reshape(3, 3)
    found: Array = np.linalg.inv(to_metres) @ matrix @ to_pixels
    return found


def _normalising(places: Array) -> Array:
    centre = places.mean(axis=0)
    by = np.sqrt(2) / np.hypot(*(places - centre).T).mean()
    return np.array([[by, 0, -by * centre[0]], [0, by, -by * centre[1]], [0, 0, 1]])


def laid_rectangles(pixels: Array, shapes: Sequence[Array]) -> tuple[Array, Array]:
    """Return the matrix of several rectangles and where their corners lie on the ground; the first one stays.

    Matrix and poses with the least squared reprojection error, by the method of Gauss and Newton (HZ A6.1),
    from the matrix of the first one alone.

    Args:
        pixels: Corners in the picture, four by four.
        shapes: Of each its corners in metres, each of shape (4, 2).
    """
    start = homography(pixels[:4], shapes[0])
    if len(shapes) == 1:
        return start, shapes[0]
    seen = mapped(start, pixels)
    to_pixels, to_metres = _normalising(pixels), _normalising(seen)
    shown, near = mapped(to_pixels, pixels), mapped(to_metres, seen)
    first, *others = (shape * to_metres[0, 0] for shape in shapes)
    first = first + to_metres[:2, 2]

    def laid(unknown: Array) -> Array:
        poses = unknown[9:].reshape(-1, 3)
        return np.vstack([first, *(_moved(one, pose) for one, pose in zip(others, poses, strict=True))])

    def off(unknown: Array) -> Array:
        return (mapped(unknown[:9].reshape(3, 3), laid(unknown)) - shown).ravel()

    inverse: Array = to_pixels @ np.linalg.inv(start) @ np.linalg.inv(to_metres)
    poses = [_pose(one, near[4 * at : 4 * at + 4]) for at, one in enumerate(others, 1)]
    unknown = np.concatenate([(inverse / np.linalg.norm(inverse)).ravel(), *poses])
    # A matrix is the same by any factor: its largest number stays as it is.
    steps = np.delete(_SMALL * np.eye(len(unknown)), np.abs(unknown[:9]).argmax(), axis=0)
    for _ in range(_ROUNDS):
        now = off(unknown)
        slopes = np.column_stack([(off(unknown + step) - now) / _SMALL for step in steps])
        change = np.linalg.lstsq(slopes, -now, rcond=None)[0] @ steps / _SMALL
        unknown = unknown + change
        if np.abs(change).max() < 1e-9:
            break
    matrix: Array = np.linalg.inv(np.linalg.inv(to_pixels) @ unknown[:9].reshape(3, 3) @ to_metres)
    back = np.linalg.inv(to_metres).astype(np.float64)
    return matrix, mapped(back, laid(unknown))


def _moved(shape: Array, pose: Array) -> Array:
    """Return a shape turned by `pose[0]` and moved by the rest."""
    cos, sin = np.cos(pose[0]), np.sin(pose[0])
    moved: Array = shape @ np.array([[cos, sin], [-sin, cos]]) + pose[1:]
    return moved


def _pose(shape: Array, onto: Array) -> Array:
    """Return by which pose a shape comes as near as it can to other places."""
    own, there = shape - shape.mean(axis=0), onto - onto.mean(axis=0)
    angle = np.arctan2((own[:, 0] * there[:, 1] - own[:, 1] * there[:, 0]).sum(), (own * there).sum())
    turned = np.array([angle, 0.0, 0.0])
    turned[1:] = (onto - _moved(shape, turned)).mean(axis=0)
    return turned


def scale_change(pixels: Array, matrix: Array, fit: Callable[[Array], tuple[Array, Array]]) -> float:
    """Return by which part lengths on the ground change where each point is set a pixel off.

    Short lengths at each point, along the picture's x and y, with the matrix of each point moved in x and in
    y: the root mean square over lengths of the sums of squares over moves (propagation of errors to the first
    order, HZ 5.2).
    """
    lengths = _lengths(matrix, pixels)
    squares = np.zeros_like(lengths)
    for at in np.ndindex(pixels.shape):
        moved = pixels.copy()
        moved[at] += _SMALL_PX
        squares += ((_lengths(fit(moved)[0], pixels) / lengths - 1) / _SMALL_PX) ** 2
    return float(np.sqrt(squares.mean()))


def _lengths(matrix: Array, pixels: Array) -> Array:
    """Return of each pixel how many metres a step in x, and in y, is there; shape (2n,)."""
    w = with_ones(pixels) @ matrix[2]
    places = mapped(matrix, pixels)
    steps = [(matrix[:2, axis] - places * matrix[2, axis]) / w[:, None] for axis in (0, 1)]
    lengths: Array = np.hypot(*np.vstack(steps).T)
    return lengths


def mapped(matrix: Array, places: Array) -> Array:
    """Return places, shape (n, 2), as a matrix has them on the other plane."""
    mapped = with_ones(places) @ matrix.T
    found: Array = mapped[:, :2] / mapped[:, 2:]
    return found


def with_ones(places: Array) -> Array:
    """Return places as homogeneous coordinates, shape (n, 3)."""
    return np.hstack([places, np.ones((len(places), 1))])


def extent(places: Array) -> float:
    """Return the diagonal of the upright rectangle about places."""
    return float(np.hypot(*np.ptp(places, axis=0)))
