"""The routes of the books: whether every frame is accounted for, and the latest runs."""

from __future__ import annotations

import datetime
import logging
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import get_args

from frametally import keys
from frametally.actions.answers import answer_of
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, Parameter, choice, page_limit, read_one, shortened
from frametally.actions.problems import bad_parameter, without_folders
from frametally.books.figures import LastReading
from frametally.books.quality_reports import read_reports
from frametally.books.status import open_dead_letters
from frametally.books.verdict import WORDS
from frametally.checkup.findings import Finding
from frametally.errors import Poison, Retryable
from frametally.ports.ledger import DeadFrame
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import Cause, DeadLetter, Run
from frametally.segments.contents import read_segment
from frametally.segments.dead_letters import REASONS, REMEDIES, mending_command
from frametally_web.books import answers
from frametally_web.books.context import Handlers
from frametally_web.charts.question import choose_model
from frametally_web.requests.addresses import image_url
from frametally_web.requests.query import MAX_PAGE_FRAMES, MODEL
from frametally_web.translations.texts import problem_text

_log = logging.getLogger(__name__)

BOOKS = Routes("Books")
_MOST_RUNS = 200
_RUNS = page_limit(10, _MOST_RUNS, "Maximum number in the answer")
_LETTERS = page_limit(24, MAX_PAGE_FRAMES, "Maximum number in the answer")
_CAUSE = choice("cause", "Only those with this cause; default: all.", ("", *get_args(Cause)), "checksum")


def _read_day(args: Args, name: str) -> str | None:
    day = read_one(args, name)
    if day is None:
        return None
    with suppress(ValueError):
        if datetime.date.fromisoformat(day).isoformat() == day:
            return day
    raise bad_parameter(
        name, f"{shortened(day)!r} is not a day.", remedy=f"Give a UTC day, such as {_A_DAY}."
    )


_A_DAY = "2024-05-01"
_DAY = Parameter(
    name="day",
    description="Only runs of this UTC day; default: all.",
    schema={"type": "string", "format": "date"},
    parse=_read_day,
    example=_A_DAY,
)


class BookRoutes(Handlers):
    """The handlers, over the ports and the data read in the background."""

    @BOOKS.route("GET runs", "List the latest runs with their quality reports.", MODEL, _DAY, _RUNS)
    def runs(self, args: Args) -> answers.Runs:
        """List the runs of a model that queries read, the newest day first."""
        limit, day = _RUNS.read(args), _DAY.read(args)
        chosen = choose_model(self.ports.index, MODEL.read(args))
        if chosen is None:
            return answers.Runs(model=None, runs=[], runs_left_out=0)
        runs = [
            run
            for run in self.ports.index.current_runs()
            if run.model == chosen.model and day in (None, run.day)
        ]
        runs.sort(key=lambda run: (run.day, run.interval_s), reverse=True)
        return answers.Runs(
            model=chosen.model,
            runs=[
                answer_of(answers.RunReport, (run,), quality=_quality(self.ports.store, run))
                for run in runs[:limit]
            ],
            runs_left_out=max(0, len(runs) - limit),
        )

    @BOOKS.route("GET status", "Show the books: what was announced, detected, counted and indexed.")
    def status(self, _: Args) -> answers.Books:
        return answer_books(self.books.reading())

    @BOOKS.route(
        "GET dead-letters",
        "List frames that could not be analysed: the picture, the cause, and the remedy.",
        _CAUSE,
        _LETTERS,
    )
    def dead_letters(self, args: Args) -> answers.DeadLetterFrames:
        """List the open dead letters of the books' model, newest frame first, those without a time last.

        The ledger lists them, and their segments have the reasons.
        """
        cause, limit = _CAUSE.read(args), _LETTERS.read(args)
        model = self.books.reading().status.model
        letters_open = open_dead_letters(self.ports.ledger, self.settings, model) if model else []
        frames = Counter(letter.cause for letter in letters_open)
        letters_open = [letter for letter in letters_open if cause in ("", letter.cause)]
        letters_open.sort(key=lambda letter: (-(letter.captured_at_ms or 0), letter.segment, letter.offset))
        page = letters_open[:limit]
        letters = {
            key: _letters_in(self.ports.store, key)
            for key in dict.fromkeys(letter.segment for letter in page)
        }
        return answers.DeadLetterFrames(
            model=model,
            causes=[
                answers.DeadLetterCause(
                    cause=cause,
                    frames=number,
                    reason=problem_text(REASONS.get(cause, cause)),
                    remedy=problem_text(REMEDIES.get(cause, "")),
                )
                for cause, number in sorted(frames.items())
            ],
            dead_letters=[_frame(letter, letters[letter.segment].get(letter.offset)) for letter in page],
            dead_letters_left_out=len(letters_open) - len(page),
        )


