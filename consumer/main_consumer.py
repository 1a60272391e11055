"""Detects objects in announced frames, like `frametally consume`."""

import sys

from frametally_cli.main import main

if __name__ == "__main__":
    sys.exit(main(["consume", *sys.argv[1:]]))
