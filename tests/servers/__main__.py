"""`python tests/servers up [NAMES]`, `down`, `status`: real servers for the tests, without containers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table
from serving.processes import ServerFailed
from serving.state import Row, State, default_folder, install_servers, known_servers

_into = click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="Folder of the servers' state (default: .services in the checkout, or FRAMETALLY_SERVICES_DIR).",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def servers() -> None:
    """Start and stop real servers for the tests, on 127.0.0.1, on free ports."""


@servers.command()
@click.argument("names", nargs=-1)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Told to the servers.")
@_into
def up(names: Sequence[str], options: Sequence[str], into: Path | None) -> int:
    """Start the servers NAMES (default: all) that are not up yet."""
    state = State(_folder(into), options=dict(option.split("=", 1) for option in options))
    rows = state.up(names or known_servers())
    _print(rows, state)
    return 1 if any(row.trouble for row in rows) else 0


@servers.command()
@click.argument("names", nargs=-1)
def install(names: Sequence[str]) -> int:
    """Fetch the programs of the servers NAMES (default: all), and start nothing."""
    install_servers(names or known_servers())
    return 0


@servers.command()
@click.argument("names", nargs=-1)
@_into
def down(names: Sequence[str], into: Path | None) -> int:
    """Stop the servers NAMES (default: all) that `up` started, and only those."""
    stopped = State(_folder(into)).down(names)
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was up")
    return 0


@servers.command()
@_into
def status(into: Path | None) -> int:
    """Show the running servers."""
    state = State(_folder(into))
    _print(state.status(), state)
    return 0


def _folder(into: Path | None) -> Path:
    return into.resolve() if into else default_folder()


def _print(rows: Sequence[Row], state: State) -> None:
    # In a log the paths stay whole, to be copied.
    console = Console(width=None if sys.stdout.isatty() else 1000)
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("server", "URL", "ready after", "log"):
        table.add_column(column, overflow="fold")
    for row in rows:
        ready = f"{row.ready_s:.1f} s" if row.ready_s is not None else "was up" if row.url else "not up"
        table.add_row(row.name, row.url, "failed" if row.trouble else ready, str(row.log))
    console.print(table)
    console.print(f"for tests: {state.env_file}; for `frametally`: {state.settings_file}", soft_wrap=True)
    for row in rows:
        if row.trouble:
            console.print(f"\n{row.trouble}", style="red", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    try:
        sys.exit(servers(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ServerFailed as error:
        click.echo(error, err=True)
        sys.exit(1)
