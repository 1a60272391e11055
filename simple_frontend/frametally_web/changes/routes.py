"""The routes by which pages change footage; each change is planned first, then started."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Literal

import msgspec

from frametally import keys
from frametally.actions.calls import Sent, answer_with, note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args
from frametally.actions.problems import Problem
from frametally.books.status import open_dead_letters
from frametally.media import mending
from frametally.ports.object_store import ObjectMissing
from frametally.process import reports
from frametally.process.reports import NoProgress
from frametally.records import Cause
from frametally.segments.dead_letters import Entry, check_mended, drop, read_entries, replay
from frametally_web.access.visitors import remedy_for
from frametally_web.books.context import ActionContext, Handlers
from frametally_web.changes.answers import ChangePlan, ChangesNow, ChangeState
from frametally_web.changes.desk import ChangeDesk, ChangeOutcome, ChangeSteps, left_alone

CHANGES = Routes("Changes", right="run")
MOST_PLANNED = 200
"""Dead letters whose pictures a plan reads; a change reads all."""

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{12}$")]


class LettersWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The dead letters to settle, and how.

    Attributes:
        what: `replay` announces their frames again; `drop` gives their frames up.
        ids: Dead letters with these IDs; empty means all of the cause.
        cause: Dead letters of this cause; null means any cause.
    """

    what: Literal["replay", "drop"]
    ids: Annotated[list[Id], msgspec.Meta(max_length=200)] = []
    cause: Cause | None = None


_LETTERS = Sent(LettersWanted, "choice of dead letters")
plural = partial(reports.plural, form=",")


def check_changes(remedy: str | None) -> None:
    """Raise `Problem` (403) if this dashboard changes nothing, or not for this visitor."""
    needed_remedy = remedy_for("run", remedy)
    if needed_remedy is not None:
        raise Problem(403, "You cannot change footage here.", remedy=needed_remedy)


def footage_desk(context: ActionContext) -> ChangeDesk:
    """Return the desk of one application for changes of footage."""
    return ChangeDesk(lambda: context.books.read_again())


class ChangeHandlers(Handlers):
    """The handlers of changes; `remedy` is None if footage may be changed."""

    def __init__(self, context: ActionContext) -> None:
        """Take the desk that all changes of footage share."""
        super().__init__(context)
        self.desk, self.remedy = context.shared(footage_desk), context.remedy


class WholeChangeHandlers(ChangeHandlers):
    """The handlers of changes of a source's footage: never of a part of a source."""

    def __init__(self, context: ActionContext) -> None:
        """Take the ports of all sources."""
        super().__init__(context)
        self.ports = context.whole


class StateRoutes(ChangeHandlers):
    """The handler that shows the current change."""

    @CHANGES.route("GET changes", "Show the running change of footage, and interrupted changes.")
    def changes(self, _: Args) -> ChangesNow:
        last = self.desk.last
        running = last is not None and last.state == "running"
        return ChangesNow(last=last, unfinished=[] if running else mending.unfinished_words(self.ports.store))


class LetterRoutes(ChangeHandlers):
    """The handlers of dead letters."""

    @CHANGES.route(
        "POST dead-letters/plan",
        "Show what replaying or dropping dead letters would do; change nothing.",
        body=_LETTERS,
        statuses=(404,),
        only_computes=True,
    )
    def plan_letters(self, _: Args) -> ChangePlan:
        check_changes(self.remedy)
        form = _LETTERS.read()
        entries = self._chosen(form)
        if form.what == "drop":
            sources = {entry.letter.source for entry in entries} - {None}
            lines = [
                f"{plural(len(entries), 'frame')} will no longer be listed here, and will never be counted.",
                *([f"They belong to {plural(len(sources), 'source')}."] if len(sources) > 1 else []),
                "Dropping cannot be undone. The pictures stay in the store.",
            ]
            return ChangePlan(frames=len(entries), lines=lines, left_alone=[])
        planned = entries[:MOST_PLANNED]
        checked = check_mended(planned, store=self.ports.store, max_pixels=self._max_pixels)
        ready, more = len(checked.announced), len(entries) - len(planned)
        lines = [f"{plural(ready, 'frame')} can be read now and will be announced again."] if ready else []
        if more:
            lines.append(f"{plural(more, 'more frame')} will be checked first, then announced.")
        if checked.skipped:
            lines.append(f"{plural(len(checked.skipped), 'frame')} still cannot be read and will stay here.")
        if ready or more:
            lines.append("The consumer will analyse these frames next, and then the counts will change.")
        return ChangePlan(frames=ready + more, lines=lines, left_alone=left_alone(checked.skipped))

    @CHANGES.route(
        "POST dead-letters/changes",
        "Replay or drop dead letters; `/api/v1/changes` shows the progress.",
        body=_LETTERS,
        statuses=(404, 409),
        success={202: "The change has started."},
        frees=True,
    )
    def change_letters(self, _: Args) -> ChangeState:
        check_changes(self.remedy)
        form = _LETTERS.read()
        entries = self._chosen(form)
        letters_text = ", ".join(form.ids) or form.cause or "all"
        note_target(letters=letters_text)

        def work(steps: ChangeSteps) -> ChangeOutcome:
            return self._drop(entries) if form.what == "drop" else self._replay(entries, steps)

        answer_with(202)
        freeing = self.settings.data_dir if form.what == "drop" else None
        return self.desk.start(form.what, plural(len(entries), "unreadable frame"), work, freeing=freeing)

    @property
    def _max_pixels(self) -> int:
        return self.settings.max_image_megapixels * 1_000_000

    def _chosen(self, form: LettersWanted) -> list[Entry]:
        model = self.books.reading().status.model
        letters = open_dead_letters(self.ports.ledger, self.settings, model) if model else []
        ids = set(form.ids)
        chosen = [
            (letter.segment, letter.offset)
            for letter in letters
            if form.cause in (None, letter.cause)
            and (not ids or keys.dead_letter_id(letter.segment, letter.offset) in ids)
        ]
        if not chosen or len(chosen) < len(ids):
            raise Problem(
                404,
                "These unreadable frames are already settled, or never existed.",
                remedy="Reload the page to see the ones that are left.",
            )
        try:
            return read_entries(self.ports.store, chosen)
        except ObjectMissing as error:
            raise Problem(
                404, "These unreadable frames are missing from the store.", remedy="Reload the page."
            ) from error

    def _replay(self, entries: Iterable[Entry], steps: ChangeSteps) -> ChangeOutcome:
        settings = self.settings
        result = replay(
            entries,
            store=self.ports.store,
            log=self.ports.log,
            partitions=settings.log_partitions,
            max_pixels=self._max_pixels,
            progress=steps,
        )
        lines = [
            f"{plural(len(result.announced), 'frame')} announced again.",
            *(["The consumer will analyse them next."] if result.announced else []),
            *([f"{plural(len(result.skipped), 'frame')} still cannot be read."] if result.skipped else []),
        ]
        return ChangeOutcome(lines, result.skipped)

    def _drop(self, entries: Iterable[Entry]) -> ChangeOutcome:
        count = drop(entries, store=self.ports.store)
        self.ports.ledger.refresh(self.ports.store, NoProgress())  # afterwards they are no longer listed
        return ChangeOutcome([f"{plural(count, 'frame')} dropped."])
