"""What a test asks of a server: its values, or a skip that says how to start it."""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from serving.state import default_folder

_PREFIX = "FRAMETALLY_TEST_"


def server(name: str) -> Mapping[str, str]:
    """The server's values, such as `{"URL": "kafka://127.0.0.1:9092", "USER": ..., "PASSWORD": ...}`.

    They come from variables `FRAMETALLY_TEST_<NAME>_...` of the environment, where a user names a server of
    their own, or else from the file that `python tests/servers up` writes. Keys are without the prefix.

    Without the server the test is skipped, with the reason and the remedy; or it fails, if
    FRAMETALLY_REQUIRE_SERVICES=1.
    """
    prefix = f"{_PREFIX}{name.upper()}_"
    own = _with_prefix(os.environ, prefix)
    values = own if "URL" in own else _with_prefix(_from_file(), prefix)
    remedy = f"run `make services-up SERVICES={name}`, or set {prefix}URL"
    if "URL" not in values:
        _unavailable(f"needs the server {name!r}: {remedy}")
    if not _answers(values["URL"]):
        _unavailable(f"needs the server {name!r}, and nothing answers at {values['URL']}: {remedy}")
    return values


def _with_prefix(values: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def _from_file() -> dict[str, str]:
    path = default_folder() / "env"
    if not path.is_file():
        return {}
    words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    return dict(word.split("=", 1) for word in words)


def _answers(url: str) -> bool:
    """Whether a TCP connection is taken; a URL that names no port is believed."""
    first = urlsplit(url.split(",")[0])
    if first.hostname is None or first.port is None:
        return True
    try:
        with socket.create_connection((first.hostname, first.port), timeout=5.0):
            return True
    except OSError:
        return False


def _unavailable(line: str) -> None:
    if os.environ.get("FRAMETALLY_REQUIRE_SERVICES") == "1":
        pytest.fail(line)
    pytest.skip(line)
