"""Reads the store and the log in the background; requests use the last result.

One thread reads, only while clients send requests and for at most a fifth of the time, because listing a
large store takes longer than a page may wait. It also watches for publications and changes of the books.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

from frametally.actions.parameters import Args
from frametally.actions.problems import Problem, ended, problem_of
from frametally.books.figures import LastReading
from frametally.books.status import read_status
from frametally.books.unanalysed import find_dead_letters, find_unanalysed
from frametally.errors import FrametallyError, Retryable
from frametally.media.overlapping import overlaps_of, overlaps_to_mend
from frametally.media.source_timezones import readable_timezones
from frametally.ports.object_store import ObjectMissing
from frametally.ports.opened import Ports
from frametally.process.reports import NoProgress
from frametally.process.retrying import OnceAMinute, record_outages
from frametally.process.time_limit import seconds_left, time_limit
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.question import checks_version
from frametally_web.requests.query import SOURCE, TIMEZONE

_log = logging.getLogger(__name__)

_ReadT = TypeVar("_ReadT")

_LOOK_AT_INDEX_EVERY_S = 1.0
_FIRST_READING_S = _FRESH_READING_S = 2.0
_LONG_READING_S = 10.0
_REST_S = 5.0
_REST_PER_WORK = 4
"""Pause between readings, as a multiple of the time that reading takes, but at least `_REST_S`."""
_IDLE_S = 10.0


def version_text(index_version: str | None, generation: int) -> str:
    """Return a text that identifies the current counts and media."""
    return f"{index_version}.{generation}"


class Seen(NamedTuple):
    """The state that a stream of events has reported: versions of data and plug-ins' data, and the books."""

    version: str | None
    reading: LastReading | None
    others: Mapping[str, str] = {}


class _Work(NamedTuple):
    """The thread's next step: whether it reads the media and the books, and whether streams wait."""

    media: bool
    status: bool
    watched: bool


