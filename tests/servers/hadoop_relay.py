"""Leads from inside Hadoop's network namespace to a server out here, by a socket in the file system.

`python hadoop_relay.py FROM TO`, each `tcp:PORT` (on the loopback address) or `unix:PATH`: what connects to
FROM is passed on to TO. `relayed` starts the two that make the way.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path


def main() -> None:
    """Forward until killed."""
    listening = _listen(sys.argv[1])
    print("ready", flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_serve, args=(connection, sys.argv[2]), daemon=True).start()


def _listen(address: str) -> socket.socket:
    kind, _, rest = address.partition(":")
    if kind == "tcp":
        return socket.create_server(("127.0.0.1", int(rest)), reuse_port=False, backlog=64)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(rest)
    listening.listen(64)
    return listening


def _connect(address: str) -> socket.socket:
    kind, _, rest = address.partition(":")
    if kind == "tcp":
        return socket.create_connection(("127.0.0.1", int(rest)))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(rest)
    return connection


def _serve(one: socket.socket, address: str) -> None:
    with one, contextlib.suppress(OSError), _connect(address) as other:
        back = threading.Thread(target=_copy, args=(other, one), daemon=True)
        back.start()
        _copy(one, other)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relayed(in_ns: str, port: int, folder: Path) -> Iterator[None]:
    """Inside the block, the port on the namespace's loopback address leads to the one outside.

    Args:
        in_ns: The command that runs another inside the namespace.
        port: Of the server.
        folder: Folder of the socket; its path must be short.
    """
    path = folder / f"relay-{port}"
    path.unlink(missing_ok=True)
    commands = [
        [sys.executable, __file__, f"unix:{path}", f"tcp:{port}"],
        [in_ns, sys.executable, __file__, f"tcp:{port}", f"unix:{path}"],
    ]
    running = []
    try:
        for command in commands:
            one = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            running.append(one)
            assert one.stdout is not None
            if one.stdout.readline() != "ready\n":
                raise RuntimeError(f"the relay into the namespace did not start: {command}")
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()
            if one.stdout is not None:
                one.stdout.close()
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
