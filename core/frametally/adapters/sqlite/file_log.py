"""The embedded frame log: one SQLite file, shared by all processes of one machine."""

from __future__ import annotations

import itertools
import math
import sqlite3
import threading
import time
import uuid
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, Unpack

from frametally.adapters.sqlite.database_file import SqliteFile
from frametally.errors import Misconfigured
from frametally.ports.frame_log import GroupCallbacks, LeaseLost, LogRecord, NoSuchTopic
from frametally.settings.access import LogAccess

_LONGEST_PAUSE_S = 0.02


class Owner(NamedTuple):
    """The holder of a partition; a member that is not live does not hold one."""

    member: str | None
    generation: int


class Shares(NamedTuple):
    """The tasks of one member, as sorted partitions."""

    lost: list[int]
    surplus: list[int]
    free: list[int]


def divide(
    owners: Mapping[int, Owner], live: Collection[str], member: str, generations: Mapping[int, int]
) -> Shares:
    """Return what `member` lost, must give back and may take.

    Args:
        owners: Every partition's owner, as the group knows it.
        live: All members with a lease, including `member`.
        member: The member whose share to compute.
        generations: The generations under which `member` believes it holds partitions.
    """
    share, rest = divmod(len(owners), len(live))
    share += sorted(live).index(member) < rest
    kept_partitions = [
        p for p, generation in sorted(generations.items()) if owners[p] == Owner(member, generation)
    ]
    free = [p for p in sorted(owners) if owners[p].member not in live or owners[p].member == member]
    return Shares(
        lost=sorted(generations.keys() - set(kept_partitions)),
        surplus=kept_partitions[share:],
        free=[p for p in free if p not in kept_partitions][: max(0, share - len(kept_partitions))],
    )


class LeasedConsumer(ABC):
    """The shared state of a group without a leader: its partitions, and how members learn of changes.

    An adapter renews the lease in `_take_part`, which calls `_tell`.
    """

    def __init__(self, group: str, callbacks: GroupCallbacks) -> None:
        """Hold nothing; the first poll joins `group`."""
        self._group_name = group
        self._callbacks = callbacks
        self._member = uuid.uuid4().hex
        self._generations: dict[int, int] = {}  # partition -> generation
        self._positions: dict[int, int] = {}
        self._last_read = -1

    def poll(self, *, timeout_s: float, max_records: int = 500) -> list[LogRecord]:
        deadline_s = time.monotonic() + timeout_s
        pause_s = 0.002
        while True:
            self._take_part()
            records: list[LogRecord] = []
            # Rotate: if one long partition filled a poll, the next poll starts with the next partition.
            for partition in sorted(self._positions, key=lambda p: (p <= self._last_read, p)):
                if len(records) < max_records:
                    batch = self._fetch(partition, self._positions[partition], max_records - len(records))
                    if batch:
                        records += batch
                        self._positions[partition] = batch[-1].offset + 1
                        self._last_read = partition
            left_s = deadline_s - time.monotonic()
            if records or left_s <= 0:
                return records
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def seek(self, partition: int, offset: int) -> None:
        """Make `offset` the next one that `poll` returns. Raises `LeaseLost` if it is not assigned."""
        if partition not in self._generations:
            raise LeaseLost(partition, self._group_name)
        self._positions[partition] = offset

    def assignment(self) -> set[int]:
        return set(self._generations)

    def _tell(self, shares: Shares, new_positions: Mapping[int, tuple[int, int]]) -> None:
        """Call back about lost and new partitions.

        `new_positions` maps each partition to (generation, first offset to read).
        """
        partitions_gone = sorted(shares.lost + shares.surplus)
        if partitions_gone:
            self._callbacks["on_revoked"](partitions_gone)
            for partition in partitions_gone:
                generation = self._generations.pop(partition)
                del self._positions[partition]
                if partition in shares.surplus:
                    self._give_back(partition, generation)
        for partition, (generation, position) in new_positions.items():
            self._generations[partition] = generation
            self._positions[partition] = position
        if new_positions:
            try:
                self._callbacks["on_assigned"](sorted(new_positions))
            except BaseException:
                for partition in new_positions:  # the next poll takes them again
                    del self._generations[partition], self._positions[partition]
                raise

    @abstractmethod
    def _take_part(self) -> None: ...

    @abstractmethod
    def _give_back(self, partition: int, generation: int) -> None: ...

    @abstractmethod
    def _fetch(self, partition: int, first_offset: int, max_records: int) -> list[LogRecord]: ...


