"""What commands leave in the audit log, each as its entry says; see `CommandEntry.audited`."""

from __future__ import annotations

import functools
import json
import os
import pwd
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from frametally.errors import FrametallyError
from frametally.plugins import CommandEntry
from frametally.process.exit_codes import NOTHING_DONE, STOPPED
from frametally.settings.data_folder import must_be_folder
from frametally.settings.loading import Settings, load_settings
from frametally_accounts.audit_entries import AuditEntry
from frametally_accounts.password_links import ADMINISTRATOR, first_link, lacks_administrator
from frametally_cli.console import output as console
from frametally_cli.options.ports import is_empty

if TYPE_CHECKING:
    from frametally_accounts.book import AccessBook

_MAKES_ITS_DATA = ("alerts", "embed", "live", "report", "tokens", "upload", "users")


def record_changes(command: click.Command, name: str, entry: CommandEntry) -> None:
    """Have a command, or those of a group, recorded: before it is done, and how it ended."""
    for subcommand, named in entry.audited.items():
        changing = command.commands[subcommand] if isinstance(command, click.Group) else command
        if changing.callback is not None:
            changing.callback = _recorded(f"{name} {subcommand}".strip(), named, changing.callback)


def _recorded(path: str, named: tuple[str, ...], run: Any) -> Any:
    @functools.wraps(run)
    def recorded(**given: Any) -> Any:
        settings = load_settings("web", data_dir=given.get("data_dir"))
        target = _target({name: given.get(name) for name in named})
        if path == "restore":  # it brings the audit log, which must be empty before
            status = run(**given)
            return _record(settings, path, target, lambda: status)
        if given.get("url") or (not path.startswith(_MAKES_ITS_DATA) and is_empty(settings)):
            return run(**given)  # it is another server's to record; or the command says that there is nothing
        must_be_folder(settings)
        return _record(settings, path, target, lambda: run(**given))

    return recorded


def record_first_link(settings: Settings, access: AccessBook) -> str | None:
    """Do what `first_link` does, recorded as the command that would do it; see there."""
    if not lacks_administrator(settings, access):
        return None
    links: list[str | None] = []
    is_new = access.is_empty()
    target = _target({"name": ADMINISTRATOR, "role": "run" if is_new else None})
    _record(
        settings,
        "users add" if is_new else "users passwd",
        target,
        lambda: links.append(first_link(settings, access)),
    )
    return links[0]


def _record(settings: Settings, path: str, target: str, run: Callable[[], Any]) -> int:
    """Do what a command does, and record it: before it is done, and how it ended."""
    from frametally_accounts.audit.book import AuditBook

    entry = AuditEntry(_who(), path, target, "command line")
    with closing(AuditBook(settings.catalogue_url, settings.catalogue_access)) as book:
        number = book.write(entry)
        status = NOTHING_DONE
        try:
            status = run() or 0
        except KeyboardInterrupt:
            status = STOPPED
            raise
        finally:
            try:
                book.write(entry._replace(ends=number, status=status))
            except FrametallyError as error:
                console.say_error(f"the audit log has no end of this: {error}")
    return status


def _who() -> str:
    """Return the system's user: by the process itself, as variables could say anything."""
    try:
        return f"(command) {pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"(command) {os.getuid()}"


def _target(given: Mapping[str, Any]) -> str:
    return " ".join(
        f"{name}={json.dumps(value if isinstance(value, bool) else _text(value), ensure_ascii=False)}"
        for name, value in given.items()
        if value not in (None, "", (), False)
    )


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
