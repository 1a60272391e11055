"""Detecting opens no connection and leaves nothing in the home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed: nothing could call home")

WATCHED = """
import sys
def hook(event, args):
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname"):
        print("opened", event, args, flush=True)
sys.addaudithook(hook)
import frametally_consumer.openvino_backend
import time
time.sleep(1)
print("done")
"""


def test_importing_the_back_end_calls_nobody_and_writes_nothing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", WATCHED],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["done"]
    assert list(tmp_path.iterdir()) == []
