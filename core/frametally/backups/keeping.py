"""Where backups lie: in the store under `backups/`, or as files in a folder, each named by its time."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from frametally import keys
from frametally.backup_records import KeptBooks
from frametally.backups.contents import BackupHeader, encode_backup, header_of
from frametally.errors import Misconfigured
from frametally.files.replacing import replace_file
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.rules.times import DAY_MS, EPOCH

MOST_KEPT = 30
"""How many backups the store keeps; a folder of a person's own keeps all."""
ELSEWHERE = f"{keys.BACKUPS}/elsewhere.json"
"""Says when the last backup was made that lies in a folder."""
_MOST_HEADER_BYTES = 4096
_NAME = re.compile(r"(\d{8}T\d{6})(\d{3})Z\.backup")


class StoredBackup(NamedTuple):
    """A backup in the store: its key, when it was made, and how large it is."""

    key: str
    made_at_ms: int
    size_bytes: int


def backup_name(made_at_ms: int) -> str:
    """Return the name of a backup; names sort by time."""
    moment = EPOCH + datetime.timedelta(milliseconds=made_at_ms)
    return f"{moment:%Y%m%dT%H%M%S}{made_at_ms % 1000:03d}Z.backup"


def stored_backups(store: ObjectStore) -> list[StoredBackup]:
    """Return the backups in the store, the oldest first."""
    found = []
    for info in store.list(keys.BACKUPS):
        if match := _NAME.fullmatch(info.key.rpartition("/")[2]):
            moment = datetime.datetime.strptime(f"{match[1]}+0000", "%Y%m%dT%H%M%S%z")
            made_at_ms = round(moment.timestamp()) * 1000 + int(match[2])
            found.append(StoredBackup(info.key, made_at_ms, info.size_bytes))
    return found


def is_due(store: ObjectStore, now_ms: int) -> bool:
    """Return whether the newest backup in the store is older than a day, or made later than now."""
    stored = stored_backups(store)
    return not stored or not 0 <= now_ms - stored[-1].made_at_ms < DAY_MS


def make_backup(books: KeptBooks, *, made_at_ms: int, key: str) -> bytes | None:
    """Return a backup of the books as they stand now; None: they hold nothing.

    `key` is the secret that encrypts it; empty: nobody's.
    """
    if not books.held():
        return None
    with books.rows() as rows:
        return encode_backup(rows, books.layouts(), made_at_ms=made_at_ms, key=key)


def store_backup(store: ObjectStore, data: bytes, made_at_ms: int) -> str:
    """Put a backup into the store, remove those before the newest `MOST_KEPT`, and return its key."""
    key = f"{keys.BACKUPS}/{backup_name(made_at_ms)}"
    store.put(key, data, if_absent=True)
    for old in stored_backups(store)[:-MOST_KEPT]:
        if old.key != key:
            store.delete(old.key)
    return key


def write_backup(folder: Path, data: bytes, made_at_ms: int) -> Path:
    """Write a backup into a folder, which is made if it is missing; both are their owner's alone.

    Raises:
        OSError: It cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / backup_name(made_at_ms)
    replace_file(path, data, is_private=True)
    return path


def note_elsewhere(store: ObjectStore, data: bytes) -> None:
    """Have the store say that a backup was made which lies in a folder: its first line."""
    store.put(ELSEWHERE, data.partition(b"\n")[0])


def last_backup(store: ObjectStore) -> BackupHeader | None:
    """Return the header of the last backup that was made, wherever it lies; None: there is none."""
    headers = []
    for key in (*(one.key for one in stored_backups(store)[-1:]), ELSEWHERE):
        with suppress(ObjectMissing):
            headers.append(header_of(store.get_range(key, 0, _MOST_HEADER_BYTES)))
    return max(filter(None, headers), key=lambda header: header.made_at_ms, default=None)


def read_backup(find_store: Callable[[], ObjectStore], source: str | None) -> tuple[str, bytes]:
    """Return the name and bytes of a backup: that of a file, or the newest of a folder or of the store.

    Args:
        find_store: Opens the store, which is asked only where nothing else is named.
        source: A file, a folder, or a key in the store; None: the store.

    Raises:
        Misconfigured: There is none.
        OSError: The file cannot be read.
    """
    path = Path(source) if source is not None else None
    if path is not None and path.is_dir():
        names = sorted(one.name for one in path.iterdir() if _NAME.fullmatch(one.name))
        if not names:
            raise Misconfigured(f"there is no backup in the folder {path}: name another by --from")
        path /= names[-1]
    if path is not None and (path.exists() or not str(source).startswith(f"{keys.BACKUPS}/")):
        return str(path), path.read_bytes()
    store = find_store()
    stored = [one.key for one in stored_backups(store)]
    if not stored or source not in (None, *stored):
        raise Misconfigured(
            f"there is no backup {'' if source is None else f'{source} '}in {store.url}: "
            "`frametally backup` makes one; name a file or a folder by --from"
        )
    key = stored[-1] if source is None else str(source)
    return key, store.get(key)
