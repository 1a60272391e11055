"""Adapters are found among the installed packages; a missing extra is reported in one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.kit.processes import run_program

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.errors import FrametallyError, Misconfigured

# Open the URL without the packages named after it; return the error.
OPEN = """
import sys
from frametally import adapters_by_url
from frametally.errors import FrametallyError

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[3:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
try:
    opened = getattr(adapters_by_url, sys.argv[1])(sys.argv[2])
    print(type(opened).__name__, opened.url)
except FrametallyError as error:
    print(f"{type(error).__name__}: {error}")
"""


def opened(port: str, url: str, *lacking: str, path: Path | None = None) -> str:
    """The output of a separate process that opens the URL."""
    return run_program(
        [sys.executable, "-c", OPEN, f"open_{port}", url, *lacking],
        env={"PYTHONPATH": str(path)} if path else {},
    ).stdout.strip()


def install(site: Path, *, module: str) -> None:
    """A distribution `carrier-pigeons` with a log, as pip installs it."""
    info = site / "carrier_pigeons-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier-pigeons\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[frametally.frame_log]\npigeon = pigeons:PigeonLog [feed]\n")
    (site / "pigeons.py").write_text(module)


def test_another_log_needs_only_a_package_and_no_edit(tmp_path: Path) -> None:
    log = "class PigeonLog:\n    def __init__(self, url, access=None, *, lease_s):\n        self.url = url\n"
    install(tmp_path, module=log)
    assert opened("frame_log", "pigeon://loft", path=tmp_path) == "PigeonLog pigeon://loft"


def test_a_module_missing_from_another_package_is_named_with_that_packages_extra(tmp_path: Path) -> None:
    install(tmp_path, module="import corn")
    assert opened("frame_log", "pigeon://loft", path=tmp_path) == (
        "Misconfigured: FRAMETALLY_LOG_URL='pigeon://loft': corn is not installed; "
        "run pip install 'carrier-pigeons[feed]'"
    )


LACKING = {
    "kafka": (
        "frame_log",
        "kafka://here:9092",
        "FRAMETALLY_LOG_URL='kafka://here:9092': kafka is not installed; run pip install 'frametally[kafka]'",
    ),
    "elasticsearch": (
        "count_index",
        "elasticsearch+http://localhost:9200",
        "FRAMETALLY_INDEX_URL is an Elasticsearch address, but its client is not installed (No module named "
        "'elasticsearch'): run pip install \"frametally[search]\"",
    ),
    "boto3": (
        "object_store",
        "s3://bucket",
        "frametally reads AWS's own variables and files through boto3 (No module named 'boto3'): run pip "
        "install "
        "'frametally[s3]', or set FRAMETALLY_STORE_ACCESS_KEY and FRAMETALLY_STORE_SECRET_KEY",
    ),
    "psycopg": (
        "ledger",
        "postgresql://localhost/database",
        "FRAMETALLY_LEDGER_URL: this database cannot be opened (No module named 'psycopg'); "
        "install the driver with "
        'pip install "frametally[postgres]"',
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("package", LACKING)
def test_a_missing_extra_is_one_line_that_says_what_to_install(package: str) -> None:
    port, url, line = LACKING[package]
    lacking = (package, "elastic_transport") if package == "elasticsearch" else (package,)
    assert opened(port, url, *lacking) == f"Misconfigured: {line}"


UNKNOWN = [
    (
        open_object_store,
        "FRAMETALLY_STORE_URL='carrier-pigeon://x': this kind of object store is not supported; use "
        "file:///absolute/folder or "
        "s3://bucket",
    ),
    (
        open_frame_log,
        "FRAMETALLY_LOG_URL='carrier-pigeon://x': this kind of log is not supported; use "
        "sqlite:////absolute/file.sqlite or "
        "kafka://host:port",
    ),
    (
        open_count_index,
        "FRAMETALLY_INDEX_URL='carrier-pigeon://x': this kind of index is not supported; use "
        "sqlite:////absolute/file.sqlite, "
        "postgresql://host/database or elasticsearch+https://host:9200",
    ),
    (
        open_ledger,
        "FRAMETALLY_LEDGER_URL='carrier-pigeon://x': this kind of ledger is not supported; use "
        "sqlite:////absolute/file.sqlite "
        "or postgresql://host/database",
    ),
]


@pytest.mark.parametrize(("opening", "line"), UNKNOWN, ids=[opening.__name__ for opening, _ in UNKNOWN])
def test_an_unknown_kind_is_refused_with_the_list_of_known_kinds(opening: Any, line: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        opening("carrier-pigeon://x")
    assert str(caught.value) == line
    assert isinstance(caught.value, FrametallyError)


def test_a_checkout_that_is_not_installed_says_so(tmp_path: Path) -> None:
    without = "import importlib.metadata as found\nfound.Distribution.discover = lambda **_: iter(())\n"
    (tmp_path / "sitecustomize.py").write_text(without)
    assert opened("frame_log", f"sqlite:///{tmp_path}/log.sqlite", path=tmp_path) == (
        "Misconfigured: frametally is not installed here, so it cannot find any of its adapters: "
        "run `pip install -e .` in its folder"
    )
