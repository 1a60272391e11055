"""Uploads spooled frames to the store, announces them on the log, and writes their minutes' manifests."""

from __future__ import annotations

import queue
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from functools import partial

import msgspec

from frametally import keys
from frametally.errors import FrametallyError, Poison
from frametally.live_records import LiveMinute, NamedLoss
from frametally.media.manifests import (
    ManifestReader,
    change_manifest,
    media_of,
    next_revision,
    tombstones_of,
)
from frametally.media.screening import erased_ranges
from frametally.packs.pack_keys import CAMERA_PACK_MS
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import GivenUp, Patience
from frametally.records import FrameAnnouncement, MediaManifest
from frametally.settings.loading import Settings
from frametally_live.cameras.announced_frames import Frames, announced_frames
from frametally_live.cameras.spool import Spool, SpooledFrame, closed_outages
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_producer.writing.manifest import NOTE_EVERY_S, Forgotten, ManifestKeeper, load_manifest

_AT_ONCE, _PACKED_AT_ONCE = 20, 1000
_LOOK_S = 0.02
_PACK_WITHIN_S = CAMERA_PACK_MS / 1000 + 0.5
"""Longest wait of a frame for the rest of its pack; half a second of it is for late frames."""
_CHANGED = "was deleted or corrected during capture"


