"""The routes that delete, retime or rename the footage of a source."""

from __future__ import annotations

import datetime
import logging
from typing import Annotated, Literal

import msgspec

from frametally.actions.answers import answer_of
from frametally.actions.calls import Sent, answer_with, note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, text
from frametally.actions.problems import Problem, as_sentence, refusals
from frametally.books.change_preview import preview_counts
from frametally.errors import FrametallyError, Misconfigured
from frametally.media import corrections, lookup, mending
from frametally.media.forgetting import plan_forgetting
from frametally.media.source_timezones import readable_timezones
from frametally.ports.opened import StagePorts
from frametally.process.reports import NoProgress
from frametally.records import EventTimeMs, MediaManifest
from frametally.rules.times import DAY_MS, FIRST_MS, HOUR_MS, NEXT_MS, local_time
from frametally.undo_records import FootageChange
from frametally_web.changes.answers import (
    ChangedCounts,
    ChangedDay,
    ChangePlan,
    ChangeState,
    Recording,
    SourceFootage,
)
from frametally_web.changes.desk import ChangeOutcome, ChangeSteps
from frametally_web.changes.routes import WholeChangeHandlers, check_changes, plural
from frametally_web.requests.query import read_zone

FOOTAGE = Routes("Changes", right="run")
MOST_RECORDINGS = 200
MOST_DAYS = 31
_log = logging.getLogger(__name__)
_SOURCE = text("source", "Source, by its slug or its name.", "gate")

