"""Rows of feeds, for the statements of `LiveBook`."""

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

from frametally.adapters.sql.clock import is_due, note_change, now_ms
from frametally_live import tables
from frametally_live.feed_records import LAUNCH_IS_GONE, LAUNCH_NEVER_CAME, Feed, FeedKind, FeedTold

_columns = tables.feeds.c
NOT_OVER = _columns.ended_at_ms.is_(None)
DELETE = "delete"
"""Stored as the request for a camera that is stopped first, and deleted when it has ended."""
# Made once, before there are threads: see `records.decode`.
_report_decoder = msgspec.json.Decoder(FeedTold)


def put(connection: Connection, feed: Feed, launch_within_s: float = 0.0) -> Feed:
    """Insert a feed with the next number; return it with its time."""
    stored_feed = feed._replace(created_at_ms=now_ms(connection))
    values = stored_feed._asdict() | {"told": as_json(stored_feed.told)}
    values["launch_due_at_ms"] = after(connection, launch_within_s)
    last = connection.execute(select(func.max(_columns.number))).scalar_one()
    number = 1 if last is None else last + 1
    connection.execute(insert(tables.feeds).values(**values, number=number, due_at_ms=0))
    note_change(connection, tables.about)
    return stored_feed


def forget_all_but_the_last(connection: Connection, video_id: str) -> None:
    """Delete the streams of a video except the last one that ended, which people may still look at."""
    of_video = and_(_columns.video_id == video_id, ~NOT_OVER)
    last = select(func.max(_columns.number)).where(of_video).scalar_subquery()
    connection.execute(delete(tables.feeds).where(of_video, _columns.number < last))


def begun_anew(report: FeedTold) -> FeedTold:
    """Return the new state of an ended feed that is requested again: its sums continue.

    A stopped camera misses nothing after its stop; a failed one does, and reports since when.
    """
    return report._replace(
        state="requested",
        reason="",
        captured_at_ms=None if report.state == "ended" else report.captured_at_ms,
        frames_per_s=None,
        taken_per_s=None,
        offered_per_s=None,
        lag_ms=None,
        drift_ms=None,
        away_since_ms=None,
    )


def end(connection: Connection, feed: Feed, report: FeedTold | None = None) -> None:
    """End a feed, even if a worker runs it; without a last report its state is `ended`.

    A camera that was to be deleted is deleted.
    """
    connection.execute(delete(tables.feeds).where(_columns.id == feed.id, _columns.wanted == DELETE))
    change(
        connection,
        _columns.id == feed.id,
        told=as_json(report or feed.told._replace(state="ended", reason="")),
        worker="",
        generation=_columns.generation + 1,
        wanted="stop",
        seek_s=None,
        ended_at_ms=now_ms(connection),
    )
    note_change(connection, tables.about)


def note(connection: Connection, before: Feed, report: FeedTold) -> None:
    """Note the state of a feed; progress alone is not a change that a page waits for."""
    change(connection, _columns.id == before.id, told=as_json(report))
    if (report.state, report.reason) != (before.told.state, before.told.reason):
        note_change(connection, tables.about)


def find_due(connection: Connection, kinds: Sequence[FeedKind]) -> list[Feed]:
    """Return the claimable feed that has waited longest; empty: none."""
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
            reason = LAUNCH_NEVER_CAME if feed.launch == "booked" else LAUNCH_IS_GONE
            end(connection, feed, feed.told._replace(state="failed", reason=reason))


def find_one(connection: Connection, feed_id: str) -> Feed | None:
    """Return a feed; None if it does not exist."""
    return next(iter(find(connection, _columns.id == feed_id)), None)


def find(connection: Connection, *conditions: ColumnElement[bool]) -> list[Feed]:
    """Return the feeds that meet all these conditions, oldest first."""
    return [
        feed_of(row)
        for row in connection.execute(select_feeds().where(*conditions).order_by(_columns.number))
    ]


def is_claimable(kinds: Sequence[FeedKind], time_ms: int) -> ColumnElement[bool]:
    """Return whether a worker may claim a feed of these kinds."""
    # Workers ask for it often; `in_` would build the statement again each time.
    is_of_kind = or_(false(), *(_columns.kind == kind for kind in kinds))
    return and_(NOT_OVER, is_of_kind, _columns.launch != "booked", is_free(time_ms))


def is_unheard(time_ms: int) -> ColumnElement[bool]:
    """Return whether a launcher has not said in time that it is there."""
    return and_(NOT_OVER, _columns.launch != "", is_due(_columns.launch_due_at_ms, time_ms))


def is_free(time_ms: int) -> ColumnElement[bool]:
    """Return whether a feed that is not over has no worker."""
    return or_(_columns.worker == "", is_due(_columns.due_at_ms, time_ms))


def sought(report: FeedTold, seek_s: float | None) -> FeedTold:
    """Return the state of a feed that should go on elsewhere; None: it stays where it is."""
    return report if seek_s is None else report._replace(position_s=seek_s, due_at_ms=None)


def is_held(feed: Feed) -> ColumnElement[bool]:
    """Return whether a feed is still held by who claimed it so."""
    return and_(_columns.id == feed.id, NOT_OVER, _columns.generation == feed.generation)


def change(connection: Connection, condition: ColumnElement[bool], **values: Any) -> None:
    """Change feeds."""
    connection.execute(update(tables.feeds).where(condition).values(**values))


def after(connection: Connection, seconds: float) -> int:
    """Return when so many seconds have passed, by the database's clock."""
    return now_ms(connection) + round(seconds * 1000)


def select_feeds() -> Select[Any]:
    """Return the statement that reads feeds."""
    return select(*(_columns[name] for name in Feed._fields))


def feed_of(row: Sequence[Any], *, is_left: bool = False) -> Feed:
    """Return a feed, without the last report if its worker has left it."""
    feed = Feed._make(row)
    report = _report_decoder.decode(cast("str", feed.told))
    if row[Feed._fields.index("wanted")] == DELETE:
        feed = feed._replace(wanted="stop")
    return feed._replace(told=report._replace(state="requested", reason="") if is_left else report)


def as_json(report: FeedTold) -> str:
    """Return the stored state of a feed."""
    return msgspec.json.encode(report).decode()
