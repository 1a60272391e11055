"""Commands of erasures and of the report: `frametally privacy erase|report`."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import click

from frametally.console import output as console
from frametally.console.action_answers import print_json
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.tables import folded_table
from frametally.errors import Misconfigured
from frametally.naming import no_such
from frametally.openers.port_openers import open_books, open_store_port
from frametally.ports.opened import Ports
from frametally.process import failpoints
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import plural
from frametally.rules.times import utc_range
from frametally_privacy.erasure import (
    ErasurePlan,
    NothingToErase,
    begin,
    carry_out,
    check_holds,
    find_source,
    source_slug,
)
from frametally_privacy.erasure_records import (
    ErasedKind,
    Erasure,
    finished_erasure,
    unfinished_erasures,
)


@click.command()
@click.option("--source", required=True, help="The source that filmed it.")
@option("--from", "ISO 8601 start of the range (event time).", metavar="TIME", required=True)
@option("--to", "ISO 8601 end of the range, exclusive.", metavar="TIME", required=True)
@option("--timezone", "IANA time zone of times without an offset.")
@click.option("--keep-counts", is_flag=True, help="Erase pictures and videos, but no counts and boxes.")
@click.option("--dry-run", is_flag=True, help="Show what would be erased; erase nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print JSON.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@data_dir_option
def erase(source: str, keep_counts: bool, dry_run: bool, as_json: bool, yes: bool, **overrides: Any) -> int:
    """Erase everything that a source filmed in a range: pictures, videos, boxes, counts and their copies.

    If it is killed, the same command continues; run again after its end, it names the receipt. Exit code 6:
    some days could not be counted again; run it again.
    """
    if as_json and not dry_run:
        raise Misconfigured("--json needs --dry-run")
    failpoints.arm()
    bounds = overrides.pop("from"), overrides.pop("to")
    with open_books(read_settings(None, overrides)) as (ports, ledger):
        from_ms, to_ms = parse_bounds_ms(*bounds, ports.settings.tzinfo())
        if from_ms is None or to_ms is None:
            raise AssertionError("both ends are required")
        with console.stage_bar("ledger") as bar:
            ledger.refresh(ports.store, bar)

        def plan_of(source: str, from_ms: int, to_ms: int, keeps_counts: bool) -> ErasurePlan:
            return ErasurePlan(ports, ledger, source, from_ms, to_ms, keeps_counts)

        request = (source_slug(ports, source), from_ms, to_ms, keep_counts)
        is_finished = False  # when the interrupted erasure was this one
        for erasure in [] if dry_run else unfinished_erasures(ports.store):
            click.echo(console.plain(f"finishing an interrupted erasure: {erasure.in_words}"))
            earlier_request = (erasure.source, erasure.from_ms, erasure.to_ms, erasure.keeps_counts)
            plan = plan_of(*earlier_request)
            if earlier_request != request and (holds := plan.holds()):
                line = f"not finished: a legal hold keeps it: {', '.join(holds)}"
                click.echo(console.plain(line), err=True)
                continue
            if code := _carry_out(plan, erasure):
                return code
            is_finished = is_finished or earlier_request == request
        try:
            plan = plan_of(find_source(ports, source), from_ms, to_ms, keep_counts)
            with console.stage_bar("looking") as bar:
                kinds = plan.amounts()
            if dry_run:
                check_holds(plan)
                _tell(plan, kinds, as_json=as_json)
                return 0
            _tell(plan, kinds, as_json=False)
            if not yes:
                click.confirm("Erase it? Nobody can bring it back", abort=True)
            erasure = begin(plan, kinds)
        except NothingToErase:
            receipt = finished_erasure(ports.store, *request)
            if receipt is None:
                raise
            if as_json:
                print_json({"source": receipt.source, "kinds": []})
            elif not is_finished:
                click.echo(
                    console.plain(
                        f"already erased, with receipt {receipt.id}: {receipt.in_words}; nothing is left"
                    )
                )
            return 0
        return _carry_out(plan, erasure)


def _tell(plan: ErasurePlan, kinds: tuple[ErasedKind, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"source": plan.source, "kinds": kinds})
        return
    table = folded_table("kind", "number", "bytes")
    for kind in kinds:
        table.add_row(kind.kind, str(kind.items), str(kind.size_bytes))
    console.out().print(table)
    range_text = utc_range(plan.from_ms, plan.to_ms)
    counts = "counts and boxes stay" if plan.keeps_counts else "its counts go, too"
    click.echo(console.plain(f"{plan.source}, {range_text}: {counts}"))
    if any(manifest.state == "producing" for manifest in plan.media):
        click.echo("some of this footage is still being recorded: stop its producer first", err=True)


def _carry_out(plan: ErasurePlan, erasure: Erasure) -> int:
    with console.stage_bar("erase") as bar:
        receipt, code = carry_out(plan, erasure, bar)
    if code:
        click.echo("not finished: some days could not be counted again; run the same command again", err=True)
        return PART_DONE
    kinds = ", ".join(f"{kind.kind}: {kind.items}" for kind in receipt.erased)
    line = f"receipt {receipt.id}: {receipt.in_words}; {kinds}; backups: {len(receipt.backups)}"
    _record(plan.ports, line)
    click.echo(console.plain(line))
    for key in receipt.backups:
        click.echo(console.plain(f"  {key}"))
    if receipt.backups:
        click.echo(
            "frametally does not change backups: they hold no pictures and no counts, but answers of "
            "accuracy checks and messages of alerts, also of this range; delete those that you may not keep"
        )
    if number := plan.checked_frames():
        click.echo(f"{plural(number, 'answer')} of accuracy checks about this range stay, without pictures")
    click.echo("copies that you made stay: exports, versions and replicas of a bucket, snapshots of a disk")
    return 0


def _record(ports: Ports, line: str) -> None:
    from frametally_accounts.audit.book import AuditBook
    from frametally_accounts.audit.command_log import command_user
    from frametally_accounts.audit_records import AuditEntry

    settings = ports.settings
    with closing(AuditBook(settings.catalogue_url, settings.catalogue_access)) as book:
        book.write(AuditEntry(command_user(), "privacy erase: receipt", line, "command line", status=0))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--language", metavar="CODE", default="en", help="Language of the Markdown, such as de.")
@data_dir_option
def report(as_json: bool, language: str, **overrides: Any) -> int:
    """Print what is kept where, for how long, and who may see it, as Markdown."""
    from frametally_accounts.book import AccessBook
    from frametally_privacy.data_protection import data_protection, markdown
    from frametally_web.translations.texts import ENGLISH, texts

    if language not in texts():
        missing = no_such("language", language, sorted(texts()))
        raise Misconfigured(missing.fault, missing.remedy)
    own = texts()[ENGLISH] | texts()[language]
    settings = read_settings("web", overrides, must_be_there=True)
    with (
        open_store_port(settings) as ports,
        closing(AccessBook(settings.catalogue_url, settings.catalogue_access)) as access,
    ):
        facts = data_protection(ports, access)
    if as_json:
        print_json(facts)
        return 0

    def say(key: str, **values: object) -> str:
        return own[key].format(**values)

    for line in markdown(facts, say, round(time.time() * 1000)).splitlines():
        click.echo(console.plain(line))
    return 0
