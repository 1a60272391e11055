"""Handles requests for accuracy checks: start, answer unit by unit, show results, get a certificate."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import msgspec

from frametally import keys
from frametally.actions.answers import answer_of
from frametally.actions.calls import Reply, Sent, answer_with, note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, in_path, text, whole_number
from frametally.actions.problems import Problem, as_sentence
from frametally.errors import Misconfigured, Poison
from frametally.ports.picture_places import EventPlace
from frametally.process.reports import NoProgress
from frametally_accuracy import answers
from frametally_accuracy.answering import Desk, UnitTurn, counts_of, must_be_missing
from frametally_accuracy.book import AccuracyBook, NoSuchCheck
from frametally_accuracy.certificates import certify
from frametally_accuracy.comparison import compare_models
from frametally_accuracy.pieces.counted_pieces import frames_of_piece, has_pictures
from frametally_accuracy.pieces.event_places import metrics, places, why_line_changed
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.records import AccuracyCheck, CheckAnswer, CheckUnit, answers_by_unit
from frametally_accuracy.results import history_of, result_of
from frametally_accuracy.sent import CheckWanted, UnitAnswer
from frametally_accuracy.staleness import KnownCoverage
from frametally_accuracy.starting import start_check
from frametally_web.access.visitors import remedy_for, visitor
from frametally_web.books.context import ActionContext
from frametally_web.requests.addresses import image_url

ACCURACY = Routes("Accuracy")

_NEW_CHECK = Sent(CheckWanted, "accuracy check")
_ANSWER = Sent(UnitAnswer, "answer")
_CHECK = in_path("check", "ID or name of the check.", "gate-may")
_OF_CHECK = frozenset(answers.CheckSummary.__struct_fields__)
_MOST_AT_ONCE = 5
_START_NEW = "Start a new check; frametally keeps the answers of this one."
_AGAINST = text("against", "Another model, to compare on the same sample.", "")
_DESK = text("desk", "Any text that identifies this browser tab: two tabs get different units.", "")


_NUMBER = whole_number(
    "number",
    "Number of units to return, so that you can load their pictures early; 0 gives back those that are "
    "reserved for this desk.",
    "2",
    remedy="Leave it out for 2.",
    least=0,
    most=_MOST_AT_ONCE,
)


class AccuracyRoutes:
    """The handlers; threads may share them."""

    def __init__(self, context: ActionContext) -> None:
        """Create the handlers of one application without opening anything."""
        self._ports, self._settings, self._remedy = context.ports, context.settings, context.remedy
        self._desk = Desk()
        self._coverage = KnownCoverage()
        self._lock = threading.Lock()
        self._opened: AccuracyBook | None = None

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @ACCURACY.route("GET accuracy", "List all accuracy checks, newest first.")
    def accuracy(self, _: Args) -> answers.Checks:
        remedy = remedy_for("correct", self._remedy)
        checks = [self._summary(check, *self._rows(check)) for check in self._book.checks()]
        lines: list[EventPlace] = []
        with suppress(Poison):  # a damaged drawing, which its own page reports
            lines = [line for line in places(self._ports.store) if visitor().sees(line.source)]
        return answers.Checks(
            checks=checks, metrics=metrics(), lines=lines, changes_allowed=remedy is None, remedy=remedy
        )

    @ACCURACY.route(
        "POST accuracy",
        "Start a check: draw a random sample of frames, or of clips of footage.",
        body=_NEW_CHECK,
        success={201: "The check is started."},
        right="correct",
    )
    def post_accuracy(self, _: Args) -> answers.CheckSummary:
        self._must_change()
        form = _NEW_CHECK.read()
        note_target(metric=form.metric, sources=",".join(form.sources), labels=",".join(form.labels))
        with _as_problems():
            form = msgspec.structs.replace(form, sources=[*map(keys.slug, form.sources)])
            check = start_check(self._book, self._footage(), form, person=visitor().name)
        answer_with(201)
        return self._summary(check, *self._rows(check))

    @ACCURACY.route(
        "GET accuracy/{check}",
        "Return a check and its result so far: an interval for each label, or that there are too few "
        "answers.",
        _CHECK,
        _AGAINST,
    )
    def accuracy_check(self, args: Args) -> answers.CheckAnswers:
        check = self._check(args)
        rows = self._rows(check)
        other_model = _AGAINST.read(args)
        with _as_problems():
            compared = compare_models(check, *rows, self._footage(), other_model) if other_model else None
        return answers.CheckAnswers(
            check=self._summary(check, *rows),
            result=result_of(check, *rows),
            history=history_of(check, *rows),
            stale=self._why_stale(check),
            other_checks=self._book.other_checks(check),
            compared=compared,
        )

    @ACCURACY.route(
        "GET accuracy/{check}/next",
        "Return the next units to answer: frames with boxes, or clips with frames. They are reserved for "
        "you for two minutes.",
        _CHECK,
        _NUMBER,
        _DESK,
        statuses=(409,),
        right="correct",
    )
    def accuracy_next(self, args: Args) -> answers.NextUnits:
        self._must_change()
        check = self._check(args)
        self._must_hold(check)
        units, unit_answers = self._rows(check)
        person = visitor().name
        desk = f"{person}/{_DESK.read(args) or ''}"
        most = _NUMBER.read(args)
        most = 2 if most is None else most
        find_turns = partial(self._desk.next, check, units, person=person, desk=desk, most=most)
        if not (turns := find_turns(answers=unit_answers)) and most:
            # At the end, units whose pictures have been restored are offered again.
            footage = self._footage()
            restored = (
                number
                for number, of_unit in answers_by_unit(unit_answers).items()
                if of_unit[0].is_missing and has_pictures(footage, check, units[number])
            )
            number = next(restored, None)
            turns = find_turns(answers=[answer for answer in unit_answers if answer.unit != number])
        result = result_of(check, units, unit_answers)
        widths = {label.label: label.half_width for label in result.labels if label.half_width is not None}
        return answer_of(
            answers.NextUnits,
            (result, check),
            units=[self._unit(check, turn) for turn in turns],
            drawn=len(units),
            labels=[*check.labels],
            half_widths=widths,
            differences={
                label.label: label.difference
                for label in result.labels
                if label.state == "disagree" and label.difference is not None
            },
        )

    @ACCURACY.route(
        "POST accuracy/{check}/answers",
        "Save what you count in a unit; send the same unit again to correct it.",
        _CHECK,
        body=_ANSWER,
        right="correct",
    )
    def post_accuracy_answer(self, args: Args) -> answers.UnitAnswered:
        self._must_change()
        sent_answer = _ANSWER.read()
        check = self._check(args)
        units = {unit.number: unit for unit in self._book.units(check.id)}
        note_target(check=check.name, unit=sent_answer.unit)
        with _as_problems():
            if sent_answer.unit not in units:
                raise Misconfigured(f"accuracy check {check.name!r} has no unit {sent_answer.unit}")
            unit = units[sent_answer.unit]
            counts = counts_of(check, unit, sent_answer)
            if sent_answer.is_missing:
                must_be_missing(
                    self._footage(), check, unit, self._book.answers(check.id), turn=sent_answer.turn
                )
            person, turn = visitor().name, sent_answer.turn
            stored_answer = self._book.answer(
                check, unit.number, person=person, counts=counts, turn=turn, details=sent_answer
            )
        summary = self._summary(check, [*units.values()], self._book.answers(check.id))
        return answer_of(answers.UnitAnswered, (stored_answer, summary))

    @ACCURACY.route(
        "GET accuracy/{check}/certificate",
        "Return a signed certificate, which `frametally accuracy verify` checks against the store.",
        _CHECK,
        media_types=("application/json",),
        statuses=(409,),
    )
    def accuracy_certificate(self, args: Args) -> Reply:
        check = self._check(args)
        self._must_hold(check)
        try:
            body = certify(
                check,
                *self._rows(check),
                key=self._book.signing_key(),
                made_at_ms=self._book.now_ms(),
                footage=self._footage(),
                other_checks=self._book.other_checks(check),
            )
        except Misconfigured as error:
            raise Problem(409, as_sentence(str(error)), remedy=_START_NEW) from error
        return Reply(
            body,
            "application/json",
            headers={"Content-Disposition": f'attachment; filename="accuracy-{check.id}.json"'},
        )

    @property
    def _book(self) -> AccuracyBook:
        with self._lock:
            if self._opened is None:
                self._opened = AccuracyBook(self._settings.catalogue_url, self._settings.catalogue_access)
            return self._opened

    def _footage(self) -> CheckFootage:
        ports = self._ports
        ports.ledger.refresh(ports.store, NoProgress())
        return CheckFootage(ports.store, ports.ledger, ports.index, self._settings)

    def _check(self, args: Args) -> AccuracyCheck:
        with _as_problems():
            return self._book.find_check(_CHECK.read(args))

    def _rows(self, check: AccuracyCheck) -> tuple[list[CheckUnit], list[CheckAnswer]]:
        return self._book.units(check.id), self._book.answers(check.id)

    def _must_hold(self, check: AccuracyCheck) -> None:
        if stale := self._why_stale(check):
            raise Problem(409, " ".join(stale), remedy=_START_NEW)

    def _why_stale(self, check: AccuracyCheck) -> list[str]:
        ports = self._ports
        return [*self._coverage.why_stale(check, ports.index), *why_line_changed(check, ports.store)]

    def _must_change(self) -> None:
        if self._remedy is not None:
            raise Problem(403, "You cannot change anything here.", remedy=self._remedy)

    def _unit(self, check: AccuracyCheck, turn: UnitTurn) -> answers.UnitToAnswer:
        unit = turn.unit
        frames = [] if unit.to_ms is None else frames_of_piece(self._footage(), check, unit)
        is_whole = sum(frame.captured_at_ms >= unit.captured_at_ms for frame in frames) >= unit.frames
        return answer_of(
            answers.UnitToAnswer,
            (unit,),
            unit=unit.number,
            turn=turn.turn,
            frames=[
                answers.PlayedFrame(captured_at_ms=one.captured_at_ms, image_url=image_url(one.image_path))
                for one in frames
            ],
            image_url=image_url(unit.image_path),
            boxes=[*unit.boxes],
            is_missing=(unit.to_ms is not None and not is_whole)
            or self._ports.store.head(unit.image_path) is None,
        )

    def _summary(
        self, check: AccuracyCheck, units: Sequence[CheckUnit], unit_answers: Sequence[CheckAnswer]
    ) -> answers.CheckSummary:
        result = result_of(check, units, unit_answers)
        return answers.CheckSummary(
            **{name: value for name, value in msgspec.structs.asdict(check).items() if name in _OF_CHECK},
            first_ms=min(zone[1] for zone in check.zones),
            last_ms=max(zone[3] for zone in check.zones),
            drawn=len(units),
            answered=result.answered,
            is_reached=result.is_reached,
        )


@contextmanager
def _as_problems() -> Iterator[None]:
    """Turn the errors of commands into answers with 404 or 400."""
    try:
        yield
    except NoSuchCheck as error:
        raise Problem(
            404,
            as_sentence(error.detail),
            remedy="Choose one from the list at /accuracy or /api/v1/accuracy.",
        ) from error
    except Misconfigured as error:
        raise Problem(400, as_sentence(str(error)), remedy="Correct this, and send it again.") from error
