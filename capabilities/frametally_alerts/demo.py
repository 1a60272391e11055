"""Adds the demo's alert rule for a simulated street, with its alerts, but no channel to send them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.files.demo_clip import DemoClip
from frametally.ports.opened import Ports
from frametally.rules.places import SIMULATED_MODEL
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings
from frametally.simulated_town import FIRST_DAY_MS, SOURCES
from frametally_alerts.book import AlertBook
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.rounds import look_at_all
from frametally_alerts.rules import AlertRule
from frametally_videos.catalogue_by_url import open_video_catalogue

_NAME = "Rush hour at the simulated Station Road"


@contextmanager
def watched(ports: Ports, _clip: DemoClip, _should_stop: Callable[[], bool]) -> Iterator[None]:
    """Add and check the rule once the town is counted, unless the rule exists or the town does not."""
    yield
    settings, source = ports.settings, keys.slug(next(iter(SOURCES)))
    if not any(summary.source == source for summary in ports.index.sources(SIMULATED_MODEL)):
        return
    rule = AlertRule(
        name=_NAME,
        what="count",
        channels=(),
        threshold=45,
        labels=("car",),
        interval_s=HOUR_S,
        sources=(source,),
        model=SIMULATED_MODEL,
        since_ms=FIRST_DAY_MS,
        made_at_ms=round(time.time() * 1000),
    )
    with (
        closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
    ):
        if book.add(rule):
            now_ms = rule.made_at_ms
            look_at_all(
                book, RoundPorts(settings, ports.store, ports.index, ledger, catalogue, now_ms=now_ms)
            )


def remove(settings: Settings) -> None:
    """Remove the rule and its alerts."""
    with closing(AlertBook(settings.catalogue_url, settings.catalogue_access)) as book:
        book.remove(AlertRule, _NAME)
