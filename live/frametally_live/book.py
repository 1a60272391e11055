"""The live book's part of the catalogue in a SQL database: feeds, held by leases of the database's clock."""

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

from frametally.adapters.sql.clock import next_number, note_change, now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally_live.book_port import (
    LAUNCH_IS_GONE,
    LAUNCH_NEVER_CAME,
    OVER,
    Feed,
    FeedKind,
    FeedTold,
    FeedWanted,
    TooManyStreams,
)
from frametally_videos import tables

_columns = tables.feeds.c
_NOT_OVER = _columns.ended_at_ms.is_(None)
# Made once, before there are threads: see `records.decode`.
_told = msgspec.json.Decoder(FeedTold)


class SqlLiveBook:
    """Feeds in a database; see `LiveBook`."""

    _database: SqlDatabase

    def start_stream(self, feed: Feed, *, most: int, launch_within_s: float = 0.0) -> Feed:
        """Return the stream of a video that is not over, else put one; see `LiveBook.start_stream`."""
        with self._database.writing() as connection:
            _look_after_launches(connection)  # one that never began is in nobody's way
            running = _find(connection, _columns.kind == "video", _NOT_OVER)
            there = next((one for one in running if one.video_id == feed.video_id), None)
            if there is not None and there.wanted != "stop":
                return there
            if there is not None:  # it only has to hear of it: whoever has it may write nothing any more
                _end(connection, there)
            elif len(running) >= most:
                raise TooManyStreams(running)
            _forget_all_but_the_last(connection, feed.video_id)
            return _put(connection, feed, launch_within_s)

    def launch_feed(self, feed_id: str, *, lease_s: float) -> Feed | None:
        """Let a booked feed be claimed, and keep it launched; see `LiveBook.launch_feed`."""
        with self._database.writing() as connection:
            feed = _feed(connection, feed_id)
            if feed is None or feed.is_over or not feed.launch:
                return feed
            due_at_ms = _after(connection, lease_s)
            _change(connection, _columns.id == feed_id, launch="launched", launch_due_at_ms=due_at_ms)
            if feed.launch == "booked":
                _tell(connection, feed, feed.told._replace(reason=""))
            return _feed(connection, feed_id)

    def fail_launch(self, feed_id: str, reason: str, *, only_booked: bool = False) -> bool:
        """Have a feed that needs a launch fail; see `LiveBook.fail_launch`."""
        with self._database.writing() as connection:
            feed = _feed(connection, feed_id)
            if feed is None or feed.is_over or not feed.launch:
                return False
            if only_booked and feed.launch != "booked":
                return False
            _end(connection, feed, feed.told._replace(state="failed", reason=reason))
            return True

    def put_camera(self, feed: Feed) -> Feed | None:
        """Put a camera; None: its source has one already."""
        with self._database.writing() as connection:
            if _find(connection, _columns.kind == "camera", _columns.source == feed.source):
                return None
            return _put(connection, feed)

    def remove_feed(self, feed_id: str) -> bool:
        """Forget a feed that is over or that nobody holds; False: there is none such."""
        with self._database.writing() as connection:
            free = or_(~_NOT_OVER, _is_free(now_ms(connection)))
            found = connection.execute(delete(tables.feeds).where(_columns.id == feed_id, free))
            if found.rowcount:
                note_change(connection, tables.about)
            return bool(found.rowcount)

    def ask_feed(
        self, feed_id: str, wanted: FeedWanted | None = None, *, seek_s: float | None = None
    ) -> Feed | None:
        """Want something else of a feed; see `LiveBook.ask_feed`."""
        with self._database.writing() as connection:
            feed = _feed(connection, feed_id)
            if feed is None or (feed.is_over and wanted == "stop"):
                return feed
            if feed.kind == "video" and (feed.is_over or feed.wanted == "stop"):
                return feed
            asked = {"wanted": wanted, "seek_s": seek_s}
            values: dict[str, Any] = {name: one for name, one in asked.items() if one is not None}
            if not values:
                return feed
            if feed.is_over:
                values |= {"told": _as_json(_anew(feed.told)), "ended_at_ms": None, "due_at_ms": 0}
            _change(connection, _columns.id == feed_id, **values)
            if wanted == "stop":
                is_free = and_(_columns.id == feed_id, _is_free(now_ms(connection)))
                if _find(connection, is_free):
                    _end(connection, feed)
                else:
                    _tell(connection, feed, feed.told._replace(state="stopping"))
            note_change(connection, tables.about)
            return _feed(connection, feed_id)

    def claim_feed(self, worker: str, kinds: Sequence[FeedKind], *, lease_s: float) -> Feed | None:
        """Give `worker` a feed that nobody holds; see `LiveBook.claim_feed`."""
        # Workers ask often, and seldom is there something: whoever only looks is in no writer's way.
        with self._database.reading() as connection:
            time_ms = now_ms(connection)
            if not _find(connection, or_(_is_claimable(kinds, time_ms), _is_unheard(time_ms))):
                return None
        with self._database.writing() as connection:
            _look_after_launches(connection, 2 * lease_s)
            while (due := _find_due(connection, kinds)) and due[0].wanted == "stop":
                _end(connection, due[0])
            if not due:
                return None
            feed = due[0]
            told = _sought(feed.told, feed.seek_s)
            _change(
                connection,
                _columns.id == feed.id,
                worker=worker,
                generation=_columns.generation + 1,
                due_at_ms=_after(connection, lease_s),
                seek_s=None,
                told=_as_json(told._replace(state="starting")),
            )
            note_change(connection, tables.about)
            return _feed(connection, feed.id)

    def renew_feed(self, feed: Feed, told: FeedTold, *, lease_s: float) -> Feed | None:
        """Keep a claimed feed, and tell how it stands; see `LiveBook.renew_feed`."""
        with self._database.writing() as connection:
            held = _find(connection, _is_held(feed))
            if not held:
                return None
            now = held[0]
            if now.wanted == "stop" and told.state not in OVER:
                told = told._replace(state="stopping")
            # Killed before it is there, whoever takes over begins there all the same.
            _change(connection, _is_held(feed), due_at_ms=_after(connection, lease_s), seek_s=None)
            _tell(connection, now, _sought(told, now.seek_s))
            return now._replace(told=told)

    def release_feed(self, feed: Feed, told: FeedTold) -> bool:
        """Give a claimed feed back; see `LiveBook.release_feed`."""
        with self._database.writing() as connection:
            held = _find(connection, _is_held(feed))
            if not held:
                return False
            is_wanted = held[0].wanted != "stop"
            if is_wanted and held[0].kind == "camera" and told.state == "ended":
                told = told._replace(state="requested")  # somebody has started it since it was stopped
            if told.state in OVER or not is_wanted:
                state = told.state if told.state in OVER else "ended"
                _end(connection, held[0], told._replace(state=state))
            else:
                _tell(connection, held[0], told)
                _change(connection, _is_held(feed), worker="", due_at_ms=0)
            return True

    def feed(self, feed_id: str) -> Feed | None:
        """Return a feed; None if there is none."""
        with self._database.reading() as connection:
            return _feed(connection, feed_id)

    def feeds(self, kind: FeedKind | None = None, *, video_id: str = "", limit: int = 1000) -> list[Feed]:
        """Return feeds, those that are not over first, then the newest; see `LiveBook.feeds`."""
        where = [_columns.kind == kind] if kind else []
        if video_id:
            where.append(_columns.video_id == video_id)
        query = _select().where(*where).order_by(_columns.ended_at_ms.is_not(None), _columns.number.desc())
        with self._database.reading() as connection:
            is_left = and_(_NOT_OVER, _columns.worker != "", _columns.due_at_ms <= now_ms(connection))
            rows = connection.execute(query.add_columns(is_left).limit(limit))
            return [_feed_of(feed, is_left=is_left) for *feed, is_left in rows]


