"""`frametally setup` for a Kafka log: its topic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally.opening import open_frame_log
from frametally.ports.frame_log import NoSuchTopic
from frametally.settings.loading import Settings


def set_up_log(settings: Settings, *, check_only: bool) -> Iterator[str]:
    """Make the topic if it is not there, with as many partitions, copies and hours as set.

    What is there stays as it is, but for the hours that messages are kept. Each line yielded says what was
    done; an embedded log needs nothing, and has none.

    Raises:
        Misconfigured: The topic is missing and may not be made, or Kafka cannot be used.
        Retryable: Kafka is away for now.
    """
    if not settings.log_url.startswith("kafka://"):
        return
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        try:
            partitions = log.partitions(settings.topic)
        except NoSuchTopic:
            if check_only:
                raise
            log.create_topic(settings.topic, settings.log_partitions)
            partitions = log.partitions(settings.topic)
            yield f"log: topic {settings.topic!r} made, with {partitions} partitions"
        else:
            yield f"log: topic {settings.topic!r} is there, with {partitions} partitions"
            if partitions != settings.log_partitions:
                yield (
                    f"log: FRAMETALLY_LOG_PARTITIONS={settings.log_partitions} is for topics that are made; "
                    "kafka-topics adds partitions to one that is there"
                )
        keep_for = getattr(log, "keep_for", None)
        if keep_for is not None and settings.log_retention_h and not check_only:
            keep_for(settings.topic, settings.log_retention_h)
            yield f"log: topic {settings.topic!r} keeps messages for {settings.log_retention_h} hours"
