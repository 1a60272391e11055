"""Writes the text of an alert for people and for programs."""

from __future__ import annotations

import zoneinfo
from typing import Literal

import msgspec

from frametally.files.names import one_line
from frametally.rules.times import local_time, utc
from frametally_alerts.rules import Alert, AlertMessage, What

_NAMES: dict[What | Literal["report"], str] = {
    "count": "count",
    "crossings": "crossings",
    "occupancy": "most at once",
    "speed": "speed (V85, km/h)",
    "no_footage": "no footage",
    "black_or_frozen": "black or frozen picture",
    "not_up_to_date": "not up to date",
    "quality": "a check failed",
    "work_failed": "job failed",
    "work_finished": "job finished",
    "report": "report",
}


def subject_of(alert: Alert) -> str:
    """Return an alert as one line."""
    if alert.is_test:
        return "a test of this channel"
    if alert.what == "report":
        return f"report {one_line(alert.rule)}: {one_line(alert.detail, None)}"
    origin = ", ".join(one_line(part) for part in (alert.source_name or alert.source, alert.label) if part)
    if alert.state == "withdrawn":
        head = "withdrawn: "
    else:
        head = f"correction {alert.revision - 1}: " if alert.revision > 1 else ""
    return (
        f"{head}{one_line(alert.rule)}: {_NAMES[alert.what]}{f' ({origin})' if origin else ''}{_value(alert)}"
    )


def text_of(alert: Alert, web_url: str = "") -> str:
    """Return an alert in a few lines for people; `web_url` is the dashboard's URL."""
    lines = [subject_of(alert), ""]
    if alert.what == "report":
        lines += ["In the store:", *alert.files]
    elif not alert.is_test:
        end = f" to {_clock(alert, alert.end_ms)}" if alert.end_ms is not None else ""
        lines.append(f"From {_clock(alert, alert.start_ms)}{end}")
    if alert.detail and alert.what != "report":
        lines.append(alert.detail)
    if alert.state == "withdrawn":
        lines.append("This alert no longer applies: the footage or its counts have changed.")
    else:
        if alert.note:
            lines.append(one_line(alert.note, None))
        if alert.revision > 1:
            lines.append(f"Reported before:{_value_text(alert.earlier_value)}{_until(alert)}")
    lines += ["", f"Alert: {alert.key}, revision {alert.revision}"]
    if web_url and not alert.is_test:
        lines.append(f"{web_url.rstrip('/')}/alerts")
    return "\n".join(lines)


def payload_of(message: AlertMessage) -> bytes:
    """Return the JSON for programs; every attempt sends the same bytes."""
    alert = message.alert
    return msgspec.json.encode({"id": message.id, "text": subject_of(alert), "alert": alert})


def _value(alert: Alert) -> str:
    if alert.value is None:
        return ""
    if alert.threshold is None:
        return f": {alert.value:g}"
    return f": {alert.value:g} (threshold: {'below' if alert.below else 'at least'} {alert.threshold:g})"


def _value_text(value: float | None) -> str:
    return "" if value is None else f" {value:g}"


def _until(alert: Alert) -> str:
    end_ms = alert.earlier_end_ms
    return " until now" if end_ms is None else f" up to {_clock(alert, end_ms)}"


def _clock(alert: Alert, time_ms: int) -> str:
    """Return a time in the time zone of the alert's source."""
    if not alert.timezone:
        return utc(time_ms)
    return local_time(time_ms, zoneinfo.ZoneInfo(alert.timezone)).strftime("%Y-%m-%d %H:%M:%S %Z")
