"""Captures a camera until it is stopped: opens it, reads it, and opens it again after an outage."""

from __future__ import annotations

import time
from functools import partial

from av.video.reformatter import VideoReformatter

from frametally.errors import Poison
from frametally.media.screening import screen_of
from frametally.process.retrying import Backoff
from frametally.records import FrameAnnouncement, MediaManifest
from frametally_live.cameras.camera_access import CameraAway
from frametally_live.cameras.camera_frames import CameraReader
from frametally_live.cameras.camera_opening import OpenCamera, camera_to_open, open_camera
from frametally_live.cameras.frame_screening import FrameScreening
from frametally_live.cameras.frame_upload import Sender
from frametally_live.cameras.minutes import Minutes
from frametally_live.cameras.picture_doubts import PictureDoubts
from frametally_live.cameras.spool import Spool, spool_folder
from frametally_live.cameras.stream_clock import CaptureClock, RecentRate
from frametally_live.feed_records import Feed
from frametally_live.feeds.doubt_results import DoubtResults
from frametally_live.feeds.feed_messages import FeedRun
from frametally_live.settings import LiveSettings
from frametally_producer.reading.sampling import ALL
from frametally_producer.reading.video_file import bgr_pixels

_FIRST_REOPENING_S, _LONGEST_REOPENING_S = 0.25, 2.0
"""Pauses before a camera is opened again; `feed_worker.py` has the pauses before a new process."""
_LONGEST_REFUSED_S = 60.0
_LASTED_S = 5.0
"""After a shorter connection, the next one may also be short."""
_LOOK_S = 0.1
_MINUTE_S = 60.0


