"""Defines the shared part of plug-ins' settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from frametally.settings.access import TrustSettings
from frametally.settings.other_names import OtherName


class PluginSettings(TrustSettings):
    """A part of `Settings` that a plug-in adds; see `Settings.part`."""

    def urls_in(self, data_dir: Path) -> dict[str, Any]:
        """Return the defaults of unset URLs and folders, by name, for an absolute data folder."""
        return {}

    @classmethod
    def by_other_names(cls, variables: Mapping[str, str]) -> Iterable[OtherName]:
        """Return the settings that only other tools' names set; raises as `other_names.by_other_names`."""
        return ()
