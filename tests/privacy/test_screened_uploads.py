"""An uploaded video leaves no picture in the store that shows more than its blurred frames."""

from __future__ import annotations

import hashlib
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import av
import msgspec
import numpy as np
import pytest
from tests.capabilities import needs
from tests.commands import run_frametally
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_manifest
from tests.kit.clips import write_clip
from tests.privacy.screened import (
    BLUR,
    CORNER,
    distance,
    images,
    legible_spans,
    opened,
    produce_there,
    ruled,
    stored_pictures,
    traffic_frames,
)

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.files.opencv import decode_pixels
from frametally.media.screening import note_in
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience
from frametally.records import encode
from frametally_privacy.policy import PrivacyRule, read_policy, set_rule

if TYPE_CHECKING:
    from frametally_videos.catalogue.catalogue_rows import JobKind

START = "2026-03-01T08:00:00Z"


@pytest.mark.thorough
@needs("videos")
@pytest.mark.parametrize("originals", ["blur", "delete"])
def test_an_upload_leaves_only_blurred_pictures_and_its_original_is_deleted(
    originals: Literal["blur", "delete"], traffic_clip: Path, model_files: Any, tmp_path: Path
) -> None:
    frames = traffic_frames(traffic_clip, 5, 60)
    video = write_clip(tmp_path / "gate.mp4", frames)
    env: dict[str, Any] = {"FRAMETALLY_DATA_DIR": str(tmp_path / "blurred"), "FRAMETALLY_SAMPLE_FPS": "all"}
    ruled(tmp_path / "blurred", msgspec.structs.replace(BLUR, masks=(CORNER,), originals=originals))

    def run(*arguments: object) -> str:
        finished = run_frametally(*arguments, cwd=tmp_path, **env)
        assert finished.code == 0, finished.err
        return finished.out + finished.err

    run("upload", video, "--source", "gate", "--start-time", START)
    told = run("work", "--until-done")
    assert "its original was deleted, as the policy of its source says" in told
    with opened(tmp_path / "blurred") as ports:
        stored = images(ports.store)
        video_keys = [info.key for info in ports.store.list(keys.VIDEOS)]
    assert not [key for key in video_keys if keys.parse_original_key(key)]
    assert any(key.endswith(".mp4") for key in video_keys) == (originals == "blur")
    notes = [note_in(jpeg) for jpeg in stored.values()]
    assert len(notes) == len(frames) and all(notes)
    # Versions have other sizes and colours than frames: each is compared with the nearest one.
    with opened(
        ruled(tmp_path / "masked", msgspec.structs.replace(BLUR, blur=False, masks=(CORNER,)))
    ) as ports:
        produce_there(ports, video, start_time=START)
        plain = [decode_pixels(jpeg) for jpeg in images(ports.store).values()]
    seen = 0
    for name, picture in stored_pictures(tmp_path / "blurred" / "store"):
        if picture.shape != plain[0].shape:  # of the sprite, whose tiles are too small for plates
            continue
        number = min(range(len(plain)), key=lambda number: distance(plain[number], picture))
        assert picture[:110, :200].max() < 24, name
        assert legible_spans(plain[number], picture, notes[number].detections) == [], name
        seen += 1
    assert seen >= len(frames) + 1 + (len(frames) if originals == "blur" else 0)


@needs("videos")
def test_a_damaged_video_does_not_keep_another_ones_original_and_without_a_rule_no_record_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.videos.video_records import fake_video, open_parts, send

    from frametally_videos.catalogue.catalogue_rows import JobKind
    from frametally_videos.library import retention
    from frametally_videos.uploads.acceptance import Acceptance, UploadSettler

    ports, said = open_parts(tmp_path), list[str]()
    with closing(ports.store), closing(ports.catalogue):
        videos = [Acceptance(ports).accept(send(ports, fake_video(number))).video for number in (1, 2)]
        for video in videos:
            manifest = make_manifest(1, media=video.sha256)
            ports.store.put(manifest.key, encode(manifest))
            for _ in ports.catalogue.jobs(video.id):
                job = ports.catalogue.claim("w", get_args(JobKind), lease_s=60)
                assert job is not None
                assert ports.catalogue.end(job, "done")
        settler = UploadSettler(Acceptance(ports), said.append)
        with monkeypatch.context() as patch:
            patch.setattr(retention, "find_record", pytest.fail)
            settler.settle(patiently=False)
        assert said == []
        set_rule(ports.store, PrivacyRule(masks=(CORNER,)))
        monkeypatch.setattr("frametally_privacy.screens.READ_EVERY_S", 0.0)
        first, second = sorted(videos, key=lambda video: video.id)
        ports.store.put(first.key, b"damaged")
        settler.settle(patiently=False)
        assert ports.store.head(keys.original_key(first.id)) is not None
        assert ports.store.head(keys.original_key(second.id)) is None
        assert any(line.startswith(first.key) for line in said)
        assert said[-1] == f"video {second.id}: its original was deleted, as the policy of its source says"


