"""An upload of a large video while its dashboard is killed again and again: what is sent twice.

    python benchmarks/upload_kills.py

At moments that chance chooses the dashboard gets SIGKILL and is started again; the client asks how far it is,
and goes on. The same by `frametally upload`, which does so by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from results import Cell, Goal, Table, save
from upload_parts import TusClient, dashboard, free_port, large_video, memory_mb

_MIB = 2**20


def part_bytes(data: Path) -> int:
    """Return how much of uploads under way is in the store."""
    return sum(part.stat().st_size for part in (data / "store" / "uploads").glob("*.part"))


def kill_at(server: subprocess.Popen[str], data: Path, at_bytes: int) -> None:
    """Kill the dashboard once so much is in its store, or the upload is over."""
    while part_bytes(data) < at_bytes and server.poll() is None:
        time.sleep(0.001)
    server.kill()


def kept_whole(data: Path, video: Path) -> bool:
    """Return whether the one original has the file's bytes."""
    originals = [*(data / "store" / "videos").glob("*/original")]
    hashes = set()
    for path in (video, *originals):
        with path.open("rb") as file:
            hashes.add(hashlib.file_digest(file, "sha256").hexdigest())
    return len(originals) == 1 and len(hashes) == 1


def by_client(video: Path, data: Path, moments: list[int]) -> tuple[list[int], float]:
    """Upload by the counting client; return what was sent twice at each kill, and the most memory in MB."""
    port, most_mb = free_port(), 0.0
    twice: list[int] = []
    client: TusClient | None = None
    for at_bytes in (*moments, 0):
        with dashboard(data, port) as server:
            client = client or TusClient(port, video)
            began = client.offset()
            if twice or client.sent_bytes:
                twice.append(client.sent_bytes - began)
                client.sent_bytes = began
            if at_bytes:
                killer = threading.Thread(target=kill_at, args=(server, data, at_bytes))
                killer.start()
                client.send()
                killer.join()
            elif client.send() is None:
                raise SystemExit("the upload did not end")
            else:
                most_mb = max(most_mb, memory_mb(server))
    return twice, most_mb


def by_command(video: Path, data: Path, moments: list[int], here: Path) -> int:
    """Upload by `frametally upload`, killing the dashboard; return the command's exit code."""
    port = free_port()
    command: subprocess.Popen[str] | None = None
    for at_bytes in (*moments, 0):
        with dashboard(data, port) as server:
            command = command or subprocess.Popen(
                [sys.executable, "-m", "frametally", "upload", video, "--url", f"http://127.0.0.1:{port}"],
                env=os.environ | {"FRAMETALLY_DATA_DIR": str(here)},
                stdout=subprocess.DEVNULL,
                text=True,
            )
            if at_bytes:
                kill_at(server, data, at_bytes)
            else:
                command.wait()
    return command.returncode if command else 1


def main() -> None:
    """Measure, and write benchmarks/results/upload_kills.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10**6))
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    size_bytes = options.mb * 1_000_000
    chance = random.Random(options.seed)  # noqa: S311 - no secret
    moments = sorted(chance.sample(range(_MIB, size_bytes - 20 * _MIB), options.kills))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        video = large_video(folder / "video.mp4", size_bytes, options.seed)
        twice, most_mb = by_client(video, folder / "one", moments)
        whole = kept_whole(folder / "one", video)
        code = by_command(video, folder / "two", moments, folder / "here")
        whole_by_command = code == 0 and kept_whole(folder / "two", video)
    if not whole or not whole_by_command:
        raise SystemExit(f"seed {options.seed}: what is stored is not what was sent")
    most_twice = max(twice, default=0) / _MIB
    rows: list[list[Cell]] = [
        [number, round(at / 1e6, 1), round(again / _MIB, 2)]
        for number, (at, again) in enumerate(zip(moments, twice, strict=True), 1)
    ]
    save(
        name="upload_kills",
        title="An upload whose dashboard is killed",
        about=f"A video of {options.mb} MB by tus, the dashboard killed {options.kills} times (seed "
        f"{options.seed}); by `frametally upload` the same. What is stored has the SHA-256 of the file.",
        load_before=load_before,
        packages=["uvicorn", "starlette"],
        tables=[
            Table(
                title="Sent twice",
                columns=["kill", "at MB", "MiB sent twice"],
                rows=rows,
                note="With what lay in the connection's buffers, which the client had given away.",
            )
        ],
        goals=[
            Goal(what="most that was sent twice, MiB", measured=round(most_twice, 2), at_most=8),
            Goal(what="most memory of the dashboard, MB", measured=round(most_mb)),
        ],
    )


if __name__ == "__main__":
    main()
