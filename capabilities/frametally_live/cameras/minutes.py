"""Turns a camera's frames into media: each minute of event time is a medium with its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, InitVar, dataclass
from fractions import Fraction

import msgspec

from frametally.files.opencv import Pixels
from frametally.live_records import LiveMinute, NamedLoss, Outage, PictureDoubt
from frametally.media.manifests import minute_identity, weaker
from frametally.process.meters import METERS
from frametally.records import MediaManifest, TimeSource
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_live.cameras.picture_doubts import PictureDoubts
from frametally_live.cameras.spool import Spool
from frametally_live.cameras.stream_clock import CaptureTime
from frametally_producer.reading.sampling import ALL, CameraSampler
from frametally_producer.writing.frames import stored_jpeg

_MINUTE_MS = 60_000
_NOTE_EVERY_MS = 1000
_ENDED = "the capturing process ended"
_THEN = "; then it "
_MOST_REASONS = 5
_DAMAGED = "the camera's stream was damaged on its way"


AddFrame = Callable[[str, int, int, TimeSource, bytes], bool]
"""As `Spool.add`."""


class _Minute:
    """The minute that is being captured."""

    def __init__(self, manifest: MediaManifest, live: LiveMinute, start_ms: int) -> None:
        self.manifest = manifest
        self.live = live
        self.decoded = 0
        self.last_ms = start_ms
        self.noted_at_ms = start_ms
        self._start_ms = start_ms
        self._sampler = CameraSampler(manifest.sampling)
        self._position_s = Fraction(0)
        self._began_s: Fraction | None = None

    def leave_connection(self) -> None:
        """Start presentation times at zero again."""
        self._began_s = None

    def takes(self, position_s: Fraction, at_ms: int) -> bool:
        """Return whether the next frame is taken: by presentation time within a connection."""
        if self._began_s is None:
            self._began_s = position_s - Fraction(at_ms - self._start_ms, 1000)
        self._position_s = max(self._position_s, position_s - self._began_s)
        return self._sampler.takes(self._position_s)


@dataclass
class Minutes:
    """Splits a camera's frames into minutes, drops frames off the sampling grid, and spools the others.

    Attributes:
        add_frame: What takes each frame instead of the spool itself, which gets it later.
        away_since_ms: Event time of the last frame before the camera was away; None while it is there.
        doubts: Doubts about its stored pictures since it came back.
    """

    _: KW_ONLY
    source: str
    source_name: str
    settings: Settings
    spool: Spool
    session_ms: int
    add_frame: AddFrame | None = None
    told_until_ms: InitVar[int | None]

    def __post_init__(self, told_until_ms: int | None) -> None:
        """Begin a session; if the previous one ended without a stop, the time since then is an outage.

        `told_until_ms` is the event time of the newest frame that was reported; None if there was none.
        """
        self.away_since_ms: int | None = None
        self.doubts = PictureDoubts()
        self._reason = ""
        self._minute: _Minute | None = None
        self._last_ms: int | None = None
        self._newest_minute_ms: int | None = None
        self._losses: list[NamedLoss] = []
        minutes = self.spool.minutes()
        if told_until_ms is not None or any(minute.state == "producing" for minute in minutes):
            times_ms = (told_until_ms, *(minute.last_captured_at_ms for minute in minutes))
            self.away_since_ms = max((ms for ms in times_ms if ms is not None), default=None)
            self._reason = _ENDED
            lives = [minute.live for minute in minutes if minute.live is not None]
            for outage in (outage for live in lives for outage in live.outages if outage.to_ms is None):
                self.away_since_ms, self._reason = outage.from_ms, outage.reason  # the outage continues

    def away(self, reason: str, now_ms: int) -> None:
        """Record that the camera is away, and why; from now on if no frame has arrived yet."""
        if self.away_since_ms is None:
            self.away_since_ms = now_ms if self._last_ms is None else self._last_ms
            self._reason = ""
            METERS.away("camera", "camera")
        reasons = self._reason.split(_THEN) if self._reason else []
        if reason not in reasons and len(reasons) < _MOST_REASONS:
            self._reason = _THEN.join([*reasons, reason])
            if self._minute is not None:
                self._note_outage(self._minute, Outage(self.away_since_ms, None, self._reason))
        if self._minute is not None:
            self._minute.leave_connection()

    def add(self, captured: CaptureTime, position_s: Fraction, pixels_of: Callable[[], Pixels]) -> bool:
        """Take the next frame, and return whether it is stored; only then `pixels_of` is called.

        `position_s`: presentation time from the connection's first frame.

        Raises:
            Poison: It cannot be converted, or encoded as JPEG.
        """
        at_ms = captured.at_ms
        outage = self._come_back(at_ms)
        if outage is not None and self._minute is not None:
            self._note_outage(self._minute, outage)  # the minute in which the camera went away
        minute = self._minute_of(captured)
        if outage is not None and outage not in minute.live.outages:
            self._note_outage(minute, outage)
        frame_index, minute.decoded = minute.decoded, minute.decoded + 1
        self._last_ms = minute.last_ms = at_ms
        if at_ms - minute.noted_at_ms >= _NOTE_EVERY_MS:
            self._note(minute)
        if not minute.takes(position_s, at_ms):
            return False
        pixels = pixels_of()
        jpeg = stored_jpeg(pixels, self.settings)
        add_frame = self.add_frame or self.spool.add
        if not add_frame(minute.manifest.sha256, frame_index, at_ms, captured.time_source, jpeg):
            self._losses.append(NamedLoss(at_ms, at_ms, 1, "its minute was already closed"))
        self.doubts.look(pixels, jpeg, at_ms)
        self.doubt(self.doubts.lasting)
        return True

    def miss(self, pictures: int, from_ms: int) -> None:
        """Record pictures that were left out between `from_ms` and the last added frame."""
        minute, to_ms = self._minute, self._last_ms
        if minute is None or to_ms is None or not pictures:
            return
        if (sampling := self.settings.sample_fps) != ALL:
            pictures = min(pictures, round((to_ms - from_ms) * Fraction(sampling) / 1000) - 1)
        loss = NamedLoss(from_ms + 1, max(to_ms - 1, from_ms + 1), pictures, _DAMAGED)
        if pictures > 0 and not self.spool.miss(minute.manifest.sha256, loss):
            self._losses.append(loss)

    def count(self, *, packets_lost: int, pieces_damaged: int, drift_ms: int | None) -> None:
        """Add to the frames lost in transit; the next frames record them."""
        minute = self._minute
        if minute is not None:
            minute.live = msgspec.structs.replace(
                minute.live,
                packets_lost=minute.live.packets_lost + packets_lost,
                pieces_damaged=minute.live.pieces_damaged + pieces_damaged,
                drift_ms=drift_ms,
            )

    def doubt(self, doubt: PictureDoubt | None) -> None:
        """Record that the picture shows nothing; it is written with the next frames."""
        if doubt is not None and self._minute is not None:
            live = self._minute.live
            other_doubts = [
                other for other in live.doubts if (other.what, other.from_ms) != (doubt.what, doubt.from_ms)
            ]
            self._minute.live = msgspec.structs.replace(live, doubts=[*other_doubts, doubt])

    def end(self) -> None:
        """End the minute: no more frames follow."""
        minute, self._minute = self._minute, None
        if minute is not None:
            minute.manifest = msgspec.structs.replace(minute.manifest, state="complete")
            self._note(minute, is_over=True)

    def tell_losses(self) -> bool:
        """Record losses in a separate minute, if no other minute has them; return whether there are any."""
        if not self._losses:
            return False
        self.renew_session()
        at_ms = self._losses[0].from_ms
        minute_ms = at_ms // _MINUTE_MS * _MINUTE_MS
        self._minute = self._begin(minute_ms, CaptureTime(at_ms, "arrival"))
        self.renew_session()  # that minute stays without frames
        return True

    def renew_session(self, losses: Iterable[NamedLoss] = ()) -> None:
        """Begin another session: new frames belong to other media, the first of which reports `losses`."""
        self.end()
        self.session_ms += 1
        self._losses += losses

    def report(self, losses: Iterable[NamedLoss]) -> None:
        """Take losses that their own minutes can no longer record; the next minute reports them."""
        self._losses += losses

    def _minute_of(self, captured: CaptureTime) -> _Minute:
        """Return the minute that a frame belongs to; begin it if needed."""
        minute_ms = captured.at_ms // _MINUTE_MS * _MINUTE_MS
        if captured.runs_back:
            self.renew_session()
        minute = self._minute
        if minute is None or minute.live.minute_ms != minute_ms:
            self.end()
            if self._newest_minute_ms is not None and minute_ms <= self._newest_minute_ms:
                self.session_ms += 1  # that minute is over and its frames are numbered
            self._newest_minute_ms = minute_ms
            minute = self._minute = self._begin(minute_ms, captured)
        elif weaker(minute.manifest.time_source, captured.time_source) != minute.manifest.time_source:
            manifest = msgspec.structs.replace(minute.manifest, time_source=captured.time_source)
            minute.manifest = manifest
        return minute

    def _begin(self, minute_ms: int, captured: CaptureTime) -> _Minute:
        manifest = MediaManifest(
            sha256=minute_identity(self.source, self.session_ms, minute_ms),
            name=f"live/{self.source}/{utc(minute_ms).replace(' ', 'T')}",
            source=self.source,
            source_name=self.source_name,
            kind="video",
            time_source=captured.time_source,
            sampling=self.settings.sample_fps,
            start_ms=captured.at_ms,
            frames_expected=0,
            frames_put=0,
            frames_announced=0,
            state="producing",
        )
        live = LiveMinute(session_ms=self.session_ms, minute_ms=minute_ms, losses=self._losses)
        self._losses = []
        self.spool.begin(msgspec.structs.replace(manifest, live=live, last_captured_at_ms=captured.at_ms))
        return _Minute(manifest, live, captured.at_ms)

    def _come_back(self, at_ms: int) -> Outage | None:
        """Return the outage that ends with this frame, or None if the camera was not away."""
        since_ms, self.away_since_ms = self.away_since_ms, None
        if since_ms is None:
            return None
        METERS.back("camera")
        return Outage(min(since_ms, at_ms), at_ms, self._reason)

    def _note_outage(self, minute: _Minute, outage: Outage) -> None:
        outages = minute.live.outages
        if outages and outages[-1].to_ms is None:
            outages = outages[:-1]
        self._note(minute, outages=[*outages, outage])

    def _note(self, minute: _Minute, *, is_over: bool = False, outages: list[Outage] | None = None) -> None:
        if outages is not None:
            minute.live = msgspec.structs.replace(minute.live, outages=outages)
        minute.noted_at_ms = minute.last_ms
        minute.manifest = msgspec.structs.replace(
            minute.manifest, live=minute.live, last_captured_at_ms=minute.last_ms
        )
        self.spool.note(minute.manifest, is_over=is_over)
