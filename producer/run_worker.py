"""Works on videos, like `frametally work`, whose `--queue NAME` is `--worker NAME` here."""

import re
import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:] = ["work", *(re.sub(r"^--worker(?==|$)", "--queue", word) for word in sys.argv[1:])]
    runpy.run_module("frametally", run_name="__main__")
