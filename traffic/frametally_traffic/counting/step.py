"""What lines and zones add to an aggregation; see `CountingStep`."""

from __future__ import annotations

from collections.abc import Sequence

from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import MediaManifest
from frametally.settings.loading import Settings
from frametally_hadoop.planning.counting_steps import DayToCount, StepReport
from frametally_hadoop.planning.selection import DaySelection
from frametally_traffic.counting.flow_aggregation import aggregate_flows
from frametally_traffic.counting.flow_plan import plan_flows
from frametally_traffic.counting.zone_days import DrawnZones, read_zones


class TrafficCounting:
    """Zones are counted within in the counting job; flows, from the tracks that it made, behind it."""

    def parts(self, store: ObjectStore, media: Sequence[MediaManifest]) -> DrawnZones:
        """Return the zones that are drawn now."""
        return read_zones(store, media)

    def days_to_count(
        self, *, store: ObjectStore, interval_s: int, manifests: ManifestReader, selection: DaySelection
    ) -> tuple[list[DayToCount], list[Skipped]]:
        """Return the days whose flows would be counted, and drawings that cannot be used."""
        flows = plan_flows(store, interval_s=interval_s, manifests=manifests, selection=selection)
        days = [
            DayToCount(
                *day.key,
                segments=0,
                bytes=0,
                inputs=day.inputs_sha256()[:16],
                state=day.state_sha256()[:16],
            )
            for day in flows.stale
        ]
        return days, flows.skipped

    def count(
        self,
        *,
        settings: Settings,
        store: ObjectStore,
        progress: Progress,
        runner: str,
        selection: DaySelection,
        manifests: ManifestReader,
    ) -> StepReport:
        """Count at lines and zones, from the tracks that stand now."""
        return aggregate_flows(
            settings=settings,
            store=store,
            progress=progress,
            runner=runner,
            selection=selection,
            manifests=manifests,
        )


STEP = TrafficCounting()
