"""What there is at the broker: an exchange, a quorum queue for each kind of work, one for dead letters."""

from __future__ import annotations

from kombu import Connection, Exchange, Queue

from frametally_videos.ports.task_queue import QUEUES, QueueName

_DELIVERIES = 5
"""After so many workers died with a job, nobody is told of it any more: it is a dead letter."""
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
            "x-delivery-limit": _DELIVERIES - 1,  # how often it is told *again*
            "x-dead-letter-exchange": _DEAD.name,
        },
    )
    for name in QUEUES
}


def declare(connection: Connection) -> None:
    """Make all of it that is missing: a broker that has lost everything has it again."""
    with connection.channel() as channel:
        for queue in (DEAD_LETTERS, *QUEUES_THERE.values()):
            queue(channel).declare()
