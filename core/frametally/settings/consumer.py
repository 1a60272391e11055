"""Settings of the consumer: the model, its input, what is a box, how large a segment grows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from frametally.settings.fields import Field, SettingsPart


class ConsumerSettings(SettingsPart):
    """The consumer's settings."""

    detector: Literal["auto", "opencv", "openvino", "onnxruntime", "pixels"] = Field(
        "auto",
        description=(
            "Detector: `opencv`, `openvino` or `onnxruntime` run a network, `auto` takes the "
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
        description="Threads of one worker's network; 0: one per core; with several workers, twice "
        "each worker's share.",
    )
    execution_providers: str = Field(
        "CPUExecutionProvider",
        description="ONNX Runtime's execution providers, separated by commas, in order of preference.",
    )
    model_onnx: Path | None = Field(
        None, description="ONNX file of a YOLO network, instead of a Darknet one; needs `model_names`."
    )
    model_cfg: Path | None = Field(None, description="Darknet network file; empty: YOLOv4-tiny's.")
    model_weights: Path | None = Field(None, description="Darknet weights file; empty: YOLOv4-tiny's.")
    model_names: Path | None = Field(None, description="Class names, one per line; empty: COCO's 80.")
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
            "How to fit a picture to the network's input: `stretch` (as Darknet does), `letterbox` "
            "(keeps its proportions) or `auto` (letterbox for an ONNX file, else stretch)."
        ),
    )
    calibration_dir: Path | None = Field(
        None,
        description="Folder of pictures to calibrate on; empty: the store's frames, or the demo clip's.",
    )
    min_confidence: float = Field(
        0.1, ge=0.01, lt=1, description="Confidence below which the detector does not write a box, 0 to 1."
    )
    nms_iou: float = Field(
        0.45,
        gt=0,
        le=1,
        description="Overlap (IoU) above which the detector drops the weaker of two boxes of a class.",
    )
    batch_frames: int = Field(500, ge=1, le=100_000, description="Maximum number of frames in a segment.")
    batch_s: float = Field(
        5.0, gt=0, description="Seconds after which the consumer writes a segment even if it is not full."
    )
    live_topic: str = Field(
        "video-frames",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic for frames of cameras and streams, so that a backlog does not delay them.",
    )
    results_topic: str = Field(
        "processed-frames",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic on which live detections are published at once, for viewers.",
    )
    stream_engine: Literal["consumer", "spark"] = Field(
        "consumer",
        description="What analyses the frames of cameras and streams: `consumer`, or `spark` "
        "(Structured Streaming).",
    )
    spark_jars: str = Field(
        "",
        description="Jars of Spark's Kafka connector, separated by commas; empty: Spark fetches its package.",
    )
