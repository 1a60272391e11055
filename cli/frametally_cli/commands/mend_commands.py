"""Commands that correct mistakes: forget, retime, rename-source, set-timezone. They need no component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from frametally.books.verdict import CATCH_UP
from frametally.checkup.findings import Leftovers
from frametally.console import output as console
from frametally.console.option_values import parse_bounds_ms, parse_time_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.errors import Misconfigured
from frametally.files.names import as_text, key_of_part
from frametally.keys import ImageName
from frametally.media import erasing, forgetting, lookup, mending, source_timezones
from frametally.media.corrections import Corrected, begins_at
from frametally.media.mending import PictureTime
from frametally.openers.port_openers import open_books, open_store_port
from frametally.packs.packed_store import delete_pictures
from frametally.plugins import hooks
from frametally.ports.opened import Ports
from frametally.process import failpoints
from frametally.process.reports import Skipped, exit_code, plural
from frametally.records import MediaManifest
from frametally.rules.time_patterns import TimePattern
from frametally.rules.times import utc
from frametally.undo_records import FootageChange

delete_images_option = click.option(
    "--delete-images", is_flag=True, help="Also delete stored pictures that are no longer needed."
)
timezone_option = option("--timezone", "IANA time zone of times without an offset.")


@click.command()
@click.argument("medium", required=False)
@option("--source", "Delete the footage from this source from the counts.")
@option("--from", "ISO 8601 start of the footage to delete.", metavar="TIME")
@option("--to", "ISO 8601 end of the footage to delete (exclusive).", metavar="TIME")
@timezone_option
@delete_images_option
@click.option(
    "--unnamed-images",
    is_flag=True,
    help="Delete stored pictures that belong to no medium, and the originals of forgotten footage.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@data_dir_option
def forget(
    medium: str | None,
    source: str | None,
    delete_images: bool,
    unnamed_images: bool,
    yes: bool,
    **overrides: Any,
) -> int:
    """Delete MEDIUM (its path or sha256) or a source from the counts."""
    choice_count = (medium is not None) + (source is not None) + unnamed_images
    _check_one(choice_count, "forget", "a MEDIUM, --source NAME or --unnamed-images")
    failpoints.arm()
    bounds = overrides.pop("from"), overrides.pop("to")
    with open_books(read_settings(None, overrides)) as (ports, ledger):
        finished_changes, finished = _finish_pending(ports)
        if unnamed_images:
            return _delete_unnamed(ports, yes=yes)
        from_ms, to_ms = parse_bounds_ms(*bounds, ports.settings.tzinfo())
        try:
            media = (
                lookup.find_media(ports.store, medium)
                if medium is not None
                else lookup.media_of_source(ports.store, source or "")
            )
        except Misconfigured:
            if not _is_among(finished_changes, "forget", str(medium or source)):
                raise
            return _report(ports, finished)
        if medium is not None:
            lookup.check_distinct(media, medium)
        name = str(medium or source)
        of_source = "" if source is None else media[0].source
        change = mending.plan_forgetting(
            media, name, from_ms=from_ms, to_ms=to_ms, delete=delete_images, of_source=of_source
        )
        with console.stage_bar("ledger") as bar:
            ledger.refresh(ports.store, bar)
        targets = forgetting.plan_forgetting(ledger, media, from_ms=from_ms, to_ms=to_ms)
        for target in targets:
            _say_target(target)
        if not yes:
            what = " and delete their stored pictures and uploaded videos" if delete_images else ""
            click.confirm(f"Forget them{what}?", abort=True)
        _carry_out(ports, change)
    click.echo(f"forgotten: {len(targets)} media; {mending.NEXT}")
    return 0


@click.command()
@click.argument("media", nargs=-1, metavar="[MEDIUM]...")
@option("--source", "Correct all footage from this source: TIME is the time of its first frame.")
@option(
    "--start-time",
    "ISO 8601 time of its first frame, or of a picture; for a day of pictures, of the first one.",
)
@option("--time-pattern", "Pattern of the time in paths of videos and pictures, such as cam_%Y%m%d_%H%M%S.")
@timezone_option
@click.option("--dry-run", is_flag=True, help="Show each video's old and new time; change nothing.")
@delete_images_option
@data_dir_option
def retime(
    media: tuple[str, ...],
    source: str | None,
    start_time: str | None,
    dry_run: bool,
    delete_images: bool,
    **overrides: Any,
) -> int:
    """Correct when each MEDIUM, or all footage of a source, was filmed."""
    _check_one(bool(media) + (source is not None), "correct", "a MEDIUM or --source NAME")
    has_pattern = bool(overrides["time_pattern"])
    if has_pattern == (start_time is not None):
        raise Misconfigured("give either --start-time TIME or --time-pattern PATTERN")
    if start_time is not None and len(media) > 1:
        raise Misconfigured("--start-time is for one MEDIUM; give --time-pattern for several")
    settings = read_settings(None, overrides)
    with open_books(settings) as (ports, _):
        _, finished = ([], []) if dry_run else _finish_pending(ports)
        pictures = lookup.find_pictures(ports.store, media)
        if pictures:
            return _retime_pictures(ports, media, pictures, start_time, finished, dry_run, delete_images)
        manifests = (
            [manifest for medium in media for manifest in lookup.find_media(ports.store, medium)]
            if source is None
            else lookup.media_of_source(ports.store, source)
        )
        manifests = list({manifest.sha256: manifest for manifest in manifests}.values())
        name, zone, left = ", ".join(media) or str(source), settings.tzinfo(), list[Skipped]()
        if start_time is not None:
            manifests = [lookup.one_medium(manifests, media[0])] if media else manifests
            start_ms = parse_time_ms("--start-time", start_time, zone)
            change = mending.plan_retiming(manifests, name, start_ms=start_ms, delete=delete_images)
        else:
            pattern = TimePattern(settings.time_pattern)
            change, left = mending.plan_retiming_by_names(
                manifests, name, pattern=pattern, zone=zone, delete=delete_images
            )
        for manifest, shift_ms in zip(change.media, change.shifts_ms, strict=True):
            began_ms = begins_at(manifest)
            line = f"{manifest.name}: {utc(began_ms)} becomes {utc(began_ms + shift_ms)}"
            click.echo(console.plain(line))
        if not dry_run:
            done = _carry_out(ports, change)
            return _report(
                ports, [*finished, *done], left, right=len(manifests) - len(left) - len(change.media)
            )
        console.print_skipped(left)
        click.echo(f"{plural(len(change.media), 'medium', 'media')} would change; nothing was changed")
    return exit_code(done_count=len(manifests) - len(left), skipped=left)


def _retime_pictures(
    ports: Ports,
    paths: Sequence[str],
    pictures: Mapping[str, tuple[MediaManifest, ImageName]],
    start_time: str | None,
    finished: list[Corrected],
    dry_run: bool,
    delete_images: bool,
) -> int:
    """Correct when single pictures, given by their files, were taken."""
    zone, name, left, times = ports.settings.tzinfo(), ", ".join(paths), list[Skipped](), list[PictureTime]()
    for path in dict.fromkeys(paths):
        if path not in pictures:
            left.append(Skipped(path, "it is not a stored picture; give it in another command"))
            continue
        manifest, image = pictures[path]
        try:
            at_ms = (
                parse_time_ms("--start-time", start_time, zone)
                if start_time is not None
                else mending.named_ms(
                    path, TimePattern(ports.settings.time_pattern), zone, now_ms=image.captured_at_ms
                )
            )
        except ValueError as error:
            left.append(Skipped(path, str(error)))
            continue
        times.append(PictureTime(manifest, image, at_ms))
        click.echo(console.plain(f"{path}: {utc(image.captured_at_ms)} becomes {utc(at_ms)}"))
    if dry_run:
        console.print_skipped(left)
        click.echo(f"{plural(len(times), 'picture')} would change; nothing was changed")
        return exit_code(done_count=len(times), skipped=left)
    change = mending.plan_moving_pictures(times, name, delete=delete_images)
    return _report(ports, [*finished, *_carry_out(ports, change)], left, right=len(times))


@click.command("rename-source")
@click.argument("old")
@click.argument("new")
@delete_images_option
@data_dir_option
def rename_source(old: str, new: str, delete_images: bool, **overrides: Any) -> int:
    """Rename source OLD to NEW, or merge it into an existing NEW."""
    with open_books(read_settings(None, overrides)) as (ports, _):
        finished_changes, finished = _finish_pending(ports)
        try:
            change = mending.plan_renaming(ports.store, old, new, delete=delete_images)
        except Misconfigured:
            if not _is_among(finished_changes, "rename-source", old, new):
                raise
            return _report(ports, finished)
        return _report(ports, [*finished, *_carry_out(ports, change)])


@click.command("set-timezone")
@click.argument("source")
@click.argument("timezone")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@data_dir_option
def set_timezone(source: str, timezone: str, yes: bool, **overrides: Any) -> int:
    """Show times of SOURCE in TIMEZONE, such as Europe/Berlin; `none` means each viewer's time zone."""
    with open_store_port(read_settings(None, overrides)) as ports:
        media = lookup.media_of_source(ports.store, source)
        change = source_timezones.plan_timezone(ports.store, media, "" if timezone == "none" else timezone)
        for line in change.lines or ["already done: nothing to change"]:
            click.echo(console.plain(line))
        if change.lines:
            if not yes:
                click.confirm("Set it?", abort=True)
            source_timezones.set_timezone(ports.store, change)
    return 0


