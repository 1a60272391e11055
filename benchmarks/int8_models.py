"""INT8 beside f32 for the models of the catalogue: AP50 and CPU time, and whether frametally offers it.

    make .venv-int8/ready
    .venv-int8/bin/python benchmarks/int8_models.py --data ../shared/data

`--data` and `--weights` are as in `models_table.py`. Plain NNCF makes the INT8 networks from frames of the
demo clip and of the second half of vtest.avi, none of which is among the pictures that accuracy is measured
on. A model's INT8 is worth offering if its AP50 stays within a point and a frame takes less CPU time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import nncf
from average_precision import Truth, ap50, judge
from detectors import labelled_pictures
from measuring import in_turns, median_ratio
from models_table import (
    COCO_SIZE,
    LEAST_CONFIDENCE_OF_AP,
    SPEED_FRAMES,
    SPEED_ROUNDS,
    Way,
    detector_of,
    is_here,
)
from results import SHARED, Cell, Table, options, save
from stored_frames import decoded_frames

from frametally.files.demo_clip import ensure_demo_clip
from frametally.files.opencv import Pixels
from frametally.settings.loading import load_settings
from frametally_consumer.backends.network import as_blob, fit
from frametally_consumer.backends.openvino_runtime import ov
from frametally_consumer.detectors.heads import Floats
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_consumer.load import open_network
from frametally_models.catalogue import CATALOGUE, DEFAULT

MOST_LOST = 1.0
"""Points of AP50 that a model may lose in INT8."""
CLIP_STEP, VTEST_FRAMES, VTEST_STEP = 6, range(401, 795), 7


def main() -> None:
    """Measure each model that is here, and write the result."""
    asked = options(__doc__, data=SHARED, weights=[])
    weights = dict(entry.split("=", 1) for entry in asked.weights)
    models = [name for name in CATALOGUE if name != DEFAULT and (name in weights or is_here(name))]
    clip = list(decoded_frames(ensure_demo_clip(load_settings().models_dir.expanduser()), 360))
    vtest = list(decoded_frames(asked.data / "vtest" / "vtest.avi", VTEST_FRAMES.stop))
    frames = [*clip[::CLIP_STEP], *vtest[VTEST_FRAMES.start :: VTEST_STEP]]
    pictures, truths = labelled_pictures(asked.data / "coco128")
    rows = [_row(name, weights, frames, clip[:SPEED_FRAMES], pictures, truths) for name in models]
    save(
        name="int8_models",
        title="INT8 of the models by name",
        about="The YOLOX models by name in INT8 by plain NNCF beside f32, on OpenVINO with one thread. "
        f"{len(frames)} frames of the demo clip and of vtest.avi calibrate; AP50 is on coco128. A model that "
        "is not in the table could not be downloaded on the machine that measured.",
        packages=["nncf", "numpy", "openvino"],
        tables=[
            Table(
                "INT8 beside f32",
                ["model", "AP50, f32", "AP50, INT8", "CPU ms, f32", "CPU ms, INT8", "INT8 / f32", "worth it"],
                rows,
                f"Worth it: at most {MOST_LOST:g} point of AP50 less, in less CPU time. The CPU time "
                "of a frame is the median of rounds in which both took turns.",
            )
        ],
    )


def _row(
    name: str,
    weights: dict[str, str],
    frames: Sequence[Pixels],
    timed: list[Pixels],
    pictures: list[Pixels],
    truths: Sequence[Sequence[Truth]],
) -> list[Cell]:
    detector = detector_of(Way(name, name, None), weights, COCO_SIZE, LEAST_CONFIDENCE_OF_AP)
    if not isinstance(detector, YoloDetector):
        raise TypeError(name)
    with tempfile.TemporaryDirectory() as folder:
        both = [detector, _in_int8(detector, frames, Path(folder))]
        works = [partial(one.detect, timed) for one in both]
        costs = in_turns(dict(enumerate(works)), SPEED_ROUNDS, clock=time.process_time)
        points = [ap50(judge(truths, one.detect(pictures))) for one in both]
    ratio = median_ratio(costs[1], costs[0])
    is_worth_it = points[0] - points[1] <= MOST_LOST and ratio < 1
    return [
        name,
        *(round(number, 1) for number in points),
        *(round(1000 * statistics.median(costs[at]) / len(timed), 1) for at in (0, 1)),
        ratio,
        "yes" if is_worth_it else "no",
    ]


def _in_int8(detector: YoloDetector, frames: Sequence[Pixels], folder: Path) -> YoloDetector:
    """Return the detector with its network in INT8, calibrated on `frames`."""
    model: NetworkModel = detector.model
    read = ov.Core().read_model(model.network)

    def blob(frame: Pixels) -> Floats:
        picture = fit(frame, input_px=model.input_px, preparation=model.preparation).picture
        return as_blob(picture, model.preparation)

    quantized = nncf.quantize(read, nncf.Dataset([*frames], blob), subset_size=len(frames))
    path = folder / "network.xml"
    ov.save_model(quantized, path, compress_to_fp16=False)
    model = model._replace(network=path)
    settings = load_settings(detector="openvino", detector_threads=1)
    return YoloDetector(open_network(model, settings), model)


if __name__ == "__main__":
    main()
