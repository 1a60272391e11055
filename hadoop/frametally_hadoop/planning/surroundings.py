"""What a run is compared with when it is audited: manifests, dead letters, segments that are of no use."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from frametally import keys
from frametally.errors import FrametallyError
from frametally.media.manifests import by_source
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS, days_of_span
from frametally.rules.tombstones import Forgotten
from frametally.segments.contents import read_segment

_MOST_FRAMES, _MOST_DAYS = 500_000, 31
"""Of a medium whose frames are looked up in the store to tell its days apart."""


class Surroundings(NamedTuple):
    """What a run is compared with.

    Attributes:
        manifests: By source, those of its media; None if one cannot be read.
        forgotten: What does not count of them.
        unusable: Keys of segments that could not be used at all.
        chain_breaks: By model, gaps and overlaps between its segments, one line each.
        dead_images: Of a model, by source and day, keys of frames that have dead letters; asked only where
            coverage is short of the manifests.
        frames_by_day: Of a medium of several days, by UTC day, its frames in the store; or why that cannot be
            told. Asked only of such a medium.
    """

    manifests: Mapping[str, Sequence[MediaManifest]] | None
    forgotten: Forgotten
    unusable: Collection[str]
    chain_breaks: Mapping[str, Sequence[str]]
    dead_images: Callable[[str], Mapping[tuple[str, str], Collection[str]]]
    frames_by_day: Callable[[MediaManifest], Mapping[str, int] | str]


def look_around(
    store: ObjectStore,
    manifests: list[MediaManifest] | None,
    *,
    forgotten: Forgotten,
    unusable: Collection[str],
    with_dead_letters: Collection[str],
    chain_breaks: Mapping[str, Sequence[str]],
) -> Surroundings:
    """Look what there is in the store now; `with_dead_letters` are keys of segments that hold some.

    Raises:
        Retryable: The store is away.
    """
    usable = [key for key in with_dead_letters if key not in unusable]
    known: dict[str, Mapping[str, int] | str] = {}

    def frames_by_day(manifest: MediaManifest) -> Mapping[str, int] | str:
        if manifest.sha256 not in known:
            known[manifest.sha256] = _frames_by_day(store, manifest)
        return known[manifest.sha256]

    return Surroundings(
        manifests=None if manifests is None else by_source(manifests),
        forgotten=forgotten,
        unusable=unusable,
        chain_breaks=chain_breaks,
        dead_images=cache(lambda model: _dead_images(store, model, usable)),
        frames_by_day=frames_by_day,
    )


def _frames_by_day(store: ObjectStore, manifest: MediaManifest) -> Mapping[str, int] | str:
    """Count by the names of its pictures, which tell medium and time; a manifest has only their sum."""
    first_ms, last_ms = manifest.first_captured_at_ms or 0, manifest.last_captured_at_ms or 0
    days = days_of_span(first_ms, last_ms)
    if manifest.frames_announced > _MOST_FRAMES or len(days) > _MOST_DAYS:
        return f"{manifest.name} is of {len(days)} days, too long to look its frames up"
    found: Counter[str] = Counter()
    for number in days:
        day = keys.utc_day(number * DAY_MS)
        folder = keys.image_folder(manifest.source, day)
        for info in store.list(folder, after=f"{folder}/{max(first_ms, number * DAY_MS)}"):
            name = keys.parse_image_name(info.key.rpartition("/")[2])
            if name is None or not manifest.sha256.startswith(name.medium_hex):
                continue
            if name.captured_at_ms > last_ms:
                break
            found[day] += 1
    if (total := found.total()) != manifest.frames_announced:
        return (
            f"{manifest.name} is of {len(days)} days, and {total} of its {manifest.frames_announced} frames "
            "are in the store: which are missing on this day is not known"
        )
    return found


def _dead_images(
    store: ObjectStore, model: str, segments: Collection[str]
) -> dict[tuple[str, str], set[str]]:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for key in segments:
        if not key.startswith(f"{keys.METADATA}/model={model}/"):
            continue
        try:
            letters = read_segment(store, key).dead_letters()
        except FrametallyError:
            continue  # named by the plan or the job
        for letter in letters:
            _, _, day, name = [*(letter.image_path or "").split("/"), "", "", "", ""][:4]
            if letter.image_path and letter.source and keys.parse_image_name(name):
                found[letter.source, day].add(letter.image_path)
    return dict(found)
