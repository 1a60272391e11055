"""Backups of what nothing else can restore: rows of the catalogue, in the store or in a folder.

A backup is a line of readable JSON that describes it, then rows as gzipped JSON lines, which a key may
encrypt. The line's `sha256` covers the rest of the file, including the line's other fields. In the store,
backups are under `backups/`. A backup's name has a number, because a clock can be set back, and its time.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import io
import re
import secrets
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.console.output import note
from frametally.errors import FIRST_LAYOUT, FrametallyError, Misconfigured, Poison, TooOld
from frametally.files.encryption import SALT_BYTES, fernet_key
from frametally.files.replacing import replace_file
from frametally.files.synced import make_folders
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.rules.times import DAY_MS, EPOCH, utc
from frametally.settings.loading import Settings

Value = str | int | float | None


class KeptRow(NamedTuple):
    """One row of a table."""

    table: str
    values: dict[str, Value]


def in_words(numbers: Mapping[str, int]) -> str:
    """Return how many of each there are, such as `accounts: 2, tokens: 1`."""
    return ", ".join(f"{words}: {number}" for words, number in numbers.items())


FORMAT = 1
_ROW = msgspec.json.Decoder(tuple[str, dict[str, str | int | float | None]])


class BackupHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a backup.

    Attributes:
        made_at_ms: When, by the clock of the machine that made it.
        layouts: The number of the catalogue's layout; 0.4.0 had one for each book.
        salt: What the key is mixed with, as hex digits; empty if the rows are not encrypted.
        sha256: Hash of the line without this field, and of everything after it.
    """

    frametally_backup: int = FORMAT
    made_at_ms: int
    made_by: str
    layouts: dict[str, int]
    salt: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?$")] = ""
    sha256: str = ""


class Backup(NamedTuple):
    """A verified backup.

    Attributes:
        name: Its name in messages.
        lines: Its rows, as gzipped JSON lines.
    """

    header: BackupHeader
    name: str
    lines: bytes

    def check_layout(self, newest: int) -> None:
        """Raise `Misconfigured` if its rows are of a layout that is newer than `newest`, or too old."""
        layouts = self.header.layouts.values()
        if max(layouts, default=0) > newest:
            raise _newer(self.name, self.header.made_by)
        if min(layouts, default=0) < FIRST_LAYOUT:
            raise TooOld(self.name, "create one with `frametally backup`")

    def rows(self) -> Iterator[KeptRow]:
        """Yield the backup's rows. Raises `Poison` for a damaged row."""
        try:
            with gzip.open(io.BytesIO(self.lines)) as lines:
                for line in lines:
                    yield KeptRow(*_ROW.decode(line))
        except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
            raise _damaged(self.name) from error

    def numbers(self) -> Counter[str]:
        """Return the number of rows by table; this reads all rows before any is written."""
        return Counter(row.table for row in self.rows())


def encode_backup(rows: Iterable[KeptRow], layout: int, *, made_at_ms: int, key: str = "") -> bytes:
    """Return the bytes of a backup, encrypted with the secret `key`, or unencrypted if that is empty."""
    archive = io.BytesIO()
    with gzip.GzipFile(fileobj=archive, mode="wb", mtime=0) as lines:
        for row in rows:
            lines.write(msgspec.json.encode(row) + b"\n")
    body, salt = archive.getvalue(), ""
    if key:
        from cryptography.fernet import Fernet

        salt = secrets.token_hex(SALT_BYTES)
        body = Fernet(fernet_key(key, salt)).encrypt(body)
    header = BackupHeader(
        made_at_ms=made_at_ms, made_by=version("frametally"), layouts={"catalogue": layout}, salt=salt
    )
    header = msgspec.structs.replace(header, sha256=_digest(header, body))
    return msgspec.json.encode(header) + b"\n" + body


def decode_backup(data: bytes, *, key: str, name: str) -> Backup:
    """Return a verified and decrypted backup.

    Args:
        data: Its bytes.
        key: The secret that it was made with; empty if unknown.
        name: Its name in messages.

    Raises:
        Poison: It is not a backup, or damaged.
        Misconfigured: It has a newer format, or was encrypted with another key.
    """
    header = verify_backup(data, name=name)
    body = data.partition(b"\n")[2]
    if header.salt:
        body = _decrypted(body, key, header.salt, name)
    return Backup(header, name, body)


_INSTEAD = "restore another with --from, or delete it, and run `frametally backup`"


