"""The series of flows, as whoever reads the runs of all series asks it; see `PlaceSeries`."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.places import FLOWS
from frametally_traffic.counting.published_days import read_flows
from frametally_traffic.flows.flow_inputs import FLOWS_VERSION


class FlowSeries:
    """Its rules and its files."""

    name = FLOWS

    def is_outdated(self, run: Run) -> bool:
        """Return whether the rules have changed since a run of flows was counted."""
        return int(run.settings.get("flows_version", 0)) < FLOWS_VERSION

    def read_files(self, store: ObjectStore, run: Run) -> Iterator[object]:
        """Yield the flows of a run, as `read_flows`."""
        return read_flows(store, run)


SERIES = FlowSeries()
