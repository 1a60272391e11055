"""Hands one video's folder of the store, and nothing else, from a worker to the process of a job."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.ports.object_store import (
    Change,
    KeyRanges,
    NoRoom,
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    ResumableWrite,
)
from frametally.rules.times import DAY_S

MOST_BYTES = 1 << 30
ERRORS: dict[str, type[FrametallyError]] = {
    error.__name__: error for error in (ObjectMissing, Poison, NoRoom, Misconfigured, Retryable)
}
"""Errors of the store that are raised again at the other end."""


class StoreCall(msgspec.Struct, array_like=True, frozen=True):
    """A method of the store or of a numbered write, or the bytes that `change` asked for (`made`)."""

    method: str
    arguments: list[Any] = []


class StoreAnswer(msgspec.Struct, array_like=True, frozen=True):
    """The result of a call, the name of its error, or for `change` the bytes to change."""

    value: Any = None
    error: str = ""
    reason: str = ""
    to_make: bool = False


class Line:
    """One end of the connection, for one thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over `connection`; `close` closes it."""
        self._connection = Connection(connection.detach())
        self.in_turn = threading.Lock()

    def send(self, message: StoreCall | StoreAnswer) -> None:
        """Send a message. Raises `OSError`."""
        self._connection.send_bytes(msgspec.msgpack.encode(message))

    def receive(self) -> bytes | None:
        """Return the bytes of the next message, or None if the other end is gone.

        Raises:
            OSError: The connection broke, or the data is not a message.
        """
        try:
            return self._connection.recv_bytes(MOST_BYTES)
        except EOFError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


# Created before any threads start; see `records.decode`.
_calls = msgspec.msgpack.Decoder(StoreCall)
_READ_AT_ONCE = 64 << 20


class Handing:
    """Hands one folder of a store to another process, until that process disconnects.

    The process can read all objects in the folder, and write those that are not read-only. It can also read
    the read-only objects elsewhere.
    """

    def __init__(self, store: ObjectStore, *, folder: str, read_only: frozenset[str] = frozenset()) -> None:
        """Hand over `folder` of `store`, or all of it if empty; the keys in `read_only` cannot be written."""
        self._store = store
        self._folder = f"{folder}/" if folder else ""
        self._kept = read_only
        self._writes: list[ResumableWrite] = []

    def serve(self, connection: socket.socket) -> None:
        """Answer calls until the other end is gone; nothing that it sends raises an error here."""
        line = Line(connection)
        try:
            while (data := line.receive()) is not None:
                line.send(self._answer(line, data))
        except OSError:  # the other process died
            pass
        finally:
            line.close()

    def _answer(self, line: Line, data: bytes) -> StoreAnswer:
        try:
            call = _calls.decode(data)
            return StoreAnswer(self._do(line, call.method, call.arguments))
        except (msgspec.MsgspecError, TypeError, ValueError, IndexError) as error:
            return StoreAnswer(error=Misconfigured.__name__, reason=f"no call of a store: {error}")
        except FrametallyError as error:
            error_name = next((name for name, kind in ERRORS.items() if isinstance(error, kind)), "")
            return StoreAnswer(error=error_name or FrametallyError.__name__, reason=str(error))

    def _do(self, line: Line, method: str, arguments: list[Any]) -> Any:
        store = self._store
        match method, arguments:
            case "get", [str(key)]:
                return store.get(self._read(key))
            case "get_range", [str(key), int(first), int(end)] if end - first <= _READ_AT_ONCE:
                return store.get_range(self._read(key), first, end)
            case "head", [str(key)]:
                return store.head(self._read(key))
            case "list", [str(prefix), (str() | None) as after]:
                return list(store.list(self._read(prefix), after))
            case "address", [str(key), int(ttl_s)]:
                return store.address(self._read(key), ttl_s=ttl_s)
            case "put", [str(key), bytes(data), bool(if_absent), bool(durable)]:
                return store.put(self._write(key), data, if_absent=if_absent, durable=durable)
            case "delete", [str(key), bool(durable)]:
                return store.delete(self._write(key), durable=durable)
            case "sync", []:
                return store.sync()
            case "change", [str(key)]:
                return store.change(self._write(key), self._maker(line))
            case "resumable", [str(key), str(part_key)]:
                self._writes.append(store.resumable(self._write(key), self._write(part_key)))
                return len(self._writes) - 1
            case "append", [int(number), bytes(data), int(at_byte)]:
                return self._writes[number].append(data, at_byte=at_byte)
            case "durable_bytes", [int(number)]:
                return self._writes[number].durable_bytes
            case (("flush" | "finish" | "abort"), [int(number)]):
                return getattr(self._writes[number], method)()
        raise ValueError(method)

    def _maker(self, line: Line) -> Callable[[bytes | None], bytes | None]:
        """Return a function that has the other end make an object's new bytes."""

        def make(before: bytes | None) -> bytes | None:
            line.send(StoreAnswer(before, to_make=True))
            data = line.receive()
            if data is None:
                raise OSError("the object no longer exists")
            call = _calls.decode(data)
            match call.method, call.arguments:
                case "made", [(bytes() | None) as after]:
                    return after
            raise Poison("it did not change the object")

        return make

    def _read(self, key: str) -> str:
        if not f"{key}/".startswith(self._folder) and key not in self._kept:
            raise Misconfigured(f"{key} was not given to this job")
        return key

    def _write(self, key: str) -> str:
        if self._read(key) in self._kept:
            raise Misconfigured(f"{key} was given to this job for reading only")
        return key


