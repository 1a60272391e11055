"""`frametally ...`: every command, and how its end is told.

The `cli_*` modules alone import components, and they do so when a command runs: a machine needs only the
extras of the stages that it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from frametally.errors import FrametallyError
from frametally_cli.commands import books as cli_books
from frametally_cli.commands import cloud as cli_cloud
from frametally_cli.commands import compare as cli_compare
from frametally_cli.commands import dead_letters as cli_dead_letters
from frametally_cli.commands import doctor as cli_doctor
from frametally_cli.commands import explain as cli_explain
from frametally_cli.commands import export as cli_export
from frametally_cli.commands import models as cli_models
from frametally_cli.commands import quality as cli_quality
from frametally_cli.commands import redetect as cli_redetect
from frametally_cli.commands import run as cli_run
from frametally_cli.commands import setup as cli_setup
from frametally_cli.commands import stages as cli_stages
from frametally_cli.commands import undo as cli_undo
from frametally_cli.console import output as console
from frametally_cli.options.ports import NOTHING_DONE, stopped

TOPICS = (
    cli_stages,
    cli_run,
    cli_models,
    cli_books,
    cli_compare,
    cli_dead_letters,
    cli_explain,
    cli_export,
    cli_quality,
    cli_redetect,
    cli_undo,
    cli_cloud,
    cli_setup,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="frametally")
def cli() -> None:
    """Turn footage into counts with proof."""


for topic in TOPICS:
    for command in topic.COMMANDS:
        cli.add_command(command)
cli.add_command(cli_doctor.doctor_command(cli_models.default_model_files))


def _one_line(error: click.ClickException, context: click.Context | None) -> str:
    message = error.format_message().rstrip(".")
    return f"{message} (`{context.command_path} --help` lists what there is)" if context else message


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; every expected error is one line and exit code 2.

    Returns:
        The exit code: 0 all good, 1 something was skipped, 2 nothing could be done, 130 stopped before the
        end (`status` has its own).
    """
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
    except FrametallyError as error:
        console.say_error(str(error))
        for note in getattr(error, "__notes__", ()):
            click.echo(note, err=True)
        return NOTHING_DONE
    except KeyboardInterrupt:
        return stopped()
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0
