"""Defines the settings of mail: its server and its recipients."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from frametally.settings.access import NO_SECRET, ServerAccess, TrustSettings
from frametally.settings.fields import Field, SecretStr

_PLAIN = re.compile(r"[!-~]+")
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]+@[^\s@<>()\\,;:\"]+")


def _mail_server(url: str) -> str:
    parts = urlsplit(url)
    if not url:
        return url
    if parts.username is not None:
        raise ValueError("the user name and password have their own settings; leave them out here")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not _PLAIN.fullmatch(url):
        raise ValueError("write the server as smtp://host:587 or smtps://host")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("a mail server has a name and a port but no path; leave the path out")
    if parts.port == 0:
        raise ValueError("0 is not a port")
    return url


def _address(address: str) -> str:
    if address and not (_PLAIN.fullmatch(address) and _ADDRESS.fullmatch(address)):
        raise ValueError(f"{address!r} is not an e-mail address such as name@example.org")
    return address


def _addresses(addresses: str) -> str:
    return ",".join(_address(address.strip()) for address in addresses.split(",") if address.strip())


class MailSettings(TrustSettings):
    """The part of `Settings` about mail."""

    smtp_url: str = Field(
        "",
        check=_mail_server,
        description="Server that sends e-mail, `smtp://host:587` (STARTTLS if the server offers it) or "
        "`smtps://host`; if empty, no e-mail.",
    )
    smtp_user: str = Field("", description="User name for the mail server.")
    smtp_password: SecretStr = Field(NO_SECRET, description="Password of that user.")
    mail_from: str = Field(
        "",
        check=_address,
        description="Sender address of e-mail; if empty, the user name, or the first recipient.",
    )
    mail_to: str = Field(
        "",
        check=_addresses,
        description="Addresses, separated by commas, that get an e-mail when a video is ready, fails or "
        "does not pass a check; if empty, none.",
    )
    web_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$",
        description="Public URL of the dashboard, for links in e-mails and in the output of commands; if "
        "empty, e-mails have no links, and commands name this machine.",
    )

    @property
    def smtp_access(self) -> ServerAccess:
        """How to log in to the mail server."""
        return ServerAccess(user=self.smtp_user, password=self.smtp_password, ca_file=self.ca_file)

    @property
    def mail_receivers(self) -> list[str]:
        """The recipients; empty if no mail can be sent."""
        return self.mail_to.split(",") if self.mail_to and self.smtp_url else []

    @property
    def mail_sender(self) -> str:
        """The sender address of mail."""
        by_name = self.smtp_user if _ADDRESS.fullmatch(self.smtp_user) else ""
        return self.mail_from or by_name or self.mail_receivers[0]