class CameraCapture:
    """One session of a camera."""

    def __init__(self, feed: Feed, run: FeedRun) -> None:
        """Take over what an earlier session left, without connecting yet.

        A feed without an id only sends the frames that wait on this disk; its worker captures the camera.
        """
        settings, teller = run.settings, run.teller
        if feed.sample_fps:
            settings = settings.model_copy(update={"sample_fps": feed.sample_fps})
        self._added_ms = feed.created_at_ms
        self._feed, self._settings = feed, settings
        self._teller = teller
        self._patience = run.patience
        self._told = teller.told
        self._packets_lost = 0
        self._spool = Spool(
            spool_folder(settings.data_dir, feed.source),
            most_mb=settings.part(LiveSettings).live_buffer_mb,
            why_full=lambda: teller.told.reason or "the store or the log is too slow",
        )
        self._screening = FrameScreening(
            self._spool,
            partial(screen_of, run.settings, run.store, feed.source),
            mark=settings.data_dir / "live" / f"{feed.source}.as-filmed",
        )
        self._minutes = Minutes(
            source=feed.source,
            source_name=feed.name
            or next((minute.source_name for minute in self._spool.minutes()), feed.source),
            settings=settings,
            spool=self._spool,
            session_ms=int(time.time() * 1000),
            told_until_ms=teller.told.captured_at_ms,
            add_frame=self._screening.add,
        )
        self._sender = Sender(
            self._spool,
            source=feed.source,
            settings=settings,
            store=run.store,
            log=run.log,
            patience=run.patience,
            on_sent=self._note_announced,
            on_resumed=self._count_again,
            packs=run.packs,
            is_alone=bool(feed.id) or not feed.worker,
        )
        self._boxes = DoubtResults(run.log, settings, feed.source)
        self._clock = CaptureClock()
        self._sampling = settings.sample_fps
        self._offered, self._used = RecentRate(), RecentRate()
        self._reformatter = VideoReformatter()
        self._away = ""
        self._is_there = False

    def run(self) -> None:
        """Capture until a stop, then send spooled frames if all servers respond.

        Raises:
            Poison: The feed has no camera address, or no camera may be at the given IP address.
            Misconfigured: A setting of cameras cannot be read, the store or the log cannot be written, or the
                camera's pictures cannot be changed as the rule of its source says.
        """
        self._screening.start()
        self._sender.start()
        try:
            self._until_stopped()
        finally:
            self._boxes.stop()
            self._minutes.end()
            self._screening.finish()
            self._sender.finish()
            self._renew_session()
            if self._minutes.tell_losses() and self._sender.failure is None:
                self._sender.start()
                self._sender.finish()
            self._teller.tell(**self._losses())  # the last losses may have no frame after them
        if failure := self._screening.failure or self._sender.failure:
            raise failure

    def _until_stopped(self) -> None:
        backoff = Backoff(_FIRST_REOPENING_S, _LONGEST_REOPENING_S)
        login_backoff = Backoff(_LONGEST_REOPENING_S, _LONGEST_REFUSED_S)
        if self._is_over():
            return
        feed = self._feed
        there = camera_to_open(
            self._settings, address=feed.address, source=feed.source, transport=feed.transport
        )
        while not self._is_over():
            self._is_there = False
            began_s = time.monotonic()
            try:
                with open_camera(there, self._is_over) as camera:
                    self._read(camera, there.max_pixels)
            except CameraAway as error:
                if self._is_over():
                    return
                self._go_away(str(error))
                if self._is_there and time.monotonic() - began_s > _LASTED_S:
                    backoff.reset()
                    login_backoff.reset()
                    continue  # at once: most interrupted connections are soon back
                self._pause((login_backoff if error.refuses_login else backoff).next_s())

    def _read(self, camera: OpenCamera, max_pixels: int) -> None:
        """Capture the frames of one connection."""
        self._offered, self._used = RecentRate(), RecentRate()
        reader = CameraReader(camera, self._clock)
        aspect = camera.stream.sample_aspect_ratio
        lost_packets = damaged = last_ms = 0
        for frame in reader.frames():
            if self._is_over():
                return
            self._renew_session()
            was_there = self._is_there
            self._come_back(frame.captured.at_ms)
            self._offered.note(time.monotonic())
            try:
                pixels_of = partial(bgr_pixels, self._reformatter, frame.frame, aspect, max_pixels)
                if self._minutes.add(frame.captured, frame.position_s, pixels_of):
                    self._used.note(time.monotonic())
                    self._boxes.pass_to(self._minutes.doubts)
            except Poison:
                reader.pieces_damaged += 1
            if was_there:  # otherwise the outage covers them
                self._minutes.miss(frame.left_out, last_ms)
            last_ms = frame.captured.at_ms
            new_lost, lost_packets = camera.packets_lost - lost_packets, camera.packets_lost
            new_damaged, damaged = reader.pieces_damaged - damaged, reader.pieces_damaged
            self._packets_lost += new_lost
            if new_damaged or (was_there and frame.left_out):
                self._minutes.doubts.note_damage(frame.captured.at_ms)
            self._minutes.count(
                packets_lost=new_lost, pieces_damaged=new_damaged, drift_ms=self._clock.drift_ms
            )

    def _renew_session(self) -> None:
        """Begin another session for each minute that was given up."""
        self._minutes.report(self._screening.closed_losses())
        while not self._sender.changed.empty():
            self._minutes.renew_session(self._sender.changed.get())

    def _is_over(self) -> bool:
        failure = self._screening.failure or self._sender.failure
        return self._patience.stopping or failure is not None

    def _go_away(self, reason: str) -> None:
        now_ms = int(time.time() * 1000)
        self._minutes.away(reason, now_ms)
        self._away = reason
        self._patience.say_once_a_minute(reason, f"the camera {reason}", counts=True)
        self._teller.tell(
            state="waiting",
            reason=f"The camera {reason}.",
            away_since_ms=self._teller.told.away_since_ms or now_ms,
            frames_per_s=None,
            taken_per_s=None,
            offered_per_s=None,
        )

    def _come_back(self, at_ms: int) -> None:
        if not self._is_there:
            self._spool.close_outages(at_ms)
            self._sender.back.put(at_ms)
            self._minutes.doubts = PictureDoubts()  # earlier pictures do not describe the new connection
        self._is_there, self._away = True, ""
        if self._teller.told.away_since_ms is not None:
            self._teller.tell(state="running", reason="", away_since_ms=None)

    def _note_announced(self, announcement: FrameAnnouncement, is_new: bool) -> None:
        now_ms = int(time.time() * 1000)
        stands = {"reason": self._minutes.doubts.sentence}
        if self._away:
            stands = {"state": "waiting", "reason": f"The camera {self._away}."}
        self._teller.tell_frame(
            captured_at_ms=announcement.captured_at_ms,
            image_path=announcement.image_path,
            is_announced=is_new,
            lag_ms=now_ms - announcement.captured_at_ms + (self._clock.drift_ms or 0),
            drift_ms=self._clock.drift_ms,
            **self._rates(),
            **self._losses(),
            **stands,
        )

    def _count_again(self, minutes: list[MediaManifest]) -> None:
        frames = (
            minute.frames_announced
            for minute in minutes
            if minute.live and minute.live.session_ms >= self._added_ms
        )
        self._teller.tell(frames_announced=sum(frames))

    def _rates(self) -> dict[str, float | None]:
        """Return the rates of stored and offered frames; see `FeedTold`."""
        offered_per_s = self._offered.per_s
        if offered_per_s is not None and self._sampling != ALL:
            offered_per_s = min(offered_per_s, float(self._sampling))
        return {"taken_per_s": self._used.per_s, "offered_per_s": offered_per_s}

    def _losses(self) -> dict[str, int]:
        """Return the losses since the camera was added, in this and earlier sessions."""
        return {
            "frames_lost": self._told.frames_lost + self._spool.frames_lost,
            "packets_lost": self._told.packets_lost + self._packets_lost,
        }

    def _pause(self, seconds: float) -> None:
        """Wait, unless stopped; if the camera stays away, end its minute.

        Frames given up in the meantime are reported at once: the next frame may come late, and a kill soon.
        """
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0 and not self._is_over():
            self._renew_session()
            if self._minutes.tell_losses():
                self._teller.tell(**self._losses())
            time.sleep(min(left_s, _LOOK_S))
        since_ms = self._teller.told.away_since_ms
        if since_ms is not None and time.time() * 1000 - since_ms > _MINUTE_S * 1000:
            self._minutes.end()
