"""The settings that change counts, in a form for the job's tasks. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any, NamedTuple

from frametally.errors import Misconfigured
from frametally.rules.counted_boxes import (
    COUNTING_VERSION,
    MIN_CONFIDENCE,
    MIN_TRACKING_FPS,
    TRACK_GROUPS,
    TRACK_LABEL_CONFIDENCE,
    CountedBoxes,
    LabelGroups,
    checked_groups,
    label_groups,
)
from frametally.rules.hour_file import length_ms
from frametally.rules.known import HOUR_MARGIN_MS, TRACK_GAP_MS
from frametally.rules.overlaps import OverlapWinner
from frametally.rules.times import DAY_S

MARGIN_MS = HOUR_MARGIN_MS

NEW_ABOVE_STRONG = 1000
"""Ten-thousandths of confidence above the strong threshold that a box needs to begin a track (ByteTrack)."""


def label_thresholds(text: str) -> dict[str, int]:
    """Read the thresholds of labels, such as `car=0.4, bus=0.5`; `*` stands for all others.

    Raises `Misconfigured` for a label without a threshold from 0 to 1.
    """
    thresholds = {}
    for item in text.split(","):
        if not item.strip():
            continue
        label, _, number = item.partition("=")
        try:
            confidence = float(number)
        except ValueError:
            confidence = math.nan
        if not label.strip() or not 0 <= confidence <= 1:
            raise Misconfigured(
                f"FRAMETALLY_TRACK_LABEL_CONFIDENCE: {item.strip()!r} is not a label with a confidence "
                "from 0 to 1; write it like car=0.4,truck=0.4"
            )
        thresholds[label.strip()] = round(confidence * 10_000)
    return thresholds


_STRONG = label_thresholds(TRACK_LABEL_CONFIDENCE)


class TrackParams(NamedTuple):
    """Decides when boxes belong to one object.

    The thresholds and the gap are those published for ByteTrack (arXiv:2110.06864: 0.6, 0.1, 0.7, and 30
    frames, here at 10 a second), except for vehicles: 0.6 misses a quarter of them.

    Attributes:
        min_fps: Hundredths of a frame a second that footage must have been analysed at.
        strong: Ten-thousandths of confidence from which a box is strong.
        weak: Ten-thousandths of confidence from which a box may continue a track.
        gap_ms: How long a track lives on without a box.
        stitch_ms: Longest time between the end of a track and the start of another that continues it.
        strong_by_label: `(label, strong)` of labels that have their own threshold, sorted.
        fixed_labels: Labels whose tracks that never move are not objects, sorted.
        groups: `(name, labels)` of labels that are followed together, sorted; others are followed alone.
    """

    min_fps: int = round(MIN_TRACKING_FPS * 100)
    strong: int = _STRONG["*"]
    weak: int = 1000
    gap_ms: int = TRACK_GAP_MS
    stitch_ms: int = 5000
    strong_by_label: tuple[tuple[str, int], ...] = tuple(sorted(_STRONG.items() - {("*", _STRONG["*"])}))
    fixed_labels: tuple[str, ...] = ()
    groups: LabelGroups = label_groups(TRACK_GROUPS)

    def followed_with(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return labels and those followed together with one of them, sorted; empty means all."""
        together = [group for _, group in self.groups if not set(labels).isdisjoint(group)]
        return tuple(sorted({*labels, *(label for group in together for label in group)}))

    def group_of(self) -> dict[str, str]:
        """Return, by label, the label that represents its group; omits labels without a group."""
        return {label: min(group) for _, group in self.groups for label in group}

    def in_words(self) -> dict[str, Any]:
        """Return the params in users' units: frames a second, confidence from 0 to 1, seconds."""
        return {
            "min_fps": self.min_fps / 100,
            "strong_confidence": self.strong / 10_000,
            "weak_confidence": self.weak / 10_000,
            "gap_s": self.gap_ms / 1000,
            "stitch_s": self.stitch_ms / 1000,
            "strong_confidence_by_label": {label: strong / 10_000 for label, strong in self.strong_by_label},
            "fixed_labels": list(self.fixed_labels),
            "groups": {name: list(labels) for name, labels in self.groups},
        }


