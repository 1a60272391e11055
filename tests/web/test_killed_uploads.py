"""The server is killed while a video comes in, again and again: its bytes go on where they were.

The clients are those that people have: tus-js-client, tuspy and curl, each in a process of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.uploads import SIGN, all_keys, keys_of_video
from tests.web.conftest import SIMPLE_FRONTEND
from tests.web.uploading import BYTES, ask, begin, head, patch

from frametally import keys
from frametally.opening import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.ports.resumable_write import PIECE_BYTES
from frametally.process.failpoints import VARIABLE
from frametally.videos.acceptance import read_video

ROOT = SIMPLE_FRONTEND.parent
SIZE_BYTES = int(os.environ.get("FRAMETALLY_TEST_UPLOAD_MB", "60")) * 1_000_000
KILLS = 6
MOST_MORE_KB = 50_000
"""Less than a film that was held in memory would take, and what 32 pieces of 1 MiB do."""

SERVER = """
import sys
from pathlib import Path
from tests.fakes.memory import MemoryLog
from tests.fakes.uploads import open_parts
from frametally.opening import open_count_index, open_ledger
from frametally_web.app import create_app
from frametally_web.serving import serve
folder = Path(sys.argv[1])
ports = open_parts(folder)
app = create_app(
    settings=ports.settings, store=ports.store, catalogue=ports.catalogue, look=ports.look, log=MemoryLog(),
    index=open_count_index(ports.settings.index_url), ledger=open_ledger(ports.settings.ledger_url),
)
serve(app, "127.0.0.1", int(sys.argv[2]))
"""

TUS_JS = """
const fs = require("fs");
const tus = require("tus-js-client");
const [file, endpoint] = process.argv.slice(2);
const size = fs.statSync(file).size;
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint, chunkSize: 5_000_000, uploadSize: size, metadata: { filename: "clip.mp4" },
  retryDelays: Array(500).fill(100),
  onError: (error) => { console.error(String(error)); process.exit(1); },
  onSuccess: () => { console.log("done " + upload.url); },
});
upload.start();
"""

TUSPY = """
import sys
from tusclient.client import TusClient
uploader = TusClient(sys.argv[2]).uploader(
    sys.argv[1], chunk_size=5_000_000, metadata={"filename": "clip.mp4"}, retries=500, retry_delay=0.1
)
uploader.upload()
print("done", uploader.url, flush=True)
"""

CURL = r"""
set -u
file=$1 endpoint=$2
size=$(stat -c %s "$file")
until url=$(curl -sf -D - -o /dev/null -X POST -H "Tus-Resumable: 1.0.0" -H "Upload-Length: $size" \
    -H "Upload-Metadata: filename Y2xpcC5tcDQ=" "$endpoint" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p') \
    && [ -n "$url" ]; do sleep 0.1; done
url="${endpoint%/api/*}$url"
while true; do
  offset=$(curl -sf -I -H "Tus-Resumable: 1.0.0" "$url" | tr -d '\r' | sed -n 's/^[Uu]pload-[Oo]ffset: //p')
  if [ -z "$offset" ]; then sleep 0.1; continue; fi
  if [ "$offset" = "$size" ]; then echo "done $url"; exit 0; fi
  tail -c +$((offset + 1)) "$file" | curl -sf -X PATCH -T - -H "Tus-Resumable: 1.0.0" \
    -H "Content-Type: application/offset+octet-stream" -H "Upload-Offset: $offset" "$url" || sleep 0.1
done
"""


class KilledServer:
    """A server that is killed and started again, always on one port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self.folder), str(self.port)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith(b"Dashboard on")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KilledServer]:
    made = KilledServer(tmp_path / "data")
    yield made
    made.kill()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A large file that is taken for a video."""
    file = tmp_path / "clip.mp4"
    left = SIZE_BYTES - len(SIGN)
    with file.open("wb") as written:
        written.write(SIGN)
        while left:
            written.write(os.urandom(min(left, 10_000_000)))
            left -= min(left, 10_000_000)
    return file


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def command_of(client: str, tmp_path: Path) -> list[str]:
    if client == "curl":
        if shutil.which("curl") is None:
            pytest.skip("needs curl")
        return ["bash", "-c", CURL, "curl"]
    if client == "tuspy":
        pytest.importorskip("tusclient", reason="needs tuspy, a tool for tests")
        return [sys.executable, "-c", TUSPY]
    if shutil.which("node") is None or not (SIMPLE_FRONTEND / "node_modules/tus-js-client").is_dir():
        pytest.skip("needs node, and tus-js-client: run `npm ci` in simple_frontend")
    script = tmp_path / "client.cjs"
    script.write_text(TUS_JS)
    return ["node", str(script)]


def offset_of_any(url: str, store: ObjectStore) -> tuple[str, int]:
    """The upload that is under way, and how many bytes the server has of it; -1 before there is one."""
    for key in all_keys(store):
        if key.startswith("uploads/") and key.endswith(".json"):
            path = f"/api/v1/{key.removesuffix('.json')}"
            with contextlib.suppress(OSError):
                told = ask(url, "GET", path)
                if told.status == 200:
                    return path, told.body["offset"]
    return "", -1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("client", ["tus-js-client", "tuspy", "curl"])
def test_an_upload_goes_on_by_itself_however_often_the_server_is_killed(
    tmp_path: Path, server: KilledServer, film: Path, client: str
) -> None:
    command = command_of(client, tmp_path)
    store = open_object_store((server.folder / "store").as_uri())
    chosen = random.Random(client)  # noqa: S311 - no secret
    server.start()
    environment = {**os.environ, "NODE_PATH": str(SIMPLE_FRONTEND / "node_modules")}
    with subprocess.Popen(
        [*command, str(film), f"{server.url}/api/v1/uploads"],
        env=environment,
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
                # Of what had been taken in, less than a piece has to be sent again.
                assert int(there.headers["upload-offset"]) >= offset - PIECE_BYTES
        said, _ = running.communicate(timeout=500)
    assert running.returncode == 0, said
    assert "done" in said
    until_s = time.monotonic() + 60
    while not (videos := [key for key in all_keys(store) if key.endswith("/video.json")]):
        assert time.monotonic() < until_s
        time.sleep(0.05)
    video = read_video(store, videos[0].split("/")[1])
    assert video is not None
    assert (video.sha256, video.size_bytes) == (sha256_of(film), SIZE_BYTES)
    with (server.folder / "store" / keys.original_key(video.id)).open("rb") as opened:
        assert hashlib.file_digest(opened, "sha256").hexdigest() == video.sha256
    while all_keys(store) != keys_of_video(store, video.id):
        assert time.monotonic() < until_s + 60
        time.sleep(0.05)


STEPS = {
    "upload.created": "start",
    "upload.appended": "first",
    "upload.flushed": "first",
    **dict.fromkeys(
        (
            *("upload.received", "upload.finished", "upload.looked", "upload.claimed", "upload.recorded"),
            *("upload.catalogued", "upload.queued", "upload.removed"),
        ),
        "last",
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_server_that_was_killed_at_a_step_comes_to_the_same_video(server: KilledServer, name: str) -> None:
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
    assert server.process is not None
    server.process.wait(timeout=60)
    server.kill()
    server.start()
    store = open_object_store((server.folder / "store").as_uri())
    if not path:  # the client knows nothing of what it began, and begins anew
        path = begin(server.url, len(data))
    if (there := head(server.url, path)).status == 200:
        offset = int(there.headers["upload-offset"])
        if offset < len(data):
            assert patch(server.url, path, offset, data[offset:]).status == 204
    until_s = time.monotonic() + 60
    while (told := ask(server.url, "GET", path)).body["state"] != "accepted":
        assert time.monotonic() < until_s, told
        time.sleep(0.05)
    video_id = told.body["video_id"]
    left = [key for key in all_keys(store) if name != "upload.created" or not key.startswith("uploads/")]
    assert left == keys_of_video(store, video_id)
    assert store.get(keys.original_key(video_id)) == data
    again = ask(server.url, "PATCH", path, b"", {**BYTES, "Upload-Offset": str(len(data))})
    assert again.status == 410


def test_an_upload_takes_no_memory_of_its_length(server: KilledServer, film: Path) -> None:
    server.start()
    data = SIGN + bytes(1000)
    patch(server.url, begin(server.url, len(data)), 0, data)
    before_kb = _peak_kb(server)
    path = begin(server.url, SIZE_BYTES)
    headers = {**BYTES, "Upload-Offset": "0", "Content-Length": str(SIZE_BYTES)}
    with film.open("rb") as body:
        answer = ask(server.url, "PATCH", path, body, headers)
    assert answer.status == 204
    assert _peak_kb(server) - before_kb < MOST_MORE_KB


def _peak_kb(server: KilledServer) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
