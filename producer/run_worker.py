"""Works on videos, like `frametally work`, whose `--queue NAME` is `--worker NAME` here."""

import re
import sys

from frametally_cli.main import main

if __name__ == "__main__":
    sys.exit(main(["work", *(re.sub(r"^--worker(?==|$)", "--queue", word) for word in sys.argv[1:])]))
