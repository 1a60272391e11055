"""Sends alerts by Apprise to chats, phones, and other services."""

from __future__ import annotations

import apprise

from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_kinds import AlertChannel
from frametally_alerts.channels.wording import subject_of, text_of
from frametally_alerts.rules import AlertMessage


def send(message: AlertMessage, channel: AlertChannel, settings: Settings) -> str | None:
    """Send an alert by Apprise, which opens its own connections and reports only success or failure.

    Raises:
        Misconfigured: Apprise does not support the URL.
        Retryable: Sending failed.
    """
    teller = apprise.Apprise(asset=apprise.AppriseAsset(app_id="frametally", app_url=""))
    if not teller.add(channel.url.get_secret_value().removeprefix("apprise:")):
        raise Misconfigured(
            f"{channel.place} is not a URL that Apprise knows: correct FRAMETALLY_ALERT_CHANNELS"
        )
    text = text_of(message.alert, settings.web_url)
    if not teller.notify(title=subject_of(message.alert), body=text, body_format=apprise.NotifyFormat.TEXT):
        raise Retryable(f"{channel.place} did not accept the message")
    return None
