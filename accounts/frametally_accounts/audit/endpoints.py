"""The route of the audit log, as data."""

from __future__ import annotations

from frametally_accounts.audit import answers
from frametally_web.endpoints.parameters import Endpoint, Parameter, text

_MOMENT = {"type": "string", "maxLength": 40}
_FROM, _TO = "2024-05-01T00:00Z", "2024-06-01T00:00Z"

AUDIT_ENDPOINTS = (
    Endpoint(
        "audit",
        "Who changed what, when and from where, the newest first.",
        (
            Parameter("who", "Only by this account.", text(), "anna"),
            Parameter(
                "what", "Only where the route, the command or its target has this in it.", text(), "videos"
            ),
            Parameter(
                "from", "Not before, ISO 8601; without an offset in UTC.", _MOMENT, "2024-05-01T00:00Z"
            ),
            Parameter("to", "Before, ISO 8601; without an offset in UTC.", _MOMENT, _TO),
            Parameter("before", "`next` of the page before.", {"type": "integer", "minimum": 1}, "51"),
        ),
        answers.AuditLog,
        statuses=(403,),
        right="run",
    ),
)
