"""An upload of a large video while its dashboard is killed again and again: what each client sends again.

    python benchmarks/upload_kills.py

At moments that chance chooses the dashboard gets SIGKILL and is started again at the same port; each client
asks how far it is, and goes on by itself: the page in Chromium, tus-js-client, tuspy, curl, and
`frametally upload`. It needs a Chromium, curl, and node with `npm ci` in simple_frontend.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from results import ROOT, Cell, Goal, Table, save
from upload_parts import large_video

sys.path.append(str(ROOT))
from tests.videos.killed_server import REAL_LOOK, KilledServer, sha256_of
from tests.videos.uploading import ENVIRONMENT, NotThere, command_of

_MIB = 2**20
_MOST_AFTER_S = 0.1
"""What is kept grows by steps: a kill is not always at the end of one."""

_PAGE, _COMMAND = "the page", "`frametally upload`"
CLIENTS = [_PAGE, "tus-js-client", "tuspy", "curl", _COMMAND]


class Moment(NamedTuple):
    """When a dashboard is killed: so long after it has kept so many bytes."""

    at_bytes: int
    after_s: float


class Outcome(NamedTuple):
    """Of one client.

    Attributes:
        is_whole: Whether there is one original, with the file's bytes.
        cuts: Kills that found the upload on its way.
        again_bytes: What the dashboards took in a second time, after each kill and at the end.
        more_kb: The most memory that one of them took above what it had when it listened.
    """

    is_whole: bool
    cuts: int
    again_bytes: list[int]
    more_kb: int


def command(client: str, video: Path, folder: Path, url: str) -> list[str | Path]:
    """Return the command by which a client uploads a video. Raises `SystemExit`, where it is not there."""
    if client == _PAGE:
        return [sys.executable, ROOT / "benchmarks" / "upload_by_page.py", video, url]
    if client == _COMMAND:
        return [sys.executable, "-m", "frametally", "upload", video, "--url", url]
    try:
        return [*command_of(client, folder), video, f"{url}/api/v1/uploads"]
    except NotThere as missing:
        raise SystemExit(f"{client}: {missing}") from missing


def upload(client: str, video: Path, folder: Path, moments: list[Moment]) -> Outcome:
    """Upload a video by a client, killing the dashboard at these moments."""
    server = KilledServer(folder / "data", REAL_LOOK)
    size_bytes, said = video.stat().st_size, folder / "said.txt"
    more_kb, cuts = [], 0
    lost_bytes = [0]
    server.start()
    began_kb = server.memory_kb("VmRSS")
    with said.open("w") as output:
        running = subprocess.Popen(
            command(client, video, folder, server.url),
            env={**ENVIRONMENT, "FRAMETALLY_DATA_DIR": str(folder / "here")},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        for moment in moments:
            server.wait_for_bytes(moment.at_bytes, lambda: running.poll() is not None)
            time.sleep(moment.after_s)
            more_kb.append(server.memory_kb() - began_kb)
            server.kill()
            cuts += 0 < server.kept_bytes() < size_bytes
            lost_bytes.append(server.taken_in_bytes() - server.kept_bytes())
            server.start()
            began_kb = server.memory_kb("VmRSS")
        if running.wait():
            raise SystemExit(f"{client} ended with {running.returncode}: {said.read_text()[-2000:]}")
        more_kb.append(server.memory_kb() - began_kb)
    finally:
        running.kill()
        server.kill()
    lost_bytes.append(server.taken_in_bytes() - size_bytes)
    again_bytes = [after - before for before, after in itertools.pairwise(lost_bytes)]
    return Outcome(server.originals() == [sha256_of(video)], cuts, again_bytes, max(more_kb))


def main() -> None:
    """Measure, and write benchmarks/results/upload_kills.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10**6))
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    size_bytes = options.size_mb * 1_000_000
    chance = random.Random(options.seed)  # noqa: S311 - no secret
    outcomes: dict[str, Outcome] = {}
    for client in CLIENTS:
        least = sorted(chance.sample(range(_MIB, size_bytes * 9 // 10), options.kills))
        moments = [Moment(at_bytes, chance.random() * _MOST_AFTER_S) for at_bytes in least]
        with tempfile.TemporaryDirectory() as scratch:
            video = large_video(Path(scratch) / "video.mp4", size_bytes, options.seed)
            outcomes[client] = upload(client, video, Path(scratch), moments)
    rows: list[list[Cell]] = [
        [
            client,
            "yes" if one.is_whole else "NO",
            f"{one.cuts} of {options.kills}",
            round(max(one.again_bytes) / _MIB, 2),
            round(sum(one.again_bytes) / _MIB, 2),
            round(one.more_kb * 1024 / 1e6),
        ]
        for client, one in outcomes.items()
    ]
    columns = [
        "client",
        "SHA-256 equal",
        "kills on its way",
        "most again MiB",
        "all again MiB",
        "memory more MB",
    ]
    table = Table(
        title="By client",
        columns=columns,
        rows=rows,
        note="Again: bytes of bodies that the dashboards took in a second time, after one kill and after "
        "all. Memory: the most that a dashboard had above what it had when it began to listen.",
    )
    for row in (list[Cell](columns), *rows):
        print("".join(str(cell).ljust(22) for cell in row))
    whole = sum(one.is_whole for one in outcomes.values())
    most = max(max(one.again_bytes) for one in outcomes.values()) / _MIB
    memory = max(one.more_kb for one in outcomes.values()) * 1024 / 1e6
    save(
        name="upload_kills",
        title="An upload whose dashboard is killed",
        about=f"A video of {options.size_mb} MB, the dashboard killed by SIGKILL {options.kills} times at "
        f"moments that chance chose (seed {options.seed}) and started again; each client goes on by itself.",
        load_before=load_before,
        packages=["uvicorn", "starlette", "tuspy"],
        tables=[table],
        goals=[
            Goal(what="clients whose bytes are stored whole", measured=whole, at_least=len(CLIENTS)),
            Goal(what="most that was taken in again after one kill, MiB", measured=round(most, 2), at_most=8),
            Goal(what="most memory that a dashboard took more, MB", measured=round(memory), at_most=100),
        ],
    )
    if whole < len(CLIENTS):
        raise SystemExit(f"seed {options.seed}: what is stored is not what was sent")


if __name__ == "__main__":
    main()
