"""`frametally doctor`: lists all problems of an installation in one table."""

from __future__ import annotations

import importlib.util
import json
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.backups import ELSEWHERE, header_of, stored_backups, verify_backup
from frametally.books.index_check import check_index
from frametally.books.index_lag import places_counted
from frametally.books.quality_reports import read_quality
from frametally.books.runs import (
    CurrentDay,
    RunReplaced,
    current_days,
    read_history,
    read_paths,
    read_run,
    read_tracks,
)
from frametally.books.status import read_status
from frametally.books.verdict import find_open
from frametally.checkup.areas import NOTHING_YET, STAGE_AREAS, is_needed, not_there_yet, setting_errors
from frametally.checkup.findings import (
    SEVERITIES,
    DeepLook,
    Finding,
    Glance,
    RecordFolder,
    disk_row,
    distinct,
    plugin_findings,
    public_value,
)
from frametally.console import output as console
from frametally.console.options import data_dir_option, read_settings
from frametally.console.tables import folded_table
from frametally.errors import FrametallyError, Misconfigured, Poison
from frametally.files.downloads import KnownFile
from frametally.files.temporary import temporary_folder
from frametally.media.erasing import UNNAMED_REMEDY, sizes_by_source, unnamed_images
from frametally.media.kept_data import undeclared
from frametally.media.manifests import list_records
from frametally.media.source_timezones import SourceTimezones
from frametally.model_records import InputCheck
from frametally.openers.look_openers import open_to_look
from frametally.openers.port_openers import open_ports, open_store_port
from frametally.packs.pack_format import PackDamaged, decode_part
from frametally.packs.pack_keys import is_part_key
from frametally.packs.packed_store import plain_of
from frametally.plugins import hooks
from frametally.ports.count_index import REPAIR
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.ports.opened import Ports
from frametally.process.reports import NoProgress, Progress, plural
from frametally.records import AutoDetector, MediaManifest, Run, SealedRecord, decode_at
from frametally.rules.places import FLOWS, series_of
from frametally.rules.times import MOST_TIME_MS
from frametally.segments.contents import CutShort, check_belongs, list_segments, read_segment
from frametally.settings.loading import Settings
from frametally.trust import trust
from frametally.undo_records import Correction, DroppedDeadLetter, FootageChange, Tombstone
from frametally_cli.checkup.durability import durability_rows
from frametally_cli.checkup.machine import (
    env_file_rows,
    mail_rows,
    model_rows,
    provider_rows,
    setting_files,
    setting_rows,
    software_rows,
)
from frametally_cli.checkup.pictures import check_pictures
from frametally_cli.checkup.ports import port_rows, runner_row
from frametally_cli.commands.service import ServicePlace


