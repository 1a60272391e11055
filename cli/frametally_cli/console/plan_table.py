"""A dry run's findings, printed."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from frametally_cli.console.backfill import duration, size
from frametally_cli.console.output import plain
from frametally_producer.plan import ProducePlan
from frametally_producer.reading.event_time import iso

_MOST_GAPS = 20


def print_plan(console: Console, plan: ProducePlan) -> None:
    """Print what would be produced, the gaps in it, and how long it would take."""
    console.print("What there is (nothing was written):")
    for source in plan.sources:
        unknown = f" and those of {source.frames_unknown} that do not tell" if source.frames_unknown else ""
        console.print(
            Text(
                f"{plain(source.source_name)}: {source.files} files ({source.files_known} known already), "
                f"{size(source.bytes)}, about {source.frames} new frames{unknown}, "
                f"{iso(source.first_ms)} to {iso(source.last_ms)}, {len(source.gaps)} gaps"
            )
        )
    for source in plan.sources:
        for gap in source.gaps[:_MOST_GAPS]:
            length = duration((gap.to_ms - gap.from_ms) / 1000)
            console.print(
                Text(f"gap in {plain(source.source_name)}: {length}, {iso(gap.from_ms)} to {iso(gap.to_ms)}")
            )
        if source.gaps:
            more = len(source.gaps) - _MOST_GAPS
            console.print(
                Text(
                    (f"and {more} more; " if more > 0 else "")
                    + f"a gap is more than {duration(source.gap_ms / 1000)} without footage"
                    " (FRAMETALLY_GAP_S)"
                )
            )
    if plan.seconds is None or plan.stored_bytes is None:
        console.print(f"how long it will take cannot be said: {plan.measured}")
    else:
        console.print(
            f"producing it takes about {duration(plan.seconds)} and {size(plan.stored_bytes)} of room "
            f"({plan.measured})"
        )
