"""Uploads to S3 with a catalogue in PostgreSQL: the results equal those with files and SQLite."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from postgres_schemas import fresh_schema
from s3_bucket import S3Place
from tests.fakes.at_once import at_once
from tests.videos.video_records import (
    all_keys,
    fake_look,
    fake_video,
    keys_of_video,
    open_parts,
    rows_and_jobs,
    send,
)

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import PIECE_BYTES
from frametally.process.failpoints import VARIABLE, every_failpoint
from frametally.settings.access import ServerAccess, StoreAccess
from frametally.settings.loading import Settings
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.upload_refusals import Refused
from frametally_videos.uploads.acceptance import Acceptance, UploadSettler
from frametally_videos.uploads.receiving import UploadPorts, find_upload, resume_write

pytestmark = pytest.mark.services

ROOT = Path(__file__).resolve().parents[2]
DATA = fake_video(size_bytes=PIECE_BYTES + 1_000_000)
UPLOAD = """
import json, sys
from frametally.settings.fields import SecretStr
from frametally.process import failpoints
from frametally.settings.access import ServerAccess, StoreAccess
from frametally_videos.uploads.acceptance import Acceptance
from tests.videos.video_records import fake_video, send
sys.path.append("tests/services")
sys.path.append("tests/servers")
from test_s3_videos import DATA, open_place
told = json.loads(sys.stdin.read())
store, catalogue = told["store"], told["catalogue"]
ports = open_place(
    store.pop("url"), StoreAccess(**{**store, "secret_key": SecretStr(store["secret_key"])}),
    catalogue["url"], ServerAccess(user=catalogue["user"], password=SecretStr(catalogue["password"])),
)
failpoints.arm()
Acceptance(ports).accept(send(ports, DATA))
"""
STEPS = [
    name
    for name in every_failpoint()
    if name.startswith("upload.") and name not in ("upload.appended", "upload.flushed")
]


def open_place(store_url: str, access: StoreAccess, url: str, login: ServerAccess) -> UploadPorts:
    """A bucket's folder and a schema, with a look that knows fake videos."""
    store = open_object_store(store_url, access)
    return UploadPorts(
        Settings(),
        store,
        open_video_catalogue(url, login),
        lambda _, key, fields, file_name: fake_look(store, key, fields, file_name),
    )


class Place:
    """The place of a test's videos, also for other processes."""

    def __init__(self, store: S3Place, url: str, login: ServerAccess) -> None:
        self.store, self.url, self.login = store, url, login
        self.ports = open_place(store.url, store.access, url, login)

    def told(self) -> str:
        access = self.store.access
        return json.dumps(
            {
                "store": {
                    "url": self.store.url,
                    "endpoint": access.endpoint,
                    "access_key": access.access_key,
                    "secret_key": access.secret_key.get_secret_value(),
                },
                "catalogue": {
                    "url": self.url,
                    "user": self.login.user,
                    "password": self.login.password.get_secret_value(),
                },
            }
        )


@pytest.fixture
def place(bucket: S3Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    folder = "".join(sign if sign.isalnum() else "-" for sign in request.node.name.lower())
    with fresh_schema() as (url, login):
        made = Place(S3Place(f"{bucket.url}/{folder}", bucket.access), url, login)
        yield made
        made.ports.catalogue.close()
        made.ports.store.close()


def settle(ports: UploadPorts) -> list[str]:
    said: list[str] = []
    UploadSettler(Acceptance(ports), said.append).settle(patiently=False)
    return said


@pytest.mark.parametrize("name", STEPS)
def test_killed_at_each_step_the_result_is_that_of_an_undisturbed_run(
    place: Place, tmp_path: Path, name: str
) -> None:
    quiet = open_parts(tmp_path)
    Acceptance(quiet).accept(send(quiet, DATA))
    killed = subprocess.run(
        [sys.executable, "-c", UPLOAD],
        cwd=ROOT,
        env={**os.environ, VARIABLE: name},
        input=place.told(),
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    ports = place.ports
    if name == "upload.created":  # its client has to send all of it
        left = [info.key for info in ports.store.list(keys.UPLOADS)]
        upload = find_upload(ports.store, left[0].removeprefix("uploads/").removesuffix(".json"))
        assert upload is not None
        write = resume_write(ports.store, upload)
        write.append(DATA, at_byte=write.durable_bytes)
        write.flush()
    for _ in range(2):
        assert settle(ports) == []
        videos = [key.split("/")[1] for key in all_keys(ports.store) if key.endswith("/video.json")]
        assert all_keys(ports.store) == keys_of_video(ports.store, videos[0])
        assert rows_and_jobs(ports.catalogue) == rows_and_jobs(quiet.catalogue)
    quiet.catalogue.close()


def test_one_of_eight_simultaneous_uploads_of_the_same_bytes_becomes_the_video(place: Place) -> None:
    ports = place.ports
    uploads = [send(ports, DATA) for _ in range(8)]
    acceptance = Acceptance(ports)
    ended = at_once(*(partial(acceptance.accept, upload) for upload in uploads))
    [video_id] = {accepted.video.id for accepted in ended}
    assert sorted(accepted.known for accepted in ended) == [False] + [True] * 7
    assert all_keys(ports.store) == keys_of_video(ports.store, video_id)
    assert len(rows_and_jobs(ports.catalogue)) == 1


def test_a_refused_upload_leaves_nothing(place: Place) -> None:
    with pytest.raises(Refused):
        Acceptance(place.ports).accept(send(place.ports, b"PK\3\4" * 3_000_000))
    assert all_keys(place.ports.store) == []
