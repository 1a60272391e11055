"""Defines the settings of alerts: the channels and their limits."""

from __future__ import annotations

from frametally.settings.access import hard_to_guess
from frametally.settings.fields import Field, SecretStr
from frametally.settings.plugin_settings import PluginSettings

_NO_SECRET = SecretStr("")


class AlertSettings(PluginSettings):
    """The part of `Settings` about alerts."""

    alert_channels: SecretStr = Field(
        _NO_SECRET,
        description='Channels of alerts by name, as JSON: `{"ops": "https://host/hook", "people": '
        '"mailto:a@example.org", "hall": "mqtts://user:password@host/topic", "chat": "apprise:..."}`.',
    )
    alert_secret: SecretStr = Field(_NO_SECRET, description="Secret that signs webhooks.")
    alert_key: SecretStr = Field(
        _NO_SECRET,
        check=hard_to_guess,
        description="Secret that encrypts channels that you add on the page, at least 32 characters; "
        "if empty, the page cannot add channels.",
    )
    alert_allow: str = Field(
        "",
        description="Networks, addresses and host names, in addition to public ones, that webhooks and MQTT "
        "may use.",
    )
