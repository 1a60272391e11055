"""Fetch the detection model and check it: the same as `frametally download-models`."""

import sys

from frametally_cli.main import main

if __name__ == "__main__":
    sys.exit(main(["download-models", *sys.argv[1:]]))
