"""Commands that mend mistakes: forget, retime, rename-source. They need no component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from frametally import keys
from frametally.errors import Misconfigured
from frametally.files.names import key_of_part
from frametally.media import corrections, erasing, finding, forgetting
from frametally.media.changes import Change, MediumForgotten, MediumRenamed, MediumRetimed
from frametally.media.corrections import Corrected
from frametally.media.manifests import ManifestReader, list_manifests, readable_tombstones
from frametally.media.overlapping import overlaps_of, told_by_source, told_overlaps
from frametally.media.sources import joined
from frametally.plugins import hooks
from frametally.process.reports import NoProgress, Progress, Skipped, exit_code
from frametally.settings.loading import Settings
from frametally.undo_records import Correction
from frametally_cli.console import output as console
from frametally_cli.options.ports import Ports, data_dir_option, open_books, option, read_settings
from frametally_cli.options.times import parse_bounds_ms, parse_time_ms
from frametally_cli.scrub.leftovers import Leftovers

delete_images_option = click.option(
    "--delete-images", is_flag=True, help="Also delete the stored pictures that nothing needs any more."
)
timezone_option = option("--timezone", "IANA time zone of times that come without one.")
_NEXT = "run `frametally aggregate` and `frametally index` to see it in the counts"


@click.command()
@click.argument("medium", required=False)
@option("--source", "Forget what was produced of this source.")
@option("--from", "ISO 8601 time from which on to forget.", metavar="TIME")
@option("--to", "ISO 8601 time before which to forget.", metavar="TIME")
@timezone_option
@delete_images_option
@click.option(
    "--unnamed-images",
    is_flag=True,
    help="Delete the stored pictures that no medium names, and uploaded videos that were forgotten.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir_option
def forget(
    medium: str | None,
    source: str | None,
    delete_images: bool,
    unnamed_images: bool,
    yes: bool,
    **overrides: Any,
) -> int:
    """Forget MEDIUM (a path as it was given to produce, or a sha256), or what is of a source."""
    if (medium is not None) + (source is not None) + unnamed_images != 1:
        raise Misconfigured("say what to forget: a MEDIUM, --source NAME or --unnamed-images")
    bounds = overrides.pop("from"), overrides.pop("to")
    with open_books(read_settings(None, overrides)) as (ports, ledger):
        _finish_pending(ports)
        if unnamed_images:
            return _delete_unnamed(ports, yes=yes)
        from_ms, to_ms = parse_bounds_ms(*bounds, ports.settings.tzinfo())
        found = (
            finding.find_media(ports.store, medium)
            if medium is not None
            else finding.media_of_source(ports.store, source or "")
        )
        if medium is not None:
            finding.check_told_apart(found, medium)
        with console.stage_bar("ledger") as bar:
            ledger.refresh(ports.store, bar)
        targets = forgetting.plan_forgetting(ledger, found, from_ms=from_ms, to_ms=to_ms)
        if not targets:
            raise Misconfigured("nothing that was produced lies between --from and --to: nothing to forget")
        for target in targets:
            _say_target(target)
        if not yes:
            what = " and delete their stored pictures and uploaded videos" if delete_images else ""
            click.confirm(f"Forget these{what}?", abort=True)
        with console.stage_bar("forget") as bar:
            forgetting.forget(ports.store, targets, delete_images=delete_images, progress=bar)
            for target in targets:
                _tell(ports, MediumForgotten(target.manifest, target.whole, delete_images), bar)
    click.echo(f"forgotten: {len(targets)} media; {_NEXT}")
    return 0


def _tell(ports: Ports, change: Change, progress: Progress) -> None:
    """Have plug-ins follow what was mended."""
    for follow in hooks("changed"):
        follow(ports, change, progress)


@click.command()
@click.argument("medium")
@option("--start-time", "ISO 8601 time of its first frame; of pictures, of the day's first.", required=True)
@timezone_option
@delete_images_option
@data_dir_option
def retime(medium: str, start_time: str, delete_images: bool, **overrides: Any) -> int:
    """Give MEDIUM another event time, as if it had been produced with it."""
    with open_books(read_settings(None, overrides)) as (ports, _):
        finished = _finish_pending(ports)
        start_ms = parse_time_ms("--start-time", start_time, ports.settings.tzinfo())
        manifest = finding.one_medium(finding.find_media(ports.store, medium), medium)
        correction = corrections.retime(ports.store, manifest, start_ms=start_ms, delete_images=delete_images)
        done = [*finished, *([_finish(ports, correction)] if correction else [])]
        _tell(ports, MediumRetimed(manifest, start_ms), NoProgress())
        return _report(ports, done)


@click.command("rename-source")
@click.argument("old")
@click.argument("new")
@delete_images_option
@data_dir_option
def rename_source(old: str, new: str, delete_images: bool, **overrides: Any) -> int:
    """Give what was produced of source OLD to source NEW; an existing NEW gets it in addition."""
    with open_books(read_settings(None, overrides)) as (ports, _):
        finished = _finish_pending(ports)
        try:
            manifests = finding.media_of_source(ports.store, old)
        except Misconfigured:
            if not finished:  # else the one that was interrupted was this very one, and is done now
                raise
            manifests = []
        moving = {manifest.sha256 for manifest in manifests}
        others = [m for m in list_manifests(ports.store) if m.sha256 not in moving]
        source, name = joined(others, new)
        is_new = all(manifest.source != source for manifest in others)
        for former in sorted({manifest.source for manifest in manifests} - {source}):
            for prepare in hooks("renaming"):
                for line in prepare(ports.store, former, source, is_new):
                    click.echo(line)
        # One at a time: a correction notes all that it will do before it begins.
        done = list(finished)
        for manifest in manifests:
            correction = corrections.rename_source(
                ports.store, manifest, source=source, source_name=name, delete_images=delete_images
            )
            if correction is not None:
                done.append(_finish(ports, correction))
            _tell(ports, MediumRenamed(manifest, source, name), NoProgress())
        code = _report(ports, done)
        for former in sorted({keys.slug(old), *(manifest.source for manifest in manifests)} - {source}):
            _say_who_names(ports.settings, former, source)
        return code


def _say_who_names(settings: Settings, former: str, source: str) -> None:
    """Say who has rights, or is told or made, of a source by the name that it had: people see to that."""
    named = [words for find in hooks("of_source") for words in find(settings, former)]
    if named:
        click.echo(
            f"still of {former}, and so of nothing: {', '.join(named)}; "
            f"remove each, and add it again with `--source {source}`"
        )


def _delete_unnamed(ports: Ports, *, yes: bool) -> int:
    with console.stage_bar("looking") as bar:
        pictures = erasing.unnamed_images(ports.store, bar)
        parts = _leftovers(ports)
    for objects, what in [(pictures, "pictures"), *((part.objects, part.objects_are) for part in parts)]:
        for folder, (number, size_bytes) in erasing.sizes_by_source(objects).items():
            click.echo(f"{folder}: {number} {what}, {size_bytes / 1e6:.1f} MB")
    asked = {thing.id: thing for part in parts for thing in part.things()}
    for thing in asked.values():
        click.echo(console.plain(thing.line))
    if not yes:
        kinds = " and ".join(["pictures", *(part.things_are for part in parts if asked)])
        click.confirm(f"Delete these {kinds}?", abort=True)
    with console.stage_bar("delete") as bar:
        # Anew: the question may have stood for long.
        parts = _leftovers(ports)
        found = [
            *erasing.unnamed_images(ports.store, bar),
            *(info for part in parts for info in part.objects),
        ]
        things = [[one for one in part.things() if yes or one.id in asked] for part in parts]
        for done, info in enumerate(found, 1):
            part_of = key_of_part(info.key)
            if part_of is not None:  # a bucket keeps its bytes elsewhere
                ports.store.resumable(part_of, info.key).abort()
            ports.store.delete(info.key)
            bar.update(done, len(found), info.key)
        for thing in (one for of_part in things for one in of_part):
            thing.remove(bar)
    also = "".join(f", {len(there)} {part.things_are}" for part, there in zip(parts, things, strict=True))
    click.echo(f"deleted: {len(found)} pictures that no medium names{also}")
    return 0


def _leftovers(ports: Ports) -> list[Leftovers]:
    return [find(ports) for find in hooks("leftovers")]


def _say_target(target: forgetting.Target) -> None:
    manifest = target.manifest
    what = "all of it" if target.whole else "in part"
    still = "; it was still being produced: stop the producer first" if manifest.state == "producing" else ""
    line = (
        f"{manifest.name} (source {manifest.source_name}), {what}: {manifest.frames_announced} frames "
        f"announced, of what is meant {target.extent.frames} detected, on {target.extent.days} days{still}"
    )
    click.echo(console.plain(line))


def _finish_pending(ports: Ports) -> list[Corrected]:
    """Finish what an interrupted command has begun."""
    begun = corrections.pending(ports.store)
    for correction in begun:
        line = f"finishing what was interrupted: {correction.why} of {correction.manifest.name}"
        click.echo(console.plain(line))
    return [_finish(ports, correction) for correction in begun]


def _finish(ports: Ports, correction: Correction) -> Corrected:
    with console.stage_bar(correction.why) as bar:
        return corrections.finish(ports.store, ports.log, ports.settings, correction, bar)


def _overlaps(ports: Ports, done: Sequence[Corrected]) -> list[Skipped]:
    """Return what does not count, as what was put right and other media of its source overlap."""
    corrected = {one.correction.manifest.sha256 for one in done}
    manifests, _ = ManifestReader(ports.store).read()
    overlaps = overlaps_of(manifests, readable_tombstones(ports.store), ports.settings.count_overlaps)
    return told_by_source(told_overlaps(overlaps, manifests, of=corrected))


def _report(ports: Ports, done: Sequence[Corrected]) -> int:
    skipped = [
        Skipped(image_path, f"the store has lost it; produce {one.correction.manifest.name} again to have it")
        for one in done
        for image_path in one.missing
    ]
    skipped += _overlaps(ports, done)
    console.print_skipped(skipped)
    frames = sum(one.frames for one in done)
    if not done:
        click.echo("it is so already: nothing to do")
    else:
        click.echo(
            f"put right: {len(done)} media, {frames} frames announced again; "
            f"run `frametally consume`, then {_NEXT.removeprefix('run ')}"
        )
    return exit_code(done=frames, skipped=skipped)
