"""`frametally ...`: every command, and how its end is told.

Components are imported when a command runs, not before: a machine needs only the extras of the stages that it
runs.
"""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from frametally.errors import FrametallyError
from frametally.process.exit_codes import NOTHING_DONE
from frametally_cli.console import streams
from frametally_cli.lazy_group import CommandEntry, LazyGroup

COMMANDS = {
    name: CommandEntry(f"frametally_cli.{target}", summary)
    for name, target, summary in (
        (
            "aggregate",
            "commands.stages:aggregate",
            "Count detections per label and interval",
        ),
        ("alerts", "alerts.group:alerts_group", "Notify people and programs of counts, gaps and failures"),
        ("audit", "audit.group:audit_group", "Show, export and verify who changed what"),
        ("backup", "backups.commands:backup", "Save accounts, rules, reports and the audit log"),
        ("catalogue", "videos.catalogue:catalogue_group", "Rebuild the catalogue of videos from the store"),
        (
            "cloud-setup",
            "commands.cloud:cloud_setup",
            "Write settings, users and secrets of the stack",
        ),
        ("compare", "commands.compare:compare", "Show where two models differ, with the frames of both"),
        ("consume", "commands.stages:consume", "Detect objects in announced frames and write segments"),
        (
            "dead-letters",
            "commands.dead_letters:dead_letters",
            "List, replay or drop undetected frames",
        ),
        ("demo", "commands.run:demo", "Count a traffic clip, from download to chart"),
        ("doctor", "commands.doctor:doctor", "Check settings, servers, rights, models and disk"),
        ("download-models", "commands.models:download_models", "Download the detection model and verify it"),
        ("embed", "access.embed:embed", "Print the HTML that shows a chart on another site"),
        ("explain", "commands.explain:explain", "List every frame behind a bar, with its boxes"),
        ("export", "commands.export:export", "Write counts as CSV, XLSX, JSON or Parquet"),
        ("forget", "commands.mending:forget", "Remove a file or a source from the counts"),
        ("gold", "stages.gold:gold", "Update the gold tables for SQL"),
        ("index", "commands.stages:index", "Publish new counts in the count index"),
        ("ledger", "commands.upkeep:ledger_group", "Rebuild the ledger from the store"),
        ("lines", "traffic.lines:lines", "Import, export and list lines, zones, calibrations"),
        ("live", "live.group:live_group", "Add, start and stop cameras"),
        ("log", "commands.upkeep:log_group", "Trim the embedded frame log"),
        ("media", "videos.media:media_group", "Run the bronze, silver and gold layers of uploaded videos"),
        ("produce", "commands.stages:produce", "Store and announce the frames of pictures and videos"),
        ("quality", "commands.quality:quality", "Print each day's quality report"),
        ("reach", "commands.cloud:reach", "Check that servers can be reached, without signing in"),
        ("redetect", "commands.redetect:redetect", "Run another model over stored frames"),
        ("rename-source", "commands.mending:rename_source", "Rename a source, or merge it into another"),
        ("report", "traffic.report:report", "Write traffic reports, once or on a schedule"),
        ("restore", "backups.commands:restore", "Bring back a backup"),
        ("retime", "commands.mending:retime", "Correct when a file was filmed"),
        ("run", "commands.run:run", "Do everything: from pictures and videos to the chart"),
        ("serve", "commands.stages:serve", "Serve the dashboard and count what is uploaded there"),
        ("setup", "commands.setup:setup", "Create what the servers need, and check rights"),
        ("status", "commands.status:status", "Show whether every frame is accounted for"),
        ("stream", "live.stream:stream", "Stream an uploaded video"),
        ("tokens", "access.tokens:tokens_group", "Create and remove API tokens"),
        ("up", "videos.up:up", "Run every part on this machine until Ctrl-C"),
        ("upload", "videos.upload:upload", "Upload videos; an interrupted upload continues"),
        ("users", "access.users:users_group", "Add and remove accounts, and set what they may do"),
        ("work", "videos.work:work", "Process uploaded videos until Ctrl-C"),
    )
}
"""Every command; nothing of it is imported until it is used."""


class _Commands(LazyGroup):
    def prepared(self, name: str, command: click.Command) -> click.Command:
        from frametally_cli.audit.recording import record_changes

        record_changes(command, name)
        return command


@click.group(
    cls=_Commands,
    entries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="frametally")
def cli() -> None:
    """Turn footage into counts with proof."""
    if not gc.isenabled():  # see `main`
        gc.freeze()
        gc.enable()


def _say_error(line: str) -> None:
    from frametally_cli.console.output import (
        say_error,  # it imports rich, which the list of commands needs not
    )

    say_error(line)


def _stopped() -> int:
    from frametally_cli.options.ports import stopped

    return stopped()


def _one_line(error: click.ClickException, context: click.Context | None) -> str:
    message = error.format_message().rstrip(".")
    return f"{message} (`{context.command_path} --help` lists what there is)" if context else message


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; every expected error is one line and exit code 2.

    Returns:
        The exit code: 0 all good, 6 something was skipped, 2 nothing could be done, 130 stopped
        before the end (`status`, `lines` and `gold` have some of their own).
    """
    streams.open_closed()
    is_own_process = arguments is None
    if is_own_process:
        gc.disable()  # until a command begins: among what is imported there is no garbage
    with streams.as_before():
        code = _main(arguments)
    if is_own_process:
        gc.freeze()  # nor has Python to look for any in a process that ends
    return code


def _main(arguments: Sequence[str] | None) -> int:
    try:
        return _run(arguments)
    except BrokenPipeError:
        code = 1  # as click and Python end, where they are the ones to notice
    except OSError as error:
        code = NOTHING_DONE
        with suppress(OSError):
            _say_error(_failed(error))
    streams.silence_broken()
    return code


def _failed(error: OSError) -> str:
    """Return the line about a file or a stream that the system refused; streams have no name."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        remedy = "free some space there, or name another place"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "give this user the right, or name another place"
    elif error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        remedy = "name a file in a folder that is there"
    else:
        remedy = "check its disk and try again"
    return f"{error.filename or 'standard output'}: {error.strerror or error}; {remedy}"


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = cli.main(
            args=list(arguments) if arguments is not None else None,
            prog_name="frametally",
            standalone_mode=False,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return NOTHING_DONE
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        _say_error(_one_line(error, context))
        return NOTHING_DONE
    except click.Abort as error:
        # To click, Ctrl-C and a question that nobody answers are the same.
        if sys.stdin.isatty() or isinstance(error.__cause__, KeyboardInterrupt):
            return _stopped()
        _say_error("there is nobody to answer the question; give --yes to go on without it")
        return NOTHING_DONE
    except UnicodeEncodeError as error:
        _say_error(f"{error.object[:200]!r} is no text in {error.encoding}; give it otherwise")
        return NOTHING_DONE
    except FrametallyError as error:
        _say_error(str(error))
        for note in getattr(error, "__notes__", ()):
            click.echo(note, err=True)
        return NOTHING_DONE
    except KeyboardInterrupt:
        return _stopped()
    sys.stdout.flush()
    return result if isinstance(result, int) else 0
