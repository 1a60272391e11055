"""Rows of feeds, as the statements of `LiveBook` read and write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from frametally.adapters.sql.clock import note_change, now_ms
from frametally_live import tables
from frametally_live.feed_records import LAUNCH_IS_GONE, LAUNCH_NEVER_CAME, Feed, FeedKind, FeedTold

_columns = tables.feeds.c
NOT_OVER = _columns.ended_at_ms.is_(None)
# Made once, before there are threads: see `records.decode`.
_told = msgspec.json.Decoder(FeedTold)


def put(connection: Connection, feed: Feed, launch_within_s: float = 0.0) -> Feed:
    """Put a feed, numbered after all that there are; return it with its time."""
    made = feed._replace(created_at_ms=now_ms(connection))
    values = made._asdict() | {"told": as_json(made.told)}
    values["launch_due_at_ms"] = after(connection, launch_within_s)
    last = connection.execute(select(func.max(_columns.number))).scalar_one()
    number = 1 if last is None else last + 1
    connection.execute(insert(tables.feeds).values(**values, number=number, due_at_ms=0))
    note_change(connection, tables.about)
    return made


def forget_all_but_the_last(connection: Connection, video_id: str) -> None:
    """Forget what streamed a video, but for the one that ended last: who asked for that may still look."""
    of_video = and_(_columns.video_id == video_id, ~NOT_OVER)
    last = select(func.max(_columns.number)).where(of_video).scalar_subquery()
    connection.execute(delete(tables.feeds).where(of_video, _columns.number < last))


def begun_anew(told: FeedTold) -> FeedTold:
    """Return how what was over stands once it is wanted again: what is counted since it was made goes on.

    What was stopped has missed nothing since then; what failed has, and is told from when on.
    """
    return told._replace(
        state="requested",
        reason="",
        captured_at_ms=None if told.state == "ended" else told.captured_at_ms,
        frames_per_s=None,
        taken_per_s=None,
        offered_per_s=None,
        lag_ms=None,
        drift_ms=None,
        away_since_ms=None,
    )


def end(connection: Connection, feed: Feed, told: FeedTold | None = None) -> None:
    """Have a feed be over, whoever has it; without a word of who has it, it has ended."""
    change(
        connection,
        _columns.id == feed.id,
        told=as_json(told or feed.told._replace(state="ended", reason="")),
        worker="",
        generation=_columns.generation + 1,
        wanted="stop",
        seek_s=None,
        ended_at_ms=now_ms(connection),
    )
    note_change(connection, tables.about)


def note(connection: Connection, before: Feed, told: FeedTold) -> None:
    """Note how a feed stands; that it goes on as it did is no change that a page waits for."""
    change(connection, _columns.id == before.id, told=as_json(told))
    if (told.state, told.reason) != (before.told.state, before.told.reason):
        note_change(connection, tables.about)


def find_due(connection: Connection, kinds: Sequence[FeedKind]) -> list[Feed]:
    """Return the feed that may be claimed and has waited longest; none: there is none."""
    query = select_feeds().where(is_claimable(kinds, now_ms(connection)))
    rows = connection.execute(query.order_by(_columns.due_at_ms, _columns.number).limit(1))
    return [feed_of(row) for row in rows]


def look_after_launches(connection: Connection, lease_s: float | None = None) -> None:
    """Have those fail whose launcher never came, or is gone; whose lease is over gets one `lease_s` more."""
    for feed in find(connection, is_unheard(now_ms(connection))):
        if feed.launch == "launched":
            if lease_s is not None:
                due_at_ms = after(connection, lease_s)
                change(connection, _columns.id == feed.id, launch="unheard", launch_due_at_ms=due_at_ms)
        else:
            why = LAUNCH_NEVER_CAME if feed.launch == "booked" else LAUNCH_IS_GONE
            end(connection, feed, feed.told._replace(state="failed", reason=why))


def find_one(connection: Connection, feed_id: str) -> Feed | None:
    """Return a feed; None if there is none."""
    return next(iter(find(connection, _columns.id == feed_id)), None)


def find(connection: Connection, *where: ColumnElement[bool]) -> list[Feed]:
    """Return the feeds of which all that is true, in the order in which they came."""
    return [
        feed_of(row) for row in connection.execute(select_feeds().where(*where).order_by(_columns.number))
    ]


def is_claimable(kinds: Sequence[FeedKind], time_ms: int) -> ColumnElement[bool]:
    """Return whether a worker may claim a feed of these kinds."""
    # Workers ask for it often: `in_` would have the statement written anew each time.
    is_of_kind = or_(false(), *(_columns.kind == kind for kind in kinds))
    return and_(NOT_OVER, is_of_kind, _columns.launch != "booked", is_free(time_ms))


def is_unheard(time_ms: int) -> ColumnElement[bool]:
    """Return whether a launcher has not said in time that it is there."""
    return and_(NOT_OVER, _columns.launch != "", _columns.launch_due_at_ms <= time_ms)


def is_free(time_ms: int) -> ColumnElement[bool]:
    """Return whether nobody holds a feed that is not over."""
    return or_(_columns.worker == "", _columns.due_at_ms <= time_ms)


def sought(told: FeedTold, seek_s: float | None) -> FeedTold:
    """Return how a feed stands that is to go on at another place; None: where it is."""
    return told if seek_s is None else told._replace(position_s=seek_s, due_at_ms=None)


def is_held(feed: Feed) -> ColumnElement[bool]:
    """Return whether a feed is still held by who claimed it so."""
    return and_(_columns.id == feed.id, NOT_OVER, _columns.generation == feed.generation)


def change(connection: Connection, where: ColumnElement[bool], **values: Any) -> None:
    """Change feeds."""
    connection.execute(update(tables.feeds).where(where).values(**values))


def after(connection: Connection, seconds: float) -> int:
    """Return when so many seconds have passed, by the database's clock."""
    return now_ms(connection) + round(seconds * 1000)


def select_feeds() -> Select[Any]:
    """Return the statement that reads feeds."""
    return select(*(_columns[name] for name in Feed._fields))


def feed_of(row: Sequence[Any], *, is_left: bool = False) -> Feed:
    """Return a feed; what is told of one that its worker left is told no longer."""
    feed = Feed._make(row)
    told = _told.decode(cast("str", feed.told))
    return feed._replace(told=told._replace(state="requested", reason="") if is_left else told)


def as_json(told: FeedTold) -> str:
    """Return how a feed stands as it is stored."""
    return msgspec.json.encode(told).decode()
