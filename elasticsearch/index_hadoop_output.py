"""Publish part files in the count index: the same as `frametally index`."""

import sys

from frametally_cli.main import main

if __name__ == "__main__":
    sys.exit(main(["index", *sys.argv[1:]]))
