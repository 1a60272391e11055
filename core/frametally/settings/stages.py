"""Every setting: its name, default, unit and one sentence.

A setting is read from the environment (`FRAMETALLY_<NAME>`), then from the component folder's `.env`, then
from the root's `.env` (the current folder's).
"""

from __future__ import annotations

import datetime
import difflib
import os
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal, Self

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import SettingsConfigDict

from frametally.errors import Misconfigured
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.times import DAY_S
from frametally.settings.servers import ServerSettings
from frametally.settings.web import WebSettings

ENV_PREFIX = "FRAMETALLY_"

COMPONENT_FOLDERS = {
    "producer": "producer",
    "consumer": "consumer",
    "hadoop": "hadoop",
    "search": "elasticsearch",
    "web": "simple_frontend",
}


def _default_models_dir() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "frametally" / "models"


def _known_timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no IANA time zone; an example of one is Europe/Berlin") from error
    return name


def _divides_a_day(interval_s: int) -> int:
    if DAY_S % interval_s:
        raise ValueError(f"{interval_s} s does not divide a day (86,400 s); 1, 5, 60, 300, 900 and 3600 do")
    return interval_s


def _sampling(value: str) -> str:
    if value == "all":
        return value
    try:
        fps = float(value)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 1000:
        raise ValueError(f"{value!r} is neither 'all' nor a number of frames a second above 0, at most 1000")
    return f"{fps:g}"


