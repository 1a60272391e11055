"""An object store with frames in packs: you read a frame by its key, wherever it is."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count, groupby
from math import inf
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.keys import IMAGES
from frametally.packs.pack_changes import remove_frames, remove_from_part
from frametally.packs.pack_format import (
    PackDamaged,
    PackedFrame,
    check_frame,
    decode_index,
    index_bytes,
)
from frametally.packs.pack_keys import before_packs, is_part_key, pack_of, pack_of_part, packs_of, part_key
from frametally.ports.object_store import (
    Change,
    KeyRanges,
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    ResumableWrite,
)
from frametally.rules.times import DAY_S

_log = logging.getLogger(__name__)

_BEGINNING_BYTES = 64 << 10
_MOST_INDEXES = 128
_AHEAD_BYTES, _MOST_WINDOWS, _AHEAD_S = 2 << 20, 8, 5.0
"""Read-ahead for sequential readers such as the consumer: bytes per window, number of windows, and how long
a window stays valid. A frame that another process deletes may still be returned for that time."""
_ABSENCE_S = 10.0
"""How long a put that creates a frame relies on an earlier search for a pack of its minute."""


def plain_of(store: ObjectStore) -> ObjectStore:
    """Return the store whose objects are the packs, from one that shows the frames in them."""
    return store.plain if isinstance(store, PackedStore) else store


def delete_pictures(store: ObjectStore, image_keys: Iterable[str]) -> Iterator[str]:
    """Delete stored pictures, single or in packs, and yield the key of each that is gone.

    Pictures of one part of a pack are removed in one step. After the last one, power loss brings none back.
    Listing the store avoids a request for each picture that is not an object itself. Raises `Misconfigured`
    as `remove_frames`.
    """
    plain = plain_of(store)
    for folder, of_folder in groupby(
        sorted(set(image_keys)), lambda key: _folder_of(key) if pack_of(key) else ""
    ):
        left = dict.fromkeys(of_folder)
        folder_keys = list(left)
        for _ in range(2 if folder else 0):  # second pass: pictures that another process packed meanwhile
            for key in _delete_in(store, folder, folder_keys):
                if key in left:
                    del left[key]
                    yield key
        for key in left:
            if not folder:  # it can be in no pack
                plain.delete(key, durable=False)
            yield key
    plain.sync()


def _delete_in(store: ObjectStore, folder: str, image_keys: Sequence[str]) -> Iterator[str]:
    """Delete those of a folder's pictures, given by key in order, that the store lists now."""
    plain = plain_of(store)
    packs: defaultdict[str, set[str]] = defaultdict(set)
    for key in image_keys:
        for pack in packs_of(key):
            packs[pack].add(_name_of(key))
    last, keys_to_delete = image_keys[-1], set(image_keys)
    end = f"{last[: last.index('-', len(folder))]}~"  # after all objects of that millisecond
    for info in plain.list(folder, before_packs(image_keys[0])):
        if info.key > end:
            return
        if info.key in keys_to_delete:
            plain.delete(info.key, durable=False)
            yield info.key
        elif is_part_key(info.key) and (names := packs.get(pack_of_part(info.key))):
            for name in sorted(remove_from_part(store, info.key, names)[0]):
                yield f"{folder}/{name}"


def _has_packs(folder: str) -> bool:
    return folder.partition("/")[0] in ("", IMAGES)


def _folder_of(key: str) -> str:
    return key.rpartition("/")[0]


def _name_of(key: str) -> str:
    return key.rpartition("/")[2]


class _Part(NamedTuple):
    """The index of a part of a pack: frames by name, with `first_byte` counted from the part's beginning."""

    frames: dict[str, PackedFrame]
    is_full: bool


class _Place(NamedTuple):
    """Where a frame is: its part, and its bytes there."""

    part: str
    frame: PackedFrame


class _Window(NamedTuple):
    """Recently read bytes of a part."""

    part: str
    first_byte: int
    data: bytes
    read_at_s: float

    @property
    def next_byte(self) -> int:
        return self.first_byte + len(self.data)


