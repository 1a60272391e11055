"""The end of a handed store in the process that has the store, its log-in and the network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import msgspec

from frametally.errors import FrametallyError, Misconfigured, Poison
from frametally.ports.object_store import ObjectStore, ResumableWrite
from frametally_videos.handed_store.store_messages import ERRORS, Line, StoreAnswer, StoreCall

# Made once, before there are threads: see `records.decode`.
_calls = msgspec.msgpack.Decoder(StoreCall)
_READ_AT_ONCE = 64 << 20


class Handing:
    """Hands one folder of a store to another process, for as long as that asks.

    It reads what lies there; it writes what lies there, but for what is kept from it.
    """

    def __init__(self, store: ObjectStore, *, folder: str, kept: frozenset[str] = frozenset()) -> None:
        """Hand `folder` of `store`, or all of it (empty); the keys of `kept` cannot be written."""
        self._store = store
        self._folder = f"{folder}/" if folder else ""
        self._kept = kept
        self._writes: list[ResumableWrite] = []

    def serve(self, connection: socket.socket) -> None:
        """StoreAnswer until the other end is gone; whatever it sends, this ends without an error."""
        line = Line(connection)
        try:
            while (data := line.receive()) is not None:
                line.send(self._answer(line, data))
        except OSError:  # it died in the middle
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
            known = next((name for name, kind in ERRORS.items() if isinstance(error, kind)), "")
            return StoreAnswer(error=known or FrametallyError.__name__, reason=str(error))

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
            case "delete", [str(key)]:
                return store.delete(self._write(key))
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
        """Return what has the other end make an object's new bytes."""

        def make(before: bytes | None) -> bytes | None:
            line.send(StoreAnswer(before, to_make=True))
            data = line.receive()
            if data is None:
                raise OSError("it is gone")
            call = _calls.decode(data)
            match call.method, call.arguments:
                case "made", [(bytes() | None) as after]:
                    return after
            raise Poison("it made nothing of an object")

        return make

    def _read(self, key: str) -> str:
        if not f"{key}/".startswith(self._folder):
            raise Misconfigured(f"{key} is not handed")
        return key

    def _write(self, key: str) -> str:
        if self._read(key) in self._kept:
            raise Misconfigured(f"{key} is handed for reading only")
        return key
