"""Frames that must be changed wait in memory, in order and within a limit, before they reach the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.kit.waiting import until
from tests.live.capturing import live_of
from tests.live.test_camera_packs import jpeg
from tests.live.test_spool import FIRST_MS, minute_of

from frametally.errors import Misconfigured, Poison, Retryable
from frametally.media.screening import ScreenNote, with_note
from frametally_live.cameras.frame_screening import MOST_FRAMES, FrameScreening
from frametally_live.cameras.spool import Spool

MINUTE = minute_of(0)


class Marker:
    """A screen that adds its note, once it is let go."""

    originals: Literal["blur", "delete"] = "blur"

    def __init__(self, note: str = "policy 1") -> None:
        self.note = note
        self.let_go = threading.Event()
        self.let_go.set()

    def frame(self, jpeg: bytes) -> bytes:
        assert self.let_go.wait(60)
        if jpeg.endswith(b"no picture"):
            raise Poison("it is no picture")
        return with_note(jpeg, ScreenNote(screened=self.note))

    def picture(self, pixels: Any) -> Any:
        return pixels

    def pictures(self, film: Iterable[Any]) -> Iterator[Any]:
        return iter(film)


class Place:
    """A spool with one minute, and a screening in front of it."""

    def __init__(self, tmp_path: Path, find: Callable[[], Any]) -> None:
        self.folder = tmp_path / "live/gate-1"
        self.mark = tmp_path / "live/gate-1.as-filmed"
        self.spool = Spool(self.folder, most_mb=16, why_full=lambda: "")
        self.spool.begin(MINUTE)
        self.screening = FrameScreening(self.spool, find, mark=self.mark)

    def film(self, *numbers: int, data: bytes = b"") -> None:
        for number in numbers:
            at_ms = FIRST_MS + number * 100
            self.screening.add(MINUTE.sha256, number, at_ms, "arrival", data or jpeg(number % 40))

    def on_disk(self) -> list[bytes]:
        paths = sorted(self.folder.glob("*/*.jpg"), key=lambda path: int(path.name.split(".")[0]))
        return [path.read_bytes() for path in paths]

    def losses(self) -> list[tuple[int, str]]:
        [minute] = self.spool.minutes()
        return [(loss.frames, loss.reason) for loss in live_of(minute).losses]


def test_frames_are_changed_before_they_reach_the_disk_in_order_and_a_minute_waits_for_its_own(
    tmp_path: Path,
) -> None:
    screen = Marker()
    place = Place(tmp_path, lambda: screen)
    place.screening.start()
    screen.let_go.clear()
    place.film(*range(10))
    place.spool.note(MINUTE, is_over=True)
    assert place.on_disk() == [] and place.spool.sent_and_over() == []
    screen.let_go.set()
    place.screening.finish()
    assert place.on_disk() == [with_note(jpeg(n), ScreenNote(screened="policy 1")) for n in range(10)]
    assert [frame.frame_index for frame in place.spool.take(20)] == list(range(10))
    assert place.losses() == [] and not place.mark.exists()


def test_frames_that_arrive_faster_than_they_can_be_changed_are_a_loss_with_the_reason(
    tmp_path: Path,
) -> None:
    screen = Marker()
    place = Place(tmp_path, lambda: screen)
    place.screening.start()
    screen.let_go.clear()
    place.film(*range(2 * MOST_FRAMES))
    screen.let_go.set()
    place.screening.finish()
    [(lost, reason)] = place.losses()
    assert reason == "blurring is slower than the camera, and the memory for waiting frames was full"
    assert len(place.on_disk()) + lost == 2 * MOST_FRAMES and lost >= MOST_FRAMES - 4
    assert all(b"policy 1" in data for data in place.on_disk())


def test_frames_that_a_kill_removes_from_memory_are_in_the_outage_that_it_leaves(tmp_path: Path) -> None:
    from msgspec.structs import replace

    screen = Marker()
    place = Place(tmp_path, lambda: screen)
    place.screening.start()
    place.film(0, 1)
    until(lambda: len(place.on_disk()) == 2)
    screen.let_go.clear()
    place.film(2, 3)
    place.spool.note(replace(MINUTE, start_ms=FIRST_MS, last_captured_at_ms=FIRST_MS + 300))
    killed = Spool(place.folder, most_mb=16, why_full=lambda: "")
    assert [minute.last_captured_at_ms for minute in killed.minutes()] == [FIRST_MS + 199]
    screen.let_go.set()
    place.screening.finish()


@pytest.mark.parametrize("knows", [False, True])
def test_an_unknown_policy_lets_no_frame_reach_the_disk_unless_there_was_none_before(
    tmp_path: Path, knows: bool
) -> None:
    def away() -> None:
        raise Retryable("it is away")

    place = Place(tmp_path, away)
    if knows:
        place.mark.touch()
    place.screening.start()
    place.film(0, 1)
    assert len(place.on_disk()) == (2 if knows else 0)
    place.screening.finish()
    unknown = "the privacy policy is unknown, as the store is unavailable when the camera was stopped"
    assert place.losses() == ([] if knows else [(2, unknown)])


def test_a_new_rule_also_changes_the_frames_that_already_wait_on_disk(tmp_path: Path) -> None:
    screens: list[Any] = [None]
    place = Place(tmp_path, lambda: screens[0])
    place.screening.start()
    place.film(0, 1, 2)
    place.film(3, data=b"no picture")
    assert place.mark.exists() and len(place.on_disk()) == 4
    screens[0] = Marker()
    until(lambda: all(b"policy 1" in data for data in place.on_disk()))
    place.film(4)
    until(lambda: len(place.on_disk()) == 4)
    screens[0] = Marker("policy 2")
    until(lambda: all(b"policy 2" in data for data in place.on_disk()))
    place.screening.finish()
    assert place.losses() == [(1, "it is no picture")]
    size_bytes = sum(frame.size_bytes for frame in place.spool.take(20))
    assert size_bytes == sum(len(path.read_bytes()) for path in place.folder.glob("*/*.jpg"))


def test_a_policy_that_can_no_longer_be_followed_ends_the_session_without_a_frame(tmp_path: Path) -> None:
    policy: list[Any] = [Marker()]

    def find() -> Any:
        if isinstance(policy[0], Exception):
            raise policy[0]
        return policy[0]

    place = Place(tmp_path, find)
    place.screening.start()
    policy[0] = Misconfigured("the policy is damaged")
    until(lambda: place.screening.failure is not None)
    place.film(0)
    place.screening.finish()
    assert place.on_disk() == []
    assert place.losses() == [(1, "the policy is damaged when the camera was stopped")]
