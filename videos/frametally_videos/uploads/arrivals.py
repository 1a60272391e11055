"""New videos, told on the log to whoever has them described and checked in the workers' place: Airflow.

A video is told at least once; who is told names it by its id, and so begins it once. What was told waits
until it is taken, whoever asks meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple

from frametally import keys
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.ports.frame_log import FrameLog, LogConsumer, LogRecord, NoSuchTopic, consumer_group
from frametally.process.reports import Skipped
from frametally.records import decode, encode
from frametally_videos.media_records import VideoArrived
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.records import VideoRecord

_GROUP = consumer_group("arrivals")
_MOST_AT_ONCE = 100
_POLL_S, _POLLS = 0.5, 60


class Arrivals(NamedTuple):
    """Videos that wait to be taken.

    Attributes:
        videos: Each once, in the order in which they were told.
        up_to: By partition, the offset behind the last of them: what `take_arrivals` is given.
        skipped: Messages that tell of no video; they are taken with the others.
    """

    videos: list[VideoArrived]
    up_to: dict[int, int]
    skipped: list[Skipped]


def tell_arrivals(log: FrameLog, topic: str, catalogue: VideoCatalogue) -> int:
    """Tell of the videos that were not told of yet; return how many. Raises `Retryable`, `Misconfigured`."""
    told = 0
    while videos := catalogue.untold_arrivals(_MOST_AT_ONCE):
        log.create_topic(topic, 1)
        log.publish(topic, [(video.id.encode(), encode(_arrival(video))) for video in videos])
        for video in videos:
            catalogue.note_arrival(video.id)
        told += len(videos)
    return told


def waiting_arrivals(log: FrameLog, topic: str) -> Arrivals:
    """Return the oldest videos that wait, a hundred messages at most, and leave them there.

    Raises:
        Retryable: The log is away, or somebody else is just asking.
    """
    try:
        first, ends = _first_waiting(log, topic), log.end_offsets(topic)
    except NoSuchTopic:  # nothing was ever told
        return Arrivals([], {}, [])
    waiting = {partition for partition, end in ends.items() if first[partition] < end}
    if not waiting:
        return Arrivals([], {}, [])
    with closing(_join(log, topic)) as member:
        found: list[LogRecord] = []
        for _ in range(_POLLS):
            found += member.poll(timeout_s=_POLL_S, max_records=_MOST_AT_ONCE - len(found))
            reached = first | {record.partition: record.offset + 1 for record in found}
            if len(found) >= _MOST_AT_ONCE or all(reached[one] >= ends[one] for one in waiting):
                return _read(topic, found)
    raise Retryable(f"{log.url}: what waits on topic {topic!r} does not come; another asks for it just now")


def take_arrivals(log: FrameLog, topic: str, up_to: Mapping[int, int]) -> None:
    """Let videos wait no longer, up to where `Arrivals.up_to` says; what is taken already is no error.

    Raises:
        Misconfigured: The topic has no such place.
        Retryable: The log is away, or somebody else is just asking.
        LeaseLost: Somebody else has come in between.
    """
    first, ends = _first_waiting(log, topic), log.end_offsets(topic)
    for partition, offset in up_to.items():
        if not 0 <= offset <= ends.get(partition, -1):
            raise Misconfigured(f"topic {topic!r} has no place {partition}:{offset}: ask again what waits")
    wanted = {partition: offset for partition, offset in up_to.items() if offset > first[partition]}
    if not wanted:
        return
    with closing(_join(log, topic)) as member:
        for _ in range(_POLLS):
            member.poll(timeout_s=_POLL_S, max_records=0)
            if wanted.keys() <= member.assignment():
                for partition, offset in wanted.items():
                    member.commit(partition, offset)
                return
    raise Retryable(f"{log.url}: topic {topic!r} is just another's; try again")


def _arrival(video: VideoRecord) -> VideoArrived:
    return VideoArrived(
        video_id=video.id, sha256=video.sha256, source=video.source, uploaded_at_ms=video.uploaded_at_ms
    )


def _first_waiting(log: FrameLog, topic: str) -> dict[int, int]:
    committed = log.committed(topic, _GROUP)
    return {one: max(begin, committed.get(one, begin)) for one, begin in log.begin_offsets(topic).items()}


def _join(log: FrameLog, topic: str) -> LogConsumer:
    return log.subscribe(topic, _GROUP, on_assigned=lambda _: None, on_revoked=lambda _: None)


def _read(topic: str, found: list[LogRecord]) -> Arrivals:
    videos: dict[str, VideoArrived] = {}
    up_to: dict[int, int] = {}
    skipped: list[Skipped] = []
    for record in found:
        up_to[record.partition] = record.offset + 1
        try:
            video = decode(record.value, VideoArrived)
        except Poison as error:
            skipped.append(Skipped(f"{topic} {record.partition}:{record.offset}", str(error)))
            continue
        if keys.is_video_id(video.video_id):
            videos.setdefault(video.video_id, video)
        else:
            skipped.append(Skipped(f"{topic} {record.partition}:{record.offset}", "names no video"))
    return Arrivals(list(videos.values()), up_to, skipped)
