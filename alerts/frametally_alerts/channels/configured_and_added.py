"""All channels: those of the settings, and those that administrators added on the page.

An added one is stored encrypted by `FRAMETALLY_ALERT_KEY`, and its address is never shown again. Apprise is
for the settings alone: it opens connections of its own, which no list of allowed addresses binds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from frametally.errors import Misconfigured
from frametally.files.encryption import WrongKeyError, decrypt_text, encrypt_text
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_kinds import AlertChannel, channels_of, read_channel
from frametally_alerts.settings import AlertSettings

if TYPE_CHECKING:
    from frametally_alerts.channel_rows import ChannelRows

MOST_CHANNELS = 100


class AllChannels(NamedTuple):
    """The channels by name, and the names of added ones that cannot be read."""

    usable: dict[str, AlertChannel]
    unreadable: list[str]


class NoChannelKey(Misconfigured):
    """There is no secret to encrypt a channel by."""


class _Sealed(msgspec.Struct):
    name: str
    url: str


def all_channels(settings: Settings, book: ChannelRows) -> AllChannels:
    """Return all channels; of two with one name that of the settings counts.

    Raises:
        Misconfigured: The setting is wrong.
        Retryable: The book is away.
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
    """Return a channel that is to be added, and what is stored of it.

    Raises:
        NoChannelKey: There is no secret to encrypt it by.
        Misconfigured: There can be no such channel; the line repeats nothing of its address.
    """
    channel = _added(name, url)
    key = settings.part(AlertSettings).alert_key.get_secret_value()
    if not key:
        raise NoChannelKey("frametally has no key to keep the address of a channel secret")
    return channel, encrypt_text(msgspec.json.encode(_Sealed(name, url)).decode(), key)


def _added(name: str, url: str) -> AlertChannel:
    channel = read_channel(name, url)
    if channel.kind == "apprise":
        raise Misconfigured(f"{name}: apprise channels are only possible in the server's settings")
    return channel._replace(from_settings=False)


def _opened(settings: Settings, name: str, sealed: str) -> AlertChannel | None:
    try:
        text = decrypt_text(sealed, settings.part(AlertSettings).alert_key.get_secret_value())
        stored = msgspec.json.decode(text.encode(), type=_Sealed)
        return _added(stored.name, stored.url) if stored.name == name else None
    except (WrongKeyError, msgspec.DecodeError, Misconfigured):
        return None