class SqliteConsumer(LeasedConsumer):
    """One member of a group; see `LogConsumer`."""

    def __init__(
        self,
        file: SqliteFile,
        *,
        topic_id: int,
        partitions: int,
        group: str,
        lease_s: float,
        clock: Callable[[], float],
        **callbacks: Unpack[GroupCallbacks],
    ) -> None:
        """Create a member that joins at its first poll; it owns `file` and closes it."""
        super().__init__(group, callbacks)
        self._file = file
        self._group = (topic_id, group)
        self._partitions = partitions
        self._lease_s = lease_s
        self._clock = clock
        self._epoch = -1
        self._renew_at_s = -math.inf
        self._version: int | None = None  # of the file, when this member last looked
        self._ends: dict[int, int] = {}  # partition -> offset at which it had no message then

    def commit(self, partition: int, offset: int) -> None:
        """Record that everything below `offset` is done. Raises `LeaseLost`."""
        with self._file.write() as connection:
            owner = connection.execute(
                "SELECT member, generation FROM assignment"
                " WHERE topic_id = ? AND consumer_group = ? AND partition = ?",
                (*self._group, partition),
            ).fetchone()
            if owner is None or owner != (self._member, self._generations.get(partition)):
                raise LeaseLost(partition, self._group_name)
            connection.execute(
                "INSERT INTO committed VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET offset = excluded.offset",
                (*self._group, partition, offset),
            )

    def close(self) -> None:
        """Leave the group and close the file; a second call does nothing."""
        if self._epoch < 0:
            self._file.close()
            return
        self._epoch = -1
        self._generations.clear()
        self._positions.clear()
        try:
            with self._file.write() as connection:
                left = connection.execute(
                    "DELETE FROM member WHERE topic_id = ? AND consumer_group = ? AND member = ?",
                    (*self._group, self._member),
                ).rowcount
                if left:
                    self._announce_change(connection)
                    self._forget_group(connection)
        finally:
            self._file.close()

    def _take_part(self) -> None:
        # A waiting member polls many times a second; until another process writes, this is all that it reads.
        ((version,),) = self._file.read("PRAGMA data_version")
        if version != self._version:
            self._version = version
            self._ends.clear()
        elif self._clock() < self._renew_at_s:
            return
        rows = self._file.read(
            "SELECT epoch FROM consumer_group WHERE topic_id = ? AND consumer_group = ?", self._group
        )
        if rows == [(self._epoch,)] and self._clock() < self._renew_at_s:
            return
        self._renew_at_s = -math.inf  # until all callbacks have run: one that fails is called again
        shares, new_positions, renew_at_s = self._renew()
        self._tell(shares, new_positions)
        self._renew_at_s = renew_at_s

    def _renew(self) -> tuple[Shares, dict[int, tuple[int, int]], float]:
        """Renew the lease and take free partitions.

        Returns:
            The member's tasks; the partitions that it took, partition -> (generation, first offset to read);
            and the latest time of the next renewal, in seconds of the clock.
        """
        group = self._group
        with self._file.write() as connection:
            now_s = self._clock()  # only now: the wait for the lock may have been long
            connection.execute("INSERT OR IGNORE INTO consumer_group VALUES (?, ?, 0)", group)
            # A renewal far in the future is from before a reboot: clocks start again.
            expired = connection.execute(
                "DELETE FROM member WHERE topic_id = ? AND consumer_group = ? AND member <> ?"
                " AND NOT ? BETWEEN renewed_at_s - lease_s AND renewed_at_s + lease_s",
                (*group, self._member, now_s),
            ).rowcount
            member_row = connection.execute(
                "UPDATE member SET renewed_at_s = ? WHERE topic_id = ? AND consumer_group = ? AND member = ?",
                (now_s, *group, self._member),
            ).rowcount
            if not member_row:
                connection.execute(
                    "INSERT INTO member VALUES (?, ?, ?, ?, ?)", (*group, self._member, now_s, self._lease_s)
                )
            if expired or not member_row:
                self._announce_change(connection)
            expiries_s = dict(
                connection.execute(
                    "SELECT member, renewed_at_s + lease_s FROM member"
                    " WHERE topic_id = ? AND consumer_group = ?",
                    group,
                )
            )
            shares = divide(self._owners(connection), expiries_s.keys(), self._member, self._generations)
            new_positions = {partition: self._take(connection, partition) for partition in shares.free}
            (self._epoch,) = connection.execute(
                "SELECT epoch FROM consumer_group WHERE topic_id = ? AND consumer_group = ?", group
            ).fetchone()
        del expiries_s[self._member]
        return shares, new_positions, min([now_s + self._lease_s / 3, *expiries_s.values()])

    def _owners(self, connection: sqlite3.Connection) -> dict[int, Owner]:
        rows = connection.execute(
            "SELECT partition, member, generation FROM assignment WHERE topic_id = ? AND consumer_group = ?",
            self._group,
        )
        owners = dict.fromkeys(range(self._partitions), Owner(None, 0))
        owners.update((partition, Owner(member, generation)) for partition, member, generation in rows)
        return owners

    def _take(self, connection: sqlite3.Connection, partition: int) -> tuple[int, int]:
        (generation,) = connection.execute(
            "INSERT INTO assignment VALUES (?, ?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET member = excluded.member, generation = generation + 1"
            " RETURNING generation",
            (*self._group, partition, self._member),
        ).fetchone()
        committed = connection.execute(
            "SELECT offset FROM committed WHERE topic_id = ? AND consumer_group = ? AND partition = ?",
            (*self._group, partition),
        ).fetchone()
        return generation, committed[0] if committed else 0  # reading skips trimmed messages

    def _give_back(self, partition: int, generation: int) -> None:
        with self._file.write() as connection:
            connection.execute(
                "UPDATE assignment SET member = NULL WHERE topic_id = ? AND consumer_group = ?"
                " AND partition = ? AND member = ? AND generation = ?",
                (*self._group, partition, self._member, generation),
            )
            self._announce_change(connection)

    def _announce_change(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE consumer_group SET epoch = epoch + 1 WHERE topic_id = ? AND consumer_group = ?",
            self._group,
        )

    def _forget_group(self, connection: sqlite3.Connection) -> None:
        """Remove a group that has no members and never committed: one that only watched.

        Keep one whose partitions changed hands: generations must not restart, as a suspended owner may wake.
        """
        where = "WHERE topic_id = :topic AND consumer_group = :name"
        for table in ("assignment", "consumer_group"):
            connection.execute(
                f"DELETE FROM {table} {where}"  # noqa: S608 - nobody else's words
                f" AND NOT EXISTS (SELECT 1 FROM member {where})"
                f" AND NOT EXISTS (SELECT 1 FROM committed {where})"
                f" AND NOT EXISTS (SELECT 1 FROM assignment {where} AND generation > 1)",
                {"topic": self._group[0], "name": self._group[1]},
            )

    def _fetch(self, partition: int, first_offset: int, max_records: int) -> list[LogRecord]:
        if self._ends.get(partition) == first_offset:
            return []
        rows = self._file.read(
            "SELECT offset, key, value FROM message WHERE topic_id = ? AND partition = ? AND offset >= ?"
            " ORDER BY offset LIMIT ?",
            (self._group[0], partition, first_offset, max_records),
        )
        if not rows:
            self._ends[partition] = first_offset
        return [LogRecord(partition, offset, key, value) for offset, key, value in rows]


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

        Messages do not have timestamps: a process that publishes to a topic created with `keep_s` sometimes
        records its offsets, and removes older messages. Earlier messages get the time of the first record.
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
