"""Hamilton's part: arranges a layer's functions and runs them.

Functions that bear a job's name are skipped where all that they make is there, and what they have made is
noted in the catalogue at once, as a worker notes it: so a run that was killed goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_gold.layers import bronze, gold, silver
from frametally_videos.jobs.job_results import take_in
from frametally_videos.library.usual_jobs import made_by
from frametally_videos.ports.job_book import JobKind
from frametally_videos.ports.video_catalogue import Artifact, VideoCatalogue
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from hamilton.driver import Driver

LayerName = Literal["bronze", "silver", "gold"]
MODULES: Mapping[LayerName, ModuleType] = {"bronze": bronze, "silver": silver, "gold": gold}
_KINDS: tuple[JobKind, ...] = get_args(JobKind)


class LayerTools(NamedTuple):
    """What a layer works with.

    Attributes:
        settings: Of this process.
        store: Where the video is.
        catalogue: Where what is made is noted.
        progress: Is told how far it is.
        patience: Waits for what is away.
    """

    settings: Settings
    store: ObjectStore
    catalogue: VideoCatalogue
    progress: Progress
    patience: Patience


class LayerReport(NamedTuple):
    """What became of each function of a layer: done, done before, or why it could not be."""

    done: list[str]
    known: list[str]
    failed: list[Skipped]


def run_layer(layer: LayerName, video_id: str, tools: LayerTools) -> LayerReport:
    """Run a layer's functions for a video, each behind those that it needs; again changes nothing.

    One that fails for good holds up those alone that need its result.

    Raises:
        Poison: There is no such video, or it is being removed; or its record is damaged.
        GivenUp: A stop was asked for.
        Misconfigured: Hamilton is not installed here, or the store cannot be written.
    """
    driver = arranged(layer)
    record = bronze.envelope(video_id, tools.store, tools.patience)
    inputs = _inputs(driver, video_id, record, tools)
    there = _there(record, tools)
    values: dict[str, Any] = {}
    report = LayerReport([], [], [])
    for name in functions_of(layer):
        if name in there:
            values[name] = there[name]
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
    """Return Hamilton's driver of a layer. Raises `Misconfigured` where Hamilton is not installed."""
    try:
        from hamilton import base, driver
        from hamilton.lifecycle.base import BaseDoValidateInput
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"{error.name} is not installed, and arranges the layers: pip install 'frametally[layers]'"
        ) from error
    # Of an error it would print a banner; the error itself comes through.
    logging.getLogger("hamilton").setLevel(logging.CRITICAL + 1)

    class PortsToo(BaseDoValidateInput):  # type: ignore[misc]
        """Takes any input: a port is a protocol, which Hamilton cannot tell; the type checker does."""

        def do_validate_input(self, *, node_type: type, input_value: object) -> bool:
            return True

    adapters = base.DictResult(), PortsToo()
    return driver.Builder().with_modules(MODULES[layer]).with_adapters(*adapters).build()


def functions_of(layer: LayerName) -> list[str]:
    """Return the names of a layer's functions, as they stand in its module; helpers with `_` are none."""
    ours = {node.name for node in arranged(layer).list_available_variables() if not node.is_external_input}
    return [name for name in vars(MODULES[layer]) if name in ours]


def _inputs(driver: Driver, video_id: str, record: VideoRecord, tools: LayerTools) -> dict[str, object]:
    """Return those of what there is that the layer takes."""
    given = {"video_id": video_id, "envelope": record, **tools._asdict()}
    taken = {node.name for node in driver.list_available_variables() if node.is_external_input}
    return {name: value for name, value in given.items() if name in taken}


def _there(record: VideoRecord, tools: LayerTools) -> dict[str, list[Artifact]]:
    """Return what is there already of what jobs make, by the name of the job."""
    row = tools.patience.until_done("the video catalogue", lambda: tools.catalogue.video(record.id))
    found = row.artifacts if row else ()
    kept = {kind: [one for one in found if one.kind in made_by(kind, record)] for kind in _KINDS}
    return {
        kind: kept[kind]
        for kind in _KINDS
        if kept[kind] and {one.kind for one in kept[kind]} == set(made_by(kind, record))
    }


def _note(tools: LayerTools, video_id: str, kind: str, artifacts: list[Artifact]) -> None:
    tools.patience.until_done(
        "the video catalogue",
        lambda: take_in(
            tools.settings, tools.store, tools.catalogue, video_id, cast("JobKind", kind), artifacts
        ),
    )
