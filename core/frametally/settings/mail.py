"""Settings of mail: by which server, and to whom."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

from frametally.rules.times import HOUR_S
from frametally.settings.access import NO_SECRET, ServerAccess

_PLAIN = re.compile(r"[!-~]+")
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]+@[^\s@<>()\\,;:\"]+")


class MailSettings(BaseModel, defer_build=True):
    """The part of `Settings` about mail."""

    smtp_url: str = Field(
        "",
        description="Server that mail is sent by, `smtp://host:587` (STARTTLS where it is offered) or "
        "`smtps://host`; empty: none is sent.",
    )
    smtp_user: str = Field("", description="Name to log in to the mail server by.")
    smtp_password: SecretStr = Field(NO_SECRET, description="Password of that name.")
    smtp_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that the mail server's certificate may come from."
    )
    mail_from: str = Field(
        "", description="Address that mail is from; empty: the name to log in by, else the first receiver."
    )
    mail_to: str = Field(
        "",
        description="Addresses, separated by commas, that are told of videos that are ready, failed or did "
        "not pass a check; empty: nobody is.",
    )
    mail_digest_s: float = Field(
        300.0, ge=0, le=24 * HOUR_S, description="Seconds for which news wait for others to go into one mail."
    )
    web_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$",
        description="URL of the dashboard as people reach it, for links in mails and in what commands print; "
        "empty: mails have none, and commands name this machine.",
    )

    @field_validator("smtp_url")
    @classmethod
    def _is_of_a_mail_server(cls, url: str) -> str:
        parts = urlsplit(url)
        if not url:
            return url
        if parts.username is not None:
            raise ValueError("a name and a password have settings of their own; leave them out here")
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not _PLAIN.fullmatch(url):
            raise ValueError("name a server as smtp://host:587 or smtps://host")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("a mail server has a name and a port, no path; leave it out")
        if parts.port == 0:
            raise ValueError("0 is no port")
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_one_address(cls, address: str) -> str:
        return _address(address) if address else address

    @field_validator("mail_to")
    @classmethod
    def _are_addresses(cls, addresses: str) -> str:
        return ",".join(_address(address.strip()) for address in addresses.split(",") if address.strip())

    @property
    def smtp_access(self) -> ServerAccess:
        """How to log in to the mail server."""
        return ServerAccess(user=self.smtp_user, password=self.smtp_password, ca_file=self.smtp_ca_file)

    @property
    def mail_receivers(self) -> list[str]:
        """Who is told; nobody where no mail can be sent."""
        return self.mail_to.split(",") if self.mail_to and self.smtp_url else []

    @property
    def mail_sender(self) -> str:
        """The address that mail is from."""
        by_name = self.smtp_user if _ADDRESS.fullmatch(self.smtp_user) else ""
        return self.mail_from or by_name or self.mail_receivers[0]


def _address(address: str) -> str:
    if not (_PLAIN.fullmatch(address) and _ADDRESS.fullmatch(address)):
        raise ValueError(f"{address!r} is no address such as name@example.org")
    return address
