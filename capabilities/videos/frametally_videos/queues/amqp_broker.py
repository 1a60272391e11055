"""Connects to RabbitMQ, explains its errors, and declares its queues."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from amqp.exceptions import AccessRefused, NotAllowed, PreconditionFailed
from kombu import Connection, Exchange, Queue
from kombu.exceptions import KombuError

from frametally.errors import FrametallyError, Misconfigured, Retryable, unknown_host
from frametally.settings.access import ServerAccess
from frametally_videos.queues.task_queue import QUEUES, QueueName

_SETTING = "FRAMETALLY_QUEUE_URL"
_PART = "queue (RabbitMQ)"
_PORTS = {"amqp": 5672, "amqps": 5671}
_CONNECT_WITHIN_S = 5.0
_HEARTBEAT_S = 10
"""After two intervals without a byte, each side considers the other gone."""
FAILURES: tuple[type[BaseException], ...] = (
    *Connection("amqp://").connection_errors,
    *Connection("amqp://").channel_errors,
    KombuError,
    OSError,
)
"""Errors of the library after which the connection must be opened again."""


class AmqpAccess:
    """A broker and the login for it."""

    def __init__(self, url: str, access: ServerAccess | None) -> None:
        """Read the URL: `amqp://host[:port][/virtual host]`, or `amqps://` for TLS.

        Raises:
            Misconfigured: It is not a URL, or contains a password.
        """
        parsed = urlsplit(url)
        try:
            port = parsed.port or _PORTS[parsed.scheme]
        except ValueError as error:
            raise _no_url(url) from error
        if not parsed.hostname or parsed.query or parsed.fragment:
            raise _no_url(url)
        if parsed.password is not None:
            raise Misconfigured(
                f"{_SETTING} contains a password, but frametally shows and logs URLs: leave the password "
                "out, and set FRAMETALLY_QUEUE_PASSWORD"
            )
        self.url = url
        self.where = f"RabbitMQ at {parsed.hostname}:{port}"
        self._access = access = access or ServerAccess()
        self._virtual_host = unquote(parsed.path.removeprefix("/")) or "/"
        self._user = access.user or unquote(parsed.username or "") or "guest"
        password = access.password.get_secret_value()
        self._options: dict[str, Any] = {
            "hostname": parsed.hostname,
            "port": port,
            "userid": self._user,
            "password": password or ("guest" if self._user == "guest" else ""),
            "virtual_host": self._virtual_host,
        }
        self._is_encrypted = parsed.scheme == "amqps"
        if self._is_encrypted:
            authorities = None if access.ca_file is None else str(access.ca_file)
            self._options["ssl"] = {
                "cert_reqs": ssl.CERT_REQUIRED,
                "ca_certs": authorities,
                "server_hostname": parsed.hostname,
            }

    @contextmanager
    def explained(self, *, logging_in: bool = False) -> Iterator[None]:
        """Translate the library's errors within the block.

        Raises:
            Misconfigured: A person has to change something.
            Retryable: The broker is not available.
        """
        try:
            yield
        except FAILURES as error:
            raise self._explain(error, logging_in) from error

    def connect(self) -> Connection:
        """Return an open connection. Raises the errors of `explained`."""
        connection = Connection(
            **self._options,
            transport="pyamqp",
            connect_timeout=_CONNECT_WITHIN_S,
            heartbeat=_HEARTBEAT_S,
            transport_options={
                "confirm_publish": True,
                "read_timeout": _CONNECT_WITHIN_S * 2,
                "write_timeout": _CONNECT_WITHIN_S,
            },
        )
        with self.explained(logging_in=True):
            # Like `connect`, but without its pause of 2 s and second try: callers try again themselves.
            connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)
        return connection

    def _explain(self, error: BaseException, logging_in: bool) -> FrametallyError:
        match error:
            case AccessRefused() if logging_in:
                return Misconfigured(
                    f"{self.where} refused the user name {self._user!r} or its password: check the name in "
                    f"{_SETTING}, and FRAMETALLY_QUEUE_PASSWORD"
                )
            case AccessRefused():
                return Misconfigured(
                    f"{self.where} does not give the user {self._user!r} a permission that frametally "
                    f"needs ({error.reply_text}): ask an administrator to add it (rabbitmqctl "
                    "set_permissions)"
                )
            case NotAllowed():
                return Misconfigured(
                    f"{self.where} does not allow the user {self._user!r} to use the virtual host "
                    f"{self._virtual_host!r}: correct the end of {_SETTING}, or ask an administrator to "
                    "create the virtual host"
                )
            case PreconditionFailed():
                return Misconfigured(
                    f"{self.where} has a queue or an exchange of another kind ({error.reply_text}): delete "
                    f"it there, and frametally creates it again, or set another virtual host in {_SETTING}"
                )
            case socket.gaierror():
                return unknown_host(self.where, _SETTING, part=_PART)
            case ssl.SSLCertVerificationError():
                return Misconfigured(
                    f"the certificate of {self.where} is not trusted ({error.verify_message}): set "
                    "FRAMETALLY_CA_FILE to the certificate file of its authority"
                )
            case ssl.SSLError():
                return Misconfigured(
                    f"{self.where} does not use TLS: begin {_SETTING} with amqp:, or use its TLS port"
                )
            case FileNotFoundError() | PermissionError() if self._access.ca_file is not None:
                return Misconfigured(
                    f"FRAMETALLY_CA_FILE={self._access.ca_file} cannot be read: correct its path"
                )
        return Retryable(
            f"{self.where} is not responding correctly ({_in_words(error)}): start it, or check {_SETTING}",
            part=_PART,
        )


def _no_url(url: str) -> Misconfigured:
    return Misconfigured(
        f"{_SETTING}={url!r} does not name a broker: use amqp://host:port/virtual-host, or amqps://"
    )


def _in_words(error: BaseException) -> str:
    reason = getattr(error, "strerror", None) or getattr(error, "reply_text", None) or str(error)
    return " ".join(str(reason).split()) or type(error).__name__


_DELIVERIES = 5
"""Deliveries of a job's announcement until, after as many lost workers, it becomes a dead letter."""
EXCHANGE = Exchange("frametally.media", type="direct", durable=True, delivery_mode="persistent")
_DEAD = Exchange("frametally.media.dead", type="fanout", durable=True)
DEAD_LETTERS = Queue(
    _DEAD.name, _DEAD, durable=True, queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
)
QUEUES_THERE: dict[QueueName, Queue] = {
    name: Queue(
        name,
        EXCHANGE,
        routing_key=name,
        durable=True,
        queue_arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": _DELIVERIES - 1,  # deliveries *after* the first
            "x-dead-letter-exchange": _DEAD.name,
        },
    )
    for name in QUEUES
}


def declare(connection: Connection) -> None:
    """Create the queues and exchanges that are missing, as after a broker has lost everything."""
    with connection.channel() as channel:
        for queue in (DEAD_LETTERS, *QUEUES_THERE.values()):
            queue(channel).declare()
