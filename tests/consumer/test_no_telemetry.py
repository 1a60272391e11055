"""Detecting opens no connection and leaves nothing in the home folder."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.kit.processes import run_program

from frametally_models.files import ModelFiles

pytest.importorskip("openvino", reason="OpenVINO is not installed: nothing could call home")

WATCHED = """
import sys
def hook(event, args):
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname"):
        print("opened", event, args, flush=True)
sys.addaudithook(hook)
{what}
import time
time.sleep(1)
print("done")
"""

QUANTIZE = """
import sys
from pathlib import Path
import numpy as np
from frametally.errors import Misconfigured
from frametally.process.reports import NoProgress
from frametally.settings.loading import load_settings
from frametally_models.int8 import make_int8
from frametally_models.files import ModelFiles, check_model
files = ModelFiles(*map(Path, sys.argv[1:4]))
settings = load_settings(detector="openvino", precision="int8", input_size_px="32x32")
frames = [np.full((32, 32, 3), shade, np.uint8) for shade in range(0, 250, 20)]
try:
    make_int8(check_model(files), frames, settings, NoProgress())
except Misconfigured as error:  # of such a network it may find too little
    print(error, file=sys.stderr)
"""


@pytest.mark.thorough
def test_importing_the_back_end_contacts_nobody_and_writes_nothing(tmp_path: Path) -> None:
    assert watched("import frametally_consumer.backends.openvino", home=tmp_path) == ["done"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("nncf")
@pytest.mark.parametrize("nncf_ci", [None, ""])
def test_making_an_int8_network_contacts_nobody_and_writes_nothing_else(
    write_model: Callable[..., ModelFiles], tmp_path: Path, nncf_ci: str | None
) -> None:
    files = write_model(folder="model")
    home = tmp_path / "home"
    home.mkdir()
    more = {} if nncf_ci is None else {"NNCF_CI": nncf_ci}
    assert watched(QUANTIZE, *map(str, files), home=home, **more) == ["done"]
    assert [path for path in home.rglob("*") if "intel" in path.name.lower()] == []


def watched(what: str, *arguments: str, home: Path, **environment: str) -> list[str]:
    """The process's output: a word for each attempted connection, and `done`."""
    clean = {name: value for name, value in os.environ.items() if name != "NNCF_CI"}
    result = run_program(
        [sys.executable, "-c", WATCHED.format(what=what), *arguments],
        env=clean | {"HOME": str(home)} | environment,
    )
    return result.stdout.split()
