"""Publish part files in the count index: the same as `frametally index`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "index")
    runpy.run_module("frametally", run_name="__main__")
