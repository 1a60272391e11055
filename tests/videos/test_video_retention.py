"""The end of uploaded videos, their restoration from the store, and their announcements on the log."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.fakes.memory import ManualClock, MemoryStore
from tests.fakes.records import make_manifest
from tests.videos.test_video_states import VIDEO, House, announced
from tests.videos.video_records import corrected, fake_video, make_video, open_parts, send

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Misconfigured
from frametally.openers.port_openers import open_ports
from frametally.ports.frame_log import FrameLog
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.rules.times import DAY_S
from frametally.settings.loading import load_settings
from frametally_cli import main as cli
from frametally_cli.commands.doctor import check_images, deep_rows
from frametally_cli.main import main
from frametally_videos.catalogue.catalogue_rows import VideoQuestion, VideoRow
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.commands.catalogue import Rebuilt, rebuild_catalogue
from frametally_videos.hooks.checks import check_originals
from frametally_videos.library.retention import remove_old_originals
from frametally_videos.records import UploadRecord, VideoContent, VideoFacts, VideoFields, VideoRecord
from frametally_videos.uploads.acceptance import Acceptance
from frametally_videos.uploads.arrivals import take_arrivals, tell_arrivals, waiting_arrivals

FACTS = VideoFacts(
    container="mp4",
    content_type="video/mp4",
    codec="h264",
    width_px=64,
    height_px=48,
    fps=25.0,
    duration_s=1.5,
    frames=38,
    has_sound=False,
    plays_in_browsers=True,
)


def a_video(number: int, data: bytes) -> VideoRecord:
    return VideoRecord(
        id=f"{number:08d}-1111-4111-8111-111111111111",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        name="Cam",
        file_name="cam.mp4",
        source="cam",
        source_name="Cam",
        fields=VideoFields(),
        facts=FACTS,
        uploaded_at_ms=0,
    )


def test_an_original_is_deleted_after_its_days_once_its_frames_are_extracted_and_the_rest_is_kept() -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    states = {1: "complete", 2: "producing", 3: None, 4: "complete"}
    for number, state in states.items():
        clock.now_s = 5.0 * DAY_S if number == 4 else 0.0
        video = a_video(number, b"video %d" % number)
        store.put(keys.original_key(video.id), b"video %d" % number)
        store.put(video.key, encode(video))
        store.put(keys.preview_key(video.id, "poster-00000000.jpg"), b"poster")
        if state is not None:
            manifest = make_manifest(1, media=video.sha256, state=state)
            store.put(manifest.key, encode(manifest))
    no_videos = keys.original_key("99999999-1111-4111-8111-111111111111")
    store.put(no_videos, b"of an upload that is not over")
    before = {info.key for info in store.list("")}
    now_ms = 7 * DAY_S * 1000
    assert remove_old_originals(store, days=0, now_ms=now_ms) == []
    assert remove_old_originals(store, days=7, now_ms=now_ms) == []
    assert remove_old_originals(store, days=3, now_ms=now_ms) == [a_video(1, b"video 1").id]
    assert {info.key for info in store.list("")} == before - {keys.original_key(a_video(1, b"").id)}
    assert remove_old_originals(store, days=3, now_ms=now_ms) == []


def upload_of(video: VideoRecord) -> UploadRecord:
    return UploadRecord(
        id=video.id,
        video_id=video.id,
        kind="resumable",
        length_bytes=9,
        file_name="cam.mp4",
        fields=VideoFields(),
        created_at_ms=0,
        expires_at_ms=2**50,
    )


def test_unnamed_images_include_those_of_deleted_uploads_and_of_forgotten_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(data_dir=tmp_path)
    store = open_object_store(settings.store_url)
    forgotten, counted, waiting, gone, coming = (a_video(number, b"%d" % number) for number in range(1, 6))
    for video in (forgotten, counted, waiting, gone, coming):
        store.put(keys.original_key(video.id), b"original")
        store.put(keys.preview_key(video.id, "poster-00000000.jpg"), b"poster")
    for video in (forgotten, counted, waiting):
        store.put(video.key, encode(video))
    for video in (forgotten, counted):
        manifest = make_manifest(1, media=video.sha256, state="complete")
        store.put(manifest.key, encode(manifest))
    claim = VideoContent(sha256=forgotten.sha256, video_id=forgotten.id, upload_id=forgotten.id)
    store.put(claim.key, encode(claim))
    store.put(upload_of(coming).key, encode(upload_of(coming)))
    kept = {info.key for info in store.list("") if forgotten.id not in info.key and gone.id not in info.key}
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        catalogue.put_video(forgotten, "1")
        catalogue.set_video(forgotten.id, state="ready")
    assert main(["forget", forgotten.sha256, "--yes", "--data-dir", str(tmp_path)]) == 0
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        row = catalogue.video(forgotten.id)
        assert row.state == "received"  # checked again, and no longer ready
    capsys.readouterr()
    with open_ports(settings) as ports:
        rows = [row for row in check_images(ports, NoProgress()) if row.name == gone.id]
    assert [row.value for row in rows] == ["2 objects of an uploaded video that no longer exists, 0.0 MB"]

    assert main(["forget", "--unnamed-images", "--yes", "--data-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"{gone.id}: 2 objects of an uploaded video that no longer exists" in said
    assert "Cam (source Cam): an uploaded video whose frames were forgotten" in said
    assert said.endswith("deleted: 2 pictures that belong to no medium, 1 uploaded videos\n")
    left = {info.key for info in store.list("") if not info.key.startswith(keys.TOMBSTONES)}
    assert left == kept - {keys.media_key(forgotten.sha256), claim.key}


@pytest.mark.thorough
def test_doctor_deep_names_an_original_with_changed_bytes_and_ignores_deleted_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    settings = load_settings(data_dir=tmp_path)
    store = open_object_store(settings.store_url)
    data = bytes(9_000_000)
    for number in (1, 2, 3):
        video = a_video(number, data)
        store.put(video.key, encode(video))
        if number != 3:
            store.put(keys.original_key(video.id), data)
    with open_ports(settings) as ports:
        assert [row[:3] for row in check_originals(ports, NoProgress())] == [("originals", "all", "2 read")]
        damaged = keys.original_key(a_video(2, data).id)
        store.put(damaged, data[:-1] + b"\x01")
        store.put(keys.video_key(a_video(1, data).id), b"no record")
    bad = {row.name: row for row in deep_rows(settings) if not row.good}
    assert set(bad) == {damaged, keys.video_key(a_video(1, data).id)}
    assert bad[damaged].area == "originals"
    assert "restore it from a backup" in bad[damaged].remedy


MADE = {
    "poster-0a1b2c3d.jpg": 3,
    "sprite-0a1b2c3d.jpg": 4,
    "sprite-0a1b2c3d.vtt": 5,
    "metadata.json": 6,
    "quality.json": 7,
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A counted video, and one without any work."""
    with ExitStack() as stack:
        made = House(tmp_path, stack)
        made.put(make_video(2))
        for name, size_bytes in MADE.items():
            made.store.put(keys.preview_key(VIDEO.id, name), b"x" * size_bytes)
        made.store.put(keys.original_key(VIDEO.id), b"bytes")
        made.store.put(keys.video_content_key(VIDEO.sha256), b"{}")
        made.announce(announced(3))
        made.detect(0, 1, 2)
        made.count(3)
        yield made