# Created before any threads start; see `records.decode`.
_answers = msgspec.msgpack.Decoder(StoreAnswer)


class HandedStore:
    """The part of a store that another process hands over; see `ObjectStore`. Threads may share it.

    Calls outside that part raise `Misconfigured`; if the worker is gone, calls raise `Retryable`.
    """

    url = "handed:"

    def __init__(self, connection: socket.socket) -> None:
        """Send calls over `connection`."""
        self._line = Line(connection)

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        """Store `data`; see `ObjectStore.put`."""
        return bool(self._ask("put", key, data, if_absent, durable))

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises `ObjectMissing`."""
        return bytes(self._ask("get", key))

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Return some of the object's bytes; see `ObjectStore.get_range`."""
        return bytes(self._ask("get_range", key, first_byte, next_byte))

    def head(self, key: str) -> ObjectInfo | None:
        """Return the object's facts, or None if it does not exist."""
        info = self._ask("head", key)
        return None if info is None else ObjectInfo(*info)

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield every object in a folder; see `ObjectStore.list`."""
        for info in self._ask("list", prefix, after):
            yield ObjectInfo(*info)

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        """Yield the objects of `list` without the known keys."""
        return known_keys.leave_out(self.list(prefix))

    def delete(self, key: str, *, durable: bool = True) -> None:
        """Remove the object; a missing object is not an error."""
        self._ask("delete", key, durable)

    def sync(self) -> None:
        """Make all earlier puts and deletions survive power loss."""
        self._ask("sync")

    def change(self, key: str, make: Change) -> bytes | None:
        """Replace an object by the result of `make`; see `ObjectStore.change`."""
        data: bytes | None = self._ask("change", key, make=make)
        return data

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return a URL of the object; see `ObjectStore.address`."""
        return str(self._ask("address", key, ttl_s))

    def resumable(self, key: str, part_key: str) -> _HandedWrite:
        """Start or resume a write; see `ObjectStore.resumable`."""
        return _HandedWrite(key, int(self._ask("resumable", key, part_key)), self)

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def _ask(self, method: str, *arguments: Any, make: Change | None = None) -> Any:
        with self._line.in_turn:
            try:
                self._line.send(StoreCall(method, list(arguments)))
                while (answer := self._answer()).to_make and make is not None:
                    self._line.send(StoreCall("made", [make(answer.value)]))
            except UnicodeEncodeError as error:
                raise Poison(f"the key {arguments[0]!r} is not a relative path within the store") from error
            except OSError as error:
                raise Retryable(f"the worker that gives access to the store has ended ({error})") from error
        if answer.error:
            raise ERRORS.get(answer.error, FrametallyError)(answer.reason)
        return answer.value

    def _answer(self) -> StoreAnswer:
        data = self._line.receive()
        if data is None:
            raise OSError("its end of the connection is closed")
        return _answers.decode(data)


class _HandedWrite:
    def __init__(self, key: str, number: int, store: HandedStore) -> None:
        self.key = key
        self._number = number
        self._ask = store._ask

    @property
    def durable_bytes(self) -> int:
        return int(self._ask("durable_bytes", self._number))

    def append(self, data: bytes, *, at_byte: int) -> None:
        self._ask("append", self._number, data, at_byte)

    def flush(self) -> int:
        return int(self._ask("flush", self._number))

    def finish(self) -> bool:
        return bool(self._ask("finish", self._number))

    def abort(self) -> None:
        self._ask("abort", self._number)
