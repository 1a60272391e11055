"""The shared parts of every command: options, settings, open ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.errors import Misconfigured
from frametally.files.reserve import keep_reserve
from frametally.files.temporary import choose_temporary_folder, temporary_folder
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.opened import StagePorts, StorePorts
from frametally.process.exit_codes import STOPPED
from frametally.process.interruption import raise_on_signal
from frametally.process.period import repeat
from frametally.process.reports import write_log_lines
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.data_folder import INDEX_FILE, must_be_folder, must_be_writable
from frametally.settings.loading import Settings, load_settings, unknown_settings
from frametally_cli.console import output as console
from frametally_cli.console import streams

T = TypeVar("T")

_HEARD_WITHIN_S = 1.0


def option(flag: str, text: str, **kwargs: Any) -> Callable[[Any], Any]:
    """Make an option that overrides the setting of the same name; if not given, the setting applies."""
    return click.option(flag, help=text, **kwargs)


class _NamedPath(click.Path):
    """A path; refuses an empty one, as from an unset variable, which would mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty: give a folder", param, context)
        return super().convert(value, param, context)


data_dir_option = option(
    "--data-dir",
    "Folder of the embedded store, log and index.",
    type=_NamedPath(readable=False, path_type=Path),
)
interval_option = click.option(
    "--interval", "interval_s", help="Stored base interval in seconds; must divide a day.", type=int
)
port_option = click.option("--port", "web_port", help="Port of the dashboard.", type=int)
output_option = click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; default: standard output.",
)


def with_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Add all `options` to one command."""

    def decorate(command: Any) -> Any:
        for add in reversed(options):
            command = add(command)
        return command

    return decorate


@dataclass(frozen=True)
class IndexPorts(StorePorts):
    """The open ports of an indexer, which does not need the log."""

    index: CountIndex


@dataclass(frozen=True)
class Ports(IndexPorts, StagePorts):
    """The open ports of commands that are not stages."""


def port_openers(settings: Settings) -> dict[str, tuple[str, Callable[[str], Any]]]:
    """Return, for each port and the ledger, the URL and a function that opens such a port at a URL."""
    return {
        "store": (settings.store_url, lambda url: open_object_store(url, settings.store_access)),
        "log": (
            settings.log_url,
            lambda url: open_frame_log(url, settings.log_access, lease_s=settings.lease_s),
        ),
        "index": (settings.index_url, lambda url: open_count_index(url, settings.index_access)),
        "ledger": (settings.ledger_url, lambda url: open_ledger(url, settings.ledger_access)),
    }


@contextmanager
def open_store_port(settings: Settings) -> Iterator[StorePorts]:
    """Open the store that `settings` name; close it at the end."""
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        yield StorePorts(settings, store)


@contextmanager
def opened_once(open_it: Callable[[], AbstractContextManager[T]]) -> Iterator[Callable[[], T]]:
    """Yield a function that opens once, on its first successful call; close what it opened at the end.

    So a round fails when a server is unavailable, and the next round opens it.
    """
    with ExitStack() as opening:
        opened: list[T] = []

        def get() -> T:
            if not opened:
                opened.append(opening.enter_context(open_it()))
            return opened[0]

        yield get


def repeat_rounds(
    settings: Settings,
    open_it: Callable[[], AbstractContextManager[T]],
    work: Callable[[T], object],
    *,
    period_s: int,
) -> int:
    """Run rounds of `work` on what `open_it` opens, until a stop signal; return the exit code.

    If a server is unavailable, only that round fails, even the first; see `opened_once` and `repeat`.
    """
    streams.log_lines()
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(open_it) as opened,
        console.stage_bar("rounds") as bar,
    ):
        repeat(lambda: work(opened()), period_s=period_s, should_stop=should_stop, progress=bar)
    return 0


def wait_for(opened: Callable[[], T], should_stop: Callable[[], bool] = lambda: False) -> T:
    """Return the result of `opened`; while a server is unavailable, wait, printing a line a minute.

    Raises `SystemExit` if a stop was requested while it was unavailable.
    """
    patience = Patience(lambda line: click.echo(console.plain(line), err=True), should_stop)
    try:
        return patience.until_done("the servers", opened)
    except GivenUp as error:
        raise SystemExit(stopped()) from error


@contextmanager
def open_stage_ports(settings: Settings, *, reading: bool = False) -> Iterator[StagePorts]:
    """Open the store and log that `settings` name; close them at the end.

    Unless `reading`, first make sure of the data folder's reserve.
    """
    if not reading:
        keep_reserve(settings.data_dir)
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log,
    ):
        yield StagePorts(settings, store, log)


@contextmanager
def readable(settings: Settings) -> Iterator[Settings]:
    """Yield settings that can read a folder without write permission, such as an archive.

    SQLite writes next to a file that it reads, so its files there are copied into a temporary folder.
    """
    folder = settings.data_dir
    if not folder.is_dir() or os.access(folder, os.W_OK):
        yield settings
        return
    with temporary_folder() as copies:
        urls = {}
        for name in ("log", "index", "ledger", "catalogue", "gold"):
            file = folder / f"{name}.sqlite"
            if getattr(settings, f"{name}_url") == f"sqlite:///{file}":
                urls[f"{name}_url"] = f"sqlite:///{copies}/{file.name}"
                for part in (file, file.with_name(f"{file.name}-wal")):
                    if part.exists():
                        shutil.copyfile(part, Path(copies, part.name))
        yield settings.model_copy(update=urls)


@contextmanager
def open_index_ports(settings: Settings) -> Iterator[IndexPorts]:
    """Open the store and index that `settings` name; close them at the end."""
    with (
        open_store_port(settings) as port,
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
    ):
        yield IndexPorts(settings, port.store, index)


@contextmanager
def open_ports(settings: Settings, *, reading: bool = False) -> Iterator[Ports]:
    """Open the store, log and index that `settings` name; close them at the end.

    With `reading`, nothing is changed, and a folder without write permission is enough.
    """
    with (
        readable(settings) if reading else nullcontext(settings) as usable,
        open_stage_ports(usable, reading=reading) as stage,
        closing(open_count_index(usable.index_url, usable.index_access)) as index,
    ):
        yield Ports(usable, stage.store, stage.log, index)


@contextmanager
def open_books(settings: Settings, *, reading: bool = False) -> Iterator[tuple[Ports, Ledger]]:
    """Open the ports and the ledger as `open_ports` does; close them at the end."""
    with (
        open_ports(settings, reading=reading) as ports,
        closing(open_ledger(ports.settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        yield ports, ledger


def read_settings(
    component: str | None, overrides: dict[str, Any], *, must_be_there: bool | None = None
) -> Settings:
    """Read a command's settings; its given options win over everything else.

    The `.env` of `component` also counts. A component of None is for a command that works on other commands'
    data: there must be data already, unless `must_be_there` says otherwise.

    Raises `Misconfigured` for an invalid setting, a data folder that is a file, or missing data: a command
    that reads creates nothing, and a misspelt folder would look settled.
    """
    choose_temporary_folder()
    values = dict(overrides)
    if values.pop("no_file_time", False):
        values["file_time"] = False
    context = click.get_current_context(silent=True)
    options = {str(option.name): option.opts[0] for option in context.command.params} if context else {}
    settings = load_settings(component, options, **values)
    must_be_folder(settings)
    write_log_lines(settings.log_lines)
    for name, remedy in unknown_settings(component).items():
        console.err().print(f"frametally ignores the unknown setting {name}; {remedy}", markup=False)
    if (component is None if must_be_there is None else must_be_there) and is_empty(settings):
        must_be_writable(settings.data_dir)  # otherwise the remedy would not help
        raise Misconfigured(
            f"there is no data in {settings.data_dir} yet: run `frametally produce` first, or set another "
            "folder with --data-dir or FRAMETALLY_DATA_DIR"
        )
    return settings


def is_empty(settings: Settings) -> bool:
    """Return whether the store would be a local folder that holds no footage yet."""
    folder = settings.data_dir / "store"
    if settings.store_url != folder.as_uri():
        return False
    if not folder.is_dir():
        return True
    # The note that accounts exist, and their backups, are put there before any footage.
    names = {path.name for path in folder.iterdir()}
    holds_no_footage = bool(names) and names <= {keys.ACCESS, keys.BACKUPS}
    return holds_no_footage and not (settings.data_dir / INDEX_FILE).exists()


def check_port(settings: Settings, remedy: str) -> None:
    """Check before the work that the port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.web_host, settings.web_port))
        except OSError as error:
            raise Misconfigured(
                f"the dashboard cannot listen on {settings.web_host}:{settings.web_port} ({error.strerror}): "
                f"{remedy}"
            ) from error


