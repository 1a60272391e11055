"""Lets pyiceberg read and write the files of Iceberg tables as objects of the store.

A location is the store's URL, a slash and the object's key, so that other programs can find the file.
"""

from __future__ import annotations

import hashlib
import io
from types import TracebackType
from urllib.parse import unquote

from pyiceberg.io import FileIO, InputFile, OutputFile
from pyiceberg.typedef import EMPTY_DICT, Properties

from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectMissing, ObjectStore

STORE, WRITTEN = "frametally.store", "frametally.written"
"""The properties that give pyiceberg the open store, and a dict for the SHA-256 of files by key."""


class StoreFileIO(FileIO):
    """Reads and writes files in the store; pyiceberg creates it from the catalogue's properties."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        """Take the open store from the properties; the caller closes it."""
        super().__init__(properties)
        self._store: ObjectStore = properties[STORE]
        self._written: dict[str, str] = properties[WRITTEN]

    def new_input(self, location: str) -> StoreFile:
        """Return a file to read."""
        return StoreFile(self._store, location, self._written)

    def new_output(self, location: str) -> StoreFile:
        """Return a file to write."""
        return StoreFile(self._store, location, self._written)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; a missing one is not an error."""
        place = location if isinstance(location, str) else location.location
        self._store.delete(key_of(self._store, place))


class StoreFile(InputFile, OutputFile):
    """A file that pyiceberg reads or writes whole."""

    def __init__(self, store: ObjectStore, location: str, written: dict[str, str]) -> None:
        """Name an object of the store; `written` receives its checksum. Raises the errors of `key_of`."""
        super().__init__(location)
        self._store, self._written = store, written
        self._key = key_of(store, location)

    def __len__(self) -> int:
        info = self._store.head(self._key)
        return info.size_bytes if info else 0

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self._store.head(self._key) is not None

    def open(self, seekable: bool = True) -> io.BytesIO:
        """Read the file. Raises `Misconfigured` if it is missing."""
        try:
            return io.BytesIO(self._store.get(self._key))
        except ObjectMissing as error:
            raise Misconfigured(
                f"a file of the Iceberg tables is missing: {self._key}; restore it from a backup, or run "
                "`frametally iceberg --rebuild`, which publishes all tables again, without their history"
            ) from error

    def create(self, overwrite: bool = False) -> _Upload:
        """Return a stream; its bytes become the object when it is closed without an error."""
        return _Upload(self._store, self._key, self._written)

    def to_input_file(self) -> StoreFile:
        """Return the same file."""
        return self


class _Upload(io.BytesIO):
    def __init__(self, store: ObjectStore, key: str, written: dict[str, str]) -> None:
        super().__init__()
        self._store, self._key, self._written = store, key, written

    def close(self) -> None:
        if not self.closed:
            data = self.getvalue()
            self._store.put(self._key, data)
            self._written[self._key] = hashlib.sha256(data).hexdigest()
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            super().close()  # without storing half a file
        self.close()


def location_of(store: ObjectStore, key: str) -> str:
    """Return the location of an object, without percent-escapes: readers use it unchanged."""
    return f"{unquote(store.url).rstrip('/')}/{key}"


def key_of(store: ObjectStore, location: str) -> str:
    """Return the key of a location.

    Raises:
        Misconfigured: The location is not in this store.
    """
    place = location_of(store, "")
    if not location.startswith(place):
        raise Misconfigured(
            f"the Iceberg tables were published for another address, {location}, but the store is "
            f"{store.url}: use that address, or run `frametally iceberg --rebuild`, which publishes all "
            "tables again, without their history"
        )
    return location.removeprefix(place)