def rows(catalogue: VideoCatalogue) -> list[VideoRow]:
    return catalogue.videos(VideoQuestion()).rows


def rebuilt(house: House) -> Rebuilt:
    found = rebuild_catalogue(house.store, house.catalogue, NoProgress())
    house.settler.settle_all()
    return found


def test_a_lost_catalogue_is_rebuilt_with_the_same_rows(house: House) -> None:
    rebuilt(house)
    before = rows(house.catalogue)
    assert [row.state for row in before] == ["received", "ready"]
    assert [(one.kind, one.size_bytes) for one in before[1].artifacts] == [
        ("metadata", 6),
        ("poster", 3),
        ("quality", 7),
        ("sprite", 4),
        ("sprite_vtt", 5),
    ]
    for row in before:
        house.catalogue.remove_video(row.record.id)
    assert rebuilt(house) == (2, 0, [])
    assert rows(house.catalogue) == before


def test_only_missing_jobs_are_queued_and_only_once(house: House) -> None:
    for _ in range(2):
        rebuilt(house)
    assert house.jobs() == []
    assert {(job.kind, job.state) for job in house.catalogue.jobs(make_video(2).id)} == {
        ("frames", "queued"),
        ("previews", "queued"),
        ("metadata", "queued"),
        ("checks", "queued"),
    }


