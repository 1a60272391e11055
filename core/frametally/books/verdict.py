"""Judges the books: which stage is behind or broken, the exit code, and everything that needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from frametally import keys
from frametally.checkup.findings import (
    SEVERITIES,
    Finding,
    Glance,
    disk_row,
    distinct,
    plugin_findings,
)
from frametally.checkup.last_backup import find_last_backup
from frametally.errors import Poison
from frametally.media.manifests import find_record, read_records
from frametally.model_records import NOT_TESTED, InputCheck, assignment
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.rules.times import utc
from frametally.settings.loading import Settings

CATCH_UP = "frametally consume --until-caught-up"
SETTLED, BEHIND, BROKEN = (SEVERITIES[grade].status for grade in ("good", "behind", "broken"))
WORDS: dict[int, Literal["settled", "behind", "broken"]] = {
    SETTLED: "settled",
    BEHIND: "behind",
    BROKEN: "broken",
}


REFUSALS: list[str] = []
"""Why this process does not start the commands that its pages need, one line each; only a restart helps."""


def find_open(look: Glance) -> Iterator[Finding]:
    """Yield everything that waits for a person, apart from the books.

    Raises:
        Retryable: The store is unavailable.
    """
    disk = disk_row(look.settings)
    if look.has_time or not disk.good:
        yield disk
    yield from (Finding("part", "", "", remedy=line) for line in REFUSALS)
    yield from _refused_models(look.store)
    yield from find_last_backup(look)
    yield from distinct(plugin_findings(look))


def _refused_models(store: ObjectStore) -> Iterator[Finding]:
    """Yield each model with detections whose input does not fit, until its file fits with another setting."""
    try:
        checks = list(read_records(store, keys.INPUT_CHECKS, InputCheck))
    except Poison as error:
        yield Finding("part", "", "", remedy=str(error))
        return
    fitting = {check.sha256 for check in checks if check.is_passed}
    for check in checks:
        folder = f"{keys.METADATA}/model={check.model}"
        if check.better and check.sha256 not in fitting and next(store.list(folder), None) is not None:
            yield tested_model(check)


def tested_model(check: InputCheck) -> Finding:
    """Return how the input of a user's own network fits the footage, by its last test."""
    remedy = f"set {assignment(check.better)}" if check.better else ""
    return Finding("model", check.model, check.in_words(), "", remedy, "/models")


def model_input(settings: Settings, store: ObjectStore, model: str | None) -> str:
    """Return how the input of a user's own network fits the footage, by its last test, as one line.

    `model` is the ID of the model in use. Empty if it is not such a network, or if there is none.
    """
    key = keys.input_check_key(model or "")
    info = store.head(key)
    try:
        check = info and find_record(store, key, InputCheck)
    except Poison as error:
        return str(error)
    if not info or not check:
        return "" if settings.model_onnx is None else f"{settings.model_onnx.name}: {NOT_TESTED}"
    tested = f"; tested {utc(info.modified_at_ms)[:16]} UTC" if info.modified_at_ms else ""
    return f"{check.model} {check.in_words()}{tested}"


class SourceLine(NamedTuple):
    """One source's line of the books, in distinct frames.

    Attributes:
        expected: Frames that the sampling of its media selects.
        announced: Frames announced on the log.
        detected: Frames with detections that count.
        dead_lettered: Frames with dead letters only.
        counted: Frames in the current runs.
        indexed: Frames in the count index.
        producing: Whether a medium has not been announced completely.
        capturing: Whether such a medium is a minute of a camera, still captured or interrupted.
        file_time: Whether a medium's time is only its file's modification date.
        forgotten: Forgotten frames in segments, of media that are not completely forgotten.
        overlapped: Frames in segments that do not count because another medium covers their time.
        newest_captured_at_ms: Event time of the newest frame in a segment, or None.
        footage_until_ms: Event time of the newest announced frame, or None.
        counted_until_ms: Event time up to which the count index has the source, or None.
        shows_nothing_s: Seconds of its indexed footage that show nothing, by reason.
        shows_nothing_share: The largest share of a day's indexed frames that show nothing.
    """

    source: str
    source_name: str
    expected: int
    announced: int
    detected: int
    dead_lettered: int
    counted: int
    indexed: int
    producing: bool
    capturing: bool
    file_time: bool
    forgotten: int
    overlapped: int
    newest_captured_at_ms: int | None
    footage_until_ms: int | None
    counted_until_ms: int | None
    shows_nothing_s: Mapping[str, float] = {}
    shows_nothing_share: float = 0.0

    @property
    def handled(self) -> int:
        """Frames in segments."""
        return self.detected + self.dead_lettered + self.forgotten + self.overlapped


