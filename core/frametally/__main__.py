"""`python -m frametally` is the command `frametally`, wherever the command line is installed."""

import sys
from importlib.metadata import entry_points

if __name__ == "__main__":
    (command,) = entry_points(group="console_scripts", name="frametally")
    sys.exit(command.load()())
