"""A traffic report as the page gets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from frametally_traffic.report.junction_report import TrafficReport
from frametally_traffic.report.movement_table import PeakHour
from frametally_traffic.report.schemes import HEAVY, MOTOR, not_told_apart
from frametally_traffic.report_files import answers


def shown_report(report: TrafficReport, image_url: str | None) -> answers.Traffic:
    """Return it."""
    table = report.table
    without: Counter[tuple[str, str]] = Counter()
    for (_, reason, group), count in table.without.items():
        without[reason, group] += count
    columns = [
        answers.TrafficClass(
            name=group.name,
            title=group.title,
            kind=group.kind,
            labels=[*group.labels],
            codes=[*group.codes],
            is_motor=group.kind in MOTOR,
            is_heavy=group.kind in HEAVY,
            movements=table.total(groups={group.name}),
            unassigned=without["unassigned", group.name],
            never_at_a_leg=without["never_at_a_leg", group.name],
        )
        for group in table.groups
    ]
    assigned = table.total()
    return answers.Traffic(
        model=report.model,
        source=report.query.source,
        name=report.source_name,
        from_ms=report.from_ms,
        to_ms=report.to_ms,
        timezone=report.query.zone_name,
        classes=report.query.scheme,
        revision=report.revision,
        legs=list(_legs(report)),
        columns=columns,
        movements=[
            answers.TrafficMovement(from_leg=pair[0], to_leg=pair[1], turn=report.turns.get(pair))
            for pair in table.pairs
        ],
        quarters=list(_quarters(report)),
        peaks=[
            peak
            for day in report.peaks
            for peak in (_peak(day.day.isoformat(), "am", day.am), _peak(day.day.isoformat(), "pm", day.pm))
        ],
        totals=answers.TrafficTotals(
            visits=assigned + sum(without.values()),
            assigned=assigned,
            reasons={
                "unassigned": sum(column.unassigned for column in columns),
                "never_at_a_leg": sum(column.never_at_a_leg for column in columns),
            },
            left_out=table.left_out,
        ),
        notes=not_told_apart(table.groups),
        image_url=image_url,
    )


def _legs(report: TrafficReport) -> Iterator[answers.JunctionLeg]:
    motor = {group.name for group in report.table.motor}
    for leg in report.legs:
        yield answers.JunctionLeg(
            name=leg.name,
            side=leg.side,
            inward=leg.inward,
            points=[*leg.points],
            width_px=leg.width_px,
            height_px=leg.height_px,
            came_over=report.table.total(from_leg=leg.name, groups=motor),
            went_over=report.table.total(to_leg=leg.name, groups=motor),
        )


def _quarters(report: TrafficReport) -> Iterator[answers.TrafficQuarter]:
    table = report.table
    for quarter in table.quarters:
        counts = None
        if quarter.missing is None:
            counts = [
                [table.movements.get((quarter.start_ms, *pair, group.name), 0) for group in table.groups]
                for pair in table.pairs
            ]
        yield answers.TrafficQuarter(
            start_ms=quarter.start_ms,
            seen_ms=quarter.seen_ms,
            is_whole=quarter.is_whole,
            missing=quarter.missing,
            counts=counts,
        )


def _peak(day: str, half: answers.Half, hour: PeakHour | None) -> answers.TrafficPeak:
    if hour is None:
        return answers.TrafficPeak(day=day, half=half)
    values = hour._asdict() | {"factor": hour.factor, "heavy_share": hour.heavy_share}
    del values["heavy"]
    return answers.TrafficPeak(day=day, half=half, **values)
