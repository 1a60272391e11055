"""The images without an engine: install commands in an empty folder, then the start command, not as root.

The commands are the Dockerfile's own, word for word. Airflow's image is left out: its packages are installed
and run by `make test-airflow`. `make test-stack` runs this, as root (for the namespaces); who installs and
starts is an unprivileged user.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from compose_file import compose_file, required_variables
from dockerfile import targets
from native_container import REPOSITORY, Container, start
from serving.downloads import cache_folder

from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.books.runs import current_runs
from frametally.media.screening import note_in
from frametally.segments.contents import list_segments
from frametally.settings.loading import load_settings

pytestmark = [pytest.mark.images, pytest.mark.timeout(1200)]

TARGETS = targets()
USER = "10001:10001"
IMAGES = ["frametally", "consumer", "indexer", "dashboard", "hadoop", "store"]
# What this machine's package clients are told about where packages come from.
CLIENTS = re.compile(r"(PIP_(?!NO_CACHE)|SSL_CERT|REQUESTS_CA|CURL_CA|HTTPS?_PROXY|NO_PROXY)", re.IGNORECASE)
# What python:3.11-slim has beside Python: the C and C++ libraries, and Python's own needs.
IN_THE_BASE = re.compile(
    r"(ld-linux.*|lib(c|m|dl|rt|mvec|pthread|util|resolv|gcc_s|stdc\+\+|z|bz2|lzma|ffi|sqlite3|ssl|crypto|expat|uuid|"
    r"python3.*|crypt|readline|ncursesw|tinfo|tinfow|nsl|gdbm|db-5.3)\.so.*)"
)
SERVICES = compose_file(dict.fromkeys(required_variables(), "x"))["services"]
PRODUCER = SERVICES["producer"]
PATIENCE_S = 240
PORT = 5917  # of the dashboard, in place of 5001: it shares this machine's network


class Images:
    """The file systems of the images, as far as commands have filled them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pip_cache = cache_folder() / "pip-of-images"
        for path in (
            self.pip_cache,
            folder / "wheel",
            folder / "data",
            folder / "models",
            folder / "footage",
        ):
            path.mkdir(parents=True, exist_ok=True)
        self.clients = {name: value for name, value in os.environ.items() if CLIENTS.match(name)}
        python = Path(sys.base_prefix) / "bin"
        self.path = f"{python}:/usr/local/bin:/usr/bin:/bin"

    def venv(self, image: str) -> Path:
        path = self.folder / "opt" / ("hadoop" if image == "aggregator" else image)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def container(self, image: str, command: list[str], **binds: Path) -> Container:
        target = TARGETS[image]
        environment = {k: v for k, v in target.environment.items() if k != "PIP_NO_CACHE_DIR"}
        environment["PATH"] = f"/opt/frametally/bin:{self.path}"
        paths = {f"/{name.replace('__', '/')}": path for name, path in binds.items()}
        for path in paths.values():
            give(path)
        return Container(command=command, environment=environment, user=USER, binds=paths, workdir="/data")

    def install(self, image: str) -> None:
        """The RUN commands of a target after those of the base, as the unprivileged user."""
        commands = [command for command in TARGETS[image].run if "apt-get" not in command]
        script = " && ".join(commands).replace("chown 1000:1000 /data", "true")
        script = re.sub(r'python -c "import glob, zipfile.*?" && ', "", script)  # needs Maven's jars
        binds = {"opt__frametally": self.venv(image), "wheel": self.folder / "wheel", "cache": self.pip_cache}
        binds["data"] = self.folder / "data"
        container = self.container(image, ["bash", "-euc", script], locks=self.locks(), **binds)
        environment = {**container.environment, **self.clients, "PIP_CACHE_DIR": "/cache"}
        self.finish(container, environment, image)

    def build_wheel(self) -> None:
        source = self.folder / "src"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        # The dashboard's pages are there already: `make setup` proves that they can be made.
        built = (REPOSITORY / "simple_frontend/frametally_web/static/built").glob("*")
        for path in [*(REPOSITORY / name for name in listed), *built]:
            if path.is_file() and path.relative_to(REPOSITORY).parts[0] != "tests":
                copy = source / path.relative_to(REPOSITORY)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
        (self.folder / "opt" / "build").mkdir(parents=True, exist_ok=True)
        script = f"cd /src && {' && '.join(TARGETS['wheel'].run)}"
        binds = {"src": source, "wheel": self.folder / "wheel", "cache": self.pip_cache}
        binds["opt__build"] = self.folder / "opt" / "build"
        binds["data"] = self.folder / "data"
        container = self.container("wheel", ["bash", "-euc", script], **binds)
        environment = {**container.environment, **self.clients, "PIP_CACHE_DIR": "/cache"}
        self.finish(container, environment, "wheel")

    def locks(self) -> Path:
        copy = self.folder / "locks"
        if not copy.is_dir():
            shutil.copytree(REPOSITORY / "locks", copy)
        return copy

    def finish(self, container: Container, environment: dict[str, str], name: str) -> None:
        whole = Container(**{**vars(container), "environment": environment})
        log = self.folder / f"{name}.install.log"
        code = start(whole, self.folder / "containers" / f"{name}-install", log).wait(timeout=900)
        assert code == 0, log.read_text(errors="replace")[-3000:]

    def start(self, image: str, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """The start command as the compose file has it: a read-only file system, and the data's volume."""
        binds = {
            "opt__frametally": self.venv(image),
            "data": self.folder / "data",
            "footage": self.folder / "footage",
        }
        binds["models"] = self.folder / "models"
        container = self.container(image, [*command] or TARGETS[image].command, **binds)
        environment = {
            **container.environment,
            "FRAMETALLY_WEB_PORT": str(PORT),
            "FRAMETALLY_DATA_DIR": "/data",
            "FRAMETALLY_MODELS_DIR": "/models",
        }
        whole = {**vars(container), "environment": environment | env, "read_only": True}
        whole["tmpfs"] = ["/tmp:size=1g,mode=1777"]  # noqa: S108
        return start(Container(**whole), self.folder / "containers" / image, self.log(image))

    def log(self, image: str) -> Path:
        return self.folder / f"{image}.log"


def give(folder: Path) -> None:
    if folder.stat().st_uid != 10001:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 10001, 10001, follow_symlinks=False)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Images]:
    if pytestconfig.getoption("markexpr") != "images":
        pytest.skip("it takes minutes: run `make test-stack`, or pytest -m images")
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root, to become other users in namespaces of their own")
    folder = tmp_path_factory.mktemp("images")
    made = Images(folder)
    made.build_wheel()
    yield made
    shutil.rmtree(folder / "opt", ignore_errors=True)


