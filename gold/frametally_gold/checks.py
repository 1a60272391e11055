"""What `frametally doctor` and `setup` do for the gold tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding
from frametally_cli.checkup.ports import area_rows
from frametally_cli.servers.index import tables_line
from frametally_gold.book import Gold
from frametally_gold.settings import GoldSettings


def checks(settings: Settings, stage: str) -> Iterator[Finding]:
    """Open the tables, and count what they have."""
    yield from area_rows(settings, stage, "gold", settings.part(GoldSettings).gold_url, _check)


def _check(settings: Settings, address: str) -> Iterator[Finding]:
    with closing(Gold(settings.part(GoldSettings).gold_url, settings.part(GoldSettings).gold_access)) as gold:
        gold.check()
        days, videos = len(gold.loads()), len(gold.video_marks())
    yield Finding("gold", address, f"{days} days loaded, {videos} videos")


def setup(settings: Settings, _: Sequence[str], check_only: bool) -> Iterator[str]:
    """Make the tables. Raises as a database does."""
    of_gold = settings.part(GoldSettings)
    yield tables_line("gold", of_gold.gold_url, of_gold.gold_access, Gold)
