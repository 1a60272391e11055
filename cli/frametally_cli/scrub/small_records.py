"""Manifests, tombstones, corrections, settled dead letters, the detector, and those of plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import list_records
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectMissing
from frametally.process.reports import Progress
from frametally.records import AutoDetector, MediaManifest, SealedRecord, decode_at
from frametally.undo_records import Correction, DroppedDeadLetter, Tombstone
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports


class RecordFolder(NamedTuple):
    """A folder of small records that a plug-in keeps.

    Attributes:
        folder: In the store.
        words: What people call what is in it.
        type_of: Returns which record lies under a key.
    """

    folder: str
    words: str
    type_of: Callable[[str], type[SealedRecord]]


_FOLDERS: dict[str, type[SealedRecord]] = {
    keys.MEDIA: MediaManifest,
    keys.TOMBSTONES: Tombstone,
    keys.CORRECTIONS: Correction,
    keys.DROPPED: DroppedDeadLetter,
}

_WORDS = "manifests, tombstones, corrections, settled dead letters"


def check_records(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every small record."""
    folders: list[RecordFolder] = [folder for folders in hooks("records") for folder in folders]
    wanted = [
        (info.key, record_type)
        for folder, record_type in _FOLDERS.items()
        for info in list_records(ports.store, folder)
    ]
    wanted += [
        (info.key, part.type_of(info.key))
        for part in folders
        for info in list_records(ports.store, part.folder)
    ]
    wanted.append((keys.AUTO_DETECTOR, AutoDetector))
    read = 0
    for done, (key, record_type) in enumerate(wanted):
        progress.update(done, len(wanted), key)
        try:
            decode_at(key, ports.store.get(key), record_type)
        except ObjectMissing:
            continue  # removed since it was listed, or never there
        except Poison as error:
            yield Finding("records", key, "damaged", remedy=str(error))
        read += 1
    progress.update(len(wanted), len(wanted))
    yield Finding(
        "records",
        ", ".join([_WORDS, *(part.words for part in folders)]),
        f"{read} read",
    )
