"""Uploads in the manner of clients, and servers for them."""

from __future__ import annotations

import base64
import hashlib
import http.client
import importlib.util
import json
import os
import shutil
import sys
import threading
import uuid
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.fakes.memory import MemoryLog
from tests.videos.killed_server import ROOT
from tests.videos.video_records import fake_video, open_parts

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally_videos.catalogue.catalogue_rows import VideoQuestion
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import read_video
from frametally_web.app import close_app, create_app
from frametally_web.serving import DashboardServer

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = {**VERSION, "Content-Type": "application/offset+octet-stream"}
UPLOADS = "/api/v1/uploads"


class Answered(NamedTuple):
    """Status, headers by their lower-case names, and the body, parsed if it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


def ask(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Answered:
    """Ask once, by a separate connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    named = {name.lower(): value for name, value in answer.getheaders()}
    is_json = "json" in named.get("content-type", "")
    return Answered(answer.status, named, json.loads(said) if said and is_json else said)


def metadata(**said: str) -> dict[str, str]:
    """The fields of a file, as a header."""
    pairs = [f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items()]
    return {"Upload-Metadata": ",".join(pairs)} if pairs else {}


def create(url: str, length: int, *, body: bytes | None = None, **said: str) -> Answered:
    """Begin an upload."""
    headers = {**(VERSION if body is None else BYTES), "Upload-Length": str(length), **metadata(**said)}
    return ask(url, "POST", UPLOADS, body, headers)


def begin(url: str, length: int, **said: str) -> str:
    """Begin an upload, and return its path."""
    named = {"filename": "clip.mp4", **said}
    headers = {**VERSION, "Upload-Length": str(length), **metadata(**named)}
    answer = ask(url, "POST", UPLOADS, headers=headers)
    assert answer.status == 201, answer
    return answer.headers["location"]


def patch(url: str, path: str, offset: int, data: bytes, **headers: str) -> Answered:
    """Send bytes of an upload."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(url, "PATCH", path, data, {**BYTES, "Upload-Offset": str(offset), **named})


def head(url: str, path: str) -> Answered:
    """Ask for the offset of an upload."""
    return ask(url, "HEAD", path, headers=VERSION)


def upload(url: str, data: bytes, **said: str) -> Answered:
    """Upload everything by tus; return the answer to the last bytes."""
    return patch(url, begin(url, len(data), **said), 0, data)


def form_of(data: bytes, file_name: str = "clip.mp4", part: str = "file", **fields: str) -> tuple[bytes, str]:
    """A form with a file and fields, the fields last; and its content type."""
    boundary = uuid.uuid4().hex
    quoted = file_name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{quoted}"\r\n'
        f"Content-Type: video/mp4\r\n\r\n".encode(),
        data,
        b"\r\n",
    ]
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        lines.append(f"{head}{value}\r\n".encode())
    return b"".join([*lines, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def send_form(url: str, data: bytes, *, path: str = "/api/videos/upload", **form: str) -> Answered:
    """Upload by a form."""
    body, content_type = form_of(data, **form)
    return ask(url, "POST", path, body, {"Content-Type": content_type})


class UploadServer:
    """The server, and the data behind it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.ports = open_parts(folder)
        self._settings = self.ports.settings.model_copy(update={"web_query_timeout_s": 120.0, **settings})
        self._index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
        self._ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        self._log = MemoryLog()
        self._port = 0
        self.url = ""
        self.start()

    def start(self) -> None:
        """Serve, at the same address as before."""
        self._app = create_app(
            settings=self._settings,
            store=self.ports.store,
            index=self._index,
            ledger=self._ledger,
            log=self._log,
            catalogue=self.ports.catalogue,
            look=self.ports.look,
        )
        self._server = DashboardServer(self._app, host="127.0.0.1", port=self._port)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        self.url = self._server.url
        self._port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """End it, with all that is open."""
        self._server.stop()
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        close_app(self._app)

    def close(self) -> None:
        """End it for good."""
        if self._thread.is_alive():
            self.stop()
        for one in (self._index, self._ledger, self._log, self.ports.catalogue, self.ports.store):
            one.close()

    def videos(self) -> list[VideoRecord]:
        """Return the videos that there are, oldest first."""
        question = VideoQuestion(newest_first=False, limit=1000)
        return [row.record for row in self.ports.catalogue.videos(question).rows]

    def uploads(self) -> list[str]:
        """Return the stored objects of current uploads."""
        return [info.key for info in self.ports.store.list("uploads/")]

    def digest(self, video_id: str) -> str:
        """Return the SHA-256 of a video's stored bytes."""
        assert read_video(self.ports.store, video_id) is not None
        return hashlib.sha256(self.ports.store.get(keys.original_key(video_id))).hexdigest()


def write_video(path: Path, number: int = 1, size_bytes: int = 1000) -> str:
    """Write bytes that are accepted as a video, and return their SHA-256."""
    pattern = fake_video(number, 1000)
    data = pattern + hashlib.sha256(pattern).digest() * ((size_bytes - len(pattern)) // 32)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


MODULES = ROOT / "simple_frontend" / "node_modules"
ENVIRONMENT = {**os.environ, "NODE_PATH": str(MODULES)}

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


class NotThere(Exception):
    """A client is not installed; the message has the remedy."""


def command_of(client: str, folder: Path) -> list[str]:
    """Return the command of a client, to which you add a file and the address of uploads.

    Raises:
        NotThere: It is not installed.
    """
    if client == "curl":
        if shutil.which("curl") is None:
            raise NotThere("needs curl")
        return ["bash", "-c", CURL, "curl"]
    if client == "tuspy":
        if importlib.util.find_spec("tusclient") is None:
            raise NotThere("needs tuspy, a tool for tests")
        return [sys.executable, "-c", TUSPY]
    if shutil.which("node") is None or not (MODULES / "tus-js-client").is_dir():
        raise NotThere("needs node, and tus-js-client: run `npm ci` in simple_frontend")
    script = folder / "client.cjs"
    script.write_text(TUS_JS)
    return ["node", str(script)]