class BooksReader:
    """The background reader. It starts its thread with the first request, and ends it with `close`."""

    def __init__(self, ports: DashboardPorts, settings: Settings) -> None:
        self._ports = ports
        self._settings = settings
        self.rest_s = _REST_S
        self._say = OnceAMinute(_log.warning)
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._closed = False
        self._told: object = None
        self._media = MediaTimes(None)
        self._media_due_s = self._status_due_s = 0.0
        self._media_wanted = self._status_wanted = False
        self._media_read = False
        self._reading: LastReading | None = None
        self._error: FrametallyError | None = None
        self._statuses = self._tried_at_ms = 0
        self._began_s = self._took_s = 0.0
        self._media_error: FrametallyError | None = None
        self._patience_ends_s: dict[str, float] = {}
        self._version: str | None = None
        self._checks, self.index_answers = "", False
        self._watched: dict[str, list[Callable[[], str]]] = {}
        self._others: dict[str, str] = {}
        self._ledger_version: str | None = None
        self._readings_begun = self._last_reading = 0
        self._fell_short = False
        self._watchers = 0
        self.generation = 0

    def add_version(self, kind: str, version: Callable[[], str]) -> None:
        """Let streams of events report a kind of news whenever `version` returns another text."""
        self._watched.setdefault(kind, []).append(version)

    def look_at_checks(self) -> None:
        """Begin another generation if the accuracy checks have changed."""
        version = checks_version(self._settings)
        with self._changed:
            if version != self._checks:
                self._checks = version
                self.generation += 1
                self._changed.notify_all()

    def media(self) -> MediaTimes:
        """Return the media at the ledger's last refresh, and start another refresh if it is due."""
        with self._changed:
            if time.monotonic() >= self._media_due_s:
                self._media_wanted = True
                self._wake()
            if not self._media_read:
                self._wait_for("media", lambda: self._media_read)
            return self._media

    def add_timezone(self, args: Args) -> None:
        """Set a query's missing time zone to the one that all its sources share, if there is one."""
        if TIMEZONE.read(args) is None:
            timezone = self.media().shared_timezone(SOURCE.read(args))
            if timezone:
                args.put("timezone", timezone)

    def media_to_keep(self) -> MediaTimes:
        """Return the media once they have been read, for answers that last: a file, or a refusal.

        Raises:
            Problem: 503 if the first reading does not end within the request's time.
        """
        with self._changed:
            self.media()
            self._changed.wait_for(lambda: self._closed or self._media_read, timeout=seconds_left())
            if not self._media_read:
                raise _still_read("frametally is reading the names of the sources for the first time.")
            return self._media

    def ensure_ledger(self) -> None:
        """Wait until the ledger knows the segments of all that is in the index.

        Raises:
            FrametallyError: The refresh failed, or the index is unavailable.
            Problem: 503 if it takes longer than the request's time.
        """
        version = self._ports.index.version()
        with self._changed:
            self.media()
            readings_before = self._readings_begun
            if self._ledger_version == version:
                return
            self._media_wanted = True  # what was just counted must be found at once
            self._wake()
            self._changed.wait_for(
                # Counts may grow faster than they are read: any reading that began later is enough.
                lambda: (
                    self._closed or self._ledger_version == version or self._last_reading > readings_before
                ),
                timeout=seconds_left(),
            )
            if self._ledger_version == version:
                return
            self._fell_short = True
            if self._last_reading <= readings_before:
                raise _still_read("frametally is still looking up the frames of the latest counts.")
            if self._media_error is not None:
                raise self._media_error

    def reading(self) -> LastReading:
        """Return the books; if they were read long ago, wait a little while they are read again.

        Raises:
            FrametallyError: They could not be read.
            Problem: 503 if they are being read for the first time, or again after a failure.
        """
        with self._changed:
            before, is_old = self._statuses, time.monotonic() >= self._status_due_s
            if is_old:
                self._status_wanted = True
                self._wake()
            if not before:
                self._wait_for("books", lambda: self._statuses > 0)
            elif is_old and (self._error is not None or self._took_s < _FRESH_READING_S):
                self._changed.wait_for(
                    lambda: self._closed or self._statuses > before, timeout=_FRESH_READING_S
                )
            if self._error is not None:
                is_again = is_old and self._statuses == before
                raise self._failed_before(self._error) if is_again else self._error
            if self._reading is None:
                raise self._first_reading()
            return self._reading

    def _failed_before(self, error: FrametallyError) -> Problem:
        tried_at = utc(self._tried_at_ms).replace("Z", " UTC")
        reason = ended(problem_of(error).detail)
        return _still_read(
            f"At {tried_at}, reading the books failed: {reason} frametally is reading them again."
        )

    def _first_reading(self) -> Problem:
        lasts_s = time.monotonic() - (self._began_s or time.monotonic())
        if lasts_s < _LONG_READING_S:
            return _still_read("frametally is reading the books for the first time.")
        return _still_read(
            f"frametally has been reading the books for {lasts_s:.0f} s: a server, such as that of the frame "
            "store, may not be responding."
        )

    def read_again(self) -> None:
        """Read the store and the log again at once, because this server has changed them."""
        with self._changed:
            self._media_due_s = self._status_due_s = 0.0
            self._media_wanted = self._status_wanted = True
            self._wake()

    def watch(self, last_seen: Seen, timeout_s: float) -> Seen:
        """Return the news after `last_seen`: at once if there is any, else after `timeout_s`."""
        with self._changed:
            self._watchers += 1
            self._wake()
            try:
                self._changed.wait_for(lambda: self._closed or self._has_news(last_seen), timeout=timeout_s)
            finally:
                self._watchers -= 1
            return self._seen()

    @property
    def is_closed(self) -> bool:
        """Whether the server is shutting down."""
        return self._closed

    def close(self) -> None:
        """End the thread, and wake all waiting streams."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    def _seen(self) -> Seen:
        # A new source gets its name and its kind of time a moment after its counts.
        is_read = self._version is not None and self._media_read
        return Seen(
            version_text(self._version, self.generation) if is_read else None, self._reading, {**self._others}
        )

    def _has_news(self, last_seen: Seen) -> bool:
        if (self._seen().version, self._others) != (last_seen.version, last_seen.others):
            return True
        if self._reading is None or last_seen.reading is None:
            return self._reading is not last_seen.reading
        return self._reading.status != last_seen.reading.status

    def _wake(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="frametally-books", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _wait_for(self, purpose: str, is_done: Callable[[], bool]) -> None:
        # The first requests wait a little; if the store is so large that it takes longer, no later one waits.
        now_s = time.monotonic()
        left_s = self._patience_ends_s.setdefault(purpose, now_s + _FIRST_READING_S) - now_s
        if left_s > 0:
            self._changed.wait_for(lambda: self._closed or is_done(), timeout=left_s)

    def _run(self) -> None:
        while (work := self._next_work()) is not None:
            index_changed = work.watched and self._index_has_changed()
            if work.watched:
                self._look_at_others()
                self.look_at_checks()
            if work.media or work.status or index_changed:
                self._read(with_status=work.status)

    def _next_work(self) -> _Work | None:
        """Wait until there is something to read or check; return None to end the thread."""
        with self._changed:
            watched = self._watchers > 0
            if not self._is_wanted():
                self._changed.wait(timeout=_LOOK_AT_INDEX_EVERY_S if watched else _IDLE_S)
                if not (watched or self._watchers or self._is_wanted()):
                    self._thread = None  # the next request starts another
                    return None
            if self._closed:
                return None
            is_due = self._watchers > 0 and time.monotonic() >= self._status_due_s
            work = _Work(self._media_wanted, self._status_wanted or is_due, self._watchers > 0)
            self._media_wanted = self._status_wanted = False
            return work

    def _is_wanted(self) -> bool:
        return self._media_wanted or self._status_wanted or self._closed

    def _index_version(self) -> str | None:
        try:
            with time_limit(self._settings.web_query_timeout_s):
                return record_outages("index", self._ports.index.version)
        except Exception:  # every answer reports it; the thread must survive it
            return None

    def _index_has_changed(self) -> bool:
        version = self._index_version()
        self.index_answers = version is not None
        with self._changed:
            if version is None or version == self._version:
                return False
            self._version = version
            self._changed.notify_all()
            return True

    def _look_at_others(self) -> None:
        for kind, versions in self._watched.items():
            try:
                with time_limit(self._settings.web_query_timeout_s):
                    version = "-".join(read_version() for read_version in versions)
            except Exception:  # noqa: S112 - a route that needs it says so; the thread must outlive it
                continue
            with self._changed:
                if version != self._others.get(kind):
                    self._others[kind] = version
                    self._changed.notify_all()

    def _read(self, *, with_status: bool) -> None:
        began_s = time.monotonic()
        with self._changed:
            self._readings_begun += 1
            number = self._readings_begun
            if with_status:
                self._began_s = self._began_s or began_s
        version = self._index_version()  # first: its contents were in the store before
        reading, error = _caught("books", self._read_books, self._say) if with_status else (None, None)
        # Without a log there are no books, but frames can still be found.
        read_media = partial(self._read_media, is_refreshed=reading is not None)
        media, media_error = _caught("media", read_media, self._say)
        ended_s = time.monotonic()
        failure = error or media_error
        due_s = ended_s + max(self.rest_s, 0.0 if failure else _REST_PER_WORK * (ended_s - began_s))
        if failure is None and with_status:
            self._say.over("frametally reads the books again")
        with self._changed:
            self._media_read, self._media_due_s = True, due_s
            self._last_reading = number
            if media is not None:
                self._ledger_version = version
            self._media_error = media_error
            if media is not None and (media != self._told or self._fell_short):
                self._told, self._media = media, MediaTimes(*media)
                self._fell_short = False  # answers without the ledger are made again
                self.generation += 1
            if with_status:
                self._status_due_s = due_s
                self._error = error
                self._statuses += 1
                self._tried_at_ms, self._took_s = int(time.time() * 1000), ended_s - began_s
                if reading is not None:
                    self._reading = reading
            self._changed.notify_all()

    def _read_books(self) -> LastReading:
        """Read the books, which also updates the ledger from the store."""
        ports = self._ports
        as_of_ms = int(time.time() * 1000)
        seen = Ports(settings=self._settings, store=ports.store, log=ports.log, index=ports.index)
        return LastReading(as_of_ms, read_status(seen, ports.ledger))

    def _read_media(self, *, is_refreshed: bool) -> tuple[Any, ...]:
        """Read the arguments of `MediaTimes`."""
        store, ledger, settings = self._ports.store, self._ports.ledger, self._settings
        if not is_refreshed:
            ledger.refresh(store, NoProgress())
        unanalysed = find_unanalysed(store=store, ledger=ledger, index=self._ports.index, settings=settings)
        manifests = ledger.manifests()
        overlaps = overlaps_of(manifests, ledger.tombstones(), settings.count_overlaps)
        overlaps = overlaps_to_mend(overlaps, manifests)
        return manifests, unanalysed, overlaps, find_dead_letters(ledger), readable_timezones(store)


def _caught(
    what: str, read: Callable[[], _ReadT], say: Callable[[str, str], object]
) -> tuple[_ReadT, None] | tuple[None, FrametallyError]:
    """Return what was read, or why it failed: the thread must survive it."""
    try:
        return record_outages(what, read), None
    except (FrametallyError, ObjectMissing) as failed:
        say(getattr(failed, "part", "") or str(failed), f"frametally cannot read the books: {failed}")
        return None, failed if isinstance(failed, FrametallyError) else Retryable(str(failed))
    except Exception:
        _log.exception("frametally cannot read the books")
        return None, Retryable("frametally cannot read the books")


def _still_read(detail: str) -> Problem:
    return Problem(503, detail, remedy="Try again in a few seconds.")
