"""Capture times of frames, and due times of stored ones."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.errors import Retryable
from frametally.rules.times import DAY_MS, FIRST_MS, NEXT_MS
from frametally_live.cameras.camera_access import CameraAway
from frametally_live.cameras.rtp_track import LostPackets, RtpTrack, gap_in
from frametally_live.cameras.stream_clock import CaptureClock
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds.feed_messages import FeedWish, Teller, TellingPatience, Wishes
from frametally_live.feeds.video_stream import PlayingClock

NOW_MS = 1_790_000_000_000
steps = st.lists(st.integers(-20_000, 20_000), min_size=1, max_size=50)


@given(positions=steps, arrivals=steps, streams=st.none() | steps)
def test_times_grow_whatever_clocks_do_except_at_a_new_start(
    positions: list[int], arrivals: list[int], streams: list[int] | None
) -> None:
    clock, last_ms = CaptureClock(), None
    position_ms, arrived_ms, stream_ms = 0, NOW_MS, NOW_MS
    for index, step_ms in enumerate(positions):
        position_ms = max(0, position_ms + step_ms)
        arrived_ms += arrivals[index % len(arrivals)]
        stream_ms += streams[index % len(streams)] if streams else 0
        try:
            found = clock.time_of(
                position_ms, stream_ms=stream_ms if streams else None, arrived_at_ms=arrived_ms
            )
        except CameraAway:
            clock.connect()
            continue
        assert last_ms is None or found.at_ms > last_ms or found.runs_back
        last_ms = found.at_ms


def test_a_streams_clock_is_used_and_its_offset_reported() -> None:
    clock = CaptureClock()
    for index in range(100):
        found = clock.time_of(
            index * 40, stream_ms=NOW_MS - 90_000 + index * 40, arrived_at_ms=NOW_MS + index * 40 + index % 7
        )
        assert (found.at_ms, found.time_source) == (NOW_MS - 90_000 + index * 40, "stream_clock")
    assert clock.drift_ms == -90_000 - 99 % 7


def test_a_clock_that_was_never_set_is_not_used() -> None:
    found = CaptureClock().time_of(0, stream_ms=5, arrived_at_ms=NOW_MS)
    assert (found.at_ms, found.time_source) == (NOW_MS, "arrival")


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000, DAY_MS // 2])
def test_a_clock_that_jumps_ends_the_connection_and_the_next_one_follows_it(jump_ms: int) -> None:
    clock = CaptureClock()
    clock.time_of(0, stream_ms=NOW_MS, arrived_at_ms=NOW_MS)
    with pytest.raises(CameraAway, match=f"has changed its clock by {jump_ms // 1000} s"):
        clock.time_of(40, stream_ms=NOW_MS + 40 + jump_ms, arrived_at_ms=NOW_MS + 40)
    clock.connect()
    found = clock.time_of(0, stream_ms=NOW_MS + 80 + jump_ms, arrived_at_ms=NOW_MS + 80)
    assert (found.at_ms, found.runs_back) == (NOW_MS + 80 + jump_ms, jump_ms < 0)


def test_a_stopped_clock_is_reported_once_it_is_ten_seconds_behind() -> None:
    clock = CaptureClock()
    with pytest.raises(CameraAway, match="has changed its clock by -10 s"):
        for at_ms in range(0, 20_000, 40):
            clock.time_of(at_ms, stream_ms=NOW_MS, arrived_at_ms=NOW_MS + at_ms)
    assert clock.drift_ms == -10_040


@pytest.mark.parametrize("back_ms", [40, 1000, 5000, 9900])
def test_a_clock_that_goes_back_runs_at_half_its_pace_until_the_difference_is_made_up(back_ms: int) -> None:
    clock = CaptureClock()
    given_ms = [
        clock.time_of(
            index * 200,
            stream_ms=NOW_MS + index * 200 - back_ms * (index >= 10),
            arrived_at_ms=NOW_MS + index * 200,
        ).at_ms
        for index in range(200)
    ]
    steps_ms = [b - a for a, b in pairwise(given_ms)]
    assert set(steps_ms[:9] + steps_ms[-90:]) == {200}
    assert sum(step_ms < 100 for step_ms in steps_ms) <= 2
    assert given_ms[-1] == NOW_MS + 199 * 200 - back_ms


@pytest.mark.parametrize("drift_ms", [-40_000, 0, 40_000])
def test_a_connection_without_a_clock_keeps_the_offset_of_the_previous_one(drift_ms: int) -> None:
    clock = CaptureClock()
    given_ms = []
    for index in range(60):
        if index % 20 == 0:
            clock.connect()
        at_ms = NOW_MS + index * 200
        told_ms = None if 20 <= index < 40 else at_ms + drift_ms
        found = clock.time_of(index % 20 * 200, stream_ms=told_ms, arrived_at_ms=at_ms)
        assert (found.runs_back, found.time_source) == (
            False,
            "arrival" if told_ms is None else "stream_clock",
        )
        given_ms.append(found.at_ms)
    assert given_ms == [NOW_MS + drift_ms + index * 200 for index in range(60)]


@pytest.mark.parametrize("begin", [50, 1450], ids=["soon", "over the end of a window"])
def test_without_a_clock_a_network_stall_moves_no_frame(begin: int) -> None:
    clock = CaptureClock()
    delays = [4000 if begin <= index < begin + 100 else 3 for index in range(begin + 250)]
    for index, delay_ms in enumerate(delays):
        found = clock.time_of(index * 40, stream_ms=None, arrived_at_ms=NOW_MS + index * 40 + delay_ms)
        assert found.at_ms == NOW_MS + 3 + index * 40


@pytest.mark.parametrize("parts_per_million", [-200, 200])
def test_without_a_clock_a_fast_or_slow_camera_stays_within_a_second_for_a_day(
    parts_per_million: int,
) -> None:
    clock = CaptureClock()
    for arrived_ms in range(NOW_MS, NOW_MS + DAY_MS, 5000):
        passed_ms = arrived_ms - NOW_MS
        position_ms = passed_ms + passed_ms * parts_per_million // 1_000_000
        found = clock.time_of(position_ms, stream_ms=None, arrived_at_ms=arrived_ms)
        assert abs(found.at_ms - arrived_ms) < 1000


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000])
def test_without_a_clock_times_follow_arrival_even_after_this_machines_clock_was_corrected(
    jump_ms: int,
) -> None:
    clock = CaptureClock()
    for index in range(100):
        arrived_ms = NOW_MS + index * 40 + (jump_ms if index >= 50 else 0)
        found = clock.time_of(index * 40, stream_ms=None, arrived_at_ms=arrived_ms)
        assert (found.at_ms, found.runs_back) == (arrived_ms, jump_ms < 0 and index == 50)


def test_without_a_clock_the_next_connection_begins_when_its_first_frame_arrives() -> None:
    clock = CaptureClock()
    for arrived_ms in (NOW_MS, NOW_MS + 5000):
        clock.connect()
        for index in range(50):
            found = clock.time_of(index * 40, stream_ms=None, arrived_at_ms=arrived_ms + index * 40)
            assert found.at_ms == arrived_ms + index * 40


@pytest.mark.parametrize(
    ("arrived_ms", "at_ms"), [(FIRST_MS - DAY_MS, FIRST_MS), (NEXT_MS + DAY_MS, NEXT_MS - 1)]
)
def test_times_stay_valid_on_a_machine_whose_clock_was_never_set(arrived_ms: int, at_ms: int) -> None:
    assert CaptureClock().time_of(0, stream_ms=None, arrived_at_ms=arrived_ms).at_ms == at_ms


def packet(number: int, sender: int = 1) -> bytes:
    return bytes((0x80, 96)) + (number % 65_536).to_bytes(2, "big") + bytes(4) + sender.to_bytes(4, "big")


@given(first=st.integers(0, 65_535), lost=st.sets(st.integers(1, 298)), seed=st.integers())
def test_lost_packets_are_counted_even_if_others_arrive_late(first: int, lost: set[int], seed: int) -> None:
    came = [number for number in range(300) if number not in lost]
    shuffled = random.Random(seed)  # noqa: S311 - no secret
    late = sorted(came[1:-1], key=lambda number: number + shuffled.uniform(0, 20))
    counting = LostPackets()
    for number in (came[0], *late, came[-1], came[-1] + 1):
        counting.pass_over(packet(first + number))
    assert counting.count == len(lost)


@given(
    first=st.integers(0, 65_535),
    lost=st.sets(st.integers(1, 298), max_size=20),
    is_ordered=st.booleans(),
    seed=st.integers(),
)
def test_packets_are_passed_on_in_order_with_a_mark_for_each_gap(
    first: int, lost: set[int], is_ordered: bool, seed: int
) -> None:
    shuffled = random.Random(seed)  # noqa: S311 - no secret
    numbers = [number for number in range(350) if number not in lost]
    came = sorted(numbers, key=lambda number: number + shuffled.uniform(0, 8)) if not is_ordered else numbers
    came = [0, *(number for number in came if number)]
    track = RtpTrack({96: b"H264"}, is_ordered=is_ordered, clock=lambda: 0.0)
    passed_on = [one for number in came for one in track.pass_on(packet(first + number) + b"\x41\x80")]
    marks = [one for one in passed_on if gap_in(one) is not None]
    given_numbers = [
        (int.from_bytes(one[2:4], "big") - first) % 65_536 for one in passed_on if gap_in(one) is None
    ]
    assert given_numbers == numbers[: len(given_numbers)]
    assert len(given_numbers) > 300
    gaps = sum(b - a > 1 for a, b in pairwise(given_numbers))
    assert len(marks) == gaps
    assert {(int.from_bytes(one[2:4], "big") - first) % 65_536 for one in marks} <= lost
    assert track.lost >= len(lost)


@pytest.mark.parametrize(("anew", "sender"), [(40_000, 1), (20, 2)], ids=["far", "another sender"])
def test_a_restarted_camera_has_lost_no_packets(anew: int, sender: int) -> None:
    counting = LostPackets()
    for number in (1, 2, 4, 5):
        counting.pass_over(packet(number))
    for number in (anew, anew + 1, anew + 3):
        counting.pass_over(packet(number, sender))
    assert counting.count == 2


@pytest.mark.parametrize(
    "nonsense", [b"", b"\x80", packet(9)[:10], b"\x00" + packet(9)[1:], b"\xc0" + packet(40_000)[1:]]
)
def test_invalid_packets_are_not_lost_and_do_not_hide_losses(nonsense: bytes) -> None:
    counting = LostPackets()
    counting.pass_over(packet(1))
    counting.pass_over(nonsense)
    counting.pass_over(packet(3))
    assert counting.count == 1


FEED = Feed(id="f", kind="video", source="gate", name="Gate", video_id="v")


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(st.floats(0.1, 16), st.floats(0, 1e5), st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0, 1000))
def test_a_frame_is_due_by_the_speed_since_the_clock_was_set(
    speed: float, set_to_s: float, now_s: float, ahead_s: float, later_s: float
) -> None:
    pace = PlayingClock(speed)
    pace.set_to(set_to_s, now_s)
    assert pace.due_in_s(set_to_s, now_s) == 0
    due_in_s = pace.due_in_s(set_to_s + ahead_s, now_s + later_s)
    assert due_in_s == pytest.approx(ahead_s / speed - later_s, abs=1e-3)


def test_a_seek_is_applied_once() -> None:
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
def test_a_feed_ends_when_it_is_stopped_or_hears_nothing_for_a_lease(
    wish: FeedWish, silent_s: float, is_end_wanted: bool
) -> None:
    clock = Clock()
    wishes = Wishes(FEED, lease_s=10, clock=clock)
    wishes.hear(wish)
    clock.now_s += silent_s
    assert wishes.is_end_wanted == is_end_wanted


def test_a_feed_that_loses_its_worker_first_handles_its_last_messages() -> None:
    wishes = Wishes(FEED, lease_s=10)
    wishes.listen(io.BytesIO(msgspec.json.encode(FeedWish("pause", 2.0)) + b"\n"))
    while not wishes.is_end_wanted:
        wishes.wait(0.01)
    assert (wishes.wanted, wishes.take_seek()) == ("pause", 2.0)


def test_a_change_of_state_is_reported_at_once_and_everything_else_twice_a_second() -> None:
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


def test_an_outage_is_reported_until_the_next_frame() -> None:
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
