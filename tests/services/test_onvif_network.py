"""`frametally live discover` by real multicast, with a third-party ONVIF device."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from serving.downloads import cache_folder, pip_target

SERVERS = Path(__file__).parents[1] / "servers"
IPYCAM = "ipycam==1.3.0 --hash=sha256:3f12b70ed4e9717508fc387874a0c9fddf94a2a193dc88c2340efb867ff5d745"
LOGINS = '{"10.9.8.7": "viewer:ge:he/im@"}'

pytestmark = pytest.mark.services


def discover(tmp_path: Path, *login: str, logins: str = "") -> dict[str, Any]:
    """Search in a separate network, and return the only device."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare (util-linux)")
    folder = pip_target(cache_folder(), "ipycam-1.3.0", [IPYCAM])
    done = subprocess.run(
        [
            sys.executable,
            str(SERVERS / "in_namespace.py"),
            sys.executable,
            str(SERVERS / "onvif_network.py"),
            str(folder),
            *login,
        ],
        env=os.environ | {"FRAMETALLY_DATA_DIR": str(tmp_path), "FRAMETALLY_LIVE_LOGINS": logins},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (device,) = json.loads(done.stdout)["cameras"]
    assert isinstance(device, dict)
    return device


@pytest.mark.parametrize(("login", "logins"), [((), ""), (("viewer", "ge:he/im@"), LOGINS)])
def test_another_makers_device_is_found_by_multicast_with_its_streams(
    tmp_path: Path, login: tuple[str, ...], logins: str
) -> None:
    device = discover(tmp_path, *login, logins=logins)
    assert device["problem"] is None
    assert (device["host"], device["name"], device["maker"]) == ("10.9.8.7", "Frontdoor", "PythonCam")
    assert [(one["address"], one["width_px"], one["code"]) for one in device["streams"]] == [
        ("rtsp://10.9.8.7:8554/video_main", 1920, "H264"),
        ("rtsp://10.9.8.7:8554/video_sub", 640, "H264"),
    ]
    assert device["snapshot"] == "http://10.9.8.7:8080/snapshot.jpg"


def test_another_makers_device_that_needs_a_sign_in_says_so(tmp_path: Path) -> None:
    problem = discover(tmp_path, "viewer", "ge:he/im@")["problem"]
    assert problem.startswith("10.9.8.7 requires a user name and password: set FRAMETALLY_LIVE_LOGINS=")
