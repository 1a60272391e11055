"""From an upload's bytes to a video: exactly one per content, and the same result after any kill."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.commands import run_frametally
from tests.examples import first_quick
from tests.fakes.memory import ManualClock
from tests.fakes.records import make_manifest
from tests.kit.clips import write_clip
from tests.videos.video_place import VideoPlace
from tests.videos.video_records import (
    NO_PICTURES,
    NO_TIME,
    all_keys,
    fake_video,
    keys_of_video,
    make_facts,
    make_video,
    open_parts,
    rows_and_jobs,
    send,
)

from frametally import keys
from frametally.books.runs import current_runs, read_parts
from frametally.errors import Poison, Retryable
from frametally.media.manifests import list_manifests
from frametally.ports.object_store import ObjectStore
from frametally.process.failpoints import VARIABLE, every_failpoint
from frametally.records import encode
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import JobQuestion, VideoQuestion, made_by, usual_jobs
from frametally_videos.library.edits import edit_video, moment_ms
from frametally_videos.records import VideoContent, VideoFacts, VideoFields, VideoRecord
from frametally_videos.upload_refusals import Refused
from frametally_videos.uploads import acceptance as acceptance_module
from frametally_videos.uploads.acceptance import Acceptance, UploadSettler, read_video
from frametally_videos.uploads.content_claims import claim, give_up_claim, holder_of
from frametally_videos.uploads.receiving import (
    UploadPorts,
    begin_upload,
    confirm_move,
    find_upload,
    keep_upload,
    note_end,
    resume_write,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = fake_video()
UPLOAD = """
import sys
from pathlib import Path
from frametally.process import failpoints
from frametally_videos.uploads.acceptance import Acceptance
from tests.videos.video_records import fake_video, open_parts, send
failpoints.arm()
ports = open_parts(Path(sys.argv[1]))
Acceptance(ports).accept(send(ports, fake_video()))
"""
PASSED_HERE = [name for name in every_failpoint() if name.startswith("upload.")]
PASSED_BY_THE_SERVER = ["upload.appended", "upload.flushed"]


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[UploadPorts]:
    opened = open_parts(tmp_path)
    yield opened
    opened.catalogue.close()
    opened.store.close()


def settle(ports: UploadPorts) -> list[str]:
    """Settles all uploads at once; returns the messages."""
    said: list[str] = []
    UploadSettler(Acceptance(ports), said.append).settle(patiently=False)
    return said


def jobs_of(ports: UploadPorts, video_id: str) -> list[str]:
    return sorted(job.kind for job in ports.catalogue.jobs(video_id))


def test_a_video_with_no_known_time_waits_for_a_person_while_its_pictures_are_made(
    ports: UploadPorts,
) -> None:
    video = Acceptance(ports).accept(send(ports, NO_TIME)).video
    row = ports.catalogue.video(video.id)
    assert (row.state, row.reason) == ("needs_time", acceptance_module.NO_TIME)
    assert jobs_of(ports, video.id) == sorted(usual_jobs(video, "queue"))
    assert "frames" not in usual_jobs(video, "queue")


COUNTED = make_manifest(
    60,
    media=hashlib.sha256(DATA).hexdigest(),
    source="traffic",
    start_ms=1_767_225_600_000,
    span_ms=(1_767_225_600_000, 1_767_225_612_000),
)
"""The frames of the same bytes: 60 of 2026-01-01."""
ELSEWHERE = VideoFields(source="Gate", start_time="2026-02-01T08:00:00Z")


def look_for_times(settings: Settings, key: str, fields: VideoFields, file_name: str) -> VideoFacts:
    """A look into bytes without a time: the given time, else the file's date."""
    if fields.start_time:
        return make_facts(started_at_ms=moment_ms(fields.start_time, None, settings))
    return make_facts(started_at_ms=fields.last_modified_ms, time_source="file_time")


