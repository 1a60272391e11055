"""Settings of the gold tables: which database has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr

from frametally.settings.access import NO_SECRET, ServerAccess
from frametally.settings.plugin_settings import PluginSettings

if TYPE_CHECKING:
    from frametally.settings.loading import Settings


class GoldSettings(PluginSettings, defer_build=True):
    """The part of `Settings` about the gold tables."""

    gold_url: str = Field(
        "", description="Database of the gold tables; empty: SQLite in `<data_dir>/gold.sqlite`."
    )
    gold_user: str = Field("", description="Name to log in to the gold database by.")
    gold_password: SecretStr = Field(NO_SECRET, description="Password of that name.")
    gold_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that its certificate may come from."
    )

    @property
    def gold_access(self) -> ServerAccess:
        """How to log in to the gold database."""
        return ServerAccess(user=self.gold_user, password=self.gold_password, ca_file=self.gold_ca_file)

    def urls_in(self, data_dir: Path) -> dict[str, Any]:
        """Return the URLs that are empty; see `PluginSettings.urls_in`."""
        return super().urls_in(data_dir) | {
            "gold_url": self.gold_url or f"sqlite:///{data_dir / 'gold.sqlite'}",
        }


def servers(settings: Settings) -> dict[str, str]:
    """Return where the gold tables are."""
    return {"gold": settings.part(GoldSettings).gold_url}
