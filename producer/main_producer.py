"""Stores and announces frames, like `frametally produce`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "produce")
    runpy.run_module("frametally", run_name="__main__")
