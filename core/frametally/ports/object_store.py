"""The object store port: frames, manifests, segments, part files, run pointers.

Keys are `/`-separated and relative; code that builds one from user input goes through `keys.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from frametally.errors import FrametallyError, Misconfigured
from frametally.rules.times import DAY_S

Change = Callable[[bytes | None], bytes | None]
"""Makes an object's new bytes from those that are there; None stands for no object, on either side."""

PIECE_BYTES = 8 * 2**20
"""What a resumable write keeps at once: so much at most is lost by a kill. S3 wants 5 MiB at least."""


class NoRoom(Misconfigured):
    """The disk, or the quota, is full: the bytes received before stay, and the write can be resumed."""


class ResumableWrite(Protocol):
    """Bytes on their way to a key, in order; the object is there once `finish` has returned, and not before.

    What is `durable_bytes` survives the death of the process and power loss. Only one process may append to a
    write at a time: two that do so differ by `append`'s `at_byte`. After any error the write goes on
    from `durable_bytes`, in this process or another.
    """

    key: str

    @property
    def durable_bytes(self) -> int:
        """How many bytes are kept, as the store tells; the rest must be sent again.

        A write that is over keeps none: after a kill, a writer looks first whether the object is there.
        """

    def append(self, data: bytes, *, at_byte: int) -> None:
        """Take in `data`, the bytes from `at_byte` on; each `PIECE_BYTES` become durable as they are reached.

        Raises:
            Poison: `at_byte` is not where the bytes taken in so far end, or the write is over.
            Retryable: The store is away; what is durable stays.
            NoRoom: The disk is full.
            Misconfigured: This user may not write there.
        """

    def flush(self) -> int:
        """Make durable all that was taken in, and return how much that is. Raises as `append`."""

    def finish(self) -> bool:
        """Make all that was taken in the object under `key`, in one step, if there is none.

        Returns:
            True if this call made it, False if there was an object: the bytes of this write are removed then.

        Raises:
            Poison: There is neither an object nor a byte of it: another process has aborted it.
            Retryable, Misconfigured: As `append`; finishing twice is allowed.
        """

    def abort(self) -> None:
        """Remove the received bytes, if there are any; an existing object under `key` stays."""


class ObjectMissing(FrametallyError):
    """The store has no object under that key."""


class ObjectInfo(NamedTuple):
    """One stored object.

    Attributes:
        key: Where it lies.
        size_bytes: Its size.
        version: Changes whenever the object is put again (an ETag); empty where the store has none.
        modified_at_ms: When it was put, by the store's clock, of some stores to the second; 0 where the store
            does not say. No count is made of it; `frametally index` publishes run pointers in its order.
    """

    key: str
    size_bytes: int
    version: str = ""
    modified_at_ms: int = 0


class ObjectStore(Protocol):
    """The interface of every store adapter. All methods may raise `Retryable` (the store is unavailable)."""

    url: str

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        """Store `data` under `key`, whole or not at all.

        With `if_absent` an existing object stays as it is, and of racing writers exactly one wins. With
        `durable` the object survives power loss once this returns (False for what can be made again: images).

        Returns:
            True if this call stored it, False if `if_absent` found an object there.

        Raises:
            Poison: No object can have that key.
            Misconfigured: This user may not write there.
        """

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises `ObjectMissing`."""

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Return bytes `first_byte` to `next_byte` (exclusive, cut at the end). Raises `ObjectMissing`."""

    def head(self, key: str) -> ObjectInfo | None:
        """Return the object's size, version and time; None if it does not exist."""

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield every object in the folder `prefix` and below it, sorted by key, those above `after` only."""

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        """Yield the result of `list` without the known keys, which may cost less than the others."""

    def delete(self, key: str) -> None:
        """Remove the object; removing a missing one does nothing."""

    def change(self, key: str, make: Change) -> bytes | None:
        """Replace an object by what `make` makes of it; no other `change` of it comes in between.

        `make` is given the bytes as they stand, and returns the new ones; what was given leaves the object as
        it is, None removes it. It may be called several times, so calling it on its own result must be
        harmless, and it must not call `change` itself.

        Returns:
            What `make` returned in the end.

        Raises:
            Retryable: Others have changed it, or kept it locked, for too long.
        """

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return a URL by which another process or machine can read the object without credentials.

        A store's link works for `ttl_s` seconds, or until our credentials end if that is earlier. Anyone who
        has it can read the object until then: it is a secret.
        """

    def resumable(self, key: str, part_key: str) -> ResumableWrite:
        """Begin a write to `key` that can be cut and gone on with, or go on with the one that was begun.

        `part_key` is a key of this write alone: what cannot lie at `key` before the end may lie there.

        Raises:
            Poison: No object can have that key.
            Misconfigured: This user may not write there.
        """

    def close(self) -> None:
        """Release connections."""


def change_alone(store: ObjectStore, key: str, make: Change) -> bytes | None:
    """Do the work of `ObjectStore.change`, if nobody else changes the object at the same time."""
    try:
        before = store.get(key)
    except ObjectMissing:
        before = None
    after = make(before)
    if after is None:
        store.delete(key)
    elif after != before:
        store.put(key, after)
    return after


class KeyRanges:
    """Sorted ranges of keys that do not touch, each of one folder; both ends are in it."""

    def __init__(self, ranges: Iterable[tuple[str, str]] = ()) -> None:
        """Take the first and the last key of each."""
        self.bounds = [bound for first, last in ranges for bound in (first, f"{last}\0")]

    def end_of(self, key: str) -> str | None:
        """Return the last key of the range that has this key; None: it is in none."""
        index = bisect_right(self.bounds, key)
        return self.bounds[index][:-1] if index % 2 else None

    def names_in(self, folder: str) -> list[str]:
        """Return the bounds of a folder's ranges, by name: a known name sorts at an odd place."""
        start = f"{folder}/"
        names = (bound[len(start) :] for bound in self.bounds if bound.startswith(start))
        return [name for name in names if "/" not in name]

    def leave_out(self, infos: Iterable[ObjectInfo]) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys are in no range."""
        return (info for info in infos if self.end_of(info.key) is None)
