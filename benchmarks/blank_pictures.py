"""What it costs the consumer to measure whether pictures show anything, beside decoding and detecting them.

    python benchmarks/blank_pictures.py vtest.avi ...

Measures the processor time per frame of both, in rounds that take turns, and the ratio with and without.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

from results import Cell, Goal, Table, save
from stored_frames import DEFAULT_QUALITY, decoded_frames

from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import cv2, decode_pixels, reduction_for
from frametally.settings.loading import load_settings
from frametally_consumer.detectors.protocol import least_px, start
from frametally_models.prepare import prepare_detector

FRAMES, ROUNDS = 60, 7


def main() -> None:
    """Measure each video, and write benchmarks/results/blank_pictures.json."""
    load, rows, goals = os.getloadavg()[0], list[list[Cell]](), list[Goal]()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="+", type=Path)
    detector = prepare_detector(load_settings(None))
    for video in parser.parse_args().videos:
        frames = list(decoded_frames(video, FRAMES))
        for name, pictures in ((video.name, frames), (f"{video.name}, black", [p // 64 for p in frames])):
            jpegs = [
                cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, DEFAULT_QUALITY])[1] for p in pictures
            ]
            height_px, width_px = pictures[0].shape[:2]
            reduction = reduction_for(width_px, height_px, least_px(detector))
            work_ms, measure_ms = [], []
            for _ in range(ROUNDS):
                began = time.process_time()
                images = [decode_pixels(jpeg.tobytes(), reduction) for jpeg in jpegs]
                for found in [start(detector, image, frame_px=(width_px, height_px)) for image in images]:
                    found.result()
                between = time.process_time()
                for image in images:
                    blank_reason(image)
                work_ms.append((between - began) * 1000 / FRAMES)
                measure_ms.append((time.process_time() - between) * 1000 / FRAMES)
            ratios = [1 + extra / work for extra, work in zip(measure_ms, work_ms, strict=True)]
            ratio = round(statistics.median(ratios), 4)
            rows.append(
                [
                    name,
                    round(statistics.median(work_ms), 2),
                    round(statistics.median(measure_ms), 3),
                    ratio,
                    f"{min(ratios):.4f} to {max(ratios):.4f}",
                ]
            )
            goals.append(
                Goal(what=f"consumer with the check, {name} (CPU time)", measured=ratio, at_most=1.01)
            )
    save(
        name="blank_pictures",
        title="Whether pictures show anything",
        about="Frames of a video, and the same at a 64th of their light, which are black, are decoded and "
        f"detected by {detector.model_id} as the consumer does, and then checked: {FRAMES} frames a round, "
        f"{ROUNDS} rounds. The ratio is that of the processor time with and without the check, of a round.",
        load_before=load,
        packages=["opencv-python-headless", "openvino"],
        tables=[
            Table(
                title="Processor time per frame",
                columns=["frames", "decode and detect, ms", "check, ms", "ratio", "ratios of the rounds"],
                rows=rows,
            )
        ],
        goals=goals,
        by_cpu=True,
    )


if __name__ == "__main__":
    main()
