"""A worker's end of RabbitMQ's queues: one job at a time, acknowledged once the book knows its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from kombu import Connection, Consumer
from kombu.message import Message

from frametally_videos.amqp.broker_access import FAILURES, AmqpAccess
from frametally_videos.amqp.topology import QUEUES_THERE, declare
from frametally_videos.jobs.takeover import take_over
from frametally_videos.ports.job_book import Job, JobBook
from frametally_videos.ports.task_queue import QueueName, kinds_of

_GLANCE_S = 0.001


class JobMessage(msgspec.Struct, frozen=True):
    """What is told of a job."""

    job_id: str
    kind: str
    video_id: str


# Made once, before there are threads: see `records.decode`.
_messages = msgspec.json.Decoder(JobMessage)


def job_id_of(message: Message) -> str | None:
    """Return which job a message is about; None if it is none of ours."""
    body = message.body
    try:
        return _messages.decode(body if isinstance(body, bytes) else str(body).encode()).job_id
    except msgspec.MsgspecError:
        return None


class AmqpConsumer:
    """One worker's connection; see `JobConsumer`."""

    def __init__(
        self, access: AmqpAccess, book: JobBook, queues: Sequence[QueueName], settle_after_s: float
    ) -> None:
        """Connect to nothing yet."""
        self._access = access
        self._book = book
        self._names = list(queues)
        self._kinds = kinds_of(queues)
        self._settle_after_s = settle_after_s
        self._connection: Connection | None = None
        self._waiting: Consumer | None = None
        self._arrived: list[Message] = []
        self._message: Message | None = None
        self._settle_at_s = 0.0

    def take(self, worker: str, *, lease_s: float, wait_s: float) -> Job | None:
        """Claim the next job for `worker`; see `JobConsumer.take`."""
        if self._message is None:
            try:
                with self._access.explained():
                    self._message = self._receive(wait_s)
            except BaseException:
                self._drop()
                raise
            self._settle_at_s = time.monotonic() + self._settle_after_s
        if self._message is None:
            return None
        job = self._claim(self._message, worker, lease_s)
        if job is None:
            self.settle()
        return job

    def keep(self) -> bool:
        """Keep the connection, and acknowledge before the broker loses its patience; see the port."""
        if self._connection is None:
            return False
        try:
            self._beat(self._connection)
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=_GLANCE_S)
            if self._message is not None and time.monotonic() > self._settle_at_s:
                self.settle()
        except FAILURES:
            self._drop()
        return self._connection is not None

    def settle(self) -> None:
        """Acknowledge; where the connection is gone, others are told, and see its end in the book."""
        message, self._message = self._message, None
        if message is not None:
            self._or_drop(message.ack)

    def close(self) -> None:
        """Leave; what was not acknowledged is told to others."""
        self._drop()

    def _claim(self, message: Message, worker: str, lease_s: float) -> Job | None:
        job_id = job_id_of(message)
        if job_id is None:
            return None
        job = self._book.claim(worker, self._kinds, lease_s=lease_s, job_id=job_id)
        if job is None and message.delivery_info.get("redelivered"):
            return take_over(
                self._book, job_id, worker=worker, kinds=self._kinds, lease_s=lease_s, meanwhile=self.keep
            )
        return job

    def _receive(self, wait_s: float) -> Message | None:
        """Return the next message: one that waits, else the first that comes within `wait_s`.

        Of each queue one message could come at once (quorum queues know no limit over all of a channel's):
        so what waits is fetched one by one, and they are listened to only while all are empty. Who gets more
        all the same gives it back.
        """
        connection = self._connected()
        self._beat(connection)
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
                self._names.append(self._names.pop(self._names.index(name)))  # the others are next
                return message
        return None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._access.connect()
            declare(self._connection)
        return self._connection

    @staticmethod
    def _beat(connection: Connection) -> None:
        connection.heartbeat_check()

    def _or_drop(self, action: Callable[[], object]) -> None:
        try:
            action()
        except FAILURES:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._waiting = self._message = None
        self._arrived.clear()
        if connection is not None:
            with suppress(*FAILURES):
                connection.release()
