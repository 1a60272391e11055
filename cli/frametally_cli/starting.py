"""Imports the command line; Ctrl-C meanwhile ends the process without a traceback of the importer."""

import signal
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `frametally_cli.main`, which takes Ctrl-C over once the command is imported."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # what starts us may have it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from frametally_cli.main import main as run

    return run(arguments)