@needs("videos")
@pytest.mark.parametrize("kind", ["playable", "previews"])
def test_what_is_made_from_an_original_that_is_erased_meanwhile_is_deleted(
    kind: JobKind, tmp_path: Path
) -> None:
    from tests.videos.video_records import make_video

    from frametally_videos.jobs.job_call import JobCall
    from frametally_videos.jobs.job_steps import DOING

    data = write_clip(tmp_path / "gate.mp4", (np.full((96, 128, 3), 255, np.uint8),) * 5).read_bytes()
    record = make_video(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), source="gate")
    original = keys.original_key(record.id)

    class ErasedStore(MemoryStore):
        """Loses the original just before something made from it is stored."""

        def put(self, key: str, data: bytes, **options: Any) -> bool:
            if key.startswith(keys.video_folder(record.id)) and key not in (record.key, original):
                self.delete(original)
            return super().put(key, data, **options)

    with opened(tmp_path / "data") as ports:
        store = ErasedStore()
        store.put(record.key, encode(record))
        store.put(original, data)
        call = JobCall(record, "", ports.settings, store, NoProgress(), Patience(print, lambda: False))
        with pytest.raises(Poison, match="its original was deleted"):
            DOING[kind](call)
    assert [info.key for info in store.list(keys.VIDEOS)] == [record.key]


@needs("videos")
@pytest.mark.parametrize("kind", ["playable", "previews"])
def test_work_on_a_video_during_which_a_rule_is_set_is_repeated_under_it(
    kind: JobKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.videos.video_records import make_video

    from frametally_videos.jobs.job_call import JobCall
    from frametally_videos.jobs.job_steps import DOING

    monkeypatch.setattr("frametally_privacy.screens.READ_EVERY_S", 0.0)
    white = np.full((96, 128, 3), 255, np.uint8)
    data = write_clip(tmp_path / "gate.mp4", (white,) * 5).read_bytes()
    with opened(tmp_path / "data") as ports:
        store = ports.store
        record = make_video(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), source="gate")
        store.put(record.key, encode(record))
        store.put(keys.original_key(record.id), data)

        def is_stopping() -> bool:  # asked between pictures
            if read_policy(store).version == 0:
                set_rule(store, PrivacyRule(masks=(CORNER,)))
            return False

        call = JobCall(record, "", ports.settings, store, NoProgress(), Patience(print, is_stopping))
        before = [info.key for info in store.list(keys.VIDEOS)]
        with pytest.raises(Retryable, match="privacy rule of its source has changed"):
            DOING[kind](call)
        assert [info.key for info in store.list(keys.VIDEOS)] == before
        made = DOING[kind](call)
        store.delete(keys.original_key(record.id))
    assert made
    pictures = [picture for _, picture in stored_pictures(tmp_path / "data" / "store")]
    assert pictures
    assert all(picture[:4, :4].max() < 40 for picture in pictures)


