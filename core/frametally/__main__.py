"""Runs the command `frametally` as `python -m frametally`, if the command line is installed."""

import sys
from importlib.metadata import distribution

if __name__ == "__main__":
    (command,) = distribution("frametally").entry_points.select(group="console_scripts", name="frametally")
    sys.exit(command.load()())
