"""Lists a folder's objects, and removes leftovers of dead processes."""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from frametally.errors import FrametallyError
from frametally.ports.object_store import KeyRanges, ObjectInfo
from frametally.rules.times import DAY_S

if TYPE_CHECKING:
    from obstore import ListResult, ObjectMeta

CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
STAGING_NAME = re.compile(r"[^#]*#[0-9]+")


def info_of(meta: ObjectMeta) -> ObjectInfo:
    """Return obstore's metadata of an object as the port's record."""
    modified_at_ms = int(meta["last_modified"].timestamp() * 1000)
    return ObjectInfo(meta["path"], meta["size"], meta["e_tag"] or "", modified_at_ms)


def in_key_order(
    listed: ListResult[Sequence[ObjectMeta]],
    after: str | None,
    walk: Callable[[str, str | None], Iterator[ObjectInfo]],
) -> Iterator[ObjectInfo]:
    """Yield the objects in one folder's listing above `after`, and by `walk` those in its folders, by key."""
    infos: dict[str, ObjectInfo | None] = {meta["path"]: info_of(meta) for meta in listed["objects"]}
    infos.update((f"{below}/", None) for below in listed["common_prefixes"])
    for name in sorted(infos):
        info = infos[name]
        if info is not None:
            if after is None or name > after:
                yield info
        elif after is None or name > after or after.startswith(name):
            yield from walk(name.removesuffix("/"), after)


def remove_leftovers(folder: Path, *, brief: bool, age_s: float = DAY_S) -> None:
    """Remove what dead processes left `age_s` ago: staging files, and an empty `brief` folder."""
    with suppress(OSError):  # gone in the meantime, or not ours to remove
        names = os.listdir(folder)  # noqa: PTH208 - names are all that is needed, of thousands
        if brief and not names and folder.stat().st_mtime + age_s < time.time():
            folder.rmdir()
        for name in names:
            if "#" in name and STAGING_NAME.fullmatch(name):
                leftover = folder / name
                if leftover.stat().st_mtime + age_s < time.time():
                    leftover.unlink()


def unknown_objects(
    root: Path, folder: str, known_keys: KeyRanges, failure: Callable[[OSError], FrametallyError]
) -> Iterator[ObjectInfo]:
    """Yield the unknown objects in a folder and below it, sorted by key, as `info_of` returns them.

    A known object costs only its name. Files whose names no object may have are left out. An error is raised
    as `failure` translates it.
    """
    unknown_keys = []
    try:
        unknown = 0
        for name, is_folder in _unknown_names(f"{root}/{folder}", known_keys.names_in(folder)):
            unknown += 1
            if not CONTROL.search(name) and not ("#" in name and STAGING_NAME.fullmatch(name)):
                unknown_keys.append(f"{folder}/{name}" + "/" * is_folder)
        if len(unknown_keys) < unknown:
            remove_leftovers(root / folder, brief=False)
        unknown_keys.sort()
        for key in unknown_keys:
            if key.endswith("/"):
                yield from unknown_objects(root, key[:-1], known_keys, failure)
            else:
                try:
                    info = _info_of_file(root, key)
                except FileNotFoundError:
                    continue  # removed since it was listed
                yield info
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise failure(error) from error


def _unknown_names(folder: str, bounds: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield the unknown names in a folder, and whether each is a folder's."""
    if not bounds:
        with os.scandir(folder) as entries:
            yield from ((entry.name, entry.is_dir()) for entry in entries)
        return
    encoded = [bound.encode() for bound in bounds]  # a million names are faster as bytes than as texts
    path = os.fsencode(folder)
    names = os.listdir(path)  # noqa: PTH208
    for name, place in zip(names, map(partial(bisect_right, encoded), names), strict=True):
        if not place % 2:
            yield os.fsdecode(name), os.path.isdir(os.path.join(path, name))  # noqa: PTH112, PTH118


def _info_of_file(root: Path, key: str) -> ObjectInfo:
    status = os.stat(f"{root}/{key}")  # noqa: PTH116 - of a million files, in half the time
    micros = status.st_mtime_ns // 1000
    version = f'"{status.st_ino:x}-{micros:x}-{status.st_size:x}"'
    return ObjectInfo(key, status.st_size, version, int(micros / 1_000_000 * 1000))
