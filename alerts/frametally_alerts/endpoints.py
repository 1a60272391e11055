"""The routes of alerts, as data."""

from __future__ import annotations

from frametally_alerts import answers
from frametally_web.endpoints.parameters import Endpoint, Parameter, text

_STATE = Parameter(
    "state",
    "Only messages of this state.",
    {"type": "string", "enum": ["queued", "sent", "failed"]},
    "failed",
)
_BEFORE = Parameter("before", "`next` of the page before.", {"type": "integer", "minimum": 1}, "51")
_NAME = Parameter("name", "Name of the rule.", text(), "busy", required=True, place="path")
_REPORT = Parameter("name", "Name of the report.", text(), "weekly", required=True, place="path")

ALERT_ENDPOINTS = (
    Endpoint(
        "alerts", "Rules, channels, and what was told, the newest first.", (_STATE, _BEFORE), answers.Alerts
    ),
    Endpoint(
        "alerts/rules",
        "Adds a rule, of which its channels tell from then on.",
        (),
        answers.ToldRule,
        method="POST",
        body=answers.RuleWanted,
        statuses=(403, 409, 413, 415),
        success={201: "It is added."},
        named="post_alert_rule",
        right="run",
    ),
    Endpoint(
        "alerts/rules/{name}",
        "Removes a rule, with what waits of it.",
        (_NAME,),
        None,
        (),
        method="DELETE",
        statuses=(403, 404),
        success={204: "It is removed."},
        named="delete_alert_rule",
        right="run",
    ),
    Endpoint(
        "alerts/reports",
        "Adds a report that is made every day, week or month, once it was tried: what cannot be is said now.",
        (),
        answers.ToldReport,
        method="POST",
        body=answers.ReportWanted,
        statuses=(403, 409, 413, 415),
        success={201: "It is added."},
        named="post_report",
        right="run",
    ),
    Endpoint(
        "alerts/reports/{name}",
        "Removes a report, with what waits of it; its files stay in the store.",
        (_REPORT,),
        None,
        (),
        method="DELETE",
        statuses=(403, 404),
        success={204: "It is removed."},
        named="delete_report",
        right="run",
    ),
)

ENDPOINTS = tuple(one._replace(tag="Alerts") for one in ALERT_ENDPOINTS)