def verify_backup(data: bytes, *, name: str) -> BackupHeader:
    """Return the header of a backup whose checksum matches, without a key. Raises as `decode_backup`."""
    header = header_of(data)
    if header is None:
        raise Poison(f"{name} is not a frametally backup, or its first line is damaged; {_INSTEAD}")
    if header.frametally_backup > FORMAT:
        raise _newer(name, header.made_by)
    if header.sha256 != _digest(header, data.partition(b"\n")[2]):
        raise _damaged(name)
    return header


def header_of(data: bytes) -> BackupHeader | None:
    """Return the header if the data begins like a backup, or None."""
    try:
        return msgspec.json.decode(data.partition(b"\n")[0], type=BackupHeader)
    except msgspec.MsgspecError:
        return None


def _newer(name: str, made_by: str) -> Misconfigured:
    """Return the error about a backup that this version of frametally cannot read yet."""
    return Misconfigured(
        f"{name} was created by a newer version of frametally ({made_by[:40]}): restore it with that version"
    )


def _damaged(name: str) -> Poison:
    return Poison(f"{name} is damaged: its checksum does not match; {_INSTEAD}")


def _digest(header: BackupHeader, body: bytes) -> str:
    plain = msgspec.json.encode(msgspec.structs.replace(header, sha256=""))
    return hashlib.sha256(plain + b"\n" + body).hexdigest()


def _decrypted(body: bytes, key: str, salt: str, name: str) -> bytes:
    from cryptography.fernet import Fernet, InvalidToken

    if not key:
        raise Misconfigured(f"{name} is encrypted: set FRAMETALLY_BACKUP_KEY to the key that encrypted it")
    try:
        return Fernet(fernet_key(key, salt)).decrypt(body)
    except InvalidToken as error:
        raise Misconfigured(
            f"{name} was encrypted with a different FRAMETALLY_BACKUP_KEY: set that key"
        ) from error


DAYS_KEPT = 30
"""For how many dates the store keeps the first and the last backup; a person's own folder keeps all."""
NEWEST_KEPT = 5
ELSEWHERE = f"{keys.BACKUPS}/elsewhere.json"
"""Says when the last backup was written to a folder."""
_MOST_HEADER_BYTES = 4096
_NAME = re.compile(r"(\d{6,})-(\d{8}T\d{6})(\d{3})Z\.backup")


class StoredBackup(NamedTuple):
    """A backup in the store or in a folder.

    Attributes:
        number: Its place in the order in which backups were made.
        made_at_ms: When, by the clock of the machine that made it, which may have been wrong.
        key: Its key in the store, or its path.
    """

    number: int
    made_at_ms: int
    key: str
    size_bytes: int


def backup_name(number: int, made_at_ms: int) -> str:
    """Return the name of a backup; names sort in the order in which backups were made."""
    moment = EPOCH + datetime.timedelta(milliseconds=made_at_ms)
    return f"{number:06d}-{moment:%Y%m%dT%H%M%S}{made_at_ms % 1000:03d}Z.backup"


def stored_backups(store: ObjectStore) -> list[StoredBackup]:
    """Return the backups in the store in the order in which they were made."""
    return _in_order((info.key, info.size_bytes) for info in store.list(keys.BACKUPS))


def _in_order(files: Iterable[tuple[str, int]]) -> list[StoredBackup]:
    """Return the backups among files in the order in which they were made."""
    backups = []
    for key, size_bytes in files:
        if match := _NAME.fullmatch(key.rpartition("/")[2]):
            moment = datetime.datetime.strptime(f"{match[2]}+0000", "%Y%m%dT%H%M%S%z")
            made_at_ms = round(moment.timestamp()) * 1000 + int(match[3])
            backups.append(StoredBackup(int(match[1]), made_at_ms, key, size_bytes))
    return sorted(backups)


def is_due(store: ObjectStore, now_ms: int) -> bool:
    """Return whether the newest backup in the store is older than a day, or dated later than now."""
    backups = stored_backups(store)
    return not backups or not 0 <= now_ms - backups[-1].made_at_ms < DAY_MS


