"""The count index beside the part files of the runs that it was made from."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.books.index_check import check_index
from frametally.ports.count_index import REPAIR
from frametally.process.reports import Progress
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports


def check_indexed_days(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Compare every day of the index, source by source; runs that cannot be read have rows of their own."""
    found = check_index(ports.store, ports.index, progress)
    for differing in found.differences:
        run = differing.run
        day = f"{run.day} ({run.model}, {run.interval_s} s)"
        yield Finding("index", day, differing.what, remedy=f"run `{REPAIR}`")
    yield Finding("index", "days", f"{found.days} days compared with their part files")
