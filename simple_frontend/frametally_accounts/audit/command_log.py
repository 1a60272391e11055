"""Records commands in the audit log; see `CommandEntry.audited`."""

from __future__ import annotations

import functools
import json
import os
import pwd
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from frametally.console import output as console
from frametally.errors import FrametallyError
from frametally.plugins import CommandEntry
from frametally.process.exit_codes import NOTHING_DONE, STOPPED
from frametally.settings.data_folder import is_empty, must_be_folder
from frametally.settings.loading import Settings, load_settings
from frametally_accounts.audit_records import AuditEntry
from frametally_accounts.password_links import ADMINISTRATOR, first_link, lacks_administrator

if TYPE_CHECKING:
    from frametally_accounts.book import AccessBook

_MAKES_ITS_DATA = ("alerts", "embed", "live", "report", "tokens", "upload", "users")


def record_changes(command: click.Command, name: str, entry: CommandEntry) -> None:
    """Record a command, or the commands of a group, before it runs and when it ends; not a dry run."""
    for subcommand, names in entry.audited.items():
        changing = command.commands[subcommand] if isinstance(command, click.Group) else command
        if changing.callback is not None:
            changing.callback = _recorded(f"{name} {subcommand}".strip(), names, changing.callback)


def _recorded(path: str, names: tuple[str, ...], run: Any) -> Any:
    @functools.wraps(run)
    def recorded(**options: Any) -> Any:
        if options.get("dry_run"):
            return run(**options)
        settings = load_settings("web", data_dir=options.get("data_dir"))
        target = _target({name: options.get(name) for name in names})
        if path == "restore":  # the audit log that it restores must be empty
            status = run(**options)
            return _record(settings, path, target, lambda: status)
        if options.get("url") or (not path.startswith(_MAKES_ITS_DATA) and is_empty(settings)):
            return run(**options)  # another server records it, or the command reports that there is no data
        must_be_folder(settings)
        return _record(settings, path, target, lambda: run(**options))

    return recorded


def record_first_link(settings: Settings, access: AccessBook) -> str | None:
    """Run `first_link`, recorded as the command that does the same; see there."""
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
    """Run a command, and record it before it starts and when it ends."""
    from frametally_accounts.audit.book import AuditBook

    entry = AuditEntry(command_user(), path, target, "command line")
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
                console.say_error(f"the audit log could not record the end of this command: {error}")
    return status


def command_user() -> str:
    """Return the system's user of this process; environment variables can be forged."""
    try:
        return f"(command) {pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"(command) {os.getuid()}"


def _target(options: Mapping[str, Any]) -> str:
    return " ".join(
        f"{name}={json.dumps(value if isinstance(value, bool) else _text(value), ensure_ascii=False)}"
        for name, value in options.items()
        if value not in (None, "", (), False)
    )


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