def test_uploading_the_same_bytes_as_another_source_keeps_the_first_counts(ports: UploadPorts) -> None:
    ports.store.put(COUNTED.key, encode(COUNTED))
    ports = ports._replace(look=look_for_times)
    upload = send(ports, DATA, fields=ELSEWHERE)
    with pytest.raises(Refused, match="60 frames of Traffic on 2026-01-01 would count as Gate on 2026-02-01"):
        Acceptance(ports).accept(upload)
    ended = ports.catalogue.upload(upload.id)
    assert (ended.state, ended.status) == ("refused", 409)
    # Its bytes wait for a confirmation until the upload expires.
    kept = sorted([COUNTED.key, upload.key, keys.original_key(upload.video_id)])
    assert settle(ports) == []
    assert all_keys(ports.store) == kept
    later = Acceptance(ports._replace(now_ms=lambda: upload.expires_at_ms))
    UploadSettler(later, print).settle(patiently=False)
    assert all_keys(ports.store) == [COUNTED.key]


def test_counts_of_an_uploaded_video_move_once_an_upload_of_its_bytes_confirms_it(ports: UploadPorts) -> None:
    ports = ports._replace(look=look_for_times)
    as_counted = VideoFields(source="Traffic", start_time="2026-01-01T00:00:00Z")
    first = Acceptance(ports).accept(send(ports, DATA, fields=as_counted)).video
    ports.store.put(COUNTED.key, encode(COUNTED))  # the counts of its frames
    kept = Acceptance(ports).accept(send(ports, DATA, fields=ELSEWHERE))
    assert kept.video == first
    assert "keeps its own source, start_time" in kept.remark
    confirmed = msgspec.structs.replace(ELSEWHERE, move_counts=True)
    upload = send(ports, DATA, fields=confirmed)
    for _ in range(2):  # every repeated request gets the same answer
        accepted = Acceptance(ports).accept(upload)
        assert "60 frames of Traffic on 2026-01-01 will count as Gate" in accepted.remark
        assert "keeps" not in accepted.remark
    video = read_video(ports.store, first.id)
    assert (video.source, video.facts.started_at_ms) == (
        "gate",
        moment_ms("2026-02-01T08:00:00Z", None, ports.settings),
    )
    assert (video.moved_from.source, video.moved_from.frames) == ("traffic", 60)
    assert not video.fields.move_counts
    assert jobs_of(ports, first.id).count("frames") == 1


def test_a_confirmation_survives_a_kill(ports: UploadPorts) -> None:
    ports.store.put(COUNTED.key, encode(COUNTED))
    ports = ports._replace(look=look_for_times)
    upload = send(ports, DATA, fields=ELSEWHERE)
    with pytest.raises(Refused):
        Acceptance(ports).accept(upload)
    confirm_move(ports, upload)
    assert settle(ports) == []
    video = read_video(ports.store, upload.video_id)
    assert video.source == "gate"
    assert all_keys(ports.store) == sorted([COUNTED.key, *keys_of_video(ports.store, video.id)])


@pytest.mark.parametrize("fields", [VideoFields(), VideoFields(source="TRAFFIC")])
def test_an_upload_without_source_or_time_counts_where_its_bytes_already_count(
    ports: UploadPorts, fields: VideoFields
) -> None:
    ports.store.put(COUNTED.key, encode(COUNTED))
    ports = ports._replace(look=look_for_times)
    video = Acceptance(ports).accept(send(ports, DATA, fields=fields)).video
    assert (video.source, video.source_name, video.moved_from) == ("traffic", "Traffic", None)
    assert (video.facts.started_at_ms, video.facts.time_source) == (COUNTED.start_ms, "start_time")


