"""The route of a number's history: the runs that changed it, and why."""

from __future__ import annotations

from frametally.actions.answers import answer_of, nothing
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, page_limit
from frametally.actions.problems import Problem
from frametally.books.history import MOST_DAYS, MOST_FRAMES, HistoryChange, HistoryQuery, find_history
from frametally.books.history_words import NO_PARTS, reason_words
from frametally.history_records import HistoryReason
from frametally.ports.object_store import ObjectStore
from frametally.records import FrameDetections
from frametally.rules.times import DAY_MS
from frametally_web.access.visitors import visitor
from frametally_web.books.context import Handlers
from frametally_web.history import answers
from frametally_web.requests.addresses import image_url
from frametally_web.requests.query import (
    BASE,
    FROM,
    LABEL,
    MODEL,
    SOURCE,
    TIMEZONE,
    TO,
    ChartQuery,
    read_selection,
)
from frametally_web.translations.texts import problem_text

HISTORY = Routes("Proof", by_source=True)
_FRAMES = page_limit(6, MOST_FRAMES, "Maximum number of added frames, and of removed frames, for each run")


class HistoryRoutes(Handlers):
    """The handlers, over the ports and the data read in the background."""

    @HISTORY.route(
        "GET history",
        "Show why a number changed: the runs that counted its days, with the frames added or removed.",
        LABEL,
        SOURCE,
        FROM,
        TO,
        MODEL,
        TIMEZONE,
        BASE,
        _FRAMES,
    )
    def history(self, args: Args) -> answers.NumberHistory:
        """Return the history.

        Raises:
            Problem: 400 if there is no such model, or the range has too many days.
            Retryable: A port is unavailable.
        """
        selection, frames = read_selection(args, self.settings), _FRAMES.read(args)
        question = self.context.ask(ChartQuery(selection))
        self.books.ensure_ledger()
        ports, name_of = self.ports, self.books.media().name
        if not question.spans:
            model = None if question.is_waiting else question.model or None
            return nothing(answers.NumberHistory, model=model, timezone=selection.zone.name)
        from_ms, to_ms = question.spans[0].from_ms, question.spans[-1].to_ms
        if to_ms - from_ms > MOST_DAYS * DAY_MS:
            raise Problem(
                400,
                f"A history can cover at most {MOST_DAYS} days.",
                parameter="from" if selection.from_ms is None else "to",
                remedy="Choose a bar, a day or a month in the chart.",
            )
        # A visitor who sees only some sources gets a history as if there were no others.
        sources = selection.sources or (question.sources if visitor().sources else [])
        base_s = question.base_of(None)
        query = HistoryQuery(question.model, base_s, from_ms, to_ms, sources, selection.labels)
        history = find_history(ports.store, ports.index, ports.ledger, query, frames=frames)

        def change(entry_change: HistoryChange) -> answers.NumberChange:
            entry = entry_change.entry
            texts = map(problem_text, reason_words(entry_change, name_of, selection.zone.tzinfo))
            return answer_of(
                answers.NumberChange,
                (entry_change, entry),
                version=entry.version or None,
                reasons=[_reason(*pair) for pair in zip(entry_change.reasons, texts, strict=True)],
                detections_before=entry_change.before,
                detections_after=entry_change.after,
                frames_came=sum(entry_change.frames_came.values()),
                frames_gone=sum(entry_change.frames_gone.values()),
                came=[_frame(ports.store, frame) for frame in entry_change.added],
                gone=[_frame(ports.store, frame) for frame in entry_change.removed],
                note=None if entry_change.has_parts else NO_PARTS,
            )

        return answer_of(
            answers.NumberHistory,
            (history,),
            model=question.model,
            base_interval_s=base_s,
            timezone=selection.zone.name,
            changes=[change(entry_change) for entry_change in history.changes],
            other_models=[
                answers.OtherModel(model=model, detections=detections)
                for model, detections in history.other_models.items()
            ],
        )


def _reason(reason: HistoryReason, text: str) -> answers.ChangeReason:
    return answer_of(
        answers.ChangeReason,
        (reason,),
        text=text,
        source=reason.source or None,
        name=reason.name or None,
        setting=reason.setting or None,
        before=reason.before or None,
        after=reason.after or None,
    )


def _frame(store: ObjectStore, frame: FrameDetections) -> answers.ChangedFrame:
    is_there = store.head(frame.image_path) is not None
    return answer_of(
        answers.ChangedFrame, (frame,), image_url=image_url(frame.image_path) if is_there else None
    )
