"""The areas that `frametally doctor` checks, and the stages that need them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from frametally.checkup.findings import Finding, public_value
from frametally.errors import FrametallyError, Misconfigured
from frametally.plugins import plugins
from frametally.settings.loading import Settings

NOTHING_YET = "nothing there yet"
STAGE_AREAS = {
    "produce": {"store", "log", "announcing"},
    "consume": {"store", "log", "model"},
    "aggregate": {"store", "log", "index", "ledger", "runner"},
    "index": {"store", "log", "index", "ledger", "catalogue", "gold"},
    "serve": {"store", "log", "index", "ledger", "catalogue", "gold", "queue", "accounts"},
    **{stage: set(areas) for plugin in plugins() for stage, areas in plugin.stages.items()},
}
"""The areas that each long-running command needs, by its name."""


def is_needed(area: str, stage: str) -> bool:
    """Return whether a stage needs this area; without a stage (""), every area is needed."""
    return not stage or area in STAGE_AREAS[stage]


def area_rows(
    settings: Settings, stage: str, area: str, url: str, check: Callable[[Settings, str], Iterator[Finding]]
) -> Iterator[Finding]:
    """Check the server of a URL, unless the stage does not need it, or it does not exist yet."""
    if not is_needed(area, stage):
        return
    address = public_value("url", url)
    if (place := not_there_yet(url)) is not None:
        yield _new_place(area, address, place)
        return
    try:
        yield from check(settings, address)
    except FrametallyError as error:
        yield Finding(area, address, "not usable", remedy=str(error))


def setting_errors(*reads: Callable[[], object]) -> Iterator[Finding]:
    """Read settings as the commands do, and report each wrong value."""
    for read in reads:
        try:
            read()
        except Misconfigured as error:
            name = re.split(r"[^A-Z_]", str(error), maxsplit=1)[0]
            yield Finding("settings", name, "not usable", remedy=str(error))


def not_there_yet(url: str) -> Path | None:
    """Return the folder or file of an embedded port that does not exist yet; otherwise None."""
    scheme, _, rest = url.partition("://")
    path = Path(unquote(rest) if scheme == "file" else rest.removeprefix("/"))
    return path if scheme in ("file", "sqlite") and not path.exists() else None


def _new_place(area: str, address: str, place: Path) -> Finding:
    """Check whether `place` could be created, without creating it."""
    folder = next(parent for parent in place.parents if parent.exists())
    right = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    remedy = "" if right else f"give this user permission to write {folder}, or set FRAMETALLY_DATA_DIR"
    return Finding(area, address, NOTHING_YET, "the first command that writes there creates it", remedy)