def store_backup(store: ObjectStore, data: bytes, made_at_ms: int) -> str:
    """Put a backup into the store, remove the backups that are no longer kept, and return its key.

    The store keeps the first and the last backup of the `DAYS_KEPT` dates used last, and the newest
    `NEWEST_KEPT`. Dates are only compared with each other: a clock that is ahead or behind takes up one date.
    """
    key = f"{keys.BACKUPS}/{_next_name(stored_backups(store), made_at_ms)}"
    store.put(key, data, if_absent=True)
    backups = stored_backups(store)
    by_date: dict[int, list[StoredBackup]] = {}
    for backup in reversed(backups):
        by_date.setdefault(backup.made_at_ms // DAY_MS, []).append(backup)
    dates = islice(by_date.values(), DAYS_KEPT)
    for backup in {*backups[:-NEWEST_KEPT]}.difference(*((date[0], date[-1]) for date in dates)):
        store.delete(backup.key)
    return key


def _next_name(backups: Sequence[StoredBackup], made_at_ms: int) -> str:
    return backup_name(max((backup.number for backup in backups), default=0) + 1, made_at_ms)


def write_backup(folder: Path, data: bytes, made_at_ms: int) -> Path:
    """Write a backup into a folder, created if missing; only their owner can read the folder and the file.

    Raises:
        OSError: The backup cannot be written.
    """
    make_folders(folder)
    path = folder / _next_name(_in_folder(folder), made_at_ms)
    replace_file(path, data, is_private=True, durable=True)
    return path


def note_elsewhere(store: ObjectStore, data: bytes) -> None:
    """Record in the store that a backup was written to a folder, by its first line."""
    store.put(ELSEWHERE, data.partition(b"\n")[0])


def last_backup(store: ObjectStore, stored: list[StoredBackup], now_ms: int) -> BackupHeader | None:
    """Return the header of the last backup that was made, wherever it is, or None if there is none.

    `stored` are those in the store, as `stored_backups` returns them. A backup dated after `now_ms` is
    returned only if there is no other.
    """
    headers = []
    for key in (*(backup.key for backup in stored[-1:]), ELSEWHERE):
        with suppress(ObjectMissing):
            headers.append(header_of(store.get_range(key, 0, _MOST_HEADER_BYTES)))
    return max(
        filter(None, headers),
        key=lambda header: (header.made_at_ms <= now_ms, header.made_at_ms),
        default=None,
    )


def read_backup(
    find_store: Callable[[], ObjectStore], source: str | None, note: Callable[[str], None]
) -> tuple[str, bytes]:
    """Return the name and bytes of a backup: a file, or the newest in a folder or in the store.

    Args:
        find_store: Opens the store, and is called only if it is needed.
        source: A file, a folder, or a key in the store; None means the newest in the store.
        note: Receives a line about a backup that is dated later than the newest but was made before it.

    Raises:
        Misconfigured: There is none.
        OSError: The file cannot be read.
    """
    path = Path(source) if source is not None else None
    if path is not None and path.is_dir():
        backups = _in_folder(path)
        if not backups:
            raise Misconfigured(f"there is no backup in the folder {path}: choose another with --from")
        path = Path(_newest(backups, note))
    if path is not None and (path.exists() or not str(source).startswith(f"{keys.BACKUPS}/")):
        return str(path), path.read_bytes()
    store = find_store()
    backups = stored_backups(store)
    if not backups or source not in (None, *(backup.key for backup in backups)):
        raise Misconfigured(
            f"there is no backup {'' if source is None else f'{source} '}in {store.url}: create one with "
            "`frametally backup`, or choose a file or a folder with --from"
        )
    key = _newest(backups, note) if source is None else source
    return key, store.get(key)


def _in_folder(folder: Path) -> list[StoredBackup]:
    return _in_order((str(file), file.stat().st_size) for file in folder.glob("*.backup"))


def _newest(backups: Sequence[StoredBackup], note: Callable[[str], None]) -> str:
    """Return the key of the backup that was made last, and `note` one that is dated later."""
    newest, latest = backups[-1], max(backups, key=lambda backup: backup.made_at_ms)
    if latest.made_at_ms > newest.made_at_ms:
        note(
            f"{latest.key} is dated later ({utc(latest.made_at_ms)}), but was created before {newest.key}; "
            "to restore it instead, name it with --from"
        )
    return newest.key


def tell_store(settings: Settings, tell: Callable[[ObjectStore], None], otherwise: str) -> None:
    """Let `tell` note the work in the store; the work counts as done even if the store is unavailable."""
    try:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            tell(store)
    except FrametallyError as error:
        note(f"frametally could not record this in the store, so {otherwise}: {error}")
