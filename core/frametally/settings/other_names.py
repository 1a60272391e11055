"""Names of others for what has names of our own: a mail server, who gets mail, a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from frametally.errors import Misconfigured

_SUBMISSION, _SUBMISSION_BY_TLS = 587, 465


class OtherName(NamedTuple):
    """A setting that was set by another variable."""

    setting: str
    variable: str
    value: str


def by_other_names(variables: Mapping[str, str], prefix: str) -> dict[str, OtherName]:
    """Return the settings that only others' names set, by our name; what is set by ours wins.

    A server's address, name and password are one: a password is never sent to another server than it was
    set for.

    Args:
        variables: All that are set.
        prefix: Of ours.

    Raises:
        Misconfigured: A value is not allowed.
    """
    found: list[OtherName] = []
    if f"{prefix}SMTP_URL" not in variables:
        found += _mail_server(variables)
    if f"{prefix}GOLD_URL" not in variables:
        found += _gold_database(variables)
    if "EMAIL_RECEIVER" in variables:
        found.append(OtherName("mail_to", "EMAIL_RECEIVER", variables["EMAIL_RECEIVER"]))
    return {one.setting: one for one in found if f"{prefix}{one.setting.upper()}" not in variables}


def _mail_server(variables: Mapping[str, str]) -> Iterator[OtherName]:
    host, port = variables.get("SMTP_SERVER"), variables.get("SMTP_PORT", str(_SUBMISSION))
    if not host:
        return
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise Misconfigured(f"SMTP_PORT={port}: name a port, such as {_SUBMISSION}")
    scheme = "smtps" if int(port) == _SUBMISSION_BY_TLS else "smtp"
    yield OtherName("smtp_url", "SMTP_SERVER", f"{scheme}://{host}:{port}")
    for name in ("SMTP_USER", "SMTP_PASSWORD"):
        if name in variables:
            yield OtherName(name.lower(), name, variables[name])


def _gold_database(variables: Mapping[str, str]) -> Iterator[OtherName]:
    name = "PG_CONN_URI"
    if name not in variables:
        return
    try:
        parts = urlsplit(variables[name])
        known = parts.scheme.partition("+")[0] in ("postgresql", "postgres") and parts.hostname
    except ValueError:
        known = False
    if not known:  # it may hold a password, so it is not shown
        raise Misconfigured(f"{name}: give it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    place = parts.netloc.rpartition("@")[2]
    yield OtherName("gold_url", name, urlunsplit(("postgresql", place, parts.path, parts.query, "")))
    if user:
        yield OtherName("gold_user", name, user)
    if password:
        yield OtherName("gold_password", name, password)
