"""Implements the hooks of commands and retention: data to keep, rounds to run, sources in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally import keys
from frametally.adapters.sql.kept_books import place_of
from frametally.checkup.areas import setting_errors
from frametally.checkup.findings import DeepLook, Finding, Look, TrialLook
from frametally.media.kept_data import KeptItem, KeptKind, KeptPart, in_folders
from frametally.ports.opened import StorePorts
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions, MembersPart, command
from frametally_alerts import tables
from frametally_alerts.book import AlertBook
from frametally_alerts.channels.channel_kinds import channels_of


def findings(look: Look) -> Iterator[Finding]:
    """Report invalid channels, and damaged files of reports."""
    match look:
        case TrialLook(settings, "" | "alerts" | "serve"):
            yield from setting_errors(lambda: channels_of(settings))
        case DeepLook(ports, progress):
            # Imported here, because reports import much of the dashboard.
            from frametally_alerts.reports.due_reports import check_reports

            yield from check_reports(ports.store, progress)


def members(settings: Settings, options: MemberOptions) -> list[MembersPart]:
    """Return the rounds, even without a channel, because a report may be stored without being sent."""
    return [MembersPart([command("alerts", settings, "--every", options.every, subcommand="run")])]


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the rules and reports that name a source. Raises the database's errors."""
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield from (f"alert rule {rule.name}" for rule in book.rules() if source in rule.sources)
        yield from (f"report {report.name}" for report in book.reports() if source in report.sources)


def kept_since(settings: Settings) -> int | None:
    """Return when the oldest rule or report was added, or None if there is none."""
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        times_ms = [rule.made_at_ms for rule in book.rules()]
        times_ms += [report.made_at_ms for report in book.reports()]
    return min(times_ms, default=None)


def data_places(ports: StorePorts) -> KeptPart:
    """Return stored reports, messages that are no longer waiting, and the tables of alerts."""
    store, settings = ports.store, ports.settings

    def messages() -> list[KeptItem]:
        with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
            return [KeptItem(id, "", ended_at_ms, 0) for id, ended_at_ms in book.ended_messages()]

    def remove_message(item: KeptItem) -> None:
        with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
            book.remove_ended(item.id)

    def reports() -> Iterator[KeptItem]:
        for info in store.list(keys.REPORTS):
            yield KeptItem(info.key, "", info.modified_at_ms, info.size_bytes)

    return KeptPart(
        [
            KeptKind(
                "reports",
                reports,
                lambda item: store.delete(item.id),
                "rules",
                files=in_folders(keys.REPORTS),
                text="alerts.kept_reports",
            ),
            KeptKind(
                "sent-alerts",
                messages,
                remove_message,
                "rules",
                place="catalogue",
                files=(tables.told.name, tables.messages.name),
                text="alerts.kept_messages",
            ),
            place_of("alerts", tables, "alerts.kept_alerts"),
        ]
    )