def test_rows_of_videos_that_are_not_in_the_store_are_removed(house: House) -> None:
    house.catalogue.put_video(make_video(3), "v1")
    assert rebuilt(house) == (2, 1, [])
    assert house.catalogue.video(make_video(3).id) is None


def test_a_changed_record_is_read_again(house: House) -> None:
    record = corrected(VIDEO, name="Other")
    house.store.put(record.key, encode(record))
    rebuilt(house)
    row = house.catalogue.video(VIDEO.id)
    assert (row.record.name, row.state) == ("Other", "ready")


def test_an_unfinished_removal_continues(house: House) -> None:
    record = corrected(VIDEO, state="deleting")
    house.store.put(record.key, encode(record))
    rebuilt(house)
    assert house.jobs() == [("removal", "queued")]


def test_the_newest_pictures_of_several_recipes_are_shown(house: House) -> None:
    house.store.put(keys.preview_key(VIDEO.id, "poster-ffffffff.jpg"), b"xx")
    rebuilt(house)
    row = house.catalogue.video(VIDEO.id)
    assert [one.key.rpartition("/")[2] for one in row.artifacts if one.kind == "poster"] == [
        "poster-ffffffff.jpg"
    ]


def test_a_damaged_record_is_reported_and_the_others_are_read(house: House) -> None:
    house.store.put(VIDEO.key, b"{")
    found = rebuilt(house)
    assert (found.videos, [skipped.name for skipped in found.skipped]) == (1, [VIDEO.key])


def test_the_command_rebuilds_the_catalogue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    store = open_object_store((folder / "store").as_uri())
    store.put(VIDEO.key, encode(VIDEO))
    store.close()
    for _ in range(2):
        assert cli.main(["catalogue", "rebuild", "--data-dir", str(folder)]) == 0
        assert capsys.readouterr().out == "catalogue: 1 video added, 0 deleted\n"
        catalogue = open_video_catalogue(f"sqlite:///{folder}/catalogue.sqlite")
        assert [row.record for row in rows(catalogue)] == [VIDEO]
        assert {job.kind for job in catalogue.jobs(VIDEO.id)} == {"frames", "previews", "metadata", "checks"}
        catalogue.close()
        for part in folder.glob("catalogue.sqlite*"):
            part.unlink()


