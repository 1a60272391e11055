"""Jobs of uploaded videos: their results, and the fate of jobs that die or are cancelled."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from tests.examples import first_quick
from tests.fakes.footage import make_file, moving
from tests.fakes.remuxed import with_tracks
from tests.family.footage import make_video
from tests.kit.clips import MakeFile
from tests.kit.ports import free_port
from tests.kit.processes import run_program
from tests.kit.waiting import until
from tests.videos.video_place import VideoPlace
from tests.videos.video_records import make_video as make_record

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.files.opencv import decode_image
from frametally.media.manifests import find_manifest
from frametally.records import decode_at, encode
from frametally.settings.loading import load_settings
from frametally.work import worker_process
from frametally_cli.stages.members_on_demand import is_all_here
from frametally_videos.catalogue.catalogue_rows import Artifact, ArtifactKind, JobKind, usual_jobs
from frametally_videos.jobs import job_worker
from frametally_videos.jobs.__main__ import needs_network
from frametally_videos.jobs.artifact_jobs import TILE_WIDTH_PX
from frametally_videos.jobs.video_states import StateSettler
from frametally_videos.media_records import VideoQuality
from frametally_videos.queues.task_queue import QUEUES, QueueName, kinds_of
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import read_video

START = "2026-03-01T10:00:00Z"


class Shop(VideoPlace):
    """A place of videos, and what its workers have made of them."""

    def made(self, video: VideoRecord, kind: ArtifactKind) -> Artifact:
        row = self.catalogue.video(video.id)
        found = row.artifact(kind)
        assert found is not None
        return found

    def quality(self, video: VideoRecord) -> list[str]:
        """Return the names of the checks that failed."""
        key = self.made(video, "quality").key
        found = decode_at(key, self.store.get(key), VideoQuality)
        return [check.name for check in found.checks if not check.passed]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(job_worker, "_PAUSES_S", (0.0,))
    with closing(Shop(tmp_path / "data", lease_s=1.0)) as opened:
        yield opened


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Replace the program that starts a job's process."""
    monkeypatch.setattr(worker_process, "bound", lambda arguments: [sys.executable, "-c", program])


