"""Reads an object by its address, wherever a task runs: files, links, HDFS. Standard library only."""

from __future__ import annotations

import http.client
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from frametally.errors import Poison, Retryable
from frametally.process.retrying import Backoff

_READ_TIMEOUT_S = 60
_TRIES = 8
_PASSING = {408, 425, 429}
_BLOCK_BYTES = 512 * 1024


Fetch = Callable[..., Iterator[bytes]]
"""Yields the bytes at an address, as `fetch` does."""


class LinkEnded(Retryable):
    """A presigned link is refused: it has ended, as a rule. A new one may do."""


def fetch(url: str, what: str, *, block_bytes: int = _BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the bytes at `url`, block by block; errors call it `what`, such as `segment <key>`.

    Raises `Retryable` if it cannot be read now, or came cut short; `LinkEnded`: its presigned link works no
    more; `Poison` if it is not an address.
    """
    if not url.startswith(("file://", "http://", "https://", "hdfs://", "data:")):
        raise Poison(f"{what}: its address must begin with file://, http(s):// or hdfs://")
    if url.startswith("hdfs://"):
        yield from _read_hdfs(url, what, block_bytes)
        return
    done_bytes, tries, backoff = 0, _TRIES, Backoff(first_s=0.05, longest_s=2.0)
    while True:
        try:
            with _open(url, done_bytes) as response:
                expected_bytes = int(getattr(response, "length", 0) or 0)  # 0 where it does not say
                while data := response.read(block_bytes):
                    yield data
                    done_bytes += len(data)
                    expected_bytes -= len(data)
                if expected_bytes <= 0:
                    return
                problem = "it arrived incomplete"  # a body cut short raises nothing by itself
        except (http.client.HTTPException, OSError) as error:  # urllib's own errors are OSErrors
            problem = _reason(url, error)
            status = _close(error)
            if status == http.client.FORBIDDEN and "?" in url:
                raise LinkEnded(
                    f"{what} cannot be read: {problem}: its presigned link has expired; links last as long "
                    "as the store's credentials, at most one day: check this node's clock, or use "
                    "credentials that last longer"
                ) from None
            if url.startswith("file://") or (400 <= status < 500 and status not in _PASSING):
                tries = 0
        tries -= 1
        if tries <= 0:
            raise Retryable(f"{what} cannot be read: {problem}") from None
        time.sleep(backoff.next_s())  # and go on where it broke off


def hadoop_command() -> str:
    """Return Hadoop's client: the one in `HADOOP_HOME`, else on the path."""
    command = f"{os.environ.get('HADOOP_HOME')}/bin/hadoop"
    return command if os.access(command, os.X_OK) else "hadoop"


def _read_hdfs(url: str, what: str, block_bytes: int) -> Iterator[bytes]:
    """Read by the `hadoop` command, which every node of a cluster has."""
    command = hadoop_command()
    try:
        process = subprocess.Popen(  # noqa: S603
            [command, "fs", "-cat", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise Retryable(f"{what} cannot be read: {command}: {error.strerror}") from None
    with process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 - for the type checker
        while data := process.stdout.read(block_bytes):
            yield data
        stderr_lines = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise Retryable(
            f"{what} cannot be read: {stderr_lines[-1] if stderr_lines else 'hadoop fs -cat failed'}"
        )


def _open(url: str, first_byte: int) -> IO[bytes]:
    if url.startswith("file:///"):  # less work than by urllib, for each of many small segments
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path)).open("rb", buffering=0)
    headers = {"Range": f"bytes={first_byte}-"} if first_byte else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - its scheme was looked at
    response: Any = urllib.request.urlopen(request, timeout=_READ_TIMEOUT_S)  # noqa: S310
    if first_byte and response.status != http.client.PARTIAL_CONTENT:  # a server that gives all of it
        response.read(first_byte)
    return response  # type: ignore[no-any-return]


def _reason(url: str, error: Exception) -> str:
    """Say what went wrong, without what is secret in the address."""
    query = url.partition("?")[2]  # the signature of a presigned address
    return str(error).replace(query, "...") if query else str(error)


def _close(error: Exception) -> int:
    """Close an answer that was an error and return its status; 0 for another error."""
    if not isinstance(error, urllib.error.HTTPError):
        return 0
    error.close()
    return error.code
