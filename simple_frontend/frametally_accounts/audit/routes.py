"""The handler of the audit log."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from frametally.actions.endpoints import Routes
from frametally.actions.parameters import BEFORE, Args, Parameter, page_limit, shortened, text
from frametally.actions.problems import bad_parameter
from frametally.rules.times import iso_moment_ms
from frametally_accounts.audit import answers
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.audit_records import AuditQuestion
from frametally_web.books.context import ActionContext

AUDIT = Routes("Audit log", right="run")

_MOMENT = {"type": "string", "maxLength": 40}
_WHO = text("who", "Only changes by this account.", "anna")
_WHAT = text("what", "Only changes whose route, command or target contains this text.", "videos")
_FROM = text("from", "Earliest time, ISO 8601; UTC if it has no offset.", "2024-05-01T00:00Z", _MOMENT)
_TO = text("to", "End, not included, ISO 8601; UTC if it has no offset.", "2024-06-01T00:00Z", _MOMENT)
_LIMIT = page_limit(50, 10_000, "Maximum number of changes")
QUESTION = (_WHO, _WHAT, _FROM, _TO)


@dataclass(frozen=True)
class AuditRoutes:
    """The handlers of one application."""

    context: ActionContext

    @AUDIT.route(
        "GET audit", "List who changed what, when and from where, newest first.", *QUESTION, BEFORE, _LIMIT
    )
    def audit(self, args: Args) -> answers.AuditLog:
        question = AuditQuestion(
            _WHO.read(args) or "",
            _WHAT.read(args) or "",
            _moment(args, _FROM),
            _moment(args, _TO),
        )
        changes, following = self.context.shared(OpenedAudit).book.changes(
            _LIMIT.read(args), question, before=BEFORE.read(args)
        )
        return answers.AuditLog(changes=[answers.change_of(change) for change in changes], next=following)


def _moment(args: Args, moment: Parameter[str | None]) -> int:
    """Return a time in the query in milliseconds, in UTC if it has no offset; 0 without one."""
    value = moment.read(args)
    if value is None:
        return 0
    try:
        return max(0, iso_moment_ms(value, datetime.UTC))
    except ValueError as error:
        raise bad_parameter(
            moment.name, f"{shortened(value)} is not a time.", remedy="Use ISO 8601: 2026-05-01T08:00Z."
        ) from error
