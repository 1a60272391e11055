"""Backups as bytes: a line that says what each is, then rows as gzipped JSON lines, encrypted by a key.

The line is JSON that anyone may read; its `sha256` is of all the rest of the file, the line's other fields
included.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import secrets
import zlib
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Annotated, NamedTuple

import msgspec

from frametally.backup_records import KeptRow
from frametally.errors import Misconfigured, Poison

FORMAT = 1
_ROW = msgspec.json.Decoder(tuple[str, dict[str, str | int | float | None]])
_SALT_BYTES = 16


class BackupHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a backup.

    Attributes:
        frametally_backup: Version of the format.
        made_at_ms: When, by the clock of the machine that made it.
        made_by: The frametally that made it.
        layouts: The layout of each book's rows.
        salt: What the key is mixed with, as hex digits; empty: the rows are not encrypted.
        sha256: Of the line without this field, and of all after it.
    """

    frametally_backup: int = FORMAT
    made_at_ms: int
    made_by: str
    layouts: dict[str, int]
    salt: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?$")] = ""
    sha256: str = ""


class Backup(NamedTuple):
    """A backup that was verified.

    Attributes:
        header: Its first line.
        name: What messages call it.
        lines: Its rows, as gzipped JSON lines.
    """

    header: BackupHeader
    name: str
    lines: bytes

    def check_layouts(self, known: Mapping[str, int]) -> None:
        """Raise `Misconfigured` where its rows are of other layouts than those that are known here."""
        layouts = self.header.layouts
        if any(layout > known.get(book, 0) for book, layout in layouts.items()):
            raise _newer(self.name, self.header.made_by)
        if any(layout != known[book] for book, layout in layouts.items()):
            raise Misconfigured(
                f"{self.name} was made by an older frametally ({self.header.made_by[:40]}): restore it with "
                "that version, then start this one, which upgrades the catalogue"
            )

    def rows(self) -> Iterator[KeptRow]:
        """Yield its rows. Raises `Poison` for one that is none."""
        try:
            with gzip.open(io.BytesIO(self.lines)) as lines:
                for line in lines:
                    yield KeptRow(*_ROW.decode(line))
        except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
            raise _damaged(self.name) from error

    def numbers(self) -> Counter[str]:
        """Return how many rows it has, by table; so all are read once before any is written."""
        return Counter(row.table for row in self.rows())


def encode_backup(
    rows: Iterable[KeptRow], layouts: Mapping[str, int], *, made_at_ms: int, key: str = ""
) -> bytes:
    """Return the bytes of a backup; `key` is the secret that encrypts it, empty: nobody's."""
    kept = io.BytesIO()
    with gzip.GzipFile(fileobj=kept, mode="wb", mtime=0) as lines:
        for row in rows:
            lines.write(msgspec.json.encode(row) + b"\n")
    body, salt = kept.getvalue(), ""
    if key:
        from cryptography.fernet import Fernet

        salt = secrets.token_hex(_SALT_BYTES)
        body = Fernet(_fernet_key(key, salt)).encrypt(body)
    header = BackupHeader(
        made_at_ms=made_at_ms, made_by=version("frametally"), layouts=dict(layouts), salt=salt
    )
    header = msgspec.structs.replace(header, sha256=_digest(header, body))
    return msgspec.json.encode(header) + b"\n" + body


def decode_backup(data: bytes, *, key: str, name: str) -> Backup:
    """Return a backup, verified and decrypted.

    Args:
        data: Its bytes.
        key: The secret that it was made with; empty: none is known.
        name: What messages call it.

    Raises:
        Poison: It is none, or damaged.
        Misconfigured: It is of a newer format, or encrypted by another key.
    """
    body = data.partition(b"\n")[2]
    header = header_of(data)
    if header is None:
        raise Poison(f"{name} is no backup of frametally, or its first line is damaged")
    if header.frametally_backup > FORMAT:
        raise _newer(name, header.made_by)
    if header.sha256 != _digest(header, body):
        raise _damaged(name)
    if header.salt:
        body = _decrypted(body, key, header.salt, name)
    return Backup(header, name, body)


def header_of(data: bytes) -> BackupHeader | None:
    """Return the header of what begins as a backup does; None: it is none."""
    try:
        return msgspec.json.decode(data.partition(b"\n")[0], type=BackupHeader)
    except msgspec.MsgspecError:
        return None


def _newer(name: str, made_by: str) -> Misconfigured:
    """Return the error about a backup that this frametally cannot read yet."""
    return Misconfigured(
        f"{name} was made by a newer frametally ({made_by[:40]}): restore it with that version"
    )


def _damaged(name: str) -> Poison:
    return Poison(f"{name} is damaged: its checksum is that of other bytes; name another backup by --from")


def _digest(header: BackupHeader, body: bytes) -> str:
    plain = msgspec.json.encode(msgspec.structs.replace(header, sha256=""))
    return hashlib.sha256(plain + b"\n" + body).hexdigest()


def _decrypted(body: bytes, key: str, salt: str, name: str) -> bytes:
    from cryptography.fernet import Fernet, InvalidToken

    if not key:
        raise Misconfigured(
            f"{name} is encrypted: set FRAMETALLY_BACKUP_KEY to the key that it was made with"
        )
    try:
        return Fernet(_fernet_key(key, salt)).decrypt(body)
    except InvalidToken as error:
        raise Misconfigured(
            f"{name} was made with another key than FRAMETALLY_BACKUP_KEY: set that one"
        ) from error


def _fernet_key(key: str, salt: str) -> bytes:
    """Return Fernet's key of a secret; slow to guess from, as a person may have chosen it."""
    derived = hashlib.scrypt(key.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
    return urlsafe_b64encode(derived)
