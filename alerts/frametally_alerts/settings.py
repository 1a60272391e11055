"""Settings of alerts: the channels that tell them, and their bounds."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from frametally.settings.plugin_settings import PluginSettings

_NO_SECRET = SecretStr("")


class AlertSettings(PluginSettings, defer_build=True):
    """The part of `Settings` about alerts."""

    alert_channels: SecretStr = Field(
        _NO_SECRET,
        description='Channels of alerts by name, as JSON: `{"ops": "https://host/hook", "people": '
        '"mailto:a@example.org", "hall": "mqtts://user:password@host/topic", "chat": "apprise:..."}`.',
    )
    alert_secret: SecretStr = Field(_NO_SECRET, description="Secret that webhooks are signed with.")
    alert_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that webhooks' and MQTT's certificates may come from."
    )
    alert_allow: str = Field(
        "",
        description="Networks, addresses and host names, beside the public ones, that webhooks and MQTT may "
        "be at.",
    )
    alerts_waiting: int = Field(
        10_000, ge=1, le=10_000_000, description="Messages that may wait; with more, no rule is looked at."
    )
