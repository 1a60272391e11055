"""Fixtures for every part: the real model and footage, or a skip that says why they are not there."""

from __future__ import annotations

import fcntl
import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from frametally.errors import Misconfigured
from frametally.files.demo_clip import ensure_demo_clip
from frametally.settings.loading import load_settings

if TYPE_CHECKING:
    from frametally_models.files import ModelFiles

# No test asserts how long something takes: the machine may be busy.
hypothesis_settings.register_profile("frametally", deadline=None)
hypothesis_settings.load_profile("frametally")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make only: looking through all that was collected takes a second."""
    gc.collect()
    gc.freeze()


def _unavailable(what: str, reason: object) -> None:
    """Skips; with FRAMETALLY_REQUIRE_MODEL=1 fails."""
    line = f"{what} cannot be had: {reason}"
    if os.environ.get("FRAMETALLY_REQUIRE_MODEL") == "1":
        pytest.fail(line)
    pytest.skip(line)


@contextmanager
def _one_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the processes that the tests are spread over, one fetches; the others find what it has fetched."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / "fetching.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """YOLOv4-tiny's files, from the model cache or fetched into it."""
    from frametally_models.files import chosen_model_files

    try:
        with _one_at_a_time(tmp_path_factory):
            return chosen_model_files(load_settings("consumer"))
    except Misconfigured as error:
        _unavailable("the model", error)
        raise


@pytest.fixture(scope="session")
def traffic_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's traffic clip, from the checkout's `demo-data` or fetched into it."""
    try:
        with _one_at_a_time(tmp_path_factory):
            return ensure_demo_clip(REPOSITORY / "demo-data")
    except Misconfigured as error:
        _unavailable("the traffic clip", error)
        raise


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, where this user may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16; not every one does."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Development data beside the checkout; no part of the project."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the development data, and there is no {folder.parent}")
    return folder
