"""Fakes that keep the ports' promises in memory: they pass the same contract tests as the real adapters."""

from __future__ import annotations

import base64
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Unpack

from frametally.adapters.files.folder_store import check_key
from frametally.adapters.sqlite.file_log import LeasedConsumer, Owner, divide
from frametally.errors import Misconfigured, Poison
from frametally.ports.frame_log import GroupCallbacks, LeaseLost, LogRecord, NoSuchTopic
from frametally.ports.object_store import (
    PIECE_BYTES,
    Change,
    KeyRanges,
    ObjectInfo,
    ObjectMissing,
    change_alone,
)
from frametally.rules.times import DAY_S


class ManualClock:
    """A clock that a test sets, so that leases expire without waiting."""

    def __init__(self) -> None:
        """Start at 0 s."""
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


class MemoryStore:
    """An object store in this process; see `ObjectStore`."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Create an empty store; `clock` gives the time of puts in seconds since 1970 UTC."""
        self.url = "memory://"
        self._clock = clock
        self._objects: dict[str, bytes] = {}
        self._put_at_ms: dict[str, int] = {}
        self._versions: dict[str, int] = {}  # never deleted: an object put again has a new version
        self._lock = threading.Lock()
        self._changing = threading.Lock()

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        """Store `data` under `key`; see `ObjectStore.put`. Raises `Poison` for an invalid key."""
        del durable  # nothing here outlives the process
        check_key(key)
        with self._lock:
            if if_absent and key in self._objects:
                return False
            self._objects[key] = bytes(data)
            self._put_at_ms[key] = int(self._clock() * 1000)
            self._versions[key] = self._versions.get(key, 0) + 1
            return True

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises `ObjectMissing`."""
        check_key(key)
        with self._lock:
            if key not in self._objects:
                raise ObjectMissing(f"no object {key!r} in {self.url}")
            return self._objects[key]

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Return bytes `first_byte` to `next_byte` (exclusive, clipped at the end). Raises
        `ObjectMissing`."""
        return self.get(key)[first_byte:next_byte]

    def head(self, key: str) -> ObjectInfo | None:
        """Return the object's metadata; None if it does not exist."""
        check_key(key)
        with self._lock:
            return self._info(key) if key in self._objects else None

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield every object in the folder `prefix` and below it, sorted by key, after `after` only."""
        folder = prefix.removesuffix("/")
        if folder:
            check_key(folder)
        with self._lock:
            infos = [
                self._info(key)
                for key in self._objects
                if (not folder or key.startswith(f"{folder}/")) and (after is None or key > after)
            ]
        return iter(sorted(infos))

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        """Yield the result of `list` without the known keys."""
        return known_keys.leave_out(self.list(prefix))

    def _info(self, key: str) -> ObjectInfo:
        version = str(self._versions[key])
        return ObjectInfo(key, len(self._objects[key]), version, self._put_at_ms[key])

    def delete(self, key: str, *, durable: bool = True) -> None:
        """Remove the object, if it exists."""
        del durable
        check_key(key)
        with self._lock:
            self._objects.pop(key, None)

    def sync(self) -> None:
        """Do nothing."""

    def change(self, key: str, make: Change) -> bytes | None:
        """Replace an object by the result of `make`; see `ObjectStore.change`."""
        check_key(key)
        with self._changing:
            return change_alone(self, key, make)

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return a `data:` URL, which holds the object itself. Raises `ObjectMissing`."""
        del ttl_s
        return "data:application/octet-stream;base64," + base64.b64encode(self.get(key)).decode()

    def resumable(self, key: str, part_key: str) -> MemoryWrite:
        """Start or resume an interruptible write to `key`; see `ObjectStore.resumable`."""
        check_key(key)
        check_key(part_key)
        return MemoryWrite(self, key, part_key)

    def close(self) -> None:
        """Do nothing: nothing is open."""


