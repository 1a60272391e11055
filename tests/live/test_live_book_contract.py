"""The live book, on SQLite and PostgreSQL: which worker runs and which launcher starts each feed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from tests.examples import examples
from tests.fakes.at_once import at_once
from tests.fakes.databases import DATABASES, Openings
from tests.kit.waiting import until
from tests.videos.test_video_catalogue_contract import LONG_S

from frametally_live import tables
from frametally_live.book import LiveBook
from frametally_live.feed_records import LAUNCH_IS_GONE, LAUNCH_NEVER_CAME, Feed, FeedTold, TooManyStreams

Make = Callable[..., LiveBook]
NEVER = "00000000-0000-4000-8000-000000000000"
RUNNING = FeedTold(
    "running",
    position_s=2.5,
    captured_at_ms=7,
    image_path="images/a",
    frames_per_s=9.5,
    frames_announced=3,
    due_at_ms=8,
)


@pytest.fixture(params=DATABASES)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    with ExitStack() as stack:
        yield Openings(stack, LiveBook, request.param)


@pytest.fixture
def book(make: Make) -> LiveBook:
    return make()


def stream_of(video_id: str = "v1", **values: Any) -> Feed:
    usual: dict[str, Any] = {"id": str(uuid.uuid4()), "kind": "video", "source": "gate", "name": "Gate"}
    return Feed(**usual | {"video_id": video_id} | values)


def camera(source: str = "gate", **values: Any) -> Feed:
    usual = {"id": str(uuid.uuid4()), "kind": "camera", "source": source, "name": source.title()}
    return Feed(**usual | {"address": "rtsp://10.0.0.1/a"} | values)


def claimed(book: LiveBook, worker: str = "w", lease_s: float = LONG_S) -> Feed:
    feed = book.claim_feed(worker, ("camera", "video"), lease_s=lease_s)
    assert feed is not None
    return feed


def running(book: LiveBook) -> Feed:
    """A stream that a worker holds."""
    book.start_stream(stream_of(), most=1)
    return claimed(book)


def state_of(book: LiveBook, feed: Feed) -> str:
    return book.feed(feed.id).told.state


def test_a_feed_is_kept_as_it_was_put(book: LiveBook) -> None:
    video = book.start_stream(stream_of(speed=2.0, model="m"), most=1)
    placed = book.put_camera(camera(transport="udp"))
    assert placed is not None
    for feed in (video, placed):
        assert book.feed(feed.id) == feed
        assert feed.created_at_ms > 0
        assert (feed.told, feed.wanted, feed.worker) == (FeedTold("requested"), "run", "")
    assert book.feed(NEVER) is None
    assert book.feeds() == [placed, video]
    assert book.feeds("camera") == [placed]
    assert book.feeds(video_id="v1") == [video]
    assert book.feeds(video_id="v2") == []
    assert book.feeds(limit=1) == [placed]


def test_a_video_has_at_most_one_running_stream(book: LiveBook) -> None:
    first = book.start_stream(stream_of(), most=1)
    assert book.start_stream(stream_of(speed=3.0), most=1) == first
    assert book.release_feed(claimed(book), FeedTold("ended"))
    second = book.start_stream(stream_of(), most=1)
    assert second.id != first.id
    assert [feed.id for feed in book.feeds()] == [second.id, first.id]
    assert book.release_feed(claimed(book), FeedTold("ended"))
    third = book.start_stream(stream_of(), most=1)
    assert [feed.id for feed in book.feeds()] == [third.id, second.id], "of the ended ones the last is kept"


def test_simultaneous_starts_of_a_stream_all_get_the_same_one(make: Make) -> None:
    make()
    got = at_once(*(partial(make().start_stream, stream_of(), most=1) for _ in range(6)))
    assert len({feed.id for feed in got}) == 1


def test_streams_beyond_the_limit_are_refused_and_the_running_ones_named(book: LiveBook) -> None:
    one, two = (book.start_stream(stream_of(name), most=2) for name in ("v1", "v2"))
    with pytest.raises(TooManyStreams, match="Gate, Gate") as refused:
        book.start_stream(stream_of("v3"), most=2)
    assert refused.value.running == [one, two]
    assert book.start_stream(stream_of("v2"), most=1) == two, "the one that runs is no further one"
    assert book.put_camera(camera()) is not None, "a camera is none"
    assert book.ask_feed(one.id, "stop") is not None
    assert book.start_stream(stream_of("v3"), most=2).video_id == "v3"


def test_a_source_has_one_camera_whether_it_is_running_or_not(book: LiveBook) -> None:
    first = book.put_camera(camera("gate"))
    assert book.put_camera(camera("gate")) is None
    assert book.put_camera(camera("yard")) is not None
    book.ask_feed(first.id, "stop")
    assert book.put_camera(camera("gate")) is None
    assert book.remove_feed(first.id)
    assert book.put_camera(camera("gate")) is not None


def test_a_feed_belongs_to_one_worker_until_its_lease_ends_and_that_worker_can_then_no_longer_write(
    make: Make,
) -> None:
    book, other = make(), make()
    book.start_stream(stream_of(), most=1)
    assert book.claim_feed("w", ("camera",), lease_s=LONG_S) is None
    held = claimed(book)
    assert (held.worker, held.generation, held.told.state) == ("w", 1, "starting")
    assert other.claim_feed("x", ("video",), lease_s=LONG_S) is None
    assert book.renew_feed(held, RUNNING, lease_s=0.0) is not None
    taken = until(lambda: other.claim_feed("x", ("video",), lease_s=LONG_S))
    assert (taken.worker, taken.generation) == ("x", 2)
    assert taken.told == RUNNING._replace(state="starting"), "it goes on where the other was"
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S) is None
    assert not book.release_feed(held, FeedTold("ended"))
    assert state_of(book, held) == "starting"


def test_a_feed_whose_worker_is_lost_is_not_shown_as_running(book: LiveBook) -> None:
    held = running(book)
    book.renew_feed(held, RUNNING, lease_s=LONG_S)
    assert [feed.told for feed in book.feeds()] == [RUNNING]
    book.renew_feed(held, RUNNING._replace(state="waiting", reason="The store is away."), lease_s=0.0)
    assert [feed.told for feed in book.feeds()] == [RUNNING._replace(state="requested")]
    book.release_feed(held, FeedTold("ended"))
    assert [feed.told.state for feed in book.feeds()] == ["ended"]


def test_each_feed_goes_to_one_of_many_claims(make: Make) -> None:
    book = make()
    ids = [book.start_stream(stream_of(f"v{n}"), most=9).id for n in range(9)]
    got = []

    def ask(mine: LiveBook) -> None:
        while feed := mine.claim_feed("w", ("video",), lease_s=LONG_S):
            got.append(feed.id)

    at_once(*(partial(ask, make()) for _ in range(4)))
    assert sorted(got) == sorted(ids)


def test_renewing_a_lease_returns_the_wishes_and_publishes_the_progress(book: LiveBook) -> None:
    held = running(book)
    now = book.renew_feed(held, RUNNING, lease_s=LONG_S)
    assert (now.wanted, now.seek_s, now.told) == ("run", None, RUNNING)
    assert book.feed(held.id).told == RUNNING
    assert book.ask_feed(held.id, "pause").wanted == "pause"
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S).wanted == "pause"
    assert book.ask_feed(held.id, "run", seek_s=40.0).seek_s == 40.0
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S).seek_s == 40.0
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S).seek_s is None, "once"
    assert book.ask_feed(NEVER, "run") is None


def test_a_pause_at_the_same_time_as_a_seek_is_not_lost(make: Make) -> None:
    book = make()
    held = running(book)
    for number in range(1, 6):
        book.ask_feed(held.id, "run")
        seek, pause = {"seek_s": float(number)}, {"wanted": "pause"}
        at_once(*(partial(make().ask_feed, held.id, **asked) for asked in (seek, pause, seek, seek)))
        now = book.renew_feed(held, RUNNING, lease_s=LONG_S)
        assert (now.wanted, now.seek_s) == ("pause", number)
    assert book.ask_feed(held.id, "run", seek_s=9.0).wanted == "run", "who asks for both gets both"
    assert book.ask_feed(held.id, seek_s=2.0).wanted == "run"


@pytest.mark.parametrize("heard", [False, True])
def test_a_worker_that_takes_over_starts_at_the_requested_position(book: LiveBook, heard: bool) -> None:
    held = running(book)
    book.renew_feed(held, RUNNING, lease_s=0.0)
    book.ask_feed(held.id, "run", seek_s=40.0)
    if heard:
        assert book.renew_feed(held, RUNNING, lease_s=0.0).seek_s == 40.0
    taken = until(lambda: book.claim_feed("x", ("video",), lease_s=LONG_S))
    assert (taken.told.position_s, taken.told.due_at_ms, taken.seek_s) == (40.0, None, None)


def test_a_held_stream_is_stopped_by_its_holder(book: LiveBook) -> None:
    held = running(book)
    assert book.ask_feed(held.id, "stop").told.state == "stopping"
    now = book.renew_feed(held, RUNNING, lease_s=LONG_S)
    assert (now.wanted, now.told.state) == ("stop", "stopping"), "whatever it tells until it has heard"
    assert book.ask_feed(held.id, "run").wanted == "stop"
    assert book.release_feed(held, RUNNING)
    over = book.feed(held.id)
    assert (over.told, over.worker, over.is_over) == (RUNNING._replace(state="ended"), "", True)
    assert over.ended_at_ms is not None
    for wanted in ("run", "pause", "stop"):
        assert book.ask_feed(held.id, wanted) == over
    assert book.claim_feed("x", ("video",), lease_s=LONG_S) is None
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S) is None


def test_a_stream_without_a_holder_stops_at_once(book: LiveBook) -> None:
    waiting = book.start_stream(stream_of("v1"), most=9)
    assert book.ask_feed(waiting.id, "stop").told.state == "ended"
    left = book.start_stream(stream_of("v2"), most=9)
    claimed(book, lease_s=0.0)
    later()
    assert book.ask_feed(left.id, "stop").is_over
    asked = book.start_stream(stream_of("v3"), most=9)
    held = claimed(book)
    book.ask_feed(asked.id, "stop")
    book.renew_feed(held, RUNNING, lease_s=0.0)
    later()
    assert book.claim_feed("x", ("video",), lease_s=LONG_S) is None
    assert state_of(book, asked) == "ended"


def test_starting_a_stream_during_its_stop_gives_another_stream(book: LiveBook) -> None:
    first = book.start_stream(stream_of(), most=1)
    held = claimed(book)
    book.ask_feed(first.id, "stop")
    assert book.start_stream(stream_of(), most=1).id != first.id
    assert state_of(book, first) == "ended"
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S) is None


def test_an_ended_camera_runs_again_on_request(book: LiveBook) -> None:
    placed = book.put_camera(camera())
    assert placed is not None
    assert book.release_feed(claimed(book), FeedTold("failed", "wrong password"))
    assert book.claim_feed("w", ("camera",), lease_s=LONG_S) is None
    again = book.ask_feed(placed.id, "run")
    assert (again.told, again.ended_at_ms) == (FeedTold("requested"), None)
    held = claimed(book)
    book.ask_feed(placed.id, "stop")
    assert book.ask_feed(placed.id, "run").wanted == "run"
    assert book.release_feed(held, FeedTold("ended")), "it had heard of the stop alone"
    assert state_of(book, placed) == "requested"
    assert claimed(book).id == placed.id


@pytest.mark.parametrize(("how", "missed_since_ms"), [("failed", 5000), ("stopped", None)])
def test_a_cameras_counters_continue_when_it_is_started_again(
    book: LiveBook, how: str, missed_since_ms: int | None
) -> None:
    placed = book.put_camera(camera())
    held = claimed(book)
    told = FeedTold("failed", frames_announced=70, frames_lost=2, packets_lost=5, captured_at_ms=5000)
    if how == "stopped":
        book.ask_feed(placed.id, "stop")
        told = told._replace(state="ended")
    assert book.release_feed(held, told._replace(reason="away", frames_per_s=5.0, lag_ms=9))
    again = book.ask_feed(placed.id, "run")
    assert again.told == told._replace(state="requested", captured_at_ms=missed_since_ms)


def test_a_held_feed_cannot_be_removed(book: LiveBook) -> None:
    one = book.start_stream(stream_of(), most=1)
    held = claimed(book)
    assert not book.remove_feed(one.id)
    assert book.release_feed(held, FeedTold("ended"))
    assert book.remove_feed(one.id)
    assert not book.remove_feed(one.id)
    assert book.feeds() == []
    assert book.start_stream(stream_of(), most=1).id
    assert book.remove_feed(book.feeds()[0].id), "nobody holds it"


def test_a_held_camera_is_deleted_as_soon_as_it_has_ended(book: LiveBook) -> None:
    placed = book.put_camera(camera())
    held = claimed(book)
    assert not book.remove_feed(placed.id)
    [listed] = book.feeds("camera")
    assert listed.wanted == "stop"
    told = book.renew_feed(held, RUNNING, lease_s=LONG_S)
    assert (told.wanted, told.told.state) == ("stop", "stopping")
    book.ask_feed(placed.id, "stop")  # changes nothing
    assert book.release_feed(held, FeedTold("ended"))
    assert book.feeds() == []
    assert book.put_camera(camera()) is not None


def test_a_camera_that_is_started_again_before_it_has_ended_is_not_deleted(book: LiveBook) -> None:
    placed = book.put_camera(camera())
    held = claimed(book)
    assert not book.remove_feed(placed.id)
    assert book.ask_feed(placed.id, "run").wanted == "run"
    assert book.release_feed(held, FeedTold("ended"))
    assert claimed(book).id == placed.id


def test_a_camera_whose_worker_died_during_its_deletion_is_gone(book: LiveBook) -> None:
    placed = book.put_camera(camera())
    assert book.claim_feed("w", ["camera"], lease_s=0.01) is not None
    book.remove_feed(placed.id)
    time.sleep(0.05)
    assert book.claim_feed("x", ["camera"], lease_s=LONG_S) is None
    assert book.feeds() == []


def test_a_released_feed_continues_with_another_worker(book: LiveBook) -> None:
    book.start_stream(stream_of(), most=1)
    assert book.release_feed(claimed(book), RUNNING._replace(state="requested"))
    taken = claimed(book, "x")
    assert (taken.worker, taken.told.position_s) == ("x", 2.5)


def test_the_version_changes_with_what_a_page_shows_but_not_with_a_renewal(book: LiveBook) -> None:
    feed = book.start_stream(stream_of(), most=1)
    seen = [book.version()]
    held = claimed(book)
    waiting = RUNNING._replace(state="waiting", reason="the log is away")
    changing: list[Callable[[], object]] = [
        lambda: book.renew_feed(held, RUNNING, lease_s=LONG_S),
        lambda: book.renew_feed(held, waiting, lease_s=LONG_S),
        lambda: book.ask_feed(feed.id, "pause"),
        lambda: book.ask_feed(feed.id, "stop"),
        lambda: book.release_feed(held, FeedTold("ended")),
        lambda: book.remove_feed(feed.id),
        lambda: book.put_camera(camera()),
    ]
    assert book.version() not in seen
    seen.append(book.version())
    for change in changing:
        change()
        assert book.version() not in seen
        seen.append(book.version())
    held = claimed(book)
    book.renew_feed(held, RUNNING, lease_s=LONG_S)
    seen.append(book.version())
    for position_s in (3.0, 4.0):
        book.renew_feed(held, RUNNING._replace(position_s=position_s), lease_s=LONG_S)
    assert book.version() == seen[-1]


STEPS = ("start", "claim", "lose", "renew", "release", "end", "pause", "stop", "run", "remove")


@pytest.mark.thorough
@settings(max_examples=examples(60))
@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_after_any_steps_a_video_has_one_stream_and_a_stream_one_holder(steps: list[str]) -> None:
    with ExitStack() as stack:
        book = Openings(stack, LiveBook)()
        held: list[Feed] = []
        for step in steps:
            one = next(iter(book.feeds()), None)
            if step == "start":
                book.start_stream(stream_of(), most=1)
            elif step == "claim":
                held += filter(None, [book.claim_feed("w", ("video",), lease_s=LONG_S)])
            elif step == "lose" and held:
                book.renew_feed(held[-1], RUNNING, lease_s=0.0)
                later()
            elif step == "renew" and held:
                book.renew_feed(held[-1], RUNNING, lease_s=LONG_S)
            elif step in ("release", "end") and held:
                state: Any = "requested" if step == "release" else "ended"
                book.release_feed(held.pop(), FeedTold(state))
            elif step in ("pause", "stop", "run") and one is not None:
                wanted: Any = step
                book.ask_feed(one.id, wanted)
            elif step == "remove" and one is not None:
                book.remove_feed(one.id)
            assert sum(not feed.is_over for feed in book.feeds()) <= 1
            assert all(feed.is_over == (feed.ended_at_ms is not None) for feed in book.feeds())
            assert not any(feed.worker for feed in book.feeds() if feed.is_over)
        holding = [feed for feed in held if book.renew_feed(feed, RUNNING, lease_s=LONG_S)]
        assert len(holding) <= 1


def later() -> None:
    """A moment: leases have a resolution of a millisecond."""
    time.sleep(0.005)


__all__ = ["book", "make"]


def booked(book: LiveBook, video_id: str = "v1", within_s: float = LONG_S) -> Feed:
    return book.start_stream(stream_of(video_id, launch="booked"), most=9, launch_within_s=within_s)


def test_a_booked_stream_belongs_to_nobody_until_it_is_launched(book: LiveBook) -> None:
    feed = booked(book)
    assert book.claim_feed("w", ("video",), lease_s=LONG_S) is None
    assert booked(book) == feed
    book.ask_feed(feed.id, "pause", seek_s=4.0)
    launched = book.launch_feed(feed.id, lease_s=LONG_S)
    assert (launched.launch, launched.told.reason) == ("launched", "")
    held = claimed(book)
    assert (held.id, held.wanted, held.told.position_s) == (feed.id, "pause", 4.0)
    assert book.launch_feed(NEVER, lease_s=LONG_S) is None


def test_a_booked_stream_that_is_stopped_ends_and_is_not_launched(book: LiveBook) -> None:
    waiting = FeedTold("requested", "Airflow is starting its run.")
    feed = book.start_stream(stream_of(launch="booked", told=waiting), most=9, launch_within_s=LONG_S)
    stopped = book.ask_feed(feed.id, "stop")
    assert stopped.told == FeedTold("ended"), "nothing is waited for any more"
    assert book.launch_feed(feed.id, lease_s=LONG_S).is_over
    assert not book.fail_launch(feed.id, "too late")
    assert claimed_or_none(book) is None


@pytest.mark.parametrize("who_looks", ["a worker", "who starts one"])
def test_a_booked_stream_that_is_not_launched_in_time_fails(book: LiveBook, who_looks: str) -> None:
    feed = booked(book, within_s=0.0)
    later()
    if who_looks == "a worker":
        assert claimed_or_none(book) is None
    else:
        assert booked(book).id != feed.id
    over = book.feed(feed.id)
    assert (over.told.state, over.told.reason) == ("failed", LAUNCH_NEVER_CAME)


@pytest.mark.parametrize("is_heard_again", [True, False])
def test_a_stream_whose_launcher_is_missed_twice_fails(book: LiveBook, is_heard_again: bool) -> None:
    feed = booked(book)
    book.launch_feed(feed.id, lease_s=LONG_S)
    held = claimed(book)
    book.launch_feed(feed.id, lease_s=0.0)
    later()
    assert book.claim_feed("x", ("video",), lease_s=0.0) is None, "missed for the first time"
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S) is not None
    if is_heard_again:
        book.launch_feed(feed.id, lease_s=LONG_S)
    later()
    assert claimed_or_none(book) is None
    over = book.feed(feed.id)
    assert (over.told.state, over.told.reason) == (
        ("running", "") if is_heard_again else ("failed", LAUNCH_IS_GONE)
    )
    assert (book.renew_feed(held, RUNNING, lease_s=LONG_S) is not None) == is_heard_again


def test_a_launch_fails_once_and_only_a_booked_stream_can_fail_so(book: LiveBook) -> None:
    plain, feed = book.start_stream(stream_of("v2"), most=9), booked(book)
    assert not book.fail_launch(plain.id, "no")
    assert book.launch_feed(plain.id, lease_s=LONG_S) == plain
    book.launch_feed(feed.id, lease_s=LONG_S)
    assert not book.fail_launch(feed.id, "no", only_booked=True)
    assert book.fail_launch(feed.id, "Its run was ended.")
    assert not book.fail_launch(feed.id, "again")
    over = book.feed(feed.id)
    assert (over.told.state, over.told.reason, over.is_over) == ("failed", "Its run was ended.", True)
    assert booked(book).id != feed.id


def claimed_or_none(book: LiveBook) -> Feed | None:
    return book.claim_feed("x", ("video",), lease_s=LONG_S)


@pytest.mark.parametrize("kind", ["camera", "video"])
def test_a_feed_leased_by_a_fast_clock_is_taken_over(book: LiveBook, kind: str) -> None:
    feed = book.put_camera(camera()) if kind == "camera" else book.start_stream(stream_of(), most=1)
    held = claimed(book, worker="killed")
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S) is not None
    assert book.claim_feed("x", ("camera", "video"), lease_s=LONG_S) is None
    set_clock_back(book, "due_at_ms")
    assert [found.told.state for found in book.feeds()] == ["requested"]
    assert claimed(book, worker="x").id == feed.id
    assert book.renew_feed(held, RUNNING, lease_s=LONG_S) is None


def test_a_launch_awaited_by_a_fast_clock_fails(book: LiveBook) -> None:
    feed = book.start_stream(stream_of(launch="booked"), most=1, launch_within_s=120)
    set_clock_back(book, "launch_due_at_ms")
    assert book.claim_feed("w", ("video",), lease_s=LONG_S) is None
    assert state_of(book, feed) == "failed"


def set_clock_back(book: LiveBook, column: str) -> None:
    """Shift a time of all feeds into the future, as if the clock had been set back since."""
    with book._database.writing() as connection:
        moved = {column: tables.feeds.c[column] + 3650 * 86_400_000}
        connection.execute(update(tables.feeds).values(**moved))