def _check_one(choice_count: int, verb: str, choices: str) -> None:
    if choice_count != 1:
        raise Misconfigured(f"give {'only one of' if choice_count else f'the footage to {verb}:'} {choices}")


def _carry_out(ports: Ports, change: FootageChange) -> list[Corrected]:
    if not change.media:
        return []
    with console.stage_bar(change.what) as bar:
        done = mending.carry_out(ports, change, bar)
    for line in done.lines:
        click.echo(line)
    return done.corrected


def _delete_unnamed(ports: Ports, *, yes: bool) -> int:
    with console.stage_bar("looking") as bar:
        pictures = erasing.unnamed_images(ports.store, bar)
        parts = _leftovers(ports)
    for objects, what in [(pictures, "pictures"), *((part.objects, part.objects_are) for part in parts)]:
        for folder, (number, size_bytes) in erasing.sizes_by_source(objects).items():
            click.echo(f"{folder}: {number} {what}, {size_bytes / 1e6:.1f} MB")
    confirmed = {thing.id: thing for part in parts for thing in part.things()}
    for thing in confirmed.values():
        click.echo(console.plain(thing.line))
    if not yes:
        kinds = " and ".join(["pictures", *(part.things_are for part in parts if confirmed)])
        click.confirm(f"Delete these {kinds}?", abort=True)
    with console.stage_bar("delete") as bar:
        # Look again: the question may have waited for a long time.
        parts = _leftovers(ports)
        images = [info.key for info in erasing.unnamed_images(ports.store, bar)]
        leftovers = [info.key for part in parts for info in part.objects]
        things = [[one for one in part.things() if yes or one.id in confirmed] for part in parts]
        for key in leftovers:
            part_of = key_of_part(key)
            if part_of is not None:  # a bucket stores its bytes elsewhere
                ports.store.resumable(part_of, key).abort()
        for done, key in enumerate(delete_pictures(ports.store, [*images, *leftovers]), 1):
            bar.update(done, len(images) + len(leftovers), key)
        for thing in (one for of_part in things for one in of_part):
            thing.remove(bar)
    also = "".join(f", {len(there)} {part.things_are}" for part, there in zip(parts, things, strict=True))
    click.echo(
        f"deleted: {plural(len(images) + len(leftovers), 'picture that belongs', 'pictures that belong')} "
        f"to no medium{also}"
    )
    return 0


