"""A camera that is there and shows nothing that can be counted is told so, and one at night is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from frametally_videos.checking.camera_doubts import LASTING_MS, PictureDoubts

Picture = NDArray[np.uint8]
STEP_MS = 200


def pictures(level: int, noise: int) -> Iterator[Picture]:
    """A street that stands still: what changes is the camera's noise."""
    rng = np.random.default_rng(7)
    street = np.full((120, 160, 3), level, np.uint8)
    street[40:80, 30:90] = min(255, level * 2)
    while True:
        yield np.clip(street + rng.integers(-noise, noise + 1, street.shape), 0, 255).astype(np.uint8)


def told(shown: Iterator[Picture], for_ms: int, doubts: PictureDoubts | None = None, from_ms: int = 0) -> str:
    doubts = doubts or PictureDoubts()
    for at_ms in range(from_ms, from_ms + for_ms + 1, STEP_MS):
        doubts.look(next(shown), at_ms)
    return doubts.sentence


def frozen() -> Iterator[Picture]:
    first = next(pictures(90, 4))
    while True:
        yield first


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: pictures(8, 2), "is black"),
        (frozen, "does not change"),
        (lambda: pictures(90, 2), ""),
        (lambda: pictures(40, 2), ""),
    ],
    ids=["a covered lens", "a frozen encoder", "an empty street", "an empty street at night"],
)
def test_what_cannot_be_a_street_is_told_once_it_has_lasted(
    make: Callable[[], Iterator[Picture]], part: str
) -> None:
    assert told(make(), LASTING_MS - STEP_MS) == ""
    after = told(make(), LASTING_MS)
    assert part in after
    assert bool(after) == bool(part)


def test_one_picture_that_is_otherwise_ends_the_doubt() -> None:
    doubts = PictureDoubts()
    assert told(frozen(), LASTING_MS, doubts)
    assert told(pictures(120, 4), 0, doubts, LASTING_MS + STEP_MS) == ""
    assert told(pictures(8, 2), LASTING_MS, doubts, 2 * LASTING_MS)
    assert told(pictures(90, 4), 0, doubts, 4 * LASTING_MS) == ""


def test_damaged_pictures_are_told_until_none_has_come_for_a_while() -> None:
    doubts, shown = PictureDoubts(), pictures(90, 4)
    doubts.note_damage(0)
    times = count(STEP_MS, STEP_MS)
    said = []
    for at_ms in times:
        doubts.look(next(shown), at_ms)
        said.append((at_ms, doubts.sentence))
        if at_ms > LASTING_MS:
            break
    assert all(bool(sentence) == (at_ms < LASTING_MS) for at_ms, sentence in said)


def test_another_size_is_another_picture() -> None:
    doubts = PictureDoubts()
    assert told(frozen(), LASTING_MS, doubts)
    doubts.look(np.full((48, 64, 3), 90, np.uint8), LASTING_MS + STEP_MS)
    assert doubts.sentence == ""
