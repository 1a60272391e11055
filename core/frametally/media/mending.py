"""Corrects footage, for commands and pages: forgets it, corrects its time, renames its source.

A change is planned without effect, then noted, then made medium by medium, and then its note is deleted. If
it is killed at any point, `carry_out` with the same note finishes it: finished media have another revision or
none.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.errors import Misconfigured
from frametally.files.names import as_text
from frametally.files.temporary import remove_abandoned
from frametally.media import corrections, forgetting, lookup
from frametally.media.corrections import Corrected
from frametally.media.manifests import (
    ManifestReader,
    find_manifest,
    list_manifests,
    media_of,
    read_records,
    readable_tombstones,
    without_names,
)
from frametally.media.overlapping import overlap_reports, overlaps_of, reports_by_source
from frametally.media.source_timezones import move_timezone
from frametally.media.sources import joined
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StagePorts
from frametally.ports.picture_places import picture_places
from frametally.process.reports import Progress, Skipped, plural
from frametally.records import MediaManifest, encode
from frametally.rules.time_patterns import TimePattern
from frametally.rules.times import FIRST_MS, NEXT_MS, moment_ms
from frametally.settings.loading import Settings
from frametally.undo_records import FootageChange

NEXT = "run `frametally aggregate` and `frametally index` to see it in the counts"


class MediumForgotten(NamedTuple):
    """A medium was forgotten, `whole` or in part; with `deletes`, plug-ins delete its originals as well.

    Attributes:
        from_ms: Event time of the first forgotten frames; None means no limit.
        to_ms: Event time of the end of the range, exclusive; None means no limit.
    """

    manifest: MediaManifest
    whole: bool
    deletes: bool
    from_ms: int | None = None
    to_ms: int | None = None


class SourceForgotten(NamedTuple):
    """All footage of a source (a slug) in `[from_ms, to_ms)` was forgotten, also what is not stored yet."""

    source: str
    from_ms: int | None
    to_ms: int | None


class MediumRetimed(NamedTuple):
    """A medium now begins at another event time, `start_ms`."""

    manifest: MediaManifest
    start_ms: int


class MediumRenamed(NamedTuple):
    """A medium, given as it was, now belongs to another source, with its slug and display name.

    Attributes:
        is_new: Whether the source had no footage before the change.
    """

    manifest: MediaManifest
    source: str
    source_name: str
    is_new: bool


Change = MediumForgotten | SourceForgotten | MediumRetimed | MediumRenamed
"""The argument of the plug-ins' hooks `changing` and `changed`."""


class PictureTime(NamedTuple):
    """A stored picture in its day's manifest, and the event time in ms that it should have."""

    manifest: MediaManifest
    name: keys.ImageName
    captured_at_ms: int


class Mended(NamedTuple):
    """The result of a change: corrected media, and lines for the person who asked for it."""

    corrected: list[Corrected]
    lines: list[str]


def plan_forgetting(
    manifests: Sequence[MediaManifest],
    target: str,
    *,
    from_ms: int | None,
    to_ms: int | None,
    delete: bool,
    of_source: str = "",
) -> FootageChange:
    """Return the change that forgets event times `[from_ms, to_ms)` of media.

    `of_source`: slug of the source, if these are all its media.

    Raises:
        Misconfigured: There is no footage in this range.
    """
    targets = forgetting.targets_in(manifests, from_ms=from_ms, to_ms=to_ms)
    if not targets:
        raise Misconfigured("there is no footage in this time range: nothing was deleted")
    media = [without_names(target.manifest) for target in targets]
    return FootageChange(
        what="forget",
        id=_new_id(),
        target=as_text(target),
        media=media,
        from_ms=from_ms,
        to_ms=to_ms,
        delete_images=delete,
        of_source=of_source,
    )


def plan_retiming(
    manifests: Sequence[MediaManifest], target: str, *, start_ms: int, delete: bool
) -> FootageChange:
    """Return the change that moves the first of some media to `start_ms`, and the others by as much.

    Raises:
        Misconfigured: No frame of a medium has been announced yet.
    """
    begins = [(corrections.begins_at(manifest), manifest) for manifest in manifests]
    shift_ms = start_ms - min(begin for begin, _ in begins)
    if not shift_ms:
        begins = []
    # Pictures join those of their new day, so that day has to move first.
    begins.sort(key=lambda begin: begin[0], reverse=shift_ms > 0)
    return FootageChange(
        what="retime",
        id=_new_id(),
        target=as_text(target),
        media=[without_names(manifest) for _, manifest in begins],
        shifts_ms=[shift_ms] * len(begins),
        delete_images=delete,
    )


