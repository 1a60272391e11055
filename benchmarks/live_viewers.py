"""Runs the viewers for `benchmarks/live.py`, and a minimal server for comparison.

    python benchmarks/live_viewers.py watch URL SECONDS FAST SLOW DEAD
    python benchmarks/live_viewers.py bare PORT

Viewers speak the protocol of `/ws/stream`. A fast one acknowledges each frame at once, a slow one takes a
second to draw it, a dead one acknowledges nothing. The output is one line of JSON. The bare server sends
frames of the same size at the same pace to all viewers, whether they read them or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import struct
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

FRAMES_PER_S, JPEG_BYTES = 10, 46_000
SLOW_S = 1.0
_PER_ADDRESS = 40
"""Viewers per address, below the limit of fifty."""
_SETTLES_S = 3.0


class Seen:
    """What one viewer saw once all had connected.

    Attributes:
        frames: The number of frames.
        ages_ms: From the capture of each until it arrived.
        drawn_ms: From the capture of each until it was drawn.
        left_out: The number of frames left out, as of the last frame.
    """

    def __init__(self) -> None:
        """Start without frames."""
        self.frames = 0
        self.ages_ms: list[float] = []
        self.drawn_ms: list[float] = []
        self.left_out = 0


async def _watch(url: str, number: int, draws_s: float | None, seen: Seen, from_s: float) -> None:
    local = (f"127.0.0.{2 + number // _PER_ADDRESS}", 0)
    async with connect(
        url, local_addr=local, compression=None, proxy=None, max_size=None, ping_interval=None
    ) as socket:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                if isinstance(message, bytes):
                    await _take(socket, message, draws_s, seen, from_s)


async def _take(
    socket: ClientConnection, message: bytes, draws_s: float | None, seen: Seen, from_s: float
) -> None:
    came_ms = time.time() * 1000
    (length,) = struct.unpack_from(">I", message)
    header: dict[str, Any] = json.loads(message[4 : 4 + length])
    is_counted = time.monotonic() >= from_s
    if draws_s:
        await asyncio.sleep(draws_s)
    if is_counted:
        seen.frames += 1
        seen.left_out = header["left_out"]
        seen.ages_ms.append(came_ms - header["captured_at_ms"])
        seen.drawn_ms.append(time.time() * 1000 - header["captured_at_ms"])
    if draws_s is not None:
        await socket.send(json.dumps({"type": "ack", "n": header["n"]}))


async def watch(url: str, seconds: float, fast: int, slow: int, dead: int) -> dict[str, Any]:
    """Watch for so long after all have connected; return what each kind saw."""
    kinds = {"fast": (fast, 0.0), "slow": (slow, SLOW_S), "dead": (dead, None)}
    from_s = time.monotonic() + _SETTLES_S
    seen: dict[str, list[Seen]] = {kind: [] for kind in kinds}
    tasks: list[asyncio.Task[None]] = []
    for kind, (number, draws_s) in kinds.items():
        for _ in range(number):
            seen[kind].append(Seen())
            tasks.append(asyncio.create_task(_watch(url, len(tasks), draws_s, seen[kind][-1], from_s)))
    await asyncio.sleep(_SETTLES_S + seconds)
    failed = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if failed:
        raise SystemExit(f"{len(failed)} of {len(tasks)} viewers were sent away: {failed[0]!r}")
    return {kind: _summary(some, seconds) for kind, some in seen.items() if some}


def _summary(some: list[Seen], seconds: float) -> dict[str, Any]:
    ages_ms = sorted(age for one in some for age in one.ages_ms)
    drawn_ms = sorted(age for one in some for age in one.drawn_ms)
    if not ages_ms:
        return {"viewers": len(some), "frames_per_s": 0.0}
    return {
        "viewers": len(some),
        "frames_per_s": round(statistics.mean(one.frames for one in some) / seconds, 2),
        "least_per_s": round(min(one.frames for one in some) / seconds, 2),
        "p50_ms": round(_at(ages_ms, 0.5), 1),
        "p95_ms": round(_at(ages_ms, 0.95), 1),
        "p99_ms": round(_at(ages_ms, 0.99), 1),
        "most_ms": round(ages_ms[-1], 1),
        "drawn_p99_ms": round(_at(drawn_ms, 0.99), 1),
        "drawn_most_ms": round(drawn_ms[-1], 1),
        "left_out": sum(one.left_out for one in some),
    }


def _at(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


async def bare(port: int) -> None:
    """Send to all viewers until killed."""
    there: set[ServerConnection] = set()

    async def take(socket: ServerConnection) -> None:
        there.add(socket)
        try:
            async for _ in socket:
                pass
        except ConnectionClosed:
            pass
        finally:
            there.discard(socket)

    jpeg = os.urandom(JPEG_BYTES)
    async with serve(take, "127.0.0.1", port, compression=None, ping_interval=None):
        due_s, n = time.monotonic(), 0
        while True:
            n, due_s = n + 1, due_s + 1 / FRAMES_PER_S
            now_ms = round(time.time() * 1000)
            head = json.dumps({"type": "frame", "n": n, "captured_at_ms": now_ms, "left_out": 0}).encode()
            broadcast(there, b"".join((struct.pack(">I", len(head)), head, jpeg)))
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        asyncio.run(bare(int(sys.argv[2])))
    else:
        url, seconds, *kinds = sys.argv[2:]
        print(json.dumps(asyncio.run(watch(url, float(seconds), *map(int, kinds)))))
