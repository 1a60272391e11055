"""A write that goes on where it was cut, by another process too: a part of the object store port."""

from __future__ import annotations

from typing import Protocol

from frametally.errors import Misconfigured

PIECE_BYTES = 8 * 2**20
"""What is kept at once: so much at most is lost when a process dies. S3 wants 5 MiB at least."""


class NoRoom(Misconfigured):
    """The disk, or the quota, is full: what was taken in before stays, and can be gone on with."""


class ResumableWrite(Protocol):
    """Bytes on their way to a key, in order; the object is there once `finish` has returned, and not before.

    What is `durable_bytes` survives the death of the process and power loss. Only one process may append to a
    write at a time: two that do so are told apart by `append`'s `at_byte`. After any error the write goes on
    from `durable_bytes`, in this process or another.
    """

    key: str

    @property
    def durable_bytes(self) -> int:
        """How many bytes are kept, as the store tells; the rest must be sent again.

        A write that is over keeps none: whoever goes on after a kill looks first whether the object is there.
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
            Retryable, Misconfigured: As `append`; finishing again is no harm.
        """

    def abort(self) -> None:
        """Remove what was taken in, if there is any; the object under `key`, if there is one, stays."""
