"""Prints checks and results for `frametally accuracy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from frametally.process.reports import plural
from frametally_cli.console import output as console

if TYPE_CHECKING:
    from frametally_accuracy.records import AccuracyCheck, OtherChecks
    from frametally_accuracy.results import CheckResult


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


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)))