def _put(connection: Connection, feed: Feed, launch_within_s: float = 0.0) -> Feed:
    made = feed._replace(created_at_ms=now_ms(connection))
    values = made._asdict() | {"told": _as_json(made.told)}
    values["launch_due_at_ms"] = _after(connection, launch_within_s)
    number = next_number(connection, tables.about)
    connection.execute(insert(tables.feeds).values(**values, number=number, due_at_ms=0))
    note_change(connection, tables.about)
    return made


def _forget_all_but_the_last(connection: Connection, video_id: str) -> None:
    """Forget what streamed a video, but for the one that ended last: who asked for that may still look."""
    of_video = and_(_columns.video_id == video_id, ~_NOT_OVER)
    last = select(func.max(_columns.number)).where(of_video).scalar_subquery()
    connection.execute(delete(tables.feeds).where(of_video, _columns.number < last))


def _anew(told: FeedTold) -> FeedTold:
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


def _end(connection: Connection, feed: Feed, told: FeedTold | None = None) -> None:
    """Have a feed be over, whoever has it; without a word of who has it, it has ended."""
    _change(
        connection,
        _columns.id == feed.id,
        told=_as_json(told or feed.told._replace(state="ended", reason="")),
        worker="",
        generation=_columns.generation + 1,
        wanted="stop",
        seek_s=None,
        ended_at_ms=now_ms(connection),
    )
    note_change(connection, tables.about)


