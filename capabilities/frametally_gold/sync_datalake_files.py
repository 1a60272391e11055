"""Writes a notebook for each layer of a video: `datalake/<layer>_layer/01_dag.ipynb`, its cells in order.

The first cells name the video and draw the layer, the last one runs the layer on the video; the others show
the help of its functions. Earlier notebooks are overwritten.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from frametally.errors import Misconfigured

_TOOLS = """\
import os
from IPython.display import SVG
from frametally.adapters_by_url import open_object_store
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience
from frametally.settings.loading import load_settings
from frametally_gold.layers import {layer}
from frametally_gold.layers.driver import LayerTools, run_layer
from frametally_gold.layers.driver import draw

video_id = os.environ.get("VIDEO_ID", "")
if not video_id:
    raise SystemExit("VIDEO_ID is not set: start Jupyter with the id in the address of the video's page")
settings = load_settings("producer")  # FRAMETALLY_DATA_DIR and all others, from the environment
store = open_object_store(settings.store_url, settings.store_access)
catalogue = open_video_catalogue(settings.catalogue_url, settings.catalogue_access)
patience = Patience(print, lambda: False)"""
_PICTURE = 'SVG(draw("{layer}").pipe(format="svg"))'
_FUNCTION = "help({layer}.{name})"
_RUN = """\
report = run_layer("{layer}", video_id, LayerTools(settings, store, catalogue, NoProgress(), patience))
catalogue.close()
store.close()
report"""


def write_notebooks(folder: Path) -> list[Path]:
    """Write the notebooks below a folder; return the files.

    Raises:
        Misconfigured: A library that this needs is not installed.
    """
    try:
        import nbformat
        from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"{error.name} is not installed, but the notebooks need it: run pip install 'frametally[layers]'"
        ) from error
    from frametally_gold.layers.driver import MODULES, functions_of

    files = []
    for layer, module in MODULES.items():
        doc = inspect.getdoc(module) or ""
        cells = [new_markdown_cell(f"# {doc}"), new_code_cell(_TOOLS.format(layer=layer))]
        cells.append(new_code_cell(_PICTURE.format(layer=layer)))
        cells += [new_code_cell(_FUNCTION.format(layer=layer, name=name)) for name in functions_of(layer)]
        cells.append(new_code_cell(_RUN.format(layer=layer)))
        for number, cell in enumerate(cells):  # not random: the same layer gives the same file
            cell["id"] = f"{layer}-{number}"
        path = folder / f"{layer}_layer" / "01_dag.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=cells), path)
        files.append(path)
    return files


def main() -> int:
    """Write the notebooks next to this file; return the exit code."""
    try:
        for path in write_notebooks(Path(__file__).resolve().parent / "datalake"):
            print(path)
    except Misconfigured as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
