"""`frametally setup` for a Kafka log: its topics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally.opening import open_frame_log
from frametally.ports.frame_log import FrameLog, NoSuchTopic
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings


def set_up_log(settings: Settings, *, check_only: bool) -> Iterator[str]:
    """Make the topics of frames if they are not there, with as many partitions, copies and hours as set.

    Likewise that of results. What is there stays as it is, but for how long messages are kept. Each line
    yielded says what was done; an embedded log needs nothing, and has none.

    Raises:
        Misconfigured: The topic is missing and may not be made, or Kafka cannot be used.
        Retryable: Kafka is away for now.
    """
    if not settings.log_url.startswith("kafka://"):
        return
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        hours = settings.log_retention_h
        of_frames = (hours * HOUR_S, f"{hours} hours") if hours else None
        of_results = (settings.results_keep_s, f"{settings.results_keep_s:g} seconds")
        for topic, kept in (
            (settings.topic, of_frames),
            (settings.live_topic, of_frames),
            (settings.results_topic, of_results),
        ):
            yield from _set_up_topic(log, topic, settings, kept, check_only=check_only)


def _set_up_topic(
    log: FrameLog, topic: str, settings: Settings, kept: tuple[float, str] | None, *, check_only: bool
) -> Iterator[str]:
    """Make one topic; it keeps messages for so many seconds, also in words, or as the broker says."""
    try:
        partitions = log.partitions(topic)
    except NoSuchTopic:
        if check_only:
            raise
        log.create_topic(topic, settings.log_partitions)
        partitions = log.partitions(topic)
        yield f"log: topic {topic!r} made, with {partitions} partitions"
    else:
        yield f"log: topic {topic!r} is there, with {partitions} partitions"
        if partitions != settings.log_partitions:
            yield (
                f"log: FRAMETALLY_LOG_PARTITIONS={settings.log_partitions} is for topics that are made; "
                "kafka-topics adds partitions to one that is there"
            )
    keep_for = getattr(log, "keep_for", None)
    if keep_for is not None and kept is not None and not check_only:
        keep_for(topic, kept[0])
        yield f"log: topic {topic!r} keeps messages for {kept[1]}"
