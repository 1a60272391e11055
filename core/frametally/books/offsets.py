"""Reads the progress of the log and the chains of segments: read offsets, missing offsets and speed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from frametally import keys
from frametally.books.verdict import CATCH_UP
from frametally.ports.frame_log import FrameLog, NoSuchTopic, consumer_group
from frametally.ports.ledger import ChainLink
from frametally.settings.loading import Settings

PACE_SPAN_MS = 60_000
"""The span of the newest puts of segments from which the pace is computed."""


class LogPosition(NamedTuple):
    """The progress of a model's consumer group on the log.

    Attributes:
        log_id: Identity of the topic, or None while there is no topic.
        messages: Messages announced so far (repeats included), by their offsets.
        committed: Messages that the group has committed or the log no longer has.
        begin: The offset of the oldest message still in the log, by partition.
        started: Whether the group has committed anything.
    """

    log_id: str | None
    topic: str
    messages: int
    committed: int
    begin: dict[int, int]
    started: bool = False

    @property
    def waiting(self) -> int:
        """Messages in the log that the group has not committed."""
        return self.messages - self.committed


class LostMessages(NamedTuple):
    """Messages that the log removed before this model's consumer read them.

    `messages` of the offsets from `first_offset` to before `next_offset` are lost.
    """

    log_id: str
    topic: str
    partition: int
    messages: int
    first_offset: int
    next_offset: int


class SegmentPace(NamedTuple):
    """How fast segments are stored, by their put times.

    Attributes:
        frames_per_s: Over the minute before the newest segment; None if it has only one put time.
        newest_segment_at_ms: When the newest segment was put, or None if there is none.
        eta_s: Seconds that the waiting messages take at that pace, or None if that is unknown.
    """

    frames_per_s: float | None
    newest_segment_at_ms: int | None
    eta_s: float | None


def consume_command(topic: str, settings: Settings) -> str:
    """Return the command that detects a topic's waiting frames."""
    if topic == settings.topic:
        return CATCH_UP
    return "frametally consume --live" if topic == settings.live_topic else f"{CATCH_UP} --topic {topic}"


def _read_log(log: FrameLog, topic: str, model: str | None, *, live: bool = False) -> LogPosition:
    """Return the position of the model's group; if there is no topic, nothing was ever announced."""
    try:
        ends, begin, log_id = log.end_offsets(topic), log.begin_offsets(topic), log.log_id(topic)
    except NoSuchTopic:
        return LogPosition(None, topic, 0, 0, {})
    committed = log.committed(topic, consumer_group(model, live=live)) if model else {}
    done_count = sum(min(max(committed.get(p, 0), begin.get(p, 0)), end) for p, end in ends.items())
    return LogPosition(log_id, topic, sum(ends.values()), done_count, begin, started=bool(committed))


def read_logs(
    log: FrameLog, settings: Settings, model: str | None, chain: Sequence[ChainLink]
) -> tuple[list[LogPosition], bool]:
    """Return the positions of the model's groups on the topics that it reads.

    These are the deployment's two topics (footage and live), the topic on which `frametally redetect`
    announces the model's frames again, and topics that its segments (`chain`) name.

    Returns:
        The positions, the footage topic first, and whether the model reads the deployment's topics. A model
        that has only read frames that were announced again does not: topics that it never read are left out.
    """
    topic, live_topic = settings.topic, settings.live_topic
    main_log, live = _read_log(log, topic, model), _read_log(log, live_topic, model, live=True)
    linked_topics = {link.topic for link in chain}
    other_topics = {*([keys.redetect_topic(topic, model)] if model else []), *linked_topics} - {
        topic,
        live_topic,
    }
    elsewhere = [
        position
        for topic_there in sorted(other_topics)
        if (position := _read_log(log, topic_there, model)).log_id
    ]
    reads = main_log.started or topic in linked_topics or not elsewhere
    reads_live = live.log_id is not None and (reads or live.started or live_topic in linked_topics)
    return [*([main_log] if reads else []), *([live] if reads_live else []), *elsewhere], reads


def chain_breaks(chain: Sequence[ChainLink]) -> list[str]:
    """Return the gaps and overlaps between the segments of each partition, one line each."""
    problems = []
    for (log_id, topic, partition), links in _by_partition(chain):
        end = None
        for link in links:
            if end is not None and link.first_offset != end:
                kind = "gap" if end < link.first_offset else "overlap"
                problems.append(
                    f"{kind} in the chain of {topic}-{partition} (log {log_id}): a segment ends at {end}, "
                    f"but the next begins at {link.first_offset}"
                )
            end = link.next_offset
    return problems


def lost_messages(chain: Sequence[ChainLink], logs: Sequence[LogPosition]) -> list[LostMessages]:
    """Return offsets that segments cover without lines, and unread offsets below a topic's oldest message."""
    losses = []
    ends: dict[tuple[str, str, int], int] = {}
    for (log_id, topic, partition), links in _by_partition(chain):
        for link in links:
            missing = link.next_offset - link.first_offset - link.frames - link.dead_letters
            if missing > 0:
                losses.append(
                    LostMessages(log_id, topic, partition, missing, link.first_offset, link.next_offset)
                )
            ends[log_id, topic, partition] = link.next_offset
    for log in logs:
        for partition, oldest in sorted(log.begin.items()):
            end = ends.get((log.log_id or "", log.topic, partition), 0)
            if log.log_id is not None and oldest > end:
                losses.append(LostMessages(log.log_id, log.topic, partition, oldest - end, end, oldest))
    return losses


def pace_of(puts: Sequence[tuple[int, int]], messages_waiting: int) -> SegmentPace:
    """Return the rate of new segments from the `puts` of the last minute, without the frames of the first."""
    if not puts:
        return SegmentPace(None, None, None)
    first_ms, newest_ms = puts[0][0], puts[-1][0]
    if newest_ms == first_ms:
        return SegmentPace(None, newest_ms, None)
    frames_per_s = sum(frames for at_ms, frames in puts if at_ms > first_ms) * 1000 / (newest_ms - first_ms)
    eta_s = messages_waiting / frames_per_s if frames_per_s else None
    return SegmentPace(frames_per_s, newest_ms, eta_s)


def _by_partition(
    chain: Sequence[ChainLink],
) -> list[tuple[tuple[str, str, int], list[ChainLink]]]:
    ordered = sorted(chain, key=lambda link: (link.log_id, link.topic, link.partition, link.first_offset))
    groups = groupby(ordered, key=lambda link: (link.log_id, link.topic, link.partition))
    return [(key, list(links)) for key, links in groups]
