"""What of the alert book a person made: of which sources it is, and since when there is some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally.settings.loading import Settings
from frametally_alerts.book import AlertBook


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the rules and reports that name a source. Raises as the database does."""
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield from (f"alert rule {one.name}" for one in book.rules() if source in one.sources)
        yield from (f"report {one.name}" for one in book.reports() if source in one.sources)


def kept_since(settings: Settings) -> int | None:
    """Return since when there is a rule or a report; None: there is none."""
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        made = [rule.made_at_ms for rule in book.rules()]
        made += [report.made_at_ms for report in book.reports()]
    return min(made, default=None)
