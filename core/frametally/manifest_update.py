"""Changing a medium's manifest when several processes do so: read, change and write as one step."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from frametally import keys
from frametally.errors import Retryable
from frametally.media import find_manifest
from frametally.object_store import ObjectStore
from frametally.records import MediaManifest, encode

_PATIENCE_S, _LOOK_UP_S = 30.0, 0.005

_in_this_process = threading.RLock()


def change_manifest(
    store: ObjectStore, sha256: str, change: Callable[[MediaManifest | None], MediaManifest | None]
) -> MediaManifest | None:
    """Write what `change` makes of a medium's manifest; nobody else's change comes in between.

    Args:
        store: Where it lies.
        sha256: The medium's identity.
        change: Given the manifest as it stands (None: there is none), returns the new one, or None to leave
            things as they are. It must not change manifests itself.

    Returns:
        What `change` returned.

    Raises:
        Poison: The manifest that is there does not parse.
        Retryable: The store is away, or another process has kept the manifests for itself for too long.
    """
    with _alone(store.url):
        manifest = change(find_manifest(store, sha256))
        if manifest is not None:
            store.put(keys.media_key(sha256), encode(manifest))
        return manifest


def delete_manifest(store: ObjectStore, sha256: str, *, revision: int) -> None:
    """Delete a medium's manifest if it is still of that revision; a later one is another's, and stays.

    Nobody's change comes in between: a producer that is at the medium cannot put back what is deleted.

    Raises:
        Poison: The manifest that is there does not parse.
        Retryable: As `change_manifest`.
    """
    with _alone(store.url):
        found = find_manifest(store, sha256)
        if found is not None and found.revision <= revision:
            store.delete(keys.media_key(sha256))


@contextmanager
def _alone(store_url: str) -> Iterator[None]:
    """One holder at a time: of the store's folder by a lock on it, which ends with its process."""
    with _in_this_process:
        if not store_url.startswith("file://"):  # in memory: no other process has it
            yield
            return
        try:
            folder = os.open(unquote(store_url.removeprefix("file://")), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Retryable(f"{store_url} cannot be opened ({error.strerror}); is its disk there?") from error
        try:
            _lock(folder, store_url)
            yield
        finally:
            os.close(folder)


def _lock(folder: int, store_url: str) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > until_s:
                raise Retryable(
                    f"{store_url}: another process has held the manifests for {_PATIENCE_S:g} s; "
                    "is it stopped (Ctrl-Z)? then let it go on, or end it"
                ) from error
        time.sleep(_LOOK_UP_S)
