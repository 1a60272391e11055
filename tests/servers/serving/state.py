"""All servers of one folder: started in the order of their needs, stopped, and listed for tests in
one file."""

from __future__ import annotations

import fcntl
import importlib
import os
import shlex
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from serving.downloads import cache_folder
from serving.place import Place
from serving.processes import ServerFailed

MODULES = Path(__file__).resolve().parents[1]
REPOSITORY = MODULES.parents[1]
# The setting of frametally for a line of a server, both without their prefix.
_SETTINGS = {
    "KAFKA_URL": "LOG_URL",
    "S3_URL": "STORE_ENDPOINT",
    "S3_ACCESS_KEY": "STORE_ACCESS_KEY",
    "S3_SECRET_KEY": "STORE_SECRET_KEY",
    "ELASTICSEARCH_URL": "INDEX_URL",
    "ELASTICSEARCH_USER": "INDEX_USER",
    "ELASTICSEARCH_PASSWORD": "INDEX_PASSWORD",
    "POSTGRES_URL": "LEDGER_URL",
    "POSTGRES_PASSWORD": "LEDGER_PASSWORD",
    "POSTGRES_CA_FILE": "LEDGER_CA_FILE",
    "RABBITMQ_URL": "QUEUE_URL",
    "RABBITMQ_PASSWORD": "QUEUE_PASSWORD",
}


class Row(NamedTuple):
    """One server, as the table shows it.

    Attributes:
        name: Its name.
        url: Where it is; empty if it is not up.
        ready_s: Seconds from the start to readiness; None if it was up before, or is not up.
        log: File or folder of its output.
        trouble: Why it could not be started.
    """

    name: str
    url: str
    ready_s: float | None
    log: Path
    trouble: str = ""


def default_folder() -> Path:
    """The folder of the servers' state: `FRAMETALLY_SERVICES_DIR`, or `.services` in the checkout."""
    given = os.environ.get("FRAMETALLY_SERVICES_DIR")
    return Path(given).resolve() if given else REPOSITORY / ".services"


def known_servers() -> list[str]:
    """Names of all servers that have a module."""
    return sorted(path.stem.removeprefix("server_") for path in MODULES.glob("server_*.py"))


def install_servers(names: Sequence[str]) -> None:
    """Fetch what the servers are made of, so that `up` has only to start them.

    Raises:
        ServerFailed: Something cannot be had.
    """
    for module in _with_needs(names).values():
        module.install(cache_folder())


