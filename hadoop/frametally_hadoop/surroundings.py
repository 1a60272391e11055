"""What a run is compared with when it is audited: manifests, dead letters, segments that are of no use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import NamedTuple

from frametally import keys
from frametally.errors import FrametallyError, Poison
from frametally.media import list_manifests
from frametally.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.segments import list_segments, read_header, read_segment


class Surroundings(NamedTuple):
    """What a run is compared with.

    Attributes:
        manifests: Every medium's; None if one cannot be read.
        unusable: Keys of segments that could not be used at all.
        dead_images: Of a model, by source and day, keys of frames that have dead letters; asked only where
            coverage is short of the manifests.
    """

    manifests: list[MediaManifest] | None
    unusable: Collection[str]
    dead_images: Callable[[str], Mapping[tuple[str, str], Collection[str]]]


def look_around(store: ObjectStore, unusable: Collection[str]) -> Surroundings:
    """What there is in the store now.

    Raises:
        Retryable: The store is away.
    """
    manifests: list[MediaManifest] | None
    try:
        manifests = list_manifests(store)
    except Poison:
        manifests = None  # `frametally status` names it
    return Surroundings(manifests, unusable, cache(lambda model: _dead_images(store, model, unusable)))


def _dead_images(
    store: ObjectStore, model: str, unusable: Collection[str]
) -> dict[tuple[str, str], set[str]]:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for key in list_segments(store):
        if key in unusable or not key.startswith(f"{keys.METADATA}/model={model}/"):
            continue
        try:
            header, _ = read_header(store, key)
            letters = read_segment(store, key).dead_letters() if header.dead_letters else []
        except FrametallyError:
            continue  # named by the plan or the job
        for letter in letters:
            _, _, day, name = [*(letter.image_path or "").split("/"), "", "", "", ""][:4]
            if letter.image_path and letter.source and keys.parse_image_name(name):
                found[letter.source, day].add(letter.image_path)
    return dict(found)
