"""Footage that shows nothing is named from its first frame to its last; unmeasured footage stays unknown."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pytest

from frametally.rules.blank_stretches import AGAIN_MS, FROZEN_MS, LEAST_STEPS, blank_stretches


class Frame(NamedTuple):
    captured_at_ms: int
    picture_digest: str
    shows: str = ""


def frames_of(digests: Iterable[str], step_ms: int = 200, from_ms: int = 0) -> list[Frame]:
    return [Frame(from_ms + number * step_ms, digest) for number, digest in enumerate(digests)]


def moving(count: int) -> list[str]:
    return [f"m{number}" for number in range(count)]


def still(seconds: int, key_frame_s: int, name: str = "s") -> list[str]:
    """A still scene of which compression leaves one picture per key frame."""
    return [f"{name}{number // (5 * key_frame_s)}" for number in range(5 * seconds)]


def test_neither_no_frames_nor_moving_footage_makes_a_blank_stretch() -> None:
    assert blank_stretches([]) == []
    assert blank_stretches(frames_of(moving(3000))) == []


def test_a_frame_that_was_not_measured_leaves_its_hour_unknown() -> None:
    frames = frames_of(["same"] * 1000)
    assert blank_stretches(frames) is not None
    assert blank_stretches([*frames, Frame(200_000, "")]) is None


@pytest.mark.parametrize("reason", ["black", "one_colour"])
def test_blank_frames_form_a_stretch_from_the_first_to_the_last(reason: str) -> None:
    frames = frames_of(moving(200))
    frames[20:80] = [frame._replace(shows=reason) for frame in frames[20:80]]
    frames[100:150] = [frame._replace(shows=reason) for frame in frames[100:150]]  # a pause of 9.8 s
    assert blank_stretches(frames) == [(4000, 15_800, reason)]


def test_a_frozen_picture_begins_with_its_first_frame_and_ends_with_its_last() -> None:
    frozen = ["a"] * (FROZEN_MS // 200 + 1)
    assert blank_stretches(frames_of([*moving(50), *frozen, *moving(50)])) == [
        (10_000, 10_000 + FROZEN_MS, "frozen")
    ]
    assert blank_stretches(frames_of([*moving(50), *frozen[1:], *moving(50)])) == []


def test_a_frozen_picture_whose_key_frames_differ_is_frozen() -> None:
    pictures = [["key", "p1", "p2", *["p3"] * 7][number % 10] for number in range(400)]
    assert blank_stretches(frames_of(pictures)) == [(3 * 200, 399 * 200, "frozen")]


@pytest.mark.parametrize("key_frame_s", [1, 2, 10, 20, 59])
def test_a_still_scene_without_noise_between_its_key_frames_is_not_frozen(key_frame_s: int) -> None:
    assert blank_stretches(frames_of(still(600, key_frame_s))) == []


def test_looped_footage_is_not_frozen() -> None:
    assert blank_stretches(frames_of(moving(5 * AGAIN_MS // 1000 + 1) * 20)) == []


def test_footage_that_is_black_and_frozen_counts_as_black() -> None:
    frames = [Frame(number * 200, "a", "black" if number >= 200 else "") for number in range(400)]
    assert blank_stretches(frames) == [(0, 199 * 200, "frozen"), (200 * 200, 399 * 200, "black")]


def test_single_pictures_that_repeat_a_few_times_are_not_frozen() -> None:
    minute_ms = 60_000
    few, more = ["a"] * LEAST_STEPS, ["a"] * (LEAST_STEPS + 1)
    assert blank_stretches(frames_of([*few, "b", "c"], minute_ms)) == []
    assert blank_stretches(frames_of([*more, "b"], minute_ms)) == [(0, LEAST_STEPS * minute_ms, "frozen")]


def test_an_hour_judged_with_a_minute_around_it_gives_the_same_as_the_whole() -> None:
    rng, border_ms = random.Random(3), 150_000  # noqa: S311
    for _ in range(200):
        digests: list[str] = []
        while len(digests) < 1500:
            run, name = rng.randint(1, 600), f"{rng.random()}"
            digests += rng.choice([[name] * run, [f"{name}{number}" for number in range(run)]])
        frames = frames_of(digests)
        whole = covered(blank_stretches(frames), frames)
        before = [frame for frame in frames if frame.captured_at_ms < border_ms + FROZEN_MS]
        after = [frame for frame in frames if frame.captured_at_ms >= border_ms - FROZEN_MS]
        own = border_ms // 200
        assert covered(blank_stretches(before), frames[:own]) == whole[:own]
        assert covered(blank_stretches(after), frames[own:]) == whole[own:]


def covered(stretches: Sequence[tuple[int, int, str]] | None, frames: Iterable[Frame]) -> list[bool]:
    assert stretches is not None
    return [any(first <= frame.captured_at_ms <= last for first, last, _ in stretches) for frame in frames]
