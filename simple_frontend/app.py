"""Serve the dashboard: the same as `frametally serve`."""

import sys

from frametally_cli.main import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
