"""The task queue in RabbitMQ: confirmed, persistent messages in quorum queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec
from kombu import Connection, Consumer, Producer
from kombu.message import Message

from frametally.settings.access import ServerAccess
from frametally_videos.catalogue.catalogue_rows import Job
from frametally_videos.queues.amqp_broker import (
    DEAD_LETTERS,
    EXCHANGE,
    FAILURES,
    QUEUES_THERE,
    AmqpAccess,
    declare,
)
from frametally_videos.queues.task_queue import BookQueue, JobConsumer, QueueName, queue_of, take_over

if TYPE_CHECKING:
    from frametally_videos.catalogue.job_book import JobBook

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
        for name in self._names:
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
