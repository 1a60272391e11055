"""The live book: the cameras and streams that people want to run, their workers, and their states.

It is in the catalogue's database, with leases by that database's own clock. Unlike a job, a feed runs until a
person stops it, can be paused, and reports its position. With every renewal its worker asks whether the
request has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import and_, delete, or_, select

from frametally.adapters.sql.clock import is_due, note_change, now_ms
from frametally.adapters.sql.kept_books import KeptTables
from frametally.adapters.sql.migration import Layout
from frametally.adapters.sql.sql_book import SqlBook
from frametally_live import feed_rows as rows
from frametally_live import tables
from frametally_live.feed_records import OVER, Feed, FeedKind, FeedTold, FeedWanted, TooManyStreams

_columns = tables.feeds.c


LAYOUT = Layout.in_catalogue(
    "live book",
    "frametally live add",
    tables.about,
    tables.SCHEMA_VERSION,
    Path(__file__).with_name("migrations") / "live",
)


class LiveBook(SqlBook):
    """Feeds in the database that a URL names, SQLite or PostgreSQL; processes and threads may share it.

    All methods may raise `Retryable`.
    """

    layout = LAYOUT

    def version(self) -> str:
        """Return a text that changes whenever the shown state of a feed changes."""
        with self._database.reading() as connection:
            return str(connection.execute(select(tables.about.c.changed)).scalar_one())

    def start_stream(self, feed: Feed, *, most: int, launch_within_s: float = 0.0) -> Feed:
        """Return the stream of `feed.video_id` that is not over; without one, put and return `feed`.

        All callers get the same stream. A stream that is being stopped ends at once; its worker learns that
        at the next renewal. A `booked` stream fails unless it is launched within `launch_within_s`.

        Raises:
            TooManyStreams: `most` streams of other videos are not over.
        """
        with self._database.writing() as connection:
            rows.look_after_launches(connection)  # a stream that never began must not block others
            running = rows.find(connection, _columns.kind == "video", rows.NOT_OVER)
            running_stream = next((stream for stream in running if stream.video_id == feed.video_id), None)
            if running_stream is not None and running_stream.wanted != "stop":
                return running_stream
            if running_stream is not None:  # ended at once; its worker may not write anything more
                rows.end(connection, running_stream)
            elif len(running) >= most:
                raise TooManyStreams(running)
            rows.forget_all_but_the_last(connection, feed.video_id)
            return rows.put(connection, feed, launch_within_s)

    def launch_feed(self, feed_id: str, *, lease_s: float) -> Feed | None:
        """Let workers claim a booked feed, and keep it launched; return it; None: it does not exist.

        Its launcher repeats the call within each lease. If it does not, the feed fails two leases of a
        worker after the first check that misses it, so a catalogue that was away ends no stream. A feed that
        is over, or needs no launch, is returned unchanged.
        """
        with self._database.writing() as connection:
            feed = rows.find_one(connection, feed_id)
            if feed is None or feed.is_over or not feed.launch:
                return feed
            due_at_ms = rows.after(connection, lease_s)
            rows.change(connection, _columns.id == feed_id, launch="launched", launch_due_at_ms=due_at_ms)
            if feed.launch == "booked":
                rows.note(connection, feed, feed.told._replace(reason=""))
            return rows.find_one(connection, feed_id)

    def fail_launch(self, feed_id: str, reason: str, *, only_booked: bool = False) -> bool:
        """Make a feed that needs a launch fail, even if a worker runs it; False: it is over, or needs none.

        With `only_booked`, also False where it is launched.
        """
        with self._database.writing() as connection:
            feed = rows.find_one(connection, feed_id)
            if feed is None or feed.is_over or not feed.launch:
                return False
            if only_booked and feed.launch != "booked":
                return False
            rows.end(connection, feed, feed.told._replace(state="failed", reason=reason))
            return True

    def put_camera(self, feed: Feed) -> Feed | None:
        """Put a camera; None: its source has one already."""
        with self._database.writing() as connection:
            if rows.find(connection, _columns.kind == "camera", _columns.source == feed.source):
                return None
            return rows.put(connection, feed)

    def move_camera(self, feed_id: str, address: str, transport: str) -> Feed | None:
        """Give a camera another address; return its feed, None if it does not exist.

        A worker that runs it ends what it has and releases it; it is claimed again with the new address.
        """
        with self._database.writing() as connection:
            rows.change(connection, _columns.id == feed_id, address=address, transport=transport)
            note_change(connection, tables.about)
            return rows.find_one(connection, feed_id)

    def remove_feed(self, feed_id: str) -> bool:
        """Delete a feed that is over or has no worker; False: there is none.

        Also False: a camera has a worker. It is stopped, and deleted as soon as that has ended, unless it is
        started again before.
        """
        with self._database.writing() as connection:
            free = or_(~rows.NOT_OVER, rows.is_free(now_ms(connection)))
            deletion = connection.execute(delete(tables.feeds).where(_columns.id == feed_id, free))
            rows.change(
                connection, and_(_columns.id == feed_id, _columns.kind == "camera"), wanted=rows.DELETE
            )
            note_change(connection, tables.about)
            return bool(deletion.rowcount)

    def ask_feed(
        self, feed_id: str, wanted: FeedWanted | None = None, *, seek_s: float | None = None
    ) -> Feed | None:
        """Change the request of a feed; return the feed, None if it does not exist.

        Arguments that are not given keep their values, even if another call set them just now: a seek does
        not undo a pause. A stopped feed without a worker is over at once. A camera that is over and started
        again is `requested` again and keeps its counts; if it was stopped, it has no `captured_at_ms` before
        its next frame. A stream of a video that is over, or is being stopped, stays so.
        """
        with self._database.writing() as connection:
            feed = rows.find_one(connection, feed_id)
            if feed is None or (feed.is_over and wanted == "stop"):
                return feed
            if feed.kind == "video" and (feed.is_over or feed.wanted == "stop"):
                return feed
            changes = {"wanted": wanted, "seek_s": seek_s}
            values: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
            if not values:
                return feed
            if feed.wanted == wanted == "stop":
                values.pop("wanted")  # it may be one that is deleted when it has ended
            if feed.is_over:
                values |= {
                    "told": rows.as_json(rows.begun_anew(feed.told)),
                    "ended_at_ms": None,
                    "due_at_ms": 0,
                }
            if values:
                rows.change(connection, _columns.id == feed_id, **values)
            if wanted == "stop":
                is_free = and_(_columns.id == feed_id, rows.is_free(now_ms(connection)))
                if rows.find(connection, is_free):
                    rows.end(connection, feed)
                else:
                    rows.note(connection, feed, feed.told._replace(state="stopping"))
            note_change(connection, tables.about)
            return rows.find_one(connection, feed_id)

    def claim_feed(self, worker: str, kinds: Sequence[FeedKind], *, lease_s: float) -> Feed | None:
        """Give `worker` a feed that is not over and has no worker, or whose lease has expired; None: none.

        Exactly one of several callers gets it. Nobody gets a booked feed. A seek that was not reached yet
        is reported as the position.
        """
        # Workers ask often, and seldom get a feed, so that a mere look must not block writers.
        with self._database.reading() as connection:
            time_ms = now_ms(connection)
            if not rows.find(connection, or_(rows.is_claimable(kinds, time_ms), rows.is_unheard(time_ms))):
                return None
        with self._database.writing() as connection:
            rows.look_after_launches(connection, 2 * lease_s)
            while (due_feeds := rows.find_due(connection, kinds)) and due_feeds[0].wanted == "stop":
                rows.end(connection, due_feeds[0])
            if not due_feeds:
                return None
            feed = due_feeds[0]
            report = rows.sought(feed.told, feed.seek_s)
            rows.change(
                connection,
                _columns.id == feed.id,
                worker=worker,
                generation=_columns.generation + 1,
                due_at_ms=rows.after(connection, lease_s),
                seek_s=None,
                told=rows.as_json(report._replace(state="starting")),
            )
            note_change(connection, tables.about)
            return rows.find_one(connection, feed.id)

    def renew_feed(self, feed: Feed, report: FeedTold, *, lease_s: float) -> Feed | None:
        """Keep a claimed feed and report its state; return the latest request for it.

        A `seek_s` is returned once. None: it is another's by now, or is gone, and must be left.
        """
        with self._database.writing() as connection:
            held_rows = rows.find(connection, rows.is_held(feed))
            if not held_rows:
                return None
            now = held_rows[0]
            if now.wanted == "stop" and report.state not in OVER:
                report = report._replace(state="stopping")
            # If the worker dies before it gets there, the next one still begins there.
            rows.change(
                connection, rows.is_held(feed), due_at_ms=rows.after(connection, lease_s), seek_s=None
            )
            rows.note(connection, now, rows.sought(report, now.seek_s))
            return now._replace(told=report)

    def release_feed(self, feed: Feed, report: FeedTold) -> bool:
        """Release a claimed feed with its last state: over, or free for another. False: another has it.

        A feed that was to stop is over. A camera that was started again since it was stopped is not.
        """
        with self._database.writing() as connection:
            held_rows = rows.find(connection, rows.is_held(feed))
            if not held_rows:
                return False
            is_wanted = held_rows[0].wanted != "stop"
            if is_wanted and held_rows[0].kind == "camera" and report.state == "ended":
                report = report._replace(state="requested")  # started again since it was stopped
            if report.state in OVER or not is_wanted:
                state = report.state if report.state in OVER else "ended"
                rows.end(connection, held_rows[0], report._replace(state=state))
            else:
                rows.note(connection, held_rows[0], report)
                rows.change(connection, rows.is_held(feed), worker="", due_at_ms=0)
            return True

    def feed(self, feed_id: str) -> Feed | None:
        """Return a feed; None if it does not exist."""
        with self._database.reading() as connection:
            return rows.find_one(connection, feed_id)

    def feeds(self, kind: FeedKind | None = None, *, video_id: str = "", limit: int = 1000) -> list[Feed]:
        """Return feeds: those that are not over first, then the newest.

        A feed whose lease has expired is `requested`, whatever its last report said.
        """
        conditions = [_columns.kind == kind] if kind else []
        if video_id:
            conditions.append(_columns.video_id == video_id)
        query = (
            rows.select_feeds()
            .where(*conditions)
            .order_by(_columns.ended_at_ms.is_not(None), _columns.number.desc())
        )
        with self._database.reading() as connection:
            is_left = and_(
                rows.NOT_OVER, _columns.worker != "", is_due(_columns.due_at_ms, now_ms(connection))
            )
            feed_table = connection.execute(query.add_columns(is_left).limit(limit))
            return [rows.feed_of(feed, is_left=is_left) for *feed, is_left in feed_table]

    def stop_streams(self, video_id: str) -> list[Feed]:
        """Stop the stream of a video; return its state after that."""
        running = [feed for feed in self.feeds("video", video_id=video_id) if not feed.is_over]
        streams = [self.ask_feed(feed.id, "stop") for feed in running]
        return [feed for feed in streams if feed is not None]

    def forget_streams(self, video_id: str) -> None:
        """Delete all streams of a video, even running ones."""
        with self._database.writing() as connection:
            deletion = connection.execute(delete(tables.feeds).where(_columns.video_id == video_id))
            if deletion.rowcount:
                note_change(connection, tables.about)


TABLES = (KeptTables("live", LAYOUT, {"cameras and streams": tables.feeds}),)
