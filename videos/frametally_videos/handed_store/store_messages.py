"""What the two ends of a handed store say to each other: MessagePack, each message behind its length."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any

import msgspec

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.ports.object_store import NoRoom, ObjectMissing

_LENGTH = struct.Struct("<Q")
MOST_BYTES = 1 << 30
ERRORS: dict[str, type[FrametallyError]] = {
    error.__name__: error for error in (ObjectMissing, Poison, NoRoom, Misconfigured, Retryable)
}
"""What the store raises is raised at the other end."""


class StoreCall(msgspec.Struct, array_like=True, frozen=True):
    """A method of the store, or of the write that has a number; or what `change` made (`made`)."""

    method: str
    arguments: list[Any] = []


class StoreAnswer(msgspec.Struct, array_like=True, frozen=True):
    """What a call returned; or the name of what it raised; or, of `change`, what is to be changed."""

    value: Any = None
    error: str = ""
    reason: str = ""
    to_make: bool = False


class Line:
    """One end of the connection; at an end, one thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        """Speak over `connection`, which is closed with this."""
        self._connection = connection
        self.in_turn = threading.Lock()

    def send(self, message: StoreCall | StoreAnswer) -> None:
        """Send it. Raises `OSError`."""
        data = msgspec.msgpack.encode(message)
        self._connection.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self) -> bytes | None:
        """Return the next message as it came; None where the other end is gone.

        Raises:
            OSError: The connection broke, or what comes is no message.
        """
        head = self._read(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > MOST_BYTES:
            raise OSError(f"a message of {length} bytes")
        return self._read(length)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read(self, length: int) -> bytes | None:
        data = bytearray(length)
        there = memoryview(data)
        while there:
            got = self._connection.recv_into(there)
            if not got:
                return None
            there = there[got:]
        return bytes(data)