TOPIC = "videos"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FrameLog]:
    with closing(open_frame_log(f"sqlite:///{tmp_path / 'log.sqlite'}")) as opened:
        yield opened


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[VideoCatalogue]:
    with closing(open_video_catalogue(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")) as opened:
        yield opened


def ids(log: FrameLog) -> list[str]:
    return [video.video_id for video in waiting_arrivals(log, TOPIC).videos]


def test_no_arrival_waits_before_one_is_announced(log: FrameLog, catalogue: VideoCatalogue) -> None:
    assert tell_arrivals(log, TOPIC, catalogue) == 0
    assert waiting_arrivals(log, TOPIC) == ([], {}, [])


@pytest.mark.thorough
def test_an_announced_arrival_waits_until_it_is_taken(log: FrameLog, catalogue: VideoCatalogue) -> None:
    first, second = make_video(1), make_video(2)
    catalogue.put_video(first, "1")
    assert tell_arrivals(log, TOPIC, catalogue) == 1
    seen = waiting_arrivals(log, TOPIC)
    catalogue.put_video(second, "1")
    assert tell_arrivals(log, TOPIC, catalogue) == 1
    assert ids(log) == ids(log) == [first.id, second.id]
    take_arrivals(log, TOPIC, seen.up_to)  # the second came after that
    take_arrivals(log, TOPIC, seen.up_to)
    assert ids(log) == [second.id]
    take_arrivals(log, TOPIC, waiting_arrivals(log, TOPIC).up_to)
    assert ids(log) == []


def test_a_video_announced_twice_arrives_once(
    log: FrameLog, catalogue: VideoCatalogue, tmp_path: Path
) -> None:
    video = make_video(1)
    catalogue.put_video(video, "1")
    tell_arrivals(log, TOPIC, catalogue)
    # A rebuilt catalogue, or one whose worker was killed before it noted its announcement.
    with closing(open_video_catalogue(f"sqlite:///{tmp_path / 'anew.sqlite'}")) as anew:
        anew.put_video(video, "1")
        assert tell_arrivals(log, TOPIC, anew) == 1
    seen = waiting_arrivals(log, TOPIC)
    assert [one.video_id for one in seen.videos] == [video.id]
    take_arrivals(log, TOPIC, seen.up_to)
    assert ids(log) == []


@pytest.mark.thorough
def test_more_than_a_hundred_arrivals_come_a_hundred_at_a_time(
    log: FrameLog, catalogue: VideoCatalogue
) -> None:
    videos = [make_video(number) for number in range(1, 251)]
    for video in videos:
        catalogue.put_video(video, "1")
    assert tell_arrivals(log, TOPIC, catalogue) == 250
    found: list[list[str]] = []
    while (seen := waiting_arrivals(log, TOPIC)).videos:
        found.append([video.video_id for video in seen.videos])
        take_arrivals(log, TOPIC, seen.up_to)
    assert [len(ids) for ids in found] == [100, 100, 50]
    assert [one for ids in found for one in ids] == [video.id for video in videos]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "message",
    [b"", b"no JSON", b'{"v": 1}', b'{"v":1,"video_id":"../x","sha256":"","source":"","uploaded_at_ms":0}'],
)
def test_a_message_that_does_not_announce_a_video_is_named_and_blocks_nothing(
    log: FrameLog, catalogue: VideoCatalogue, message: bytes
) -> None:
    video = make_video(1)
    catalogue.put_video(video, "1")
    log.create_topic(TOPIC, 1)
    log.publish(TOPIC, [(b"", message)])
    tell_arrivals(log, TOPIC, catalogue)
    seen = waiting_arrivals(log, TOPIC)
    assert [one.video_id for one in seen.videos] == [video.id]
    assert [one.name for one in seen.skipped] == ["videos 0:0"]
    take_arrivals(log, TOPIC, seen.up_to)
    assert waiting_arrivals(log, TOPIC) == ([], {}, [])


@pytest.mark.parametrize("place", [{0: 2}, {0: -1}, {7: 0}])
def test_an_invalid_position_takes_no_arrival(
    log: FrameLog, catalogue: VideoCatalogue, place: dict[int, int]
) -> None:
    catalogue.put_video(make_video(1), "1")
    tell_arrivals(log, TOPIC, catalogue)
    with pytest.raises(Misconfigured, match="list the waiting videos again"):
        take_arrivals(log, TOPIC, place)
    assert len(ids(log)) == 1


@pytest.mark.parametrize(
    ("orchestrator", "kinds"),
    [("queue", {"frames", "previews", "metadata", "checks"}), ("airflow", {"frames"})],
)
def test_work_on_a_new_videos_layers_is_left_to_airflow_where_the_setting_says_so(
    tmp_path: Path, orchestrator: str, kinds: set[str]
) -> None:
    ports = open_parts(tmp_path)
    ports = ports._replace(settings=ports.settings.model_copy(update={"video_orchestrator": orchestrator}))
    with closing(ports.catalogue) as catalogue:
        video = Acceptance(ports).accept(send(ports, fake_video())).video
        assert {job.kind for job in catalogue.jobs(video.id)} == kinds
