"""The handler of the audit log."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from frametally.actions.endpoints import Routes
from frametally.actions.parameters import BEFORE, Args, page_limit, text
from frametally_accounts.audit import answers
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.audit_records import AuditQuestion
from frametally_web.books.context import ActionContext
from frametally_web.requests.query import read_moment

AUDIT = Routes("Audit log", right="run")

_MOMENT = {"type": "string", "maxLength": 40}
_WHO = text("who", "Only changes by this account.", "anna")
_WHAT = text("what", "Only changes whose route, command or target contains this text.", "videos")
_FROM = text(
    "from", "Earliest time, ISO 8601 (UTC if it has no offset) or milliseconds.", "2024-05-01T00:00Z", _MOMENT
)
_TO = text("to", "End, not included, as `from`.", "2024-06-01T00:00Z", _MOMENT)
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
        from_ms, to_ms = (read_moment(args, end, datetime.UTC) for end in (_FROM, _TO))
        question = AuditQuestion(
            _WHO.read(args) or "",
            _WHAT.read(args) or "",
            from_ms or 0,
            0 if to_ms is None else to_ms or 1,  # 0 is no end
        )
        changes, following = self.context.shared(OpenedAudit).book.changes(
            _LIMIT.read(args), question, before=BEFORE.read(args)
        )
        return answers.AuditLog(changes=[answers.change_of(change) for change in changes], next=following)
