"""The findings of a check-up, from frametally and from plug-ins.

A check raises nothing: each problem that it finds comes with its remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from frametally.ports.object_store import ObjectInfo
from frametally.process.limits import disk_bytes
from frametally.process.reports import Progress
from frametally.records import SealedRecord
from frametally.settings.fields import SecretStr, without_passwords
from frametally.settings.loading import Settings

_SECRET_NAME = re.compile(r"password|secret|token|credential|access_key", re.IGNORECASE)


class Finding(NamedTuple):
    """One thing that was checked.

    Attributes:
        area: What it belongs to: `settings`, `store`, `log`, `index`, `ledger`, `model`, `software`, ...
        value: The observed value; never a secret.
        note: Where the value comes from, or what it is needed for.
        remedy: What to do about it; empty if all is well.
    """

    area: str
    name: str
    value: str
    note: str = ""
    remedy: str = ""

    @property
    def good(self) -> bool:
        """Whether no action is needed."""
        return not self.remedy


def public_value(name: str, value: object) -> str:
    """Return a setting's value for display: only whether a secret is set, and URLs without passwords."""
    if isinstance(value, SecretStr) or _SECRET_NAME.search(name):
        return "(set)" if str(value or "") else ""
    return without_passwords("" if value is None else str(value))


class Leftover(NamedTuple):
    """A thing that nothing uses any more."""

    id: str
    line: str
    remove: Callable[[Progress], None]


class Leftovers(NamedTuple):
    """A plug-in's leftovers."""

    objects: list[ObjectInfo]
    objects_are: str
    things: Callable[[], list[Leftover]]
    things_are: str


class RecordFolder(NamedTuple):
    """A folder of small records that a plug-in keeps.

    Attributes:
        words: The users' name for its contents.
    """

    folder: str
    words: str
    type_of: Callable[[str], type[SealedRecord]]


class StatusPart(NamedTuple):
    """The result of the hook `status`."""

    lines: Sequence[str]
    figures: Mapping[str, Any]


def disk_row(settings: Settings) -> Finding:
    """Compare the free space of the data folder's disk with `min_free_disk_mb`."""
    folder = str(settings.data_dir)
    try:
        free_mb = disk_bytes(settings.data_dir)[0] // 1_000_000
    except OSError as error:
        return Finding("disk", folder, error.strerror or str(error), remedy="set FRAMETALLY_DATA_DIR")
    full = "free some space there, or set FRAMETALLY_DATA_DIR to a folder on another disk"
    least_mb = settings.min_free_disk_mb
    remedy = "" if free_mb >= least_mb else full
    return Finding("disk", folder, f"{free_mb} MB free", f"{least_mb} MB needed", remedy)


def disk_lines(settings: Settings) -> list[str]:
    """Return a line if the data folder's disk is full, for commands that only read and so continue."""
    disk = disk_row(settings)
    return [] if disk.good else [f"disk of {disk.name}: {disk.value}, {disk.note}; {disk.remedy}"]