@pytest.mark.thorough
def test_each_tile_shows_the_time_of_its_cue(shop: Shop, make_video: MakeFile) -> None:
    # The grey grows frame by frame, so it shows the time.
    video = shop.upload(make_video("a.mp4", 53, codec="libx264", size_px=(320, 240)))
    assert shop.work() == job_worker.WorkReport(len(usual_jobs(video, "queue")), [])
    previews = [shop.made(video, kind) for kind in ("poster", "sprite", "sprite_vtt")]
    poster, sprite, cues = (shop.store.get(preview.key) for preview in previews)
    assert [preview.size_bytes for preview in previews] == [len(poster), len(sprite), len(cues)]
    assert [preview.content_type for preview in previews] == ["image/jpeg", "image/jpeg", "text/vtt"]
    assert cv2.imdecode(np.frombuffer(poster, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)
    tiles = cv2.imdecode(np.frombuffer(sprite, np.uint8), cv2.IMREAD_COLOR)
    assert tiles.shape == (6 * 120, 10 * TILE_WIDTH_PX, 3)
    lines = cues.decode().splitlines()
    assert lines[0] == "WEBVTT"
    assert (lines[2], lines[-2]) == ("00:00:00.000 --> 00:00:00.100", "00:00:05.200 --> 00:00:05.300")
    for index, line in enumerate(lines[3::3]):
        left, top, width, height = map(int, line.rpartition("=")[2].split(","))
        tile = tiles[top : top + height, left : left + width]
        assert abs(float(tile[-20:].mean()) - (40 + index * 3)) < 6, index


@pytest.mark.thorough
def test_pictures_of_a_sideways_video_are_upright(shop: Shop, make_video: MakeFile) -> None:
    video = shop.upload_for("previews", make_video("a.mp4", 3, size_px=(320, 240), rotation=90))
    shop.work()
    data = shop.store.get(shop.made(video, "poster").key)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (320, 240, 3)


@pytest.mark.thorough
def test_repeated_jobs_write_under_the_same_names(shop: Shop, make_video: MakeFile) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    shop.work()
    first = shop.catalogue.video(video.id)
    for kind in usual_jobs(video, "queue"):
        shop.catalogue.queue(video.id, kind)
    shop.work()
    assert {*shop.catalogue.video(video.id).artifacts} == {*first.artifacts}
    beside = 3  # the original, its record, and the record of its browser version
    assert len(list(shop.store.list(f"videos/{video.id}"))) == beside + len(first.artifacts)


@pytest.mark.thorough
def test_all_jobs_use_the_film_and_not_its_cover_picture(shop: Shop, tmp_path: Path) -> None:
    cover = make_file(tmp_path / "cover.mp4", moving(1, (160, 90)), fps=5)
    film = make_file(tmp_path / "film.mp4", moving(40), fps=5)
    video = shop.upload(with_tracks(tmp_path / "both.mp4", cover, film), start_time=START)
    assert shop.work().failed == []
    manifest = find_manifest(shop.store, video.sha256)
    assert (manifest.track, manifest.frames_announced, manifest.state) == (2, 40, "complete")
    poster = shop.store.get(shop.made(video, "poster").key)
    assert decode_image(poster, 10**6).shape == (240, 320, 3)
    with av.open(io.BytesIO(shop.store.get(shop.made(video, "playable").key))) as playable:
        shown = playable.streams.video[0].codec_context
        assert (shown.width, shown.height) == (320, 240)
    assert [check for check in shop.quality(video) if check in ("cut", "short")] == []


@pytest.mark.thorough
def test_faults_found_in_the_frames_are_recorded_with_the_video(shop: Shop, make_video: MakeFile) -> None:
    whole = make_video("a.mkv", 60, size_px=(320, 240), noise=True)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    video = shop.upload(whole, start_time=START)
    assert shop.work().failed == []
    record = read_video(shop.store, video.id)
    row = shop.catalogue.video(video.id)
    assert any(sentence.startswith("Its frames end at ") for sentence in record.facts.damage)
    assert row.record == record


@pytest.mark.thorough
def test_a_process_that_dies_three_times_fails_its_job_with_the_cause(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    instead(monkeypatch, "import os; os.kill(os.getpid(), 11)")
    report = shop.work()
    assert "a.mp4: previews failed: Its decoder was killed (SIGSEGV) 3 times; convert it." in report.failed
    job = shop.job(video, "previews")
    assert (job.state, job.attempts) == ("failed", 3)


@pytest.mark.thorough
def test_the_job_of_a_lost_worker_waits_before_another_does_it(shop: Shop, make_video: MakeFile) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    assert shop.catalogue.claim("gone", ("previews",), lease_s=0.0) is not None
    assert shop.work().failed == []
    assert "a.mp4: previews: its worker was lost; trying again in 0 s" in shop.worker_lines
    job = shop.job(video, "previews")
    assert (job.state, job.attempts, job.losses) == ("done", 1, 1)


@pytest.mark.thorough
@pytest.mark.parametrize(("losses", "state", "attempts"), [(20, "done", 1), (21, "failed", 0)])
def test_lost_workers_are_not_attempts_but_a_video_that_kills_every_worker_fails_with_a_reason(
    shop: Shop, make_video: MakeFile, losses: int, state: str, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_worker, "ATTEMPTS", 1)
    video = shop.upload(make_video("a.mp4", 3))
    for _ in range(losses):
        assert shop.catalogue.claim("gone", ("previews",), lease_s=0.0) is not None
    shop.work()
    job = shop.job(video, "previews")
    assert (job.state, job.attempts, job.losses) == (state, attempts, losses)
    if state == "failed":
        assert job.reason.startswith(f"The worker was killed {losses} times while it worked on it.")


@pytest.mark.thorough
def test_a_job_whose_process_ends_without_a_result_is_tried_up_to_the_limit(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    instead(monkeypatch, "raise SystemExit('no such thing')")
    shop.work()
    job = shop.job(video, "previews")
    assert (job.state, job.attempts) == ("failed", job_worker.ATTEMPTS)
    assert job.reason == "Its process ended without a result: no such thing"


@pytest.mark.thorough
def test_a_cancelled_job_is_ended_and_records_nothing(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    begun = tmp_path / "begun"
    instead(monkeypatch, f"import time; open({str(begun)!r}, 'w').close(); time.sleep(600)")

    def cancel() -> None:
        until(begun.exists)
        shop.catalogue.cancel_jobs(video.id)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    report = shop.work()
    canceller.join()
    assert report == job_worker.WorkReport(0, [])
    assert shop.job(video, "previews").state == "cancelled"


@pytest.mark.thorough
def test_a_stop_leaves_the_job_to_others_and_counts_no_attempt(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    video = shop.upload(make_video("a.mp4", 3))
    begun = tmp_path / "begun"
    instead(monkeypatch, f"import time; open({str(begun)!r}, 'w').close(); time.sleep(600)")
    assert shop.work(begun.exists) == job_worker.WorkReport(0, [])
    job = shop.job(video, "previews")
    assert (job.state, job.attempts) == ("queued", 0)


PROGRAM = """
import json, os, socket
from frametally.errors import FrametallyError
from frametally_videos.catalogue.catalogue_rows import Artifact
from frametally_videos.jobs import job_steps, __main__

def do(call):
    found = {{}}
    def tried(name, act):
        try:
            found[name] = str(act())
        except (OSError, FrametallyError) as error:
            found[name] = type(error).__name__ + ": " + str(error)
{body}
    key = f"videos/{{call.record.id}}/poster-of-the-probe.jpg"
    call.store.put(key, json.dumps(found).encode())
    return [Artifact("poster", key, "image/jpeg", 1)]

job_steps.DOING[{kind!r}] = do
__main__._main()
"""

Found = dict[str, str]


@pytest.fixture
def probe(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[VideoRecord, Found]]:
    """Replace a job that decodes by an action; return the video and the job's result."""

    def do(body: str, kind: JobKind = "previews") -> tuple[VideoRecord, Found]:
        program = PROGRAM.format(body=textwrap.indent(textwrap.dedent(body), "    "), kind=kind)
        video = shop.upload_for(kind, make_video("a.mp4", 3), start_time="2026-03-01T10:00:00Z")
        instead(monkeypatch, program)
        assert shop.work().failed == [], shop.worker_lines
        found: Found = json.loads(shop.store.get(f"videos/{video.id}/poster-of-the-probe.jpg"))
        return video, found

    return do


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
@pytest.mark.parametrize("kind", ["previews", "frames"])
def test_a_job_has_no_network(probe: Callable[..., tuple[VideoRecord, Found]], kind: JobKind) -> None:
    _, found = probe('tried("socket", lambda: socket.create_connection(("127.0.0.1", 9)))', kind)
    assert found["socket"].startswith("PermissionError")


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")
def test_an_encoder_gets_no_real_time_priority(probe: Callable[[str], tuple[VideoRecord, Found]]) -> None:
    _, found = probe(
        """
        import av
        from fractions import Fraction
        from frametally_videos.derivatives.mp4_encoding import Coding

        encoder = av.CodecContext.create("libsvtav1", "w")  # as root it would take one, and for its threads
        Coding(128, 96, Fraction(25), None, 23, "veryfast").set_up(encoder)
        grey = av.VideoFrame(128, 96, "yuv420p")
        for plane in grey.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        grey.pts, grey.time_base = 0, encoder.time_base
        packets = encoder.encode(grey)
        threads = os.listdir("/proc/self/task")
        tried("threads", lambda: len(threads) > 2)
        tried("turns", lambda: {os.sched_getscheduler(int(thread)) for thread in threads})
        tried("packets", lambda: len(packets + encoder.encode(None)))
        """
    )
    assert found == {"threads": "True", "turns": "{0}", "packets": "1"}


@pytest.mark.thorough
def test_a_job_does_not_see_any_credentials(
    shop: Shop, probe: Callable[[str], tuple[VideoRecord, Found]], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "what-nobody-is-told"  # noqa: S105 - made up
    shop.settings = shop.settings.model_copy(
        update={"ledger_password": type(shop.settings.ledger_password)(secret)}
    )
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "SMTP_PASSWORD",
        "FRAMETALLY_STORE_SECRET_KEY",
    ):
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("PG_CONN_URI", f"postgresql://somebody:{secret}@host/database")
    _, found = probe('found["environment"] = json.dumps(dict(os.environ))')
    assert "FRAMETALLY_CATALOGUE_URL" in found["environment"]
    assert secret not in found["environment"]


@pytest.mark.thorough
def test_a_job_cannot_change_the_original_the_record_or_another_video(
    shop: Shop, probe: Callable[[str], tuple[VideoRecord, Found]]
) -> None:
    other = make_record(7).id
    shop.store.put(f"videos/{other}/poster-0a1b2c3d.jpg", b"somebody else's")
    video, found = probe(
        f"""
        mine = f"videos/{{call.record.id}}"
        tried("original", lambda: call.store.put(mine + "/original", b"other"))
        tried("delete", lambda: call.store.delete(mine + "/original"))
        tried("record", lambda: call.store.change(mine + "/video.json", lambda _: None))
        tried("write", lambda: call.store.resumable(mine + "/original", mine + "/a.part"))
        tried("other", lambda: call.store.get("videos/{other}/poster-0a1b2c3d.jpg"))
        tried("all", lambda: len(list(call.store.list("videos"))))
        tried("out", lambda: call.store.get(mine + "/../{other}/poster-0a1b2c3d.jpg"))
        """
    )
    assert {name: said.partition(":")[0] for name, said in found.items()} == {
        "original": "Misconfigured",
        "delete": "Misconfigured",
        "record": "Misconfigured",
        "write": "Misconfigured",
        "other": "Misconfigured",
        "all": "Misconfigured",
        "out": "Poison",
    }
    assert shop.store.head(keys.original_key(video.id)) is not None
    assert shop.store.get(video.key) == encode(video)


@pytest.mark.thorough
def test_a_job_has_the_configured_memory_and_reports_when_it_needs_more(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.settings = shop.settings.model_copy(update={"job_memory_mb": 256})
    program = PROGRAM.format(body="    bytearray(400_000_000)", kind="previews")
    shop.upload_for("previews", make_video("a.mp4", 3))
    instead(monkeypatch, program)
    why = "It needs more than 256 MB of memory; convert it, or raise FRAMETALLY_JOB_MEMORY_MB."
    assert f"a.mp4: previews failed: {why}" in shop.work().failed


@pytest.mark.thorough
def test_a_job_has_the_configured_time_and_no_more(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_videos.settings.LEAST_JOB_H", 0.0005)
    shop.settings = shop.settings.model_copy(update={"video_max_h": 0.002})
    shop.upload_for("previews", make_video("a.mp4", 3))
    instead(monkeypatch, "import time; time.sleep(600)")
    why = "It takes more than 0.0005 h; cut it, or raise FRAMETALLY_VIDEO_MAX_H."
    assert f"a.mp4: previews failed: {why}" in shop.work().failed


LONG_FRAMES = """
import time
from pathlib import Path
from frametally_videos.jobs import job_steps, __main__

def do(call):
    while not Path({may_end!r}).exists():
        time.sleep(0.05)
    return []

job_steps.DOING["frames"] = do
__main__._main()
"""


@pytest.mark.thorough
def test_a_second_upload_is_described_while_one_worker_reads_the_frames_of_the_first(
    shop: Shop, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    may_end = tmp_path / "may-end"
    first = shop.upload_for("frames", make_video("a.mp4", 3), start_time=START)
    second = shop.upload_for("metadata", make_video("b.mp4", 4), start_time=START)
    instead(monkeypatch, LONG_FRAMES.format(may_end=str(may_end)))
    looks = iter(range(400))

    def is_over() -> bool:
        if shop.job(second, "metadata").state == "done" or next(looks, None) is None:
            seen.append(shop.job(first, "frames").state)
            may_end.touch()
        return bool(seen)

    seen: list[str] = []
    shop.work(is_over)
    assert shop.job(second, "metadata").state == "done"
    assert seen[0] == "running"


RUN_WORKER = Path(__file__).resolve().parents[2] / "producer" / "run_worker.py"


def run_worker(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_program([sys.executable, RUN_WORKER, *map(str, arguments)], code=None, timeout=240)


APART: list[tuple[QueueName, ...]] = [(name,) for name in QUEUES]
TOGETHER: list[tuple[QueueName, ...]] = [("media",), ("metadata-extraction", "video-enhancement", "frames")]


@pytest.mark.parametrize("workers", first_quick([TOGETHER, APART]), ids=["two", "one a queue"])
def test_each_worker_does_the_jobs_of_its_queue_and_together_they_do_all(
    tmp_path: Path, workers: list[tuple[QueueName, ...]]
) -> None:
    clip = make_video(tmp_path / "gate.mp4", frames=10)
    with closing(VideoPlace(tmp_path / "data")) as place:
        catalogue = place.catalogue
        video = place.upload(clip, start_time="2026-03-01T10:00:00Z")
        left = {job.kind for job in catalogue.jobs(video.id)}
        assert left
        for names in workers:
            queued = {job.kind for job in catalogue.jobs(video.id) if job.state == "queued"}
            asked = [word for name in names for word in ("--worker", name)]
            done = run_worker(*asked, "--until-done", "--data-dir", place.settings.data_dir)
            assert done.returncode == 0, done.stderr
            still = {job.kind for job in catalogue.jobs(video.id) if job.state == "queued"}
            assert queued - still == queued & set(kinds_of(names))
        assert {job.state for job in catalogue.jobs(video.id)} == {"done"}


@pytest.mark.parametrize("arguments", [["--worker", "magic"], ["--worker=magic"]])
@pytest.mark.thorough
def test_an_unknown_queue_gives_one_line_with_the_existing_queues(arguments: list[str]) -> None:
    done = run_worker(*arguments)
    assert done.returncode == 2
    for name in QUEUES:
        assert name in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("brokers", ["kafka://{}", "kafka://"])
def test_a_job_that_waits_for_a_server_names_it_and_lets_its_worker_do_others(
    shop: Shop, make_video: MakeFile, tmp_path: Path, brokers: str
) -> None:
    """Even if the server's address is in a file: nothing else denies it the network."""
    port = free_port()
    properties = tmp_path / "client.properties"
    properties.write_text(f"bootstrap.servers=127.0.0.1:{port}\n")
    shop.settings = shop.settings.model_copy(
        update={"log_url": brokers.format(f"127.0.0.1:{port}"), "log_client_properties": properties}
    )
    video = shop.upload(make_video("a.mp4", 3), start_time=START)
    others = [kind for kind in usual_jobs(video, "queue") if kind != "frames"]

    def are_done() -> bool:
        given_back = shop.job(video, "frames").reason is not None
        return given_back and all(shop.job(video, kind).state == "done" for kind in others)

    shop.work(are_done)
    job = shop.job(video, "frames")
    assert (job.state, job.attempts) == ("queued", 0)
    assert job.reason is not None
    assert job.reason.startswith(f"Kafka at 127.0.0.1:{port} is not responding")
    assert "Permission denied" not in job.reason
    assert f"a.mp4: frames: waiting, then trying again: {job.reason}" in shop.worker_lines
    assert len([line for line in shop.worker_lines if "waiting" in line]) == 1
    with (
        closing(open_count_index(shop.settings.index_url)) as index,
        closing(open_ledger(shop.settings.ledger_url)) as ledger,
    ):
        settings, store, catalogue = shop.settings, shop.store, shop.catalogue
        ports: dict[str, Any] = {"settings": settings, "store": store, "index": index, "ledger": ledger}
        StateSettler(**ports, catalogue=catalogue).settle(patiently=False)
    row = shop.catalogue.video(video.id)
    assert row is not None
    assert (row.state, row.reason) == ("received", job.reason)


SERVERS: dict[str, dict[str, str]] = {
    "Kafka in the URL": {"log_url": "kafka://broker:9092"},
    "Kafka in a file": {"log_url": "kafka://"},
    "S3 by a profile or the endpoint's variable": {"store_url": "s3://bucket"},
    "PostgreSQL": {"ledger_url": "postgresql://books/frametally"},
    "PostgreSQL in the query": {"ledger_url": "postgresql:///frametally?host=10.0.0.1"},
    "PostgreSQL by a socket or PGHOST": {"ledger_url": "postgresql:///frametally"},
}


@pytest.mark.parametrize("server", [*SERVERS, None])
@pytest.mark.parametrize("kind", ["frames", "removal", "previews"])
def test_a_job_has_a_network_only_if_it_needs_a_server_whatever_setting_names_it(
    tmp_path: Path, server: str | None, kind: JobKind
) -> None:
    settings = load_settings("producer", data_dir=tmp_path)
    settings = settings.model_copy(update=SERVERS[server] if server else {})
    assert needs_network(kind, settings) == (server is not None and kind != "previews")
    assert is_all_here(settings) == (server is None)
