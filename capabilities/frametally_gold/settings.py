"""Settings of the gold tables and their database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from frametally.errors import Misconfigured
from frametally.settings.access import NO_SECRET, ServerAccess
from frametally.settings.fields import Field, SecretStr
from frametally.settings.other_names import OtherName
from frametally.settings.plugin_settings import PluginSettings

if TYPE_CHECKING:
    from frametally.settings.loading import Settings


class GoldSettings(PluginSettings):
    """The part of `Settings` about the gold tables."""

    gold_url: str = Field(
        "", description="Database of the gold tables; if empty, SQLite in `<data_dir>/gold.sqlite`."
    )
    gold_password: SecretStr = Field(NO_SECRET, description="Password of the user in the URL.")

    @property
    def gold_access(self) -> ServerAccess:
        """The login for the gold database."""
        return ServerAccess(password=self.gold_password)

    def urls_in(self, data_dir: Path) -> dict[str, Any]:
        """Return the URLs, with a default for an empty one; see `PluginSettings.urls_in`."""
        return super().urls_in(data_dir) | {
            "gold_url": self.gold_url or f"sqlite:///{data_dir / 'gold.sqlite'}",
        }

    @classmethod
    def by_other_names(cls, variables: Mapping[str, str]) -> Iterator[OtherName]:
        """Yield the database URL and password from `PG_CONN_URI`, if `FRAMETALLY_GOLD_URL` is not set."""
        name = "PG_CONN_URI"
        if name not in variables or "FRAMETALLY_GOLD_URL" in variables:
            return
        try:
            parts = urlsplit(variables[name])
            has_server = parts.scheme.partition("+")[0] in ("postgresql", "postgres") and (
                parts.hostname or "host" in parse_qs(parts.query)
            )
        except ValueError:
            has_server = False
        if not has_server:  # not shown: it may contain a password
            raise Misconfigured(f"{name} must have the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        user, _, place = parts.netloc.rpartition("@")
        if user := user.partition(":")[0]:
            place = f"{user}@{place}"
        path = urlunsplit(("", "", parts.path, parts.query, ""))
        yield OtherName("gold_url", name, f"postgresql://{place}{path}")
        if parts.password:
            yield OtherName("gold_password", name, unquote(parts.password))


def servers(settings: Settings) -> dict[str, str]:
    """Return the URL of the gold tables."""
    return {"gold": settings.part(GoldSettings).gold_url}


def is_wanted(settings: Settings) -> bool:
    """Return whether `FRAMETALLY_GOLD_URL` names another database, or the default file exists.

    `frametally gold` creates that file; until you run it, the tables would only double the disk space.
    """
    url = urlsplit(settings.part(GoldSettings).gold_url)
    usual = f"sqlite:///{settings.data_dir / 'gold.sqlite'}"
    return bool(url.scheme) and (
        settings.part(GoldSettings).gold_url != usual or Path(unquote(url.path)).exists()
    )