def test_an_uploads_guessed_time_is_corrected_by_the_next_upload(ports: UploadPorts) -> None:
    ports = ports._replace(look=look_for_times)
    upload = send(ports, DATA)
    first = Acceptance(ports).accept(upload).video
    assert (first.facts.started_at_ms, first.facts.time_source) == (upload.created_at_ms, "file_time")
    assert "frames" in jobs_of(ports, first.id)
    elsewhere = msgspec.structs.replace(ELSEWHERE, source="Yard")  # which says nothing of this source's time
    other = Acceptance(ports).accept(send(ports, DATA, fields=elsewhere))
    assert (other.known, other.video) == (True, first)
    assert "keeps its own source, start_time" in other.remark
    again = Acceptance(ports).accept(send(ports, DATA, fields=VideoFields(start_time=ELSEWHERE.start_time)))
    assert (again.known, again.video.id) == (True, first.id)
    assert again.video.facts.time_source == "start_time"
    assert again.video.facts.started_at_ms == moment_ms("2026-02-01T08:00:00Z", None, ports.settings)
    assert "start_time" in again.remark
    later = Acceptance(ports).accept(send(ports, DATA, fields=VideoFields(start_time="2026-03-01T00:00:00Z")))
    assert later.video == again.video
    assert "keeps its own start_time" in later.remark


def test_a_repeated_upload_reports_which_of_its_fields_were_ignored(ports: UploadPorts) -> None:
    fields = VideoFields(
        name="Noon", source="Gate", client_id="client-1", roi={"x": 1, "y": 0, "width": 9, "height": 9}
    )
    first = Acceptance(ports).accept(send(ports, DATA, fields=fields)).video
    same = Acceptance(ports).accept(send(ports, DATA, fields=fields))
    assert (same.known, same.remark) == (True, "")
    other = VideoFields(
        name="Night",
        source="Yard",
        client_id="client-2",
        roi={"x": 2, "y": 0, "width": 9, "height": 9},
        calibration={"points": [[1, 1]]},
    )
    again = Acceptance(ports).accept(send(ports, DATA, fields=other))
    assert again.video == first
    assert "keeps its own name, source, roi, calibration" in again.remark
    for client_id in ("client-1", "client-2"):
        [row] = ports.catalogue.videos(VideoQuestion(client_id=client_id)).rows
        assert row.record.id == first.id
        assert ports.catalogue.find_jobs(JobQuestion(client_id=client_id)).jobs


@pytest.mark.parametrize(("data", "status"), [(b"PK\3\4 a zip", 415), (NO_PICTURES, 422)])
def test_a_refused_upload_leaves_only_a_note_with_the_reason(
    ports: UploadPorts, data: bytes, status: int
) -> None:
    upload = send(ports, data)
    for _ in range(2):  # every repeated request gets the same answer
        with pytest.raises(Refused) as refused:
            Acceptance(ports).accept(upload)
        assert refused.value.status == status
    assert all_keys(ports.store) == []
    row = ports.catalogue.upload(upload.id)
    assert (row.state, row.status) == ("refused", status)
    assert (row.reason, row.remedy) == (refused.value.reason, refused.value.remedy)
    assert rows_and_jobs(ports.catalogue) == []