def plan_retiming_by_names(
    manifests: Iterable[MediaManifest],
    target: str,
    *,
    pattern: TimePattern,
    zone: datetime.tzinfo,
    delete: bool,
) -> tuple[FootageChange, list[Skipped]]:
    """Return the change that moves videos to the times in their file names, and the media left out.

    A name without an offset is read in `zone`. In an hour that occurs twice, it is in the first one, unless
    the video already is in the second.
    """
    moves: list[tuple[MediaManifest, int]] = []
    left: list[Skipped] = []
    for manifest in manifests:
        try:
            moves.append((manifest, _named_ms(manifest, pattern, zone) - corrections.begins_at(manifest)))
        except (ValueError, Misconfigured) as error:
            left.append(Skipped(manifest.name, str(error)))
    moves = [(without_names(manifest), shift_ms) for manifest, shift_ms in moves if shift_ms]
    return FootageChange(
        what="retime",
        id=_new_id(),
        target=as_text(target),
        media=[manifest for manifest, _ in moves],
        shifts_ms=[shift_ms for _, shift_ms in moves],
        delete_images=delete,
    ), left


def plan_moving_pictures(pictures: Sequence[PictureTime], target: str, *, delete: bool) -> FootageChange:
    """Return the change that moves single pictures to other event times; the rest of their days stays."""
    media = {picture.manifest.sha256: without_names(picture.manifest) for picture in pictures}
    moves: dict[str, dict[str, int]] = {sha256: {} for sha256 in media}
    for picture in pictures:
        if shift_ms := picture.captured_at_ms - picture.name.captured_at_ms:
            moves[picture.manifest.sha256][picture.name.file_name] = shift_ms
    return FootageChange(
        what="retime",
        id=_new_id(),
        target=as_text(target),
        media=[manifest for sha256, manifest in media.items() if moves[sha256]],
        shifts_ms=[0 for shifts_ms in moves.values() if shifts_ms],
        moves=[shifts_ms for shifts_ms in moves.values() if shifts_ms],
        delete_images=delete,
    )


def _named_ms(manifest: MediaManifest, pattern: TimePattern, zone: datetime.tzinfo) -> int:
    """Return the start time in a video's file name. Raises `ValueError` with the remedy if there is none."""
    if manifest.kind != "video":
        raise ValueError(
            "the names of its pictures are not stored: give their files, or --start-time for the day"
        )
    return named_ms(manifest.name, pattern, zone, now_ms=corrections.begins_at(manifest))


def named_ms(path: str, pattern: TimePattern, zone: datetime.tzinfo, *, now_ms: int) -> int:
    """Return the time in a path, in ms since 1970 UTC.

    In an hour that occurs twice, it is in the first one, unless `now_ms` is that time in the second. Raises
    `ValueError` with the remedy if there is none.
    """
    match = pattern.match(Path(path))
    if match is None:
        raise ValueError("its name does not match --time-pattern, so its time stays; give --start-time")
    start_ms, second_ms = (moment_ms(match.moment.replace(fold=fold), zone) for fold in (0, 1))
    if now_ms == second_ms > start_ms:
        return second_ms
    if not FIRST_MS <= start_ms < NEXT_MS:
        raise ValueError(f"{match.moment} is outside the years 1000 to 9999, so its time stays")
    return start_ms


def plan_renaming(store: ObjectStore, old: str, new: str, *, delete: bool) -> FootageChange:
    """Return the change that moves footage of source `old` to source `new`, which may already have footage.

    Raises:
        Misconfigured: There is no source `old`.
    """
    manifests = lookup.media_of_source(store, old)
    moving = {manifest.sha256 for manifest in manifests}
    source, name = joined(
        [manifest for manifest in list_manifests(store) if manifest.sha256 not in moving], new
    )
    manifests = [
        manifest for manifest in manifests if (manifest.source, manifest.source_name) != (source, name)
    ]
    return FootageChange(
        what="rename-source",
        id=_new_id(),
        target=as_text(old),
        media=[without_names(manifest) for manifest in manifests],
        source=source,
        source_name=name,
        delete_images=delete,
    )


