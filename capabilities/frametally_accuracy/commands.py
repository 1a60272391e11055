"""`frametally accuracy start|list|show|answer|result|next|verify`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from frametally import keys
from frametally.console import output as console
from frametally.console.action_answers import ask_action, json_option, print_json
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, read_settings
from frametally.errors import Misconfigured
from frametally.openers.port_openers import open_books
from frametally.ports.picture_places import CHECKED_METRICS, CheckedMetric
from frametally.process.reports import plural
from frametally.records import NOT_JSON
from frametally.rules.times import utc
from frametally.settings.loading import Settings

if TYPE_CHECKING:
    from frametally_accuracy.answers import Checks
    from frametally_accuracy.book import AccuracyBook
    from frametally_accuracy.population import CheckFootage
    from frametally_accuracy.records import AccuracyCheck, OtherChecks
    from frametally_accuracy.results import CheckResult

DIFFERS = 4
"""Exit code if the certificate does not hold."""
SIGNED_BY_ANOTHER = 5
"""Exit code if it holds but is not signed with the expected key."""

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("accuracy")
def accuracy_group() -> None:
    """Check a random sample of footage by eye, and get an interval for each count."""


@contextmanager
def _book(overrides: dict[str, Any]) -> Iterator[tuple[Settings, AccuracyBook]]:
    from frametally_accuracy.book import AccuracyBook

    settings = read_settings("web", overrides)
    with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield settings, book


@contextmanager
def _footage(settings: Settings) -> Iterator[CheckFootage]:
    from frametally_accuracy.population import CheckFootage

    with open_books(settings, reading=True) as (ports, ledger):
        with console.stage_bar("ledger") as progress:
            ledger.refresh(ports.store, progress)
        yield CheckFootage(ports.store, ledger, ports.index, ports.settings)


@accuracy_group.command()
@click.argument("name", default="")
@click.option(
    "--metric",
    type=click.Choice(CHECKED_METRICS),
    default="detections",
    show_default=True,
    help="Check detections in frames, or visits or crossings in clips of the footage.",
)
@click.option("--line", default="", help="The line whose crossings to check.", metavar="NAME")
@click.option("--direction", default="", help="Only this direction of the line.", metavar="NAME")
@click.option("--source", "sources", multiple=True, help="Only this source; repeatable.")
@click.option("--label", "labels", multiple=True, help="Only this label; repeatable.")
@click.option("--from", "from_text", help="ISO 8601 start of the range to check.", metavar="TIME")
@click.option("--to", "to_text", help="ISO 8601 end of the range to check.", metavar="TIME")
@click.option("--model", default="", help="Model ID; default: the newest published model.")
@click.option(
    "--width",
    type=float,
    default=0.1,
    show_default=True,
    help="Target half-width of the interval: 0.1 is ±10%.",
)
@click.option(
    "--units", type=int, default=0, help="Number of units, fixed now; default: stop whenever you like."
)
@_json_option
@data_dir_option
def start(
    name: str,
    metric: CheckedMetric,
    line: str,
    direction: str,
    sources: tuple[str, ...],
    labels: tuple[str, ...],
    from_text: str | None,
    to_text: str | None,
    model: str,
    width: float,
    units: int,
    as_json: bool,
    **overrides: Any,
) -> int:
    """Start the check NAME: draw units with a random seed that the check records."""
    from frametally_accuracy.results import result_of
    from frametally_accuracy.sent import CheckWanted
    from frametally_accuracy.starting import start_check

    with _book(overrides) as (settings, book), _footage(settings) as footage:
        from_ms, to_ms = parse_bounds_ms(from_text, to_text, settings.tzinfo())
        form = CheckWanted(
            name=name,
            metric=metric,
            line=line,
            direction=direction,
            model=model,
            sources=[keys.slug(source) for source in sources],
            labels=[*labels],
            from_ms=from_ms,
            to_ms=to_ms,
            planned_units=units,
            wanted_width=width,
        )
        check = start_check(book, footage, form)
    if as_json:
        print_json(check)
    else:
        click.echo(
            console.plain(
                f"{check.name}: started; {check.units:,} {check.unit_name} of {', '.join(check.sources)}, "
                f"labels {', '.join(check.labels)}, seed {check.seed}"
            )
        )
        for label in (label for label in check.labels if not check.totals[label]):
            click.echo(
                console.plain(f"{label}: the model counts none here; the check shows how many it misses")
            )
        print_needed(check, result_of(check, (), ()))
    return 0


@accuracy_group.command("list")
@json_option
@data_dir_option
def list_checks(as_json: bool, **overrides: Any) -> int:
    """List the checks, newest first."""
    answer: Checks = ask_action(read_settings("web", overrides), "accuracy")
    if as_json:
        print_json(answer)
        return 0
    for check in answer.checks:
        state = "target precision reached" if check.is_reached else f"{check.answered} answered"
        click.echo(console.plain(f"{check.name}  {utc(check.started_at_ms)}  {state}"))
    if not answer.checks:
        click.echo("no accuracy checks; start one with `frametally accuracy start`")
    return 0


@accuracy_group.command()
@click.argument("name")
@data_dir_option
def show(name: str, **overrides: Any) -> int:
    """Print the check NAME with its units and answers as JSON."""
    with _book(overrides) as (_, book):
        check = book.find_check(name)
        print_json({"check": check, "units": book.units(check.id), "answers": book.answers(check.id)})
    return 0


@accuracy_group.command()
@click.argument("name")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--person", default="", help="Name of the person who answers.")
@data_dir_option
def answer(name: str, file: IO[bytes], person: str, **overrides: Any) -> int:
    """Add answers to the check NAME from FILE, a JSON list of {"unit": 0, "counts": {"person": 2}}.

    Instead of `counts`, an answer can have `boxes`: [{"label": "person", "box": [left, top, width, height]}],
    or, for a clip, `taps`: [{"label": "person", "at_ms": 1714550400000}]. `"is_missing": true` skips a unit
    whose picture is missing or damaged in the store.
    """
    from frametally_accuracy.answering import counts_of, must_be_missing
    from frametally_accuracy.sent import UnitAnswer

    try:
        sent_answers = msgspec.json.decode(file.read(), type=list[UnitAnswer])
    except NOT_JSON as error:
        raise Misconfigured(f"this file does not contain answers: {error}") from error
    with _book(overrides) as (settings, book):
        check = book.find_check(name)
        units = {unit.number: unit for unit in book.units(check.id)}
        for unit_answer in sent_answers:
            if unit_answer.unit not in units:
                raise Misconfigured(f"accuracy check {check.name!r} has no unit {unit_answer.unit}")
        # Check all answers before storing any.
        counts = [counts_of(check, units[unit_answer.unit], unit_answer) for unit_answer in sent_answers]
        if missing := [unit_answer for unit_answer in sent_answers if unit_answer.is_missing]:
            stored_answers = book.answers(check.id)
            with _footage(settings) as footage:
                for skip in missing:
                    must_be_missing(footage, check, units[skip.unit], stored_answers, turn=skip.turn)
        for sent, numbers in zip(sent_answers, counts, strict=True):
            book.answer(check, sent.unit, person=person, counts=numbers, turn=sent.turn, details=sent)
    click.echo(console.plain(f"{check.name}: saved {plural(len(sent_answers), 'answer')}"))
    return 0


@accuracy_group.command()
@click.argument("name")
@click.option("--history", is_flag=True, help="Show the estimates even with few answers.")
@click.option("--against", default="", help="Compare with this model on the same sample.", metavar="MODEL")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a signed certificate to this file.",
)
@_json_option
@data_dir_option
def result(
    name: str, history: bool, against: str, certificate: Path | None, as_json: bool, **overrides: Any
) -> int:
    """Show the result of the check NAME. Exit code 4: the counts changed, so the check no longer applies."""
    from frametally_accuracy.certificates import certify
    from frametally_accuracy.comparison import compare_models
    from frametally_accuracy.pieces.event_places import why_line_changed
    from frametally_accuracy.results import history_of, result_of
    from frametally_accuracy.staleness import KnownCoverage

    with _book(overrides) as (settings, book):
        check = book.find_check(name)
        units, answers = book.units(check.id), book.answers(check.id)
        check_result, other_checks = result_of(check, units, answers), book.other_checks(check)
        with _footage(settings) as footage:
            stale = [
                *KnownCoverage().why_stale(check, footage.counts),
                *why_line_changed(check, footage.store),
            ]
            compared = compare_models(check, units, answers, footage, against) if against else None
            if certificate is not None:
                if stale:
                    raise Misconfigured(f"no certificate was created: {' '.join(stale)} Start a new check.")
                signed = certify(
                    check,
                    units,
                    answers,
                    key=book.signing_key(),
                    made_at_ms=book.now_ms(),
                    footage=footage,
                    other_checks=other_checks,
                )
                certificate.write_bytes(signed)
    if as_json:
        print_json(
            {
                "check": check.name,
                "stale": stale,
                "result": check_result,
                "other_checks": other_checks,
                "history": history_of(check, units, answers),
                "compared": compared,
            }
        )
    else:
        print_result(check, check_result, other_checks)
        for past in history_of(check, units, answers) if history else ():
            click.echo(
                console.plain(
                    f"{past.label}, after {past.units} {check.unit_name}, {utc(past.answered_at_ms)}: "
                    f"{past.total:,.0f} ({past.low:,.0f} to {past.high:,.0f})"
                )
            )
        for difference in compared or ():
            words = {"check": check.model, "other": against, "neither": "neither", None: "too few to say"}
            click.echo(console.plain(f"{difference.label}: better here: {words[difference.better]}"))
        if stale:
            click.echo(console.plain(f"stale: {' '.join(stale)} Start a new check."))
    return DIFFERS if stale else 0


@accuracy_group.command("next")
@click.argument("name")
@_json_option
@data_dir_option
def next_zones(name: str, as_json: bool, **overrides: Any) -> int:
    """Show where further units help the check NAME most, and how many its target precision needs."""
    from frametally_accuracy.results import result_of

    with _book(overrides) as (_, book):
        check = book.find_check(name)
        check_result = result_of(check, book.units(check.id), book.answers(check.id))
    if as_json:
        print_json(
            {
                "labels": {label.label: label.units_needed for label in check_result.labels},
                "zones": check_result.zones,
            }
        )
        return 0
    if check_result.is_reached:
        click.echo(
            console.plain(
                f"you have reached the target precision (±{check.wanted_width:.0%}): stop here, and run "
                f"`frametally accuracy result {shlex.quote(check.name)}`, or continue for a narrower interval"
            )
        )
    print_needed(check, check_result)
    for zone in check_result.zones:
        span = f"{zone.from_source} {utc(zone.from_ms)} to {zone.to_source} {utc(zone.to_ms)}"
        click.echo(console.plain(f"{span}: one more unit reduces the variance by {zone.shrink:.1%}"))
    return 0


@accuracy_group.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--key",
    default="",
    help="Public key of the server that signed it; default: this server's.",
    metavar="HEX",
)
@data_dir_option
def verify(file: IO[bytes], key: str, **overrides: Any) -> int:
    """Check the certificate in FILE against the store: its signature, key, units, draws and result.

    Exit code 4: the certificate is not valid. Exit code 5: another server signed it, or its key is not known.
    """
    from frametally_accuracy.certificates import NotAsSigned, read_certificate, recount

    if key and not re.fullmatch("[0-9a-f]{64}", key):
        raise Misconfigured("--key must be the 64 hexadecimal digits (0-9, a-f) of a public key")
    settings = read_settings(None, overrides)
    try:
        certificate = read_certificate(file.read())
        with _footage(settings) as footage:
            wrong = [*recount(certificate, footage)]
    except NotAsSigned as error:
        wrong = [str(error)]
    for problem in wrong:
        click.echo(console.plain(f"wrong: {problem}"))
    if wrong:
        return DIFFERS
    expected, signed_by = key or _own_key(settings), certificate.public_key
    if signed_by == expected:
        signer = "signed by the key that you gave" if key else f"signed by this server (key {signed_by})"
    elif expected:
        signer = f"but signed by another server (key {signed_by})"
    else:
        signer = f"but this data folder has no key; compare with --key who signed it (key {signed_by})"
    is_expected = signed_by == expected
    word = "valid" if is_expected else "recomputed"
    click.echo(console.plain(f"{certificate.check.name}: {word}; {signer}, {utc(certificate.made_at_ms)}"))
    print_result(certificate.check, certificate.result, certificate.other_checks)
    return 0 if is_expected else SIGNED_BY_ANOTHER


def _own_key(settings: Settings) -> str:
    """Return the public key of this data folder's book, without creating one; empty if it has none."""
    from frametally_accuracy import tables
    from frametally_accuracy.book import AccuracyBook, has_rows

    if not has_rows(settings.catalogue_url, tables.keys):
        return ""
    with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
        return book.public_key()


