"""The tests' RabbitMQ without frametally's queues, before and after."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from kombu import Connection
from serving.needs import server

from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr
from frametally_videos.queues.amqp_queue import DEAD_LETTERS, EXCHANGE, QUEUES_THERE


@contextmanager
def empty_broker(values: Mapping[str, str] | None = None) -> Iterator[tuple[str, ServerAccess]]:
    """URL of the broker, and how to log in; skips without a broker.

    The queues have fixed names, so only one test process at a time has the broker.
    """
    values = values or server("rabbitmq")
    with (Path(tempfile.gettempdir()) / f"frametally-broker-{urlsplit(values['URL']).port}.lock").open(
        "w"
    ) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_all(values)
        try:
            yield values["URL"], access_of(values)
        finally:
            remove_all(values)


def access_of(values: Mapping[str, str]) -> ServerAccess:
    """frametally's log-in to that broker."""
    return ServerAccess(user=values.get("USER", ""), password=SecretStr(values.get("PASSWORD", "")))


def connected(values: Mapping[str, str]) -> Connection:
    """A connection with the same name and password."""
    return Connection(values["URL"], userid=values.get("USER"), password=values.get("PASSWORD"))


def remove_all(values: Mapping[str, str]) -> None:
    """Remove frametally's queues there."""
    with closing(connected(values)) as connection, connection.channel() as channel:
        for queue in (*QUEUES_THERE.values(), DEAD_LETTERS):
            channel.queue_delete(queue.name)
        channel.exchange_delete(EXCHANGE.name)
        channel.exchange_delete(DEAD_LETTERS.exchange.name)


def waiting_in(values: Mapping[str, str], name: str) -> int:
    """The number of messages in a queue; 0 if it does not exist yet."""
    with closing(connected(values)) as connection, connection.channel() as channel:
        try:
            return int(channel.queue_declare(name, passive=True).message_count)
        except connection.channel_errors:
            return 0
