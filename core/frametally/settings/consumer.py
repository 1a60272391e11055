"""Defines the consumer's settings: the model, its input, and the size of a segment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from frametally.settings.fields import Field, SettingsPart

_INPUT_SIZE = re.compile(r"([0-9]+)x([0-9]+)(?:\+([1-8])x([1-8]))?")


def _input_size(size_px: str) -> str:
    size = _INPUT_SIZE.fullmatch(size_px)
    if size is None:
        raise ValueError("write width and height in pixels, such as 544x416, perhaps with tiles: 544x416+2x2")
    if not all(32 <= int(side) <= 4096 and int(side) % 32 == 0 for side in size.group(1, 2)):
        raise ValueError("each side is a multiple of 32, at most 4096")
    return size_px


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
        description="Threads of one worker's network; if 0, one per core; with several workers, twice "
        "each worker's share.",
    )
    execution_providers: str = Field(
        "CPUExecutionProvider",
        description="ONNX Runtime's execution providers, separated by commas, in order of preference; "
        "for an NVIDIA GPU, `CUDAExecutionProvider` with `detector` `onnxruntime`.",
    )
    model_cfg: Path | None = Field(
        None,
        description="Darknet network file, or the family of an ONNX network, such as `yolox`; if empty, "
        "YOLOv4-tiny's.",
    )
    model_weights: Path | None = Field(
        None,
        description="Darknet weights file, or a network as `.onnx`, which needs `model_names`, or the name "
        "of a known model, such as `yolox-nano`; if empty, YOLOv4-tiny's.",
    )
    model_names: Path | None = Field(None, description="Class names, one per line; if empty, COCO's 80.")
    input_size_px: str = Field(
        "416x416",
        check=_input_size,
        description="Width and height of the network's input in pixels, multiples of 32; with `+2x2`, the "
        "network also looks at large pictures in 2x2 tiles.",
    )
    resize: Literal["auto", "stretch", "letterbox"] = Field(
        "auto",
        description=(
            "How to fit a picture to the network's input: `stretch` (as Darknet does), `letterbox` "
            "(keeps its proportions) or `auto` (as its family does)."
        ),
    )
    brighten_dark_frames: bool = Field(
        False,
        description="Whether the detector sees dark frames brightened and slightly blurred, which finds more "
        "at night. Stored frames stay as they are.",
    )
    batch_frames: int = Field(500, ge=1, le=100_000, description="Maximum number of frames in a segment.")
    batch_s: float = Field(
        5.0, gt=0, description="Seconds after which the consumer writes a segment even if it is not full."
    )
    live_topic: str = Field(
        "video-frames",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Log topic for frames of cameras and streams, so that a backlog does not delay them. "
        "Their results go to `processed-frames`: the same name, with `processed-` for `video-`.",
    )
    stream_engine: Literal["consumer", "spark"] = Field(
        "consumer",
        description="What analyses the frames of cameras and streams: `consumer`, or `spark` "
        "(Structured Streaming).",
    )

    @property
    def model_onnx(self) -> Path | None:
        """The network's ONNX file, or None for a Darknet network."""
        is_onnx = self.model_weights is not None and self.model_weights.suffix.lower() == ".onnx"
        return self.model_weights if is_onnx else None

    @property
    def providers(self) -> list[str]:
        """ONNX Runtime's execution providers, in order of preference."""
        return [name.strip() for name in self.execution_providers.split(",") if name.strip()]

    @property
    def devices(self) -> list[str]:
        """Devices to use other than the CPU, such as `cuda`, in order of preference."""
        names = [name.removesuffix("ExecutionProvider").lower() for name in self.providers]
        return [name for name in names if name != "cpu"]

    @property
    def input_px(self) -> tuple[int, int]:
        """Width and height of the network's input."""
        width_px, _, height_px = self.input_size_px.partition("+")[0].partition("x")
        return int(width_px), int(height_px)

    @property
    def tiles(self) -> tuple[int, int]:
        """Columns and rows of tiles in which large pictures are also analysed; (1, 1) for none."""
        columns, _, rows = (self.input_size_px.partition("+")[2] or "1x1").partition("x")
        return int(columns), int(rows)

    @property
    def results_topic(self) -> str:
        """The log topic on which live detections are published at once, for viewers."""
        return self.topic_beside("processed-")

    def topic_beside(self, prefix: str) -> str:
        """Return the name of another topic of this deployment, derived from `live_topic`."""
        return prefix + self.live_topic.removeprefix("video-")
