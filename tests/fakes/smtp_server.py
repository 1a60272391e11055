"""A mail server for tests: aiosmtpd on a free port, by TLS and a password if requested."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "frametally@example.org", "kept-from-all-logs"


class Received:
    """The mails that the server has accepted; `answers` are sent instead of accepting, in order."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.users: list[str] = []
        self.answers: list[str] = []
        self.refused: set[str] = set()

    @property
    def mails(self) -> list[EmailMessage]:
        parsed = [
            message_from_bytes(one.original_content or b"", policy=policy.SMTP) for one in self.envelopes
        ]
        assert all(isinstance(one, EmailMessage) for one in parsed)
        return parsed

    @property
    def ids(self) -> list[str]:
        return [mail["Message-ID"] for mail in self.mails]

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd has it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        self.envelopes.append(envelope)
        self.users.append((session.auth_data or b"").decode())
        return "250 taken"


def _let_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == known, auth_data=data.login, handled=data == known)


class _OnAnyPort(Controller):
    """A controller that accepts port 0."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(
    received: Received, folder: Path, *, tls: Literal["none", "starttls", "smtps"] = "none", port: int = 0
) -> Iterator[tuple[str, Path]]:
    """Its URL, and the authority of its certificate; TLS comes with a log-in."""
    authority, ca_file = trustme.CA(), folder / "mail-ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    log_in: dict[str, Any] = {"authenticator": _let_in} if tls != "none" else {}
    ways: dict[str, dict[str, Any]] = {
        "none": {},
        "starttls": {"tls_context": context, "require_starttls": True, "auth_required": True},
        "smtps": {"ssl_context": context, "auth_require_tls": False},
    }
    controller = _OnAnyPort(received, hostname="127.0.0.1", port=port, **ways[tls], **log_in)
    controller.start()
    try:
        yield f"{'smtps' if tls == 'smtps' else 'smtp'}://127.0.0.1:{controller.port}", ca_file
    finally:
        controller.stop(no_assert=True)
