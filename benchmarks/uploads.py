"""What an upload costs beside a copy of the same file: as a form, by tus, by the command.

    python benchmarks/uploads.py

Each way has a file of its own of the same size; the copy is synced to the disk, as an upload is. The server
is a dashboard of its own on this machine.
"""

from __future__ import annotations

import http.client
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from measuring import FRAMETALLY, memory_mb, serving
from results import Cell, Goal, Table, options, save
from tusclient.client import TusClient

PIECE_BYTES = 16 * 2**20
# As long as Chromium's: a short one takes longer to search for.
_BOUNDARY = f"----frametally{'0' * 24}"
_END = f"\r\n--{_BOUNDARY}--\r\n".encode()


def large_video(path: Path, size_bytes: int, seed: int) -> Path:
    """Write a second of pictures, and random bytes that players skip."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            picture = np.full((48, 64, 3), (seed + number * 20) % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    left = size_bytes - path.stat().st_size
    chance = random.Random(seed)  # noqa: S311 - no secret
    with path.open("ab") as file:
        file.write((1).to_bytes(4, "big") + b"free" + left.to_bytes(8, "big"))
        left -= 16
        while left > 0:
            left -= file.write(chance.randbytes(min(left, 2**24)))
    return path


def copy(video: Path, to: Path) -> None:
    """Copy a file, and wait until it is on the disk."""
    with video.open("rb") as source, to.open("wb") as copied:
        while data := source.read(2**23):
            copied.write(data)
        copied.flush()
        os.fsync(copied.fileno())
    to.unlink()


def by_form(port: int, video: Path) -> None:
    """Upload a file as a part of a form."""
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{video.name}"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    ).encode()

    def body() -> Iterator[bytes]:
        yield head
        with video.open("rb") as file:
            while data := file.read(2**18):
                yield data
        yield _END

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    length = len(head) + video.stat().st_size + len(_END)
    sent = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}", "Content-Length": str(length)}
    connection.request("POST", "/api/videos/upload", body(), sent)
    response = connection.getresponse()
    said = response.read()
    connection.close()
    if response.status != 201:
        raise SystemExit(f"the form was answered {response.status}: {said[:300]!r}")


def by_tus(port: int, video: Path) -> None:
    """Upload a file by tus."""
    client = TusClient(f"http://127.0.0.1:{port}/api/v1/uploads")
    client.uploader(str(video), chunk_size=PIECE_BYTES, metadata={"filename": video.name}).upload()


def by_command(port: int, video: Path, folder: Path) -> None:
    """Upload a file by `frametally upload`."""
    subprocess.run(
        [*FRAMETALLY, "upload", video, "--url", f"http://127.0.0.1:{port}"],
        env=os.environ | {"FRAMETALLY_DATA_DIR": str(folder / "here")},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def main() -> None:
    """Measure, and write benchmarks/results/uploads.json."""
    asked = options(__doc__, mb=1000, rounds=3)
    size_bytes = asked.mb * 1_000_000
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with serving(folder / "data", "--alone") as (server, port):
            warm = large_video(folder / "warm.mp4", 1_000_000, 255)
            by_tus(port, warm)
            before_mb = memory_mb(server, "VmRSS")
            ways: dict[str, Callable[[Path], None]] = {
                "copied and synced": lambda video: copy(video, folder / "copy"),
                "as a form": lambda video: by_form(port, video),
                "by tus, pieces of 16 MiB": lambda video: by_tus(port, video),
                "by `frametally upload`": lambda video: by_command(port, video, folder),
            }
            for number in range(asked.rounds):
                for at, (way, upload) in enumerate(ways.items()):
                    video = large_video(folder / "video.mp4", size_bytes, number * len(ways) + at)
                    began_s = time.perf_counter()
                    upload(video)
                    seconds.setdefault(way, []).append(time.perf_counter() - began_s)
            more_mb = memory_mb(server) - before_mb
    medians = {way: statistics.median(of) for way, of in seconds.items()}
    copied_s, form_s, tus_s, _ = medians.values()
    rows: list[list[Cell]] = [
        [way, round(median_s, 2), round(median_s / copied_s, 2)] for way, median_s in medians.items()
    ]
    save(
        name="uploads",
        title="Uploads",
        about=f"A video of {asked.mb} MB, uploaded over the loopback interface to a dashboard on this "
        f"machine, hashed, looked at and stored; the median of {asked.rounds} rounds.",
        packages=["uvicorn", "starlette", "python-multipart"],
        tables=[Table("Seconds", ["way", "wall s", "times the copy"], rows)],
        goals=[
            Goal("a form / a copy", round(form_s / copied_s, 2), at_most=1.5),
            Goal("tus / a copy", round(tus_s / copied_s, 2), at_most=1.5),
            Goal("memory that the dashboard took more, MB", round(more_mb), at_most=100),
        ],
    )


if __name__ == "__main__":
    main()
