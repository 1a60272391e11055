"""The ledger, beside one that is made of the store alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from frametally.errors import FrametallyError
from frametally.opening import open_ledger
from frametally.ports.ledger import Ledger
from frametally.process.reports import NoProgress, Progress
from frametally.rules.record_limits import MOST_TIME_MS
from frametally_cli.checkup.findings import Finding, shown
from frametally_cli.options.ports import Ports

_REMEDY = "run `frametally ledger rebuild`"


def check_ledger(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Compare what the ledger says with what the store does: its numbers carry no checksums."""
    settings, store = ports.settings, ports.store
    address = shown("url", settings.ledger_url)
    with (
        tempfile.TemporaryDirectory(prefix="frametally-ledger-") as folder,
        closing(open_ledger(f"sqlite:///{Path(folder) / 'ledger.sqlite'}")) as fresh,
    ):
        fresh.refresh(store, progress)
        expected = _books(fresh)
        try:
            with closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger:
                ledger.refresh(store, NoProgress())
                is_same = _books(ledger) == expected
        except FrametallyError as error:
            yield Finding("ledger", address, "damaged", remedy=f"{error}; {_REMEDY}")
            return
    yield Finding(
        "ledger",
        address,
        "says what the store says" if is_same else "says otherwise than the store",
        remedy="" if is_same else f"{_REMEDY}; if the stages were at work meanwhile, look again first",
    )


def _books(ledger: Ledger) -> list[object]:
    """Return all that the ledger says."""
    books: list[object] = [ledger.manifests(), ledger.tombstones(), ledger.runs()]
    for model in sorted(ledger.models()):
        tallies = ledger.tallies(model)
        sources = sorted({tally.source for tally in tallies})
        dead = sorted(map(str, ledger.dead_frames(model)))
        books += [model, tallies, ledger.chain(model), dead, ledger.problems(model)]
        books += [ledger.parts(model, one, from_ms=-MOST_TIME_MS, to_ms=MOST_TIME_MS) for one in sources]
        books += [
            ledger.tally_between(model, tally.source, tally.media, from_ms=None, to_ms=None)
            for tally in tallies
        ]
    return books
