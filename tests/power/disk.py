"""A disk as it may be after a power cut: what was synced, and some of what was not.

The recorder's log has every change of every process. A cut is a place in it. Each mode is how one kind of
file system writes names that nobody has synced; data that nobody has synced is lost, torn by page or kept,
file by file.
"""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

Mode = Literal["journal", "folders", "posix"]
"""journal: names are written in one order, as in ext4, and a sync of any file writes all earlier ones.

folders: each folder is written for itself, as in Btrfs. posix: a name waits for a sync of its folder.
"""
MODES: tuple[Mode, ...] = ("journal", "folders", "posix")

_HEADER = struct.Struct("<QQQQQ")
_PAGE_BYTES = 4096
_FOLDER = -1


class Change(NamedTuple):
    """One record of the log, which begins at byte `at`; see `recorder.c` for the fields of each kind."""

    at: int
    kind: str
    inode: int
    number: int
    first: bytes
    second: bytes


def changes_in(log: Path) -> Iterator[Change]:
    """Yield the records of a log."""
    data, at = log.read_bytes(), 0
    while at < len(data):
        kind, inode, number, first_bytes, second_bytes = _HEADER.unpack_from(data, at)
        middle = at + _HEADER.size + first_bytes
        yield Change(
            at,
            chr(kind),
            inode,
            number,
            data[at + _HEADER.size : middle],
            data[middle : middle + second_bytes],
        )
        at = middle + second_bytes


def log_of(root: Path) -> bytes:
    """Return a log as if a folder's contents had just been made and synced."""
    log = b""
    for path in sorted(root.rglob("*")):
        name = str(path).encode()
        if path.is_dir():
            log += _HEADER.pack(ord("M"), 0, 0, len(name), 0) + name
            continue
        inode, data = path.stat().st_ino, path.read_bytes()
        log += _HEADER.pack(ord("C"), inode, 0, len(name), 0) + name
        log += _HEADER.pack(ord("W"), inode, 0, len(data), 0) + data
    return log + _HEADER.pack(ord("Y"), 0, len(log), 0, 0)


class _Write(NamedTuple):
    at: int
    first_byte: int
    data: bytes | None  # None cuts the file there


class _Name(NamedTuple):
    at: int
    name: str
    file: int | None  # None removes the name


class Disk:
    """What all processes had changed below `root` at byte `cut_at` of the log."""

    def __init__(self, root: Path, changes: list[Change], cut_at: int) -> None:
        """Replay the changes; the root is empty before the first one."""
        self._cut_at = cut_at
        self._writes: list[list[_Write]] = []
        self._names: defaultdict[str, list[_Name]] = defaultdict(list)
        self._file_synced: defaultdict[int, int] = defaultdict(lambda: -1)
        self._folder_synced: defaultdict[str, int] = defaultdict(lambda: -1)
        self._any_synced = self._all_synced = -1
        self._of_inode: dict[int, int] = {}
        self._now: dict[str, int] = {}
        for change in changes:
            if change.at >= cut_at:
                break
            self._replay(root, change)

    def _replay(self, root: Path, change: Change) -> None:
        at, kind, inode, number, first, second = change
        match kind:
            case "C":
                self._of_inode[inode] = len(self._writes)
                self._writes.append([])
                self._name(root, at, first, self._of_inode[inode])
            case "W" | "T":
                if inode in self._of_inode:
                    data = first if kind == "W" else None
                    self._writes[self._of_inode[inode]].append(_Write(at, number, data))
            case "M":
                self._name(root, at, first, _FOLDER)
            case "U":
                self._name(root, at, first, None)
            case "L" | "R":
                file = self._now[first.decode()]
                self._name(root, at, second, file)
                if kind == "R":
                    assert file != _FOLDER, "no folder is ever renamed"
                    self._name(root, at, first, None)
            case "S":
                self._any_synced = max(self._any_synced, number)
                self._folder_synced[first.decode()] = max(self._folder_synced[first.decode()], number)
                if inode in self._of_inode:
                    file = self._of_inode[inode]
                    self._file_synced[file] = max(self._file_synced[file], number)
            case "Y":
                self._all_synced = max(self._all_synced, number)

    def _name(self, root: Path, at: int, path: bytes, file: int | None) -> None:
        place = path.decode()
        if not Path(place).is_relative_to(root):
            return
        if file is None:
            self._now.pop(place, None)
        else:
            self._now[place] = file
        folder, _, name = place.rpartition("/")
        self._names[folder].append(_Name(at, name, file))

    def write_to(self, root: Path, survivors: Path, *, mode: Mode | None, seed: int) -> None:
        """Write what is left of `root` to the new folder `survivors`; everything is, without a mode."""
        rng = random.Random(seed)  # noqa: S311
        ends = self._ends_of_names(mode, rng)
        files: dict[int, bytes] = {}
        waiting = [(str(root), survivors)]
        while waiting:
            folder, place = waiting.pop()
            place.mkdir(mode=0o700)
            names = {name.name: name.file for name in self._names[folder] if name.at < ends[folder]}
            for name, file in names.items():
                if file == _FOLDER:
                    waiting.append((f"{folder}/{name}", place / name))
                elif file is not None:
                    if file not in files:
                        files[file] = self._data(file, rng, whole=mode is None)
                    (place / name).write_bytes(files[file])

    def _ends_of_names(self, mode: Mode | None, rng: random.Random) -> dict[str, int]:
        """Return for each folder the place in the log before which its names are on the disk."""
        ends = {}
        last = self._cut_at
        journal_end = rng.randint(max(self._any_synced, self._all_synced, 0), last)
        for folder, names in self._names.items():
            synced = max(self._folder_synced[folder], self._all_synced)
            places = [synced, *(name.at + 1 for name in names if name.at >= synced)]
            ends[folder] = {"journal": journal_end, "posix": synced, None: last}.get(mode, rng.choice(places))
        return defaultdict(lambda: last, ends)

    def _data(self, file: int, rng: random.Random, *, whole: bool) -> bytes:
        synced = max(self._file_synced[file], self._all_synced)
        fate = "kept" if whole else rng.choice(["lost", "lost", "torn", "kept"])
        data = bytearray()
        for write in self._writes[file]:
            if write.at >= synced and fate == "lost":
                continue
            if write.data is None:
                del data[write.first_byte :]
                data.extend(bytes(write.first_byte - len(data)))
                continue
            is_torn = write.at >= synced and fate == "torn"
            for first in range(0, len(write.data), _PAGE_BYTES):
                if not (is_torn and rng.random() < 0.5):
                    _put(data, write.first_byte + first, write.data[first : first + _PAGE_BYTES])
        return bytes(data)


def _put(data: bytearray, first_byte: int, piece: bytes) -> None:
    if len(data) < first_byte:
        data.extend(bytes(first_byte - len(data)))
    data[first_byte : first_byte + len(piece)] = piece
