"""Videos in S3 with a catalogue in PostgreSQL are processed like those in files and SQLite."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from postgres_schemas import fresh_schema
from s3_bucket import new_bucket_name, root_access
from serving.state import with_user
from tests.kit.clips import crossing, write_clip
from tests.kit.messages import records_on
from tests.videos.video_place import VideoPlace
from tests.videos.video_records import all_keys

from frametally.adapters_by_url import open_frame_log
from frametally.media.manifests import find_manifest
from frametally.process import failpoints
from frametally.records import encode
from frametally.rules.seals import unsealed
from frametally.settings.environment import environment_of
from frametally_cli.bucket import set_up_store

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

FRAMES = 30
DIES_AFTER = 7
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("footage") / "cam.mp4", crossing(FRAMES))


class Place(VideoPlace):
    """The place of one uploaded video, and workers on it."""

    def __init__(self, folder: Path, clip: Path, **where: Any) -> None:
        super().__init__(folder / "data", sample_fps="all", lease_s=0.67, **where)
        self.folder = folder
        self.video = self.upload(clip, start_time="2026-03-01T10:00:00Z")

    @contextmanager
    def start(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [sys.executable, "-m", "frametally", "work", *arguments],
            cwd=self.folder,
            env=os.environ | environment_of(self.settings) | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as worker:
            try:
                yield worker
            finally:
                worker.kill()

    def finish(self) -> None:
        with self.start("--until-done") as worker:
            assert worker.wait(PATIENCE_S) == 0

    def pictures(self) -> int:
        return sum(1 for _ in self.store.list("images"))

    def frames(self) -> list[str]:
        """SHA-256 of each message on the log."""
        with closing(open_frame_log(self.settings.log_url, self.settings.log_access)) as log:
            found = [record.key + b"\n" + record.value for record in records_on(log, self.settings.topic)]
        return sorted(hashlib.sha256(one).hexdigest() for one in found)

    def objects(self) -> dict[str, str]:
        """SHA-256 of each object without the video's id; for records with wall-clock times only the keys."""
        found = {}
        for key in all_keys(self.store):
            is_record = key.startswith(("videos/contents/", "media/")) or key.endswith(
                ("/video.json", "/quality.json")  # its age at the upload is a check
            )
            data = self.store.get(key)
            if key.endswith(".json"):  # its seal covers the id as well
                data = (unsealed(data) or data).replace(self.video.id.encode(), b"<id>")
            found[key.replace(self.video.id, "<id>")] = (
                "a record" if is_record else hashlib.sha256(data).hexdigest()
            )
        manifest = find_manifest(self.store, self.video.sha256)
        assert manifest is not None
        return found | {"the manifest": hashlib.sha256(encode(manifest)).hexdigest()}

    def jobs(self) -> set[tuple[str, str]]:
        return {(job.kind, job.state) for job in self.catalogue.jobs(self.video.id)}

    def made(self) -> list[tuple[str, str, int]]:
        row = self.catalogue.video(self.video.id)
        assert row is not None
        return sorted(  # two workers make them beside each other
            (one.kind, one.content_type, 0 if one.kind == "quality" else one.size_bytes)
            for one in row.artifacts
        )


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Place]:
    """A run over files and SQLite without faults."""
    folder = tmp_path_factory.mktemp("local")
    with closing(Place(folder, clip)) as opened:
        opened.finish()
        assert opened.pictures() == len(opened.frames()) == FRAMES
        kinds = [kind for kind, _, _ in opened.made()]
        assert kinds == ["metadata", "poster", "quality", "sprite", "sprite_vtt"]
        yield opened


@pytest.fixture
def place(tmp_path: Path, clip: Path) -> Iterator[Place]:
    access, url = root_access(), f"s3://{new_bucket_name()}/videos-of-a-test"
    set_up_store(url, access)
    with fresh_schema() as (catalogue_url, login):
        where = {
            "store_url": url,
            "store_endpoint": access.endpoint,
            "store_access_key": access.access_key,
            "store_secret_key": access.secret_key,
            "catalogue_url": with_user(catalogue_url, login.user),
            "ledger_password": login.password,
        }
        with closing(Place(tmp_path, clip, **where)) as opened:
            yield opened


def assert_same(place: Place, local: Place) -> None:
    assert place.objects() == local.objects()
    assert place.frames() == local.frames()
    assert place.made() == local.made()
    assert place.jobs() == {(kind, "done") for kind in ("frames", "previews", "metadata", "checks")}


def test_frames_and_previews_match_those_over_files_and_sqlite(place: Place, local: Place) -> None:
    place.finish()
    assert_same(place, local)


def test_after_a_worker_is_killed_halfway_another_finishes_with_the_same_result(
    place: Place, local: Place
) -> None:
    # The job dies between two pictures, and its worker before it tries again.
    with place.start(**{failpoints.VARIABLE: f"producer.put:{DIES_AFTER}"}) as worker:
        until_s = time.monotonic() + PATIENCE_S
        while not place.pictures():
            assert time.monotonic() < until_s
            assert worker.poll() is None
            time.sleep(0.02)
    assert 0 < place.pictures() < FRAMES
    assert ("frames", "done") not in place.jobs()
    place.finish()
    assert_same(place, local)