def _tell(connection: Connection, before: Feed, told: FeedTold) -> None:
    """Note how a feed stands; that it goes on as it did is no change that a page waits for."""
    _change(connection, _columns.id == before.id, told=_as_json(told))
    if (told.state, told.reason) != (before.told.state, before.told.reason):
        note_change(connection, tables.about)


def _find_due(connection: Connection, kinds: Sequence[FeedKind]) -> list[Feed]:
    query = _select().where(_is_claimable(kinds, now_ms(connection)))
    rows = connection.execute(query.order_by(_columns.due_at_ms, _columns.number).limit(1))
    return [_feed_of(row) for row in rows]


def _look_after_launches(connection: Connection, lease_s: float | None = None) -> None:
    """Have those fail whose launcher never came, or is gone; whose lease is over gets one `lease_s` more."""
    for feed in _find(connection, _is_unheard(now_ms(connection))):
        if feed.launch == "launched":
            if lease_s is not None:
                due_at_ms = _after(connection, lease_s)
                _change(connection, _columns.id == feed.id, launch="unheard", launch_due_at_ms=due_at_ms)
        else:
            why = LAUNCH_NEVER_CAME if feed.launch == "booked" else LAUNCH_IS_GONE
            _end(connection, feed, feed.told._replace(state="failed", reason=why))


def _feed(connection: Connection, feed_id: str) -> Feed | None:
    return next(iter(_find(connection, _columns.id == feed_id)), None)


def _find(connection: Connection, *where: ColumnElement[bool]) -> list[Feed]:
    return [_feed_of(row) for row in connection.execute(_select().where(*where).order_by(_columns.number))]


def _is_claimable(kinds: Sequence[FeedKind], time_ms: int) -> ColumnElement[bool]:
    # Workers ask for it often: `in_` would have the statement written anew each time.
    is_of_kind = or_(false(), *(_columns.kind == kind for kind in kinds))
    return and_(_NOT_OVER, is_of_kind, _columns.launch != "booked", _is_free(time_ms))


def _is_unheard(time_ms: int) -> ColumnElement[bool]:
    """Return whether a launcher has not said in time that it is there."""
    return and_(_NOT_OVER, _columns.launch != "", _columns.launch_due_at_ms <= time_ms)


def _is_free(time_ms: int) -> ColumnElement[bool]:
    """Return whether nobody holds a feed that is not over."""
    return or_(_columns.worker == "", _columns.due_at_ms <= time_ms)


def _sought(told: FeedTold, seek_s: float | None) -> FeedTold:
    return told if seek_s is None else told._replace(position_s=seek_s, due_at_ms=None)


def _is_held(feed: Feed) -> ColumnElement[bool]:
    return and_(_columns.id == feed.id, _NOT_OVER, _columns.generation == feed.generation)


def _change(connection: Connection, where: ColumnElement[bool], **values: Any) -> None:
    connection.execute(update(tables.feeds).where(where).values(**values))


def _after(connection: Connection, seconds: float) -> int:
    return now_ms(connection) + round(seconds * 1000)


def _select() -> Select[Any]:
    return select(*(_columns[name] for name in Feed._fields))


def _feed_of(row: Sequence[Any], *, is_left: bool = False) -> Feed:
    """Return a feed; what is told of one that its worker left is told no longer."""
    feed = Feed._make(row)
    told = _told.decode(cast("str", feed.told))
    return feed._replace(told=told._replace(state="requested", reason="") if is_left else told)


def _as_json(told: FeedTold) -> str:
    return msgspec.json.encode(told).decode()