def metrics_of(settings: Settings) -> AbstractContextManager[None]:
    """Show the metrics of this command and the commands that it starts, if the settings ask for it.

    Raises `Misconfigured` if they cannot be shown there.
    """
    from frametally.telemetry.listener import metrics_shown  # here, because a short command shows none

    return metrics_shown(settings.data_dir, *settings.metrics_place)


@contextmanager
def stop_on(*signals: signal.Signals, at_once: bool = False) -> Iterator[Callable[[], bool]]:
    """Yield a function that reports whether a signal has come; a second Ctrl-C interrupts at once.

    Python handles a signal only between two of its own steps, not while a decoder works on a picture. With
    `at_once`, the process ends if that takes longer than a second; its work must tolerate that.
    """
    heard = threading.Event()

    def stop(signal_number: int, stack_frame: object) -> None:
        heard.set()
        signal.signal(signal.SIGINT, raise_on_signal(KeyboardInterrupt))

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        with _ended_unless(heard, signals) if at_once else nullcontext():
            yield heard.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ended_unless(heard: threading.Event, signals: Collection[int]) -> Iterator[None]:
    """End the process if one of these signals has come and `heard` is not set within a second."""
    ours, pythons = socket.socketpair()

    def watch() -> None:
        while numbers := ours.recv(1):  # ends when the other end is closed
            if numbers[0] in signals and not heard.wait(_HEARD_WITHIN_S):
                console.err().show_cursor(True)  # a bar may have hidden it
                os._exit(stopped())

    pythons.setblocking(False)
    before = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, name="hearing-signals", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        pythons.close()
        watcher.join()
        ours.close()


@contextmanager
def ending_on(number: signal.Signals) -> Iterator[None]:
    """Let this signal end the process as an exit does, closing and removing open files."""
    before = signal.signal(number, raise_on_signal(lambda: SystemExit(128 + number)))
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def dying_of(number: signal.Signals) -> Iterator[None]:
    """Let this signal end the process even during a library's call; use it only where nothing can be lost."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def stopped() -> int:
    """Report that the work was interrupted; return the exit code for that."""
    click.echo("stopped; run the same command to continue", err=True)
    return STOPPED
