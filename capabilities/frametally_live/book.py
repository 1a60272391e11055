"""The live book: the cameras and streams that people want to run, their workers, and their states.

It is in the catalogue's database and leases feeds by that database's clock. Unlike a job, a feed runs until
a person stops it, can be paused, and reports its position. With every renewal, its worker checks whether the
request has changed.
"""

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

from frametally.adapters.sql.catalogue import note_change
from frametally.adapters.sql.clock import after_ms, is_due, now_ms
from frametally.adapters.sql.sql_book import CatalogueBook
from frametally.work.leases import Leases, look_then_write
from frametally_live import tables
from frametally_live.feed_records import (
    CAPTURE_FIELDS,
    LAUNCH_IS_GONE,
    LAUNCH_NEVER_CAME,
    OVER,
    Feed,
    FeedKind,
    FeedTold,
    FeedWanted,
    TooManyStreams,
)

_columns = tables.feeds.c
_NOT_OVER = _columns.ended_at_ms.is_(None)
_LEASES = Leases(tables.feeds, _NOT_OVER)
_DELETE = "delete"
"""Marks a camera that is stopped first, and deleted when it has ended."""
# Created once, before any thread starts: see `records.decode`.
_report_decoder = msgspec.json.Decoder(FeedTold)


class LiveBook(CatalogueBook):
    """Feeds in the database at a URL, SQLite or PostgreSQL; processes and threads may share it.

    All methods may raise `Retryable`.
    """

    def start_stream(self, feed: Feed, *, most: int, launch_within_s: float = 0.0) -> Feed:
        """Return the unfinished stream of `feed.video_id`; if there is none, add and return `feed`.

        All callers get the same stream. A stream that is being stopped ends at once; its worker learns this
        at the next renewal. A `booked` stream fails unless it is launched within `launch_within_s`.

        Raises:
            TooManyStreams: `most` streams of other videos are unfinished.
        """
        with self._database.writing() as connection:
            _look_after_launches(connection)  # a stream that never began must not block others
            running = _find(connection, _columns.kind == "video", _NOT_OVER)
            running_stream = next((stream for stream in running if stream.video_id == feed.video_id), None)
            if running_stream is not None and running_stream.wanted != "stop":
                return running_stream
            if running_stream is not None:  # ended at once; its worker may not write again
                _end(connection, running_stream)
            elif len(running) >= most:
                raise TooManyStreams(running)
            _forget_all_but_the_last(connection, feed.video_id)
            return _put(connection, feed, launch_within_s)

    def launch_feed(self, feed_id: str, *, lease_s: float) -> Feed | None:
        """Let workers claim a booked feed, and keep it launched; return it, or None if it does not exist.

        The launcher repeats the call within each lease. If it does not, the feed fails two worker leases
        after the first check that misses the call, so an unavailable catalogue ends no stream. A feed that
        has ended, or needs no launch, is returned unchanged.
        """
        with self._database.writing() as connection:
            feed = _find_one(connection, feed_id)
            if feed is None or feed.is_over or not feed.launch:
                return feed
            due_at_ms = after_ms(connection, lease_s)
            _change(connection, _columns.id == feed_id, launch="launched", launch_due_at_ms=due_at_ms)
            if feed.launch == "booked":
                _note(connection, feed, feed.told._replace(reason=""))
            return _find_one(connection, feed_id)

    def fail_launch(self, feed_id: str, reason: str, *, only_booked: bool = False) -> bool:
        """Make a feed that needs a launch fail, even if a worker runs it; return whether it did.

        Return False if the feed has ended or needs no launch; with `only_booked`, also if it is launched.
        """
        with self._database.writing() as connection:
            feed = _find_one(connection, feed_id)
            if feed is None or feed.is_over or not feed.launch:
                return False
            if only_booked and feed.launch != "booked":
                return False
            _end(connection, feed, feed.told._replace(state="failed", reason=reason))
            return True

    def put_camera(self, feed: Feed) -> Feed | None:
        """Add a camera; return None if its source already has one."""
        with self._database.writing() as connection:
            if _find(connection, _columns.kind == "camera", _columns.source == feed.source):
                return None
            return _put(connection, feed)

    def change_camera(self, camera: Feed) -> Feed | None:
        """Give a camera another address or rate; return its feed, or None if it does not exist.

        A worker that runs the camera ends its capture and releases it; it is then claimed as it is now.
        """
        values = {name: getattr(camera, name) for name in CAPTURE_FIELDS}
        with self._database.writing() as connection:
            _change(connection, _columns.id == camera.id, **values)
            note_change(connection)
            return _find_one(connection, camera.id)

    def remove_feed(self, feed_id: str) -> bool:
        """Delete a feed that has ended or has no worker; return whether it was deleted.

        A camera that has a worker is stopped, and deleted when the worker ends, unless it is started again
        first. Return False then, and if there is no such feed.
        """
        with self._database.writing() as connection:
            free = or_(~_NOT_OVER, _is_free(now_ms(connection)))
            deletion = connection.execute(delete(tables.feeds).where(_columns.id == feed_id, free))
            _change(connection, and_(_columns.id == feed_id, _columns.kind == "camera"), wanted=_DELETE)
            note_change(connection)
            return bool(deletion.rowcount)

    def ask_feed(
        self, feed_id: str, wanted: FeedWanted | None = None, *, seek_s: float | None = None
    ) -> Feed | None:
        """Change the request of a feed; return the feed, or None if it does not exist.

        Arguments that are not given keep their values, even if another call set them just now: a seek does
        not undo a pause. A stopped feed without a worker ends at once. An ended camera that is started again
        is `requested` again and keeps its counts; if it was stopped, it has no `captured_at_ms` before its
        next frame. A video's stream that has ended, or is being stopped, stays so.
        """
        with self._database.writing() as connection:
            feed = _find_one(connection, feed_id)
            if feed is None or (feed.is_over and wanted == "stop"):
                return feed
            if feed.kind == "video" and (feed.is_over or feed.wanted == "stop"):
                return feed
            changes = {"wanted": wanted, "seek_s": seek_s}
            values: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
            if not values:
                return feed
            if feed.wanted == wanted == "stop":
                values.pop("wanted")  # the request may be to delete the camera when it has ended
            if feed.is_over:
                values |= {
                    "told": _as_json(_begun_anew(feed.told)),
                    "ended_at_ms": None,
                    "due_at_ms": 0,
                }
            if values:
                _change(connection, _columns.id == feed_id, **values)
            if wanted == "stop":
                is_free = and_(_columns.id == feed_id, _is_free(now_ms(connection)))
                if _find(connection, is_free):
                    _end(connection, feed)
                else:
                    _note(connection, feed, feed.told._replace(state="stopping"))
            note_change(connection)
            return _find_one(connection, feed_id)

    def claim_feed(self, worker: str, kinds: Sequence[FeedKind], *, lease_s: float) -> Feed | None:
        """Give `worker` an unfinished feed without a worker or with an expired lease; None if there is none.

        Exactly one of several callers gets the feed. Booked feeds are never given. A seek that was not
        reached yet is reported as the position.
        """

        def look(connection: Connection) -> list[Feed]:
            time_ms = now_ms(connection)
            return _find(connection, or_(_is_claimable(kinds, time_ms), _is_unheard(time_ms)))

        def take(connection: Connection, _: list[Feed]) -> Feed | None:
            _look_after_launches(connection, 2 * lease_s)
            while (due_feeds := _find_due(connection, kinds)) and due_feeds[0].wanted == "stop":
                _end(connection, due_feeds[0])
            if not due_feeds:
                return None
            feed = due_feeds[0]
            report = _sought(feed.told, feed.seek_s)._replace(state="starting")
            claimed = {"worker": worker, "seek_s": None, "told": _as_json(report)}
            _LEASES.claim(connection, _columns.id == feed.id, lease_s, **claimed)
            note_change(connection)
            return _find_one(connection, feed.id)

        return look_then_write(self._database, look, take)

    def renew_feed(self, feed: Feed, report: FeedTold, *, lease_s: float) -> Feed | None:
        """Renew the lease of a claimed feed and report its state; return the latest request for it.

        A `seek_s` is returned once. Return None if the feed is gone or another worker has it: leave it then.
        """
        with self._database.writing() as connection:
            held_rows = _find(connection, _LEASES.is_held(feed))
            if not held_rows:
                return None
            now = held_rows[0]
            if now.wanted == "stop" and report.state not in OVER:
                report = report._replace(state="stopping")
            # If the worker dies before it gets there, the next one still starts there.
            _LEASES.renew(connection, feed, lease_s, seek_s=None)
            _note(connection, now, _sought(report, now.seek_s))
            return now._replace(told=report)

    def release_feed(self, feed: Feed, report: FeedTold) -> bool:
        """Release a claimed feed with its final state, ended or free; return False if another worker has it.

        A feed that was to stop has ended, unless it is a camera that was started again since.
        """
        with self._database.writing() as connection:
            held_rows = _find(connection, _LEASES.is_held(feed))
            if not held_rows:
                return False
            is_wanted = held_rows[0].wanted != "stop"
            if is_wanted and held_rows[0].kind == "camera" and report.state == "ended":
                report = report._replace(state="requested")  # started again since it was stopped
            if report.state in OVER or not is_wanted:
                state = report.state if report.state in OVER else "ended"
                _end(connection, held_rows[0], report._replace(state=state))
            else:
                _note(connection, held_rows[0], report)
                _LEASES.end(connection, feed, worker="")
            return True

    def feed(self, feed_id: str) -> Feed | None:
        """Return a feed; None if it does not exist."""
        with self._database.reading() as connection:
            return _find_one(connection, feed_id)

    def feeds(self, kind: FeedKind | None = None, *, video_id: str = "", limit: int = 1000) -> list[Feed]:
        """Return feeds, unfinished ones first, then the newest.

        A feed whose lease has expired is `requested`, whatever its last report was.
        """
        conditions = [_columns.kind == kind] if kind else []
        if video_id:
            conditions.append(_columns.video_id == video_id)
        query = (
            _select_feeds()
            .where(*conditions)
            .order_by(_columns.ended_at_ms.is_not(None), _columns.number.desc())
        )
        with self._database.reading() as connection:
            is_left = and_(_NOT_OVER, _columns.worker != "", is_due(_columns.due_at_ms, now_ms(connection)))
            feed_table = connection.execute(query.add_columns(is_left).limit(limit))
            return [_feed_of(feed, is_left=is_left) for *feed, is_left in feed_table]

    def stop_streams(self, video_id: str) -> list[Feed]:
        """Stop the stream of a video; return its new state."""
        running = [feed for feed in self.feeds("video", video_id=video_id) if not feed.is_over]
        streams = [self.ask_feed(feed.id, "stop") for feed in running]
        return [feed for feed in streams if feed is not None]

    def forget_streams(self, video_id: str) -> None:
        """Delete all streams of a video, even running ones."""
        with self._database.writing() as connection:
            deletion = connection.execute(delete(tables.feeds).where(_columns.video_id == video_id))
            if deletion.rowcount:
                note_change(connection)


