"""Detects objects in announced frames, like `frametally consume`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "consume")
    runpy.run_module("frametally", run_name="__main__")
