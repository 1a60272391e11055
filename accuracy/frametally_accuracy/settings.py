"""Settings of accuracy checks."""

from __future__ import annotations

from frametally.settings.fields import Field
from frametally.settings.plugin_settings import PluginSettings


class AccuracySettings(PluginSettings):
    """The part of `Settings` about accuracy checks."""

    accuracy_units: int = Field(
        400, ge=30, le=5000, description="Units that an accuracy check draws; you can stop earlier."
    )
