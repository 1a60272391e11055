"""Exposes figures in the format of Prometheus, with prometheus-client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from frametally.process.limits import disk_bytes
from frametally.process.meters import BOUNDS_S, Figures
from frametally.telemetry.family import family_figures

__all__ = ["Exposed", "Scraped", "counters", "gauge"]


class Exposed(NamedTuple):
    """A response with metrics."""

    body: bytes
    content_type: str


class Scraped:
    """All metrics of a process and its family, plus those of more collectors."""

    def __init__(self, data_dir: Path, more: Sequence[Collector] = ()) -> None:
        """Include the disk that `data_dir` is on."""
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (_OfFamily(), _OfDisk(data_dir), *more):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def answer(self, accept: str) -> Exposed:
        """Return the metrics in the format that the client's `Accept` header prefers."""
        encoder, content_type = choose_encoder(accept)
        return Exposed(encoder(self._registry), content_type)


def counters(name: str, text: str, label: str, sums: Iterable[tuple[str, float]]) -> CounterMetricFamily:
    """Return a counter with one label; `_total` is added to its name automatically."""
    family = CounterMetricFamily(name, text, labels=[label])
    for value, number in sums:
        family.add_metric([value], number)
    return family


def gauge(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    """Return a gauge with one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family


class _OfFamily(Collector):
    """Collects the work of this process and its children since their start."""

    def collect(self) -> Iterator[Metric]:
        figures = family_figures()
        build = {"version": version("frametally")}
        yield InfoMetricFamily("frametally_build", "The version of frametally.", build)
        yield _histogram(figures)
        yield counters(
            "frametally_stage_frames",
            "Frames that this process and its children have processed, by stage.",
            "stage",
            sorted(figures.frames.items()),
        )
        yield counters(
            "frametally_dead_letters",
            "Frames that this process and its children have set aside, by reason.",
            "reason",
            sorted(figures.dead.items()),
        )
        yield counters(
            "frametally_outages",
            "Times that this process or its children could not reach a part.",
            "part",
            sorted(figures.outages.items()),
        )
        yield counters(
            "frametally_outage_seconds",
            "Seconds for which they could not reach a part.",
            "part",
            sorted(figures.outage_s.items()),
        )
        yield gauge(
            "frametally_part_away",
            "Number of these processes whose last call to a part failed.",
            "part",
            sorted(figures.away.items()),
        )


def _histogram(figures: Figures) -> HistogramMetricFamily:
    family = HistogramMetricFamily(
        "frametally_stage_seconds", "Seconds that a stage took, each time.", labels=["stage"]
    )
    bounds = [*(repr(bound) for bound in BOUNDS_S), "+Inf"]
    for stage, (*numbers, seconds) in sorted(figures.seconds.items()):
        below = 0.0
        buckets = []
        for bound, number in zip(bounds, numbers, strict=True):
            below += number
            buckets.append((bound, below))
        family.add_metric([stage], buckets, seconds)
    return family


class _OfDisk(Collector):
    """Collects the size of the disk that the data folder is on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        try:
            free, total = disk_bytes(self._folder)
        except OSError:  # show all other metrics
            return
        yield GaugeMetricFamily(
            "frametally_disk_free_bytes", "Free bytes on the disk of the data folder.", free
        )
        yield GaugeMetricFamily(
            "frametally_disk_size_bytes", "Size in bytes of the disk of the data folder.", total
        )
