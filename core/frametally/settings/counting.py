"""Defines the counting job's settings: the boxes that count, tracking, and the engines."""

from __future__ import annotations

from typing import Literal

from frametally.rules.counted_boxes import (
    MIN_CONFIDENCE,
    MIN_TRACKING_FPS,
    TRACK_GROUPS,
    TRACK_LABEL_CONFIDENCE,
    CountedBoxes,
)
from frametally.rules.overlaps import OverlapWinner
from frametally.rules.times import DAY_S
from frametally.settings.fields import Field, SettingsPart


def _divides_a_day(interval_s: int) -> int:
    if DAY_S % interval_s:
        raise ValueError(
            f"{interval_s} s does not divide a day (86,400 s) evenly; use 1, 5, 60, 300, 900 or 3600"
        )
    return interval_s


class CountingSettings(SettingsPart):
    """The counting job's settings."""

    interval_s: int = Field(
        60,
        check=_divides_a_day,
        ge=1,
        le=DAY_S,
        description="Stored base interval in seconds; must divide a day.",
    )
    count_min_confidence: float = Field(
        MIN_CONFIDENCE, ge=0, lt=1, description="Minimum confidence of a counted box."
    )
    count_min_side_px: float = Field(
        0.0,
        ge=0,
        description="Minimum length of a counted box's shorter side, in pixels of the stored frame it is in.",
    )
    count_labels: str = Field("", description="Labels to count, separated by commas; if empty, all.")
    count_objects: bool = Field(
        True, description="Whether to count unique objects (visits), by tracking boxes through time."
    )
    count_overlaps: OverlapWinner = Field(
        "first",
        description="Which media count if media of one source overlap in time: the one that begins "
        "`first` or `last`, or `all`.",
    )
    min_tracking_fps: float = Field(
        MIN_TRACKING_FPS,
        ge=0,
        le=1000,
        description="Analysed frames per second below which unique objects are not counted; 10% less "
        "is enough.",
    )
    track_label_confidence: str = Field(
        TRACK_LABEL_CONFIDENCE,
        description="Confidence of strong boxes by label, `*` for all others (0.6 without it); a box "
        "0.1 above it begins a track.",
    )
    track_fixed_labels: str = Field(
        "",
        description="Labels whose motionless tracks do not count as objects, separated by commas; "
        "if empty, none.",
    )
    track_groups: str = Field(
        TRACK_GROUPS,
        description="Groups of labels that a model confuses: the weaker of two boxes of one object is "
        "dropped, and they are tracked together, so an object gets one label by vote. Part of the model id.",
    )
    runner: Literal["inline", "local", "hadoop", "spark"] = Field(
        "inline", description="Engine of the counting job."
    )
    hadoop_python: str = Field("python3", description="Command that runs Python on the cluster's nodes.")
    hadoop_jobconf: str = Field(
        "", description="Properties of the job, such as `mapreduce.map.memory.mb=1024`, separated by commas."
    )
    spark_master: str = Field(
        "local[*]",
        description="Spark's master or, as `sc://HOST:PORT`, Spark Connect server, for the `spark` engine; "
        "`local[*]` uses this machine's cores.",
    )

    def counted_boxes(self) -> CountedBoxes:
        """Return which boxes the deployment counts."""
        return CountedBoxes.from_limits(
            min_confidence=self.count_min_confidence,
            min_side_px=self.count_min_side_px,
            labels=self.count_labels,
        )
