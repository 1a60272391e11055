"""The task queue in RabbitMQ: told by confirmed, persistent messages, through quorum queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec
from kombu import Connection, Producer

from frametally.settings.access import ServerAccess
from frametally_videos.amqp.broker_access import FAILURES, AmqpAccess
from frametally_videos.amqp.queue_consumer import AmqpConsumer, JobMessage, job_id_of
from frametally_videos.amqp.topology import DEAD_LETTERS, EXCHANGE, declare
from frametally_videos.ports.job_book import Job, JobBook
from frametally_videos.ports.task_queue import QueueName, queue_of

_CONFIRM_WITHIN_S = 10.0
_GLANCE_S = 0.001


class AmqpQueue:
    """A queue in the broker that a URL names; see `TaskQueue`."""

    is_told = True

    def __init__(self, url: str, *, book: JobBook, access: ServerAccess | None = None) -> None:
        """Connect to nothing yet; workers claim what they are told of in `book`.

        Raises:
            Misconfigured: The URL is none.
        """
        self.url = url
        self._access = AmqpAccess(url, access)
        self._book = book
        self._connection: Connection | None = None

    def prepare(self) -> None:
        """Make what is missing there, and see that the connection still holds; see `TaskQueue.prepare`."""
        with self._connected() as connection:
            connection.heartbeat_check()
            with suppress(TimeoutError):
                connection.drain_events(timeout=_GLANCE_S)

    def tell(self, jobs: Sequence[Job]) -> None:
        """Publish each job's id, and wait until the broker has confirmed it; see `TaskQueue.tell`."""
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

    def consumer(self, queues: Sequence[QueueName], *, settle_after_s: float) -> AmqpConsumer:
        """Return the end of a worker, with a connection of its own; see `TaskQueue.consumer`."""
        return AmqpConsumer(self._access, self._book, queues, settle_after_s)

    def drain(self, handle: Callable[[str], object]) -> None:
        """Call `handle` with each dead letter's job; see `TaskQueue.drain`."""
        with self._connected() as connection:
            letters = DEAD_LETTERS(connection.default_channel)
            while (message := letters.get()) is not None:
                job_id = job_id_of(message)
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
        """Yield the connection; whatever goes wrong inside, the next one is a new one."""
        try:
            with self._access.explained():
                if self._connection is None:
                    self._connection = self._access.connect()
                    declare(self._connection)
                yield self._connection
        except BaseException:
            self.close()
            raise
