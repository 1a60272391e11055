"""A damaged picture is refused, and never stored with an invented part, as far as its format tells."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from tests.examples import examples
from tests.kit.picture_damage import FORMATS, INTERRUPTED, encoded, read, scene, verdicts
from tests.producer.conftest import Bench

from frametally.errors import Poison
from frametally.files.opencv import decode_pixels

JPEGS = [name for name in FORMATS if name.startswith("JPEG")]
SEEDS = examples(450)


@pytest.mark.thorough
@pytest.mark.parametrize("format_name", JPEGS)
def test_a_damaged_jpeg_is_refused_unless_its_bytes_still_describe_a_whole_picture(format_name: str) -> None:
    outcomes = list(verdicts(SEEDS, format_name))
    assert [v for v in outcomes if v.shows_other and v.damage in INTERRUPTED] == []
    assert sum(v.shows_other for v in outcomes) <= 0.04 * SEEDS
    assert sum(v.refused is not None for v in outcomes) >= 0.8 * SEEDS
    assert all(
        "; copy it again from the original" in (v.refused or "; copy it again from the original")
        for v in outcomes
    )


def test_no_damaged_png_is_accepted() -> None:
    assert [v for v in verdicts(SEEDS // 2, "PNG") if v.refused is None] == []


@pytest.mark.thorough
def test_a_lossy_webp_that_was_interrupted_or_overwritten_with_zeros_is_refused() -> None:
    outcomes = [v for v in verdicts(SEEDS, "WebP") if v.damage in INTERRUPTED or "zeros" in v.damage]
    assert {v.damage for v in outcomes} > INTERRUPTED
    assert [v for v in outcomes if v.shows_other] == []


@pytest.mark.parametrize("format_name", JPEGS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_whole_jpeg_decodes_to_the_same_pixels_as_in_opencv(format_name: str, mode: str) -> None:
    jpeg = encoded(scene(np.random.default_rng(3)).convert(mode), format_name)
    assert np.array_equal(read(jpeg), decode_pixels(jpeg))


def _trailing(jpeg: bytes) -> bytes:
    return jpeg + b"a camera's own data" * 50


def _two_pictures(_jpeg: bytes) -> bytes:
    file = io.BytesIO()
    first, second = (scene(np.random.default_rng(seed)) for seed in (1, 2))
    first.save(file, "MPO", save_all=True, append_images=[second])
    return file.getvalue()


@pytest.mark.parametrize("change", [_trailing, _two_pictures])
def test_a_whole_jpeg_with_more_bytes_after_it_is_read(change: Callable[[bytes], bytes]) -> None:
    jpeg = change(encoded(scene(np.random.default_rng(1)), "JPEG"))
    assert np.array_equal(read(jpeg), decode_pixels(jpeg))


@pytest.mark.parametrize("plain", [(0, 0, 0), (255, 255, 255), (90, 90, 90)])
@pytest.mark.parametrize("size_px", [(160, 120), (2400, 1600)])
def test_a_plain_webp_counts_as_whole(
    monkeypatch: pytest.MonkeyPatch, plain: tuple[int, int, int], size_px: tuple[int, int]
) -> None:
    monkeypatch.setattr("tests.kit.picture_damage._MOST_PIXELS", 4_000_000)
    for format_name in ("WebP", "WebP, lossless"):
        assert read(encoded(Image.new("RGB", size_px, plain), format_name)).shape[:2] == size_px[::-1]


def test_the_line_names_the_file_and_the_decoders_error_and_the_other_pictures_are_stored(
    bench: Bench,
) -> None:
    whole = bench.picture("pics/a.jpg", taken="2026:05:01 12:00:00", offset="+00:00", index=1)
    jpeg = bytearray(encoded(scene(np.random.default_rng(5)), "JPEG"))
    jpeg[len(jpeg) // 2 : len(jpeg) // 2 + 512] = bytes(512)
    damaged = whole.with_name("b.jpg")
    damaged.write_bytes(jpeg)
    report = bench.produce(whole.parent)
    assert report.frames_announced == 1
    [line] = report.skipped
    assert str(damaged) in str(line)
    assert "is damaged (Corrupt JPEG data" in str(line)


def test_a_file_that_is_not_a_picture_is_not_called_damaged() -> None:
    with pytest.raises(Poison, match="is not a picture"):
        read(b"GIF89a" + bytes(100))