class Settings(WebSettings, ServerSettings):
    """All settings of one process, read once at its start."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    # Where things are kept.
    data_dir: Path = Field(
        Path("frametally-data"), description="Folder of the embedded store, log and index."
    )
    store_url: str = Field("", description="Object store; empty: files in `<data_dir>/store`.")
    log_url: str = Field("", description="Frame log; empty: SQLite in `<data_dir>/log.sqlite`.")
    index_url: str = Field("", description="Count index; empty: SQLite in `<data_dir>/index.sqlite`.")
    ledger_url: str = Field("", description="Ledger; empty: SQLite in `<data_dir>/ledger.sqlite`.")
    models_dir: Path = Field(
        default_factory=_default_models_dir,
        description="Cache of downloaded models, shared by all checkouts.",
    )

    # The log.
    topic: str = Field(
        "frames", pattern=r"^[a-zA-Z0-9._-]{1,100}$", description="Log topic that frames are announced on."
    )
    log_partitions: int = Field(6, ge=1, le=1000, description="Partitions of a topic that is made anew.")
    lease_s: float = Field(
        10.0, gt=0, description="Seconds without a poll after which a consumer's partitions go to others."
    )

    # The producer.
    sample_fps: Annotated[str, AfterValidator(_sampling)] = Field(
        "5", description="Frames a second taken from a video; `all` takes every frame."
    )
    timezone: Annotated[str, AfterValidator(_known_timezone)] = Field(
        "UTC", description="IANA time zone of times that come without one."
    )
    time_pattern: str = Field(
        "", description="strptime pattern of the time in a file's name, such as `cam_%Y%m%d_%H%M%S`."
    )
    file_time: bool = Field(
        True,
        description="Whether a file's modification date may serve as event time when there is no better one.",
    )
    max_side_px: int = Field(
        0,
        ge=0,
        description="Longest side of a stored frame in pixels, larger ones are shrunk; 0 keeps their size.",
    )
    jpeg_quality: int = Field(90, ge=1, le=100, description="JPEG quality of stored frames, 1 to 100.")
    max_image_megapixels: int = Field(
        50,
        ge=1,
        le=1000,
        description="Millions of pixels above which a picture is refused, read from its header.",
    )

    min_free_disk_mb: int = Field(
        500,
        ge=0,
        description="Megabytes that stay free on the disk of the embedded store and log; the producer waits.",
    )
    watch_still_s: float = Field(
        5.0,
        gt=0,
        description="Seconds for which a watched file's size and date must have been still to be taken.",
    )
    gap_s: float = Field(
        0.0,
        ge=0,
        description="Seconds without footage that a dry run calls a gap; 0: ten times the usual step.",
    )

    # The consumer.
    detector: Literal["auto", "opencv", "openvino", "onnxruntime", "pixels"] = Field(
        "auto",
        description=(
            "What finds objects: `opencv`, `openvino` or `onnxruntime` run a network, `auto` takes the "
            "fastest that is installed and stays with it; `pixels` finds bright patches."
        ),
    )
    precision: Literal["f32", "bf16", "int8"] = Field(
        "f32", description="Arithmetic of the network; `bf16` and `int8` are for `openvino`."
    )
    detector_threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Threads of one worker's network; 0: one a core, of several workers twice their part.",
    )
    execution_providers: str = Field(
        "CPUExecutionProvider",
        description="ONNX Runtime's execution providers, separated by commas, the first choice first.",
    )
    model_onnx: Path | None = Field(
        None, description="ONNX file of a YOLO network, instead of a Darknet one; needs `model_names`."
    )
    model_cfg: Path | None = Field(None, description="Darknet network file; empty: YOLOv4-tiny's.")
    model_weights: Path | None = Field(None, description="Darknet weights file; empty: YOLOv4-tiny's.")
    model_names: Path | None = Field(None, description="Class names, one a line; empty: COCO's 80.")
    input_width_px: int = Field(
        416,
        ge=32,
        le=4096,
        multiple_of=32,
        description="Width of the network's input in pixels, a multiple of 32.",
    )
    input_height_px: int = Field(
        416,
        ge=32,
        le=4096,
        multiple_of=32,
        description="Height of the network's input in pixels, a multiple of 32.",
    )
    resize: Literal["auto", "stretch", "letterbox"] = Field(
        "auto",
        description=(
            "How a picture comes to the network's size: `stretch` as Darknet does, `letterbox` keeps its "
            "proportions; `auto`: letterbox for an ONNX file, else stretch."
        ),
    )
    calibration_frames: int = Field(
        200, ge=10, le=10_000, description="Frames that an INT8 network is calibrated on."
    )
    calibration_dir: Path | None = Field(
        None,
        description="Folder of pictures to calibrate on; empty: the store's frames, or the demo clip's.",
    )
    min_confidence: float = Field(
        0.1, ge=0.01, lt=1, description="Confidence below which the detector writes no box, 0 to 1."
    )
    nms_iou: float = Field(
        0.45,
        gt=0,
        le=1,
        description="Overlap (IoU) above which the weaker of two boxes of a class is dropped.",
    )
    batch_frames: int = Field(500, ge=1, le=100_000, description="Most frames in a segment.")
    batch_s: float = Field(
        5.0, gt=0, description="Seconds after which a segment is written though it is not full."
    )

    # Counting.
    interval_s: Annotated[int, AfterValidator(_divides_a_day)] = Field(
        60, ge=1, le=DAY_S, description="Seconds of the stored base interval; divides a day."
    )
    count_min_confidence: float = Field(
        0.25, ge=0, lt=1, description="Confidence from which on a box is counted."
    )
    count_min_side_px: float = Field(
        0.0, ge=0, description="Pixels that a box's shorter side must have to be counted."
    )
    count_labels: str = Field("", description="Labels to count, separated by commas; empty: all.")
    count_objects: bool = Field(
        True, description="Whether unique objects (visits) are counted too, by tracking boxes through time."
    )
    min_tracking_fps: float = Field(
        5.0,
        ge=0,
        le=1000,
        description="Analysed frames a second under which unique objects are not counted; 10 % less will do.",
    )
    track_confidence: float = Field(
        0.6, ge=0, le=1, description="Confidence of a strong box; one 0.1 above it begins a track."
    )
    track_weak_confidence: float = Field(
        0.1, ge=0, le=1, description="Confidence from which on a box may continue a track."
    )
    track_label_confidence: str = Field(
        "bus=0.4,car=0.4,truck=0.4", description="Labels with another confidence of strong boxes."
    )
    track_gap_s: float = Field(3.0, gt=0, le=60, description="Seconds that a track lives on without a box.")
    track_stitch_s: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Longest seconds between two pieces of one broken track; with the gap 60 at most.",
    )
    track_fixed_labels: str = Field(
        "", description="Labels of which what never moves is no object, separated by commas; empty: none."
    )
    runner: Literal["inline", "local", "hadoop", "spark"] = Field(
        "inline", description="Engine of the counting job."
    )
    split_mb: int = Field(
        64, ge=1, le=100_000, description="Megabytes of segments that one task of the counting job reads."
    )
    hadoop_bin: str = Field("hadoop", description="Command of the Hadoop client, for the `hadoop` engine.")
    hadoop_streaming_jar: str = Field(
        "", description="Hadoop's streaming jar; empty: looked for where Hadoop is installed."
    )
    hadoop_python: str = Field("python3", description="Command by which the cluster's nodes run Python.")
    hadoop_log_dirs: str = Field(
        "",
        description="Folders (HDFS, too) with the logs of tasks, separated by commas; empty: the usual ones.",
    )
    hadoop_jobconf: str = Field(
        "", description="Properties of the job, such as `mapreduce.map.memory.mb=1024`, separated by commas."
    )
    manifest_ttl_s: int = Field(
        DAY_S,
        ge=60,
        le=604_800,
        description="Seconds for which the tasks of a job may read segments from the S3 store, by links.",
    )
    spark_master: str = Field(
        "local[*]", description="Spark's master, for the `spark` engine; `local[*]`: this machine's cores."
    )

    def resolved(self) -> Self:
        """Return these settings with `data_dir` absolute and every empty URL filled in."""
        data_dir = self.data_dir.expanduser().resolve()
        return self.model_copy(
            update={
                "data_dir": data_dir,
                "store_url": self.store_url or (data_dir / "store").as_uri(),
                "log_url": self.log_url or f"sqlite:///{data_dir / 'log.sqlite'}",
                "ledger_url": self.ledger_url or f"sqlite:///{data_dir / 'ledger.sqlite'}",
                "index_url": self.index_url or f"sqlite:///{data_dir / 'index.sqlite'}",
            }
        )

    def tzinfo(self) -> datetime.tzinfo:
        """Return the time zone of naive times."""
        return zoneinfo.ZoneInfo(self.timezone)

    def counted_boxes(self) -> CountedBoxes:
        """Return which boxes the deployment counts."""
        return CountedBoxes.of(
            min_confidence=self.count_min_confidence,
            min_side_px=self.count_min_side_px,
            labels=self.count_labels,
        )


def component_folder(component: str) -> Path | None:
    """Return the component's top-level folder when frametally runs from a checkout, else None."""
    root = Path(__file__).resolve().parents[3]
    return root / COMPONENT_FOLDERS[component] if (root / "pyproject.toml").is_file() else None