class MemoryWrite:
    """A write to a `MemoryStore` that loses unsynced data on a kill; see `ResumableWrite`."""

    def __init__(self, store: MemoryStore, key: str, part_key: str) -> None:
        """Resumes the part at `part_key`; see `MemoryStore.resumable`."""
        self.key = key
        self._store = store
        self._part_key = part_key
        self._kept = self.durable_bytes
        self._loose = bytearray()
        self._over = False

    @property
    def durable_bytes(self) -> int:
        """The number of bytes at the part's key."""
        info = self._store.head(self._part_key)
        return info.size_bytes if info else 0

    def append(self, data: bytes, *, at_byte: int) -> None:
        """Append `data`. Raises `Poison` if they do not follow, or the write has ended."""
        kept = self.durable_bytes
        if self._over or kept < self._kept:
            raise Poison(f"the write of {self.key} has already been finished or aborted; start again")
        end = self._kept + len(self._loose)
        if kept != self._kept or at_byte != end:
            self._kept = kept
            self._loose.clear()
            raise Poison(f"bytes of {self.key} from {at_byte} on do not follow the {end} that came")
        self._loose += data
        self._keep((at_byte + len(data)) // PIECE_BYTES * PIECE_BYTES)

    def flush(self) -> int:
        """Keep all."""
        return self._keep(self._kept + len(self._loose))

    def _keep(self, next_byte: int) -> int:
        if next_byte > self._kept:
            fresh = bytes(self._loose[: next_byte - self._kept])
            before = self._store.get(self._part_key) if self._kept else b""
            self._store.put(self._part_key, before + fresh)
            del self._loose[: len(fresh)]
            self._kept = next_byte
        return self._kept

    def finish(self) -> bool:
        """Create the object, unless it exists."""
        made = False
        if self.durable_bytes >= self._kept and self.flush():
            with suppress(ObjectMissing):  # another was faster
                made = self._store.put(self.key, self._store.get(self._part_key), if_absent=True)
        if self._store.head(self.key) is None:
            raise Poison(f"the write of {self.key} has already been finished or aborted; start again")
        self.abort()
        return made

    def abort(self) -> None:
        """Forget all."""
        self._store.delete(self._part_key)
        self._loose.clear()
        self._kept = 0
        self._over = True


@dataclass
class _Group:
    committed: dict[int, int] = field(default_factory=dict)
    owners: dict[int, Owner] = field(default_factory=dict)
    expires_at_s: dict[str, float] = field(default_factory=dict)  # of each member's lease


@dataclass
class _Topic:
    log_id: str
    begin: list[int]
    messages: list[list[tuple[bytes, bytes]]]  # per partition, the first one at its begin offset
    keep_s: float | None = None
    put_at_s: list[tuple[float, int]] = field(default_factory=list)  # with the partition, of what is kept
    groups: dict[str, _Group] = field(default_factory=dict)

    def group(self, name: str) -> _Group:
        owners = {partition: Owner(None, 0) for partition in range(len(self.begin))}
        return self.groups.setdefault(name, _Group(owners=owners))


class MemoryLog:
    """A frame log in this process; see `FrameLog`. Threads may share it."""

    def __init__(self, *, lease_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Create an empty log.

        Args:
            lease_s: Seconds without a poll before a consumer's partitions move to others.
            clock: The leases' time in seconds; give a `ManualClock` to let them run out at will.
        """
        self.url = "memory://"
        self.lease_s = lease_s
        self.clock = clock
        self.lock = threading.RLock()
        self._topics: dict[str, _Topic] = {}

    def create_topic(self, topic: str, partitions: int, *, keep_s: float | None = None) -> None:
        """Create the topic unless it exists."""
        if partitions < 1:
            raise Misconfigured(f"topic {topic!r}: {partitions} partitions; give it at least 1")
        with self.lock:
            made = _Topic(str(uuid.uuid4()), [0] * partitions, [[] for _ in range(partitions)], keep_s)
            self._topics.setdefault(topic, made)

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises `NoSuchTopic`."""
        return len(self._topic(topic).begin)

    def log_id(self, topic: str) -> str:
        """Return the UUID that was made with the topic. Raises `NoSuchTopic`."""
        return self._topic(topic).log_id

    def publish(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Append `(key, value)` messages; those with the same key to the same partition, in order."""
        target = self._topic(topic)
        for key, value in messages:
            with self.lock:
                partition = zlib.crc32(key) % len(target.begin)
                target.messages[partition].append((bytes(key), bytes(value)))
                if target.keep_s is not None:
                    self._remove_old(target, target.keep_s, partition)

    def begin_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset of each partition's oldest message, or its end offset if it has none."""
        with self.lock:
            return dict(enumerate(self._topic(topic).begin))

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset that each partition's next message will get."""
        with self.lock:
            target = self._topic(topic)
            return {p: target.begin[p] + len(messages) for p, messages in enumerate(target.messages)}

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """Return the group's committed offset of each partition that has one."""
        with self.lock:
            return dict(self._topic(topic).group(group).committed)

    def subscribe(self, topic: str, group: str, **callbacks: Unpack[GroupCallbacks]) -> MemoryConsumer:
        """Return a member of the group; it joins at its first poll. Raises `NoSuchTopic`."""
        target = self._topic(topic)
        with self.lock:
            return MemoryConsumer(self, target, group, callbacks)

    def trim(self, topic: str) -> int:
        """Remove the messages that every group with commits has committed; return their number."""
        with self.lock:
            target = self._topic(topic)
            groups = [group.committed for group in target.groups.values() if group.committed]
            removed = 0
            for partition, messages in enumerate(target.messages):
                done = min((committed.get(partition, 0) for committed in groups), default=0)
                count = min(max(0, done - target.begin[partition]), len(messages))
                del messages[:count]
                target.begin[partition] += count
                removed += count
            return removed

    def _remove_old(self, target: _Topic, keep_s: float, partition: int) -> None:
        target.put_at_s.append((self.clock(), partition))
        while self.clock() - target.put_at_s[0][0] >= keep_s:
            _, old = target.put_at_s.pop(0)
            del target.messages[old][0]
            target.begin[old] += 1

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def _topic(self, name: str) -> _Topic:
        with self.lock:
            if name not in self._topics:
                raise NoSuchTopic(self.url, name)
            return self._topics[name]


class MemoryConsumer(LeasedConsumer):
    """A member of a group of a `MemoryLog`; see `LogConsumer`."""

    def __init__(self, log: MemoryLog, topic: _Topic, group: str, callbacks: GroupCallbacks) -> None:
        """Create a member; use `MemoryLog.subscribe`."""
        super().__init__(group, callbacks)
        self._log = log
        self._topic = topic
        self._group = topic.group(group)

    def commit(self, partition: int, offset: int) -> None:
        """Record that all messages below `offset` are done. Raises `LeaseLost`."""
        with self._log.lock:
            held = self._generations.get(partition)
            if held is None or self._group.owners[partition] != Owner(self._member, held):
                raise LeaseLost(partition, self._group_name)
            self._group.committed[partition] = offset

    def close(self) -> None:
        """Leave the group; may be called again."""
        with self._log.lock:
            self._group.expires_at_s.pop(self._member, None)
            self._generations.clear()
            self._positions.clear()

    def _take_part(self) -> None:
        with self._log.lock:
            now_s = self._log.clock()
            leases = self._group.expires_at_s
            leases[self._member] = now_s + self._log.lease_s
            for member in [member for member, end_s in leases.items() if end_s < now_s]:
                del leases[member]
            shares = divide(self._group.owners, leases, self._member, self._generations)
            taken = {}
            for partition in shares.free:
                generation = self._group.owners[partition].generation + 1
                self._group.owners[partition] = Owner(self._member, generation)
                taken[partition] = generation, self._group.committed.get(partition, 0)
        self._tell(shares, taken)

    def _give_back(self, partition: int, generation: int) -> None:
        with self._log.lock:
            if self._group.owners[partition] == Owner(self._member, generation):
                self._group.owners[partition] = Owner(None, generation)

    def _fetch(self, partition: int, first_offset: int, max_records: int) -> list[LogRecord]:
        with self._log.lock:
            begin = self._topic.begin[partition]
            first = max(first_offset, begin)
            batch = self._topic.messages[partition][first - begin : first - begin + max_records]
        return [LogRecord(partition, offset, *pair) for offset, pair in enumerate(batch, first)]
