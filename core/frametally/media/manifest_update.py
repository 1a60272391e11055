"""Changing a medium's manifest when several processes do so: read, change and write as one step."""

from __future__ import annotations

from collections.abc import Callable

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest, decode_at, encode


def change_manifest(
    store: ObjectStore, sha256: str, change: Callable[[MediaManifest | None], MediaManifest | None]
) -> MediaManifest | None:
    """Write what `change` makes of a medium's manifest; nobody else's change comes in between.

    Args:
        store: Where it lies.
        sha256: The medium's identity.
        change: Given the manifest as it stands (None: there is none), returns the new one, or None to leave
            things as they are. It may be called several times, and must not change manifests itself.

    Returns:
        What `change` returned.

    Raises:
        Poison: The manifest that is there does not parse.
        Retryable: The store is away, or another process has kept the manifests for itself for too long.
    """
    changed: MediaManifest | None = None

    def make(data: bytes | None) -> bytes | None:
        nonlocal changed
        changed = change(_decode(sha256, data))
        return data if changed is None else encode(changed)

    store.change(keys.media_key(sha256), make)
    return changed


def delete_manifest(store: ObjectStore, sha256: str, *, revision: int) -> None:
    """Delete a medium's manifest if it is still of that revision; a later one is another's, and stays.

    Nobody's change comes in between: a producer that is at the medium cannot put back what is deleted.

    Raises:
        Poison: The manifest that is there does not parse.
        Retryable: As `change_manifest`.
    """

    def make(data: bytes | None) -> bytes | None:
        found = _decode(sha256, data)
        return None if found is not None and found.revision <= revision else data

    store.change(keys.media_key(sha256), make)


def _decode(sha256: str, data: bytes | None) -> MediaManifest | None:
    return None if data is None else decode_at(keys.media_key(sha256), data, MediaManifest)