def _env_files(component: str | None) -> list[Path]:
    folder = component_folder(component) if component else None
    return [Path(".env")] if folder is None else [Path(".env"), folder / ".env"]  # later files win


def load_settings(component: str | None = None, **overrides: object) -> Settings:
    """Load the settings of this process; `overrides` that are not None win over everything else.

    Raises:
        Misconfigured: A value is not allowed; the line names the setting, the value and what is allowed.
    """
    env_files = _env_files(component)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=env_files, **given).resolved()  # type: ignore[arg-type]
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0]) if problem["loc"] else "settings"
        message = problem["msg"].removeprefix("Value error, ")
        raise Misconfigured(f"{ENV_PREFIX}{name.upper()}={problem['input']!s}: {message}") from error


def misspelt_settings(component: str | None = None) -> dict[str, str]:
    """Return the names in the environment and the `.env` files that are almost a setting's, with that one.

    Names that belong to others (Compose, the tests) are left alone.
    """
    given = {name.upper() for name in os.environ}
    for env_file in _env_files(component):
        given |= {name.upper() for name in dotenv_values(env_file)}
    known = [f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields]
    almost = {}
    for name in sorted(given - set(known)):
        ours = name.startswith(ENV_PREFIX) and not name.startswith(f"{ENV_PREFIX}TEST_")
        if ours and (close := difflib.get_close_matches(name, known, 1, 0.9)):
            almost[name] = close[0]
    return almost
