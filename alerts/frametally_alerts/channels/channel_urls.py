"""The channels of `FRAMETALLY_ALERT_CHANNELS`: by name; what is secret in their URLs is never shown."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from pydantic import SecretStr

from frametally.errors import Misconfigured
from frametally.settings.loading import Settings
from frametally_alerts.settings import AlertSettings

_SETTING = "FRAMETALLY_ALERT_CHANNELS"
_EXAMPLE = '{"ops": "https://host/hook", "people": "mailto:a@example.org"}'
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")
_ADDRESS = re.compile(r"[!-~]*[^\s@<>()\[\]\\,;:\"]@[^\s@<>()\\,;:\"]+")
_PRINTED = re.compile(r"[!-~]+")
_KINDS: dict[str, ChannelKind] = {
    "http": "webhook",
    "https": "webhook",
    "mqtt": "mqtt",
    "mqtts": "mqtt",
    "mailto": "mail",
    "apprise": "apprise",
}
_PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}

ChannelKind = Literal["webhook", "mqtt", "mail", "apprise"]


class AlertChannel(NamedTuple):
    """One way by which alerts are told.

    Attributes:
        name: As rules name it.
        kind: Of what kind.
        url: May hold secrets.
        place: What of it is shown: neither log-in nor path.
    """

    name: str
    kind: ChannelKind
    url: SecretStr
    place: str

    @property
    def receivers(self) -> list[str]:
        """The addresses of a channel by mail."""
        return self.url.get_secret_value().removeprefix("mailto:").split(",")

    @property
    def host(self) -> str:
        """The host of a webhook or a broker."""
        return urlsplit(self.url.get_secret_value()).hostname or ""

    @property
    def port(self) -> int:
        """Where it listens."""
        parts = urlsplit(self.url.get_secret_value())
        return parts.port or _PORTS[parts.scheme]

    @property
    def by_tls(self) -> bool:
        """Whether what is sent is hidden."""
        return self.url.get_secret_value().startswith(("https:", "mqtts:"))

    @property
    def user(self) -> str:
        """Name to log in to a broker by; empty: none."""
        return unquote(urlsplit(self.url.get_secret_value()).username or "")

    @property
    def password(self) -> str:
        """Password of that name."""
        return unquote(urlsplit(self.url.get_secret_value()).password or "")


def channels_of(settings: Settings) -> dict[str, AlertChannel]:
    """Return the channels that are set, by name.

    Raises:
        Misconfigured: The setting is none; the line repeats nothing of a URL.
    """
    text = settings.part(AlertSettings).alert_channels.get_secret_value()
    if not text.strip():
        return {}
    try:
        urls = msgspec.json.decode(text.encode(), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Misconfigured(f"{_SETTING} is no JSON of the form {_EXAMPLE}") from None
    return {name: _read(name, url) for name, url in sorted(urls.items())}


def _read(name: str, url: str) -> AlertChannel:
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"{_SETTING}: {name[:60]!r} is no name: up to 60 letters, digits, spaces and . _ - of ASCII"
        )
    scheme = url.partition(":")[0]
    kind = _KINDS.get(scheme)
    if kind is None:
        raise Misconfigured(
            f"{_SETTING}: {name} begins with none of {', '.join(f'{one}:' for one in _KINDS)}"
        )
    if kind == "apprise":
        return AlertChannel(name, kind, SecretStr(url), f"apprise ({url.split(':')[1]})")
    if not _PRINTED.fullmatch(url):
        raise Misconfigured(f"{_SETTING}: {name} has a space, or what is no ASCII, in it; escape that by %")
    if kind == "mail":
        channel = AlertChannel(name, kind, SecretStr(url), url.removeprefix("mailto:"))
        for address in channel.receivers:
            if not _ADDRESS.fullmatch(address):
                raise Misconfigured(
                    f"{_SETTING}: {name}: what it names is no address such as name@example.org"
                )
        return channel
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or not parts.hostname:
        raise Misconfigured(f"{_SETTING}: {name} names no host and port, such as {scheme}://host:8080/place")
    if kind == "webhook" and (parts.username is not None or parts.fragment):
        raise Misconfigured(f"{_SETTING}: {name}: a webhook has neither a log-in nor a #; it is signed")
    if kind == "mqtt" and (not _TOPIC.fullmatch(parts.path) or parts.query or "#" in url):
        raise Misconfigured(
            f"{_SETTING}: {name}: name a topic without wildcards, as in {scheme}://host/alerts"
        )
    return AlertChannel(name, kind, SecretStr(url), f"{scheme}://{parts.hostname}:{port or _PORTS[scheme]}")


_TOPIC = re.compile(r"/[^#+\0]{1,1000}")
