"""A worker sends the frames that wait on its machine's disk, whoever captures their camera now."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.kit.waiting import until
from tests.live.capturing import Worker, all_in_the_books, camera_of, here, manifests_of, run_frametally
from tests.live.test_camera_packs import FRAMES, capture, pictures_of

from frametally.adapters_by_url import open_object_store
from frametally_live.book import LiveBook
from frametally_live.cameras import camera_frames
from frametally_live.feeds.left_behind import send_left_behind


@pytest.mark.thorough
@pytest.mark.parametrize("camera", ["removed", "stopped", "elsewhere"])
def test_a_worker_sends_waiting_frames_of_a_camera_that_it_does_not_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, camera: str
) -> None:
    monkeypatch.setattr(camera_frames, "TRIAL_S", 0.0)
    monkeypatch.setenv("FRAMETALLY_LIVE_ALLOW", "127.0.0.1")
    settings = here(tmp_path)
    pictures = capture(settings)
    if camera != "removed":
        run_frametally(
            *("live", "add", "http://127.0.0.1:1/", "--source", "Gate 1"), settings=settings, code=6
        )
    with closing(LiveBook(settings.catalogue_url, settings.catalogue_access)) as book:
        if camera == "stopped":
            book.ask_feed(camera_of(settings).id, "stop")
        if camera == "elsewhere":
            assert book.claim_feed("elsewhere", ["camera"], lease_s=600) is not None
    with Worker(settings, tmp_path / "said.txt"):
        until(lambda: not list(settings.data_dir.glob("live/gate-1/*")))
    assert list(pictures_of(settings).values()) == pictures
    assert len(all_in_the_books(settings)) == FRAMES
    with closing(open_object_store(settings.store_url)) as store:
        assert {minute.source_name for minute in manifests_of(store)} == {"Gate 1"}


@pytest.mark.thorough
def test_frames_that_another_process_sends_are_left_to_it(tmp_path: Path) -> None:
    from frametally_live.cameras.spool import spool_folder, spool_lock

    settings = here(tmp_path)
    capture(settings)
    with spool_lock(spool_folder(settings.data_dir, "gate-1"), lambda: None):
        reason = send_left_behind(settings, "gate-1", say=lambda line: None)
        assert reason == "Another process is sending them."
        assert pictures_of(settings) == {}
    assert send_left_behind(settings, "gate-1", say=lambda line: None) == ""
    assert len(pictures_of(settings)) == FRAMES
