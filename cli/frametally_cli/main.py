"""`frametally ...`: runs every command and returns its exit code.

Components are imported only when a command runs: a machine needs only the extras of the stages that it runs.
"""

from __future__ import annotations

import errno
import gc
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import click

from frametally.console import streams
from frametally.errors import FrametallyError
from frametally.plugins import CommandEntry, hooks, load, plugin_commands
from frametally.process.exit_codes import NOTHING_DONE
from frametally.process.interruption import raise_on_signal


def _command(
    target: str,
    summary: str,
    audited: Mapping[str, tuple[str, ...]] = {},
    *,
    frees: tuple[str, ...] = (),
) -> CommandEntry:
    return CommandEntry(f"frametally_cli.commands.{target}", summary, audited, frees=frees)


COMMANDS = {
    "aggregate": _command("stages:aggregate", "Count detections per label and interval"),
    "backup": _command("backups:backup", "Save what the store cannot restore"),
    "cloud-setup": _command("servers:cloud_setup", "Write settings, users and secrets of the stack"),
    "compare": _command("bar_commands:compare", "Show where two models differ, with the frames of both"),
    "consume": _command("stages:consume", "Detect objects in announced frames and write segments"),
    "dead-letters": _command(
        "upkeep:dead_letters",
        "List, replay or drop frames that could not be analysed",
        {"drop": ("ids", "everything", "cause"), "replay": ("ids", "cause")},
        frees=("drop",),
    ),
    "demo": _command("run:demo", "Count a traffic clip, from download to chart"),
    "doctor": _command("doctor:doctor", "Check settings, servers, rights, models and disk"),
    "download-models": _command("upkeep:download_models", "Download the detection model and verify it"),
    "explain": _command("bar_commands:explain", "List every frame behind a bar, with its boxes"),
    "export": _command("export:export", "Write counts as CSV, XLSX, JSON or Parquet"),
    "forget": _command(
        "mend_commands:forget",
        "Delete a file or a source from the counts",
        {"": ("medium", "source", "from", "to", "delete_images")},
        frees=("",),
    ),
    "history": _command("history:history", "Show which runs changed a number, and why"),
    "index": _command("stages:index", "Publish new counts in the count index"),
    "ledger": _command("upkeep:ledger_group", "Rebuild the ledger from the store", {"rebuild": ()}),
    "log": _command("upkeep:log_group", "Trim the embedded frame log", {"trim": ()}, frees=("trim",)),
    "models": _command("models:models", "List, download, try and choose detection models"),
    "pack": _command("upkeep:pack", "Store pictures as one object per source and minute", {"": ("source",)}),
    "produce": _command("stages:produce", "Store and announce the frames of pictures and videos"),
    "quality": _command("status_report:quality", "Print each day's quality report"),
    "reach": _command("servers:reach", "Check that servers can be reached, without signing in"),
    "redetect": _command(
        "upkeep:redetect", "Run another model over stored frames", {"": ("model", "source")}
    ),
    "rename-source": _command(
        "mend_commands:rename_source", "Rename a source, or merge it into another", {"": ("old", "new")}
    ),
    "restore": _command("backups:restore", "Restore a backup", {"": ("source", "replace")}),
    "retime": _command(
        "mend_commands:retime",
        "Correct when footage was filmed",
        {"": ("media", "source", "start_time", "time_pattern")},
    ),
    "run": _command("run:run", "Do everything: from pictures and videos to the chart"),
    "serve": _command("stages:serve", "Serve the dashboard, and run what its pages start"),
    "service": _command("service:service", "Run frametally in the background, also after a reboot"),
    "set-timezone": _command(
        "mend_commands:set_timezone", "Set the time zone of a source", {"": ("source", "timezone")}
    ),
    "setup": _command("servers:setup", "Create what the servers need, and check permissions"),
    "status": _command("status_report:status", "Show whether every frame is accounted for"),
    "up": _command("run:up", "Run every part on this machine until Ctrl-C"),
    "upgrade": _command("upgrade:upgrade", "Count the days of earlier versions again, or show what changes"),
    **plugin_commands(),
}
"""The module of every command, imported on first use."""


class _Commands(click.Group):
    """Imports each command when it is used, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            entry = COMMANDS[cmd_name]
            command = load(entry.target)
            for target in entry.more:
                command.commands.update(load(target).commands)
            for prepare in hooks("prepare_command"):
                prepare(command, cmd_name, entry)
            if entry.frees:
                load("frametally_cli.freeing:give_reserve")(command, entry)
            self.commands[cmd_name] = command
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # click knows only imported commands
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="frametally")
def cli() -> None:
    """Turn footage into counts with proof."""
    if not gc.isenabled():  # see `main`
        gc.freeze()
        gc.enable()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see `starting`
        signal.signal(signal.SIGINT, raise_on_signal(KeyboardInterrupt))


def _say_error(line: str) -> None:
    from frametally.console import output  # the list of commands does not need it

    output.say_error(line)


def _stopped() -> int:
    from frametally.console.stop_signals import stopped

    return stopped()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; every expected error prints one line and gives exit code 2.

    Returns the exit code: 0 for success, 6 if something was skipped, 2 if nothing could be done, 130 if
    interrupted (`status`, `lines` and `gold` have additional ones).
    """
    streams.open_closed()
    is_own_process = arguments is None
    if is_own_process:
        gc.disable()  # until a command begins: imports leave no garbage
    with streams.as_before():
        code = _main(arguments)
    if is_own_process:
        gc.freeze()  # nor look for garbage in a process that ends
    return code


def _main(arguments: Sequence[str] | None) -> int:
    try:
        return _run(arguments)
    except BrokenPipeError:
        code = 1  # the code that click and Python use if they notice it first
    except OSError as error:
        code = NOTHING_DONE
        with suppress(OSError):
            _say_error(_failed(error))
    streams.silence_broken()
    return code


def _failed(error: OSError) -> str:
    """Return the line about a file or stream that the system refused; streams have no name."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        remedy = "free some space there, or choose another place"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "give this user permission, or choose another place"
    elif error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        remedy = "give a file in an existing folder"
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
        message = error.format_message().replace("\n\t", " ").rstrip(".")  # click puts each choice on a line
        if isinstance(error, click.UsageError) and error.ctx:
            message += f" (`{error.ctx.command_path} --help` lists the choices)"
        _say_error(message)
        return NOTHING_DONE
    except click.Abort as error:
        # click does not distinguish Ctrl-C from an unanswered question.
        if sys.stdin.isatty() or isinstance(error.__cause__, KeyboardInterrupt):
            return _stopped()
        _say_error("there is no terminal to answer the question; add --yes to skip it")
        return NOTHING_DONE
    except UnicodeEncodeError as error:
        _say_error(f"{error.object[:200]!r} is not valid {error.encoding} text; save it in that encoding")
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
