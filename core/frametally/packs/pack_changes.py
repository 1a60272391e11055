"""Adds frames to packs and removes them; each change replaces a part of a pack in one step.

`ObjectStore.change` lets no other change of a part come in between, so producers, the packing command and
those who delete pictures may work on one minute at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import count
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.packs.pack_format import PackDamaged, decode_part, encode_part
from frametally.packs.pack_keys import part_key
from frametally.ports.object_store import ObjectStore


class Addition(NamedTuple):
    """The result of adding frames to a pack.

    Attributes:
        stored: By name, the bytes that the pack has now; a frame that was there already stays as it is.
        names: Those that were not there before.
    """

    stored: dict[str, bytes]
    names: set[str]


def add_frames(store: ObjectStore, pack: str, frames: Mapping[str, bytes]) -> Addition:
    """Put frames of one source and pack, by name, into it; doing so again changes nothing.

    They are durable once this returns.

    Raises:
        Misconfigured: The pack is damaged; it stays as it is.
    """
    addition = Addition({}, set())
    for part in count():
        waiting = {name: data for name, data in frames.items() if name not in addition.stored}
        if not waiting:
            break
        stored, names = _add_to_part(store, part_key(pack, part), waiting)
        addition.stored.update(stored)
        addition.names.update(names)
    return addition


def _add_to_part(store: ObjectStore, key: str, frames: Mapping[str, bytes]) -> Addition:
    addition = Addition({}, set())

    def make(before: bytes | None) -> bytes | None:
        nonlocal addition
        packed, is_full = _decode(key, before)
        new_frames = {} if is_full else {name: data for name, data in frames.items() if name not in packed}
        packed |= new_frames
        addition = Addition({name: packed[name] for name in frames if name in packed}, set(new_frames))
        return encode_part(packed) if new_frames else before

    store.change(key, make)
    return addition


def remove_frames(store: ObjectStore, pack: str, names: Collection[str]) -> None:
    """Remove frames, by name, from a pack; one without frames is deleted.

    Raises:
        Misconfigured: The pack is damaged; it stays as it is.
    """
    for part in count():
        _, is_full = remove_from_part(store, part_key(pack, part), names)
        if not is_full:
            break


def remove_from_part(store: ObjectStore, key: str, names: Collection[str]) -> tuple[set[str], bool]:
    """Remove frames from one part; return which of them it had, and whether it is full. Raises as before."""
    removed_names: set[str] = set()
    is_full = False

    def make(before: bytes | None) -> bytes | None:
        nonlocal removed_names, is_full
        packed, is_full = _decode(key, before)
        removed_names = packed.keys() & names
        if not removed_names:
            return before
        left = {name: data for name, data in packed.items() if name not in removed_names}
        return encode_part(left, is_full=is_full) if left or is_full else None

    store.change(key, make)
    return removed_names, is_full


def _decode(key: str, data: bytes | None) -> tuple[dict[str, bytes], bool]:
    try:
        return decode_part(key, data)
    except PackDamaged as error:  # to write it anew would lose what can still be read
        raise Misconfigured(str(error)) from error
