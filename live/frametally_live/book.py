"""The live book: which cameras and streams of videos are to run, who runs them, and how they stand.

It is kept in the catalogue's database, with leases by that database's own clock. Unlike a job, a feed runs
until somebody stops it, can be paused, and tells where it is; who runs it asks with every renewal what is
wanted by now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    and_,
    delete,
    or_,
    select,
)

from frametally.adapters.sql.clock import note_change, now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.migration import Layout
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.settings.access import ServerAccess
from frametally_live import feed_rows as rows
from frametally_live import tables
from frametally_live.feed_records import (
    OVER,
    Feed,
    FeedKind,
    FeedTold,
    FeedWanted,
    TooManyStreams,
)

_columns = tables.feeds.c


LAYOUT = Layout(
    what="live book",
    setting="FRAMETALLY_CATALOGUE_URL",
    refill="frametally live add",
    tables=tables.ALL,
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations="live",
    beside=("frametally_catalogue", "frametally_access", "frametally_alerts", "frametally_audit"),
    has_secrets=True,
)


class LiveBook:
    """Feeds in the database that a URL names, SQLite or PostgreSQL; processes and threads may share it.

    All methods may raise `Retryable`.
    """

    def __init__(
        self, url: str, access: ServerAccess | None = None, *, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, making the tables if they are missing; see `SqlDatabase`."""
        self.url = url
        self._database = SqlDatabase(url, LAYOUT, access=access, busy_timeout_s=busy_timeout_s)

    def version(self) -> str:
        """Return what changes whenever a feed has changed in what a page shows."""
        with self._database.reading() as connection:
            return str(connection.execute(select(tables.about.c.changed)).scalar_one())

    def start_stream(self, feed: Feed, *, most: int, launch_within_s: float = 0.0) -> Feed:
        """Return the stream of `feed.video_id` that is not over; without one, put and return `feed`.

        Of several that ask at once, all get the same. One that is being stopped is over at once: who has it
        hears of that with its next renewal. One that is `booked` has failed unless it is launched within
        `launch_within_s`.

        Raises:
            TooManyStreams: `most` streams of other videos are not over.
        """
        with self._database.writing() as connection:
            rows.look_after_launches(connection)  # one that never began is in nobody's way
            running = rows.find(connection, _columns.kind == "video", rows.NOT_OVER)
            there = next((one for one in running if one.video_id == feed.video_id), None)
            if there is not None and there.wanted != "stop":
                return there
            if there is not None:  # it only has to hear of it: whoever has it may write nothing any more
                rows.end(connection, there)
            elif len(running) >= most:
                raise TooManyStreams(running)
            rows.forget_all_but_the_last(connection, feed.video_id)
            return rows.put(connection, feed, launch_within_s)

    def launch_feed(self, feed_id: str, *, lease_s: float) -> Feed | None:
        """Let a booked feed be claimed, and keep it launched; return it, None: there is none such.

        Its launcher says so again within each lease. One that has not is given two leases of whoever claims
        feeds, from the look that finds it missing: a catalogue that was away ends no stream. Then its feed
        fails. What is over, or needs no launch, is returned as it is.
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
        """Have a feed that needs a launch fail, whoever has it; False: it is over, or needs none.

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

    def remove_feed(self, feed_id: str) -> bool:
        """Forget a feed that is over or that nobody holds; False: there is none such."""
        with self._database.writing() as connection:
            free = or_(~rows.NOT_OVER, rows.is_free(now_ms(connection)))
            found = connection.execute(delete(tables.feeds).where(_columns.id == feed_id, free))
            if found.rowcount:
                note_change(connection, tables.about)
            return bool(found.rowcount)

    def ask_feed(
        self, feed_id: str, wanted: FeedWanted | None = None, *, seek_s: float | None = None
    ) -> Feed | None:
        """Want something else of a feed; return it then, None if there is none.

        What is not given stays as others asked for it, however close to this: who seeks undoes no pause.
        A stopped one that nobody holds is over at once. A camera that is over and wanted again is `requested`
        again, and what it counted goes on; if it was stopped, it has no `captured_at_ms` before its next
        frame. A stream of a video that is over, or is being stopped, stays so.
        """
        with self._database.writing() as connection:
            feed = rows.find_one(connection, feed_id)
            if feed is None or (feed.is_over and wanted == "stop"):
                return feed
            if feed.kind == "video" and (feed.is_over or feed.wanted == "stop"):
                return feed
            asked = {"wanted": wanted, "seek_s": seek_s}
            values: dict[str, Any] = {name: one for name, one in asked.items() if one is not None}
            if not values:
                return feed
            if feed.is_over:
                values |= {
                    "told": rows.as_json(rows.begun_anew(feed.told)),
                    "ended_at_ms": None,
                    "due_at_ms": 0,
                }
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
        """Give `worker` a feed that is not over and that nobody holds, or whose lease is over; None: none.

        Of several that ask at once, exactly one gets it. What is booked is nobody's. A place that was sought
        and not reached is told as the position.
        """
        # Workers ask often, and seldom is there something: whoever only looks is in no writer's way.
        with self._database.reading() as connection:
            time_ms = now_ms(connection)
            if not rows.find(connection, or_(rows.is_claimable(kinds, time_ms), rows.is_unheard(time_ms))):
                return None
        with self._database.writing() as connection:
            rows.look_after_launches(connection, 2 * lease_s)
            while (due := rows.find_due(connection, kinds)) and due[0].wanted == "stop":
                rows.end(connection, due[0])
            if not due:
                return None
            feed = due[0]
            told = rows.sought(feed.told, feed.seek_s)
            rows.change(
                connection,
                _columns.id == feed.id,
                worker=worker,
                generation=_columns.generation + 1,
                due_at_ms=rows.after(connection, lease_s),
                seek_s=None,
                told=rows.as_json(told._replace(state="starting")),
            )
            note_change(connection, tables.about)
            return rows.find_one(connection, feed.id)

    def renew_feed(self, feed: Feed, told: FeedTold, *, lease_s: float) -> Feed | None:
        """Keep a claimed feed and tell how it stands; return what is wanted of it by now.

        A `seek_s` is returned once. None: it is another's by now, or is gone, and must be left.
        """
        with self._database.writing() as connection:
            held = rows.find(connection, rows.is_held(feed))
            if not held:
                return None
            now = held[0]
            if now.wanted == "stop" and told.state not in OVER:
                told = told._replace(state="stopping")
            # Killed before it is there, whoever takes over begins there all the same.
            rows.change(
                connection, rows.is_held(feed), due_at_ms=rows.after(connection, lease_s), seek_s=None
            )
            rows.note(connection, now, rows.sought(told, now.seek_s))
            return now._replace(told=told)

    def release_feed(self, feed: Feed, told: FeedTold) -> bool:
        """Give a claimed feed back as it is told: over, or for another. False: it is another's by now.

        One that was to stop is over; a camera that is wanted again since it was told to stop is not.
        """
        with self._database.writing() as connection:
            held = rows.find(connection, rows.is_held(feed))
            if not held:
                return False
            is_wanted = held[0].wanted != "stop"
            if is_wanted and held[0].kind == "camera" and told.state == "ended":
                told = told._replace(state="requested")  # somebody has started it since it was stopped
            if told.state in OVER or not is_wanted:
                state = told.state if told.state in OVER else "ended"
                rows.end(connection, held[0], told._replace(state=state))
            else:
                rows.note(connection, held[0], told)
                rows.change(connection, rows.is_held(feed), worker="", due_at_ms=0)
            return True

    def feed(self, feed_id: str) -> Feed | None:
        """Return a feed; None if there is none."""
        with self._database.reading() as connection:
            return rows.find_one(connection, feed_id)

    def feeds(self, kind: FeedKind | None = None, *, video_id: str = "", limit: int = 1000) -> list[Feed]:
        """Return feeds, those that are not over first, then the newest.

        One whose lease is over stands still, whatever was told of it last: it is `requested`.
        """
        where = [_columns.kind == kind] if kind else []
        if video_id:
            where.append(_columns.video_id == video_id)
        query = (
            rows.select_feeds()
            .where(*where)
            .order_by(_columns.ended_at_ms.is_not(None), _columns.number.desc())
        )
        with self._database.reading() as connection:
            is_left = and_(rows.NOT_OVER, _columns.worker != "", _columns.due_at_ms <= now_ms(connection))
            there = connection.execute(query.add_columns(is_left).limit(limit))
            return [rows.feed_of(feed, is_left=is_left) for *feed, is_left in there]

    def stop_streams(self, video_id: str) -> list[Feed]:
        """Stop what streams a video; return how that stands then."""
        running = [feed for feed in self.feeds("video", video_id=video_id) if not feed.is_over]
        stopped = [self.ask_feed(feed.id, "stop") for feed in running]
        return [feed for feed in stopped if feed is not None]

    def forget_streams(self, video_id: str) -> None:
        """Forget all that streamed a video, whoever has it."""
        with self._database.writing() as connection:
            found = connection.execute(delete(tables.feeds).where(_columns.video_id == video_id))
            if found.rowcount:
                note_change(connection, tables.about)

    def close(self) -> None:
        """Release connections."""
        self._database.close()