@needs("videos")
def test_a_screened_version_has_each_picture_at_its_time_and_nothing_else_of_its_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.videos.video_records import make_video

    from frametally_videos.jobs.job_call import JobCall
    from frametally_videos.jobs.job_steps import DOING

    monkeypatch.setattr("frametally_privacy.screens.READ_EVERY_S", 0.0)
    times_ms = [0, 40, 45, 200, 240, 900, 905, 910, 1500, 1540, 1580, 1620]
    path = tmp_path / "gate.mp4"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update({"title": "SECRET", "location": "SECRET +48.1+011.5/"})
        tracks: list[Any] = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for track in tracks:
            track.height, track.width, track.codec_context.time_base = 96, 128, Fraction(1, 1000)
        tracks[0].codec_context.options = {"x264-params": "bframes=3:b-adapt=0:keyint=5"}
        for number, at_ms in enumerate(times_ms):
            for track in tracks:
                frame = av.VideoFrame.from_ndarray(
                    np.full((96, 128, 3), 20 + 18 * number, np.uint8), format="bgr24"
                )
                frame.pts, frame.time_base = at_ms, Fraction(1, 1000)
                container.mux(track.encode(frame))
        for track in tracks:
            container.mux(track.encode(None))
    data = path.read_bytes()
    assert b"SECRET" in data
    rule = msgspec.structs.replace(BLUR, blur=False, masks=(CORNER,))
    with opened(ruled(tmp_path / "data", rule)) as ports:
        record = make_video(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), source="gate")
        ports.store.put(record.key, encode(record))
        ports.store.put(keys.original_key(record.id), data)
        patience = Patience(print, lambda: False)
        call = JobCall(record, "", ports.settings, ports.store, NoProgress(), patience)
        (made,) = DOING["playable"](call)
        path.write_bytes(ports.store.get(made.key))
    assert b"SECRET" not in path.read_bytes()
    with av.open(str(path)) as container:
        assert len(container.streams) == 1
        frames = list(container.decode(video=0))
    assert [round((frame.time or 0.0) * 1000) for frame in frames] == times_ms
    levels = [frame.to_ndarray(format="gray") for frame in frames]
    assert all(level[:20, :28].max() < 24 for level in levels)
    assert [level[40:, 40:].mean() for level in levels] == pytest.approx(
        [20 + 18 * number for number in range(len(times_ms))], abs=6
    )


@needs("videos")
def test_an_earlier_playable_version_is_not_mistaken_for_the_one_that_replaces_an_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.videos.video_records import fake_video, open_parts, send

    from frametally_videos.catalogue.catalogue_rows import JobKind
    from frametally_videos.library.retention import remove_screened_original
    from frametally_videos.uploads.acceptance import Acceptance

    monkeypatch.setattr("frametally_privacy.screens.READ_EVERY_S", 0.0)
    ports = open_parts(tmp_path)
    with closing(ports.store), closing(ports.catalogue) as catalogue:
        video = Acceptance(ports).accept(send(ports, fake_video(1))).video
        manifest = make_manifest(1, media=video.sha256)
        ports.store.put(manifest.key, encode(manifest))
        catalogue.queue(video.id, "playable")

        def do_all() -> None:
            while job := catalogue.claim("w", get_args(JobKind), lease_s=60):
                assert catalogue.end(job, "done")

        do_all()
        set_rule(ports.store, PrivacyRule(masks=(CORNER,), originals="blur"))
        removal = (ports.settings, ports.store, catalogue, video.id)
        assert not remove_screened_original(*removal)
        assert [job.kind for job in catalogue.jobs(video.id) if job.state == "queued"] == ["playable"]
        assert not remove_screened_original(*removal)
        do_all()
        assert remove_screened_original(*removal)


@needs("videos")
@needs("retention")
def test_a_legal_hold_keeps_an_original_until_it_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.videos.video_records import fake_video, open_parts, send

    from frametally_retention.policy import LegalHold, put_hold, release_hold
    from frametally_videos.catalogue.catalogue_rows import JobKind
    from frametally_videos.library.retention import remove_screened_original
    from frametally_videos.uploads.acceptance import Acceptance

    monkeypatch.setattr("frametally_privacy.screens.READ_EVERY_S", 0.0)
    ports = open_parts(tmp_path)
    with closing(ports.store) as store, closing(ports.catalogue) as catalogue:
        video = Acceptance(ports).accept(send(ports, fake_video(1))).video
        manifest = make_manifest(1, media=video.sha256, span_ms=(1000, 2000))
        store.put(manifest.key, encode(manifest))
        while job := catalogue.claim("w", get_args(JobKind), lease_s=60):
            assert catalogue.end(job, "done")
        set_rule(store, PrivacyRule(masks=(CORNER,)))
        put_hold(store, LegalHold(name="before", source=manifest.source, to_ms=1000, set_at_ms=0))
        put_hold(store, LegalHold(name="case", source=manifest.source, from_ms=2000, set_at_ms=0))
        assert not remove_screened_original(ports.settings, store, catalogue, video.id)
        assert store.head(keys.original_key(video.id)) is not None
        release_hold(store, "case")
        assert remove_screened_original(ports.settings, store, catalogue, video.id)
        assert put_hold(store, LegalHold(name="late", set_at_ms=0)) != []
