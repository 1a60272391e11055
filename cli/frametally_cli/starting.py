"""Imports the command line; Ctrl-C meanwhile ends the process without a traceback."""

import signal
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `frametally_cli.main`, which handles Ctrl-C once the command is imported."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a parent may ignore it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from frametally_cli.main import main as run

    return run(arguments)
