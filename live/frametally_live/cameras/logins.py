"""How to log in to cameras: by source, from the settings alone; no text that is shown has a password."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from pydantic import SecretStr

from frametally import keys
from frametally.errors import Misconfigured

_SETTING = "FRAMETALLY_LIVE_LOGINS"
_EXAMPLE = '{"gate-1": "user:password"}'
_IN_URL = re.compile(r"(?<=://)[^/@\s]*@")


class CameraLogin(NamedTuple):
    """Whom a camera lets look.

    Attributes:
        user: Name.
        password: Its password.
    """

    user: str
    password: SecretStr

    @property
    def in_url(self) -> str:
        """Both as they stand in a URL, which is shown to nobody."""
        return f"{quote(self.user, safe='')}:{quote(self.password.get_secret_value(), safe='')}"


def without_login(text: str) -> str:
    """Return `text` without what stands before the @ of a URL."""
    return _IN_URL.sub("", text)


def login_of(logins: SecretStr, source: str) -> CameraLogin | None:
    """Return the log-in of a source's camera, from `FRAMETALLY_LIVE_LOGINS`; None: it has none.

    Raises:
        Misconfigured: The setting is not JSON of that form; the line repeats nothing of it.
    """
    text = logins.get_secret_value()
    if not text.strip():
        return None
    try:
        by_source = msgspec.json.decode(text.encode(), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Misconfigured(f"{_SETTING} is no JSON of the form {_EXAMPLE}") from None
    found = {keys.slug(name): login for name, login in by_source.items()}.get(source)
    if found is None:
        return None
    user, colon, password = found.partition(":")
    if not colon or not user:
        raise Misconfigured(f"{_SETTING}: that of {source} is not of the form user:password")
    return CameraLogin(user, SecretStr(password))
