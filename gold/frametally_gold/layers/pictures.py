"""Pictures of the layers: each function, what it returns, and whose results it takes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

from frametally.errors import Misconfigured
from frametally_gold.layers.driver import MODULES, LayerName, LayerTools, arranged

if TYPE_CHECKING:
    from graphviz import Digraph

_FUNCTION = {"style": "rounded,filled", "fillcolor": "#dbe9f4"}
_INPUT = {"style": "dashed"}


def draw(layer: LayerName) -> Digraph:
    """Return a layer as Graphviz draws it; what all functions work with, such as the store, is left out.

    Raises:
        Misconfigured: What draws is not installed.
    """
    nodes = {node.name: node for node in arranged(layer).list_available_variables()}
    from graphviz import Digraph

    drawn = Digraph(layer, graph_attr={"rankdir": "LR"}, node_attr={"shape": "box", "fontname": "Helvetica"})
    for name in sorted(nodes.keys() - set(LayerTools._fields)):
        node = nodes[name]
        written = re.sub(r"\w+\.", "", inspect.formatannotation(node.type))
        tooltip = (node.documentation or "").partition("\n")[0]
        drawn.node(
            name,
            f"{name}\\n{written}",
            tooltip=tooltip,
            **(_INPUT if node.is_external_input else _FUNCTION),
        )
        for needed in sorted(node.required_dependencies - set(LayerTools._fields)):
            drawn.edge(needed, name)
    return drawn


def write_pictures(folder: Path) -> list[Path]:
    """Draw all layers into a folder, each as DOT, SVG and PNG; return the files.

    Raises:
        Misconfigured: What draws is not installed.
    """
    from graphviz import ExecutableNotFound

    written = []
    for layer in MODULES:
        drawn = draw(layer)
        dot = folder / f"layer-{layer}.dot"
        dot.write_text(drawn.source, encoding="utf-8")
        written.append(dot)
        for kind in ("svg", "png"):
            try:
                data = drawn.pipe(format=kind)
            except ExecutableNotFound as error:
                raise Misconfigured(
                    "`dot` is not installed, and draws the pictures: install graphviz (Debian: "
                    "apt install graphviz)"
                ) from error
            path = dot.with_suffix(f".{kind}")
            path.write_bytes(data)
            written.append(path)
    return written
