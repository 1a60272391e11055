"""The routes of charts: what can be asked for, how many of what, and what is beside it."""

from __future__ import annotations

from frametally.media.sources import counted_until
from frametally.ports.count_index import CountIndex
from frametally.settings.loading import Settings
from frametally_web.charts import answers as chart_answers
from frametally_web.charts import counts, heatmap, scope, summary
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.narrowing import narrowed, zones_by_source
from frametally_web.charts.seconds import index_by_second
from frametally_web.compare import answers as compare_answers
from frametally_web.compare.differences import find_differences
from frametally_web.requests import answers
from frametally_web.requests.endpoints import Routes
from frametally_web.requests.handlers import Handlers
from frametally_web.requests.parameters import Args, page_limit
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import (
    BY,
    CHART,
    COMPARE,
    MODEL,
    SELECTION,
    TOP,
    ChartQuery,
    read_chart,
    read_compare,
    read_selection,
)

CATALOGUE = Routes("Catalogue", by_source=True)
COUNTS = Routes("Counts", by_source=True)
_MOST_DIFFERENT = page_limit(10, 100, "Maximum number in `most`")


class ChartRoutes(Handlers):
    """The handlers, over the ports and what is read in the background."""

    @CATALOGUE.route("GET models", "List the models with their stored intervals.", tells_version=True)
    def models(self, _: Args) -> answers.Models:
        """List what can be asked for."""
        return answers.Models(
            models=[
                answers.ModelChoice(model=model, base_intervals_s=intervals_s)
                for model, intervals_s in scope.stored_intervals(self.ports.index).items()
            ]
        )

    @CATALOGUE.route("GET labels", "List labels with their detections, most first.", MODEL, is_kept=True)
    def labels(self, args: Args) -> answers.Labels:
        """List the labels, most first."""
        choice = scope.choose_model(self.ports.index, MODEL.read(args))
        totals = self.ports.index.labels(choice.model) if choice else []
        return answers.Labels(
            model=choice.model if choice else None,
            labels=[answers.LabelTotal(label=label, detections=total) for label, total in totals],
        )

    @CATALOGUE.route("GET sources", "List sources with their frames and range.", MODEL, is_kept=True)
    def sources(self, args: Args) -> answers.Sources:
        """List the sources, by name."""
        return list_sources(self.ports.index, self.books.media(), model=MODEL.read(args))

    @CATALOGUE.route("GET catalogue", "Return models, labels and sources in one answer.", MODEL, is_kept=True)
    def catalogue(self, args: Args) -> answers.Catalogue:
        """List all that can be asked for."""
        labels = self.labels(args)
        return answers.Catalogue(
            model=labels.model,
            models=self.models(args).models,
            labels=labels.labels,
            sources=self.sources(args).sources,
        )

    @COUNTS.route("GET counts", "Return counts per interval and label.", *CHART, TOP, is_kept=True)
    def counts(self, args: Args) -> chart_answers.Counts:
        """Answer with the chart's numbers."""
        return counts.count(*self._read(args))

    @COUNTS.route(
        "GET summary",
        "Return a chart's summary: total, busiest intervals, peak, the week before.",
        *CHART,
        TOP,
        is_kept=True,
    )
    def summary(self, args: Args) -> chart_answers.Summary:
        """Answer with what the chart says."""
        return summary.summarise(*self._read(args))

    @COUNTS.route(
        "GET differences",
        "Show how far two models differ on the same footage: by label, largest first.",
        *(parameter for parameter in CHART if parameter is not BY),
        COMPARE.but(required=True),
        _MOST_DIFFERENT,
        is_kept=True,
    )
    def differences(self, args: Args) -> compare_answers.Differences:
        """Tell how far two sides are apart."""
        compare = read_compare(args)
        if compare is None:
            raise bad_parameter("compare", "compare is missing.", remedy="Give one, such as compare=week.")
        return find_differences(*self._read(args), compare, limit=_MOST_DIFFERENT.read(args))

    @COUNTS.route("GET heatmap", "Return counts per hour of the week.", *SELECTION, is_kept=True)
    def heatmap(self, args: Args) -> chart_answers.Heatmap:
        """Answer with the hours of the week."""
        selection = read_selection(args, self.settings)
        index = narrowed(self.ports.index, self.ports.store, args)
        return heatmap.count_week(index, self.settings, self.books.media(), selection)

    def _read(self, args: Args) -> tuple[CountIndex, Settings, MediaTimes, ChartQuery]:
        index = index_by_second(self.ports, self.settings, args, self.books.ensure_ledger)
        return index, self.settings, self.books.media(), read_chart(args, self.settings)


def list_sources(index: CountIndex, media: MediaTimes, *, model: str | None) -> answers.Sources:
    """Return the sources of a model, by slug.

    Raises:
        Problem: 400, if there is no such model.
    """
    choice = scope.choose_model(index, model)
    if choice is None:
        return answers.Sources(model=None, sources=[])
    zones = zones_by_source(index, choice.model)
    return answers.Sources(
        model=choice.model,
        sources=[
            answers.SourceRange(
                source=summary.source,
                name=media.name(summary.source),
                frames=summary.frames,
                first_interval_ms=summary.first_interval_ms,
                next_interval_ms=summary.next_interval_ms,
                timed_by_file=media.is_timed_by_file(summary.source),
                file_times=media.ranges(summary.source),
                footage_until_ms=media.footage_until(summary.source),
                counted_until_ms=counted_until(summary.next_interval_ms, media.footage_until(summary.source)),
                zones=zones.get(summary.source, []),
                timezone=media.timezone(summary.source),
            )
            for summary in index.sources(choice.model)
        ],
    )
