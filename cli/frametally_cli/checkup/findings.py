"""The findings of a check-up, from frametally and from plug-ins.

A check gives findings and raises nothing: what is broken has its remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from frametally.ports.object_store import ObjectInfo
from frametally.process.reports import Progress
from frametally.records import SealedRecord
from frametally.settings.fields import SecretStr, without_passwords

_SECRET_NAME = re.compile(r"password|secret|token|credential|access_key", re.IGNORECASE)


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        area: What it belongs to: `settings`, `store`, `log`, `index`, `ledger`, `model`, `software`, ...
        value: What was found; never a secret.
        note: Where it comes from, or what it is needed for.
        remedy: What to do about it; empty: it is good.
    """

    area: str
    name: str
    value: str
    note: str = ""
    remedy: str = ""

    @property
    def good(self) -> bool:
        """Whether there is nothing to do."""
        return not self.remedy


def shown(name: str, value: object) -> str:
    """Return a setting's value as it may be shown: whether a secret is set, and URLs without passwords."""
    if isinstance(value, SecretStr) or _SECRET_NAME.search(name):
        return "(set)" if str(value or "") else ""
    return without_passwords("" if value is None else str(value))


class Leftover(NamedTuple):
    """A thing that is there in vain."""

    id: str
    line: str
    remove: Callable[[Progress], None]


class Leftovers(NamedTuple):
    """A plug-in's part of that."""

    objects: list[ObjectInfo]
    objects_are: str
    things: Callable[[], list[Leftover]]
    things_are: str


class RecordFolder(NamedTuple):
    """A folder of small records that a plug-in keeps.

    Attributes:
        words: What people call what is in it.
    """

    folder: str
    words: str
    type_of: Callable[[str], type[SealedRecord]]


class StatusPart(NamedTuple):
    """The result of the hook `status`."""

    lines: Sequence[str]
    figures: Mapping[str, Any]
