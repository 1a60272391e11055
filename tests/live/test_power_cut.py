"""After a power cut a camera's minute has all its announced frames, whatever its last note says."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from tests.kit.waiting import until
from tests.live.capturing import Worker, here, manifests_of, run_frametally
from tests.live.test_camera_packs import capture, pictures_of, send, spool_of
from tests.live.test_spool import FIRST_MS, minute_of

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.media.manifests import media_of
from frametally.media.stored_images import bitmap_of
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_cli.main import main
from frametally_live.cameras.frame_upload import Sender
from frametally_producer.writing.frames import FrameWriter

SENT = 12


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DETECTOR": "pixels", "COUNT_OBJECTS": "false", "LIVE_ALLOW": "127.0.0.1"}.items():
        monkeypatch.setenv(f"FRAMETALLY_{name}", value)


def cut(
    settings: Settings, *, analysed: bool = True, pictures_lost: int = 0, spool_lost: bool = True
) -> None:
    """Announce frames of a minute whose manifest notes none yet, and lose the spool, as a power cut does.

    Without `spool_lost`, the minute's record is left there, and no frame.
    """
    capture(settings)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        log.create_topic(settings.live_topic, 1)
        patience = Patience(lambda line: None, lambda: False)
        sender = Sender(
            spool_of(settings),
            source="gate-1",
            settings=settings,
            store=store,
            log=log,
            patience=patience,
            on_sent=lambda announcement, is_new: None,
            on_resumed=lambda minutes: None,
        )
        with FrameWriter(
            settings=settings,
            store=store,
            log=log,
            patience=patience,
            topic=settings.live_topic,
            on_announced=lambda announcements: None,
            is_new=True,
        ) as writer:
            for frame in sender.spool.take(SENT):
                sender._send(frame, writer)
        for key in list(pictures_of(settings))[:pictures_lost]:
            store.delete(key)
    if spool_lost:
        shutil.rmtree(settings.data_dir / "live")
    for path in settings.data_dir.glob("live/*/*/*.jpg"):
        path.unlink()
    if analysed:
        assert main(["consume", "--live", "--until-caught-up", "--data-dir", str(settings.data_dir)]) in (
            0,
            6,
        )


def books_are_settled(settings: Settings, *, code: int = 0) -> str:
    main(["consume", "--live", "--until-caught-up", "--data-dir", str(settings.data_dir)])
    run_frametally("aggregate", settings=settings)
    run_frametally("index", settings=settings)
    return run_frametally("status", settings=settings, code=code)


def minute_is_whole(settings: Settings) -> bool:
    with closing(open_object_store(settings.store_url)) as store:
        [minute] = manifests_of(store)
    return (
        minute.state == "complete"
        and minute.frames_expected == minute.frames_announced == SENT
        and minute.announced_frames == bitmap_of(range(SENT))
        and (minute.first_captured_at_ms, minute.last_captured_at_ms)
        == (FIRST_MS, FIRST_MS + (SENT - 1) * 200)
    )


@pytest.mark.parametrize("pictures_lost", [0, 3])
@pytest.mark.parametrize("analysed", [True, False])
@pytest.mark.parametrize("spool_lost", [True, False])
def test_the_next_session_completes_the_minute_from_the_log_and_the_segments(
    tmp_path: Path, spool_lost: bool, analysed: bool, pictures_lost: int
) -> None:
    settings = here(tmp_path)
    cut(settings, analysed=analysed, pictures_lost=pictures_lost, spool_lost=spool_lost)
    assert send(settings, packs=False).failure is None
    assert minute_is_whole(settings)
    assert "settled" in books_are_settled(settings)


@pytest.mark.parametrize("pictures_lost", [0, 3])
def test_the_next_session_completes_the_minute_from_the_segments_if_the_log_is_gone(
    tmp_path: Path, pictures_lost: int
) -> None:
    settings = here(tmp_path)
    cut(settings, pictures_lost=pictures_lost)
    run_frametally("aggregate", settings=settings)  # a ledger is in use
    run_frametally("status", settings=settings, code=4)
    for path in settings.data_dir.glob("log.sqlite*"):
        path.unlink()
    assert send(settings, packs=False).failure is None
    assert minute_is_whole(settings)


@pytest.mark.thorough
def test_a_worker_completes_the_minutes_of_a_camera_that_is_off_or_gone(tmp_path: Path) -> None:
    settings = here(tmp_path)
    cut(settings)
    assert "its camera is still recording this minute" in books_are_settled(settings, code=4)
    with Worker(settings, tmp_path / "said.txt"):
        until(lambda: minute_is_whole(settings))
    assert "settled" in books_are_settled(settings)


def test_a_minute_that_another_machine_still_records_stays_open(tmp_path: Path) -> None:
    settings = here(tmp_path)
    cut(settings)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        sender = Sender(
            spool_of(settings),
            source="gate-1",
            settings=settings,
            store=store,
            log=log,
            patience=Patience(lambda line: None, lambda: False),
            on_sent=lambda announcement, is_new: None,
            on_resumed=lambda minutes: None,
            is_alone=False,
        )
        sender.start()
        sender.finish()
        assert sender.failure is None
        [minute] = manifests_of(store)
    assert (minute.state, media_of(minute)) == ("producing", minute_of(0).sha256)
