"""The API's answers about accuracy checks."""

from __future__ import annotations

from frametally.actions.answers import Answer
from frametally.ports.picture_places import CheckedMetric, EventPlace
from frametally_accuracy.comparison import ModelDifference
from frametally_accuracy.records import CheckedBox, OtherChecks
from frametally_accuracy.results import CheckResult, Method, PastEstimate


class CheckSummary(Answer, frozen=True, kw_only=True):
    """A check; its other fields are those of `AccuracyCheck`.

    Attributes:
        id: Names it in paths.
        place: For crossings, the line as it was drawn when the check began; otherwise null.
        sources: Slugs.
        labels: Classes that are checked; of crossings, each in each direction, such as `car/to_right`.
        from_ms: Where its range begins; of all footage this is long before.
        to_ms: Where it ends, exclusive.
        first_ms: Event time of its first unit.
        last_ms: Event time of its last unit.
        wanted_width: Half-width that is enough, as a part of the total.
        planned_units: Number of units that was fixed before; 0 if people stop at will.
        units: Frames or pieces that it is about.
        drawn: Units that can be answered.
        answered: Units that are answered.
        is_reached: Whether the wanted width is reached.
        started_at_ms: When it was started.
    """

    id: str
    name: str
    metric: CheckedMetric
    place: EventPlace | None
    model: str
    sources: list[str]
    labels: list[str]
    from_ms: int
    to_ms: int
    first_ms: int
    last_ms: int
    seed: str
    wanted_width: float
    planned_units: int
    units: int
    drawn: int
    answered: int
    is_reached: bool
    started_by: str
    started_at_ms: int


class Checks(Answer, frozen=True, kw_only=True):
    """`/api/accuracy`: all checks, the newest first.

    Attributes:
        checks: The checks.
        metrics: The metrics that can be checked here.
        lines: Lines whose crossings can be checked, by source and name.
        changes_allowed: Whether you can start checks and answer units here.
        remedy: What to do if you cannot; null if you can.
    """

    checks: list[CheckSummary]
    metrics: list[CheckedMetric]
    lines: list[EventPlace]
    changes_allowed: bool
    remedy: str | None


class PlayedFrame(Answer, frozen=True, kw_only=True):
    """A frame of a piece that plays.

    Attributes:
        captured_at_ms: Event time; frames before the piece show the objects that are already there.
    """

    captured_at_ms: int
    image_url: str


class UnitToAnswer(Answer, frozen=True, kw_only=True):
    """A frame of the desk, or a piece; it never contains the model's counts of all units.

    Attributes:
        unit: Its number; send it with the answer.
        turn: Send it with the answer, too; 1 if the unit is shown again.
        captured_at_ms: Event time; for a piece, that of its first frame.
        to_ms: For a piece, the event time after its last frame; null for a frame.
        frames: For a piece, the frames to play, by time; empty for a frame, or if the footage is gone.
        image_path: Key of the frame; for a piece, of its first frame.
        width_px: Width of the frame.
        height_px: Height of the frame.
        boxes: The model's counted boxes in a frame, of the check's labels; empty for a piece.
        is_missing: Whether the store lacks its picture, or a frame of a piece; then answer `is_missing`.
    """

    unit: int
    turn: int
    source: str
    captured_at_ms: int
    to_ms: int | None
    frames: list[PlayedFrame]
    image_path: str
    image_url: str
    width_px: int
    height_px: int
    boxes: list[CheckedBox]
    is_missing: bool


class NextUnits(Answer, frozen=True, kw_only=True):
    """`/api/accuracy/{check}/next`: the next units, yours for two minutes.

    Attributes:
        units: None if all are answered, or others have the rest.
        answered: Units that are answered.
        used: Units of complete rounds, which the half-widths use.
        next_at: With how many answers the half-widths change next.
        missing: Units that cannot be judged, because a picture is missing.
        drawn: Units of the sample.
        metric: The counted metric.
        place: For crossings, the line as it was drawn when the check began; otherwise null.
        labels: Classes that are checked, as in `CheckSummary`.
        wanted_width: Half-width that is enough, as a part of the total.
        method: Method of the intervals in `half_widths`: for a size fixed before, or for stopping at will.
        half_widths: By label, as a part of the total; a label without one has too little to say.
        differences: By label on which people do not agree, by how much their answers differ on average.
        is_reached: Whether the wanted width is reached.
    """

    units: list[UnitToAnswer]
    answered: int
    used: int
    next_at: int
    missing: int
    drawn: int
    metric: CheckedMetric
    place: EventPlace | None
    labels: list[str]
    wanted_width: float
    method: Method
    half_widths: dict[str, float]
    differences: dict[str, float]
    is_reached: bool


class UnitAnswered(Answer, frozen=True, kw_only=True):
    """An answer that is kept.

    Attributes:
        unit: Number of the unit.
        turn: The turn that the answer became.
        answered: Units that are answered.
        is_reached: Whether the wanted width is reached.
    """

    unit: int
    turn: int
    answered: int
    is_reached: bool


class CheckAnswers(Answer, frozen=True, kw_only=True):
    """`/api/accuracy/{check}`: a check and its current result.

    Attributes:
        check: The check.
        result: Its current result.
        history: Its earlier results with fewer answers, for labels with enough answers.
        stale: Reasons why it no longer covers the counts, a sentence each; empty if it covers them.
        other_checks: Other checks of the same footage.
        compared: Comparison with the requested model; null if none was requested.
    """

    check: CheckSummary
    result: CheckResult
    history: list[PastEstimate]
    stale: list[str]
    other_checks: OtherChecks
    compared: list[ModelDifference] | None