@dataclass
class Sender:
    """Sends spooled frames in order, in a separate thread; waits for unavailable servers.

    A minute's manifest is in the store before its first frame is announced, and a frame leaves the spool only
    when the manifest lists it, so every announced frame is in the books.

    Attributes:
        patience: Waits; while it is stopping, spooled frames are still sent if all servers respond.
        on_sent: Called for each announced frame, with whether it was announced for the first time.
        on_resumed: Called with the camera's minutes in the store, if an earlier session left frames here.
        is_alone: Whether no other session captures the camera now, on another machine.
        packs: Whether frames are stored in packs of two seconds of event time. They wait in the spool until
            those are over, so a pack is usually put once, and a kill leaves them on disk.
        failure: Why it stopped; None if it did not.
        changed: Losses of minutes that were deleted or corrected during capture, one list for each minute:
            the capture must begin another session for new frames.
        back: Event times of the first frame of each connection, which ends earlier outages.
    """

    spool: Spool
    _: KW_ONLY
    source: str
    settings: Settings
    store: ObjectStore
    log: FrameLog
    patience: Patience
    on_sent: Callable[[FrameAnnouncement, bool], None]
    on_resumed: Callable[[list[MediaManifest]], None]
    packs: bool = False
    is_alone: bool = True

    def __post_init__(self) -> None:
        self.failure: FrametallyError | None = None
        self.changed: queue.SimpleQueue[list[NamedLoss]] = queue.SimpleQueue()
        self.back: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._keepers: dict[str, ManifestKeeper] = {}
        self._unclosed: set[str] = set()
        self._ends_ms: list[int] = []  # when minutes of the source end that others have stored
        self._noted: list[SpooledFrame] = []
        self._wrote_at_s = self._looked_at_s = float("-inf")
        self._removals: set[str] = set()  # keys of tombstones and ids of erasures that the spool has followed
        self._waited_since_s: float | None = None
        self._draining = threading.Event()
        self._thread: threading.Thread

    def start(self) -> None:
        """Start, or continue after `finish`."""
        self._thread = threading.Thread(target=self._run, name="camera-sender", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Send the remaining frames, then stop; unsent frames stay on disk for the next session."""
        self._draining.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            topic, partitions = self.settings.live_topic, self.settings.log_partitions
            self.patience.until_done("the log", lambda: self.log.create_topic(topic, partitions))
            self._drop_removed()
            self._complete_those_of_others()
            with FrameWriter(
                settings=self.settings,
                store=self.store,
                log=self.log,
                patience=self.patience,
                topic=topic,
                on_announced=self._note,
                pack_ms=CAMERA_PACK_MS if self.packs else 0,
                is_new=True,  # or already stored with these bytes: they are not encoded again
            ) as writer:
                while self._step(writer):
                    pass
        except GivenUp:
            pass
        except FrametallyError as error:
            self.failure = error

    def _drop_removed(self) -> None:
        """Drop the frames that were forgotten or erased while they waited here, by whichever machine."""
        find = partial(erased_ranges, self.store, self._removals)
        for id, erased in self.patience.until_done("the object store", find).items():
            self._removals.add(id)
            if erased.source == self.source:
                self.spool.drop((erased.from_ms, erased.to_ms))
        for minute in self.spool.minutes():
            try:
                stones = self.patience.until_done(
                    "the object store", partial(tombstones_of, self.store, minute.sha256)
                )
            except Poison as error:
                self._give_up(minute.sha256, str(error), None)
                continue
            for stone in stones:
                is_part = stone.from_ms is not None or stone.to_ms is not None  # else another revision begins
                if is_part and stone.key not in self._removals:
                    self._removals.add(stone.key)
                    self.spool.drop((stone.from_ms, stone.to_ms), minute.sha256)
        self._looked_at_s = time.monotonic()

    def _complete_those_of_others(self) -> None:
        """Complete minutes that earlier sessions of this camera left open, and close their open outages."""
        own_minutes = {minute.sha256 for minute in self.spool.minutes()}
        reader = ManifestReader(self.store, self.settings.data_dir)
        minutes = self._stored_minutes(reader)
        unnoted = [
            minute
            for minute in minutes
            if minute.sha256 in own_minutes or (minute.state == "producing" and self.is_alone)
        ]
        if unnoted:
            find = partial(announced_frames, self.settings, self.store, self.log, unnoted)
            for sha256, frames in self.patience.until_done("the log", find).items():
                if sha256 not in own_minutes:
                    self._complete_there(sha256, frames)
                elif frames and (keeper := self._keeper(sha256)) is not None:
                    keeper.add_frames(frames)
                    self._write_one(keeper, expected=len(keeper.frames))
            minutes = self._stored_minutes(reader)
        self._ends_ms = sorted(
            minute.last_captured_at_ms for minute in minutes if minute.last_captured_at_ms is not None
        )
        self._unclosed = {
            minute.sha256 for minute in minutes if minute.sha256 not in own_minutes and _is_away(minute)
        }
        self._close_outages(sorted(minute.first_captured_at_ms or 0 for minute in minutes))
        if own_minutes:  # the last session was killed: its last report may lag behind its announcements
            self.on_resumed(minutes)

    def _close_outages(self, starts_ms: list[int]) -> None:
        """Close open outages of minutes that are only in the store, where the next footage begins."""
        for sha256 in sorted(self._unclosed):
            change = partial(
                change_manifest, self.store, sha256, lambda manifest: closed_outages(manifest, starts_ms)
            )
            with suppress(Poison):  # damaged minutes stay as they are
                manifest = self.patience.until_done("the object store", change)
                if manifest is not None and not _is_away(manifest):
                    self._unclosed.discard(sha256)

    def _stored_minutes(self, reader: ManifestReader) -> list[MediaManifest]:
        manifests, _ = self.patience.until_done("the object store", reader.read)
        return [minute for minute in manifests if minute.live is not None and minute.source == self.source]

    def _complete_there(self, sha256: str, frames: Frames | None = None) -> None:
        """Complete a minute without a session from the store's record, if there is one, and other frames."""
        with suppress(Poison):  # damaged minutes stay as they are
            minute = load_manifest(self.store, sha256, self.patience)
            if minute is not None and minute.state != "complete":
                samplings = {minute.sampling}
                keeper = ManifestKeeper(
                    self.store, minute, self.patience, samplings=samplings, is_stored=True
                )
                keeper.add_frames(frames or {})
                keeper.write()

    def _step(self, writer: FrameWriter) -> bool:
        """Send the oldest frames, and write manifests if it is time; return whether more may be waiting."""
        is_last = self._draining.is_set()
        if time.monotonic() - self._looked_at_s >= NOTE_EVERY_S and self.spool.ends() is not None:
            self._drop_removed()
        frames = self._take_due(is_last)
        for frame in frames:
            self._send(frame, writer)
        writer.flush()
        self._noted += [frame for frame in frames if frame.minute in self._keepers]
        over = [] if frames else self.spool.sent_and_over()
        is_due = time.monotonic() - self._wrote_at_s >= NOTE_EVERY_S or self.spool.is_tight
        if self._noted and (is_due or over or (is_last and not frames)):
            self._write()
        for sha256 in over:
            self._complete(sha256)
        while not self.back.empty():
            self._close_outages([self.back.get()])
        if not frames:
            if is_last:
                return False
            self._draining.wait(_LOOK_S)
        return True

    def _take_due(self, is_last: bool) -> list[SpooledFrame]:
        """Take the oldest frames; with packs, those of one pack once it is over or has waited long enough."""
        if not self.packs:
            return self.spool.take(_AT_ONCE)
        now_s = time.monotonic()
        ends = self.spool.ends()
        if ends is None:
            self._waited_since_s = None
            return []
        self._waited_since_s = self._waited_since_s or now_s
        first, last = (frame.captured_at_ms // CAMERA_PACK_MS for frame in ends)
        if first == last and not is_last and now_s - self._waited_since_s < _PACK_WITHIN_S:
            return []
        self._waited_since_s = None
        return self.spool.take(_PACKED_AT_ONCE, span_ms=CAMERA_PACK_MS)

    def _send(self, frame: SpooledFrame, writer: FrameWriter) -> None:
        keeper = self._keeper(frame.minute)
        if keeper is None:
            return
        try:
            jpeg = frame.path.read_bytes()
        except OSError as error:
            self.spool.lose(frame, f"this machine's disk could not be read ({error.strerror})")
            return
        writer.add(
            NewFrame(
                media=media_of(keeper.manifest),
                medium_hex=frame.minute[:12],
                source=self.source,
                frame_index=frame.frame_index,
                captured_at_ms=frame.captured_at_ms,
                time_source=frame.time_source,
                pixels=jpeg,
                refused=partial(self.spool.lose, frame),
            )
        )

    def _keeper(self, sha256: str) -> ManifestKeeper | None:
        """Return the keeper of a minute's manifest, or None if the minute was changed; it is then removed."""
        if sha256 in self._keepers:
            return self._keepers[sha256]
        minute = self.spool.minute(sha256)
        if minute is None:
            return None
        try:
            stored_minute = load_manifest(self.store, sha256, self.patience)
        except Poison as error:
            self._give_up(sha256, str(error), None)
            return None
        revision = self.patience.until_done(
            "the object store",
            lambda: next_revision(self.store, sha256) if stored_minute is None else stored_minute.revision,
        )
        if revision:
            self._give_up(sha256, _CHANGED, stored_minute)
            return None
        manifest = msgspec.structs.replace(stored_minute or minute, state="producing")
        keeper = ManifestKeeper(
            self.store,
            manifest if stored_minute else msgspec.structs.replace(manifest, last_captured_at_ms=None),
            self.patience,
            samplings={manifest.sampling},
            is_stored=stored_minute is not None,
        )
        self._keepers[sha256] = keeper
        if stored_minute is None and not self._write_one(keeper, expected=0):
            return None
        return keeper

    def _note(self, announcements: list[FrameAnnouncement]) -> None:
        for announcement in announcements:
            keeper = self._keepers[keys.parse_media_id(announcement.media)[0]]
            is_new = announcement.frame_index not in keeper.frames
            keeper.note([announcement])
            self.on_sent(announcement, is_new)

    def _write(self) -> None:
        for sha256 in dict.fromkeys(frame.minute for frame in self._noted):
            keeper = self._keepers.get(sha256)
            if keeper is not None:
                self._write_one(keeper, expected=len(keeper.frames))
        self.spool.done(frame for frame in self._noted if frame.minute in self._keepers)
        self._noted = []
        self._wrote_at_s = time.monotonic()

    def _complete(self, sha256: str) -> None:
        keeper = self._keeper(sha256)
        if keeper is not None and self._write_one(keeper, expected=None):
            self._keepers.pop(sha256)
            if _is_away(keeper.manifest):
                self._unclosed.add(sha256)
            self.spool.remove(sha256)

    def _write_one(self, keeper: ManifestKeeper, *, expected: int | None) -> bool:
        """Write a minute's manifest with its events; return False if the minute has changed since."""
        sha256 = keeper.manifest.sha256
        minute = self.spool.minute(sha256)
        live = minute.live if minute is not None else keeper.live
        keeper.live = None if live is None else without_footage(live, self._ends_ms)
        try:
            keeper.write(expected=expected)
        except Forgotten:
            self._give_up(sha256, _CHANGED, keeper.manifest)
            return False
        return True

    def _give_up(self, sha256: str, reason: str, noted: MediaManifest | None) -> None:
        """Remove a minute that cannot be continued, and complete the store's copy.

        Frames that the store's last record (`noted`) does not list are reported as lost.
        """
        self._keepers.pop(sha256, None)
        losses = losses_since(noted, self.spool.minute(sha256))
        frames = self.spool.remove(sha256)
        times = [frame.captured_at_ms for frame in frames]
        if times:
            losses.append(NamedLoss(min(times), max(times), len(times), f"its minute {reason}"))
        if losses:  # otherwise it was over
            self.changed.put(losses)
        self._complete_there(sha256)


def _is_away(minute: MediaManifest) -> bool:
    """Return whether a minute ends while the camera is unavailable, by its own record."""
    return minute.live is not None and any(outage.to_ms is None for outage in minute.live.outages)


def without_footage(live: LiveMinute, ends_ms: Sequence[int]) -> LiveMinute:
    """Return a minute's events with its outages shortened to begin where stored footage ends, or later.

    A session knows where the previous one ended from its last report, which can be older than its last frame.
    `ends_ms` are the event times of the last frames of stored minutes, in order.
    """
    outages = []
    for outage in live.outages:
        earlier = len(ends_ms) if outage.to_ms is None else bisect_left(ends_ms, outage.to_ms)
        from_ms = max([outage.from_ms, *ends_ms[max(earlier - 1, 0) : earlier]])
        outages.append(msgspec.structs.replace(outage, from_ms=from_ms))
    return msgspec.structs.replace(live, outages=outages)


def losses_since(noted: MediaManifest | None, minute: MediaManifest | None) -> list[NamedLoss]:
    """Return a minute's losses without those already noted; they only grow, at the end."""
    losses = list(minute.live.losses) if minute is not None and minute.live is not None else []
    losses_before = noted.live.losses if noted is not None and noted.live is not None else []
    end = len(losses_before)
    longer_losses = [
        NamedLoss(before.to_ms + 1, last.to_ms, last.frames - before.frames, last.reason)
        for before, last in zip(losses_before[-1:], losses[end - 1 :], strict=False)
        if last.frames > before.frames
    ]
    return [*longer_losses, *losses[end:]]
