"""Finds the days whose flows must be counted again, and their inputs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from frametally import keys
from frametally.books.runs import CurrentDay, DayKey, current_days, hour_files
from frametally.errors import Poison
from frametally.media.manifests import ManifestReader, by_source
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Skipped
from frametally.records import MediaManifest, Run
from frametally.rules.hour_file import changed_names
from frametally.rules.places import FLOWS, is_of_places, series_model
from frametally.rules.times import DAY_MS
from frametally_hadoop.planning.plan import DaySelection
from frametally_traffic.drawings.drawing_checks import DrawingRefused
from frametally_traffic.drawings.drawn_shapes import flow_inputs, shapes_of, spans_of
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing
from frametally_traffic.flows.shapes import FlowInputs, Shapes


class FlowDay(NamedTuple):
    """One day's flows: the subject of the run to publish.

    Attributes:
        base: The run whose tracks and coverage they are counted from.
        beside: The runs of the adjacent days.
        inputs: The input of each source with a drawing on that day.
        current: The day's current run of flows; None if it has none.
    """

    key: DayKey
    sequence: int
    base: Run
    inputs: tuple[FlowInputs, ...]
    current: Run | None
    beside: tuple[Run, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs whose paths it is counted from."""
        return (self.base, *self.beside)

    def files(self, store: ObjectStore) -> set[str]:
        """Return the keys of the files with these paths. Raises the errors of `hour_files`."""
        by_run = [hour_files(store, run) for run in self.runs]
        sources = [flow_input.source for flow_input in self.inputs]
        return {key for files in by_run for source in sources for key, _ in files.get(source, ())}

    @property
    def is_current(self) -> bool:
        """Whether the day's current run was made from the same inputs."""
        return self.current is not None and self.current.inputs_sha256 == self.inputs_sha256()

    def missing(self) -> list[FlowInputs]:
        """Return the inputs of the flows that the day's current run lacks."""
        files = (self.current and self.current.paths) or ()
        names = {flow_input.source: flow_input.name for flow_input in self.inputs}
        sources = changed_names(names, (file.name for file in files))
        return [flow_input for flow_input in self.inputs if flow_input.source in sources]

    def inputs_sha256(self) -> str:
        """Return a digest of everything that the run is made from: tracks, shapes and coverage."""
        names = [
            f"{flow_input.source} {flow_input.shapes.digest()} {flow_input.name}"
            for flow_input in self.inputs
        ]
        return _sha256_of(self.base.inputs_sha256, names)

    def footage_sha256(self) -> str:
        """Return a digest of the day's footage and drawings, the same for every interval."""
        drawn = [f"{flow_input.source} {flow_input.shapes.digest()}" for flow_input in self.inputs]
        return _sha256_of(self.base.footage_sha256, drawn)

    def state_sha256(self) -> str:
        """Return a digest of the inputs and the sequence, as `DayPlan.state_sha256` does."""
        return _sha256_of(self.inputs_sha256(), [str(self.sequence)])


def _sha256_of(base: str, lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join([base, *lines]).encode()).hexdigest()


class FlowPlan(NamedTuple):
    """The work to do.

    Days to count and days that are up to date, sorted; drawings that cannot be used.
    """

    stale: list[FlowDay]
    up_to_date: list[FlowDay]
    skipped: list[Skipped]


NOTHING = FlowPlan([], [], [])


def plan_flows(
    store: ObjectStore,
    *,
    interval_s: int,
    manifests: ManifestReader,
    selection: DaySelection,
    unusable: Collection[DayKey] = (),
) -> FlowPlan:
    """Compare drawings and tracks with the current runs of flows.

    `unusable`: days whose files of paths cannot be read; they are left unchanged.
    """
    sources = drawn_sources(store)
    if not sources:
        return NOTHING
    drawings = _Drawn(store, sources, *manifests.read())
    current = current_days(store)
    runs: defaultdict[str, dict[str, Run]] = defaultdict(dict)
    for day, current_day in current.items():
        if day.interval_s == interval_s and not is_of_places(day.model) and current_day.run is not None:
            runs[day.model][day.day] = current_day.run
    plan = FlowPlan([], [], drawings.skipped)
    for of_model in runs.values():
        for base in (of_model[day] for day in of_model if selection.has(day)):
            day_plan = _plan_day(base, of_model, current, drawings)
            if day_plan is None or day_plan.key in unusable:
                continue
            if selection.recount or not day_plan.is_current:
                plan.stale.append(day_plan)
            else:
                plan.up_to_date.append(day_plan)
    return plan


def _plan_day(
    base: Run, runs: Mapping[str, Run], current: Mapping[DayKey, CurrentDay], drawings: _Drawn
) -> FlowDay | None:
    """Plan one day; return None if it neither has nor had a drawing, or if its drawing cannot be read."""
    inputs: list[FlowInputs] = []
    for source in drawings.sources_of(base):
        shapes = drawings.shapes[source]
        if shapes is None:
            return None
        flow_input = flow_inputs(runs, base.day, source, shapes)
        if any(flow_input.shapes):
            inputs.append(flow_input)
    key = DayKey(series_model(base.model, FLOWS), base.interval_s, base.day)
    before = current.get(key)
    if not inputs and before is None:
        return None
    sequence = before.sequence + 1 if before else 1
    start_ms = keys.day_start_ms(base.day)
    beside = [runs.get(keys.utc_day(start_ms + days * DAY_MS)) for days in (-1, 1)]
    return FlowDay(
        key, sequence, base, tuple(inputs), before.run if before else None, tuple(filter(None, beside))
    )


class _Drawn:
    """The drawings of all sources; those that cannot be used are noted once."""

    def __init__(
        self,
        store: ObjectStore,
        sources: Collection[str],
        manifests: Sequence[MediaManifest],
        unreadable: Sequence[Skipped],
    ) -> None:
        self.store = store
        self.skipped: list[Skipped] = []
        self._media = by_source(manifests)
        self._all_read = not unreadable
        self.shapes = {source: self._read(source) for source in sorted(sources)}

    def sources_of(self, base: Run) -> list[str]:
        """Return the sorted sources with a drawing that may have footage in a run."""
        start_ms = keys.day_start_ms(base.day)
        return [
            source
            for source in self.shapes
            if source in base.hours or self._has_footage(source, start_ms, start_ms + DAY_MS)
        ]

    def _read(self, source: str) -> Shapes | None:
        """Return a source's shapes; None if they, or perhaps manifests of its footage, cannot be read."""
        try:
            shapes = shapes_of(read_drawing(self.store, source))
        except (Poison, DrawingRefused) as error:
            self._skip(source, str(error))
            return None
        return shapes if self._media.get(source) or self._all_read else None

    def _skip(self, source: str, reason: str) -> None:
        consequence = "the earlier counts at its lines and zones are unchanged"
        self.skipped.append(Skipped(f"drawing of {source}", f"{reason}; {consequence}"))

    def _has_footage(self, source: str, from_ms: int, to_ms: int) -> bool:
        spans = spans_of(self._media.get(source, ()))
        return any(first_ms < to_ms and last_ms >= from_ms for first_ms, last_ms in spans)
