"""Fits the matrix from picture to ground, estimates its error, and refuses points that determine none.

Places are arrays of shape (n, 2), float64: x, y in pixels of the picture, or in metres on the ground. HZ is
Hartley & Zisserman, Multiple View Geometry in Computer Vision, 2nd edition, 2004.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from frametally.errors import Misconfigured

Array: TypeAlias = NDArray[np.float64]

_ROUNDS = 30
_SMALL = 1e-6
_SMALL_PX = 0.01


def homography(pixels: Array, metres: Array) -> Array:
    """Return the 3x3 matrix from picture to ground: the normalised direct linear transformation.

    HZ, algorithm 4.2: both sets are centred and scaled to a mean distance of 2^1/2; the matrix is the right
    singular vector of the smallest singular value.
    """
    to_pixels, to_metres = _normalising(pixels), _normalising(metres)
    picture, laid = with_ones(pixels) @ to_pixels.T, mapped(to_metres, metres)
    zeros = np.zeros_like(picture)
    rows = np.vstack(
        [
            np.hstack([picture, zeros, -laid[:, :1] * picture]),
            np.hstack([zeros, picture, -laid[:, 1:] * picture]),
        ]
    )
    matrix = np.linalg.svd(rows)[2][8].reshape(3, 3)
    solution: Array = np.linalg.inv(to_metres) @ matrix @ to_pixels
    return solution


def _normalising(places: Array) -> Array:
    centre = places.mean(axis=0)
    by = np.sqrt(2) / np.hypot(*(places - centre).T).mean()
    return np.array([[by, 0, -by * centre[0]], [0, by, -by * centre[1]], [0, 0, 1]])


def laid_rectangles(pixels: Array, shapes: Sequence[Array]) -> tuple[Array, Array]:
    """Return the matrix of several rectangles and their corners on the ground; the first one stays in place.

    The matrix and the poses minimise the squared reprojection error, by the Gauss-Newton method (HZ A6.1),
    starting from the matrix of the first rectangle alone.

    Args:
        pixels: Corners in the picture, four per rectangle.
        shapes: The corners of each rectangle in metres, of shape (4, 2).
    """
    start = homography(pixels[:4], shapes[0])
    if len(shapes) == 1:
        return start, shapes[0]
    start_metres = mapped(start, pixels)
    to_pixels, to_metres = _normalising(pixels), _normalising(start_metres)
    picture, near = mapped(to_pixels, pixels), mapped(to_metres, start_metres)
    first, *other_shapes = (shape * to_metres[0, 0] for shape in shapes)
    first = first + to_metres[:2, 2]

    def laid(unknown: Array) -> Array:
        poses = unknown[9:].reshape(-1, 3)
        return np.vstack(
            [first, *(_place(shape, pose) for shape, pose in zip(other_shapes, poses, strict=True))]
        )

    def off(unknown: Array) -> Array:
        return (mapped(unknown[:9].reshape(3, 3), laid(unknown)) - picture).ravel()

    inverse: Array = to_pixels @ np.linalg.inv(start) @ np.linalg.inv(to_metres)
    poses = [_pose(shape, near[4 * index : 4 * index + 4]) for index, shape in enumerate(other_shapes, 1)]
    unknown = np.concatenate([(inverse / np.linalg.norm(inverse)).ravel(), *poses])
    # The scale of a matrix is arbitrary, so its largest number stays fixed.
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


def _place(shape: Array, pose: Array) -> Array:
    """Return a shape rotated by `pose[0]` and moved by the rest."""
    cos, sin = np.cos(pose[0]), np.sin(pose[0])
    placed: Array = shape @ np.array([[cos, sin], [-sin, cos]]) + pose[1:]
    return placed


def _pose(shape: Array, onto: Array) -> Array:
    """Return the pose that brings a shape closest to other places."""
    own, target = shape - shape.mean(axis=0), onto - onto.mean(axis=0)
    angle = np.arctan2((own[:, 0] * target[:, 1] - own[:, 1] * target[:, 0]).sum(), (own * target).sum())
    turned = np.array([angle, 0.0, 0.0])
    turned[1:] = (onto - _place(shape, turned)).mean(axis=0)
    return turned


def scale_change(pixels: Array, matrix: Array, fit: Callable[[Array], tuple[Array, Array]]) -> float:
    """Return the relative change of lengths on the ground when points are a pixel off.

    It measures short lengths at each point, along the picture's x and y, and moves each point in x and in y.
    The result is the root mean square, over the lengths, of the sums of squares over the moves (first-order
    propagation of errors, HZ 5.2).
    """
    lengths = _lengths(matrix, pixels)
    squares = np.zeros_like(lengths)
    for cell in np.ndindex(pixels.shape):
        shifted = pixels.copy()
        shifted[cell] += _SMALL_PX
        squares += ((_lengths(fit(shifted)[0], pixels) / lengths - 1) / _SMALL_PX) ** 2
    return float(np.sqrt(squares.mean()))


def _lengths(matrix: Array, pixels: Array) -> Array:
    """Return how many metres a step in x, and in y, spans at each pixel; shape (2n,)."""
    w = with_ones(pixels) @ matrix[2]
    places = mapped(matrix, pixels)
    steps = [(matrix[:2, axis] - places * matrix[2, axis]) / w[:, None] for axis in (0, 1)]
    lengths: Array = np.hypot(*np.vstack(steps).T)
    return lengths


def mapped(matrix: Array, places: Array) -> Array:
    """Return places, shape (n, 2), mapped to the other plane by a matrix."""
    mapped = with_ones(places) @ matrix.T
    plane: Array = mapped[:, :2] / mapped[:, 2:]
    return plane


def with_ones(places: Array) -> Array:
    """Return places as homogeneous coordinates, shape (n, 3)."""
    return np.hstack([places, np.ones((len(places), 1))])


def extent(places: Array) -> float:
    """Return the diagonal of the bounding box of places."""
    return float(np.hypot(*np.ptp(places, axis=0)))


_FAR = 1e8
"""No coordinate is larger, neither in pixels nor in the metres of a national grid."""
IN_PICTURE, ON_GROUND = 0.01, 0.002
"""A point closer to a line than this part of the points' extent is on it; a tenth of it makes two points one.
In the picture it is about the error of a click; on the ground a far point dwarfs all other distances."""


def check_points(pixels: Array, metres: Array, kind: str = "point", owner: str = "") -> None:
    """Refuse four or more places in the picture and on the ground, shape (n, 2), that determine no matrix.

    `kind`: name of a point in the message. `owner`: text after its number there.

    Raises:
        Misconfigured: The message says what is wrong first, and what to change.
    """
    every = np.hstack([pixels, metres])
    for number in np.flatnonzero(~(np.abs(every) <= _FAR).all(axis=1)):
        raise Misconfigured(f"{kind} {number + 1}{owner} has an invalid coordinate: set it again")
    for plane_name, places, part in (
        ("in the picture", pixels, IN_PICTURE),
        ("on the ground", metres, ON_GROUND),
    ):
        least = part * extent(places)
        for first, second in combinations(range(len(places)), 2):
            if np.hypot(*(places[first] - places[second])) <= least / 10:
                raise Misconfigured(
                    f"{kind}s {first + 1} and {second + 1}{owner} are in the same place {plane_name}: move "
                    "or delete one of them"
                )
        for left_out in range(len(places)):
            rest = np.delete(places, left_out, axis=0)
            width = np.linalg.svd(rest - rest.mean(axis=0), compute_uv=False)[1]
            if width / np.sqrt(len(rest)) < least / 2:
                names = _names_of(number for number in range(len(places)) if number != left_out)
                raise Misconfigured(
                    f"{kind}s {names}{owner} are on the same straight line {plane_name}: move one of them "
                    "off it"
                )
    _check_order(pixels, metres, kind, owner)


def _check_order(pixels: Array, metres: Array, kind: str, owner: str) -> None:
    """Refuse views that are impossible from above: three points must turn the same way in both planes.

    A point beyond the horizon reverses exactly the triangles that it is part of; swapped points reverse
    others (HZ, chapter 21, cheirality).
    """
    turns = {
        three: turn(pixels, three, IN_PICTURE) * turn(metres, three, ON_GROUND)
        for three in combinations(range(len(pixels)), 3)
    }
    senses = {three: sense for three, sense in turns.items() if sense}
    if set(senses.values()) == {1}:
        raise Misconfigured(
            f"the {kind}s{owner} are mirrored: from above, y points left of x; change the sign of one axis"
        )
    if len(set(senses.values())) < 2:
        return
    for number in range(len(pixels)):
        with_it = {sense for three, sense in senses.items() if number in three}
        without = {sense for three, sense in senses.items() if number not in three}
        if len(with_it) == len(without) == 1 and with_it != without:
            raise Misconfigured(
                f"{kind} {number + 1}{owner} is beyond the horizon that the others define: check its "
                "position in the picture and on the ground (in metres)"
            )
    if len(pixels) > 4:
        odd = Counter(number for three, sense in senses.items() if sense == 1 for number in three)
        names = " or ".join(str(number + 1) for number in sorted(odd) if odd[number] == max(odd.values()))
        raise Misconfigured(
            f"{kind} {names}{owner} does not fit the positions of the other {kind}s on the ground: check "
            f"its position in the picture and on the ground (in metres), and whether two {kind}s are swapped"
        )
    raise Misconfigured(
        f"the {kind}s{owner} are in a different order around on the ground than in the picture: use the "
        "same order"
    )


def turn(places: Array, three: tuple[int, int, int], part: float) -> int:
    """Return the direction in which three places turn, 1 or -1; 0 if they are nearly on one line."""
    a, b, c = places[[*three]]
    double_area = float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    longest = max(np.hypot(*(b - a)), np.hypot(*(c - b)), np.hypot(*(a - c)))
    if not abs(double_area) > part * extent(places) * longest:
        return 0
    return 1 if double_area > 0 else -1


def _names_of(numbers: Iterable[int]) -> str:
    names = [str(number + 1) for number in numbers]
    return f"{', '.join(names[:-1])} and {names[-1]}"
