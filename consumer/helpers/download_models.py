"""Downloads and checks the detection model, like `frametally download-models`."""

import sys

from frametally_cli.main import main

if __name__ == "__main__":
    sys.exit(main(["download-models", *sys.argv[1:]]))
