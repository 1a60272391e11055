"""Checks stored pictures for `frametally doctor --deep`: lists the empty ones, and reads a sample."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress

from frametally import keys
from frametally.checkup.findings import Finding
from frametally.errors import FrametallyError
from frametally.files.jpeg_header import has_all_bytes
from frametally.media.screening import note_in, screen_of
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.ports.opened import Ports
from frametally.process.reports import Progress, plural
from frametally.segments.contents import counted_digests

SAMPLED = 1000
"""Pictures that are read, taken at random: each run takes others."""

_HELP = "If you have the file: run `frametally forget` and `frametally produce` with it"
_REMEDY = (
    f"power loss or the disk damaged them; their counts stay. {_HELP}. `frametally work` makes empty "
    "pictures of uploaded videos again"
)
_SCREENED_REMEDY = (
    "power loss or the disk damaged them; their counts stay. frametally cannot make empty ones again once "
    f"the privacy rule of their source has deleted their originals. {_HELP}"
)


def check_pictures(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """List empty pictures by source, and compare a sample with what was counted."""
    empty: Counter[str] = Counter()
    number = 0
    sample: list[str] = []
    for number, info in enumerate(ports.store.list(keys.IMAGES), 1):
        progress.update(number, None, info.key)
        if not info.size_bytes:
            empty[_source_of(info.key)] += 1
        elif len(sample) < SAMPLED:
            sample.append(info.key)
        elif (place := random.randrange(number)) < SAMPLED:  # noqa: S311 - each picture is as likely
            sample[place] = info.key
    damaged = Counter(map(_source_of, damaged_pictures(ports.store, sample)))
    for source in sorted(empty | damaged):
        words = [f"{plural(empty[source], 'empty picture')}"] if empty[source] else []
        words += [f"{damaged[source]} damaged of those read"] if damaged[source] else []
        yield Finding("pictures", source, ", ".join(words), remedy=_remedy(ports, source))
    yield Finding("pictures", "all of them", f"{number} listed, {len(sample)} read")


def _remedy(ports: Ports, source: str) -> str:
    with suppress(FrametallyError):  # another check reports a damaged policy
        if screen_of(ports.settings, ports.store, source) is not None:
            return _SCREENED_REMEDY
    return _REMEDY


def damaged_pictures(store: ObjectStore, image_keys: Collection[str]) -> Iterator[str]:
    """Yield the keys of pictures that have a gap, or are not the ones that were counted."""
    # Imported here, so that the help of commands does not load numpy.
    from frametally.segments.stored_frame import picture_digest

    counted = counted_digests(store, set(image_keys))
    for key in image_keys:
        with suppress(ObjectMissing):  # deleted since it was listed; packs have their own check
            data = store.get(key)
            digest = picture_digest(hashlib.sha256(data).hexdigest())
            is_another = digest not in counted.get(key, {digest}) and note_in(data) is None
            if not has_all_bytes(data) or is_another:
                yield key


def _source_of(image_key: str) -> str:
    return image_key.split("/")[1]
