"""The task queue in RabbitMQ: confirmed, persistent messages in quorum queues."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec
from amqp.exceptions import AccessRefused, NotAllowed, PreconditionFailed
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import KombuError
from kombu.message import Message

from frametally.errors import FrametallyError, Misconfigured, Retryable, unknown_host
from frametally.settings.access import ServerAccess
from frametally_videos.catalogue.catalogue_rows import Job
from frametally_videos.queues.task_queue import QUEUES, BookQueue, JobConsumer, QueueName, queue_of, take_over

if TYPE_CHECKING:
    from frametally_videos.catalogue.job_book import JobBook

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
        is_away = "is not responding" if isinstance(error, OSError) else "is not responding correctly"
        return Retryable(
            f"{self.where} {is_away} ({_in_words(error)}): start it, or check {_SETTING}",
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


_GLANCE_S = 0.001
SETTLE_AFTER_S = 25 * 60.0
"""When a running job is acknowledged, since RabbitMQ waits for only 30 minutes (`consumer_timeout`)."""


class JobMessage(msgspec.Struct, frozen=True):
    """The announcement of a job."""

    job_id: str
    kind: str
    video_id: str


# Created before any threads start; see `records.decode`.
_messages = msgspec.json.Decoder(JobMessage)


def _job_id_of(message: Message) -> str | None:
    """Return the ID of the job in a message, or None if the message is not ours."""
    body = message.body
    try:
        return _messages.decode(body if isinstance(body, bytes) else str(body).encode()).job_id
    except msgspec.MsgspecError:
        return None


class _AmqpConsumer(JobConsumer):
    def __init__(self, access: AmqpAccess, book: JobBook, queues: Sequence[QueueName]) -> None:
        super().__init__(book, queues)
        self._access = access
        self._names = list(queues)
        self._connection: Connection | None = None
        self._waiting: Consumer | None = None
        self._arrived: list[Message] = []
        self._message: Message | None = None
        self._settle_at_s = 0.0

    def take(self, worker: str, *, lease_s: float, wait_s: float) -> Job | None:
        if self._message is None:
            try:
                with self._access.explained():
                    self._message = self._receive(wait_s)
            except BaseException:
                self._drop()
                raise
            self._settle_at_s = time.monotonic() + SETTLE_AFTER_S
        if self._message is None:
            return None
        job = self._claim(self._message, worker, lease_s)
        if job is None:
            self.settle()
        return job

    def keep(self) -> bool:
        """Keep the connection, and acknowledge before the broker's timeout; see `JobConsumer.keep`."""
        if self._connection is None:
            return False
        try:
            self._connection.heartbeat_check()
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=_GLANCE_S)
            if self._message is not None and time.monotonic() > self._settle_at_s:
                self.settle()
        except FAILURES:
            self._drop()
        return self._connection is not None

    def settle(self) -> None:
        """Acknowledge the job. Without a connection, other workers get it, and see its end in the book."""
        message, self._message = self._message, None
        if message is not None:
            try:
                message.ack()
            except FAILURES:
                self._drop()

    def close(self) -> None:
        """Disconnect, so that other workers get the unacknowledged jobs."""
        self._drop()

    def _claim(self, message: Message, worker: str, lease_s: float) -> Job | None:
        job_id = _job_id_of(message)
        if job_id is None:
            return None
        job = self._book.claim(worker, self._kinds, lease_s=lease_s, job_id=job_id)
        if job is None and message.delivery_info.get("redelivered"):
            return take_over(
                self._book, job_id, worker=worker, kinds=self._kinds, lease_s=lease_s, meanwhile=self.keep
            )
        return job

    def _receive(self, wait_s: float) -> Message | None:
        """Return the next message: a waiting one, or else the first within `wait_s`.

        A listener could get one message from each queue at once, since quorum queues have no limit per
        channel. So waiting messages are fetched one by one, and it listens only while all queues are empty.
        Surplus messages go back.
        """
        connection = self._connected()
        connection.heartbeat_check()
        if self._waiting is None:
            waits = self._fetch(connection)
            if waits is not None:
                return waits
            self._waiting = Consumer(
                connection.default_channel,
                [QUEUES_THERE[name] for name in self._names],
                auto_declare=False,
                on_message=self._arrived.append,
                prefetch_count=1,
            )
            self._waiting.consume()
        if not self._arrived:
            with suppress(TimeoutError):
                connection.drain_events(timeout=wait_s)
        if not self._arrived:
            return None
        self._waiting.cancel()
        self._waiting = None
        first, *more = self._arrived
        self._arrived.clear()
        for message in more:
            message.requeue()
        return first

    def _fetch(self, connection: Connection) -> Message | None:
        # A video's counts do not wait for another video's side jobs.
        for name in sorted(self._names, key=lambda name: name != "frames"):
            message: Message | None = QUEUES_THERE[name](connection.default_channel).get()
            if message is not None:
                self._names.append(self._names.pop(self._names.index(name)))  # the other queues are next
                return message
        return None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._access.connect()
            declare(self._connection)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._waiting = self._message = None
        self._arrived.clear()
        if connection is not None:
            with suppress(*FAILURES):
                connection.release()


_CONFIRM_WITHIN_S = 10.0


class AmqpQueue(BookQueue):
    """A queue in the broker that a URL names."""

    is_told = True

    def __init__(self, url: str, *, book: JobBook, access: ServerAccess | None = None) -> None:
        """Read the URL without connecting; see `BookQueue`."""
        super().__init__(url, book=book)
        self._access = AmqpAccess(url, access)
        self._connection: Connection | None = None

    def prepare(self) -> None:
        """Create missing queues, and check the connection; see `BookQueue.prepare`."""
        with self._connected() as connection:
            connection.heartbeat_check()
            with suppress(TimeoutError):
                connection.drain_events(timeout=_GLANCE_S)

    def tell(self, jobs: Sequence[Job]) -> None:
        """Publish each job's ID, and wait for the broker's confirmation; see `BookQueue.tell`."""
        with self._connected() as connection:
            producer = Producer(connection.default_channel, EXCHANGE, auto_declare=False)
            for job in jobs:
                producer.publish(
                    msgspec.json.encode(JobMessage(job.id, job.kind, job.video_id)),
                    routing_key=queue_of(job.kind),
                    content_type="application/json",
                    content_encoding="utf-8",
                    timeout=_CONFIRM_WITHIN_S,
                    confirm_timeout=_CONFIRM_WITHIN_S,
                )

    def consumer(self, queues: Sequence[QueueName]) -> _AmqpConsumer:
        """Return a worker's end with a separate connection; see `BookQueue.consumer`."""
        return _AmqpConsumer(self._access, self._book, queues)

    def drain(self, handle: Callable[[str], object]) -> None:
        """Call `handle` with each dead letter's job; see `BookQueue.drain`."""
        with self._connected() as connection:
            letters = DEAD_LETTERS(connection.default_channel)
            while (message := letters.get()) is not None:
                job_id = _job_id_of(message)
                if job_id is not None:
                    handle(job_id)
                message.ack()

    def close(self) -> None:
        """Release the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAILURES):
                connection.release()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Yield the connection; after any error in the block, the next call opens a new one."""
        try:
            with self._access.explained():
                if self._connection is None:
                    self._connection = self._access.connect()
                    declare(self._connection)
                yield self._connection
        except BaseException:
            self.close()
            raise
