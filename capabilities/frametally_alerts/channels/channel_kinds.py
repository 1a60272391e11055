"""Reads channels from `FRAMETALLY_ALERT_CHANNELS` and from the page; secrets in URLs are never shown.

A channel added on the page is stored encrypted with `FRAMETALLY_ALERT_KEY`. Apprise is only allowed in the
settings, because it opens its own connections, which the list of allowed addresses cannot limit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from frametally.errors import Misconfigured
from frametally.files.encryption import WrongKeyError, decrypt_text, encrypt_text
from frametally.process.allowed_addresses import AllowedPlaces
from frametally.settings.fields import SecretStr
from frametally.settings.loading import Settings
from frametally_alerts.settings import AlertSettings

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook

_SETTING = "FRAMETALLY_ALERT_CHANNELS"
_EXAMPLE = '{"ops": "https://host/hook", "people": "mailto:a@example.org"}'
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")
# A mailto: with parameters, escapes or a fragment would need a parser: `?bcc=` adds hidden receivers.
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"?%#]+@[^\s@<>()\\,;:\"?%#]+")
_TOPIC = re.compile(r"/[^#+\0]{1,1000}")
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
    """A channel that sends alerts.

    Attributes:
        url: Address; it may contain secrets.
        place: The part of it to show, without user name, password and path.
        from_settings: Whether it is in the server's settings; else an administrator added it on the page.
    """

    name: str
    kind: ChannelKind
    url: SecretStr
    place: str
    from_settings: bool = True

    @property
    def receivers(self) -> list[str]:
        """The mail addresses of a channel."""
        return self.url.get_secret_value().removeprefix("mailto:").split(",")

    @property
    def host(self) -> str:
        """The host of a webhook or a broker."""
        return urlsplit(self.url.get_secret_value()).hostname or ""

    @property
    def port(self) -> int:
        """The port of a webhook or a broker."""
        parts = urlsplit(self.url.get_secret_value())
        return parts.port or _PORTS[parts.scheme]

    @property
    def by_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.get_secret_value().startswith(("https:", "mqtts:"))

    @property
    def user(self) -> str:
        """User name at a broker, or empty."""
        return unquote(urlsplit(self.url.get_secret_value()).username or "")

    @property
    def password(self) -> str:
        """Password of that user, or empty."""
        return unquote(urlsplit(self.url.get_secret_value()).password or "")


def channels_of(settings: Settings) -> dict[str, AlertChannel]:
    """Return the configured channels, by name.

    Raises:
        Misconfigured: The setting is not valid; the message repeats no part of any URL.
    """
    text = settings.part(AlertSettings).alert_channels.get_secret_value()
    if not text.strip():
        return {}
    try:
        urls = msgspec.json.decode(text.encode(), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Misconfigured(f"{_SETTING} must be JSON of the form {_EXAMPLE}") from None
    try:
        return {name: read_channel(name, url) for name, url in sorted(urls.items())}
    except Misconfigured as error:
        raise Misconfigured(f"{_SETTING}: {error}") from None


def read_channel(name: str, url: str) -> AlertChannel:
    """Return the channel with an address.

    Raises:
        Misconfigured: The name or the address is not valid; the message repeats no part of the address.
    """
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"{name[:60]!r} is not a valid name: use up to 60 ASCII letters, digits, spaces, . _ -"
        )
    scheme, where = url.partition(":")[0], f"the address of {name}"
    kind = _KINDS.get(scheme)
    if kind is None:
        schemes = ", ".join(f"{scheme}:" for scheme in _KINDS)
        raise Misconfigured(f"{where} must begin with one of {schemes}")
    if kind == "apprise":
        return AlertChannel(name, kind, SecretStr(url), f"apprise ({url.split(':')[1]})")
    if not _PRINTED.fullmatch(url):
        raise Misconfigured(f"{where} has a space or a non-ASCII character; escape it with %")
    if kind == "mail":
        channel = AlertChannel(name, kind, SecretStr(url), url.removeprefix("mailto:"))
        for address in channel.receivers:
            if not _ADDRESS.fullmatch(address):
                raise Misconfigured(
                    f"{where} contains something other than e-mail addresses: write them like "
                    "mailto:name@example.org,other@example.org, without ?, % and #"
                )
        return channel
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or not parts.hostname:
        raise Misconfigured(f"{where} does not have a host and a port; write {scheme}://host:8080/place")
    if kind == "webhook" and (parts.username is not None or parts.fragment):
        raise Misconfigured(f"{where}: frametally signs webhooks; remove the user name, password and #")
    if kind == "mqtt" and (not _TOPIC.fullmatch(parts.path) or parts.query or "#" in url):
        raise Misconfigured(f"{where}: give a topic without wildcards, as in {scheme}://host/alerts")
    return AlertChannel(name, kind, SecretStr(url), f"{scheme}://{parts.hostname}:{port or _PORTS[scheme]}")


MOST_CHANNELS = 100


class AllChannels(NamedTuple):
    """The channels by name, and the names of added channels that cannot be read."""

    usable: dict[str, AlertChannel]
    unreadable: list[str]


class NoChannelKey(Misconfigured):
    """There is no secret to encrypt a channel with."""


def allowed_places(settings: Settings) -> AllowedPlaces:
    """Return the allowed addresses of webhooks and brokers. Raises `Misconfigured`."""
    allowed = settings.part(AlertSettings).alert_allow
    return AllowedPlaces(allowed, setting="FRAMETALLY_ALERT_ALLOW", client="alert channel", public=True)


class _Sealed(msgspec.Struct):
    name: str
    url: str


def all_channels(settings: Settings, book: AlertBook) -> AllChannels:
    """Return all channels; of two with the same name, the one in the settings wins.

    Raises:
        Misconfigured: The setting is not valid.
        Retryable: The book is unavailable.
    """
    usable, unreadable = {}, []
    for name, sealed in book.sealed_channels().items():
        channel = _opened(settings, name, sealed)
        if channel is None:
            unreadable.append(name)
        else:
            usable[name] = channel
    usable |= channels_of(settings)
    return AllChannels(dict(sorted(usable.items())), [name for name in unreadable if name not in usable])


def seal_channel(settings: Settings, name: str, url: str) -> tuple[AlertChannel, str]:
    """Return a channel to add, and its stored form.

    Raises:
        NoChannelKey: There is no secret to encrypt it with.
        Misconfigured: The channel is not valid; the message repeats no part of its address.
        AddressRefused: Its address is not allowed.
    """
    channel = _added(name, url)
    if channel.kind != "mail":
        allowed_places(settings).check_written(channel.host)
    key = settings.part(AlertSettings).alert_key.get_secret_value()
    if not key:
        raise NoChannelKey("frametally has no key with which to keep the address of a channel secret")
    return channel, encrypt_text(msgspec.json.encode(_Sealed(name, url)).decode(), key)


def _added(name: str, url: str) -> AlertChannel:
    channel = read_channel(name, url)
    if channel.kind == "apprise":
        raise Misconfigured("you can add apprise channels only in the server's settings")
    return channel._replace(from_settings=False)


def _opened(settings: Settings, name: str, sealed: str) -> AlertChannel | None:
    try:
        text = decrypt_text(sealed, settings.part(AlertSettings).alert_key.get_secret_value())
        stored = msgspec.json.decode(text.encode(), type=_Sealed)
        return _added(stored.name, stored.url) if stored.name == name else None
    except (WrongKeyError, msgspec.DecodeError, Misconfigured):
        return None
