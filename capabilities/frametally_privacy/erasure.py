"""Erases what was filmed of a source in a range, in steps that survive a kill.

It builds on `forget`, and also removes what `forget` keeps. The order of effects:

1. The store notes the erasure with what there is, and retention notes that this range is being removed.
2. Boxes go from the segments, and originals, derivatives and previews go, while the manifests still say
   which of them show the range.
3. The footage is forgotten: tombstones, pictures, manifests, uploads of completely erased videos.
4. Pictures that belong to no footage any more go.
5. The days are counted again, and their earlier counts go: hour files, part files, index, gold, histories.
6. Earlier counts that plug-ins keep go.
7. Embedded databases keep no deleted rows. The note becomes the receipt.

Each step does nothing the second time, so the same call continues after a kill.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from frametally import keys
from frametally.backups import ELSEWHERE, stored_backups
from frametally.books.runs import current_days
from frametally.books.superseded import remove_superseded
from frametally.errors import Misconfigured
from frametally.files.sqlite import drop_deleted_rows
from frametally.files.work_lock import work_lock
from frametally.media import mending
from frametally.media.erasing import images_of
from frametally.media.forgetting import Target, targets_in
from frametally.media.kept_data import (
    KeptItem,
    KeptKind,
    KeptPart,
    RemovedBy,
    kept_parts,
    kinds_in,
    place_urls,
)
from frametally.media.lookup import media_of_source
from frametally.media.manifests import list_manifests
from frametally.packs.packed_store import delete_pictures
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.ports.opened import Ports, StorePorts
from frametally.process import failpoints
from frametally.process.exit_codes import worst
from frametally.process.reports import Progress
from frametally.records import MediaManifest, encode
from frametally.rules.times import DAY_MS, days_of_span
from frametally_privacy.erased_boxes import ErasedFrames, erase_boxes, erased_frames, segments_with_boxes
from frametally_privacy.erased_history import begin_histories_again
from frametally_privacy.erasure_records import ErasedKind, Erasure, short_media_id


class NothingToErase(Misconfigured):
    """There is nothing of this source in this range."""


def find_source(ports: StorePorts, name: str) -> str:
    """Return the slug of a source with footage, or with pictures that belong to no footage any more, or yet.

    Raises:
        NothingToErase: There is no such source.
    """
    slug = keys.slug(name)
    if next(iter(ports.store.list(f"{keys.IMAGES}/{slug}")), None) is not None:
        return slug
    kinds = kinds_in(kept_parts(ports), "rules", "erasures")
    if any(item.source == slug for kind in kinds for item in kind.items()):
        return slug
    try:
        return media_of_source(ports.store, name)[0].source
    except Misconfigured as error:
        raise NothingToErase(error.detail, error.remedy) from error


def source_slug(ports: StorePorts, name: str) -> str:
    """Return the slug of a source, also if there is nothing of it any more."""
    try:
        return find_source(ports, name)
    except NothingToErase:
        return keys.slug(name)


def stored_frames(store: ObjectStore, source: str, from_ms: int, to_ms: int) -> Iterator[ObjectInfo]:
    """Yield the stored pictures of a source in `[from_ms, to_ms)`, single or in packs."""
    last_day = keys.image_folder(source, keys.utc_day(to_ms - 1))
    for info in store.list(f"{keys.IMAGES}/{source}", keys.image_folder(source, keys.utc_day(from_ms))):
        if info.key.rpartition("/")[0] > last_day:
            return
        name = keys.parse_image_name(info.key.rpartition("/")[2])
        if name is not None and from_ms <= name.captured_at_ms < to_ms:
            yield info


@dataclass(frozen=True)
class ErasurePlan:
    """What there is of a source in `[from_ms, to_ms)`, without effect.

    It reads manifests once: after they change, `replace` makes a plan that reads them again.
    """

    ports: Ports
    ledger: Ledger
    source: str
    from_ms: int
    to_ms: int
    keeps_counts: bool

    @cached_property
    def parts(self) -> list[KeptPart]:
        """What plug-ins keep."""
        return kept_parts(self.ports)

    @cached_property
    def days(self) -> frozenset[str]:
        """The UTC days whose results can name the range: tracks and hour files reach across midnight."""
        days = days_of_span(self.from_ms - DAY_MS, self.to_ms - 1 + DAY_MS)
        return frozenset(keys.utc_day(day * DAY_MS) for day in days)

    def holds(self, removal_id: str = "") -> list[str]:
        """Return the legal holds on the range, in words; see `KeptPart.holds`."""
        return [
            hold
            for part in self.parts
            for hold in part.holds(self.source, self.from_ms, self.to_ms, removal_id)
        ]

    @cached_property
    def targets(self) -> list[Target]:
        """The media of the source that reach into the range."""
        media = [manifest for manifest in list_manifests(self.ports.store) if manifest.source == self.source]
        return targets_in(media, from_ms=self.from_ms, to_ms=self.to_ms)

    @property
    def media(self) -> list[MediaManifest]:
        """Their manifests."""
        return [target.manifest for target in self.targets]

    def frames(self) -> ErasedFrames:
        """Return the frames of which boxes go. Raises as `erased_frames`."""
        return erased_frames(self.ports.store, self.source, self.from_ms, self.to_ms, self.targets)

    def pictures(self) -> dict[str, int]:
        """Return the keys of the stored pictures with their sizes; those under earlier keys have 0."""
        store = self.ports.store
        former = images_of(
            store, [(target.manifest, target.from_ms, target.to_ms) for target in self.targets]
        )
        now = stored_frames(store, self.source, self.from_ms, self.to_ms)
        return dict.fromkeys(former, 0) | {info.key: info.size_bytes for info in now}

    def items(self) -> Iterator[tuple[KeptKind, KeptItem]]:
        """Yield what shows a moment of the range, such as originals, and what may show any moment.

        Each kind is listed when those before it are done: a version of a video that is being made is either
        listed after the original is gone, or its maker sees that (`JobCall.check_original`).
        """
        for kind in kinds_in(self.parts, "rules", "erasures"):
            for item in list(kind.items()):
                first_ms, last_ms = item.from_ms, item.to_ms
                if item.source != self.source or first_ms is None:
                    continue  # the time of what it shows is unknown
                if first_ms < self.to_ms and (last_ms is None or last_ms >= self.from_ms):
                    yield kind, item
        yield from self._all_of("all erasures")

    def histories(self) -> Iterator[tuple[KeptKind, KeptItem]]:
        """Yield what is kept of earlier counts."""
        return self._all_of("recounts")

    def _all_of(self, removed_by: RemovedBy) -> Iterator[tuple[KeptKind, KeptItem]]:
        for kind in kinds_in(self.parts, removed_by):
            yield from ((kind, item) for item in list(kind.items()))

    def intervals(self) -> list[int]:
        """Return the lengths in seconds of the intervals in which these days are counted."""
        days = current_days(self.ports.store)
        return sorted(
            {day.interval_s for day in days if day.day in self.days} | {self.ports.settings.interval_s}
        )

    def amounts(self) -> tuple[ErasedKind, ...]:
        """Return how much there is of each kind."""
        pictures = self.pictures()
        numbers, sizes = Counter(frames=len(pictures)), Counter(frames=sum(pictures.values()))
        items = [*self.items(), *([] if self.keeps_counts else self.histories())]
        for kind, item in items:
            numbers[kind.name] += 1
            sizes[kind.name] += item.size_bytes
        if not self.keeps_counts:
            boxes = segments_with_boxes(self.ports.store, self.ledger, self.frames())
            numbers["frames with boxes"] = sum(number for _, number in boxes)
        return tuple(
            ErasedKind(kind=kind, items=number, size_bytes=sizes[kind])
            for kind, number in numbers.items()
            if number
        )

    def checked_frames(self) -> int:
        """Return how many answers of accuracy checks are about the range; they stay, without pictures."""
        spans = [span for part in self.parts for span in part.ranges(self.source)]
        return sum(from_ms < self.to_ms and to_ms > self.from_ms for from_ms, to_ms in spans)


def begin(plan: ErasurePlan, erased: tuple[ErasedKind, ...]) -> Erasure:
    """Note an erasure. Raises `NothingToErase`, or `Misconfigured` if a legal hold covers some of it."""
    check_holds(plan)
    of_any_range = {kind.name for kind in kinds_in(plan.parts, "all erasures", "recounts")}
    if not any(kind.kind not in of_any_range for kind in erased):
        raise NothingToErase(
            f"there is nothing of {plan.source} in this range, so nothing was erased: check --from and --to"
        )
    erasure = Erasure(
        id=secrets.token_hex(6),
        source=plan.source,
        from_ms=plan.from_ms,
        to_ms=plan.to_ms,
        keeps_counts=plan.keeps_counts,
        began_at_ms=round(time.time() * 1000),
        erased=erased,
    )
    plan.ports.store.put(erasure.key, encode(erasure))
    failpoints.passing("erasure.noted")
    return erasure


def check_holds(plan: ErasurePlan, removal_id: str = "") -> None:
    """Raise `Misconfigured` if a legal hold covers some of the range; see `KeptPart.holds`."""
    if holds := plan.holds(removal_id):
        raise Misconfigured(
            f"a legal hold keeps this footage: {', '.join(holds)}; release it with `frametally retention "
            "release`, or give a range outside it"
        )


def carry_out(plan: ErasurePlan, erasure: Erasure, progress: Progress) -> tuple[Erasure, int]:
    """Erase all of it; return the receipt and the exit code.

    Unless the code is 0, the counts of some days could not be made again, and the same call continues.

    Raises:
        Misconfigured: A legal hold has come meanwhile. What was erased before stays erased.
        Poison: A record or a segment is damaged.
        Retryable: A server is unavailable.
    """
    store = plan.ports.store
    check_holds(plan)
    check_holds(plan, erasure.id)
    mending.finish_all(plan.ports, progress)
    plan = replace(plan)
    media = {short_media_id(manifest.sha256, manifest.revision) for manifest in plan.media}
    if not media <= {*erasure.media}:  # while the manifests exist
        erasure = msgspec.structs.replace(erasure, media=tuple(sorted({*erasure.media} | media)))
        store.put(erasure.key, encode(erasure))
    if not erasure.keeps_counts:
        frames = plan.frames()
        for key, _ in segments_with_boxes(store, plan.ledger, frames):
            erase_boxes(store, key, frames)
            failpoints.passing("erasure.segment")
    for kind, item in plan.items():
        failpoints.passing("erasure.item")
        kind.remove(item)
    if not erasure.keeps_counts:
        if plan.media:
            change = mending.plan_forgetting(
                plan.media, plan.source, from_ms=plan.from_ms, to_ms=plan.to_ms, delete=True
            )
            mending.carry_out(plan.ports, change, progress)
            plan = replace(plan)
        failpoints.passing("erasure.forgotten")
    pictures = plan.pictures()
    for number, key in enumerate(delete_pictures(store, pictures), 1):
        progress.update(number, len(pictures), key)
        failpoints.passing("erasure.picture")
    code = 0 if erasure.keeps_counts else _count_again(plan, progress)
    if code == 0:
        urls = place_urls(plan.ports.settings)
        for place in {kind.place for kind in kinds_in(plan.parts)}:
            drop_deleted_rows(urls.get(place, place))
        backups = [backup.key for backup in stored_backups(store)]
        backups += [ELSEWHERE] if store.head(ELSEWHERE) is not None else []
        erasure = msgspec.structs.replace(
            erasure, ended_at_ms=round(time.time() * 1000), backups=tuple(backups)
        )
        store.put(erasure.key, encode(erasure))
    return erasure, code


def _count_again(plan: ErasurePlan, progress: Progress) -> int:
    from frametally_hadoop.count_round import count_once  # imports the counting job
    from frametally_hadoop.planning.plan import DaySelection
    from frametally_search.index_round import publish_counts

    ports, settings = plan.ports, plan.ports.settings
    plan.ledger.refresh_headers(ports.store, progress, list_all=True)
    selection = DaySelection(plan.from_ms - DAY_MS, plan.to_ms + DAY_MS)
    codes = [
        count_once(replace(ports, settings=settings.model_copy(update={"interval_s": interval_s})), selection)
        for interval_s in plan.intervals()
    ]
    code = worst(*codes, publish_counts(ports))
    if code:
        return code
    failpoints.passing("erasure.counted")
    with work_lock(settings.data_dir, "aggregate", on_wait=progress.say):
        remove_superseded(ports.store, ports.index.current_runs(), erased_days=plan.days)
        begin_histories_again(ports.store, plan.days)
    for kind, item in list(plan.histories()):
        kind.remove(item)
    return 0
