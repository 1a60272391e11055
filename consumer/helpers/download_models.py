"""Downloads and checks the detection model, like `frametally download-models`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "download-models")
    runpy.run_module("frametally", run_name="__main__")
