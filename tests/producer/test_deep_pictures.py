"""Pictures with more than 8 bits show what they show, or are refused in a line that names the way out."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.producer.conftest import FILE_DATE_S, Bench

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels, cv2, decode_image
from frametally.files.value_ranges import ValueRange, parse_value_range
from frametally_producer.reading.depth import eight_bits

GROUND, BODY = (10, 10), (60, 80)
"""A place of the ground and one of the body, (row, column)."""


def scene(ground: float, body: float, dtype: Any = np.uint16, channels: int = 1) -> NDArray[Any]:
    """Return a picture with one warm body, shape (120, 160) or (120, 160, channels)."""
    values = np.full((120, 160), ground, dtype)
    values[40:80, 60:100] = body
    return values if channels == 1 else np.dstack([values] * channels)


def write(path: Path, values: NDArray[Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, values)[1].tobytes())
    os.utime(path, (FILE_DATE_S, FILE_DATE_S))
    return path


def write_video(path: Path, frames: list[NDArray[Any]], pixels: str = "gray16le") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(5))
        stream.width, stream.height, stream.pix_fmt = 160, 120, pixels
        for values in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(values, pixels)))
        container.mux(stream.encode(None))
    return path


def stored(bench: Bench) -> list[Pixels]:
    return [decode_image(bench.store.get(a.image_path), 1_000_000) for a in bench.log.announcements]


NARROW = {
    "kelvin": (scene(30_000, 31_000), "from 30000 to 31000 are 1.5% of its 16 bits", "30000:31000"),
    "14 bits in 16": (scene(3000, 9000), "from 3000 to 9000 are 9.2% of its 16 bits", "3000:9000"),
    "12 bits in 16": (scene(100, 4000), "are 6.0% of its 16 bits", "100:4000"),
    "colour": (scene(3000, 9000, channels=3), "are 9.2% of its 16 bits", "3000:9000"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("name", NARROW)
def test_a_picture_almost_invisible_in_8_bits_is_refused_with_the_range_that_shows_it(
    bench: Bench, name: str, suffix: str
) -> None:
    values, problem, value_range = NARROW[name]
    path = write(bench.folder / f"pics/a{suffix}", values)
    [(_, line)] = bench.produce(path).skipped
    assert problem in line
    assert f"--value-range LOW:HIGH, the values that become black and white, such as {value_range}" in line
    assert bench.log.announcements == []
    assert bench.produce(path, value_range=value_range).frames_announced == 1
    [pixels] = stored(bench)
    assert pixels[GROUND].max() < 8
    assert pixels[BODY].min() > 247


@pytest.mark.thorough
@pytest.mark.parametrize(
    "values",
    [scene(27.0, 37.0, np.float32), scene(-200, 900, np.int16), scene(27.0, 37.0, np.float32, channels=3)],
    ids=["float", "signed", "float colour"],
)
def test_a_tiff_of_another_number_type_is_refused_in_one_line_or_shown_with_its_range(
    bench: Bench, values: NDArray[Any]
) -> None:
    path = write(bench.folder / "pics/a.tif", values)
    low, high = f"{values.min():g}", f"{values.max():g}"
    report = bench.produce(path)
    [(_, line)] = report.skipped
    if values.ndim == 3:
        assert "is a TIFF of a kind that frametally does not read" in line
        return
    assert f"from {low} to {high}" in line
    assert bench.produce(path, value_range=f"{low}:{high}").frames_announced == 1
    [pixels] = stored(bench)
    assert (pixels[GROUND].max() < 8, pixels[BODY].min() > 247) == (True, True)


@pytest.mark.thorough
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_that_fills_its_range_keeps_its_upper_8_bits(
    bench: Bench, suffix: str, channels: int
) -> None:
    path = write(bench.folder / f"pics/a{suffix}", scene(1000, 65_000, channels=channels))
    assert bench.produce(path).skipped == []
    [pixels] = stored(bench)
    assert abs(int(pixels[GROUND][0]) - 3) <= 3
    assert abs(int(pixels[BODY][0]) - 253) <= 3


@pytest.mark.thorough
def test_a_deep_picture_with_a_single_value_is_stored_since_it_shows_nothing(bench: Bench) -> None:
    path = write(bench.folder / "pics/a.png", scene(30_000, 30_000))
    assert (bench.produce(path).frames_announced, bench.produce(path).skipped) == (1, [])


def test_a_small_object_on_a_plain_background_is_noticed(bench: Bench) -> None:
    values = scene(30_000, 30_000)
    values[5, 5:9] = 30_900
    [(_, line)] = bench.produce(write(bench.folder / "pics/a.png", values)).skipped
    assert "from 30000 to 30900" in line


def test_dead_pixels_do_not_make_a_narrow_picture_wide(bench: Bench) -> None:
    values = scene(30_000, 31_000)
    values[0, 0], values[0, 1] = 0, 65_535
    [(_, line)] = bench.produce(write(bench.folder / "pics/a.png", values)).skipped
    assert "from 30000 to 31000" in line


@pytest.mark.thorough
def test_a_value_range_does_not_change_8_bit_pictures(bench: Bench) -> None:
    for name, options in {"a.jpg": {}, "b.png": {"format": "PNG"}, "c.tif": {"format": "TIFF"}}.items():
        bench.picture(f"pics/{name}", **options)
    bench.produce(bench.folder / "pics", source="plain")
    bench.produce(bench.folder / "pics", source="ranged", value_range="29000:32000")
    plain, ranged = stored(bench)[:3], stored(bench)[3:]
    assert all(np.array_equal(*pair) for pair in zip(plain, ranged, strict=True))


@pytest.mark.thorough
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_deep_tiff_is_turned_upright_like_a_shallow_one(bench: Bench, orientation: int) -> None:
    values = np.zeros((120, 160), np.uint16)
    values[:40, :60] = 900
    pictures: dict[str, NDArray[Any]] = {"deep": values, "shallow": (values / 900 * 255).astype(np.uint8)}
    for name, picture in pictures.items():
        path = bench.folder / f"{name}/a.tif"
        path.parent.mkdir()
        Image.fromarray(picture).save(path, tiffinfo={274: orientation})
        bench.produce(path, source=name, value_range="0:900")
    deep, shallow = stored(bench)
    assert deep.shape == shallow.shape
    assert np.abs(deep.astype(int) - shallow).mean() < 2


def test_a_deep_grey_video_is_refused_as_a_whole_or_shown_with_its_range(bench: Bench) -> None:
    path = write_video(bench.folder / "y16.mkv", [scene(30_000, 31_000)] * 5)
    given: dict[str, Any] = {"start_time": "2026-05-01T08:00:00Z", "sample_fps": "all"}
    [(_, line)] = bench.produce(path, **given).skipped
    assert "are 1.5% of its 16 bits" in line
    assert (bench.log.announcements, bench.manifests()) == ([], [])
    assert bench.produce(path, value_range="30000:31000", **given).frames_announced == 5
    for pixels in stored(bench):
        assert (pixels[GROUND].max() < 8, pixels[BODY].min() > 247) == (True, True)


def test_a_deep_grey_video_that_starts_with_a_closed_shutter_is_not_taken_for_blank(bench: Bench) -> None:
    path = write_video(bench.folder / "y16.mkv", [scene(30_000, 30_000)] * 2 + [scene(30_000, 31_000)] * 3)
    report = bench.produce(path, start_time="2026-05-01T08:00:00Z", sample_fps="all")
    assert report.frames_announced == 2
    assert "frame 2: its values from 30000 to 31000" in str(report.skipped)


@pytest.mark.parametrize("pixels", ["gray10le", "gray12le", "gray16le"])
def test_a_deep_grey_video_that_fills_its_range_is_shown(bench: Bench, pixels: str) -> None:
    most = 2 ** int(pixels.removeprefix("gray").removesuffix("le")) - 1
    path = write_video(bench.folder / "full.mkv", [scene(0, most)] * 3, pixels)
    assert bench.produce(path, start_time="2026-05-01T08:00:00Z").skipped == []
    assert stored(bench)[0][BODY].min() > 225


def test_values_are_scaled_rounded_and_clipped() -> None:
    values = np.array([[-5.0, 0, 1, 2, 4, 9, np.nan, np.inf]], np.float32)
    assert eight_bits(values, ValueRange(0, 4)).tolist() == [[0, 0, 64, 128, 255, 255, 0, 255]]


@pytest.mark.parametrize("text", ["5", "5:", ":5", "9:3", "3:3", "a:b", "nan:5", "0:inf", "1:2:3"])
def test_an_invalid_value_range_is_one_line(bench: Bench, text: str) -> None:
    with pytest.raises(Misconfigured, match="is not two values LOW:HIGH with LOW below HIGH; write it like"):
        bench.settings(value_range=text)


def test_a_value_range_keeps_its_fraction() -> None:
    assert parse_value_range("-20.5:40") == ValueRange(-20.5, 40)
    assert parse_value_range("") is None
