"""Serve the dashboard: the same as `frametally serve`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "serve")
    runpy.run_module("frametally", run_name="__main__")