def _put(connection: Connection, feed: Feed, launch_within_s: float = 0.0) -> Feed:
    """Insert a feed with the next number; return it with its time."""
    stored_feed = feed._replace(created_at_ms=now_ms(connection))
    values = stored_feed._asdict() | {"told": _as_json(stored_feed.told)}
    values["launch_due_at_ms"] = after_ms(connection, launch_within_s)
    last = connection.execute(select(func.max(_columns.number))).scalar_one()
    number = 1 if last is None else last + 1
    connection.execute(insert(tables.feeds).values(**values, number=number, due_at_ms=0))
    note_change(connection)
    return stored_feed


def _forget_all_but_the_last(connection: Connection, video_id: str) -> None:
    """Delete the streams of a video except the last one that ended, which people may still view."""
    of_video = and_(_columns.video_id == video_id, ~_NOT_OVER)
    last = select(func.max(_columns.number)).where(of_video).scalar_subquery()
    connection.execute(delete(tables.feeds).where(of_video, _columns.number < last))


def _begun_anew(report: FeedTold) -> FeedTold:
    """Return the new state of an ended feed that is requested again: its totals continue.

    After a stop, a camera has no outage; after a failure it has one, which begins at its last frame.
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


def _end(connection: Connection, feed: Feed, report: FeedTold | None = None) -> None:
    """End a feed, even if a worker runs it; without a final report its state is `ended`.

    A camera that was to be deleted is deleted.
    """
    connection.execute(delete(tables.feeds).where(_columns.id == feed.id, _columns.wanted == _DELETE))
    _change(
        connection,
        _columns.id == feed.id,
        told=_as_json(report or feed.told._replace(state="ended", reason="")),
        worker="",
        generation=_columns.generation + 1,
        wanted="stop",
        seek_s=None,
        ended_at_ms=now_ms(connection),
    )
    note_change(connection)


def _note(connection: Connection, before: Feed, report: FeedTold) -> None:
    """Record the state of a feed; progress alone does not count as a change for waiting pages."""
    _change(connection, _columns.id == before.id, told=_as_json(report))
    if (report.state, report.reason) != (before.told.state, before.told.reason):
        note_change(connection)


def _find_due(connection: Connection, kinds: Sequence[FeedKind]) -> list[Feed]:
    """Return the claimable feed that has waited longest, or an empty list."""
    query = _select_feeds().where(_is_claimable(kinds, now_ms(connection)))
    rows = connection.execute(query.order_by(_columns.due_at_ms, _columns.number).limit(1))
    return [_feed_of(row) for row in rows]


def _look_after_launches(connection: Connection, lease_s: float | None = None) -> None:
    """Fail feeds whose launcher never started or is gone; extend the first miss by `lease_s` if given."""
    for feed in _find(connection, _is_unheard(now_ms(connection))):
        if feed.launch == "launched":
            if lease_s is not None:
                due_at_ms = after_ms(connection, lease_s)
                _change(connection, _columns.id == feed.id, launch="unheard", launch_due_at_ms=due_at_ms)
        else:
            reason = LAUNCH_NEVER_CAME if feed.launch == "booked" else LAUNCH_IS_GONE
            _end(connection, feed, feed.told._replace(state="failed", reason=reason))


def _find_one(connection: Connection, feed_id: str) -> Feed | None:
    """Return a feed; None if it does not exist."""
    return next(iter(_find(connection, _columns.id == feed_id)), None)


def _find(connection: Connection, *conditions: ColumnElement[bool]) -> list[Feed]:
    """Return the feeds that meet all conditions, oldest first."""
    return [
        _feed_of(row)
        for row in connection.execute(_select_feeds().where(*conditions).order_by(_columns.number))
    ]


def _is_claimable(kinds: Sequence[FeedKind], time_ms: int) -> ColumnElement[bool]:
    """Return whether a worker may claim a feed of these kinds."""
    # Workers run this query often; `in_` would build the statement again each time.
    is_of_kind = or_(false(), *(_columns.kind == kind for kind in kinds))
    return and_(_NOT_OVER, is_of_kind, _columns.launch != "booked", _is_free(time_ms))


def _is_unheard(time_ms: int) -> ColumnElement[bool]:
    """Return whether a launcher has missed its deadline."""
    return and_(_NOT_OVER, _columns.launch != "", is_due(_columns.launch_due_at_ms, time_ms))


def _is_free(time_ms: int) -> ColumnElement[bool]:
    """Return whether an unfinished feed has no worker."""
    return or_(_columns.worker == "", is_due(_columns.due_at_ms, time_ms))


def _sought(report: FeedTold, seek_s: float | None) -> FeedTold:
    """Return the state of a feed after a seek; unchanged if `seek_s` is None."""
    return report if seek_s is None else report._replace(position_s=seek_s, due_at_ms=None)


def _change(connection: Connection, condition: ColumnElement[bool], **values: Any) -> None:
    connection.execute(update(tables.feeds).where(condition).values(**values))


def _select_feeds() -> Select[Any]:
    """Return the statement that reads feeds."""
    return select(*(_columns[name] for name in Feed._fields))


def _feed_of(row: Sequence[Any], *, is_left: bool = False) -> Feed:
    """Return a feed, without the last report if its worker has left it."""
    feed = Feed._make(row)
    report = _report_decoder.decode(cast("str", feed.told))
    if row[Feed._fields.index("wanted")] == _DELETE:
        feed = feed._replace(wanted="stop")
    return feed._replace(told=report._replace(state="requested", reason="") if is_left else report)


def _as_json(report: FeedTold) -> str:
    """Return the stored state of a feed."""
    return msgspec.json.encode(report).decode()
