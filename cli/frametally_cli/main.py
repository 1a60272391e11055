"""`frametally ...`: every command, and how its end is told.

Components are imported when a command runs, not before: a machine needs only the extras of the stages that it
runs.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from frametally.errors import FrametallyError
from frametally_cli.access.embed import embed
from frametally_cli.access.tokens import tokens_group
from frametally_cli.access.users import users_group
from frametally_cli.alerts.group import alerts_group
from frametally_cli.audit.group import audit_group
from frametally_cli.audit.recording import record_changes
from frametally_cli.commands.cloud import cloud_setup, reach
from frametally_cli.commands.compare import compare
from frametally_cli.commands.dead_letters import dead_letters
from frametally_cli.commands.doctor import doctor
from frametally_cli.commands.explain import explain
from frametally_cli.commands.export import export
from frametally_cli.commands.mending import forget, rename_source, retime
from frametally_cli.commands.models import download_models
from frametally_cli.commands.quality import quality
from frametally_cli.commands.redetect import redetect
from frametally_cli.commands.run import demo, run
from frametally_cli.commands.setup import setup
from frametally_cli.commands.stages import aggregate, consume, index, produce, serve
from frametally_cli.commands.status import status
from frametally_cli.commands.upkeep import ledger_group, log_group
from frametally_cli.console import output as console
from frametally_cli.console import streams
from frametally_cli.live.group import live_group
from frametally_cli.live.stream import stream
from frametally_cli.options.ports import NOTHING_DONE, PART_DONE, stopped
from frametally_cli.stages.gold import gold
from frametally_cli.traffic.lines import lines
from frametally_cli.traffic.report import report
from frametally_cli.videos.catalogue import catalogue_group
from frametally_cli.videos.media import media_group
from frametally_cli.videos.up import up
from frametally_cli.videos.upload import upload
from frametally_cli.videos.work import work

_COMMANDS = (
    *(upload, produce, consume, aggregate, index, gold, serve, up, work, stream, run, demo),
    *(status, quality, explain, compare, export, redetect, dead_letters, forget, retime, rename_source),
    *(lines, report),
    *(
        download_models,
        doctor,
        setup,
        cloud_setup,
        reach,
        ledger_group,
        catalogue_group,
        log_group,
        media_group,
        live_group,
        users_group,
        tokens_group,
        embed,
        alerts_group,
        audit_group,
    ),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="frametally")
def cli() -> None:
    """Turn footage into counts with proof."""


for command in _COMMANDS:
    cli.add_command(command)
record_changes(cli)


def _one_line(error: click.ClickException, context: click.Context | None) -> str:
    message = error.format_message().rstrip(".")
    return f"{message} (`{context.command_path} --help` lists what there is)" if context else message


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; every expected error is one line and exit code 2.

    Returns:
        The exit code: 0 all good, 1 something was skipped or not read, 2 nothing could be done, 130 stopped
        before the end (`status`, `lines` and `gold` have some of their own).
    """
    streams.open_closed()
    try:
        return _run(arguments)
    except BrokenPipeError:
        code = PART_DONE  # as click has it, where it is the one to notice
    except OSError as error:
        code = NOTHING_DONE
        with suppress(OSError):
            console.say_error(_failed(error))
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
        console.say_error(_one_line(error, context))
        return NOTHING_DONE
    except click.Abort:
        if sys.stdin.isatty():
            return stopped()
        console.say_error("there is nobody to answer the question; give --yes to go on without it")
        return NOTHING_DONE
    except UnicodeEncodeError as error:
        console.say_error(f"{error.object[:200]!r} is no text in {error.encoding}; give it otherwise")
        return NOTHING_DONE
    except FrametallyError as error:
        console.say_error(str(error))
        for note in getattr(error, "__notes__", ()):
            click.echo(note, err=True)
        return NOTHING_DONE
    except KeyboardInterrupt:
        return stopped()
    sys.stdout.flush()
    return result if isinstance(result, int) else 0