def check_runs(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read the current run of every day; nothing uses earlier ones."""
    days = current_days(ports.store).values()
    # Zones share their day's list and history, so remove repeated findings.
    yield from sorted({*_damaged_runs(ports.store, days, progress)})
    yield Finding("runs", "current", f"{plural(len(days), 'day')} read")


def _damaged_runs(store: ObjectStore, days: Collection[CurrentDay], progress: Progress) -> Iterator[Finding]:
    parts: tuple[Callable[[Run], object], ...] = (
        lambda run: read_run(store, run),
        lambda run: deque(chain(read_tracks(store, run), _read_of_sources(store, run)), maxlen=0),
        lambda run: read_quality(store, run),
        lambda run: read_history(store, run),
    )
    for done, day in enumerate(days):
        progress.update(done, len(days), day.pointer)
        if day.run is None:
            yield Finding("runs", day.pointer, "damaged", remedy=day.problem or day.pointer)
            continue
        for read in parts:
            try:
                read(day.run)
            except RunReplaced:
                break  # the newer run is intact, or the next check reports it
            except Poison as error:
                yield Finding("runs", day.run.prefix, "damaged", remedy=str(error))
    progress.update(len(days), len(days))


def _read_of_sources(store: ObjectStore, run: Run) -> Iterator[object]:
    places = places_counted(run)
    if places is not None:
        return places.read_files(store, run)
    return read_paths(store, run) if series_of(run.model) != FLOWS else iter(())


def check_indexed_days(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Compare every day of the index, source by source; unreadable runs have separate rows."""
    comparison = check_index(ports.store, ports.index, progress)
    for differing in comparison.differences:
        run = differing.run
        day = f"{run.day} ({run.model}, {run.interval_s} s)"
        yield Finding("index", day, differing.difference, remedy=f"run `{REPAIR}`")
    yield Finding("index", "days", f"compared {plural(comparison.days, 'day')} with their part files")


_LEDGER_REMEDY = "run `frametally ledger rebuild`"


def check_ledger(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Compare the ledger with the store, as the ledger's numbers have no checksums."""
    settings, store = ports.settings, ports.store
    address = public_value("url", settings.ledger_url)
    with (
        temporary_folder() as folder,
        closing(open_ledger(f"sqlite:///{Path(folder) / 'ledger.sqlite'}")) as fresh,
    ):
        fresh.refresh(store, progress)
        expected = _books(fresh)
        try:
            with closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger:
                ledger.refresh(store, NoProgress())
                is_same = _books(ledger) == expected
        except FrametallyError as error:
            yield Finding("ledger", address, "damaged", remedy=f"{error}; {_LEDGER_REMEDY}")
            return
    yield Finding(
        "ledger",
        address,
        "matches the store" if is_same else "differs from the store",
        remedy=""
        if is_same
        else f"{_LEDGER_REMEDY}; if other commands were running during the check, check again first",
    )


def _books(ledger: Ledger) -> list[object]:
    """Return the ledger's contents."""
    books: list[object] = [ledger.manifests(), ledger.tombstones(), ledger.runs()]
    for model in sorted(ledger.models()):
        tallies = ledger.tallies(model)
        sources = sorted({tally.source for tally in tallies})
        dead = sorted(map(str, ledger.dead_frames(model)))
        books += [model, tallies, ledger.chain(model), dead, ledger.problems(model)]
        books += [
            ledger.parts(model, source, from_ms=-MOST_TIME_MS, to_ms=MOST_TIME_MS) for source in sources
        ]
        books += [
            ledger.tally_between(model, tally.source, tally.media, from_ms=None, to_ms=None)
            for tally in tallies
        ]
    return books


_RECORDS = (
    RecordFolder(keys.MEDIA, "manifests", lambda _: MediaManifest),
    RecordFolder(keys.TOMBSTONES, "tombstones", lambda _: Tombstone),
    RecordFolder(keys.CORRECTIONS, "corrections", lambda _: Correction),
    RecordFolder(keys.CHANGES, "changes of footage", lambda _: FootageChange),
    RecordFolder(keys.DROPPED, "settled dead letters", lambda _: DroppedDeadLetter),
    RecordFolder(keys.SOURCES, "time zones", lambda _: SourceTimezones),
    RecordFolder(keys.INPUT_CHECKS, "tests of networks", lambda _: InputCheck),
)


def _read_each(
    area: str,
    what: str,
    wanted: Sequence[str],
    read: Callable[[str], object],
    progress: Progress,
    *bad: type[FrametallyError],
) -> Iterator[Finding]:
    """Read the object under each key; `bad` errors mean damage."""
    number = 0
    for done, key in enumerate(wanted):
        progress.update(done, len(wanted), key)
        try:
            read(key)
        except ObjectMissing:
            continue  # removed since it was listed, or never there
        except bad as error:
            yield Finding(area, key, "damaged", remedy=str(error))
        number += 1
    progress.update(len(wanted), len(wanted))
    yield Finding(area, what, f"{number} read")


def check_records(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every small record."""
    folders = [*_RECORDS, *(folder for folders in hooks("records") for folder in folders)]
    types: dict[str, type[SealedRecord]] = {
        info.key: folder.type_of(info.key)
        for folder in folders
        for info in list_records(ports.store, folder.folder)
    }
    types[keys.AUTO_DETECTOR] = AutoDetector

    def read(key: str) -> object:
        return decode_at(key, ports.store.get(key), types[key])

    words = ", ".join(folder.words for folder in folders)
    return _read_each("records", words, list(types), read, progress, Poison)


def check_segments(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every segment."""

    def read(key: str) -> None:
        segment = read_segment(ports.store, key)
        check_belongs(segment.header, key)
        segment.frames()
        segment.dead_letters()

    wanted = list(list_segments(ports.store))
    return _read_each("segments", "all", wanted, read, progress, Poison, CutShort, Misconfigured)


def check_packs(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every pack, and compare each of its frames with the pack's index."""
    plain = plain_of(ports.store)
    parts = [info.key for info in plain.list(keys.IMAGES) if is_part_key(info.key)]

    def read(key: str) -> None:
        try:
            decode_part(key, plain.get(key))
        except PackDamaged as error:
            raise Poison(str(error)) from error

    return _read_each("packs", "all", parts, read, progress, Poison)


def check_backups(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Verify the checksum of every backup in the store, without a key, and the note of backups elsewhere."""

    def read(key: str) -> None:
        data = ports.store.get(key)
        if key == ELSEWHERE:
            if header_of(data) is None:
                raise Poison(f"{key} is damaged; delete it, and run `frametally backup` again")
            return
        with suppress(Misconfigured):  # a newer version made it
            verify_backup(data, name=key)

    backup_keys = [*(backup.key for backup in stored_backups(ports.store)), ELSEWHERE]
    return _read_each("backups", "all", backup_keys, read, progress, Poison)


def check_images(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Report sources with pictures that belong to no medium, and plug-ins' data of deleted footage."""
    unnamed = sizes_by_source(unnamed_images(ports.store, progress))
    for source, (pictures, size_bytes) in unnamed.items():
        what = (
            f"{plural(pictures, 'picture that belongs', 'pictures that belong')} to no medium, "
            f"{size_bytes / 1e6:.1f} MB"
        )
        yield Finding("images", source, what, UNNAMED_REMEDY)
    for part in [find(ports) for find in hooks("leftovers")]:
        for folder, (objects, size_bytes) in sizes_by_source(part.objects).items():
            what = f"{objects} {part.objects_are}, {size_bytes / 1e6:.1f} MB"
            yield Finding("images", folder, what, UNNAMED_REMEDY)
    yield Finding(
        "images",
        "all of them",
        f"{plural(len(unnamed), 'source has', 'sources have')} pictures that belong to no medium",
    )


_MOST_NAMED = 20


def check_places(ports: Ports, _: Progress) -> Iterator[Finding]:
    """Name what is in no declared place: erasures, retention and the report on privacy do not reach it."""
    names = list(undeclared(ports))
    note = "erasures and retention do not reach it: delete it yourself if it shows people"
    for name in names[:_MOST_NAMED]:
        yield Finding("places", name, "not written by frametally", note)
    yield Finding("places", "all of them", f"{plural(len(names), 'file')} that frametally did not write")


Check = Callable[[Ports, Progress], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "records": check_records,
    "segments": check_segments,
    "runs": check_runs,
    "index": check_indexed_days,
    "packs": check_packs,
    "pictures": check_pictures,
    "backups": check_backups,
    "images": check_images,
    "places": check_places,
    "ledger": check_ledger,
}
"""The checks by the name used in their rows and progress bar; plug-ins add theirs with `findings`."""


def deep_rows(settings: Settings) -> Iterator[Finding]:
    """Run every check; if one fails, report that and continue with the next."""
    with ExitStack() as opening:
        try:
            ports = opening.enter_context(open_ports(settings))
        except FrametallyError as error:
            yield Finding("store", "all of it", "cannot be checked", remedy=str(error))
            return
        for name, check in CHECKS.items():
            with console.stage_bar(name) as bar:
                try:
                    yield from check(ports, bar)
                except FrametallyError as error:
                    yield Finding(name, "all of them", "cannot be checked", remedy=str(error))
        with console.stage_bar("capabilities") as bar:
            yield from plugin_findings(DeepLook(ports, bar))


_PORTS = ("store", "log", "index", "ledger")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every setting.")
@click.option("--deep", is_flag=True, help="Also read everything stored, and compare checksums.")
@click.option("--stage", type=click.Choice(sorted(STAGE_AREAS)), help="Check only what this command needs.")
@data_dir_option
def doctor(as_json: bool, deep: bool, stage: str | None, **overrides: Any) -> int:
    """Check settings, servers, permissions, versions, model, disk, clock and job engine; exit with 0 or 2."""
    if deep and stage:
        raise Misconfigured("use either --deep or --stage, not both")
    services = [ServicePlace(is_system).environment for is_system in (False, True)]
    rows = [*setting_rows(overrides), *env_file_rows([*setting_files(), *services])]
    try:
        settings = read_settings(None, overrides, must_be_there=False)
    except Misconfigured as error:
        rows.append(Finding("settings", "all of them", "cannot be used", remedy=str(error)))
    else:
        rows += examine(settings, model_files=partial(_known_model_files, settings), stage=stage or "")
        ports = [row for row in rows if row.area in _PORTS]
        is_full = not disk_row(settings).good  # then a port that only reads is enough
        if deep and all(
            (row.good or is_full) and (row.area, row.value) != ("store", NOTHING_YET) for row in ports
        ):
            found = [*deep_rows(settings)]
            rows = [*_without_damaged(rows, found), *found]
    rows = [*distinct(rows)]
    good = all(row.good for row in rows)
    if as_json:
        body = [row.as_json() for row in rows]
        click.echo(json.dumps({"good": good, "rows": body}, indent=2))
    else:
        print_rows(rows)
    return max(SEVERITIES[row.grade].doctor for row in rows)


def examine(
    settings: Settings, *, model_files: Callable[[], Sequence[KnownFile]], stage: str = ""
) -> Iterator[Finding]:
    """Check everything except the settings themselves, in order, for one stage or all.

    `model_files` returns the files of a known model, or raises `ImportError` if no consumer is installed.
    """
    yield from port_rows(settings, stage)
    if is_needed("mail", stage) or is_needed("queue", stage):
        yield from setting_errors(lambda: trust(settings.ca_file))
    if is_needed("mail", stage):
        yield from mail_rows(settings)
    if is_needed("model", stage):
        yield from model_rows(settings, model_files)
        yield from provider_rows(settings)
    yield from software_rows()
    yield from durability_rows(settings)
    yield from _open_findings(settings, stage)
    if is_needed("runner", stage):
        yield from setting_errors(lambda: _read_counting(settings))
        yield runner_row(settings)


def _open_findings(settings: Settings, stage: str) -> list[Finding]:
    """Return what `frametally status` finds: without the log, the index or the ledger, what it finds without.

    Without the store, or for one stage, only the disk matters.
    """
    if not stage and not_there_yet(settings.store_url) is None:
        with (
            suppress(FrametallyError),
            open_to_look(settings) as (ports, ledger),
            console.stage_bar("books") as bar,
        ):
            return [*read_status(ports, ledger, progress=bar, has_time=True).findings]
        with suppress(FrametallyError), open_store_port(settings) as port:  # its row reports it
            return [*find_open(Glance(settings, port.store, has_time=True))]
    return [disk_row(settings)]


def _without_damaged(rows: Sequence[Finding], found: Sequence[Finding]) -> Iterator[Finding]:
    """Leave out lines of the books about objects that the deep check names, too."""
    damaged = [row.name for row in found if row.name and not row.good]
    return (row for row in rows if row.area != "books" or not any(name in row.value for name in damaged))


def _read_counting(settings: Settings) -> None:
    with suppress(ImportError):  # the counting job is not installed here
        from frametally_hadoop.driver import settings_params

        settings_params(settings)


def _known_model_files(settings: Settings) -> Sequence[KnownFile]:
    # Every image has our packages; of the others, only the consumer brings `onnx`.
    if importlib.util.find_spec("onnx") is None:
        raise ImportError("no consumer is installed here")
    from frametally_models.catalogue import CATALOGUE, DEFAULT

    return CATALOGUE.get(str(settings.model_weights), CATALOGUE[DEFAULT]).files


_MARKS = {"good": Text("good", style="green"), "notice": Text("note", style="yellow")}


def print_rows(rows: Sequence[Finding]) -> None:
    """Print what is good, the settings that differ from their defaults, and a line for each bad finding."""
    table = folded_table("", "area", "what", "found", "from, for, or what to do")
    usual = [row for row in rows if (row.area, row.note, row.good) == ("settings", "default", True)]
    shown = [row for row in rows if row.good and row not in usual]
    for row in sorted(shown, key=lambda row: row.area == "settings"):
        table.add_row(
            _MARKS[row.grade], row.area, Text(row.name), Text(row.value), Text(row.remedy or row.note)
        )
    console.out().print(table)
    if usual:
        left_out = plural(len(usual), "setting has its default", "settings have their defaults")
        console.out().print(f"{left_out}; `frametally doctor --json` lists all")
    bad = [row for row in rows if not row.good]
    for row in bad:
        console.out().print(Text.assemble(("bad: ", "bold red"), f"{row.area}, {row.line}"))
    if not bad:
        console.out().print("all good")
