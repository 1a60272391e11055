"""The settings that change counts, as they travel to the job's tasks. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, NamedTuple

from frametally.errors import Misconfigured
from frametally.rules.counted_boxes import COUNTING_VERSION, CountedBoxes
from frametally.rules.overlaps import OverlapWinner
from frametally.rules.times import DAY_S
from frametally_hadoop.job.tracks.params import TrackParams, from_fields


class CountParams(NamedTuple):
    """What and how to count.

    Attributes:
        interval_s: Length of the base interval in seconds.
        min_confidence: As `min_side` and `labels`, see `CountedBoxes`.
        tracking: How unique objects are told; None: they are not counted.
        overlaps: Which of overlapping media counts; planning goes by it.
    """

    interval_s: int = 60
    min_confidence: int = 2500
    min_side: int = 0
    labels: tuple[str, ...] = ()
    tracking: TrackParams | None = TrackParams()
    overlaps: OverlapWinner = "first"

    @property
    def counted_boxes(self) -> CountedBoxes:
        """Return which boxes count."""
        return CountedBoxes(self.min_confidence, self.min_side, self.labels)

    def digest(self) -> str:
        """Return 8 hex over what changes counts, without the interval (it stands in the key beside it)."""
        identity = [COUNTING_VERSION, self.min_confidence, self.min_side, self.labels, self.tracking]
        if self.overlaps != "first":  # counts of earlier versions, where nothing overlaps, are such counts
            identity.append(self.overlaps)
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]

    def in_words(self) -> dict[str, Any]:
        """Return what changes counts, as people set it: of confidence 0 to 1, pixels, frames a second."""
        return {
            "counting_version": COUNTING_VERSION,
            "min_confidence": self.min_confidence / 10_000,
            "min_box_side_px": self.min_side / 10,
            "labels": list(self.labels),
            "overlaps": self.overlaps,
            "tracking": self.tracking and self.tracking.in_words(),
        }

    def to_argument(self) -> str:
        """Return URL-safe base64 of the params as JSON, which every shell on the way leaves as it is."""
        fields = self._asdict() | {"tracking": self.tracking and self.tracking._asdict()}
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


def parse_argument(argument: str) -> CountParams:
    """Read a job's `--params`: a JSON object, or its URL-safe base64; empty: the defaults.

    Raises:
        Misconfigured: Anything else.
    """
    if not argument:
        return CountParams()
    try:
        text = argument if argument.lstrip().startswith("{") else base64.urlsafe_b64decode(argument.encode())
        given = json.loads(text)
        tracking = given.get("tracking", {})
        given |= {"tracking": None if tracking is None else from_fields(tracking)}
        params = CountParams(**{**given, "labels": tuple(sorted(given.get("labels", ())))})
        whole = all(type(value) is int for value in params[:3]) and all(
            isinstance(label, str) for label in params.labels
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise Misconfigured(f"--params {argument[:200]!r} cannot be read: {error}") from error
    if not whole or params.interval_s < 1 or DAY_S % params.interval_s:
        raise Misconfigured(
            f"--params {argument[:200]!r}: whole numbers are needed, and an interval_s that divides 86,400"
        )
    return params