def test_an_incomplete_upload_does_not_become_a_video_and_keeps_its_bytes(ports: UploadPorts) -> None:
    upload = begin_upload(
        ports, kind="resumable", length_bytes=len(DATA), file_name="a.mp4", fields=VideoFields()
    )
    write = resume_write(ports.store, upload)
    write.append(DATA[:-1], at_byte=0)
    write.flush()
    with pytest.raises(Poison, match="has 999 of 1000 bytes"):
        Acceptance(ports).accept(upload)
    assert resume_write(ports.store, upload).durable_bytes == len(DATA) - 1
    assert settle(ports) == []
    assert find_upload(ports.store, upload.id) == upload


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", first_quick(name for name in PASSED_HERE if name not in PASSED_BY_THE_SERVER)
)
def test_an_upload_killed_at_any_step_ends_like_an_undisturbed_one(tmp_path: Path, name: str) -> None:
    quiet = open_parts(tmp_path / "quiet")
    video = Acceptance(quiet).accept(send(quiet, fake_video())).video
    killed = subprocess.run(
        [sys.executable, "-W", "error", "-c", UPLOAD, tmp_path / "killed"],
        cwd=ROOT,
        env={**os.environ, VARIABLE: name},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    ports = open_parts(tmp_path / "killed")
    if name == "upload.created":  # its client has to send all of it
        left = [info.key for info in ports.store.list(keys.UPLOADS)]
        upload = find_upload(ports.store, left[0].removeprefix("uploads/").removesuffix(".json"))
        assert upload is not None
        write = resume_write(ports.store, upload)
        assert write.durable_bytes == 0
        write.append(fake_video(), at_byte=0)
        write.flush()
    for _ in range(2):  # the second time there is nothing to do
        assert settle(ports) == []
        videos = [key.split("/")[1] for key in all_keys(ports.store) if key.endswith("/video.json")]
        assert all_keys(ports.store) == keys_of_video(ports.store, videos[0])
        assert rows_and_jobs(ports.catalogue) == rows_and_jobs(quiet.catalogue)
    assert len(all_keys(ports.store)) == len(all_keys(quiet.store))
    assert ports.store.get(keys.original_key(videos[0])) == quiet.store.get(keys.original_key(video.id))
    for opened in (quiet, ports):
        opened.catalogue.close()


def test_the_settler_leaves_an_upload_to_another_process_for_a_minute(ports: UploadPorts) -> None:
    upload = send(ports, DATA)
    clock = ManualClock()
    settler = UploadSettler(Acceptance(ports), pytest.fail, clock=clock)
    for seconds in (0, 30, 25):
        clock.advance(seconds)
        settler.settle()
        assert find_upload(ports.store, upload.id) is not None
    clock.advance(5)
    settler.settle()
    assert find_upload(ports.store, upload.id) is None
    assert read_video(ports.store, upload.video_id) is not None


def test_the_settler_never_touches_a_busy_upload(ports: UploadPorts) -> None:
    upload = send(ports, DATA)
    settler = UploadSettler(Acceptance(ports), pytest.fail, is_busy=lambda one: one == upload.id)
    settler.settle(patiently=False)
    assert find_upload(ports.store, upload.id) == upload


def test_the_settler_removes_originals_that_are_too_old_and_reports_it(ports: UploadPorts) -> None:
    video = Acceptance(ports).accept(send(ports, DATA)).video
    manifest = make_manifest(1, media=video.sha256)
    ports.store.put(manifest.key, encode(manifest))
    later_ms = ports.now_ms() + 2 * 86_400_000
    old = ports._replace(
        settings=ports.settings.model_copy(update={"store_video_days": 1}), now_ms=lambda: later_ms
    )
    said: list[str] = []
    UploadSettler(Acceptance(ports), said.append).settle(patiently=False)
    assert ports.store.head(keys.original_key(video.id)) is not None
    UploadSettler(Acceptance(old), said.append).settle(patiently=False)
    assert ports.store.head(keys.original_key(video.id)) is None
    assert said == [f"video {video.id}: its original was deleted, 1 day after its upload"]
    assert read_video(ports.store, video.id) == video


def test_an_abandoned_upload_is_removed_and_one_that_continues_is_kept(ports: UploadPorts) -> None:
    ports = ports._replace(now_ms=lambda: now_ms)
    now_ms, hour_ms = 1_000_000_000_000, 3_600_000
    upload = begin_upload(ports, kind="resumable", length_bytes=9, file_name="a.mp4", fields=VideoFields())
    write = resume_write(ports.store, upload)
    write.append(b"12345", at_byte=0)
    write.flush()
    assert upload.expires_at_ms == now_ms + 48 * hour_ms
    now_ms += 40 * hour_ms
    kept = keep_upload(ports, upload)
    assert kept.expires_at_ms == now_ms + 48 * hour_ms
    assert find_upload(ports.store, upload.id) == kept
    settler = UploadSettler(Acceptance(ports), pytest.fail)
    now_ms += 47 * hour_ms
    settler.settle(patiently=False)
    assert find_upload(ports.store, upload.id) == kept
    now_ms += hour_ms
    settler.settle(patiently=False)
    assert all_keys(ports.store) == []
    row = ports.catalogue.upload(upload.id)
    assert (row.state, row.reason) == ("aborted", "it was left unfinished for too long")


def test_a_form_upload_interrupted_by_a_kill_is_removed_after_an_hour(ports: UploadPorts) -> None:
    ports = ports._replace(now_ms=lambda: now_ms)
    now_ms = 1_000_000_000_000
    upload = begin_upload(ports, kind="form", length_bytes=None, file_name="a.mp4", fields=VideoFields())
    resume_write(ports.store, upload).append(b"x" * 10_000_000, at_byte=0)
    settler = UploadSettler(Acceptance(ports), pytest.fail)
    settler.settle(patiently=False)
    assert find_upload(ports.store, upload.id) == upload
    now_ms += 3_600_000
    settler.settle(patiently=False)
    assert all_keys(ports.store) == []


def test_the_next_upload_takes_over_a_claim_whose_video_no_longer_exists(ports: UploadPorts) -> None:
    sha256 = hashlib.sha256(DATA).hexdigest()
    gone = VideoContent(sha256=sha256, video_id=make_video(7).id, upload_id=make_video(8).id)
    ports.store.put(gone.key, encode(gone))
    assert holder_of(ports.store, sha256) is None
    video = Acceptance(ports).accept(send(ports, DATA)).video
    assert holder_of(ports.store, sha256) == video.id


def test_a_damaged_claim_is_written_again(ports: UploadPorts) -> None:
    key = keys.video_content_key(hashlib.sha256(DATA).hexdigest())
    ports.store.put(key, b"{damaged")
    video = Acceptance(ports).accept(send(ports, DATA)).video
    assert all_keys(ports.store) == keys_of_video(ports.store, video.id)


def test_only_its_own_video_can_give_up_a_claim(ports: UploadPorts) -> None:
    upload = send(ports, DATA)
    assert claim(ports.store, "a" * 64, upload) == upload.video_id
    give_up_claim(ports.store, "a" * 64, make_video(3).id)
    assert holder_of(ports.store, "a" * 64) == upload.video_id
    give_up_claim(ports.store, "a" * 64, upload.video_id)
    assert holder_of(ports.store, "a" * 64) is None


def test_an_upload_waits_until_the_video_with_the_same_bytes_is_removed(ports: UploadPorts) -> None:
    acceptance = Acceptance(ports)
    first = acceptance.accept(send(ports, DATA)).video
    removed = msgspec.structs.replace(first, state="deleting")
    ports.store.put(first.key, encode(removed))
    upload = send(ports, DATA)
    with pytest.raises(Retryable, match="turned into a video or deleted"):
        acceptance.accept(upload)
    give_up_claim(ports.store, first.sha256, first.id)
    for key in (first.key, keys.original_key(first.id)):
        ports.store.delete(key)
    ports.catalogue.remove_video(first.id)
    assert settle(ports) == []
    assert all_keys(ports.store) == keys_of_video(ports.store, upload.video_id)


def test_a_lost_catalogue_gets_its_videos_and_open_jobs_back(tmp_path: Path) -> None:
    ports = open_parts(tmp_path)
    acceptance = Acceptance(ports)
    videos = [acceptance.accept(send(ports, fake_video(number))).video for number in (1, 2)]
    before = rows_and_jobs(ports.catalogue)
    ports.catalogue.close()
    for file in tmp_path.glob("catalogue.sqlite*"):
        file.unlink()
    again = open_parts(tmp_path)
    assert settle(again) == []
    assert rows_and_jobs(again.catalogue) == before
    assert {row.record.id for row in map(again.catalogue.video, (one.id for one in videos)) if row} == {
        one.id for one in videos
    }
    again.catalogue.close()


def test_a_damaged_record_is_reported_and_the_others_continue(ports: UploadPorts) -> None:
    damaged = make_video(9).id
    ports.store.put(keys.upload_key(damaged), b"{")
    upload = send(ports, DATA)
    said = settle(ports)
    assert [keys.upload_key(damaged) in line for line in said] == [True]
    assert read_video(ports.store, upload.video_id) is not None


def test_a_known_source_keeps_its_spelling(ports: UploadPorts) -> None:
    acceptance = Acceptance(ports)
    first = acceptance.accept(send(ports, DATA, fields=VideoFields(source="Gate East"))).video
    other = acceptance.accept(send(ports, fake_video(2), fields=VideoFields(source="gate east"))).video
    assert (
        (first.source, first.source_name) == (other.source, other.source_name) == ("gate-east", "Gate East")
    )


def test_a_region_outside_the_picture_is_left_out_with_a_remark(ports: UploadPorts) -> None:
    inside = {"x": 1, "y": 1, "width": 600, "height": 300}
    outside = {"points": [[0, 0], [641, 10]]}
    fields = VideoFields(name="Mine", roi=inside, calibration=outside)
    video = Acceptance(ports).accept(send(ports, DATA, fields=fields)).video
    assert (video.name, video.fields.roi, video.fields.calibration) == ("Mine", inside, None)
    assert len(video.facts.damage) == 1
    assert "points[1] (641, 10) is outside the picture of 640x360" in video.facts.damage[0]


@pytest.mark.parametrize("state", ["accepted", "refused", "aborted"])
def test_leftovers_of_a_finished_upload_are_removed(ports: UploadPorts, state: Any) -> None:
    upload = send(ports, DATA)
    winner = make_video(5).id
    refusal = Refused(415, "It is no video.", "Choose a video file.") if state == "refused" else None
    note_end(ports, upload, state, video_id=winner if state == "accepted" else None, refusal=refusal)
    assert settle(ports) == []
    assert all_keys(ports.store) == []


def test_two_processes_that_accept_one_upload_reach_the_same_result(ports: UploadPorts) -> None:
    upload = send(ports, DATA)
    first = Acceptance(ports)

    def look(*asked: Any) -> VideoFacts:
        facts = ports.look(*asked)
        first.accept(upload)  # the other process is faster
        return facts

    accepted = Acceptance(ports._replace(look=look)).accept(upload)
    assert (accepted.video.id, accepted.known) == (upload.video_id, False)
    assert all_keys(ports.store) == keys_of_video(ports.store, upload.video_id)
    assert jobs_of(ports, upload.video_id) == sorted(usual_jobs(accepted.video, "queue"))


def test_settling_an_upload_does_not_queue_finished_jobs_again(ports: UploadPorts) -> None:
    video = Acceptance(ports).accept(send(ports, DATA)).video
    kinds = usual_jobs(video, "queue")
    for _ in kinds:
        job = ports.catalogue.claim("worker", kinds, lease_s=3600)
        assert job is not None
        assert ports.catalogue.end(job, "done")
    Acceptance(ports).enter(video)
    assert [job.state for job in ports.catalogue.jobs(video.id)] == ["done"] * len(kinds)


def test_a_video_removed_during_a_slow_inspection_does_not_come_back(ports: UploadPorts) -> None:
    upload = send(ports, DATA)

    def look(*asked: Any) -> VideoFacts:
        facts = ports.look(*asked)
        video = Acceptance(ports).accept(upload).video
        remove_all_of(ports.store, video.id, video.sha256)
        return facts

    with pytest.raises(Poison, match="has ended"):
        Acceptance(ports._replace(look=look)).accept(upload)
    assert all_keys(ports.store) == []


def remove_all_of(store: ObjectStore, video_id: str, sha256: str) -> None:
    for key in (keys.video_key(video_id), keys.original_key(video_id), keys.video_content_key(sha256)):
        store.delete(key)


START = "2026-03-01T23:59:57Z"
"""Three seconds before a day ends: two days have counts."""
ENV = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "1"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of patches that appear and vanish; every frame has as many as its number says."""

    def pictures() -> Iterator[np.ndarray]:
        for number in range(100):
            image = np.zeros((48, 64, 3), np.uint8)
            for patch in range(number // 7 % 3 + 1):
                left = 4 + 20 * patch
                image[8 + number % 20 : 20 + number % 20, left : left + 12] = 255
            yield image

    return write_clip(tmp_path_factory.mktemp("footage") / "Gate 1.mp4", pictures(), fps=10)


class House(VideoPlace):
    """A data folder, its catalogue, and the command line on it."""

    def __init__(self, frametally: Any, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder / "data")
        self._frametally = frametally
        self.folder = folder

    def __call__(self, *arguments: object, code: int = 0) -> str:
        done = self._frametally(*arguments, "--data-dir", self.settings.data_dir, cwd=self.folder, **ENV)
        assert done.code == code, (arguments, done.out, done.err)
        return str(done.out)

    def finish(self) -> str:
        return self("work", "--until-done")

    def make_frames(self) -> str:
        """Work as far as counts need it: each job is a separate process."""
        return self("work", "--until-done", "--queue", "frames")

    def count(self) -> None:
        self("consume", "--until-caught-up")
        self("aggregate")

    def parts(self) -> dict[str, bytes]:
        """The content of the part files of each day's current run, by day and name, without empty ones."""
        return {
            f"{run.day} {key.removeprefix(run.prefix)}": data
            for run in current_runs(self.store)
            for key, data in read_parts(self.store, run)
            if data
        }


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with closing(House(run_frametally, tmp_path / "house")) as opened:
        yield opened


@pytest.fixture(scope="module")
def counted(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The result of `frametally produce` for the file."""
    with closing(House(run_frametally, tmp_path_factory.mktemp("reference") / "house")) as reference:
        reference("produce", clip, "--source", "Gate 1", "--start-time", START)
        reference.count()
        found = reference.parts()
    assert len({name.split()[0] for name in found}) == 2
    return found


@pytest.mark.thorough
def test_an_upload_counts_like_the_same_file_given_to_produce(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    video = house.upload(clip, start_time=START)
    assert (video.source_name, video.name) == ("Gate 1", "Gate 1.mp4")
    assert house.finish().startswith(f"jobs: {len(usual_jobs(video, 'queue'))} done, 0 failed")
    house.count()
    assert house.parts() == counted
    assert house.finish().startswith("jobs: 0 done")
    house("index")
    assert "bad" not in house("doctor", "--deep")


@pytest.mark.thorough
def test_an_upload_corrects_the_source_and_time_of_footage_produced_earlier(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    house("produce", clip, "--source", "Elsewhere", "--start-time", "2026-02-01T00:00:00Z")
    house.count()
    house.upload(clip, source="Gate 1", start_time=START, move_counts=True)
    assert "moved by an upload: 50 frames" in house("status", code=4)
    house.make_frames()
    house.count()
    assert house.parts() == counted


def count_wrongly(house: House, clip: Path) -> VideoRecord:
    """Upload and count a video under a wrong source and time."""
    video = house.upload(clip, source="Wrong", start_time="2026-02-01T00:00:00Z")
    house.make_frames()
    house.count()
    return video


@pytest.mark.thorough
def test_frames_follow_a_corrected_record(house: House, clip: Path, counted: dict[str, bytes]) -> None:
    video = count_wrongly(house, clip)
    facts = msgspec.structs.replace(video.facts, started_at_ms=1_772_409_597_000, time_source="start_time")
    right = msgspec.structs.replace(video, source="gate-1", source_name="Gate 1", facts=facts, revision=1)
    house.store.put(right.key, encode(right))
    house.catalogue.queue(video.id, "frames")
    house.make_frames()
    house.count()
    assert house.parts() == counted


@pytest.mark.thorough
def test_jobs_do_not_undo_what_commands_corrected_about_an_uploaded_video(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    video = count_wrongly(house, clip)
    house("retime", video.sha256, "--start-time", START)
    house("rename-source", "Wrong", "Gate 1")
    house.catalogue.queue(video.id, "frames")
    house.make_frames()
    house.count()
    assert house.parts() == counted
    row = house.catalogue.video(video.id)
    assert (row.record.source, row.record.source_name) == ("gate-1", "Gate 1")


@pytest.mark.thorough
def test_a_video_without_a_time_counts_at_a_guess_and_moves_once_it_has_one(
    house: House, clip: Path, counted: dict[str, bytes]
) -> None:
    video = house.upload(clip)
    usual = usual_jobs(video, "queue")
    assert house.finish().startswith(f"jobs: {len(usual)} done, 0 failed")
    row = house.catalogue.video(video.id)
    # Two workers make them beside each other.
    assert sorted(one.kind for one in row.artifacts) == sorted(
        kind for job in usual for kind in made_by(job, video)
    )
    house.count()
    assert "Gate 1 *" in house("status", code=4)
    house("index")
    house.finish()
    row = house.catalogue.video(video.id)
    assert row.state == "ready"
    edit_video(
        house.store,
        house.catalogue,
        house.settings,
        video.id,
        {"start_time": START},
        name_source=lambda name: (name, name),
    )
    house.finish()
    house.count()
    assert house.parts() == counted


@pytest.mark.thorough
def test_a_removed_video_leaves_nothing_and_no_longer_counts(house: House, clip: Path) -> None:
    video = house.upload(clip, start_time=START)
    house.finish()
    house.count()
    gone = msgspec.structs.replace(video, state="deleting")
    house.store.put(gone.key, encode(gone))
    house.catalogue.put_video(gone, "2")
    house.catalogue.cancel_jobs(video.id)
    house.catalogue.queue(video.id, "removal")
    assert house.finish().startswith("jobs: 1 done, 0 failed")
    house("aggregate")
    assert house.parts() == {}
    assert house.catalogue.video(video.id) is None
    assert list_manifests(house.store) == []
    left = {key.partition("/")[0] for key in all_keys(house.store)}
    assert left <= {"metadata", "mapreduce-output", "tombstones", "tracks", "hours"}
    # The same bytes are a new video then, and count again.
    assert house.upload(clip, start_time=START).id != video.id
    house.make_frames()
    house.count()
    assert house.parts()


@pytest.mark.thorough
def test_forgetting_an_uploaded_video_with_its_images_leaves_no_picture(house: House, clip: Path) -> None:
    video = house.upload(clip, start_time=START)
    house.finish()
    house("forget", "--source", video.source, "--delete-images", "--yes")
    left = [path for name in ("videos", "images") for path in (house.folder / "data/store" / name).rglob("*")]
    assert [path.name for path in left] == ["contents"]
    assert house.catalogue.video(video.id) is None
    assert house.finish().startswith("jobs: 0 done, 0 failed")


def test_the_uploader_gets_a_remark_about_a_doubtful_time(ports: UploadPorts) -> None:
    def look(*asked: Any) -> VideoFacts:
        return msgspec.structs.replace(ports.look(*asked), time_remark="It begins in the future.")

    assert (
        Acceptance(ports._replace(look=look)).accept(send(ports, DATA)).remark == "It begins in the future."
    )


def test_the_time_pattern_names_the_source_unless_the_uploader_does(ports: UploadPorts) -> None:
    settings = ports.settings.model_copy(update={"time_pattern": "{source}_%Y%m%d"})
    acceptance = Acceptance(ports._replace(settings=settings))
    names = []
    for number, (name, fields) in enumerate(
        [
            ("Gate 1_20260501.mp4", VideoFields()),
            ("Yard_20260501.mp4", VideoFields(source="Back")),
            ("other.mp4", VideoFields()),
        ]
    ):
        upload = send(ports, fake_video(number), file_name=name, fields=fields)
        names.append(acceptance.accept(upload).video.source_name)
    assert names == ["Gate 1", "Back", "other"]
