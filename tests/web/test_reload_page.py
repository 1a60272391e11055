"""`make page`: a developer of the dashboard sees saved changes in the open window."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

HERE = Path(__file__).resolve().parents[2] / "simple_frontend"


@pytest.mark.usefixtures("browser")  # or a skip with the reason
def test_saving_a_source_reloads_the_page(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "reload_page.py"), str(tmp_path), "--headless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as opened:
        assert opened.stdout is not None
        lines = (line for line in opened.stdout if "save a source" in line)
        first = next(lines)
        os.utime(HERE / "frametally_web" / "static" / "pages" / "answers.js")
        second = next(lines)
        opened.terminate()
    assert [line.endswith("/: save a source, and the page reloads\n") for line in (first, second)] == [
        True,
        True,
    ]
    port = int(second.partition("127.0.0.1:")[2].partition("/")[0])
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0, "who ends the page ends its server"
