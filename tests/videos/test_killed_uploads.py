"""The server is killed repeatedly during an upload, which resumes where it was.

The clients are common ones: tus-js-client, tuspy and curl, each in a separate process.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.examples import THOROUGH, first_quick, some_quick
from tests.kit.waiting import until
from tests.videos.killed_server import ROOT, KilledServer, sha256_of, write_film
from tests.videos.uploading import BYTES, ENVIRONMENT, NotThere, ask, begin, command_of, head, patch
from tests.videos.video_records import SIGN, all_keys, keys_of_video

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import PIECE_BYTES, ObjectStore
from frametally.process.failpoints import VARIABLE
from frametally_videos.uploads.acceptance import read_video

SIZE_BYTES = int(os.environ.get("FRAMETALLY_TEST_UPLOAD_MB", "12")) * 1_000_000
KILLS = 2 if THOROUGH else 1
MOST_MORE_KB = 50_000
"""Less than a video held in memory, and enough for 32 pieces of 1 MiB."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KilledServer]:
    made = KilledServer(tmp_path / "data")
    yield made
    made.kill()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A large file that is accepted as a video."""
    return write_film(tmp_path / "clip.mp4", SIZE_BYTES, SIGN)


def offset_of_any(url: str, store: ObjectStore) -> tuple[str, int]:
    """The current upload, and the number of its bytes on the server; -1 before there is one."""
    for key in all_keys(store):
        if key.startswith("uploads/") and key.endswith(".json"):
            path = f"/api/v1/{key.removesuffix('.json')}"
            with contextlib.suppress(OSError):
                told = ask(url, "GET", path)
                if told.status == 200:
                    return path, told.body["offset"]
    return "", -1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", first_quick(["tuspy", "tus-js-client", "curl"]))
def test_an_upload_resumes_by_itself_however_often_the_server_is_killed(
    tmp_path: Path, server: KilledServer, film: Path, client: str
) -> None:
    try:
        command = command_of(client, tmp_path)
    except NotThere as missing:
        pytest.skip(str(missing))
    store = open_object_store((server.folder / "store").as_uri())
    chosen = random.Random(client)  # noqa: S311 - no secret
    server.start()
    with subprocess.Popen(
        [*command, str(film), f"{server.url}/api/v1/uploads"],
        env=ENVIRONMENT,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        for number in range(1, KILLS + 1):
            wanted = SIZE_BYTES * (number - chosen.random()) / (KILLS + 1)
            path, offset = "", -1
            while offset < wanted and running.poll() is None:
                path, offset = offset_of_any(server.url, store)
                if offset < 0 and any(key.endswith("/video.json") for key in all_keys(store)):
                    break
            server.kill()
            server.start()
            if path and offset < SIZE_BYTES and (there := head(server.url, path)).status == 200:
                # Of the received bytes, less than a piece has to be sent again.
                assert int(there.headers["upload-offset"]) >= offset - PIECE_BYTES
        said, _ = running.communicate(timeout=500)
    assert running.returncode == 0, said
    assert "done" in said
    videos = until(lambda: [key for key in all_keys(store) if key.endswith("/video.json")])
    video = read_video(store, videos[0].split("/")[1])
    assert (video.sha256, video.size_bytes) == (sha256_of(film), SIZE_BYTES)
    assert server.originals() == [video.sha256]
    assert server.taken_in_bytes() <= SIZE_BYTES + KILLS * PIECE_BYTES
    until(lambda: all_keys(store) == keys_of_video(store, video.id), "more than the video is left")


STEPS = [
    *("upload.created", "upload.appended", "upload.flushed"),
    *("upload.received", "upload.claimed", "upload.removed"),
]
"""test_acceptance.py kills the rest of the way from a complete file to a video, at each step."""


@pytest.mark.parametrize("name", some_quick(STEPS, {"upload.claimed"}))
def test_a_server_killed_at_any_step_ends_with_the_same_video(server: KilledServer, name: str) -> None:
    data = SIGN + bytes(200_000)
    server.start(**{VARIABLE: name})
    killed: Any = None
    path = ""
    try:
        path = begin(server.url, len(data))
        killed = patch(server.url, path, 0, data)
    except OSError:
        pass
    assert killed is None
    server.process.wait(timeout=60)
    server.kill()
    server.start()
    store = open_object_store((server.folder / "store").as_uri())
    if not path:  # the client has forgotten its upload, and starts again
        path = begin(server.url, len(data))
    if (there := head(server.url, path)).status == 200:
        offset = int(there.headers["upload-offset"])
        if offset < len(data):
            assert patch(server.url, path, offset, data[offset:]).status == 204
    until(lambda: ask(server.url, "GET", path).body["state"] == "accepted", "it never was accepted")
    video_id = ask(server.url, "GET", path).body["video_id"]

    def left() -> list[str]:
        return [key for key in all_keys(store) if name != "upload.created" or not key.startswith("uploads/")]

    # Its upload is removed once the video is reported.
    until(lambda: left() == keys_of_video(store, video_id), left)
    assert store.get(keys.original_key(video_id)) == data
    again = ask(server.url, "PATCH", path, b"", {**BYTES, "Upload-Offset": str(len(data))})
    assert again.status == 410


def test_memory_does_not_grow_with_the_length_of_an_upload(server: KilledServer, film: Path) -> None:
    server.start()
    data = SIGN + bytes(1000)
    patch(server.url, begin(server.url, len(data)), 0, data)
    before_kb = server.memory_kb()
    path = begin(server.url, SIZE_BYTES)
    headers = {**BYTES, "Upload-Offset": "0", "Content-Length": str(SIZE_BYTES)}
    with film.open("rb") as body:
        answer = ask(server.url, "PATCH", path, body, headers)
    assert answer.status == 204
    assert server.memory_kb() - before_kb < MOST_MORE_KB
