"""Announces new videos on the log to Airflow, which then describes and checks them instead of workers.

A video is announced at least once; receivers start it once, by its ID. An announcement waits until a receiver
takes it, however many have read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from frametally import keys
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.ports.frame_log import FrameLog, LogConsumer, LogRecord, NoSuchTopic, consumer_group
from frametally.process.reports import Skipped
from frametally.records import decode, encode
from frametally_videos.media_records import VideoArrived

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_GROUP = consumer_group("arrivals")
_MOST_AT_ONCE = 100
_POLL_S, _POLLS = 0.5, 60


class Arrivals(NamedTuple):
    """Videos that wait to be taken.

    Attributes:
        videos: The videos, each once, in the order of their announcements.
        up_to: The offset after the last message by partition, for `take_arrivals`.
        skipped: Messages that are not about a video; they are taken with the others.
    """

    videos: list[VideoArrived]
    up_to: dict[int, int]
    skipped: list[Skipped]


def tell_arrivals(log: FrameLog, topic: str, catalogue: VideoCatalogue) -> int:
    """Announce the new videos; return their number. Raises `Retryable`, `Misconfigured`."""
    count = 0
    while videos := catalogue.untold_arrivals(_MOST_AT_ONCE):
        log.create_topic(topic, 1)
        log.publish(
            topic,
            [
                (
                    video.id.encode(),
                    encode(
                        VideoArrived(
                            video_id=video.id,
                            sha256=video.sha256,
                            source=video.source,
                            uploaded_at_ms=video.uploaded_at_ms,
                        )
                    ),
                )
                for video in videos
            ],
        )
        for video in videos:
            catalogue.note_arrival(video.id)
        count += len(videos)
    return count


def waiting_arrivals(log: FrameLog, topic: str) -> Arrivals:
    """Return the oldest waiting videos, from at most a hundred messages, and leave them there.

    Raises:
        Retryable: The log is not available, or another program is reading.
    """
    try:
        first, ends = _first_waiting(log, topic), log.end_offsets(topic)
    except NoSuchTopic:  # there were no announcements
        return Arrivals([], {}, [])
    open_partitions = {partition for partition, end in ends.items() if first[partition] < end}
    if not open_partitions:
        return Arrivals([], {}, [])
    with closing(_join(log, topic)) as member:
        records: list[LogRecord] = []
        for _ in range(_POLLS):
            records += member.poll(timeout_s=_POLL_S, max_records=_MOST_AT_ONCE - len(records))
            reached = first | {record.partition: record.offset + 1 for record in records}
            if len(records) >= _MOST_AT_ONCE or all(
                reached[partition] >= ends[partition] for partition in open_partitions
            ):
                return _read(topic, records)
    raise Retryable(
        f"{log.url}: no messages are arriving from topic {topic!r}; another reader is using it at the moment"
    )


def take_arrivals(log: FrameLog, topic: str, up_to: Mapping[int, int]) -> None:
    """Take videos off the list, up to `Arrivals.up_to`; taking videos twice is not an error.

    Raises:
        Misconfigured: The topic has no such offset.
        Retryable: The log is not available, or another program is reading.
        LeaseLost: Another program has taken over in the meantime.
    """
    first, ends = _first_waiting(log, topic), log.end_offsets(topic)
    for partition, offset in up_to.items():
        if not 0 <= offset <= ends.get(partition, -1):
            raise Misconfigured(
                f"topic {topic!r} has no position {partition}:{offset}: list the waiting videos again"
            )
    targets = {partition: offset for partition, offset in up_to.items() if offset > first[partition]}
    if not targets:
        return
    with closing(_join(log, topic)) as member:
        for _ in range(_POLLS):
            member.poll(timeout_s=_POLL_S, max_records=0)
            if targets.keys() <= member.assignment():
                for partition, offset in targets.items():
                    member.commit(partition, offset)
                return
    raise Retryable(f"{log.url}: another program is using topic {topic!r}; try again")


def _first_waiting(log: FrameLog, topic: str) -> dict[int, int]:
    committed = log.committed(topic, _GROUP)
    return {
        partition: max(begin, committed.get(partition, begin))
        for partition, begin in log.begin_offsets(topic).items()
    }


def _join(log: FrameLog, topic: str) -> LogConsumer:
    return log.subscribe(topic, _GROUP, on_assigned=lambda _: None, on_revoked=lambda _: None)


def _read(topic: str, records: list[LogRecord]) -> Arrivals:
    videos: dict[str, VideoArrived] = {}
    up_to: dict[int, int] = {}
    skipped: list[Skipped] = []
    for record in records:
        up_to[record.partition] = record.offset + 1
        try:
            video = decode(record.value, VideoArrived)
        except Poison as error:
            skipped.append(Skipped(f"{topic} {record.partition}:{record.offset}", str(error)))
            continue
        if keys.is_video_id(video.video_id):
            videos.setdefault(video.video_id, video)
        else:
            skipped.append(Skipped(f"{topic} {record.partition}:{record.offset}", "does not name a video"))
    return Arrivals(list(videos.values()), up_to, skipped)
