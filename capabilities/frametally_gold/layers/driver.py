"""Arranges a layer's functions with Hamilton, runs them, and draws them.

A function named after a job is skipped if all its results exist. The catalogue notes new results at once, as
for a worker, so that a killed run continues where it stopped.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_gold.layers import bronze, gold, silver
from frametally_videos.catalogue.catalogue_rows import Artifact, JobKind, made_by
from frametally_videos.jobs.job_results import take_in
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from graphviz import Digraph
    from hamilton.driver import Driver

    from frametally_videos.catalogue.video_catalogue import VideoCatalogue


LayerName = Literal["bronze", "silver", "gold"]
MODULES: Mapping[LayerName, ModuleType] = {"bronze": bronze, "silver": silver, "gold": gold}
_KINDS: tuple[JobKind, ...] = get_args(JobKind)


class LayerTools(NamedTuple):
    """The inputs of a layer's functions, by name."""

    settings: Settings
    store: ObjectStore
    catalogue: VideoCatalogue
    progress: Progress
    patience: Patience


class LayerReport(NamedTuple):
    """The functions of a layer: done now, already done, or failed with the reason."""

    done: list[str]
    known: list[str]
    failed: list[Skipped]


def run_layer(layer: LayerName, video_id: str, tools: LayerTools) -> LayerReport:
    """Run a layer's functions for a video, each after the ones it needs; a second run changes nothing.

    If a function fails permanently, only the functions that need its result are skipped.

    Raises:
        Poison: The video does not exist or is being removed, or its record is damaged.
        GivenUp: The command was stopped.
        Misconfigured: Hamilton is not installed here, or the store cannot be written.
    """
    driver = arranged(layer)
    record = bronze.envelope(video_id, tools.store, tools.patience)
    inputs = _inputs(driver, video_id, record, tools)
    results = _existing(record, tools)
    values: dict[str, Any] = {}
    report = LayerReport([], [], [])
    for name in functions_of(layer):
        if name in results:
            values[name] = results[name]
            report.known.append(name)
            continue
        needed = {node.name for node in driver.what_is_upstream_of(name)} - {name}
        if needed & {failure.name for failure in report.failed}:
            continue
        try:
            values |= driver.execute([name], inputs=inputs, overrides=values)
        except Poison as error:
            report.failed.append(Skipped(name, str(error)))
            continue
        if name in _KINDS:
            failpoints.passing("layer.made")
            _note(tools, video_id, name, values[name])
        report.done.append(name)
    return report


def arranged(layer: LayerName) -> Driver:
    """Return Hamilton's driver for a layer. Raises `Misconfigured` if Hamilton is not installed."""
    try:
        from hamilton import base, driver
        from hamilton.lifecycle.base import BaseDoValidateInput
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"{error.name} is not installed, but the layers need it: run pip install 'frametally[layers]'"
        ) from error
    # Hamilton would print a banner about an error that is raised anyway.
    logging.getLogger("hamilton").setLevel(logging.CRITICAL + 1)

    class PortsToo(BaseDoValidateInput):  # type: ignore[misc]
        """Accepts any input, since Hamilton cannot check protocols; the type checker does."""

        def do_validate_input(self, *, node_type: type, input_value: object) -> bool:
            return True

    adapters = base.DictResult(), PortsToo()
    return driver.Builder().with_modules(MODULES[layer]).with_adapters(*adapters).build()


def functions_of(layer: LayerName) -> list[str]:
    """Return the names of the functions in a layer's module, without helpers (`_...`)."""
    ours = {node.name for node in arranged(layer).list_available_variables() if not node.is_external_input}
    return [name for name in vars(MODULES[layer]) if name in ours]


def _inputs(driver: Driver, video_id: str, record: VideoRecord, tools: LayerTools) -> dict[str, object]:
    """Return the available inputs that the layer uses."""
    inputs = {"video_id": video_id, "envelope": record, **tools._asdict()}
    names = {node.name for node in driver.list_available_variables() if node.is_external_input}
    return {name: value for name, value in inputs.items() if name in names}


def _existing(record: VideoRecord, tools: LayerTools) -> dict[str, list[Artifact]]:
    """Return the results of jobs whose results all exist, by the job's name."""
    row = tools.patience.until_done("the video catalogue", lambda: tools.catalogue.video(record.id))
    artifacts = row.artifacts if row else ()
    by_kind = {
        kind: [artifact for artifact in artifacts if artifact.kind in made_by(kind, record)]
        for kind in _KINDS
    }
    return {
        kind: by_kind[kind]
        for kind in _KINDS
        if by_kind[kind] and {artifact.kind for artifact in by_kind[kind]} == set(made_by(kind, record))
    }


def _note(tools: LayerTools, video_id: str, kind: str, artifacts: list[Artifact]) -> None:
    tools.patience.until_done(
        "the video catalogue",
        lambda: take_in(
            tools.settings, tools.store, tools.catalogue, video_id, cast("JobKind", kind), artifacts
        ),
    )


_FUNCTION = {"style": "rounded,filled", "fillcolor": "#dbe9f4"}
_INPUT = {"style": "dashed"}


def draw(layer: LayerName) -> Digraph:
    """Return a Graphviz drawing of a layer, without the inputs that all functions use, such as the store.

    Raises:
        Misconfigured: Graphviz is not installed.
    """
    nodes = {node.name: node for node in arranged(layer).list_available_variables()}
    from graphviz import Digraph

    graph = Digraph(layer, graph_attr={"rankdir": "LR"}, node_attr={"shape": "box", "fontname": "Helvetica"})
    for name in sorted(nodes.keys() - set(LayerTools._fields)):
        node = nodes[name]
        annotation = re.sub(r"\w+\.", "", inspect.formatannotation(node.type))
        tooltip = (node.documentation or "").partition("\n")[0]
        graph.node(
            name,
            f"{name}\\n{annotation}",
            tooltip=tooltip,
            **(_INPUT if node.is_external_input else _FUNCTION),
        )
        for needed in sorted(node.required_dependencies - set(LayerTools._fields)):
            graph.edge(needed, name)
    return graph


def write_pictures(folder: Path) -> list[Path]:
    """Draw each layer as DOT, SVG and PNG into a folder; return the files.

    Raises:
        Misconfigured: Graphviz is not installed.
    """
    from graphviz import ExecutableNotFound

    files = []
    for layer in MODULES:
        graph = draw(layer)
        dot = folder / f"layer-{layer}.dot"
        dot.write_text(graph.source, encoding="utf-8")
        files.append(dot)
        for kind in ("svg", "png"):
            try:
                data = graph.pipe(format=kind)
            except ExecutableNotFound as error:
                raise Misconfigured(
                    "`dot` is not installed, but the pictures need it: install graphviz (Debian: apt "
                    "install graphviz)"
                ) from error
            path = dot.with_suffix(f".{kind}")
            path.write_bytes(data)
            files.append(path)
    return files
