"""What the store says of its media: their manifests, written by the producer, read by everyone else."""

from __future__ import annotations

from frametally import keys
from frametally.object_store import ObjectStore
from frametally.records import MediaManifest, decode


def list_manifests(store: ObjectStore) -> list[MediaManifest]:
    """Every medium's manifest, sorted by source, then first event time, then identity.

    Raises:
        Poison: A manifest does not parse; the message names its key.
    """
    manifests = [decode(store.get(info.key), MediaManifest) for info in store.list(keys.MEDIA)]
    return sorted(manifests, key=lambda m: (m.source, m.first_captured_at_ms or 0, m.sha256))


def sources_timed_by_file(manifests: list[MediaManifest]) -> set[str]:
    """Slugs of the sources with a medium whose time is only its file's modification date."""
    return {manifest.source for manifest in manifests if manifest.time_source == "file_time"}
