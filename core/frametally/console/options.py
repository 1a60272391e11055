"""The options that commands share, and the settings that they override."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from frametally.console import output as console
from frametally.errors import Misconfigured
from frametally.files.temporary import choose_temporary_folder
from frametally.process.reports import write_log_lines
from frametally.settings.data_folder import is_empty, must_be_folder, must_be_writable
from frametally.settings.loading import Settings, load_settings, unknown_settings


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
