"""Deletes erased pictures that a power cut brought back, and names those that it cannot tell from others.

A disk that confirmed a deletion too early can have a picture again, under its old key and with its old time.
Footage that a person produces again can have the same keys, but another revision of its medium, and later
times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import click

from frametally import keys
from frametally.checkup.findings import Finding
from frametally.console import output as console
from frametally.errors import FrametallyError, Retryable
from frametally.files.work_lock import work_lock
from frametally.media.kept_data import kept_parts
from frametally.media.manifests import list_manifests, pictures_identity
from frametally.packs.packed_store import delete_pictures
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.process.reports import Progress, plural
from frametally.settings.data_folder import store_folder
from frametally_privacy.erasure import stored_frames
from frametally_privacy.erasure_records import Erasure, erasures, short_media_id


def returned_pictures(store: ObjectStore, erasure: Erasure) -> list[str]:
    """Return the keys of pictures in an erasure's range that were stored before it began."""
    infos = stored_frames(store, erasure.source, erasure.from_ms, erasure.to_ms)
    return [info.key for info in infos if 0 < info.modified_at_ms < erasure.began_at_ms]


def _is_covered(erasure: Erasure, image_key: str, revisions: Mapping[str, int]) -> bool:
    """Return whether the receipt names the picture's medium, and the medium has no later revision."""
    _, source, day, file_name = image_key.split("/")
    name = keys.parse_image_name(file_name)
    if name is None:
        return False
    is_picture_file = len(name.medium_hex) > 12
    medium_hex = (pictures_identity(source, day) if is_picture_file else name.medium_hex)[:12]
    return short_media_id(medium_hex, revisions.get(medium_hex, 0)) in erasure.media


def _revisions(store: ObjectStore) -> dict[str, int]:
    """Return the newest revision of each medium, forgotten or not, by 12 hex. Raises as `list_manifests`."""
    revisions = {manifest.sha256[:12]: manifest.revision for manifest in list_manifests(store)}
    for info in store.list(keys.TOMBSTONES):
        revision = keys.forgotten_revision(info.key)
        if revision is not None:
            medium_hex = info.key.split("/")[1][:12]
            revisions[medium_hex] = max(revision, revisions.get(medium_hex, 0))
    return revisions


def finish_receipts(ports: StorePorts, should_stop: Callable[[], bool]) -> None:
    """Delete erased pictures that a power cut brought back, and print a line for each erasure."""
    if store_folder(ports.settings) is None:  # a server answers for its own disks
        return
    try:
        _finish_receipts(ports, should_stop)
    except Retryable:  # another command of this machine does it
        return
    except (FrametallyError, OSError) as error:
        click.echo(console.plain(f"could not look for erased pictures that came back: {error}"), err=True)


def _finish_receipts(ports: StorePorts, should_stop: Callable[[], bool]) -> None:
    store = ports.store
    revisions: dict[str, int] | None = None
    for erasure in erasures(store):
        if should_stop():
            return
        if erasure.ended_at_ms is None or not (image_keys := returned_pictures(store, erasure)):
            continue
        if revisions is None:
            revisions = _revisions(store)
        pictures = [key for key in image_keys if _is_covered(erasure, key, revisions)]
        holds = (part.holds(erasure.source, erasure.from_ms, erasure.to_ms, "") for part in kept_parts(ports))
        if not pictures or any(holds):
            continue
        with work_lock(ports.settings.data_dir, "erasures", wait=False):
            number = sum(1 for _ in delete_pictures(store, pictures))
        line = (
            f"deleted {plural(number, 'erased picture')} that came back, such as after a power cut: "
            f"receipt {erasure.id}, {erasure.in_words}"
        )
        click.echo(console.plain(line), err=True)


def check_receipts(store: ObjectStore, progress: Progress) -> Iterator[Finding]:
    """Count the pictures in each erased range that were stored before the erasure began."""
    receipts = [erasure for erasure in erasures(store) if erasure.ended_at_ms is not None]
    for number, erasure in enumerate(receipts, 1):
        progress.update(number, len(receipts), erasure.id)
        if image_keys := returned_pictures(store, erasure):
            yield Finding(
                "erasures",
                erasure.id,
                f"{plural(len(image_keys), 'erased picture is', 'erased pictures are')} in the store: "
                f"{erasure.in_words}",
                remedy="power loss brought them back. Start `frametally serve` or `frametally up`; if they "
                "stay, run `frametally privacy erase` with this range again, which also erases what you "
                "have produced there since",
            )
    yield Finding("erasures", "all of them", f"{plural(len(receipts), 'receipt')} compared with the store")
