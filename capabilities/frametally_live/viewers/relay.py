"""Sends results from the log to all viewers: one thread reads results, one task reads the states of feeds.

Both run only while someone watches, and only the newest few frames of each feed are in memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from frametally import keys
from frametally.errors import FrametallyError
from frametally.process.retrying import OnceAMinute
from frametally.records import Detection, FrameDetections
from frametally.settings.loading import Settings
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed
from frametally_live.feeds.result_reader import ResultReader
from frametally_live.viewers.result_pictures import FeedName, Pictures, find_shown
from frametally_live.viewers.viewer_messages import EncodedFrame, FrameShown, PicturedResult, StreamTold, Wake
from frametally_videos.catalogue.catalogue_rows import VideoRow
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_web.access.seen_index import DashboardPorts

_LOG = logging.getLogger("frametally_web")
_LOOK_EVERY_S = 0.5
_LONGEST_UNDETECTED_S = 5.0
_LONGEST_SILENT_S = 60.0
"""Time after the last result during which an ended video still waits for missing results."""
_MOST_LOOKS = 1200
_MOST_RECENT = 16
"""Frames of one moment that are kept for viewers that send no acknowledgements."""
_CATALOGUE_AWAY = "The catalogue is not responding."
_NOT_DETECTED = "Frames are arriving, but no detector is running: run `frametally consume --live`, or wait."
_BEHIND = (
    "Pictures are at least {} s behind because detection is too slow: run more of "
    "`frametally consume --live`, choose a faster model, or lower FRAMETALLY_SAMPLE_FPS."
)


class Channel:
    """One feed and all its local viewers; only the server's loop uses it."""

    def __init__(self, name: FeedName, feed: Feed, video: VideoRow | None) -> None:
        """Start without frames."""
        self.name = name
        self.feed = feed
        self.video = video
        self.recent: deque[PicturedResult] = deque(maxlen=_MOST_RECENT)
        self.encoded: tuple[int, EncodedFrame] | None = None
        """The last frame sent to any viewer: its number, and its message."""
        self.wakes: set[Wake] = set()
        """Events that are set when there is something new."""
        self.waits_for = ""
        self.announced_at_s: float | None = None
        self.heard_at_s = 0.0
        """Time of the last result, or of the end."""
        self.is_given_up = False
        self.behind_ms: int | None = None
        self._looks: deque[tuple[float, int]] = deque(maxlen=_MOST_LOOKS)  # when, and the newest event time

    @property
    def newest(self) -> PicturedResult | None:
        """The newest frame."""
        return self.recent[-1] if self.recent else None

    def after(self, n: int) -> PicturedResult | None:
        """Return the first kept frame after that number, or None."""
        return next((frame for frame in self.recent if frame.n > n), None)

    @property
    def is_over(self) -> bool:
        """Whether no more frames will follow."""
        return self.feed.is_over and not self.awaits_results

    @property
    def awaits_results(self) -> bool:
        """Whether a video's stream has ended, but the result of its last frame is not shown yet."""
        return self._is_unseen and not self.is_given_up

    @property
    def _is_unseen(self) -> bool:
        feed, report = self.feed, self.feed.told
        is_at_end = report.state == "ended" and not report.reason
        if feed.kind != "video" or not is_at_end or report.captured_at_ms is None:
            return False
        return self.newest is None or self.newest.result.captured_at_ms < report.captured_at_ms

    def look(self, now_s: float) -> None:
        """Record the feed's position, and how far the shown frame is behind it."""
        told_ms = self.feed.told.captured_at_ms
        if told_ms is None:
            return
        self._looks.append((now_s, told_ms))
        if self.newest is None:
            return
        shown_ms = self.newest.result.captured_at_ms
        level = next((n for n in reversed(range(len(self._looks))) if self._looks[n][1] <= shown_ms), 0)
        for _ in range(level):
            self._looks.popleft()
        self.behind_ms = round(1000 * (now_s - self._looks[0][0]))

    def told(self) -> StreamTold:
        """Return the feed's state."""
        report = self.feed.told
        state = "running" if self.awaits_results else report.state
        waits = self.waits_for if state == "running" else ""
        return StreamTold(
            state="waiting" if waits else state,
            position_s=report.position_s,
            duration_s=self.video.record.facts.duration_s if self.video else None,
            fps=report.frames_per_s,
            behind_ms=self.behind_ms,
            viewers=len(self.wakes),
            reason=waits or self._reason() or None,
        )

    def _reason(self) -> str:
        if self._is_unseen:
            end_ms = self.feed.told.captured_at_ms or 0
            from_ms = self.newest.result.captured_at_ms if self.newest else self._started_ms()
            left_s = -(-(end_ms - from_ms) // 1000)
            if self.is_given_up:
                return f"Its last {left_s} s were detected too late to be shown here."
            return f"The stream has ended; detection of its last {left_s} s is still running."
        if self.feed.told.state == "running" and (self.behind_ms or 0) > 1000 * _LONGEST_UNDETECTED_S:
            about_s = max(5, (self.behind_ms or 0) // 10_000 * 10)
            return _BEHIND.format(about_s)
        return self.feed.reason

    def _started_ms(self) -> int:
        started_ms = self.video.record.facts.started_at_ms if self.video else None
        return started_ms if started_ms is not None else (self.feed.told.captured_at_ms or 0)

    def position_s(self, captured_at_ms: int) -> float | None:
        """Return the position of an event time in the video; None for a camera."""
        started_ms = self.video.record.facts.started_at_ms if self.video else None
        return None if started_ms is None else (captured_at_ms - started_ms) / 1000

    def due_at_ms(self, captured_at_ms: int) -> int | None:
        """Return when to show an event time, by the clock of the feed's process; None if unknown."""
        if self.feed.kind == "camera":
            return captured_at_ms - (self.feed.told.drift_ms or 0)
        report, position_s = self.feed.told, self.position_s(captured_at_ms)
        if position_s is None or report.position_s is None or report.due_at_ms is None:
            return None
        return report.due_at_ms + round(1000 * (position_s - report.position_s) / self.feed.speed)

    def header(self, frame: PicturedResult, detections: Iterable[Detection]) -> FrameShown:
        """Return the message of a frame, with the detections that count."""
        result = frame.result
        return FrameShown(
            stream_id=self.feed.id,
            n=frame.n,
            image_path=result.image_path,
            captured_at_ms=result.captured_at_ms,
            position_s=self.position_s(result.captured_at_ms),
            sent_at_ms=0,
            due_at_ms=self.due_at_ms(result.captured_at_ms),
            width_px=result.width_px,
            height_px=result.height_px,
            model=result.model,
            boxes=[(detection.label, detection.confidence, *detection.box, None) for detection in detections],
            left_out=0,
        )

    def wake(self) -> None:
        """Wake all viewers."""
        for event in self.wakes:
            event.set()


class _Work(NamedTuple):
    """The parts that exist while someone watches."""

    reader: ResultReader
    pictures: Pictures
    task: asyncio.Task[None]


@dataclass
class Relay:
    """The channels of all watched feeds."""

    ports: DashboardPorts
    catalogue: VideoCatalogue
    book: LiveBook
    settings: Settings

    def __post_init__(self) -> None:
        """Do nothing until someone watches."""
        self._once_a_minute = OnceAMinute(_LOG.warning)
        self._channels: dict[FeedName, Channel] = {}
        self._video_of: Mapping[str, str] = {}  # by content sha256; only `_watch` replaces it
        self._work: _Work | None = None
        self._away: dict[str, str] = {}  # reasons by unavailable server
        self._readers: list[ResultReader] = []
        self._is_closed = False

    @property
    def is_at_work(self) -> bool:
        """Whether anything is read."""
        return self._work is not None

    async def find(self, name: FeedName) -> Channel | None:
        """Return the channel of an unfinished feed, or None if there is no such feed.

        Raises:
            LookupError: The video or the camera does not exist.
            Retryable: The catalogue is unavailable.
        """
        if name in self._channels:
            return self._channels[name]
        feed, video = await asyncio.to_thread(self._look_up, name)
        if name in self._channels:  # another task was faster
            return self._channels[name]
        return None if feed is None or feed.is_over else Channel(name, feed, video)

    def _look_up(self, name: FeedName) -> tuple[Feed | None, VideoRow | None]:
        catalogue = self.catalogue
        if name.video_id:
            video = catalogue.video(name.video_id) if keys.is_video_id(name.video_id) else None
            if video is None:
                raise LookupError(name.video_id)
            return next(iter(self.book.feeds("video", video_id=name.video_id, limit=1)), None), video
        cameras = [feed for feed in self.book.feeds("camera") if feed.source == name.source]
        if not cameras:
            raise LookupError(name.source)
        return cameras[0], None

    def join(self, channel: Channel, wake: Wake) -> Channel:
        """Watch a channel, or its successor, until `leave`."""
        channel = self._channels.setdefault(channel.name, channel)
        channel.wakes.add(wake)
        if self._work is not None:
            self._work.pictures.watch(self._channels)
        elif not self._is_closed:
            self._begin()
        return channel

    def leave(self, channel: Channel, wake: Wake) -> None:
        """Stop watching; after the last viewer the channel is dropped."""
        channel.wakes.discard(wake)
        if not channel.wakes and self._channels.get(channel.name) is channel:
            del self._channels[channel.name]
            if self._work is not None:
                self._work.pictures.watch(self._channels)
        if not self._channels:
            self._rest()

    def close(self) -> None:
        """Stop reading for all viewers; waits until it has stopped. Never call it in the server's loop."""
        self._is_closed = True
        self._rest()
        for reader in self._readers:
            reader.join()

    def _rest(self) -> None:
        if self._work is not None:
            self._work.reader.stop()
            self._work.pictures.close()
            self._work.task.get_loop().call_soon_threadsafe(self._work.task.cancel)
            self._work = None

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._away = {}

        def show(name: FeedName, frame: PicturedResult) -> None:
            loop.call_soon_threadsafe(self._show, pictures, name, frame)

        pictures = Pictures(self.ports.store, show, partial(self._away.__setitem__, "store"))
        pictures.watch(self._channels)

        def take(result: FrameDetections) -> None:
            channel = self._channel_of(result)
            if channel is not None and channel.feed.model in ("", result.model):
                channel.announced_at_s = None
                channel.heard_at_s = time.monotonic()
                pictures.take(channel.name, result)

        reader = ResultReader(
            self.ports.log, self.settings.results_topic, take, partial(self._away.__setitem__, "log")
        )
        self._readers = [old_reader for old_reader in self._readers if old_reader.is_alive] + [reader]
        self._work = _Work(reader, pictures, asyncio.create_task(self._watch(reader)))

    def _channel_of(self, result: FrameDetections) -> Channel | None:
        """Return the channel of a result's video, or else of its source's camera."""
        sha256, _ = keys.parse_media_id(result.media)
        for channel in [*self._channels.values()]:
            if channel.video is not None and channel.video.record.sha256 == sha256:
                return channel
        return None if sha256 in self._video_of else self._channels.get(FeedName(source=result.source))

    def _show(self, pictures: Pictures, name: FeedName, frame: PicturedResult) -> None:
        channel = self._channels.get(name)
        if channel is None or self._work is None or self._work.pictures is not pictures:
            return
        channel.recent.append(frame)
        channel.wake()

    async def _watch(self, reader: ResultReader) -> None:
        is_reading = False
        while True:
            try:
                feeds, self._video_of = await asyncio.to_thread(self._feeds)
                self._away["catalogue"] = ""
                for channel in [*self._channels.values()]:
                    self._stand(channel, feeds.get(channel.name))
            except FrametallyError as error:
                self._away["catalogue"] = _CATALOGUE_AWAY
                self._once_a_minute(
                    "feeds", f"frametally cannot read the states of streams and cameras: {error}"
                )
            if not is_reading:  # any sooner, the first frames of a video would go to the camera of its source
                reader.start()
                is_reading = True
            for channel in self._channels.values():
                self._note_what_is_away(channel)
                channel.look(time.monotonic())
                stands = channel.feed.told.state == "paused" or channel.awaits_results
                if channel.newest is None and stands and self._work is not None:
                    self._work.pictures.begin(channel.name, partial(find_shown, self.ports, channel.feed))
            await asyncio.sleep(_LOOK_EVERY_S)

    def _feeds(self) -> tuple[dict[FeedName, Feed], dict[str, str]]:
        """Return all feeds by name, preferring one that is not over, and the owners of contents."""
        feeds: dict[FeedName, Feed] = {}
        for feed in self.book.feeds():
            name = FeedName(video_id=feed.video_id) if feed.kind == "video" else FeedName(source=feed.source)
            feeds.setdefault(name, feed)
        sha256_by_video = {video_id: sha256 for sha256, video_id in self._video_of.items()}
        videos = {}
        for name, feed in feeds.items():
            if not name.video_id or (feed.is_over and name not in self._channels):
                continue
            if name.video_id not in sha256_by_video:
                row = self.catalogue.video(name.video_id)
                sha256_by_video[name.video_id] = row.record.sha256 if row else ""
            videos[sha256_by_video[name.video_id]] = name.video_id
        return feeds, videos

    def _stand(self, channel: Channel, feed: Feed | None) -> None:
        """Update the state of a feed; a deleted feed has ended."""
        before = channel.feed
        if feed is None or feed.id != before.id:  # for a new feed the frames start again
            feed = before._replace(told=before.told._replace(state="ended", captured_at_ms=None))
        if feed.told.frames_announced > before.told.frames_announced and channel.announced_at_s is None:
            channel.announced_at_s = time.monotonic()
        channel.feed = feed
        if feed.is_over and not before.is_over:
            channel.heard_at_s = time.monotonic()
        if channel.awaits_results and time.monotonic() - channel.heard_at_s > _LONGEST_SILENT_S:
            channel.is_given_up = True
            channel.wake()
        if feed.told.state == "paused" and self._work is not None:
            self._work.pictures.stand(channel.name, feed.told.captured_at_ms)
        if (feed.told.state, feed.told.reason) != (before.told.state, before.told.reason):
            channel.wake()

    def _note_what_is_away(self, channel: Channel) -> None:
        reasons = [reason for reason in self._away.values() if reason]
        since_s = channel.announced_at_s
        if since_s is not None and time.monotonic() - since_s > _LONGEST_UNDETECTED_S:
            reasons.append(_NOT_DETECTED)
        waits_for = reasons[0] if reasons else ""
        if waits_for != channel.waits_for:
            channel.waits_for = waits_for
            channel.wake()
