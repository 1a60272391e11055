"""Says what is kept where, for how long, and who may see it, from settings, policies and accounts.

The page and `frametally privacy report` show the same sections.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from frametally.checkup.findings import public_value
from frametally.media.kept_data import KeptKind, KeptPart, KeptTerm, kept_parts, kinds_in, place_urls
from frametally.media.manifests import ManifestReader
from frametally.media.sources import source_names
from frametally.plugins import plugins
from frametally.ports.opened import StorePorts
from frametally.rules.times import DAY_MS, FIRST_MS, HOUR_MS, NEXT_MS, utc, utc_date, utc_range
from frametally.settings.loading import Settings
from frametally_accounts.book import AccessBook
from frametally_privacy.erasure_records import Erasure, erasures
from frametally_privacy.policy import PrivacyRule, read_policy

_KIND_TEXTS = {
    "announcements": "privacy.kind_announcements",
    "backups": "privacy.kind_backups",
    "boxes": "privacy.kind_boxes",
    "caches": "privacy.kind_caches",
    "counts": "privacy.kind_counts",
    "dead-letters": "privacy.kind_dead_letters",
    "footage": "privacy.kind_footage",
    "frames": "privacy.kind_frames",
    "temporary-files": "privacy.kind_temporary_files",
}
"""Descriptions of the mission's kinds."""
_ROLE_TEXTS = {"look": "privacy.role_look", "correct": "privacy.role_correct", "run": "privacy.role_run"}
_ACCESS_TEXTS = {
    "first": "privacy.access_first",
    "local": "privacy.access_local",
    "none": "privacy.access_none",
    "proxy": "privacy.access_proxy",
}
_ORIGINALS_TEXTS = {"blur": "privacy.originals_blurred", "delete": "privacy.originals_deleted"}
_END_TEXTS = {
    "announcements": "privacy.ends_announcements",
    "backups": "privacy.ends_backups",
    "temporary-files": "privacy.ends_temporary_files",
}
"""When the mission's kinds go that go even if there are no rules."""


class KeptData(msgspec.Struct, frozen=True, kw_only=True):
    """Data of one kind.

    Attributes:
        places: The URLs of the stores and databases, without passwords.
        terms: The rules for how long it stays.
        goes_by_itself: Whether it goes even if there are no rules.
        text: Key of the text that describes it; empty if it has only its name.
        ends: Key of the text that says when it goes by itself; empty if it does not.
    """

    kind: str
    places: tuple[str, ...]
    terms: tuple[KeptTerm, ...]
    goes_by_itself: bool
    text: str
    ends: str


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """A person or a program that may see data.

    Attributes:
        sources: Slugs; empty for all sources.
        has_codes: Whether a person also needs a code to sign in; None for a token.
        ends_at_ms: When a token expires; None for a person.
    """

    name: str
    role: str
    sources: tuple[str, ...]
    has_codes: bool | None = None
    ends_at_ms: int | None = None


