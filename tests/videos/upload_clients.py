"""The clients of uploads that people have, each as a command of its own: it is given a file and where to.

Each goes on by itself until all is there, and then says `done`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from tests.videos.killed_server import ROOT

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
    """A client is not installed; what to do about it."""


def command_of(client: str, folder: Path) -> list[str]:
    """Return the command of a client; a file and the address of uploads are still to be added.

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