class StageLine(NamedTuple):
    """How far one stage is behind the one before it, and the command that catches up."""

    stage: str
    frames_behind: int
    command: str


def stages_behind(
    sources: Sequence[SourceLine], *, messages_waiting: int, detect: str = CATCH_UP
) -> list[StageLine]:
    """Return how far each stage is behind, from the sources' lines and the messages waiting on the log.

    `detect` is the command that processes these messages.
    """
    to_announce = sum(max(books.expected - books.announced, 0) for books in sources)
    to_count = sum(abs(books.detected - books.counted) for books in sources)
    to_index = sum(abs(books.counted - books.indexed) for books in sources)
    return [
        StageLine("produce", to_announce, "frametally produce"),
        StageLine("consume", messages_waiting, detect),
        StageLine("aggregate", to_count, "frametally aggregate"),
        StageLine("index", to_index, "frametally index"),
    ]


def judge(
    sources: Sequence[SourceLine],
    *,
    uncounted_frames: Mapping[str, int],
    drained: bool,
    correcting: bool,
    has_damage: bool = False,
    detect: str = CATCH_UP,
    again: str = CATCH_UP,
) -> Iterator[Finding]:
    """Yield the remaining work of each source, and what needs a person.

    Args:
        sources: The books.
        uncounted_frames: Frames in segments that no longer count, by source; older counts may have them.
        drained: Whether every announced message is known to be in a segment.
        correcting: Whether a correction of a medium is in progress, with its frames in no manifest yet.
        has_damage: Whether the model has damaged segments, in which missing frames may be.
        detect: The command that makes the model detect waiting frames.
        again: The command that makes the model detect frames whose messages are gone.
    """
    for books in sources:
        name, handled = books.source_name, books.handled
        if books.producing or books.announced < books.expected:
            yield work_left(name, *_unread(books))
        elif correcting:
            pass
        elif handled > books.announced or books.announced > books.expected:
            yield broken(
                name,
                f"expected {books.expected} and announced {plural(books.announced, 'frame')}, but "
                f"analysed, dead-lettered, forgotten and overlapped are {handled}: no footage accounts for "
                "these frames",
            )
        elif handled < books.announced and drained:
            frames = plural(books.announced - handled, "announced frame is", "announced frames are")
            yield (
                broken(name, f"{frames} in no readable segment", "restore the damaged ones first")
                if has_damage
                else broken(
                    name,
                    f"{frames} in no segment although the log is drained",
                    f"run `{again}`, or `frametally forget` its media and produce them again",
                )
            )
        elif handled < books.announced:
            frames = plural(books.announced - handled, "frame")
            yield work_left(name, f"{frames} to detect", f"run `{detect}`")
        may_be_too_many = uncounted_frames.get(books.source, 0)
        yield from _compare(name, books.detected, books.counted, may_be_too_many, _COUNT)
        yield from _compare(name, books.counted, books.indexed, may_be_too_many, _INDEX)


def work_left(name: str, value: str, remedy: str) -> Finding:
    """Return work of the books that is left, which the command in `remedy` does."""
    return Finding("books", name, value, "", remedy, "/books", severity="behind")


def broken(name: str, value: str, remedy: str = "") -> Finding:
    """Return frames that the books do not account for."""
    return Finding("books", name, value, "", remedy, "/books", severity="broken")


def _unread(books: SourceLine) -> tuple[str, str]:
    """Return what a source has not announced, and how to announce it."""
    left = books.expected - books.announced
    problem = f"{plural(left, 'frame')} to announce" if left > 0 else "a file was not read to the end"
    if not books.capturing:
        return problem, "run `frametally produce` on its files again"
    return (
        problem if left > 0 else "its camera is still recording this minute",
        "it continues while `frametally live work` is running, and `frametally live stop` ends it",
    )


class _Step(NamedTuple):
    verb: str
    done: str
    before: str
    command: str


_COUNT = _Step("count", "counted", "detected", "frametally aggregate")
_INDEX = _Step("index", "indexed", "counted", "frametally index")


def _compare(
    source: str,
    left: int,
    right: int,
    may_be_too_many: int,
    step: _Step,
) -> Iterator[Finding]:
    command = f"run `{step.command}`"
    if right < left:
        yield work_left(source, f"{plural(left - right, 'frame')} to {step.verb}", command)
    elif 0 < right - left <= may_be_too_many:
        frames = plural(right - left, "frame that no longer counts is", "frames that no longer count are")
        yield work_left(source, f"{frames} still {step.done}", command)
    elif right > left:
        yield broken(source, f"{plural(right, 'frame')} {step.done}, but only {left} {step.before}")