class DataProtection(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for a data protection officer.

    Attributes:
        data: What is kept, by kind.
        hidden: Rules for what is blackened or blurred before pictures are stored.
        sources: Names of the sources of footage.
        holds: Legal holds, in words; None if nothing here can hold data.
        viewers: Accounts, then tokens; None if nobody has to sign in.
        access: Who may open the dashboard if there are no accounts: `proxy`, `none`, `local` or `first`.
        erasures: Receipts of erasures, the newest first, as `Erasure` without `media`.
    """

    data: list[KeptData]
    hidden: list[PrivacyRule]
    sources: list[str]
    holds: list[str] | None
    viewers: list[Viewer] | None
    access: str
    erasures: list[dict[str, Any]]


def _receipt(erasure: Erasure) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(erasure).items() if name != "media"}


def data_protection(ports: StorePorts, access: AccessBook | None) -> DataProtection:
    """Return what is kept where, for how long, and who may see it.

    Raises:
        Poison: A policy or an erasure is damaged.
        Retryable: A server is unavailable.
    """
    settings, store = ports.settings, ports.store
    parts = kept_parts(ports)
    manifests, _ = ManifestReader(store).read()
    names = source_names(manifests)
    holds = {
        hold: None
        for source in sorted(names)
        for part in parts
        for hold in part.holds(source, FIRST_MS, NEXT_MS, "")
    }
    viewers = None if access is None else viewers_of(access)
    return DataProtection(
        data=kept_data(settings, parts),
        hidden=list(read_policy(store).rules),
        sources=sorted(names.values()),
        holds=list(holds) if any(plugin.name == "retention" for plugin in plugins()) else None,
        viewers=viewers,
        access=_access_without_accounts(settings),
        erasures=[_receipt(erasure) for erasure in reversed(erasures(store))],
    )


def kept_data(settings: Settings, parts: Sequence[KeptPart]) -> list[KeptData]:
    """Return all kinds of data, with their places and rules."""
    terms = [*_terms_of(settings), *(term for part in parts for term in part.terms())]
    urls = place_urls(settings)
    places: defaultdict[str, dict[str, None]] = defaultdict(dict)
    kinds: dict[str, KeptKind] = {}
    for kind in kinds_in(parts):
        kinds.setdefault(kind.name, kind)
        if url := urls.get(kind.place, kind.place):
            places[kind.name][public_value("url", url)] = None
    return [
        KeptData(
            kind=name,
            places=tuple(places[name]),
            terms=tuple(
                term
                for term in terms
                if term.kind == (kind.rule or name) or (term.kind, name) == ("thinning", "frames")
            ),
            goes_by_itself=bool(ends := kind.ends or _END_TEXTS.get(name, "")),
            text=kind.text or _KIND_TEXTS.get(name, ""),
            ends=ends,
        )
        for name, kind in kinds.items()
    ]


def _terms_of(settings: Settings) -> list[KeptTerm]:
    """Return the rules that settings make."""
    hours = {
        "frames": settings.store_image_days * 24,
        "boxes": settings.store_metadata_days * 24,
        "announcements": settings.log_retention_h,
    }
    return [KeptTerm(kind, "", number * HOUR_MS, None) for kind, number in hours.items() if number]


def viewers_of(access: AccessBook) -> list[Viewer] | None:
    """Return the accounts and their tokens; None if there is no account."""
    accounts = [
        Viewer(name=account.name, role=account.role, sources=account.sources, has_codes=account.has_codes)
        for account in access.accounts()
    ]
    tokens = [
        Viewer(
            name=f"{token.account}/{token.name}",
            role=token.role,
            sources=token.sources,
            ends_at_ms=token.ends_at_ms,
        )
        for token in access.tokens()
    ]
    return [*accounts, *tokens] or None


def _access_without_accounts(settings: Settings) -> str:
    if settings.proxy_secret.get_secret_value():
        return "proxy"
    if settings.web_accounts:
        return "first"
    return "local" if settings.listens_to_itself else "none"


class ReportSection(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the report: sentences, and a table, whose first column names the row."""

    id: str
    title: str
    lines: list[str]
    columns: list[str] = []
    rows: list[list[str]] = []


Say = Callable[..., str]


def sections(facts: DataProtection, say: Say) -> list[ReportSection]:
    """Return the report in the language of `say`, which returns the text of a key with its values."""
    everywhere = say("privacy.all_sources")
    data_rows = [
        [
            say(row.text) if row.text else row.kind,
            "\n".join(row.places),
            _how_long(row, say),
        ]
        for row in facts.data
    ]
    hidden = [
        [
            rule.source or say("privacy.other_sources"),
            str(len(rule.masks)),
            say("privacy.blurred") if rule.blur else say("privacy.as_filmed"),
            say(_ORIGINALS_TEXTS[rule.originals]),
        ]
        for rule in facts.hidden
    ]
    viewers = [
        [
            viewer.name,
            say(_ROLE_TEXTS[viewer.role]),
            ", ".join(viewer.sources) or everywhere,
            say("privacy.until", day=utc_date(viewer.ends_at_ms // DAY_MS))
            if viewer.ends_at_ms is not None
            else say("privacy.with_code" if viewer.has_codes else "privacy.password_only"),
        ]
        for viewer in facts.viewers or []
    ]
    erased = [
        [
            row["id"],
            row["source"],
            utc_range(row["from_ms"], row["to_ms"]),
            say("privacy.unfinished") if row["ended_at_ms"] is None else utc(row["ended_at_ms"]),
            say("privacy.counts_stayed" if row["keeps_counts"] else "privacy.counts_went"),
            str(len(row["backups"])),
        ]
        for row in facts.erasures
    ]
    return [
        ReportSection(
            id="kept",
            title=say("privacy.what_is_kept"),
            lines=[say("privacy.sources_here", sources=", ".join(facts.sources) or "-")],
            columns=[say("privacy.data"), say("privacy.place"), say("privacy.how_long")],
            rows=data_rows,
        ),
        ReportSection(
            id="hidden",
            title=say("privacy.what_is_hidden"),
            lines=[] if hidden else [say("privacy.nothing_is_hidden")],
            columns=[
                say("privacy.source"),
                say("privacy.masks"),
                say("privacy.heads_and_plates"),
                say("privacy.originals"),
            ]
            if hidden
            else [],
            rows=hidden,
        ),
        *_held(facts.holds, say),
        ReportSection(
            id="viewers",
            title=say("privacy.who_may_see"),
            lines=[say("privacy.roles")] if viewers else [say(_ACCESS_TEXTS[facts.access])],
            columns=[
                say("privacy.account"),
                say("privacy.role"),
                say("privacy.sources"),
                say("privacy.signs_in"),
            ]
            if viewers
            else [],
            rows=viewers,
        ),
        ReportSection(
            id="erasures",
            title=say("privacy.erasures"),
            lines=[say("privacy.receipts_are_in_the_audit_log")] if erased else [say("privacy.no_erasures")],
            columns=[
                say(key)
                for key in (
                    "privacy.receipt",
                    "privacy.source",
                    "privacy.period",
                    "privacy.ended",
                    "privacy.counts",
                    "privacy.backups",
                )
            ]
            if erased
            else [],
            rows=erased,
        ),
    ]


def _held(holds: list[str] | None, say: Say) -> list[ReportSection]:
    if holds is None:
        return []
    return [
        ReportSection(
            id="holds",
            title=say("privacy.holds"),
            lines=[say("privacy.holds_win")] if holds else [say("privacy.no_holds")],
            columns=[say("privacy.hold")] if holds else [],
            rows=[[hold] for hold in holds],
        )
    ]


def _how_long(row: KeptData, say: Say) -> str:
    lines = []
    for term in row.terms:
        source = term.source or say("privacy.all_sources")
        after = "privacy.thinned_after" if term.kind == "thinning" else "privacy.removed_after"
        if term.after_ms is not None:
            days, rest_ms = divmod(term.after_ms, DAY_MS)
            age = (
                say("privacy.hours", hours=term.after_ms // HOUR_MS)
                if rest_ms
                else say("privacy.days", days=days)
            )
            lines.append(say(after, source=source, age=age))
        if term.most_bytes is not None:
            lines.append(say("privacy.removed_beyond", source=source, size=f"{term.most_bytes / 1e9:.1f} GB"))
    if row.goes_by_itself and not lines:
        lines.append(say(row.ends))
    return "\n".join(lines or [say("privacy.until_erased")])


def markdown(facts: DataProtection, say: Say, now_ms: int) -> str:
    """Return the report as Markdown."""
    lines = [f"# {say('privacy.data_protection')}", "", say("privacy.as_of", time=utc(now_ms)), ""]
    for section in sections(facts, say):
        lines += [f"## {section.title}", "", *section.lines, *([""] if section.lines else [])]
        if section.rows:
            lines += [_row(section.columns), _row(["---"] * len(section.columns))]
            lines += [*map(_row, section.rows), ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(cell.replace(chr(10), '<br>') for cell in escaped)} |"
