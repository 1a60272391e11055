"""Makes the demo's accuracy check: a simulated street, answered with the objects drawn in its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.files.demo_clip import DemoClip
from frametally.ports.opened import Ports
from frametally.process.reports import NoProgress
from frametally.rules.places import SIMULATED_MODEL
from frametally.settings.loading import Settings
from frametally.simulated_town import SOURCES, drawn_objects
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.sent import CheckWanted
from frametally_accuracy.starting import start_check

_NAME = "Simulated Station Road"
_UNITS = 60


@contextmanager
def checked(ports: Ports, _clip: DemoClip, _should_stop: Callable[[], bool]) -> Iterator[None]:
    """Start and answer the check once the town is counted, unless it exists or the town does not."""
    yield
    settings, source = ports.settings, next(iter(SOURCES))
    if not any(summary.source == keys.slug(source) for summary in ports.index.sources(SIMULATED_MODEL)):
        return
    with (
        closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        if any(check.name == _NAME for check in book.checks()):
            return
        ledger.refresh(ports.store, NoProgress())
        form = CheckWanted(
            name=_NAME, model=SIMULATED_MODEL, sources=[keys.slug(source)], planned_units=_UNITS
        )
        footage = CheckFootage(ports.store, ledger, ports.index, settings)
        check = start_check(book, footage, form, person="simulation")
        drawn = drawn_objects()
        for unit in book.units(check.id):
            counts = {label: drawn[unit.image_path][label] for label in check.labels}
            book.answer(check, unit.number, person="simulation", counts=counts)


def remove(settings: Settings) -> None:
    """Remove the check and its answers."""
    with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
        book.remove(_NAME)
