"""What commands leave in the audit log: the one table of those that change something by a person's wish."""

from __future__ import annotations

import functools
import json
import os
import pwd
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import click

from frametally.access.book import AccessBook
from frametally.access.links import ADMINISTRATOR, first_link, lacks_administrator
from frametally.audit.entries import AuditEntry
from frametally.errors import FrametallyError
from frametally.opening import open_audit_book
from frametally.process.exit_codes import NOTHING_DONE, STOPPED
from frametally.settings.data_folder import must_be_folder
from frametally.settings.loading import Settings, load_settings
from frametally_cli.console import output as console
from frametally_cli.options.ports import is_empty

CHANGING: dict[str, tuple[str, ...]] = {
    "alerts add": ("name", "what"),
    "alerts remove": ("name",),
    "catalogue rebuild": (),
    "dead-letters drop": ("ids", "everything", "cause"),
    "dead-letters replay": ("ids", "cause"),
    "embed": ("from_text", "to_text", "sites", "sources", "labels", "zone", "hours", "weekdays", "days"),
    "forget": ("medium", "source", "from", "to", "delete_images"),
    "ledger rebuild": (),
    "lines import": ("source", "file", "replace"),
    "lines remove": ("source", "names"),
    "live add": ("source",),
    "live remove": ("source",),
    "live start": ("source",),
    "live stop": ("source",),
    "log trim": (),
    "redetect": ("model", "source"),
    "rename-source": ("old", "new"),
    "report add": ("name", "every", "sources", "channels"),
    "report remove": ("name",),
    "restore": ("source", "replace"),
    "retime": ("medium", "start_time"),
    "tokens add": ("account", "name", "role", "sources", "days"),
    "tokens remove": ("account", "name"),
    "upload": ("files", "source", "move_counts"),
    "users add": ("name", "role", "sources", "codes"),
    "users passwd": ("name", "codes"),
    "users remove": ("name",),
}
"""By command: the parameters that say what it is done to; never one that may be secret."""

WORKING: frozenset[str] = frozenset(
    {
        *("aggregate", "consume", "demo", "gold", "index", "produce", "run", "serve", "stream", "up", "work"),
        *("backup", "alerts list", "alerts log", "alerts run", "alerts test", "audit export", "audit list"),
        *("audit verify", "cloud-setup", "compare", "dead-letters list", "dead-letters show", "doctor"),
        *("download-models", "explain", "export", "lines export", "lines list", "lines schema", "live list"),
        *("live work", "media arrivals", "media bronze", "media gold", "media pictures", "media silver"),
        *(
            "quality",
            "reach",
            "report list",
            "report traffic",
            "setup",
            "status",
            "tokens list",
            "users list",
        ),
    }
)
"""Those that look, or do the work that footage makes by itself."""

_MAKES_ITS_DATA = ("alerts", "embed", "live", "report", "tokens", "upload", "users")


def record_changes(command: click.Command, path: str) -> None:
    """Have a command, or those of a group, recorded if in `CHANGING`: before it is done, and how it ended."""
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            record_changes(part, f"{path} {name}")
    elif path in CHANGING and command.callback is not None:
        command.callback = _recorded(path, command.callback)


def _recorded(path: str, run: Any) -> Any:
    @functools.wraps(run)
    def recorded(**given: Any) -> Any:
        settings = load_settings("web", data_dir=given.get("data_dir"))
        if path == "restore":  # it brings the audit log, which must be empty before
            status = run(**given)
            return _record(settings, path, given, lambda: status)
        if given.get("url") or (not path.startswith(_MAKES_ITS_DATA) and is_empty(settings)):
            return run(**given)  # it is another server's to record; or the command says that there is nothing
        must_be_folder(settings)
        return _record(settings, path, given, lambda: run(**given))

    return recorded


def record_first_link(settings: Settings, access: AccessBook) -> str | None:
    """Do what `first_link` does, recorded as the command that would do it; see there."""
    if not lacks_administrator(settings, access):
        return None
    links: list[str | None] = []
    is_new = access.is_empty()
    given = {"name": ADMINISTRATOR, "role": "run" if is_new else None}
    _record(
        settings,
        "users add" if is_new else "users passwd",
        given,
        lambda: links.append(first_link(settings, access)),
    )
    return links[0]


def _record(settings: Settings, path: str, given: Mapping[str, Any], run: Callable[[], Any]) -> int:
    """Do what a command does, and record it: before it is done, and how it ended."""
    entry = AuditEntry(_who(), path, _target(path, given), "command line")
    with closing(open_audit_book(settings.catalogue_url, settings.catalogue_access)) as book:
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


def _target(path: str, given: Mapping[str, Any]) -> str:
    told = {name: given.get(name) for name in CHANGING[path]}
    return " ".join(
        f"{name}={json.dumps(value if isinstance(value, bool) else _text(value), ensure_ascii=False)}"
        for name, value in told.items()
        if value not in (None, "", (), False)
    )


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
