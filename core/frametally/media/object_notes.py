"""What is noted of an object of a store that was read, beside the data of this machine."""

from __future__ import annotations

import msgspec

from frametally.ports.object_store import ObjectInfo


class ObjectNote(msgspec.Struct, frozen=True, array_like=True):
    """Base of notes: `info` is the object as it was listed before it was read."""

    info: ObjectInfo