def answer_books(reading: LastReading, language: str | None = None) -> answers.Books:
    """Return the API's answer for the books, its sentences in a language, by default the request's."""
    status, translate = reading.status, partial(problem_text, code=language)

    def in_words(finding: Finding) -> str:
        return without_folders(finding.in_words(translate))

    def opened(finding: Finding) -> answers.OpenNeed:
        action = translate(finding.action) if finding.page else ""
        line = in_words(finding)
        return answer_of(answers.OpenNeed, (finding,), kind=finding.area, line=line, action=action)

    newest = [line.newest_captured_at_ms for line in status.sources if line.newest_captured_at_ms is not None]
    until = [line.footage_until_ms for line in status.sources if line.footage_until_ms is not None]
    return answer_of(
        answers.Books,
        (reading, status, status.pace),
        state=WORDS[status.exit_code],
        newest_captured_at_ms=max(newest, default=None),
        footage_until_ms=max(until, default=None),
        sources=[
            answer_of(answers.SourceBooks, (line,), name=line.source_name, timed_by_file=line.file_time)
            for line in status.sources
        ],
        stages=[answer_of(answers.StageBooks, (stage,)) for stage in status.stages],
        log=answers.LogBooks(messages=status.log_messages, committed=status.log_committed),
        behind=[in_words(finding) for finding in status.behind],
        broken=[in_words(finding) for finding in status.broken],
        needs=[opened(finding) for finding in status.needs],
        notices=[opened(finding) for finding in status.notices],
        model_input=without_folders(status.model_input),
        lost_messages=sum(loss.messages for loss in status.lost),
        dead_letters=[
            answers.DeadLetters(
                cause=cause,
                frames=frames,
                since_ms=status.dead_letters_since_ms.get(cause),
                reason=translate(REASONS.get(cause, cause)),
                command=f"frametally dead-letters list --cause {cause}",
            )
            for cause, frames in status.dead_letters.items()
        ],
    )


def _quality(store: ObjectStore, run: Run) -> answers.Quality | None:
    reports, damaged = read_reports(store, [run])
    for finding in damaged:
        _log.warning("%s", finding.line)
    if not reports:
        return None
    checks = [answer_of(answers.Check, (check,)) for check in reports[0].checks]
    return answer_of(answers.Quality, (reports[0],), passed=not reports[0].failed, checks=checks)


# The meaning of a reason, for those who run the consumers.
_SETTING = re.compile(r" \(FRAMETALLY_\w+\)")


def _letters_in(store: ObjectStore, segment: str) -> dict[int, DeadLetter]:
    letters: Iterable[DeadLetter] = ()
    try:
        letters = read_segment(store, segment).dead_letters()
    except (Poison, Retryable, ObjectMissing) as error:
        _log.warning("frametally cannot read the dead letters of %s: %s", segment, error)
    return {letter.offset: letter for letter in letters}


def _frame(dead: DeadFrame, letter: DeadLetter | None) -> answers.DeadLetterFrame:
    letter_id = keys.dead_letter_id(dead.segment, dead.offset)
    path = letter.image_path if letter else None
    return answer_of(
        answers.DeadLetterFrame,
        (dead,),
        id=letter_id,
        reason=_reason(letter, dead.cause),
        remedy=problem_text(REMEDIES.get(dead.cause, "")),
        command=mending_command(letter_id, dead.cause),
        source=dead.source or None,
        image_path=path,
        image_url=image_url(path) if path else None,
    )


def _reason(letter: DeadLetter | None, cause: str) -> str:
    if letter is None or cause == "missing":  # for a missing object, the sentence only names the store
        return problem_text(REASONS.get(cause, cause))
    return without_folders(_SETTING.sub("", letter.reason))
