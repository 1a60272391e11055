"""Answers about the work itself: runs, and the books."""

from __future__ import annotations

from typing import Literal

from frametally.actions.answers import Answer


class Check(Answer, frozen=True, kw_only=True):
    """One check of a run: `passed` is null if unknown, `details` are the first lines on it."""

    name: str
    passed: bool | None
    count: int
    details: list[str]


class Quality(Answer, frozen=True, kw_only=True):
    """A run's quality report. `passed`: whether no check failed."""

    passed: bool
    detections: int
    lines_dead: int
    checks: list[Check]


class RunReport(Answer, frozen=True, kw_only=True):
    """A day's current run. `quality` is null if it has no report that can be read."""

    run_id: str
    day: str
    interval_s: int
    params: str
    frames: int
    duplicates_dropped: int
    quality: Quality | None


class Runs(Answer, frozen=True, kw_only=True):
    """`/api/runs`: the newest day first. `runs_left_out` says how many older ones there are."""

    model: str | None
    runs: list[RunReport]
    runs_left_out: int


class SourceBooks(Answer, frozen=True, kw_only=True):
    """A source's line of the books, in distinct frames.

    expected = announced = detected + dead_lettered + forgotten + overlapped, and
    detected = counted = indexed. `overlapped` do not count, as another medium of the source has their moment.
    `newest_captured_at_ms` is the event time of the newest frame detected, `footage_until_ms` that of the
    newest announced, and up to `counted_until_ms` it is in the count index. `shows_nothing_s` are seconds of
    its footage in there that show nothing, by reason: black, one_colour or frozen.
    """

    source: str
    name: str
    expected: int
    announced: int
    detected: int
    dead_lettered: int
    forgotten: int
    overlapped: int
    counted: int
    indexed: int
    producing: bool
    timed_by_file: bool
    newest_captured_at_ms: int | None
    footage_until_ms: int | None
    counted_until_ms: int | None
    shows_nothing_s: dict[str, float]


class StageBooks(Answer, frozen=True, kw_only=True):
    """How far a stage is behind the one before it, and the command that catches up."""

    stage: str
    frames_behind: int
    command: str


class LogBooks(Answer, frozen=True, kw_only=True):
    """Messages on the log, and those that the model's consumers have committed."""

    messages: int
    committed: int


class DeadLetters(Answer, frozen=True, kw_only=True):
    """Open dead letters of one cause: its meaning, and the command that lists them.

    Attributes:
        since_ms: When the oldest segment that has one was stored; null while the store is unavailable.
    """

    cause: str
    frames: int
    since_ms: int | None
    reason: str
    command: str


class DeadLetterFrame(Answer, frozen=True, kw_only=True):
    """A frame that could not be analysed; its other fields are those of `DeadLetterCause`.

    Attributes:
        id: Its name in `frametally dead-letters`.
        command: The command that settles it after that.
        source: Slug; null if its message does not have it.
        captured_at_ms: Event time; null if its message does not have it.
        image_path: Key of the frame; null if its message does not have it.
        image_url: Address of the JPEG on this server; null if there is no JPEG.
    """

    id: str
    cause: str
    reason: str
    remedy: str
    command: str
    source: str | None
    captured_at_ms: int | None
    image_path: str | None
    image_url: str | None


class DeadLetterCause(Answer, frozen=True, kw_only=True):
    """Why frames could not be analysed, and how many.

    Attributes:
        cause: The cause, as a word.
        frames: How many open dead letters have it.
        reason: The reason, as a sentence.
        remedy: The remedy.
    """

    cause: str
    frames: int
    reason: str
    remedy: str


class DeadLetterFrames(Answer, frozen=True, kw_only=True):
    """`/api/dead-letters`: open dead letters of the books' model.

    Attributes:
        model: The model of the books; null before there is one.
        causes: Every cause, also in an answer about one cause.
        dead_letters: The newest frame first, those without a time last.
        dead_letters_left_out: How many more there are.
    """

    model: str | None
    causes: list[DeadLetterCause]
    dead_letters: list[DeadLetterFrame]
    dead_letters_left_out: int


class OpenNeed(Answer, frozen=True, kw_only=True):
    """Something that a person must do or should know.

    Attributes:
        kind: What it belongs to, such as `books`, `frames`, `disk`, `camera`, `job`, `backup`, `model`, or
            `part` (a part that does not respond or cannot start).
        number: Number of such things.
        line: The problem, and what to do about it.
        page: The page for it; empty if no page can help.
        action: The text of a button that opens this page; empty without a page.
        name: The thing, such as the name of a camera; may be empty.
    """

    kind: str
    number: int
    line: str
    page: str
    action: str
    name: str


class Books(Answer, frozen=True, kw_only=True):
    """`/api/status`: the books of the model published last.

    Attributes:
        as_of_ms: When they were read, by the server's clock.
        model: The model; null before there is one.
        state: `settled`, `behind` (work is left, or under way) or `broken`.
        newest_captured_at_ms: Event time of the newest frame detected; null if there is none.
        footage_until_ms: Event time of the newest frame announced; null if there is none.
        counted_at_ms: When the newest day of event time was counted last; null before it was.
        newest_segment_at_ms: When the newest segment was stored; null if there is none.
        sources: By slug.
        stages: In the order of the path.
        log: Progress in reading the log.
        frames_per_s: Pace of the last minute; null if unknown.
        eta_s: Seconds that the waiting messages of the log take at that pace; null if the pace is unknown.
        lost_messages: Messages that the log had removed before they were read.
        dead_letters: By cause.
        behind: The remaining work, one line each.
        broken: Problems that need a person, one line each.
        needs: Everything that waits for a person, the books first, with what is in `broken`.
        notices: What you should know: footage that shows nothing, and doubtful runs.
        model_input: Whether the input of a user's own network fits the footage, on which footage and when it
            was tested, or that it was not; empty for other models.
    """

    as_of_ms: int
    model: str | None
    state: Literal["settled", "behind", "broken"]
    newest_captured_at_ms: int | None
    footage_until_ms: int | None
    counted_at_ms: int | None
    newest_segment_at_ms: int | None
    sources: list[SourceBooks]
    stages: list[StageBooks]
    log: LogBooks
    frames_per_s: float | None
    eta_s: float | None
    lost_messages: int
    dead_letters: list[DeadLetters]
    behind: list[str]
    broken: list[str]
    needs: list[OpenNeed]
    notices: list[OpenNeed]
    model_input: str
