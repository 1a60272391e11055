"""`python -m tests.live.socket_storm PORT ASKED NUMBER`: opens this many WebSockets and answers nothing.

Every other one asks to watch, each from a different address behind a proxy; the rest are clients with
different ids. It says as JSON how many got which status, and ends once its standard input is closed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import sys
from collections import Counter

_AT_ONCE = 400


class Rude(asyncio.Protocol):
    """A client that stays until the server hangs up."""

    def __init__(self, request: bytes, told: Counter[str]) -> None:
        """Send `request`, and count the answer in `told`."""
        self._request = request
        self._told = told
        self._heard = b""
        self.answered = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count the answer; drop the rest."""
        if not self.answered.done():
            self._heard += data
            if b"\r\n\r\n" in self._heard:
                self._count(self._heard.split()[1].decode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it, if there was no answer."""
        if not self.answered.done():
            self._count("none")

    def _count(self, status: str) -> None:
        self._told[status] += 1
        self.answered.set_result(None)


def _request(number: int, asked: str) -> bytes:
    path = f"/ws/stream?{asked}" if number % 2 else f"/ws/client-{number:06d}"
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(number.to_bytes(16, 'big')).decode()}",
        "Sec-WebSocket-Version: 13",
        f"X-Forwarded-For: 10.0.{number // 250}.{number % 250}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def main(port: int, asked: str, sockets: int) -> None:
    """Open all, report, and stay."""
    told: Counter[str] = Counter()
    turns = asyncio.Semaphore(_AT_ONCE)
    transports = []

    async def come(number: int) -> None:
        request = _request(number, asked)
        async with turns:
            transport, one = await asyncio.get_running_loop().create_connection(
                lambda: Rude(request, told), "127.0.0.1", port
            )
            transports.append(transport)
            await one.answered

    await asyncio.gather(*map(come, range(sockets)))
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for transport in transports:
        transport.abort()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
