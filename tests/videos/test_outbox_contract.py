"""What every outbox keeps: a thing is told once, and a mail that was begun stays of the same notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.videos.test_video_catalogue_contract import ADAPTERS, Make, Sqlite

from frametally_videos.ports.outbox import Letter
from frametally_videos.ports.video_catalogue import VideoCatalogue

LONG_S = 3600.0


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__.lower())
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    with ExitStack() as stack:
        yield request.param(stack)


def claimed(
    outbox: VideoCatalogue, *, waited_s: float = 0, limit: int = 100, lease_s: float = LONG_S
) -> Letter:
    letter = outbox.claim_letter(waited_s=waited_s, limit=limit, lease_s=lease_s)
    assert letter is not None
    return letter


def ids(letter: Letter) -> list[str]:
    return [notice.id for notice in letter.notices]


def test_what_is_put_twice_is_told_once(make: Make) -> None:
    outbox = make()
    assert outbox.put_notice("a", "Gate is ready", "text")
    assert not outbox.put_notice("a", "other words", "text")
    letter = claimed(outbox)
    assert [(notice.id, notice.subject) for notice in letter.notices] == [("a", "Gate is ready")]
    assert outbox.end_letter(letter, "sent")
    assert not outbox.put_notice("a", "Gate is ready", "text")
    assert outbox.claim_letter(waited_s=0, limit=100, lease_s=1) is None
    assert [(notice.id, notice.state) for notice in outbox.notices(10)] == [("a", "sent")]


def test_notices_wait_for_each_other_until_the_oldest_has_waited_long_enough(make: Make) -> None:
    outbox = make()
    outbox.put_notice("a", "s", "b")
    assert outbox.claim_letter(waited_s=LONG_S, limit=100, lease_s=1) is None
    outbox.put_notice("b", "s", "b")
    assert ids(claimed(outbox)) == ["a", "b"]


def test_a_mail_that_was_begun_stays_of_the_same_notices_whatever_comes_meanwhile(make: Make) -> None:
    outbox = make()
    for name in "ab":
        outbox.put_notice(name, "s", "b")
    first = claimed(outbox, lease_s=0)
    outbox.put_notice("c", "s", "b")
    again = claimed(outbox, waited_s=LONG_S)
    assert (again.id, ids(again), again.attempts) == (first.id, ["a", "b"], 2)
    assert not outbox.end_letter(first, "sent")
    assert outbox.end_letter(again, "queued", reason="away", again_after_s=0)
    third = claimed(outbox)
    assert (third.id, ids(third), third.notices[0].reason) == (first.id, ["a", "b"], "away")
    other = claimed(outbox)
    assert ids(other) == ["c"]
    assert other.id != first.id


def test_a_mail_that_is_queued_again_waits_and_one_that_was_given_up_is_over(make: Make) -> None:
    outbox = make()
    outbox.put_notice("a", "s", "b")
    assert outbox.end_letter(claimed(outbox), "queued", again_after_s=LONG_S)
    assert outbox.claim_letter(waited_s=0, limit=100, lease_s=1) is None
    outbox.put_notice("b", "s", "b")
    assert outbox.end_letter(claimed(outbox), "failed", reason="refused")
    assert [(one.id, one.state, one.reason) for one in outbox.notices(10)] == [
        ("b", "failed", "refused"),
        ("a", "queued", None),
    ]
    assert [one.id for one in outbox.notices(1)] == ["b"]


def test_of_many_that_ask_at_once_one_gets_the_mail(make: Make) -> None:
    make().put_notice("a", "s", "b")
    start, got = threading.Barrier(4), []

    def ask(mine: VideoCatalogue) -> None:
        start.wait()
        got.append(mine.claim_letter(waited_s=0, limit=100, lease_s=LONG_S))

    threads = [threading.Thread(target=ask, args=(make(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(letter is not None for letter in got) == 1


@given(st.lists(st.sampled_from(["put", "claim", "lose", "send", "again"]), max_size=25), st.integers(1, 3))
@settings(max_examples=examples(30))
def test_whatever_happened_each_notice_is_in_one_mail_which_never_changes(
    steps: list[str], limit: int
) -> None:
    with ExitStack() as stack:
        outbox = Sqlite(stack)()
        contents: dict[str, list[str]] = {}
        held: list[Letter] = []
        put = 0
        for step in steps:
            if step == "put":
                put += 1
                outbox.put_notice(str(put), "s", "b")
            elif step in ("claim", "lose"):
                letter = outbox.claim_letter(
                    waited_s=0, limit=limit, lease_s=LONG_S if step == "claim" else 0
                )
                if letter is not None:
                    assert contents.setdefault(letter.id, ids(letter)) == ids(letter)
                    assert len(ids(letter)) <= limit
                    held.append(letter)
            elif held:
                outbox.end_letter(held.pop(), "sent" if step == "send" else "queued")
        told = [notice for letter in contents.values() for notice in letter]
        assert len(told) == len(set(told))