def _leftovers(ports: Ports) -> list[Leftovers]:
    return [find(ports) for find in hooks("leftovers")]


def _say_target(target: forgetting.Target) -> None:
    manifest = target.manifest
    what = "all of it" if target.whole else "in part"
    still = "; its producer is still running: stop it first" if manifest.state == "producing" else ""
    line = (
        f"{manifest.name} (source {manifest.source_name}), {what}: "
        f"{plural(manifest.frames_announced, 'frame')} announced; affected: "
        f"{plural(target.extent.frames, 'analysed frame')} on {plural(target.extent.days, 'day')}{still}"
    )
    click.echo(console.plain(line))


def _finish_pending(ports: Ports) -> tuple[list[FootageChange], list[Corrected]]:
    """Finish what an interrupted command or the dashboard began; return the changes and what they did."""
    changes = mending.unfinished(ports.store)
    with console.stage_bar("finish") as bar:
        done = mending.finish_all(ports, bar)
    for line in done.lines:
        click.echo(console.plain(line))
    return changes, done.corrected


def _is_among(changes: Sequence[FootageChange], kind: str, target: str, source: str = "") -> bool:
    """Return whether one of the changes is that of this command, which was interrupted and is done now."""
    return any(
        (change.what, change.target) == (kind, as_text(target))
        and source in ("", change.source, change.source_name)
        for change in changes
    )


def _report(ports: Ports, done: list[Corrected], left: Sequence[Skipped] = (), *, right: int = 0) -> int:
    """Print the results; `right` media needed no change, and those in `left` could not be changed."""
    skipped = [*left, *mending.left_out(ports, done)]
    console.print_skipped(skipped)
    frames = sum(correction.frames for correction in done)
    if not done:
        click.echo("already done: nothing to change")
    else:
        click.echo(
            f"corrected: media: {len(done)}; frames announced again: {frames}; "
            f"run `{CATCH_UP}`, then {mending.NEXT.removeprefix('run ')}"
        )
    return exit_code(done_count=frames + right, skipped=skipped)
