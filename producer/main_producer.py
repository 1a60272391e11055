"""Stores and announces frames, like `frametally produce`."""

import sys

from frametally_cli.main import main

if __name__ == "__main__":
    sys.exit(main(["produce", *sys.argv[1:]]))
