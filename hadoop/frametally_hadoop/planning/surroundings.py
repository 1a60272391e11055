"""The data that an audit compares a run with: manifests, dead letters, unusable segments."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from frametally_hadoop.job.lines import BadLine, decode_frame

_MOST_FRAMES, _MOST_DAYS = 500_000, 31
"""Of a medium whose frames are looked up in the store to tell its days apart."""


class Surroundings(NamedTuple):
    """The data that a run is compared with.

    Attributes:
        manifests: By source, those of its media; None if one cannot be read.
        chain_breaks: By model, gaps and overlaps between its segments, one line each.
        dead_images: Of a model, by source and day, keys of frames that have dead letters; asked only where
            coverage is short of the manifests.
        frames_by_day: Of a medium of several days, by UTC day, its frames in the store; or why that is
            unknown. Only for such a medium.
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
    """Read the current contents of the store; `with_dead_letters` are keys of segments that have some.

    Raises `Retryable`.
    """
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
        dead_images=cache(lambda model: _dead_images(store, model, with_dead_letters)),
        frames_by_day=frames_by_day,
    )


def _frames_by_day(store: ObjectStore, manifest: MediaManifest) -> Mapping[str, int] | str:
    """Count by the names of its pictures, which tell medium and time; a manifest has only their sum."""
    first_ms, last_ms = manifest.first_captured_at_ms or 0, manifest.last_captured_at_ms or 0
    days = days_of_span(first_ms, last_ms)
    if manifest.frames_announced > _MOST_FRAMES or len(days) > _MOST_DAYS:
        return f"{manifest.name} covers {len(days)} days, too many to look up its frames"
    frames_by_day: Counter[str] = Counter()
    for number in days:
        day = keys.utc_day(number * DAY_MS)
        folder = keys.image_folder(manifest.source, day)
        for info in store.list(folder, after=f"{folder}/{max(first_ms, number * DAY_MS)}"):
            name = keys.parse_image_name(info.key.rpartition("/")[2])
            if name is None or not manifest.sha256.startswith(name.medium_hex):
                continue
            if name.captured_at_ms > last_ms:
                break
            frames_by_day[day] += 1
    if (total := frames_by_day.total()) != manifest.frames_announced:
        return (
            f"{manifest.name} covers {len(days)} days, and {total} of its {manifest.frames_announced} "
            "frames are in the store: which ones are missing on this day is unknown"
        )
    return frames_by_day


def _dead_images(
    store: ObjectStore, model: str, segments: Collection[str]
) -> dict[tuple[str, str], set[str]]:
    images: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
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
                images[letter.source, day].add(letter.image_path)
    return dict(images)


_MOST_SEGMENTS = 50


def label_warnings(store: ObjectStore, *, wanted: Collection[str], segments: Iterable[str]) -> list[str]:
    """Return one line for a person if no box of the segments, however weak, has one of the `wanted` labels.

    Looks at the first segments only: where one of those shows a label, it is known.
    """
    known: set[str] = set()
    for number, key in enumerate(segments):
        if number == _MOST_SEGMENTS or known >= set(wanted):
            break
        try:
            lines = read_segment(store, key).frame_lines
        except FrametallyError:
            continue  # the job has named it
        for line in lines:
            try:
                known.update(detection.label for detection in decode_frame(line).detections)
            except BadLine:
                continue
    if known >= set(wanted):
        return []
    names = ", ".join(repr(label) for label in sorted(set(wanted) - known))
    labels = ", ".join(sorted(known)) or "none at all"
    return [
        f"FRAMETALLY_COUNT_LABELS includes {names}, but nothing detected here has this label; choose from: "
        f"{labels}"
    ]
