"""Originals, derivatives, reports, sent alerts and dead letters are removed by the same rules as frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from tests.capabilities import needs
from tests.fakes.records import make_frame, make_letter, make_manifest, make_segment
from tests.retention.filmed import FRAMES, START_MS, Filmed
from tests.traffic.zoned_footage import MODEL

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.rules.times import DAY_MS
from frametally_retention import rounds
from frametally_retention.dead_letters import dead_letters
from frametally_retention.policy import (
    LegalHold,
    Removal,
    RetentionPolicy,
    RetentionRule,
    begin_removal,
    drop_rule,
    put_hold,
    set_rule,
)

CLOCK_MS = 1 << 45
"""The store dates its objects by the machine's clock: all of them are older than this."""


def put_video(filmed: Filmed, number: int, *, complete: bool = True) -> str:
    from tests.videos.video_records import make_video

    video = make_video(number)
    manifest = make_manifest(
        1,
        media=video.sha256,
        source=f"gate-{number}",
        state="complete" if complete else "producing",
        span_ms=(START_MS, START_MS + 1000),
    )
    filmed.store.put(manifest.key, encode(manifest))
    filmed.store.put(video.key, encode(video))
    filmed.store.put(keys.original_key(video.id), b"original" * 100)
    filmed.store.put(keys.derivative_key(video.id, "playable", "0a1b2c3d"), b"playable" * 50)
    filmed.store.put(keys.derivative_record_key(video.id, "playable", "0a1b2c3d"), b"{}")
    return video.id


def make_older(monkeypatch: pytest.MonkeyPatch, filmed: Filmed, newest: str) -> None:
    """Let the store's clock report that all objects are a month older than `newest`."""
    store = filmed.plain
    listed = store.list

    def older(prefix: str, after: str | None = None) -> Iterator[object]:
        for info in listed(prefix, after):
            yield (
                info
                if newest in info.key
                else info._replace(modified_at_ms=info.modified_at_ms - 30 * DAY_MS)
            )

    monkeypatch.setattr(store, "list", older)