def print_needed(check: AccuracyCheck, check_result: CheckResult) -> None:
    """Print the units that the wanted width takes, by label."""
    for label in check_result.labels:
        click.echo(
            console.plain(
                f"{label.label}: {label.units_needed:,} {check.unit_name} for ±{check.wanted_width:.0%}"
            )
        )


def print_result(check: AccuracyCheck, check_result: CheckResult, other_checks: OtherChecks | None) -> None:
    """Print a result by label, how far people agree, and the other checks of its footage; None if unknown."""
    words = "a fixed sample size" if check_result.method == "fixed" else "stopping at any time"
    click.echo(
        f"{check_result.answered} of {check_result.units:,} {check.unit_name} answered, "
        f"{check_result.used} used; 95% intervals for {words}"
    )
    if check_result.missing:
        click.echo(f"{check_result.missing} {check.unit_name} cannot be judged: pictures are missing")
    for label in check_result.labels:
        if label.state == "disagree":
            interval = (
                f"not known: the people do not agree; their answers differ by {label.difference:,.1f} on "
                f"average; ask a third person"
            )
        elif label.state == "at_most":
            interval = f"at most {label.high:,.0f} (people saw {label.low:,.0f})"
        elif label.state == "too_few" or label.total is None:
            interval = f"too few to say; about {label.units_needed:,} units are needed"
        else:
            width = f"±{max(label.half_width, 0.001):.1%}" if label.half_width else "every unit was checked"
            interval = f"{label.total:,.0f} ({label.low:,.0f} to {label.high:,.0f}, {width})"
        click.echo(console.plain(f"{label.label}: model {label.model_total:,}, truth {interval}"))
    if (double := check_result.agreement).pairs:
        click.echo(
            f"answered twice: {double.equal} of {plural(double.pairs, 'pair is', 'pairs are')} equal; they "
            f"differ by {double.mean_difference:,.1f} objects on average"
        )
    if other_checks is not None:
        number = plural(other_checks.checks, "other check")
        click.echo(f"{number} of the same footage, {other_checks.answered} of them with answers")
