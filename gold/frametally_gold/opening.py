"""Opens the gold tables by their URL's scheme; see `frametally.opening`."""

from __future__ import annotations

from frametally.opening import adapter
from frametally.settings.access import ServerAccess
from frametally_gold.gold_port import Gold

_WORDS = (
    "FRAMETALLY_GOLD_URL",
    "gold database",
    "sqlite:////absolute/file.sqlite or postgresql://host/database",
)


def open_gold(url: str, access: ServerAccess | None = None) -> Gold:
    """Open the gold tables that `url` names: `sqlite:///<absolute file>` or `postgresql://host/database`.

    They are made if they are missing, as is SQLite's file.

    Raises:
        Misconfigured: An unknown kind of URL, or a database that cannot be opened.
    """
    gold: Gold = adapter("gold", url, _WORDS)(url, access=access)
    return gold