Source = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class FootageWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The change of the footage of a source.

    Attributes:
        what: `forget` takes it out of the counts, `retime` corrects when it was filmed, `rename` its source.
        medium: Only this recording, by its `id`; null means all footage of the source.
        from_ms: Event time of the first frames to forget; null means no limit.
        to_ms: Event time of the end of the range, exclusive; null means no limit.
        delete_images: Whether pictures and uploaded videos of forgotten footage are also deleted.
        start_ms: When the first frame was really filmed; all other frames move by as much.
        name: The new name of the source, or that of another source, which the footage then joins.
        timezone: IANA name of the zone of the days in the plan; null means the server's.
    """

    what: Literal["forget", "retime", "rename"]
    source: Source
    medium: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{12}$")] | None = None
    from_ms: EventTimeMs | None = None
    to_ms: EventTimeMs | None = None
    delete_images: bool = False
    start_ms: EventTimeMs | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    timezone: Annotated[str, msgspec.Meta(max_length=64)] | None = None


_FOOTAGE = Sent(FootageWanted, "change of footage")


class FootageRoutes(WholeChangeHandlers):
    """The handlers of one application."""

    @property
    def _mending(self) -> StagePorts:
        return StagePorts(self.settings, self.ports.store, self.ports.log)

    @FOOTAGE.route(
        "GET footage", "List the recordings from a source.", _SOURCE, right="look", statuses=(404,)
    )
    def footage(self, args: Args) -> SourceFootage:
        source = _SOURCE.read(args) or ""
        with refusals(404):
            media = lookup.media_of_source(self.ports.store, source)
        times = [
            ms
            for manifest in media
            for ms in (manifest.first_captured_at_ms, manifest.last_captured_at_ms)
            if ms is not None
        ]
        return SourceFootage(
            source=media[0].source,
            name=media[0].source_name,
            frames=sum(manifest.frames_announced for manifest in media),
            from_ms=min(times, default=None),
            to_ms=max(times, default=None),
            recordings=[_recording(manifest) for manifest in media[:MOST_RECORDINGS]],
            recordings_left_out=max(len(media) - MOST_RECORDINGS, 0),
            timezone=readable_timezones(self.ports.store).get(media[0].source),
        )

    @FOOTAGE.route(
        "POST footage/plan",
        "Show what a change of a source's footage would do to its counts; change nothing.",
        body=_FOOTAGE,
        statuses=(404,),
        only_computes=True,
    )
    def plan_footage(self, _: Args) -> ChangePlan:
        check_changes(self.remedy)
        requested = _FOOTAGE.read()
        zone = read_zone(Args({"timezone": requested.timezone or ""}), self.settings).tzinfo
        change = self._plan(requested)
        ports = self.ports
        ports.ledger.refresh(ports.store, NoProgress())
        if not change.media:
            return ChangePlan(frames=0, lines=["Already done: nothing would change."], left_alone=[])
        days = preview_counts(ports.store, ports.ledger, self.settings, change, zone)
        lines = [
            *self._lines(change, zone),
            *(["There is too much footage to calculate this in advance."] * (days is None)),
        ]
        producing = [manifest for manifest in change.media if manifest.state == "producing"]
        lines += [
            f"{_name(manifest)} is still being produced: stop its producer first."
            for manifest in producing[:3]
        ]
        name_of = self.books.media().name
        rows = [
            answer_of(
                ChangedDay,
                (preview,),
                name=change.source_name if preview.source == change.source else name_of(preview.source),
                day=preview.day.isoformat(),
            )
            for preview in days or ()
        ]
        return ChangePlan(
            frames=max(1, sum(manifest.frames_announced for manifest in change.media)),
            lines=lines,
            left_alone=[],
            days=None if days is None else rows[:MOST_DAYS],
            days_left_out=max(len(rows) - MOST_DAYS, 0),
        )

    @FOOTAGE.route(
        "POST footage/changes",
        "Change the footage from a source; `/api/v1/changes` shows the progress.",
        body=_FOOTAGE,
        statuses=(404, 409),
        success={202: "The change has started."},
        frees=True,
    )
    def change_footage(self, _: Args) -> ChangeState:
        check_changes(self.remedy)
        requested = _FOOTAGE.read()
        change = self._plan(requested)
        note_target(
            medium=requested.medium,
            from_ms=requested.from_ms,
            to_ms=requested.to_ms,
            start_ms=requested.start_ms,
        )

        def work(steps: ChangeSteps) -> ChangeOutcome:
            done = mending.carry_out(self._mending, change, steps)
            frames = sum(correction.frames for correction in done.corrected)
            lines = [
                *_outcome(change, frames),
                *map(as_sentence, [*done.lines, *steps.said]),
            ]
            return ChangeOutcome(lines, mending.left_out(self._mending, done.corrected), _changed(change))

        answer_with(202)
        freeing = self.settings.data_dir if requested.what == "forget" else None
        return self.desk.start(requested.what, change.target, work, freeing=freeing)

    @FOOTAGE.route(
        "POST changes/finish",
        "Finish interrupted changes; `/api/v1/changes` shows the progress.",
        statuses=(409,),
        success={202: "The change has started."},
        frees=True,
    )
    def finish_changes(self, _: Args) -> ChangeState:
        """Start to finish all unfinished changes."""
        check_changes(self.remedy)
        answer_with(202)
        return self._finish()

    def resume(self) -> None:
        """Resume the change that this dashboard was making when it ended; waits for an unavailable server."""
        if self.remedy is not None:
            return
        try:
            if mending.unfinished(self.ports.store):
                self._finish()
        except FrametallyError as error:
            _log.warning("interrupted changes are waiting: %s", error)

    def _finish(self) -> ChangeState:
        def work(steps: ChangeSteps) -> ChangeOutcome:
            done = mending.finish_all(self._mending, steps)
            frames = sum(correction.frames for correction in done.corrected)
            lines = [f"{plural(frames, 'frame')} announced again.", *map(as_sentence, done.lines)]
            return ChangeOutcome(lines, mending.left_out(self._mending, done.corrected))

        return self.desk.start("finish", "interrupted changes", work, freeing=self.settings.data_dir)

    def _plan(self, requested: FootageWanted) -> FootageChange:
        store = self.ports.store
        with refusals(404):
            media = lookup.media_of_source(store, requested.source)
        target = media[0].source_name
        if requested.medium is not None:
            media = [manifest for manifest in media if manifest.sha256.startswith(requested.medium)]
            if not media:
                raise Problem(
                    404,
                    f"This recording from {target} has been forgotten, or never existed.",
                    remedy="Reload the page to see the ones that are left.",
                )
            target = _name(media[0])
        with refusals(400):
            if requested.what == "forget":
                return mending.plan_forgetting(
                    media,
                    target,
                    from_ms=requested.from_ms,
                    to_ms=requested.to_ms,
                    delete=requested.delete_images,
                    of_source=media[0].source if requested.medium is None else "",
                )
            if requested.what == "rename":
                name = requested.name.strip()
                if not name:
                    raise Misconfigured("the source needs a name: nothing was changed")
                return mending.plan_renaming(store, requested.source, name, delete=False)
            if requested.start_ms is None:
                raise Misconfigured("the time of the first frame is missing: nothing was changed")
            return mending.plan_retiming(media, target, start_ms=requested.start_ms, delete=False)

    def _lines(self, change: FootageChange, zone: datetime.tzinfo) -> list[str]:
        recordings = plural(len(change.media), "recording")
        frames = plural(sum(manifest.frames_announced for manifest in change.media), "frame")
        if change.what == "forget":
            targets = plan_forgetting(
                self.ports.ledger, change.media, from_ms=change.from_ms, to_ms=change.to_ms
            )
            detected = plural(sum(target.extent.frames for target in targets), "analysed frame")
            again = (
                "Their stored pictures and uploaded videos will be deleted. This cannot be undone."
                if change.delete_images
                else "The pictures stay stored. To undo it, produce the footage again."
            )
            return [f"{detected} of {recordings} will no longer count.", again]
        last = "frametally will analyse the frames again, then count these days again."
        if change.what == "retime":
            first = change.media[0] if change.shifts_ms[0] < 0 else change.media[-1]
            start_ms = corrections.begins_at(first) + change.shifts_ms[0]
            start = local_time(start_ms, zone).strftime("%Y-%m-%d %H:%M:%S %Z")
            shift = _shift_text(change.shifts_ms[0])
            return [f"{recordings} with {frames} will be {shift}; the first frame will be at {start}.", last]
        former = {manifest.source for manifest in change.media} - {change.source}
        lines = [f"{recordings} with {frames} will belong to “{change.source_name}”."]
        if not former:
            return lines
        if change.source in self.books.media().sources():
            lines.append(f"“{change.source_name}” already has footage: both will become one source.")
        named = mending.named_by(self.settings, former)
        if named:
            lines.append(f"These will keep the old name, so change them afterwards: {', '.join(named)}.")
        return [*lines, last]


def _recording(manifest: MediaManifest) -> Recording:
    return Recording(
        id=manifest.sha256[:12],
        name=_name(manifest),
        from_ms=manifest.first_captured_at_ms,
        to_ms=manifest.last_captured_at_ms,
        frames=manifest.frames_announced,
    )


def _name(manifest: MediaManifest) -> str:
    return manifest.name.rpartition("/")[2] or manifest.name


def _shift_text(shift_ms: int) -> str:
    days, rest_ms = divmod(abs(shift_ms), DAY_MS)
    hours, rest_ms = divmod(rest_ms, HOUR_MS)
    minutes, rest_ms = divmod(rest_ms, 60_000)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute")]
    words = [plural(number, noun) for number, noun in parts if number]
    if rest_ms:
        words.append(f"{rest_ms / 1000:g} s")
    return f"{' '.join(words)} {'later' if shift_ms > 0 else 'earlier'}"


def _outcome(change: FootageChange, frames: int) -> list[str]:
    if change.what == "forget":
        return [
            f"{plural(len(change.media), 'recording')} deleted, completely or partly.",
            "The counts will follow when frametally has counted these days again.",
        ]
    if not frames:
        return ["The name is corrected."]
    return [
        f"{plural(frames, 'frame')} announced again.",
        "The counts will follow when frametally has analysed and counted these frames again.",
    ]


def _changed(change: FootageChange) -> ChangedCounts | None:
    """Return the range in which the counts change, up to the days that one history covers."""
    source = change.source or change.media[0].source
    shift_ms = change.shifts_ms[0] if change.shifts_ms else 0
    times = [
        ms
        for manifest in change.media
        for ms in (manifest.first_captured_at_ms, manifest.last_captured_at_ms)
        if ms is not None
    ]
    if not times:
        return None
    first_ms = max(min(times), change.from_ms or FIRST_MS) + min(shift_ms, 0)
    last_ms = min(max(times), (change.to_ms or NEXT_MS) - 1) + max(shift_ms, 0)
    from_ms = first_ms - first_ms % DAY_MS
    to_ms = last_ms - last_ms % DAY_MS + DAY_MS
    return ChangedCounts(source=source, from_ms=from_ms, to_ms=min(to_ms, from_ms + 30 * DAY_MS))
