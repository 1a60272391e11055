"""The embedded frame log: one SQLite file, shared by all processes of one machine."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
import uuid
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Unpack

from frametally.adapters.sqlite.consumer_group import SqliteConsumer
from frametally.adapters.sqlite.database_file import SqliteFile
from frametally.errors import Misconfigured
from frametally.ports.frame_log import GroupCallbacks, NoSuchTopic
from frametally.settings.access import LogAccess

_CHUNK_MESSAGES = 1000
_MARKS_A_KEEPING = 4
"""How many times during its retention period a topic's offsets are recorded."""


class _Topic(NamedTuple):
    topic_id: int
    log_id: str
    partitions: int


class _Keeping:
    """How long a topic keeps its messages, and its offsets at moments of that time, the oldest first."""

    def __init__(self, keep_s: float) -> None:
        self.keep_s = keep_s
        self.lock = threading.Lock()
        self.marks: deque[tuple[float, dict[int, int]]] = deque()


class SqliteLog:
    """A frame log in `sqlite:////absolute/file.sqlite`. Spawn processes while it is open, never fork."""

    def __init__(
        self,
        url: str,
        access: LogAccess | None = None,
        *,
        lease_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the file, creating it if missing; see `SqliteFile`.

        `clock` returns seconds, the same for all processes of the machine.

        Messages have no timestamps: a process that publishes to a topic created with `keep_s` notes its
        offsets now and then, and removes older messages. Earlier ones count as of the first note.
        """
        self.url = url
        self._lease_s = lease_s
        self._clock = clock
        self._file = SqliteFile(url)
        self._topics: dict[str, _Topic] = {}
        self._keeping: dict[str, _Keeping] = {}

    def create_topic(self, topic: str, partitions: int, *, keep_s: float | None = None) -> None:
        if partitions < 1:
            raise Misconfigured(f"topic {topic!r} cannot have {partitions} partitions; give it at least 1")
        with self._file.write() as connection:
            result = connection.execute(
                "INSERT OR IGNORE INTO topic (name, log_id, partitions) VALUES (?, ?, ?)",
                (topic, str(uuid.uuid4()), partitions),
            )
            if result.rowcount:
                connection.executemany(
                    "INSERT INTO span VALUES (?, ?, 0, 0)", [(result.lastrowid, p) for p in range(partitions)]
                )
        if keep_s is not None:
            self._keeping.setdefault(topic, _Keeping(keep_s))

    def partitions(self, topic: str) -> int:
        return self._topic(topic).partitions

    def log_id(self, topic: str) -> str:
        """Return the UUID that was created with the topic. Raises `NoSuchTopic`."""
        return self._topic(topic).log_id

    def publish(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Append `(key, value)` messages durably, a thousand at a time: each chunk whole or not at all."""
        target = self._topic(topic)
        source = iter(messages)
        while chunk := list(itertools.islice(source, _CHUNK_MESSAGES)):
            by_partition = defaultdict(list)
            for key, value in chunk:
                by_partition[zlib.crc32(key) % target.partitions].append((key, value))
            self._append(target.topic_id, by_partition)
        if (keeping := self._keeping.get(topic)) is not None:
            with keeping.lock:
                self._remove_old(topic, keeping)

    def _append(self, topic_id: int, by_partition: dict[int, list[tuple[bytes, bytes]]]) -> None:
        with self._file.write() as connection:
            for partition, messages in by_partition.items():
                (end,) = connection.execute(
                    "UPDATE span SET end_offset = end_offset + ? WHERE topic_id = ? AND partition = ?"
                    " RETURNING end_offset",
                    (len(messages), topic_id, partition),
                ).fetchone()
                connection.executemany(
                    "INSERT INTO message VALUES (?, ?, ?, ?, ?)",
                    [
                        (topic_id, partition, offset, key, value)
                        for offset, (key, value) in enumerate(messages, end - len(messages))
                    ],
                )

    def begin_offsets(self, topic: str) -> dict[int, int]:
        return {partition: begin for partition, begin, _ in self._spans(topic)}

    def end_offsets(self, topic: str) -> dict[int, int]:
        return {partition: end for partition, _, end in self._spans(topic)}

    def committed(self, topic: str, group: str) -> dict[int, int]:
        return dict(
            self._file.read(
                "SELECT partition, offset FROM committed WHERE topic_id = ? AND consumer_group = ?",
                (self._topic(topic).topic_id, group),
            )
        )

    def subscribe(self, topic: str, group: str, **callbacks: Unpack[GroupCallbacks]) -> SqliteConsumer:
        """Return a member of the group with its own connection; it joins at its first poll."""
        target = self._topic(topic)
        return SqliteConsumer(
            SqliteFile(self.url),
            topic_id=target.topic_id,
            partitions=target.partitions,
            group=group,
            **callbacks,
            lease_s=self._lease_s,
            clock=self._clock,
        )

    def trim(self, topic: str) -> int:
        topic_id = self._topic(topic).topic_id
        with self._file.write() as connection:
            # A group that committed elsewhere in the topic, but not in this partition, still needs all of it.
            trimmed = connection.execute(
                "SELECT s.partition, min(s.end_offset, min(ifnull(c.offset, 0)))"
                " FROM span s"
                " JOIN (SELECT DISTINCT consumer_group FROM committed WHERE topic_id = :topic_id) g"
                " LEFT JOIN committed c ON c.topic_id = :topic_id AND c.consumer_group = g.consumer_group"
                " AND c.partition = s.partition"
                " WHERE s.topic_id = :topic_id GROUP BY s.partition",
                {"topic_id": topic_id},
            ).fetchall()
            removed = _remove_below(connection, topic_id, trimmed)
        if removed:
            self._file.shrink()
        return removed

    def _remove_old(self, topic: str, keeping: _Keeping) -> None:
        """Record the topic's offsets if due, and remove messages below those of an old enough record."""
        now_s = self._clock()
        marks = keeping.marks
        if marks and now_s - marks[-1][0] < keeping.keep_s / _MARKS_A_KEEPING:
            return
        marks.append((now_s, self.end_offsets(topic)))
        old: dict[int, int] = {}
        while now_s - marks[0][0] >= keeping.keep_s:
            old = marks.popleft()[1]
        if old:  # the next messages reuse the pages that this frees
            with self._file.write() as connection:
                _remove_below(connection, self._topic(topic).topic_id, old.items())

    def close(self) -> None:
        """Close the file; consumers have their own connections and must be closed themselves."""
        self._file.close()

    def _spans(self, topic: str) -> list[tuple[int, int, int]]:
        query = "SELECT partition, begin_offset, end_offset FROM span WHERE topic_id = ?"
        return self._file.read(query, (self._topic(topic).topic_id,))

    def _topic(self, name: str) -> _Topic:
        if name not in self._topics:
            rows = self._file.read("SELECT topic_id, log_id, partitions FROM topic WHERE name = ?", (name,))
            if not rows:
                raise NoSuchTopic(self.url, name)
            self._topics[name] = _Topic(*rows[0])
        return self._topics[name]


def _remove_below(connection: sqlite3.Connection, topic_id: int, offsets: Iterable[tuple[int, int]]) -> int:
    """Remove the messages below an offset of each partition; return how many."""
    removed = 0
    for partition, offset in offsets:
        removed += connection.execute(
            "DELETE FROM message WHERE topic_id = ? AND partition = ? AND offset < ?",
            (topic_id, partition, offset),
        ).rowcount
        connection.execute(
            "UPDATE span SET begin_offset = max(begin_offset, ?) WHERE topic_id = ? AND partition = ?",
            (offset, topic_id, partition),
        )
    return removed
