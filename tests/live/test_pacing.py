"""When frames are due, what is wanted of a stream meanwhile, what is told of it: by a clock of the test."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.errors import Retryable
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds.feed_messages import FeedWish
from frametally_live.feeds.feed_states import Teller, TellingPatience
from frametally_live.feeds.pacing import PlayingClock
from frametally_live.feeds.wishes import Wishes

FEED = Feed(id="f", kind="video", source="gate", name="Gate", video_id="v")


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(st.floats(0.1, 16), st.floats(0, 1e5), st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0, 1000))
def test_a_frame_is_due_by_the_speed_from_where_the_clock_was_set(
    speed: float, set_to_s: float, now_s: float, ahead_s: float, later_s: float
) -> None:
    pace = PlayingClock(speed)
    pace.set_to(set_to_s, now_s)
    assert pace.due_in_s(set_to_s, now_s) == 0
    due_in_s = pace.due_in_s(set_to_s + ahead_s, now_s + later_s)
    assert due_in_s == pytest.approx(ahead_s / speed - later_s, abs=1e-3)


def test_a_place_that_is_sought_is_heard_once() -> None:
    wishes = Wishes(FEED._replace(seek_s=3.0), lease_s=10)
    assert (wishes.take_seek(), wishes.take_seek()) == (3.0, None)
    wishes.hear(FeedWish("pause", 7.0))
    assert wishes.wanted == "pause"
    wishes.hear(FeedWish("run"))
    assert (wishes.take_seek(), wishes.take_seek(), wishes.wanted) == (7.0, None, "run")


@pytest.mark.parametrize(
    ("wish", "silent_s", "is_end_wanted"),
    [
        (FeedWish("run"), 0, False),
        (FeedWish("pause"), 9, False),
        (FeedWish("stop"), 0, True),
        (FeedWish("run"), 11, True),
    ],
)
def test_who_is_stopped_or_hears_nothing_for_a_lease_ends(
    wish: FeedWish, silent_s: float, is_end_wanted: bool
) -> None:
    clock = Clock()
    wishes = Wishes(FEED, lease_s=10, clock=clock)
    wishes.hear(wish)
    clock.now_s += silent_s
    assert wishes.is_end_wanted == is_end_wanted


def test_who_loses_its_worker_ends_after_all_that_that_has_said() -> None:
    wishes = Wishes(FEED, lease_s=10)
    wishes.listen(io.BytesIO(msgspec.json.encode(FeedWish("pause", 2.0)) + b"\n"))
    while not wishes.is_end_wanted:
        wishes.wait(0.01)
    assert (wishes.wanted, wishes.take_seek()) == ("pause", 2.0)


def test_a_change_of_state_is_told_at_once_and_all_else_twice_a_second() -> None:
    clock, written = Clock(), list[FeedTold]()
    teller = Teller(FeedTold("starting"), written.append, clock=clock)
    frame: dict[str, Any] = {"captured_at_ms": 1, "image_path": "a", "is_announced": True}
    for number in range(10):
        teller.tell_frame(**frame)
        assert (teller.told.frames_per_s is None) == (number < 8), "over less than a second none is told"
        clock.now_s += 0.125
    assert [told.frames_announced for told in written] == [1, 5, 9]
    assert teller.told.frames_per_s == 8.0
    teller.tell(state="paused")
    teller.tell(state="paused")
    assert [told.state for told in written[3:]] == ["paused"]
    for _ in range(100):
        clock.now_s += 0.1
        teller.tell_frame(**frame)
    assert teller.told.frames_per_s == pytest.approx(10, abs=0.3)
    assert teller.told.frames_announced == 110
    teller.tell_frame(captured_at_ms=2, image_path="b", is_announced=False, position_s=4.0)
    assert (teller.told.frames_announced, teller.told.position_s) == (110, 4.0)


def test_what_is_away_is_told_until_the_next_frame_comes() -> None:
    written: list[FeedTold] = []
    teller = Teller(FeedTold("running"), written.append)
    patience = TellingPatience(teller, lambda line: None, lambda: False)
    answers = [Retryable("the log is away"), Retryable("the log is away"), None]

    def publish() -> None:
        if (error := answers.pop(0)) is not None:
            raise error

    patience.until_done("the log", publish)
    assert [(told.state, told.reason) for told in written] == [("waiting", "The log is away.")]
    teller.tell_frame(captured_at_ms=1, image_path="a", is_announced=True)
    assert (written[-1].state, written[-1].reason) == ("running", "")