def unfinished(store: ObjectStore) -> list[FootageChange]:
    """Return the noted changes, in progress or interrupted. Raises `Poison` at a damaged note."""
    return list(read_records(store, keys.CHANGES, FootageChange))


def unfinished_words(store: ObjectStore) -> list[str]:
    """Return the unfinished changes in words, such as "retime of gate.mp4". Raises as `unfinished`."""
    begun = [f"{correction.why} of {correction.manifest.name}" for correction in corrections.pending(store)]
    return [*begun, *(f"{change.what} of {change.target}" for change in unfinished(store))]


def carry_out(ports: StagePorts, change: FootageChange, progress: Progress) -> Mended:
    """Note a change, make it, and delete its note.

    Raises:
        Misconfigured: Pictures of a medium were removed, so that its counts would go, or cannot be
            distinguished from others; nothing was changed.
        Poison: A record in the store is damaged.
        Retryable: A server is unavailable.
    """
    try:
        _check_pictures(ports.store, change)
    except Misconfigured:
        ports.store.delete(change.key)  # an interrupted call's, which nobody can finish
        raise
    ports.store.put(change.key, encode(change))
    make = {"forget": _forget, "retime": _correct, "rename-source": _rename}[change.what]
    done = make(ports, change, progress)
    ports.store.delete(change.key)
    return done


def finish_all(ports: StagePorts, progress: Progress) -> Mended:
    """Finish all changes that a command or the dashboard has begun. Raises as `carry_out`."""
    corrected, lines = [], []
    for correction in corrections.pending(ports.store):
        progress.say(f"finishing an interrupted change: {correction.why} of {correction.manifest.name}")
        corrected.append(corrections.finish(ports.store, ports.log, ports.settings, correction, progress))
    for change in unfinished(ports.store):
        progress.say(f"finishing an interrupted change: {change.what} of {change.target}")
        done = carry_out(ports, change, progress)
        corrected += done.corrected
        lines += [*done.lines, f"finished: {change.what} of {change.target}"]
    return Mended(corrected, lines)


def named_by(settings: Settings, sources: Iterable[str]) -> list[str]:
    """Return the accounts, tokens, alert rules and reports that name some sources, in words."""
    return [
        words for source in sorted(sources) for find in hooks("of_source") for words in find(settings, source)
    ]


def left_out(ports: StagePorts, done: Sequence[Corrected]) -> list[Skipped]:
    """Return the corrected footage that does not count: lost pictures and overlaps."""
    lost = [
        Skipped(
            path,
            f"it is missing from the store; produce {correction.correction.manifest.name} again to "
            "restore it",
        )
        for correction in done
        for path in correction.missing
    ]
    corrected = {correction.correction.manifest.sha256 for correction in done}
    manifests, _ = ManifestReader(ports.store).read()
    overlaps = overlaps_of(manifests, readable_tombstones(ports.store), ports.settings.count_overlaps)
    return lost + reports_by_source(overlap_reports(overlaps, manifests, sha256s=corrected))


def _new_id() -> str:
    return secrets.token_hex(6)


def _forget(ports: StagePorts, change: FootageChange, progress: Progress) -> Mended:
    targets = forgetting.targets_in(change.media, from_ms=change.from_ms, to_ms=change.to_ms)
    left = [target for target in targets if _is_as_noted(ports.store, target.manifest)]
    forgetting.forget(ports.store, left, delete_images=change.delete_images, progress=progress)
    if change.delete_images:
        remove_abandoned(ports.settings.data_dir)  # they may show the same
    for manifest, from_ms, to_ms, _ in targets:
        whole = from_ms is None and to_ms is None
        _tell(ports, MediumForgotten(manifest, whole, change.delete_images, from_ms, to_ms), progress)
    if change.of_source:
        _tell(ports, SourceForgotten(change.of_source, change.from_ms, change.to_ms), progress)
    return Mended([], [])