class PackedStore:
    """A store like `plain` that also reads frames from their packs.

    It compares a frame's bytes with the index, and reads the index again if another process has changed the
    pack.

    Attributes:
        plain: The store of objects, including packs.
    """

    def __init__(self, plain: ObjectStore) -> None:
        self.plain = plain
        self.url = plain.url
        self._parts: OrderedDict[str, tuple[float, _Part | None]] = OrderedDict()
        self._windows: list[_Window] = []
        self._lock = threading.Lock()
        self._reported: set[str] = set()

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        """Store `data` as a single object; see `ObjectStore.put`. A frame in a pack counts as present."""
        with suppress(PackDamaged):  # store again what cannot be read there
            if if_absent and self._find(key, within_s=_ABSENCE_S) is not None:
                return False
        is_stored = self.plain.put(key, data, if_absent=if_absent, durable=durable)
        if not if_absent:
            self._remove(key)
        return is_stored

    def get(self, key: str) -> bytes:
        """Return the object's bytes, or the frame's from its pack.

        Raises:
            ObjectMissing: There is none, or (`PackDamaged`) its pack was truncated or changed.
        """
        place = self._find(key, within_s=inf)  # by an index read earlier
        with suppress(ObjectMissing):
            return self.plain.get(key) if place is None else self._read(place)
        place = self._find(key)
        if place is not None:
            with suppress(ObjectMissing):
                return self._read(place)
            place = self._find(key)  # another process has moved the frame in the meantime
        if place is None:
            return self.plain.get(key)
        try:
            return self._read(place)
        except PackDamaged as error:
            self._report(error)
            raise

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Return some bytes of the object or frame; see `ObjectStore.get_range`."""
        try:
            return self.plain.get_range(key, first_byte, next_byte)
        except ObjectMissing:
            if pack_of(key) is None:
                raise
        return self.get(key)[first_byte:next_byte]

    def head(self, key: str) -> ObjectInfo | None:
        """Return the size, version and time of the object or frame, or None if it does not exist."""
        info = self.plain.head(key)
        if info is None:
            with suppress(PackDamaged):
                if (place := self._find(key)) is not None:
                    return ObjectInfo(key, place.frame.bytes, place.frame.sha256)
        return info

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield the objects in a folder, and frames instead of their packs; see `ObjectStore.list`."""
        if not _has_packs(prefix):
            return self.plain.list(prefix, after)
        return self._unpacked(self.plain.list(prefix, before_packs(after)), after)

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        """Yield what `list` yields except the known keys; without packs this costs as much as in `plain`."""
        if not _has_packs(prefix):
            return self.plain.list_unless(prefix, known_keys)
        return known_keys.leave_out(self.list(prefix))

    def _unpacked(self, infos: Iterator[ObjectInfo], after: str | None) -> Iterator[ObjectInfo]:
        waiting: list[ObjectInfo] = []
        last = after
        for info in infos:
            while waiting and waiting[0].key < info.key:  # a pack's key sorts before its frames'
                first = heapq.heappop(waiting)
                if last is None or first.key > last:
                    last = first.key
                    yield first
            for frame_info in self._infos_of(info) if is_part_key(info.key) else (info,):
                heapq.heappush(waiting, frame_info)
        for info in sorted(waiting):
            if last is None or info.key > last:
                last = info.key
                yield info

    def _infos_of(self, info: ObjectInfo) -> Iterator[ObjectInfo]:
        folder = _folder_of(info.key)
        try:
            part = self._load(info.key, within_s=0.0)
        except PackDamaged:  # already reported; list the others
            return
        for frame in part.frames.values() if part is not None else ():
            yield ObjectInfo(f"{folder}/{frame.name}", frame.bytes, frame.sha256, info.modified_at_ms)

    def delete(self, key: str, *, durable: bool = True) -> None:
        """Remove the object, or the frame from its pack; see `delete_pictures` for many."""
        self.plain.delete(key, durable=durable)
        self._remove(key)

    def sync(self) -> None:
        """Make all earlier puts and deletions survive power loss."""
        self.plain.sync()

    def change(self, key: str, make: Change) -> bytes | None:
        """Replace an object, such as a part of a pack; see `ObjectStore.change`. Frames are never changed."""
        try:
            return self.plain.change(key, make)
        finally:
            with self._lock:
                self._parts.pop(key, None)

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        """Return the object's URL; see `ObjectStore.address`. Raises `ObjectMissing` for a packed frame."""
        if self._find(key, within_s=_ABSENCE_S) is not None:
            raise ObjectMissing(f"{key} is in a pack, and a link cannot name a part of an object")
        return self.plain.address(key, ttl_s=ttl_s)

    def resumable(self, key: str, part_key: str) -> ResumableWrite:
        """Start or resume an interruptible write; see `ObjectStore.resumable`."""
        return self.plain.resumable(key, part_key)

    def close(self) -> None:
        """Release connections."""
        self.plain.close()

    def _remove(self, key: str) -> None:
        try:
            packs = [pack for pack in packs_of(key) if self._find_in(pack, _name_of(key), within_s=0.0)]
        except PackDamaged as error:
            raise Misconfigured(str(error)) from error
        for pack in packs:
            remove_frames(self, pack, {_name_of(key)})

    def _read(self, place: _Place) -> bytes:
        try:
            return check_frame(place.part, place.frame, self._bytes_of(place))
        except PackDamaged:  # or another process has changed the pack: drop its windows
            with self._lock:
                self._windows = [window for window in self._windows if window.part != place.part]
            raise

    def _bytes_of(self, place: _Place) -> bytes:
        """Return the frame's bytes; if it follows earlier ones, read the frames after it as well."""
        first_byte, next_byte = place.frame.first_byte, place.frame.first_byte + place.frame.bytes
        with self._lock:
            fresh_s = time.monotonic() - _AHEAD_S
            windows = [w for w in self._windows if w.part == place.part and w.read_at_s > fresh_s]
        for window in windows:
            if window.first_byte <= first_byte and next_byte <= window.next_byte:
                return window.data[first_byte - window.first_byte : next_byte - window.first_byte]
        previous = [window for window in windows if 0 <= first_byte - window.next_byte < _AHEAD_BYTES]
        last_byte = max(next_byte, first_byte + _AHEAD_BYTES) if previous else next_byte
        data = self.plain.get_range(place.part, first_byte, last_byte)
        with self._lock:
            older = [window for window in self._windows if window not in previous]
            window = _Window(place.part, first_byte, data, time.monotonic())
            self._windows = [*older, window][-_MOST_WINDOWS:]
        return data[: place.frame.bytes]

    def _find(self, key: str, *, within_s: float = 0.0) -> _Place | None:
        """Return a frame's place in a pack by an index at most `within_s` old, or None if it is in none.

        Raises:
            PackDamaged: An index cannot be read.
        """
        damage: PackDamaged | None = None
        for pack in packs_of(key):
            try:
                place = self._find_in(pack, _name_of(key), within_s=within_s)
            except PackDamaged as error:
                damage = error
                continue
            if place is not None:
                return place
        if damage is not None:
            raise damage
        return None

    def _find_in(self, pack: str, name: str, *, within_s: float) -> _Place | None:
        for number in count():
            part = self._load(part_name := part_key(pack, number), within_s=within_s)
            if part is not None and (frame := part.frames.get(name)) is not None:
                return _Place(part_name, frame)
            if part is None or not part.is_full:
                break
        return None

    def _load(self, part: str, *, within_s: float) -> _Part | None:
        with self._lock:
            at_s, index = self._parts.get(part, (-inf, None))
        now_s = time.monotonic()
        if at_s + within_s > now_s or (within_s == inf and not index):
            return index
        index = self._read_index(part)
        with self._lock:
            self._parts[part] = now_s, index
            self._parts.move_to_end(part)
            while len(self._parts) > _MOST_INDEXES:
                self._parts.popitem(last=False)
        return index

    def _report(self, error: PackDamaged) -> None:
        if error.key not in self._reported:  # once per pack, however many frames it has
            self._reported.add(error.key)
            _log.warning("%s", error)

    def _read_index(self, part: str) -> _Part | None:
        try:
            beginning = self.plain.get_range(part, 0, _BEGINNING_BYTES)
            start = index_bytes(part, beginning)
            if start > len(beginning):
                beginning += self.plain.get_range(part, len(beginning), start)
            index = decode_index(part, beginning)
        except PackDamaged as error:
            self._report(error)
            raise
        except ObjectMissing:
            return None
        frames = {
            frame.name: PackedFrame(frame.name, start + frame.first_byte, frame.bytes, frame.sha256)
            for frame in index.frames
        }
        return _Part(frames, index.is_full)
