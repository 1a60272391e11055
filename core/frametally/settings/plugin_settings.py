"""What the settings of plug-ins have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel


class PluginSettings(BaseModel, defer_build=True):
    """A part of `Settings` that a plug-in adds; see `Settings.part`."""

    def urls_in(self, data_dir: Path) -> dict[str, Any]:
        """Return the URLs and folders that are not set, by name, for an absolute data folder."""
        return {}
