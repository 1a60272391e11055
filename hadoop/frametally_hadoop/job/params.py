"""The settings that change counts, as they travel to the job's tasks. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.rules.times import DAY_S
from frametally_hadoop.job.tracks.params import TrackParams, from_fields

COUNTING_VERSION = 2
"""Raised whenever the same segments and settings would give other part files: all days are then stale."""


class CountParams(NamedTuple):
    """What and how to count.

    Attributes:
        interval_s: Length of the base interval in seconds.
        min_confidence: Ten-thousandths of confidence from which on a box is counted.
        min_side: Tenths of a pixel that a box's shorter side must have.
        labels: Labels to count, sorted; empty: all.
        tracking: How unique objects are told; None: they are not counted.
    """

    interval_s: int = 60
    min_confidence: int = 2500
    min_side: int = 0
    labels: tuple[str, ...] = ()
    tracking: TrackParams | None = TrackParams()

    def digest(self) -> str:
        """8 hex over what changes counts, but the interval (it stands in the key beside it)."""
        identity = [COUNTING_VERSION, self.min_confidence, self.min_side, self.labels, self.tracking]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]

    def to_argument(self) -> str:
        """For a command line: URL-safe base64 of JSON, which every shell on the way leaves as it is."""
        fields = self._asdict() | {"tracking": self.tracking and self.tracking._asdict()}
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


def count_params(
    *,
    interval_s: int,
    min_confidence: float,
    min_side_px: float,
    labels: str = "",
    tracking: TrackParams | None = TrackParams(),  # noqa: B008  # immutable
) -> CountParams:
    """The params of settings as people write them: 0 to 1, pixels, labels separated by commas."""
    return CountParams(
        interval_s=interval_s,
        min_confidence=_at_least(min_confidence, 10_000),
        min_side=_at_least(min_side_px, 10),
        labels=tuple(sorted({label.strip() for label in labels.split(",")} - {""})),
        tracking=tracking,
    )


def parse_argument(argument: str) -> CountParams:
    """The params in a job's `--params`: a JSON object, or its URL-safe base64; empty: the defaults.

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


def _at_least(value: float, units: int) -> int:
    """The smallest whole number of units that is not below `value`; rounded first, as 0.07 * 100 is 7.0…1."""
    return math.ceil(round(value * units, 6))
