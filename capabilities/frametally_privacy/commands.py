"""`frametally privacy`, and its commands of the policy: `show|set|remove`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click

from frametally import keys
from frametally.console import output as console
from frametally.console.action_answers import print_json
from frametally.console.name_check import check_names
from frametally.console.option_values import parse_size_px
from frametally.console.options import data_dir_option, read_settings
from frametally.console.tables import folded_table
from frametally.errors import Misconfigured
from frametally.media.kept_data import KeptItem, kept_parts, kinds_in
from frametally.openers.port_openers import open_store_port
from frametally.ports.opened import StorePorts
from frametally.process.reports import plural
from frametally.rules.times import utc
from frametally_privacy.erasure_commands import erase, report
from frametally_privacy.policy import (
    Originals,
    Point,
    PrivacyPolicy,
    PrivacyRule,
    check_rule,
    drop_rule,
    read_policy,
    set_rule,
)

_NUMBER = r"-?[0-9]{1,6}(?:\.[0-9]{1,6})?"
_POINT = re.compile(rf"({_NUMBER}),({_NUMBER})")
_LATER = (
    "running cameras and producers follow it within 10 seconds; frames that are already stored stay as they "
    "are"
)


@click.group("privacy")
def privacy_group() -> None:
    """Hide parts of pictures before they are stored, erase what was filmed, and report what is kept."""


privacy_group.add_command(erase)
privacy_group.add_command(report)


@privacy_group.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def show(as_json: bool, **overrides: Any) -> int:
    """Show what is done to pictures before they are stored."""
    with open_store_port(read_settings(None, overrides)) as ports:
        policy = read_policy(ports.store)
    if as_json:
        print_json(policy)
        return 0
    for line in _lines(policy):
        click.echo(console.plain(line))
    return 0


def _lines(policy: PrivacyPolicy) -> Iterator[str]:
    if not policy.rules:
        yield "there are no rules, so pictures are stored as they are; add one with `frametally privacy set`"
    for rule in policy.rules:
        yield f"{rule.source or 'all other sources'} (version {rule.version}): {_words(rule)}"


def _words(rule: PrivacyRule) -> str:
    model = f", also with the model {rule.model}" if rule.model else ""
    fate = "replaced by a blurred version" if rule.originals == "blur" else "deleted"
    return f"{rule.words}{model}; original videos are {fate}"


@privacy_group.command("set")
@click.option("--source", default="", help="Only this source; default: all sources without a rule.")
@click.option("--new-source", is_flag=True, help="The source has no footage yet.")
@click.option(
    "--mask",
    multiple=True,
    metavar="POINTS",
    help="A polygon to blacken, in fractions of the picture: '0,0 0.3,0 0.3,0.2'. You can repeat it.",
)
@click.option("--size", help="Picture size, if masks are in its pixels.", metavar="WxH")
@click.option("--blur", is_flag=True, help="Blur heads and plates.")
@click.option("--model", default="", help="Also blur what this model finds: a name, or an ONNX file.")
@click.option(
    "--originals",
    type=click.Choice(["blur", "delete"]),
    default="delete",
    show_default=True,
    help="Replace original videos, also earlier ones, by a blurred version, or delete them.",
)
@click.option("--dry-run", is_flag=True, help="List the earlier originals that would go; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask whether earlier originals may go.")
@data_dir_option
def set_source(
    source: str,
    new_source: bool,
    mask: tuple[str, ...],
    size: str | None,
    blur: bool,
    model: str,
    originals: Originals,
    dry_run: bool,
    yes: bool,
    **overrides: Any,
) -> int:
    """Set what is done to pictures of a source before they are stored."""
    settings = read_settings("consumer", overrides)
    slug = keys.slug(source) if source else ""
    size_px = None if size is None else parse_size_px(size)
    masks = tuple(_points(number, text, size_px) for number, text in enumerate(mask, 1))
    rule = check_rule(PrivacyRule(source=slug, masks=masks, blur=blur, model=model, originals=originals))
    if new_source and not slug:
        raise Misconfigured("--new-source needs --source: name the source")
    if slug and not new_source:
        try:
            check_names(settings, sources=[slug])
        except Misconfigured as error:
            raise Misconfigured(f"{error}; if it will be a new source, add --new-source") from error
    with open_store_port(settings) as ports:
        if blur:
            from frametally_privacy.screens import StorePolicy

            StorePolicy().check(rule, settings, ports.store)
        earlier = _earlier_originals(ports, slug)
        name = slug or "all other sources"
        if earlier:
            _list(earlier)
        if dry_run:
            click.echo(
                console.plain(
                    f"{name}: {_words(rule)}; {plural(len(earlier), 'earlier original')} would go; nothing "
                    "was changed"
                )
            )
            return 0
        if earlier and not yes:
            fate = "be replaced by a blurred version" if originals == "blur" else "be deleted"
            click.confirm(f"Set the rule? {plural(len(earlier), 'earlier original')} will {fate}", abort=True)
        policy = set_rule(ports.store, rule)
    new_rule = policy.rule_for(slug) or rule
    note = f"; {plural(len(earlier), 'earlier original')} will go, too" if earlier else ""
    click.echo(console.plain(f"{name}: {_words(new_rule)} (policy version {policy.version}); {_LATER}{note}"))
    return 0


def _earlier_originals(ports: StorePorts, slug: str) -> list[KeptItem]:
    """Return the originals of a source, or of all sources without their own rule."""
    own_rules = {rule.source for rule in read_policy(ports.store).rules}
    return [
        item
        for kind in kinds_in(kept_parts(ports))
        if kind.name == "originals"
        for item in kind.items()
        if (item.source == slug if slug else item.source not in own_rules)
    ]


def _list(originals: list[KeptItem]) -> None:
    table = folded_table("original", "source", "stored", "bytes")
    for item in originals:
        table.add_row(item.id, item.source, utc(item.stored_at_ms), str(item.size_bytes))
    console.out().print(table)


@privacy_group.command()
@click.option("--source", default="", help="The rule of this source; default: that of all sources.")
@data_dir_option
def remove(source: str, **overrides: Any) -> int:
    """Remove a rule: from now on, pictures are stored as they are."""
    slug = keys.slug(source) if source else ""
    with open_store_port(read_settings(None, overrides)) as ports:
        policy = drop_rule(ports.store, slug)
    click.echo(
        console.plain(
            f"{slug or 'all other sources'}: rule removed (policy version {policy.version}, "
            f"{plural(len(policy.rules), 'rule')} left); {_LATER}"
        )
    )
    return 0


def _points(number: int, text: str, size_px: tuple[int, int] | None) -> tuple[Point, ...]:
    """Return a mask's points as fractions of the picture."""
    matches = [_POINT.fullmatch(part) for part in text.split()]
    if not matches or None in matches:
        raise Misconfigured(
            f"mask {number} {text[:40]!r} is not a polygon; write it like '0,0 0.3,0 0.3,0.2'"
        )
    points = [(float(match[1]), float(match[2])) for match in matches if match is not None]
    width_px, height_px = size_px or (1, 1)
    for x, y in points:
        if size_px and not (0 <= x <= width_px and 0 <= y <= height_px):
            raise Misconfigured(
                f"mask {number} leaves the picture of {width_px}x{height_px} pixels at {x:g},{y:g}: move it "
                "inside, or correct --size"
            )
    return tuple((x / width_px, y / height_px) for x, y in points)
