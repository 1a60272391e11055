"""The end of a handed store in the process of a job: an object store like any other, as far as handed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import msgspec

from frametally.errors import FrametallyError, Poison, Retryable
from frametally.ports.object_store import Change, ObjectInfo
from frametally.rules.times import DAY_S
from frametally_videos.handed_store.store_messages import ERRORS, Line, StoreAnswer, StoreCall

# Made once, before there are threads: see `records.decode`.
_answers = msgspec.msgpack.Decoder(StoreAnswer)


class HandedStore:
    """What another process hands of its store; see `ObjectStore`. Threads may share it.

    Whatever is not handed is refused as `Misconfigured`; a worker that is gone is `Retryable`.
    """

    url = "handed:"

    def __init__(self, connection: socket.socket) -> None:
        """Ask over `connection`."""
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
        """Return what is known of the object; None if there is none."""
        found = self._ask("head", key)
        return None if found is None else ObjectInfo(*found)

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield every object in a folder; see `ObjectStore.list`."""
        for found in self._ask("list", prefix, after):
            yield ObjectInfo(*found)

    def delete(self, key: str) -> None:
        """Remove the object; removing one that is not there is no error."""
        self._ask("delete", key)

    def change(self, key: str, make: Change) -> bytes | None:
        """Replace an object by what `make` makes of it; see `ObjectStore.change`."""
        made: bytes | None = self._ask("change", key, make=make)
        return made

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return a URL of the object; see `ObjectStore.address`."""
        return str(self._ask("address", key, ttl_s))

    def resumable(self, key: str, part_key: str) -> HandedWrite:
        """Begin a write, or go on with one; see `ObjectStore.resumable`."""
        return HandedWrite(key, int(self._ask("resumable", key, part_key)), self)

    def close(self) -> None:
        """End the connection."""
        self._line.close()

    def _ask(self, method: str, *arguments: Any, make: Change | None = None) -> Any:
        with self._line.in_turn:
            try:
                self._line.send(StoreCall(method, list(arguments)))
                while (answer := self._answer()).to_make and make is not None:
                    self._line.send(StoreCall("made", [make(answer.value)]))
            except UnicodeEncodeError as error:
                raise Poison(f"the key {arguments[0]!r} is no relative path within the store") from error
            except OSError as error:
                raise Retryable(f"the worker that hands the store is gone ({error})") from error
        if answer.error:
            raise ERRORS.get(answer.error, FrametallyError)(answer.reason)
        return answer.value

    def _answer(self) -> StoreAnswer:
        data = self._line.receive()
        if data is None:
            raise OSError("its end of the connection is closed")
        return _answers.decode(data)


class HandedWrite:
    """A write of a handed store; see `ResumableWrite`."""

    def __init__(self, key: str, number: int, store: HandedStore) -> None:
        """Stand for the write that the other end has under `number`."""
        self.key = key
        self._number = number
        self._ask = store._ask

    @property
    def durable_bytes(self) -> int:
        """How many bytes are kept."""
        return int(self._ask("durable_bytes", self._number))

    def append(self, data: bytes, *, at_byte: int) -> None:
        """Take in `data`; see `ResumableWrite.append`."""
        self._ask("append", self._number, data, at_byte)

    def flush(self) -> int:
        """Make durable all that was taken in, and return how much that is."""
        return int(self._ask("flush", self._number))

    def finish(self) -> bool:
        """Make all that was taken in the object; see `ResumableWrite.finish`."""
        return bool(self._ask("finish", self._number))

    def abort(self) -> None:
        """Remove what was taken in."""
        self._ask("abort", self._number)
