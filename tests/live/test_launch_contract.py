"""What the live book keeps of streams that are launched from elsewhere: they are nobody's before."""

from __future__ import annotations

import pytest
from tests.live.test_live_book_contract import (
    NEVER,
    RUNNING,
    book,
    claimed,
    later,
    make,
    stream_of,
)
from tests.videos.test_video_catalogue_contract import LONG_S

from frametally_live.book import LiveBook
from frametally_live.feed_records import LAUNCH_IS_GONE, LAUNCH_NEVER_CAME, Feed, FeedTold

__all__ = ["book", "make"]


def booked(book: LiveBook, video_id: str = "v1", within_s: float = LONG_S) -> Feed:
    return book.start_stream(stream_of(video_id, launch="booked"), most=9, launch_within_s=within_s)


def test_a_booked_stream_is_nobodys_until_it_is_launched(book: LiveBook) -> None:
    feed = booked(book)
    assert book.claim_feed("w", ("video",), lease_s=LONG_S) is None
    assert booked(book) == feed
    book.ask_feed(feed.id, "pause", seek_s=4.0)
    launched = book.launch_feed(feed.id, lease_s=LONG_S)
    assert launched is not None
    assert (launched.launch, launched.told.reason) == ("launched", "")
    held = claimed(book)
    assert (held.id, held.wanted, held.told.position_s) == (feed.id, "pause", 4.0)
    assert book.launch_feed(NEVER, lease_s=LONG_S) is None


def test_a_booked_stream_that_is_stopped_is_over_and_launched_no_more(book: LiveBook) -> None:
    waiting = FeedTold("requested", "Airflow is to begin its run.")
    feed = book.start_stream(stream_of(launch="booked", told=waiting), most=9, launch_within_s=LONG_S)
    stopped = book.ask_feed(feed.id, "stop")
    assert stopped is not None
    assert stopped.told == FeedTold("ended"), "nothing is waited for any more"
    launched = book.launch_feed(feed.id, lease_s=LONG_S)
    assert launched is not None
    assert launched.is_over
    assert not book.fail_launch(feed.id, "too late")
    assert claimed_or_none(book) is None


@pytest.mark.parametrize("who_looks", ["a worker", "who starts one"])
def test_a_booked_stream_that_is_not_launched_in_time_has_failed(book: LiveBook, who_looks: str) -> None:
    feed = booked(book, within_s=0.0)
    later()
    if who_looks == "a worker":
        assert claimed_or_none(book) is None
    else:
        assert booked(book).id != feed.id
    over = book.feed(feed.id)
    assert over is not None
    assert (over.told.state, over.told.reason) == ("failed", LAUNCH_NEVER_CAME)


@pytest.mark.parametrize("is_heard_again", [True, False])
def test_a_stream_whose_launcher_is_missed_twice_has_failed(book: LiveBook, is_heard_again: bool) -> None:
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
    assert over is not None
    assert (over.told.state, over.told.reason) == (
        ("running", "") if is_heard_again else ("failed", LAUNCH_IS_GONE)
    )
    assert (book.renew_feed(held, RUNNING, lease_s=LONG_S) is not None) == is_heard_again


def test_a_launch_fails_once_and_what_needs_none_is_left_alone(book: LiveBook) -> None:
    plain, feed = book.start_stream(stream_of("v2"), most=9), booked(book)
    assert not book.fail_launch(plain.id, "no")
    assert book.launch_feed(plain.id, lease_s=LONG_S) == plain
    book.launch_feed(feed.id, lease_s=LONG_S)
    assert not book.fail_launch(feed.id, "no", only_booked=True)
    assert book.fail_launch(feed.id, "Its run was ended.")
    assert not book.fail_launch(feed.id, "again")
    over = book.feed(feed.id)
    assert over is not None
    assert (over.told.state, over.told.reason, over.is_over) == ("failed", "Its run was ended.", True)
    assert booked(book).id != feed.id


def claimed_or_none(book: LiveBook) -> Feed | None:
    return book.claim_feed("x", ("video",), lease_s=LONG_S)
