"""Reads the sensors of each camera: its picture, its objects today, and the most at once."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from frametally.actions.parameters import Args
from frametally.actions.problems import Problem
from frametally.checkup.findings import Glance
from frametally.media.source_timezones import readable_timezones
from frametally.media.sources import counted_until, footage_until
from frametally.plugins import load, plugins
from frametally.rules.times import local_time, utc
from frametally_alerts.conditions.footage_rules import look_for_blind_cameras
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.reports.report_files import read_media
from frametally_alerts.rules import AlertRule
from frametally_web.charts import answers, counts
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.question import resolve
from frametally_web.requests.query import read_chart

OCCUPANCY_S = 600
"""The time of which the occupancy is the most at once."""
_RECORDING_MS = 120_000
"""A camera with a picture this new is recording: its minutes are stored a little after they end."""


class Reading(NamedTuple):
    """The state of a sensor.

    Attributes:
        value: A number or a word; None if unknown, and the attribute `reason` says why.
        attributes: More about it, by name.
    """

    value: int | str | None
    attributes: Mapping[str, object]


class Camera(NamedTuple):
    """A camera with its readings, by the key of the sensor: `picture`, `objects_today`, `occupancy`."""

    source: str
    name: str
    readings: Mapping[str, Reading]


def read_cameras(ports: RoundPorts) -> list[Camera]:
    """Return the cameras that exist, with their readings at `ports.now_ms`.

    Raises:
        Retryable: The store, the ledger, the index or the live book is unavailable.
    """
    live = [plugin for plugin in plugins() if plugin.name == "live"]
    names = {
        source: name
        for plugin in live
        for source, name in load(plugin.known_names)(ports.settings, ports.store).sources.items()
    }
    if not names:
        return []
    glance = Glance(ports.settings, ports.store)
    troubles = {finding.page: finding for plugin in live for finding in load(plugin.findings)(glance)}
    media = read_media(ports.settings, ports.store, ports.index, ports.ledger)
    pictures = dict(_pictures(ports, names))
    timezones = readable_timezones(ports.store)
    cameras = []
    for source, name in sorted(names.items()):
        trouble = troubles.get(f"/live?camera={source}")
        zone = zoneinfo.ZoneInfo(timezones.get(source) or ports.settings.timezone or "UTC")
        readings = {
            "picture": pictures[source] if trouble is None else Reading("problem", {"reason": trouble.line}),
            "objects_today": _objects_today(ports, media, source, zone),
            "occupancy": _occupancy(ports, media, source),
        }
        cameras.append(Camera(source, name, readings))
    return cameras


def _pictures(ports: RoundPorts, sources: Mapping[str, str]) -> Iterator[tuple[str, Reading]]:
    """Yield what each camera's newest picture shows."""
    rule = AlertRule(name="", what="black_or_frozen", channels=(), sources=tuple(sources))
    blind = {
        finding.source: finding
        for look in look_for_blind_cameras(rule, ports)
        for finding in look.findings
        if finding.end_ms is None
    }
    newest_ms = footage_until(ports.ledger.manifests())
    for source in sources:
        at_ms = newest_ms.get(source)
        if at_ms is None:
            yield source, Reading(None, {"reason": "no picture is stored yet"})
        elif ports.now_ms - at_ms > _RECORDING_MS:
            yield source, Reading(None, {"reason": f"the newest picture is of {utc(at_ms)}"})
        elif source in blind:
            finding = blind[source]
            attributes = {"reason": finding.detail, "since": utc(finding.start_ms)}
            yield source, Reading(finding.ref, attributes)
        else:
            yield source, Reading("recording", {"newest_picture": utc(at_ms)})


def _objects_today(ports: RoundPorts, media: MediaTimes, source: str, zone: zoneinfo.ZoneInfo) -> Reading:
    """Return the unique objects since midnight of the camera's time zone, with those of each label."""
    midnight = local_time(ports.now_ms, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    chart = _chart(ports, media, source, midnight)
    if isinstance(chart, Reading):
        return chart
    total = chart.together[0]
    labels = {label.label: label for label in chart.rest_totals or chart.totals if label.label}
    attributes: dict[str, object] = {"by_label": {name: label.objects for name, label in labels.items()}}
    if unknown := {name: _why_unknown(label) for name, label in labels.items() if label.objects is None}:
        attributes["unknown_by_label"] = unknown
    if total.objects_missing is not None:
        attributes |= _why_unknown(total)
    return Reading(total.objects, {**attributes, **_extent(chart, media, source)})


def _why_unknown(total: answers.Total) -> dict[str, object]:
    return {"reason": total.objects_missing, "at_least": total.measured_objects}


def _occupancy(ports: RoundPorts, media: MediaTimes, source: str) -> Reading:
    """Return the most objects in one picture of the last minutes."""
    chart = _chart(ports, media, source, local_time(ports.now_ms - OCCUPANCY_S * 1000, datetime.UTC))
    if isinstance(chart, Reading):
        return chart
    return Reading(chart.together[0].peak, _extent(chart, media, source))


def _extent(chart: answers.Counts, media: MediaTimes, source: str) -> dict[str, object]:
    until_ms = counted_until(chart.coverage[-1].end_ms, media.footage_until(source))
    return {
        "counted_until": None if until_ms is None else utc(until_ms),
        "is_more_waiting": bool(chart.not_analysed),
    }


def _chart(
    ports: RoundPorts, media: MediaTimes, source: str, since: datetime.datetime
) -> answers.Counts | Reading:
    """Return the dashboard's chart of a camera from `since` until now, or a reading that says why not."""
    args = Args(
        {
            "source": source,
            "from": since.isoformat(),
            "to": local_time(ports.now_ms, datetime.UTC).isoformat(),
            "top": "0",
        }
    )
    if source not in media.sources():
        return Reading(None, {"reason": "no_footage"})
    try:
        chart = counts.count(resolve(ports.index, ports.settings, media, read_chart(args, ports.settings)))
    except Problem as problem:
        return Reading(None, {"reason": problem.detail})
    total = chart.together[0]
    return chart if total.detections is not None else Reading(None, {"reason": total.objects_missing})
