"""A camera whose resolution changes, counted by a user: on the command line, from clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.commands import run_frametally

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_run, read_source_files
from frametally_traffic.flows.day_columns import decode_flows

pytestmark = pytest.mark.thorough

FPS = 5


def walk(scale: int, first_px: int = 10) -> Iterator[np.ndarray[Any, Any]]:
    """Two objects, one after the other, that cross the middle of a picture of 320 x 180 times `scale`."""
    for _ in range(2):
        for n in range(26):
            picture = np.zeros((180 * scale, 320 * scale, 3), np.uint8)
            left = scale * (first_px + 11 * n)
            picture[80 * scale : 100 * scale, left : left + 30 * scale] = 255
            yield picture
        for _ in range(12):
            yield np.zeros((180 * scale, 320 * scale, 3), np.uint8)


def write(path: Path, pictures: Iterator[np.ndarray[Any, Any]], pixel_aspect: Fraction = Fraction(1)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.options = {"crf": "12", "preset": "ultrafast"}
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.codec_context.sample_aspect_ratio = pixel_aspect
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def narrow(pictures: Iterator[np.ndarray[Any, Any]]) -> Iterator[np.ndarray[Any, Any]]:
    """The same pictures with every other column, to be shown twice as wide."""
    return (np.ascontiguousarray(picture[:, ::2]) for picture in pictures)


SCALE_BY_HEIGHT = {"name": "ground", "points": [[160, 175], [160, 5]], "distance_m": 17}
"""A rough scale from top to bottom; objects move from left to right."""


def drawing(scale: int) -> dict[str, Any]:
    size = {"width_px": 320 * scale, "height_px": 180 * scale}

    def points(*places: tuple[int, int]) -> list[list[int]]:
        return [[x * scale, y * scale] for x, y in places]

    return {
        "lines": [{"name": "mid", "points": points((160, 175), (160, 5)), **size}],
        "zones": [{"name": "right", "points": points((160, 5), (315, 5), (315, 175), (160, 175)), **size}],
        "calibrations": [
            {
                "name": "ground",
                "points": points((0, 0), (320, 0), (320, 180), (0, 180)),
                "metres": [[0, 18], [32, 18], [32, 0], [0, 0]],
                **size,
            }
        ],
    }


class Desk:
    """The command line in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.speeds: list[tuple[int, int]] = []

    def run(self, *arguments: object) -> str:
        finished = run_frametally(*arguments, cwd=self.folder, FRAMETALLY_DETECTOR="pixels")
        assert finished.code == 0, finished.err
        return finished.out + finished.err

    def produce(self, clip: Path, start: str, *options: object) -> None:
        self.run("produce", clip, "--source", "gate", "--start-time", start, "--sample-fps", "all", *options)

    def draw(self, scale: int) -> None:
        (self.folder / "drawing.json").write_text(json.dumps(drawing(scale)), encoding="utf-8")
        self.run("lines", "import", "gate", "drawing.json")

    def count(self) -> dict[str, dict[str, int]]:
        """The counts at lines and zones, by hour; notes speeds and their errors, in tenths of a km/h."""
        self.speeds = []
        self.run("consume", "--until-caught-up")
        self.run("aggregate")
        values: dict[str, dict[str, int]] = {}
        with closing(open_object_store(f"file://{self.folder}/frametally-data/store")) as store:
            for run in current_runs(store):
                for count in read_run(store, run)[0] if "~" in run.model else ():
                    hour = f"{run.day} {count.interval_start_ms // 3_600_000 % 24}"
                    name = count.source.partition("/")[2]
                    values.setdefault(hour, {}).setdefault(name, 0)
                    values[hour][name] += count.detections
                for _, data in read_source_files(store, run) if run.model.endswith("~flows") else ():
                    columns = decode_flows(data).columns
                    speeds = zip(columns["visit_speed"], columns["visit_error"], strict=True)
                    self.speeds += speeds
        return values


WANTED = {"line/mid/to_right": 2, "zone/right/entered": 2, "zone/right/left": 2}


def seen(values: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {
        hour: {name: value for name, value in of_hour.items() if name in WANTED}
        for hour, of_hour in values.items()
    }


@pytest.mark.parametrize(("first", "second", "drawn"), [(1, 2, 1), (2, 1, 2), (1, 2, 2)])
def test_a_camera_whose_resolution_changes_has_all_its_counts(
    tmp_path: Path, first: int, second: int, drawn: int
) -> None:
    desk = Desk(tmp_path)
    desk.produce(write(tmp_path / "a.mp4", walk(first)), "2026-05-01T08:00:00Z")
    desk.draw(drawn)
    desk.produce(write(tmp_path / "b.mp4", walk(second, 11)), "2026-05-01T09:00:00Z")
    desk.produce(write(tmp_path / "c.mp4", walk(second, 9)), "2026-05-03T09:00:00Z")
    values = desk.count()
    assert seen(values) == {"2026-05-01 8": WANTED, "2026-05-01 9": WANTED, "2026-05-03 9": WANTED}
    boxes = [values[hour]["zone/right"] for hour in values]
    assert boxes == [boxes[0]] * 3
    assert len(desk.speeds) == 6
    for speed, error in desk.speeds:  # 11 px a fifth of a second, 10 px a metre
        assert abs(speed - 198) <= 2 * error


def test_storing_smaller_frames_does_not_change_earlier_hours(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.produce(write(tmp_path / "a.mp4", walk(2)), "2026-05-01T08:00:00Z")
    desk.draw(2)
    before = desk.count()
    desk.produce(write(tmp_path / "b.mp4", walk(2, 11)), "2026-05-01T09:00:00Z", "--max-side-px", 320)
    assert seen(desk.count()) == {"2026-05-01 8": WANTED, "2026-05-01 9": WANTED}
    assert seen(before) == {"2026-05-01 8": WANTED}


@pytest.mark.parametrize("calibration", [None, SCALE_BY_HEIGHT], ids=["by corners", "rough"])
def test_anamorphic_pictures_have_the_counts_and_speeds_of_square_ones(
    tmp_path: Path, calibration: dict[str, Any] | None
) -> None:
    desk = Desk(tmp_path)
    desk.produce(write(tmp_path / "a.mp4", walk(1)), "2026-05-01T08:00:00Z")
    shapes = drawing(1)
    if calibration:
        shapes["calibrations"] = [calibration | {"width_px": 320, "height_px": 180}]
    (tmp_path / "drawing.json").write_text(json.dumps(shapes), encoding="utf-8")
    desk.run("lines", "import", "gate", "drawing.json")
    desk.produce(write(tmp_path / "b.mp4", narrow(walk(1, 11)), Fraction(2)), "2026-05-01T09:00:00Z")
    assert seen(desk.count()) == {"2026-05-01 8": WANTED, "2026-05-01 9": WANTED}
    assert len(desk.speeds) == 4
    for speed, error in desk.speeds:
        assert abs(speed - 198) <= 2 * error