def _rename(ports: StagePorts, change: FootageChange, progress: Progress) -> Mended:
    moving = {manifest.sha256 for manifest in change.media}
    other_media = [manifest for manifest in list_manifests(ports.store) if manifest.sha256 not in moving]
    is_new = all(manifest.source != change.source for manifest in other_media)
    former = sorted({manifest.source for manifest in change.media} - {change.source})
    lines: list[str] = []
    if places := picture_places():
        for source in former:
            lines += places.rename(ports.store, source, change.source, is_new)
    for source in former:
        move_timezone(ports.store, source, change.source, is_new=is_new)
    done = _correct(ports, change, progress, is_new=is_new)
    for source in former + sorted({keys.slug(change.target)} - {change.source, *former}):
        if named := named_by(ports.settings, [source]):
            lines.append(
                f"these still name {source}, which no longer has footage: {', '.join(named)}; delete each "
                f"one, and add it again with `--source {change.source}`"
            )
    return Mended(done.corrected, lines)


def _correct(ports: StagePorts, change: FootageChange, progress: Progress, *, is_new: bool = False) -> Mended:
    """Correct media one at a time, as each correction first notes everything that it will do."""
    done = []
    frames = [manifest.frames_announced for manifest in change.media]
    for number, planned in enumerate(change.media):
        steps = _Steps(progress, sum(frames[:number]), sum(frames))
        corrected = _corrected(change, number, is_new)
        for prepare in hooks("changing"):
            prepare(ports, corrected, steps)
        if _is_as_noted(ports.store, planned):
            shift_ms = change.shifts_ms[number] if change.shifts_ms else None
            delete_images = change.delete_images
            correction = (
                corrections.retime_pictures(
                    ports.store, planned, moves=change.moves[number], delete_images=delete_images
                )
                if change.moves is not msgspec.UNSET
                else corrections.rename_source(
                    ports.store,
                    planned,
                    source=change.source,
                    source_name=change.source_name,
                    delete_images=change.delete_images,
                )
                if shift_ms is None
                else corrections.retime(
                    ports.store,
                    planned,
                    start_ms=corrections.begins_at(planned) + shift_ms,
                    delete_images=change.delete_images,
                )
            )
            if correction is not None:
                done.append(corrections.finish(ports.store, ports.log, ports.settings, correction, steps))
        _tell(ports, corrected, steps)
    return Mended(done, [])


def _corrected(change: FootageChange, number: int, is_new: bool) -> Change:
    manifest = change.media[number]
    if change.what == "rename-source":
        return MediumRenamed(manifest, change.source, change.source_name, is_new)
    return MediumRetimed(manifest, corrections.begins_at(manifest) + change.shifts_ms[number])


def _check_pictures(store: ObjectStore, change: FootageChange) -> None:
    """Raise `Misconfigured` if a change announces frames again whose pictures are no longer stored."""
    removed = {
        planned.name: number
        for planned in change.media
        if (change.what == "retime" or (change.what == "rename-source" and planned.source != change.source))
        and _is_as_noted(store, planned)
        and (number := corrections.lost_pictures(store, planned))
    }
    if removed:
        name, number = max(removed.items(), key=lambda pair: pair[1])
        raise Misconfigured(
            f"{plural(len(removed), 'recording')} of {change.target} no longer "
            f"{'has' if len(removed) == 1 else 'have'} all pictures in the store ({name}: {number} removed, "
            f"such as by `frametally retention`, or lost in a power cut), and {change.what} would lose their "
            "counts, so nothing was changed",
            "if you have the file, forget it, and produce it again with the right time and source",
        )


def _is_as_noted(store: ObjectStore, planned: MediaManifest) -> bool:
    """Return whether a medium is unchanged since the change was planned."""
    manifest = find_manifest(store, planned.sha256)
    return manifest is not None and media_of(manifest) == media_of(planned)


def _tell(ports: StagePorts, change: Change, progress: Progress) -> None:
    """Notify plug-ins of a change."""
    for follow in hooks("changed"):
        follow(ports, change, progress)


class _Steps:
    """The progress of one medium within the progress of all media."""

    def __init__(self, progress: Progress, before: int, total: int) -> None:
        self._progress = progress
        self._before = before
        self._total = total

    def update(self, done: int, total: int | None, note: str = "") -> None:
        self._progress.update(min(self._before + done, self._total), self._total, note)

    def say(self, line: str) -> None:
        self._progress.say(line)