def test_the_wheel_is_built(images: Images) -> None:
    [wheel] = (images.folder / "wheel").glob("frametally-*.whl")
    assert wheel.stat().st_size > 100_000


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_installs_in_an_empty_folder_and_needs_no_library_outside_it(
    images: Images, image: str
) -> None:
    images.install(image)
    if image == "store":
        assert (images.venv(image) / "bin" / "weed").exists()
        return
    assert (images.venv(image) / "bin" / "frametally").exists()
    packages = images.venv(image) / "lib"
    # A plugin for a GPU is opened where there is one, with the libraries of its driver.
    libraries = [path for path in packages.rglob("*.so*") if path.is_file() and "gpu_plugin" not in path.name]
    own = {path.name for path in libraries}
    asked = subprocess.run(
        ["readelf", "-d", *map(str, libraries)], capture_output=True, text=True, check=False
    )
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", asked.stdout))
    assert needed
    assert not {name for name in needed - own if not IN_THE_BASE.fullmatch(name)}


def wait_for(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    by_s = time.monotonic() + PATIENCE_S
    while not true():
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < by_s, log.read_text(errors="replace")
        time.sleep(0.3)


def stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 0, log.read_text(errors="replace")


def test_the_start_commands_bring_a_picture_to_the_chart_on_a_read_only_file_system(images: Images) -> None:
    for image in ("frametally", "consumer", "indexer", "dashboard", "hadoop"):
        if not (images.venv(image) / "bin" / "frametally").exists():
            images.install(image)
    for path in load_settings("consumer").models_dir.expanduser().iterdir():
        shutil.copy(path, images.folder / "models")
    picture = np.full((240, 320, 3), 90, np.uint8)
    assert cv2.imwrite(str(images.folder / "footage" / "cam_20260101_080000.jpg"), picture)
    data = images.folder / "data"

    # Blurred, by the image's own back-end and the consumer's volume of networks.
    for command in (
        ["frametally", "privacy", "set", "--blur"],
        [*PRODUCER["entrypoint"], *PRODUCER["command"]],
    ):
        started = images.start("frametally", *command, FRAMETALLY_TIME_PATTERN="cam_%Y%m%d_%H%M%S")
        assert started.wait(timeout=PATIENCE_S) == 0, images.log("frametally").read_text()
    with closing(open_object_store(f"file://{data}/store")) as store:
        [note] = [note_in(store.get(info.key)) for info in store.list("images")]
    assert note is not None and "blurred" in note.screened and note.model

    def store_has(found: Callable[..., object]) -> bool:
        with closing(open_object_store(f"file://{data}/store")) as store:
            return bool(list(found(store)))  # type: ignore[call-overload]

    consumer = images.start("consumer")
    wait_for(lambda: store_has(list_segments), consumer, images.log("consumer"))
    stop(consumer, images.log("consumer"))

    aggregator = images.start("aggregator")
    wait_for(lambda: store_has(current_runs), aggregator, images.log("aggregator"))
    stop(aggregator, images.log("aggregator"))

    def indexed() -> bool:
        if not (data / "index.sqlite").exists():
            return False
        with closing(open_count_index(f"sqlite:///{data}/index.sqlite")) as index:
            return bool(index.current_runs())

    indexer = images.start("indexer")
    # The aggregator has indexed as well: wait until this one has said that it looked.
    wait_for(
        lambda: indexed() and "index: " in images.log("indexer").read_text(), indexer, images.log("indexer")
    )
    stop(indexer, images.log("indexer"))

    dashboard = images.start("dashboard")

    def shown() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
                return b"frametally" in answer.read().lower()
        except OSError:
            return False

    wait_for(shown, dashboard, images.log("dashboard"))
    stop(dashboard, images.log("dashboard"))


def test_the_single_image_starts_on_its_volume_and_its_health_check_passes(images: Images) -> None:
    if not (images.venv("frametally") / "bin" / "frametally").exists():
        images.install("frametally")
    models = images.folder / "data" / "models"
    models.mkdir(exist_ok=True)
    for path in load_settings("consumer").models_dir.expanduser().iterdir():
        shutil.copy(path, models)
    everything = images.start("frametally", FRAMETALLY_MODELS_DIR="/data/models")
    log = images.log("frametally")
    checked = TARGETS["frametally"].health
    assert checked

    def is_healthy() -> bool:
        words = [word.replace("5001", str(PORT)) for word in checked]
        return subprocess.run([sys.executable, *words[1:]], capture_output=True, check=False).returncode == 0

    try:
        wait_for(is_healthy, everything, log)
        wait_for(lambda: "reading frames" in log.read_text(), everything, log)
    finally:
        everything.terminate()
    assert everything.wait(timeout=120) == 0, log.read_text()
    assert (images.folder / "data" / "index.sqlite").is_file()
