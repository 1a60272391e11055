"""Reads settings from other tools' variables: a mail server and the recipients of mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.plugins import hooks

_SUBMISSION, _SUBMISSION_BY_TLS = 587, 465


class OtherName(NamedTuple):
    """A setting with the value of another tool's variable."""

    setting: str
    variable: str
    value: str


def by_other_names(variables: Mapping[str, str], prefix: str) -> dict[str, OtherName]:
    """Return the settings that only other tools' names set, by our name; our names take precedence.

    A server's address, user and password belong together: a password is never sent to a different server.

    Args:
        variables: All variables that are set.
        prefix: The prefix of our variables.

    Raises:
        Misconfigured: A value is not allowed.
    """
    other_names: list[OtherName] = []
    if f"{prefix}SMTP_URL" not in variables:
        other_names += _mail_server(variables)
    if "EMAIL_RECEIVER" in variables:
        other_names.append(OtherName("mail_to", "EMAIL_RECEIVER", variables["EMAIL_RECEIVER"]))
    for part in hooks("settings"):
        other_names += part.by_other_names(variables)
    return {
        other_name.setting: other_name
        for other_name in other_names
        if f"{prefix}{other_name.setting.upper()}" not in variables
    }


def _mail_server(variables: Mapping[str, str]) -> Iterator[OtherName]:
    host, port = variables.get("SMTP_SERVER"), variables.get("SMTP_PORT", str(_SUBMISSION))
    if not host:
        return
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise Misconfigured(f"SMTP_PORT={port} is not a port; set it to a port such as {_SUBMISSION}")
    scheme = "smtps" if int(port) == _SUBMISSION_BY_TLS else "smtp"
    yield OtherName("smtp_url", "SMTP_SERVER", f"{scheme}://{host}:{port}")
    for name in ("SMTP_USER", "SMTP_PASSWORD"):
        if name in variables:
            yield OtherName(name.lower(), name, variables[name])
