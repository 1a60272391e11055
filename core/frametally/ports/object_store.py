"""The object store port: frames, manifests, segments, part files, run pointers.

Keys are `/`-separated and relative; code that builds one from user input uses `keys.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from frametally.errors import FrametallyError, Misconfigured
from frametally.rules.times import DAY_S

Change = Callable[[bytes | None], bytes | None]
"""Makes an object's new bytes from its current ones; None stands for no object in both cases."""

PIECE_BYTES = 8 * 2**20
"""How much a resumable write stores at a time, the most that a kill can lose. S3 requires at least 5 MiB."""


class NoRoom(Misconfigured):
    """The disk or the quota is full: the bytes received earlier stay, and the write can be resumed."""


class ResumableWrite(Protocol):
    """Bytes on their way to a key, in order; the object does not exist until `finish` has returned.

    The first `durable_bytes` survive the death of the process and power loss. Only one process at a time may
    append; `append`'s `at_byte` exposes a second one. After any error the write continues from
    `durable_bytes`, in this process or another.
    """

    key: str

    @property
    def durable_bytes(self) -> int:
        """The number of bytes that the store keeps; the rest must be sent again.

        A finished write keeps none: after a kill, a writer first checks whether the object exists.
        """

    def append(self, data: bytes, *, at_byte: int) -> None:
        """Accept `data`, the bytes from `at_byte` on; each `PIECE_BYTES` become durable once complete.

        Raises:
            Poison: `at_byte` is not the end of the bytes accepted so far, or the write is over.
            Retryable: The store is unavailable; durable bytes stay.
            NoRoom: The disk is full.
            Misconfigured: This user may not write there.
        """

    def flush(self) -> int:
        """Make all accepted bytes durable, and return how many there are. Raises as `append`."""

    def finish(self) -> bool:
        """Make all accepted bytes the object under `key`, in one step, unless there is one.

        Returns:
            True if this call made it, False if an object existed; the bytes of this write are then removed.
            If an answer of the store was lost, True if the object has the size of this write: then several
            calls may return True.

        Raises:
            Poison: There is neither an object nor a byte of it: another process has aborted the write.
            Retryable, Misconfigured: As `append`; finishing twice is allowed.
        """

    def abort(self) -> None:
        """Remove any received bytes; an existing object under `key` stays."""


class ObjectMissing(FrametallyError):
    """The store has no object under that key."""


class ObjectInfo(NamedTuple):
    """One stored object.

    Attributes:
        key: Its key.
        size_bytes: Its size.
        version: Changes whenever the object is put again (an ETag); empty if the store has none.
        modified_at_ms: When it was put, by the store's clock, in some stores to the second; 0 if unknown. No
            count depends on it; `frametally index` publishes run pointers in its order.
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

        With `if_absent` an existing object stays, and one of several racing writers wins. With `durable` the
        object survives power loss once this returns, otherwise once `sync` returns: for many at once.

        Returns:
            True if this call stored it, False if `if_absent` found an object there.

        Raises:
            Poison: The key is not valid for an object.
            Misconfigured: This user may not write there.
        """

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises `ObjectMissing`."""

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Return bytes `first_byte` to `next_byte` (exclusive), or up to the end. Raises `ObjectMissing`."""

    def head(self, key: str) -> ObjectInfo | None:
        """Return the object's size, version and time, or None if it does not exist."""

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield every object in the folder `prefix` and below it, sorted by key, only those above `after`."""

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        """Yield what `list` yields except the known keys, which may cost less than the others."""

    def delete(self, key: str, *, durable: bool = True) -> None:
        """Remove the object; removing a missing one does nothing. For `durable`, see `put`."""

    def sync(self) -> None:
        """Make all earlier puts and deletions survive power loss; the next power cut undoes none of them."""

    def change(self, key: str, make: Change) -> bytes | None:
        """Replace an object by what `make` makes of it; no other `change` of it happens in between.

        `make` receives the current bytes and returns the new ones. Returning its argument leaves the object
        unchanged, None removes it. It may be called several times, so applying it to its own result must be
        harmless, and it must not call `change` itself.

        Returns:
            The last result of `make`.

        Raises:
            Retryable: Others have changed or locked it for too long.
        """

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return a URL by which another process or machine can read the object without credentials.

        A store's link works for `ttl_s` seconds, or until our credentials expire if that is earlier. Keep it
        secret: anyone who has it can read the object until then.
        """

    def resumable(self, key: str, part_key: str) -> ResumableWrite:
        """Start or resume an interruptible write to `key`.

        `part_key` is a key for this write alone, where bytes can be stored that cannot yet be at `key`.

        Raises:
            Poison: The key is not valid for an object.
            Misconfigured: This user may not write there.
        """

    def close(self) -> None:
        """Release connections."""


def change_alone(store: ObjectStore, key: str, make: Change) -> bytes | None:
    """Do the work of `ObjectStore.change`, if nothing else changes the object at the same time."""
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
    """Sorted ranges of keys that do not touch, each within one folder, including both ends."""

    def __init__(self, ranges: Iterable[tuple[str, str]] = ()) -> None:
        """Take pairs of first and last keys."""
        self.bounds = [bound for first, last in ranges for bound in (first, f"{last}\0")]

    def end_of(self, key: str) -> str | None:
        """Return the last key of the range that has this key, or None if no range has it."""
        index = bisect_right(self.bounds, key)
        return self.bounds[index][:-1] if index % 2 else None

    def names_in(self, folder: str) -> list[str]:
        """Return the bounds of a folder's ranges, by name: a known name sorts at an odd index."""
        start = f"{folder}/"
        names = (bound[len(start) :] for bound in self.bounds if bound.startswith(start))
        return [name for name in names if "/" not in name]

    def leave_out(self, infos: Iterable[ObjectInfo]) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys are outside all ranges."""
        return (info for info in infos if self.end_of(info.key) is None)
