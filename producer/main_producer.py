"""Store and announce frames: the same as `frametally produce`."""

import sys

from frametally.cli import main

if __name__ == "__main__":
    sys.exit(main(["produce", *sys.argv[1:]]))