def from_fields(fields: dict[str, Any]) -> TrackParams:
    """Read a JSON object with the params' names; missing ones get their defaults.

    Raises `TypeError` for an unknown name or a wrong type; `Misconfigured` if a label is in two groups.
    """
    default = TrackParams()
    pairs = [(label, strong) for label, strong in fields.get("strong_by_label", default.strong_by_label)]
    labels = list(fields.get("fixed_labels", default.fixed_labels))
    groups = [(name, tuple(sorted(group))) for name, group in fields.get("groups", default.groups)]
    read = {
        "strong_by_label": tuple(sorted(pairs)),
        "fixed_labels": tuple(sorted(labels)),
        "groups": checked_groups(tuple(sorted(groups))),
    }
    params = TrackParams(**{**fields, **read})
    if not all(type(value) is int for value in [*params[:5], *(strong for _, strong in pairs)]):
        raise TypeError("the tracker's thresholds and times are whole numbers")
    texts = [
        *labels,
        *(label for label, _ in pairs),
        *(text for name, group in groups for text in (name, *group)),
    ]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("labels are text")
    return params


class CountParams(NamedTuple):
    """The counts to make, and how to make them.

    Attributes:
        min_confidence: As `min_side` and `labels`, see `CountedBoxes`.
        tracking: How unique objects are counted; None if they are not.
        overlaps: The rule for overlapping media; used in planning.
    """

    interval_s: int = 60
    min_confidence: int = round(MIN_CONFIDENCE * 10_000)
    min_side: int = 0
    labels: tuple[str, ...] = ()
    tracking: TrackParams | None = TrackParams()
    overlaps: OverlapWinner = "first"

    @property
    def unit_ms(self) -> int:
        """Return the length of a unit: whole hours that hold whole intervals and divide a day."""
        return length_ms(self.interval_s)

    @property
    def margin_ms(self) -> int:
        """Return how much footage before and after an hour is needed to count it."""
        return 0 if self.tracking is None else MARGIN_MS

    def units_near(self, time_ms: int) -> tuple[int, ...]:
        """Return the starts of the units that need a frame: its own, then any unit that it is near."""
        since_ms = time_ms % self.unit_ms
        own = time_ms - since_ms
        if since_ms < self.margin_ms:
            return own, own - self.unit_ms
        if since_ms >= self.unit_ms - self.margin_ms:
            return own, own + self.unit_ms
        return (own,)

    @property
    def counted_boxes(self) -> CountedBoxes:
        """Return which boxes count."""
        return CountedBoxes(self.min_confidence, self.min_side, self.labels)

    def digest(self) -> str:
        """Return 8 hex digits of what changes counts, without the interval (which the key has separately)."""
        identity = [COUNTING_VERSION, self.min_confidence, self.min_side, self.labels, self.tracking]
        if self.overlaps != "first":
            identity.append(self.overlaps)
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]

    def in_words(self) -> dict[str, Any]:
        """Return what changes counts, in users' units: confidence from 0 to 1, pixels, frames a second."""
        return {
            "counting_version": COUNTING_VERSION,
            "min_confidence": self.min_confidence / 10_000,
            "min_box_side_px": self.min_side / 10,
            "labels": list(self.labels),
            "overlaps": self.overlaps,
            "tracking": self.tracking and self.tracking.in_words(),
        }

    def to_argument(self) -> str:
        """Return the params as JSON in URL-safe base64, which every shell on the way leaves unchanged."""
        fields = self._asdict() | {"tracking": self.tracking and self.tracking._asdict()}
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


def parse_argument(argument: str) -> CountParams:
    """Read a job's `--params`: a JSON object or its URL-safe base64; if empty, use the defaults.

    Raises `Misconfigured` for anything else.
    """
    if not argument:
        return CountParams()
    try:
        text = argument if argument.lstrip().startswith("{") else base64.urlsafe_b64decode(argument.encode())
        fields = json.loads(text)
        tracking = fields.get("tracking", {})
        fields |= {"tracking": None if tracking is None else from_fields(tracking)}
        params = CountParams(**{**fields, "labels": tuple(sorted(fields.get("labels", ())))})
        whole = all(type(value) is int for value in params[:3]) and all(
            isinstance(label, str) for label in params.labels
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise Misconfigured(f"--params {argument[:200]!r} cannot be read: {error}") from error
    if not whole or params.interval_s < 1 or DAY_S % params.interval_s:
        raise Misconfigured(
            f"--params {argument[:200]!r}: give whole numbers, and an interval_s that divides 86,400"
        )
    return params
