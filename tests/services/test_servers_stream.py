"""A stream on Kafka, S3 and PostgreSQL: started by the API, watched by a socket, counted as without it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kafka.admin import KafkaAdminClient
from postgres_schemas import fresh_schema
from s3_bucket import S3Place, new_bucket_name, root_access
from serving.needs import server
from serving.state import with_user
from tests.family.footage import SETTINGS, make_video
from tests.family.running import PATIENCE_S, Running
from tests.kit.messages import records_on
from tests.kit.waiting import until
from tests.live.watching import Shown, Watcher, open_socket
from tests.videos.video_records import upload_file
from websockets.exceptions import ConnectionClosed

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.books.runs import current_runs, read_parts
from frametally.ports.object_store import ObjectStore
from frametally.records import FrameDetections, decode
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import Settings
from frametally_cli import main as cli
from frametally_cli.bucket import set_up_store
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoRecord

pytestmark = [pytest.mark.services, pytest.mark.timeout(400)]

START = "2026-03-01T10:00:00Z"
FRAMES = 40


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("footage") / "gate.mp4", frames=FRAMES)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Settings of a separate deployment on all three servers."""
    kafka, access = server("kafka"), root_access()
    bucket = S3Place(f"s3://{new_bucket_name()}/streams", access)
    set_up_store(bucket.url, access)
    name = f"test-{uuid.uuid4().hex[:12]}"
    topics = {"": f"{name}-frames", "LIVE_": f"video-{name}"}
    with ExitStack() as stack:
        url, login = stack.enter_context(fresh_schema())
        yield {
            **SETTINGS,
            **bucket.environment(),
            "FRAMETALLY_LOG_URL": kafka["URL"],
            "FRAMETALLY_LOG_PARTITIONS": "3",
            **{f"FRAMETALLY_{kind}TOPIC": topic for kind, topic in topics.items()},
            "FRAMETALLY_CATALOGUE_URL": with_user(url, login.user),
            "FRAMETALLY_LEDGER_PASSWORD": login.password.get_secret_value(),
        }
        with closing(KafkaAdminClient(bootstrap_servers=kafka["URL"].removeprefix("kafka://"))) as admin:
            used = {*topics.values(), f"processed-{name}"}
            admin.delete_topics(sorted(used & {*admin.list_topics()}))


def uploaded(settings: Settings, clip: Path) -> VideoRecord:
    """The video, without any jobs: its counts come from its stream."""
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
    ):
        video = upload_file(clip, settings, store, catalogue, source="Gate", start_time=START)
        catalogue.cancel_jobs(video.id)
    return video


def asked(running: Running, path: str, **body: object) -> tuple[int, dict[str, Any]]:
    answer = urllib3.request("POST", f"{running.url}/api/v1/{path}", json=body, timeout=PATIENCE_S)
    return answer.status, answer.json()


def seen_to_its_end(watcher: Watcher) -> list[Shown]:
    """The messages to a viewer that draws each frame at once."""
    try:
        while True:
            if isinstance(one := watcher.next(), Shown):
                watcher.ack(one)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1000
    return watcher.frames


def lines(store: ObjectStore) -> dict[str, bytes]:
    """The segments' content, by frame."""
    found = [line for key in list_segments(store) for line in read_segment(store, key).frame_lines]
    return {decode(line, FrameDetections).image_path: line for line in found}


def told(settings: Settings) -> list[bytes]:
    """All messages on the topic of results."""
    with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
        return [record.value for record in records_on(log, settings.results_topic)]


def parts(store: ObjectStore) -> dict[str, bytes]:
    return {
        f"{run.day} {key.removeprefix(run.prefix)}": data
        for run in current_runs(store)
        for key, data in read_parts(store, run)
        if data
    }


def test_a_stream_started_by_the_api_is_seen_on_the_socket_and_counts_as_a_run_of_the_file(
    clip: Path, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    alone = tmp_path / "alone"
    command = ["run", str(clip), "--no-serve", "--source", "Gate", "--start-time", START]
    assert cli.main([*command, "--data-dir", str(alone)]) == 0
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings(data_dir=tmp_path / "up" / "frametally-data").resolved()
    video = uploaded(settings, clip)
    with Running(tmp_path / "up", "up", "--every", "2s", settings=environment) as running:
        status, stream = asked(running, "stream/start", video_id=video.id)
        assert status == 202
        here = f"streams/{stream['stream_id']}"
        assert asked(running, f"{here}/pause")[0] == 200
        socket = open_socket(running.url.replace("http", "ws", 1) + stream["websocket"])
        with socket:
            watcher = Watcher(socket)
            watcher.state(lambda told: told["state"] == "paused")
            assert asked(running, f"{here}/resume")[0] == 200
            shown = seen_to_its_end(watcher)
        until(lambda: running.ask("/api/v1/status")["state"] == "settled")
    results = told(settings)
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_object_store((alone / "store").as_uri())) as expected,
    ):
        found = lines(store)
        assert found == lines(expected)
        assert len(found) == FRAMES
        # Of the stream itself: the upload's job would count the frames that it omits.
        assert {decode(line, FrameDetections).image_path: line for line in results} == found
        assert parts(store) == parts(expected) != {}
        assert shown
        for one in shown:
            line = json.loads(found[one.header["image_path"]])
            assert [box[:2] for box in one.header["boxes"]] == [
                [each["label"], each["confidence"]]
                for each in line["detections"]
                if each["confidence"] > 0.25
            ]
            assert one.jpeg == store.get(one.header["image_path"])