class State:
    """The servers of one folder."""

    def __init__(self, folder: Path, *, options: Mapping[str, str] | None = None) -> None:
        """Reads and makes nothing yet."""
        self.folder = folder
        self.options = dict(options or {})

    @property
    def env_file(self) -> Path:
        """Lines `FRAMETALLY_TEST_...=value` of all running servers, for tests."""
        return self.folder / "env"

    @property
    def settings_file(self) -> Path:
        """Lines of settings by which `frametally` uses the servers that are up, for a shell to source.

        A file of its own: tests that read the other one must not find the product's settings changed.
        """
        return self.folder / "frametally.env"

    def up(self, names: Sequence[str]) -> list[Row]:
        """Start the missing servers, needs first, in parallel where possible."""
        with self._locked():
            modules = _with_needs(names)
            rows: dict[str, Future[Row]] = {}
            with ThreadPoolExecutor(max(1, len(modules))) as pool:
                for name, module in modules.items():
                    needs = [rows[need] for need in getattr(module, "NEEDS", ())]
                    rows[name] = pool.submit(self._start, name, module, needs)
            self._write_env()
            return [row.result() for row in rows.values()]

    def down(self, names: Sequence[str] = ()) -> list[str]:
        """Stop servers of this folder (all, or these), and no others; return their names."""
        with self._locked():
            asked = list(names) or [name for name in known_servers() if (self.folder / name).is_dir()]
            modules = _with_needs(asked)
            stopped = []
            for name in reversed([name for name in modules if name in asked]):
                place = self._place(name)
                if any(process.alive for process in place.processes):
                    stopped.append(name)
                _stop(place, modules[name])
            self._write_env()
            return stopped

    def status(self) -> list[Row]:
        """The running servers; a server that lost a process does not count."""
        places = [self._place(name) for name in known_servers() if (self.folder / name).is_dir()]
        return [
            Row(place.name, _url(place.name, place.given) if place.is_up else "", None, _log(place))
            for place in places
        ]

    def _start(self, name: str, module: ModuleType, needs: Sequence[Future[Row]]) -> Row:
        place = self._place(name)
        missing = [row.result().name for row in needs if row.result().trouble]
        if missing:
            return Row(name, "", None, _log(place), f"{name}: it needs {', '.join(missing)}")
        if place.is_up:
            return Row(name, _url(name, place.given), None, _log(place))
        began_s = time.monotonic()
        for need in getattr(module, "NEEDS", ()):
            place.values.update(self._place(need).given)
        try:
            _stop(place, module)
            place.keep(module.start(place))
        except Exception as error:
            _stop(place, module)
            trouble = str(error) if isinstance(error, ServerFailed) else f"{name}: {error!r}"
            return Row(name, "", None, _log(place), trouble)
        return Row(name, _url(name, place.given), time.monotonic() - began_s, _log(place))

    def _place(self, name: str) -> Place:
        return Place(name, self.folder / name, cache=cache_folder(), options=self.options)

    def _write_env(self) -> None:
        given: dict[str, str] = {}
        for name in known_servers():
            if (self.folder / name).is_dir() and (place := self._place(name)).is_up:
                given |= place.given
        settings = {
            f"FRAMETALLY_{setting}": given[f"FRAMETALLY_TEST_{line}"]
            for line, setting in _SETTINGS.items()
            if f"FRAMETALLY_TEST_{line}" in given
        }
        for server, setting in (("POSTGRES", "LEDGER_URL"), ("RABBITMQ", "QUEUE_URL")):
            if url := settings.get(f"FRAMETALLY_{setting}"):
                user = given.get(f"FRAMETALLY_TEST_{server}_USER", "")
                settings[f"FRAMETALLY_{setting}"] = with_user(url, user)
        if "FRAMETALLY_STORE_ENDPOINT" in settings:
            settings["FRAMETALLY_STORE_URL"] = "s3://frametally"
        for file, values in ((self.env_file, given), (self.settings_file, settings)):
            lines = ["# Written by tests/servers: what is up. `set -a; . FILE; set +a` gives it to a shell."]
            lines += [f"{key}={shlex.quote(value)}" for key, value in values.items()]
            fresh = file.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
            fresh.replace(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _with_needs(names: Sequence[str]) -> dict[str, ModuleType]:
    """The modules of `names` and of their needs, needs first."""
    modules: dict[str, ModuleType] = {}

    def add(name: str) -> None:
        if name not in known_servers():
            raise ServerFailed(f"no server is called {name!r}; there are: {', '.join(known_servers())}")
        if name not in modules:
            module = importlib.import_module(f"server_{name}")
            for need in getattr(module, "NEEDS", ()):
                add(need)
            modules[name] = module

    for name in names:
        add(name)
    return modules


def _stop(place: Place, module: ModuleType) -> None:
    if hasattr(module, "stop"):
        module.stop(place)
    place.stop(by=getattr(module, "STOP_BY", signal.SIGTERM), within_s=getattr(module, "STOP_WITHIN_S", 10.0))


def _url(name: str, values: Mapping[str, str]) -> str:
    return values.get(f"FRAMETALLY_TEST_{name.upper()}_URL", "")


def _log(place: Place) -> Path:
    started = place.processes
    if len(started) == 1:
        return Path(started[0].log)
    alone = place.folder / f"{place.name}.log"
    return alone if alone.is_file() else place.folder


def with_user(url: str, user: str) -> str:
    """The URL with the user name, as settings have it."""
    return url.replace("://", f"://{user}@", 1) if user else url
