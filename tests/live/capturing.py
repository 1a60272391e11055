"""Captures a camera in this process, into a store and a log of this machine."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from tests.kit.messages import records_on
from tests.kit.waiting import until

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.live_records import LiveMinute
from frametally.media.manifests import list_manifests
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, MediaManifest, decode
from frametally.rules.frame_bitmap import FrameBitmap
from frametally.settings.loading import Settings, load_settings
from frametally_cli import main as cli
from frametally_live.book import LiveBook
from frametally_live.cameras.spool import Spool
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds.camera_capture import CameraCapture
from frametally_live.feeds.feed_messages import FeedRun, Teller

PATIENCE_S = 120.0


def here(tmp_path: Path, **overrides: Any) -> Settings:
    """Settings of a separate folder, with cameras on this machine."""
    given: dict[str, Any] = {"data_dir": tmp_path / "data", "live_allow": "127.0.0.1", "sample_fps": "all"}
    return load_settings(**given | overrides)


class Heard(Teller):
    """Records the messages about a camera."""

    def __init__(self, told: FeedTold) -> None:
        super().__init__(told, self._hear)
        self.reasons: list[str] = []
        self.paths: list[str] = []

    def _hear(self, told: FeedTold) -> None:
        if told.reason:
            self.reasons.append(told.reason)

    def tell_frame(self, *, image_path: str, **changes: Any) -> None:
        self.paths.append(image_path)
        super().tell_frame(image_path=image_path, **changes)


class Capturing:
    """One session of one camera, in a thread, inside the `with` block."""

    def __init__(
        self,
        settings: Settings,
        address: str,
        *,
        transport: Any = "tcp",
        sample_fps: str = "",
        store: ObjectStore | None = None,
        log: Any = None,
        told: FeedTold | None = None,
        packs: bool = False,
    ) -> None:
        self.heard = Heard(told or FeedTold("requested"))
        self.store = store or open_object_store(settings.store_url, settings.store_access)
        self.log = log or open_frame_log(settings.log_url, settings.log_access)
        self.lines: list[str] = []
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        how: Any = {"address": address, "transport": transport, "sample_fps": sample_fps}
        feed = Feed("1", "camera", "gate-1", "Gate 1", **how)
        patience = Patience(self.lines.append, self._stop.is_set)
        run = FeedRun(settings, self.store, self.log, patience, self.heard, packs)
        self.capture = CameraCapture(feed, run)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Capturing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def until_frames(self, most: int) -> None:
        """Wait for this many announced frames from now on."""
        wanted = self.heard.told.frames_announced + most
        until(
            lambda: self.failure or self.heard.told.frames_announced >= wanted,
            f"{self.heard.told} {self.lines}",
        )
        assert self.failure is None, self.failure

    def _run(self) -> None:
        try:
            self.capture.run()
        except BaseException as error:
            self.failure = error


def manifests_of(store: ObjectStore) -> list[MediaManifest]:
    return list_manifests(store)


def live_of(manifest: MediaManifest) -> LiveMinute:
    assert manifest.live is not None
    return manifest.live


def announcements_in(settings: Settings) -> list[FrameAnnouncement]:
    """All announcements on the live topic, without repetitions."""
    with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
        records = records_on(log, settings.live_topic)
    found = {one.image_path: one for one in (decode(record.value, FrameAnnouncement) for record in records)}
    return sorted(found.values(), key=lambda one: one.captured_at_ms)


def all_in_the_books(settings: Settings) -> list[FrameAnnouncement]:
    """Each announced frame is noted once, with a different time within its minute; return them."""
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        manifests, announced = manifests_of(store), announcements_in(settings)
        assert announced
        assert sum(one.frames_announced for one in manifests) == len(announced)
        assert all(
            one.state == "complete" and one.frames_expected == one.frames_announced for one in manifests
        )
        noted = {one.sha256: FrameBitmap(one.announced_frames) for one in manifests}
        assert all(one.frame_index in noted[one.media] for one in announced)
        times = [one.captured_at_ms for one in announced]
        assert len(set(times)) == len(times)
        by_media = {one.sha256: live_of(one).minute_ms for one in manifests}
        assert all(one.captured_at_ms // 60_000 * 60_000 == by_media[one.media] for one in announced)
        assert all(store.get(one.image_path).endswith(b"\xff\xd9") for one in announced)
    return announced


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return the number of decoded frames of each minute, which grows; all of them must be announced."""
    decoded: Counter[str] = Counter()
    add = Spool.add

    def count(spool: Spool, minute: str, *frame: Any) -> bool:
        decoded[minute] += 1
        return add(spool, minute, *frame)

    monkeypatch.setattr(Spool, "add", count)
    return decoded


def lost_of(settings: Settings) -> int:
    """Frames that are recorded as lost on disk."""
    return sum(
        loss.frames
        for path in (settings.data_dir / "live/gate-1").glob("*/minute.json")
        for loss in live_of(decode(path.read_bytes(), MediaManifest)).losses
    )


def overflow_is_named(capturing: Capturing, settings: Settings, decoded: Mapping[str, int]) -> None:
    """Every decoded frame is announced, or reported as too much for 16 MB, minute by minute."""
    announced = all_in_the_books(settings)
    manifests = manifests_of(capturing.store)
    losses = [loss for one in manifests for loss in live_of(one).losses]
    assert losses
    assert all("16 MB of frames were waiting on disk" in one.reason for one in losses)
    assert capturing.heard.told.frames_lost == sum(one.frames for one in losses)
    for one in losses:
        assert not any(one.from_ms <= frame.captured_at_ms <= one.to_ms for frame in announced)
    found = Counter(one.media for one in announced)
    for manifest in manifests:
        found[manifest.sha256] += sum(one.frames for one in live_of(manifest).losses)
    assert found == decoded, "what was decoded and is in no book has a name"


def run_frametally(*arguments: str, settings: Settings, code: int = 0) -> str:
    """Run a command with the settings; return its output."""
    said, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complained):
        returned = cli.main([*arguments, "--data-dir", str(settings.data_dir)])
    assert returned == code, (arguments, said.getvalue(), complained.getvalue())
    return said.getvalue() + complained.getvalue()


class Worker:
    """`frametally live work`, inside the `with` block; its output goes to a file."""

    def __init__(self, settings: Settings, said: Path, *options: str) -> None:
        command = [sys.executable, "-m", "frametally", "live", "work", "--data-dir", str(settings.data_dir)]
        command += options
        with said.open("ab") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it as a user does."""
        self.process.terminate()
        assert kind is not None or self.process.wait(PATIENCE_S) in (0, -signal.SIGKILL)


def camera_of(settings: Settings, source: str = "gate-1") -> Feed:
    with closing(LiveBook(settings.catalogue_url, settings.catalogue_access)) as feeds:
        return next(feed for feed in feeds.feeds("camera") if feed.source == source)


def settled(settings: Settings) -> str:
    """Detect and count the announced frames; return the books, which must be settled."""
    run_frametally("consume", "--live", "--until-caught-up", settings=settings)
    run_frametally("aggregate", settings=settings)
    run_frametally("index", settings=settings)
    return run_frametally("status", settings=settings)
