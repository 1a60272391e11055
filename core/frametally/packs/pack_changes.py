"""Adds frames to packs and removes them; each change replaces a part of a pack in one step.

`ObjectStore.change` makes changes of a part one at a time, so producers, the packing command and deletions of
pictures may work on one minute at the same time.
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
        stored: The bytes that the pack now has, by name; a frame that it already had stays unchanged.
        names: The names of the frames that it did not have.
    """

    stored: dict[str, bytes]
    names: set[str]


def add_frames(store: ObjectStore, pack: str, frames: Mapping[str, bytes]) -> Addition:
    """Add frames of one source and pack, by name, durably; repeating it changes nothing.

    Raises:
        Misconfigured: The pack is damaged; it stays unchanged.
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
    """Remove frames, by name, from a pack; delete the pack if none are left.

    Raises:
        Misconfigured: The pack is damaged; it stays unchanged.
    """
    for part in count():
        _, is_full = remove_from_part(store, part_key(pack, part), names)
        if not is_full:
            break


def remove_from_part(store: ObjectStore, key: str, names: Collection[str]) -> tuple[set[str], bool]:
    """Remove frames from a part; return which it had, and whether it is full. Raises as `remove_frames`."""
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
    except PackDamaged as error:  # rewriting it would lose what is still readable
        raise Misconfigured(str(error)) from error
