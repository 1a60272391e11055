"""The contract of every alert book, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.alerts.alert_place import AFTERWARDS_MS, AlertPlace, alert_place
from tests.fakes.at_once import at_once
from tests.fakes.databases import Place

from frametally.adapters_by_url import open_count_index
from frametally.errors import Misconfigured
from frametally_alerts import tables
from frametally_alerts.book import AlertBook
from frametally_alerts.rules import AlertMessage, AlertRule, ScheduledReport
from frametally_videos.catalogue_by_url import open_video_catalogue


@pytest.fixture
def place(database: Place, tmp_path: Path) -> Iterator[AlertPlace]:
    with alert_place(tmp_path, database) as place:
        yield place


def claimed(place: AlertPlace, channel: str = "ops", lease_s: float = 60) -> AlertMessage:
    message = place.book.claim(channel, lease_s=lease_s)
    assert message is not None
    return message


def told(place: AlertPlace) -> None:
    place.rule(threshold=1, channels=["ops", "people"])
    place.count({0: 1, 2: 2})
    assert place.look().alert_count == 2


def test_a_rule_is_kept_as_added_and_its_name_is_unique(place: AlertPlace) -> None:
    rule = place.rule("\u00e9 <b>'; DROP TABLE x", threshold=1, labels=["car"])
    assert place.book.rules() == [rule]
    assert not place.book.add(rule)
    assert place.book.remove(AlertRule, rule.name)
    assert not place.book.remove(AlertRule, rule.name)
    assert place.book.rules() == []


def test_the_oldest_message_goes_first_and_later_ones_wait_behind_it(place: AlertPlace) -> None:
    told(place)
    first = claimed(place)
    assert first.alert.value == 1
    assert place.book.claim("ops", lease_s=60) is None
    assert claimed(place, "people").alert.value == 1
    assert place.book.end(first, "queued", reason="away", again_after_s=600)
    assert place.book.claim("ops", lease_s=60) is None
    assert place.book.waiting() == {"ops": 2, "people": 2}


def test_a_sender_that_lost_its_lease_can_no_longer_write(place: AlertPlace) -> None:
    told(place)
    first = claimed(place, lease_s=0)
    again = claimed(place)
    assert (again.id, again.attempts) == (first.id, 2)
    assert not place.book.end(first, "failed", reason="late")
    assert place.book.end(again, "sent")
    assert claimed(place).alert.value == 2


def test_only_one_of_several_simultaneous_claims_gets_a_message(place: AlertPlace) -> None:
    told(place)
    messages = at_once(*[lambda: place.book.claim("ops", lease_s=60)] * 8)
    assert sum(message is not None for message in messages) == 1


@pytest.mark.thorough
def test_several_simultaneous_rounds_report_each_alert_once(place: AlertPlace) -> None:
    place.rule(threshold=1)
    place.count({0: 1, 2: 2})
    at_once(*[place.look] * 6)
    assert place.told() == [(0, "told 1", 1), (2, "told 1", 2)]


def test_nothing_waits_for_years_after_a_clock_was_set_back(place: AlertPlace) -> None:
    told(place)
    book = place.book
    assert isinstance(book, AlertBook)
    with book._database.writing() as connection:
        connection.execute(update(tables.messages).values(due_at_ms=tables.messages.c.due_at_ms + 10**12))
    assert claimed(place).alert.value == 1


def test_removing_a_rule_removes_its_waiting_messages(place: AlertPlace) -> None:
    told(place)
    assert place.book.end(claimed(place), "sent")
    assert place.book.remove(AlertRule, "busy")
    assert place.book.waiting() == {}
    assert [message.state for message in place.book.messages(10)[0]] == ["sent"]
    assert place.look().alert_count == 0


def test_several_simultaneous_runs_of_a_report_notify_each_channel_once(place: AlertPlace) -> None:
    report = place.schedule(channels=["ops", "people"])
    assert place.book.reports() == [report]
    assert not place.book.add(report)
    now_ms = AFTERWARDS_MS + 7 * 24 * 3_600_000
    made = at_once(*[lambda: place.make_reports(now_ms, lambda *_: {"summary.txt": b"sum"})] * 6)
    assert sum(number for number, _ in made) == 1
    assert place.book.waiting() == {"ops": 1, "people": 1}


def test_removing_a_report_removes_only_its_own_waiting_messages(place: AlertPlace) -> None:
    told(place)
    place.schedule("busy")
    place.make_reports(AFTERWARDS_MS, lambda *_: {"summary.txt": b"sum"})
    assert place.book.waiting() == {"ops": 3, "people": 2}
    assert place.book.remove(ScheduledReport, "busy")
    assert not place.book.remove(ScheduledReport, "busy")
    assert place.book.waiting() == {"ops": 2, "people": 2}
    assert len(place.book.rules()) == 1


def test_messages_are_paged_newest_first(place: AlertPlace) -> None:
    told(place)
    first, following = place.book.messages(3)
    rest, end = place.book.messages(3, before=following)
    assert (len(first), len(rest), end) == (3, 1, 0)
    assert place.book.messages(10, states=["failed"]) == ([], 0)


@pytest.mark.parametrize("first", [AlertBook, open_video_catalogue])
def test_the_book_shares_the_catalogues_file_whichever_is_made_first(
    tmp_path: Path, first: Callable[[str], Any]
) -> None:
    url = f"sqlite:///{tmp_path}/catalogue.sqlite"
    for opens in (first, AlertBook, open_video_catalogue):
        opens(url).close()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/index.sqlite"
    with closing(open_count_index(url)), pytest.raises(Misconfigured, match="of another kind"):
        AlertBook(url)
