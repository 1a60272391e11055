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
from frametally.plugins import CommandEntry, hooks, plugin_commands
from frametally.process.exit_codes import NOTHING_DONE
from frametally_cli.console import streams
from frametally_cli.lazy_group import LazyGroup

COMMANDS = {
    "aggregate": CommandEntry(
        "frametally_cli.commands.stages:aggregate", "Count detections per label and interval"
    ),
    "backup": CommandEntry(
        "frametally_cli.backups.commands:backup", "Save accounts, rules, reports and the audit log"
    ),
    "cloud-setup": CommandEntry(
        "frametally_cli.commands.cloud:cloud_setup", "Write settings, users and secrets of the stack"
    ),
    "compare": CommandEntry(
        "frametally_cli.commands.compare:compare", "Show where two models differ, with the frames of both"
    ),
    "consume": CommandEntry(
        "frametally_cli.commands.stages:consume", "Detect objects in announced frames and write segments"
    ),
    "dead-letters": CommandEntry(
        "frametally_cli.commands.dead_letters:dead_letters",
        "List, replay or drop undetected frames",
        {"drop": ("ids", "everything", "cause"), "replay": ("ids", "cause")},
    ),
    "demo": CommandEntry("frametally_cli.commands.run:demo", "Count a traffic clip, from download to chart"),
    "doctor": CommandEntry(
        "frametally_cli.commands.doctor:doctor", "Check settings, servers, rights, models and disk"
    ),
    "download-models": CommandEntry(
        "frametally_cli.commands.models:download_models", "Download the detection model and verify it"
    ),
    "explain": CommandEntry(
        "frametally_cli.commands.explain:explain", "List every frame behind a bar, with its boxes"
    ),
    "export": CommandEntry(
        "frametally_cli.commands.export:export", "Write counts as CSV, XLSX, JSON or Parquet"
    ),
    "forget": CommandEntry(
        "frametally_cli.commands.mending:forget",
        "Remove a file or a source from the counts",
        {"": ("medium", "source", "from", "to", "delete_images")},
    ),
    "index": CommandEntry("frametally_cli.commands.stages:index", "Publish new counts in the count index"),
    "ledger": CommandEntry(
        "frametally_cli.commands.upkeep:ledger_group", "Rebuild the ledger from the store", {"rebuild": ()}
    ),
    "log": CommandEntry(
        "frametally_cli.commands.upkeep:log_group", "Trim the embedded frame log", {"trim": ()}
    ),
    "produce": CommandEntry(
        "frametally_cli.commands.stages:produce", "Store and announce the frames of pictures and videos"
    ),
    "quality": CommandEntry("frametally_cli.commands.quality:quality", "Print each day's quality report"),
    "reach": CommandEntry(
        "frametally_cli.commands.cloud:reach", "Check that servers can be reached, without signing in"
    ),
    "redetect": CommandEntry(
        "frametally_cli.commands.redetect:redetect",
        "Run another model over stored frames",
        {"": ("model", "source")},
    ),
    "rename-source": CommandEntry(
        "frametally_cli.commands.mending:rename_source",
        "Rename a source, or merge it into another",
        {"": ("old", "new")},
    ),
    "restore": CommandEntry(
        "frametally_cli.backups.commands:restore", "Bring back a backup", {"": ("source", "replace")}
    ),
    "retime": CommandEntry(
        "frametally_cli.commands.mending:retime",
        "Correct when a file was filmed",
        {"": ("medium", "start_time")},
    ),
    "run": CommandEntry(
        "frametally_cli.commands.run:run", "Do everything: from pictures and videos to the chart"
    ),
    "serve": CommandEntry(
        "frametally_cli.commands.stages:serve", "Serve the dashboard and count what is uploaded there"
    ),
    "setup": CommandEntry(
        "frametally_cli.commands.setup:setup", "Create what the servers need, and check rights"
    ),
    "status": CommandEntry(
        "frametally_cli.commands.status:status", "Show whether every frame is accounted for"
    ),
    "up": CommandEntry("frametally_cli.commands.up:up", "Run every part on this machine until Ctrl-C"),
    **plugin_commands(),
}
"""Every command; nothing of it is imported until it is used."""


class _Commands(LazyGroup):
    def prepared(self, name: str, command: click.Command) -> click.Command:
        for prepare in hooks("prepare_command"):
            prepare(command, name, self.entries[name])
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
