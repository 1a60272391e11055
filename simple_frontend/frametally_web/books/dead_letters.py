"""The answer of `/api/dead-letters`: frames that could not be analysed, why, and what mends them."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable

from frametally import keys
from frametally.books.status import open_dead_letters
from frametally.errors import Poison, Retryable
from frametally.ports.ledger import DeadFrame
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import DeadLetter
from frametally.segments.contents import read_segment
from frametally.segments.dead_letters import REASONS, REMEDIES, mending_command
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.books import answers
from frametally_web.requests.problems import without_folders

_log = logging.getLogger(__name__)

# What a reason says to those who run the consumers.
_SETTING = re.compile(r" \(FRAMETALLY_\w+\)")


def list_dead_letters(
    ports: DashboardPorts,
    settings: Settings,
    model: str | None,
    *,
    cause: str | None,
    limit: int,
    image_url: Callable[[str], str],
) -> answers.DeadLetterFrames:
    """Return the open dead letters of the books' model, the newest frame first, those without a time last.

    The ledger knows which there are, their segments what was wrong.
    """
    letters_open = open_dead_letters(ports.ledger, settings, model) if model else []
    frames = Counter(letter.cause for letter in letters_open)
    letters_open = [letter for letter in letters_open if cause is None or letter.cause == cause]
    letters_open.sort(key=lambda letter: (-(letter.captured_at_ms or 0), letter.segment, letter.offset))
    page = letters_open[:limit]
    letters = {key: _letters_in(ports.store, key) for key in dict.fromkeys(letter.segment for letter in page)}
    return answers.DeadLetterFrames(
        model=model,
        causes=[
            answers.DeadLetterCause(
                cause=cause, frames=number, reason=REASONS.get(cause, cause), remedy=REMEDIES.get(cause, "")
            )
            for cause, number in sorted(frames.items())
        ],
        dead_letters=[
            _frame(letter, letters[letter.segment].get(letter.offset), image_url) for letter in page
        ],
        dead_letters_left_out=len(letters_open) - len(page),
    )


def _letters_in(store: ObjectStore, segment: str) -> dict[int, DeadLetter]:
    letters: Iterable[DeadLetter] = ()
    try:
        letters = read_segment(store, segment).dead_letters()
    except (Poison, Retryable, ObjectMissing) as error:
        _log.warning("frametally cannot read the dead letters of %s: %s", segment, error)
    return {letter.offset: letter for letter in letters}


def _frame(
    dead: DeadFrame, letter: DeadLetter | None, image_url: Callable[[str], str]
) -> answers.DeadLetterFrame:
    letter_id = keys.dead_letter_id(dead.segment, dead.offset)
    path = letter.image_path if letter else None
    return answers.DeadLetterFrame(
        id=letter_id,
        cause=dead.cause,
        reason=_reason(letter, dead.cause),
        remedy=REMEDIES.get(dead.cause, ""),
        command=mending_command(letter_id, dead.cause),
        source=dead.source or None,
        captured_at_ms=dead.captured_at_ms,
        image_path=path,
        image_url=image_url(path) if path else None,
    )


def _reason(letter: DeadLetter | None, cause: str) -> str:
    if letter is None or cause == "missing":  # of which the sentence names the store, and no more
        return REASONS.get(cause, cause)
    return without_folders(_SETTING.sub("", letter.reason))
