"""Sends one mail to the mail server, and explains its refusals."""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from urllib.parse import urlsplit

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.files.names import one_line
from frametally.settings.access import ServerAccess
from frametally.trust import trust

_TIMEOUT_S = 10.0
_RELAY_PORT, _TLS_PORT = 25, 465


class MailServer:
    """The server of a URL in the form of `FRAMETALLY_SMTP_URL`."""

    def __init__(self, url: str, access: ServerAccess) -> None:
        parts = urlsplit(url)
        self._by_tls = parts.scheme == "smtps"
        self._host = parts.hostname or ""
        self._port = parts.port or (_TLS_PORT if self._by_tls else _RELAY_PORT)
        self._access = access
        self._name = f"the mail server {self._host}:{self._port}"

    def send(self, message: EmailMessage) -> str | None:
        """Send a mail to its receivers.

        Returns:
            Which of several receivers were refused, and why, or None.

        Raises:
            Retryable: The server is unavailable, or does not accept the mail for now.
            Poison: It refuses this mail, or all its receivers, for good.
            Misconfigured: The login fails, or is not possible by TLS.
        """
        try:
            with self._session() as session:
                refused = session.send_message(message)
        except (OSError, UnicodeError) as error:  # smtplib's errors are `OSError`s
            raise self._failure(error) from None  # its arguments may contain what was sent
        return _refusals(refused) if refused else None

    def try_out(self) -> None:
        """Connect and log in, and send nothing; raises as `send`."""
        try:
            with self._session():
                pass
        except (OSError, UnicodeError) as error:
            raise self._failure(error) from None

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        session = self._connected()
        try:
            session.ehlo_or_helo_if_needed()
            by_tls = self._by_tls
            if (
                not by_tls
                and session.has_extn("starttls")
                and not (self._is_here and not self._access.ca_file)
            ):
                session.starttls(context=trust(self._access.ca_file))
                session.ehlo()
                by_tls = True
            if self._access.user:
                if not (by_tls or self._is_here):
                    raise Misconfigured(
                        f"{self._name} does not offer STARTTLS, and frametally does not send a password "
                        "without TLS: use smtps:// in FRAMETALLY_SMTP_URL, or leave out "
                        "FRAMETALLY_SMTP_USER"
                    )
                session.login(self._access.user, self._access.password.get_secret_value())
            yield session
            with suppress(OSError):
                session.quit()
        finally:
            session.close()

    def _connected(self) -> smtplib.SMTP:
        if self._by_tls:
            return smtplib.SMTP_SSL(
                self._host, self._port, timeout=_TIMEOUT_S, context=trust(self._access.ca_file)
            )
        return smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_S)

    @property
    def _is_here(self) -> bool:
        try:
            return self._host == "localhost" or ipaddress.ip_address(self._host).is_loopback
        except ValueError:
            return False

    def _failure(self, error: Exception) -> FrametallyError:
        """Return our error, with the server's answer but nothing that was sent."""
        match error:
            case UnicodeError():
                return Misconfigured(
                    f"{self._name}: FRAMETALLY_SMTP_USER and FRAMETALLY_SMTP_PASSWORD must be ASCII"
                )
            case smtplib.SMTPNotSupportedError():
                return Misconfigured(
                    f"{self._name} does not allow signing in on this connection: use smtps:// in "
                    "FRAMETALLY_SMTP_URL, or leave out FRAMETALLY_SMTP_USER"
                )
            case smtplib.SMTPRecipientsRefused():
                is_final = all(_is_final(code) for code, _ in error.recipients.values())
                return (Poison if is_final else Retryable)(f"{self._name}: {_refusals(error.recipients)}")
            case smtplib.SMTPAuthenticationError() if _is_final(error.smtp_code):
                return Misconfigured(
                    f"{self._name} refused the user name or password "
                    f"({_answer_text(error.smtp_code, error.smtp_error)}): correct FRAMETALLY_SMTP_USER "
                    "and FRAMETALLY_SMTP_PASSWORD"
                )
            case smtplib.SMTPResponseException():
                final = _is_final(error.smtp_code) and not isinstance(error, smtplib.SMTPConnectError)
                return (Poison if final else Retryable)(
                    f"{self._name} rejected the e-mail: {_answer_text(error.smtp_code, error.smtp_error)}"
                )
            case ssl.SSLCertVerificationError():
                return Misconfigured(
                    f"{self._name}: its certificate is not trusted ({error.verify_message}): correct "
                    "FRAMETALLY_CA_FILE, the name in FRAMETALLY_SMTP_URL, or the certificate"
                )
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Retryable(
            f"{self._name} cannot be used ({one_line(reason)}): check that it is running, and check "
            "FRAMETALLY_SMTP_URL"
        )


def _is_final(code: int) -> bool:
    return 500 <= code < 600


def _answer_text(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return f"{code} {one_line(text)}"


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{to} was refused: {_answer_text(*answer)}" for to, answer in refused.items())
