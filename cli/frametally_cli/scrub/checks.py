"""The deep checks, one after the other.

A check is a function in a module of its own that reads all of one kind of thing: it gives a row for what is
damaged, each with its remedy, and one for how many were looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from frametally.errors import FrametallyError
from frametally.plugins import hooks
from frametally.process.reports import Progress
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding
from frametally_cli.console import output as console
from frametally_cli.options.ports import Ports, open_ports
from frametally_cli.scrub.counted_days import check_runs
from frametally_cli.scrub.indexed_days import check_indexed_days
from frametally_cli.scrub.ledger_copy import check_ledger
from frametally_cli.scrub.small_records import check_records
from frametally_cli.scrub.stored_segments import check_segments
from frametally_cli.scrub.unnamed_images import check_images

Check = Callable[[Ports, Progress], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "records": check_records,
    "segments": check_segments,
    "runs": check_runs,
    "index": check_indexed_days,
    "images": check_images,
    "ledger": check_ledger,
    **{name: check for checks in hooks("deep_checks") for name, check in checks.items()},
}
"""By the name that their rows and their bar have."""


def deep_rows(settings: Settings) -> Iterator[Finding]:
    """Run every check; one that cannot go on is a row, and the next goes on."""
    with open_ports(settings) as ports:
        for name, check in CHECKS.items():
            with console.stage_bar(name) as bar:
                try:
                    yield from check(ports, bar)
                except FrametallyError as error:
                    yield Finding(name, "all of them", "cannot be looked at", remedy=str(error))
