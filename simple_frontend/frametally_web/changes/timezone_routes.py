"""The routes that set the time zone of a source: first a preview, then the change."""

from __future__ import annotations

from typing import Annotated

import msgspec

from frametally.actions.calls import Sent, answer_with, note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args
from frametally.actions.problems import refusals
from frametally.media.lookup import media_of_source
from frametally.media.source_timezones import TimezoneChange, plan_timezone, set_timezone
from frametally_web.changes.answers import ChangePlan, ChangeState
from frametally_web.changes.desk import ChangeOutcome
from frametally_web.changes.footage_routes import Source
from frametally_web.changes.routes import WholeChangeHandlers, check_changes

TIMEZONES = Routes("Changes", right="run")


class TimezoneWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The time zone that a source is to have.

    Attributes:
        timezone: IANA name of the zone, such as `Europe/Berlin`; empty removes the source's zone.
    """

    source: Source
    timezone: Annotated[str, msgspec.Meta(max_length=64)]


_FORM = Sent(TimezoneWanted, "time zone of a source")


class TimezoneRoutes(WholeChangeHandlers):
    """The handlers of one application."""

    @TIMEZONES.route(
        "POST timezones/plan",
        "Show what another time zone of a source would change; change nothing.",
        body=_FORM,
        statuses=(404,),
        only_computes=True,
    )
    def plan_timezones(self, _: Args) -> ChangePlan:
        change, frames = self._plan()
        if not change.lines:
            return ChangePlan(frames=0, lines=["Already done: nothing would change."], left_alone=[])
        return ChangePlan(frames=frames, lines=change.lines, left_alone=[])

    @TIMEZONES.route(
        "POST timezones/changes",
        "Set the time zone of a source; `/api/v1/changes` shows the progress.",
        body=_FORM,
        statuses=(404, 409),
        success={202: "The change has started."},
    )
    def change_timezones(self, _: Args) -> ChangeState:
        change, _frames = self._plan()
        note_target(source=change.source, timezone=change.timezone or "none")

        def work(_: object) -> ChangeOutcome:
            set_timezone(self.ports.store, change)
            return ChangeOutcome([f"The time zone of {change.name} is now {change.timezone or 'not set'}."])

        answer_with(202)
        return self.desk.start("timezone", change.name, work)

    def _plan(self) -> tuple[TimezoneChange, int]:
        """Return the requested change, and the number of frames whose local time it changes."""
        check_changes(self.remedy)
        form = _FORM.read()
        with refusals(404):
            media = media_of_source(self.ports.store, form.source)
        with refusals(400):
            change = plan_timezone(self.ports.store, media, form.timezone.strip())
        return change, max(1, sum(manifest.frames_announced for manifest in media))