@needs("videos")
def test_originals_and_derivatives_are_deleted_by_age_unless_they_are_in_use_or_held(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, held, unfinished, newest = (put_video(filmed, n, complete=n != 3) for n in (1, 2, 3, 4))
    make_older(monkeypatch, filmed, newest)
    put_hold(filmed.store, LegalHold(name="case", source="gate-2", to_ms=START_MS + 1, set_at_ms=0))
    for kind in ("originals", "derivatives"):
        set_rule(filmed.store, RetentionRule(kind=kind, after_ms=7 * DAY_MS))
    dry = filmed.round(dry=True, clock_ms=CLOCK_MS)
    report = filmed.round(clock_ms=CLOCK_MS)
    assert dry.kinds == report.kinds
    left = {info.key for info in filmed.store.list(keys.VIDEOS)}
    originals = {video for video in (old, held, unfinished, newest) if keys.original_key(video) in left}
    assert originals == {held, unfinished, newest}
    derivatives = {
        v for v in (old, held, unfinished, newest) if keys.derivative_key(v, "playable", "0a1b2c3d") in left
    }
    assert derivatives == {held, newest}
    assert keys.derivative_record_key(old, "playable", "0a1b2c3d") not in left
    assert report.going_bytes == 800 + 400 + 400


@needs("videos")
def test_a_derivative_stays_while_it_is_unknown_whether_a_hold_names_its_source(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, newest = put_video(filmed, 1), put_video(filmed, 2)
    make_older(monkeypatch, filmed, newest)
    set_rule(filmed.store, RetentionRule(kind="derivatives", after_ms=7 * DAY_MS))
    put_hold(filmed.store, LegalHold(name="case", source="gate-1", set_at_ms=0))
    filmed.store.put(keys.video_key(video), b"damaged")
    filmed.round(clock_ms=CLOCK_MS)
    assert filmed.store.head(keys.derivative_key(video, "playable", "0a1b2c3d")) is not None


@needs("videos")
def test_the_newest_original_stays_whatever_its_size(filmed: Filmed) -> None:
    video = put_video(filmed, 1)
    set_rule(filmed.store, RetentionRule(kind="originals", most_bytes=5))
    filmed.round(clock_ms=CLOCK_MS)
    assert filmed.store.head(keys.original_key(video)) is not None


def assert_kept_if(change: Callable[[], object], filmed: Filmed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assert that a round keeps an original that is due, if this changes just before it is deleted."""
    video, newest = put_video(filmed, 1), put_video(filmed, 2)
    make_older(monkeypatch, filmed, newest)
    set_rule(filmed.store, RetentionRule(kind="originals", after_ms=7 * DAY_MS))

    def begin(store: ObjectStore, removal: Removal) -> RetentionPolicy:
        change()
        return begin_removal(store, removal)

    monkeypatch.setattr(rounds, "begin_removal", begin)
    report = filmed.round(clock_ms=CLOCK_MS)
    assert filmed.store.head(keys.original_key(video)) is not None
    assert sum(kind.going for kind in report.kinds) == 0


@needs("videos")
def test_a_hold_set_before_an_item_is_deleted_keeps_it(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_kept_if(lambda: put_hold(filmed.store, LegalHold(name="case", set_at_ms=0)), filmed, monkeypatch)


@needs("videos")
def test_a_rule_removed_during_a_round_deletes_nothing_more(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_kept_if(lambda: drop_rule(filmed.store, "originals", ""), filmed, monkeypatch)


@needs("alerts")
def test_reports_and_sent_alerts_are_deleted_and_waiting_ones_stay(
    filmed: Filmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.alerts.test_alerts_api import fill

    from frametally_alerts.book import AlertBook

    reports = [keys.report_key("weekly", day, "summary.txt") for day in ("2024-01-01", "2024-05-01")]
    for key in reports:
        filmed.store.put(key, b"text")
    make_older(monkeypatch, filmed, "2024-05-01")
    with closing(AlertBook(filmed.settings.catalogue_url)) as book:
        fill(book, 3)
        for _ in range(2):
            message = book.claim("ops", lease_s=60)
            assert message is not None
            book.end(message, "sent")
        (first, _), (second, _) = sorted(book.ended_messages(), key=lambda row: row[1])
        listed = AlertBook.ended_messages
        monkeypatch.setattr(
            AlertBook,
            "ended_messages",
            lambda self: [(id, at - 30 * DAY_MS * (id == first)) for id, at in listed(self)],
        )
        for kind in ("reports", "sent-alerts"):
            set_rule(filmed.store, RetentionRule(kind=kind, after_ms=7 * DAY_MS))
        filmed.round(clock_ms=CLOCK_MS)
        assert [id for id, _ in listed(book)] == [second]
        assert book.waiting() == {"ops": 1}
    assert [info.key for info in filmed.store.list(keys.REPORTS)] == reports[1:]


def test_old_dead_letters_are_settled_and_then_their_frames_are_deleted(filmed: Filmed) -> None:
    at_ms = START_MS - 30 * DAY_MS
    path = filmed.film("yard", at_ms, frames=1, analysed=False)[0]
    frame = make_frame(at_ms, source="yard", size_px=(640, 480), image_path=path)
    letter = make_letter(3 * FRAMES, frame, cause="undecodable")
    data = make_segment([], [letter], 3 * FRAMES, model=MODEL, log_id="log")
    filmed.store.put(keys.segment_key(MODEL, "log", "frames", 0, 3 * FRAMES), data)
    set_rule(filmed.store, RetentionRule(kind="frames", after_ms=5 * DAY_MS, source="yard"))
    assert filmed.round().spared["not_analysed_yet"] == 1
    filmed.ledger.refresh(filmed.store, NoProgress())
    assert len(filmed.ledger.dead_frames(MODEL)) == 1
    settle_all(filmed)
    filmed.round()
    assert filmed.frames("yard") == []


def settle_all(filmed: Filmed) -> None:
    kind = dead_letters(filmed.store, filmed.ledger)
    for item in list(kind.items()):
        kind.remove(item)
        kind.remove(item)
    filmed.ledger.refresh(filmed.store, NoProgress())
    assert list(kind.items()) == []
